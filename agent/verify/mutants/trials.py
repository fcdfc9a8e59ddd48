"""The trials: the explorations in which mutants are judged.

A mutant can only change something where its row decides: it is tried only in those explorations in which, with the real
tables, the row does decide.
"""

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from attrs import evolve, frozen

from ....fsm import (
    CoreError,
    Pair,
    ReactionPolicy,
    Topology,
    VipOrder,
    documented_alarms,
)
from ....fsm.alarms import (
    CHANGED_TO_BACKUP,
    CHANGED_TO_PRIMARY,
    FOUND_STARTED,
    FOUND_TERMINATED,
    Alarm,
    disable_here,
    enable_here,
    to_primary,
)
from ....fsm.documented.voicemail import HOSTS, voicemail_topology
from ....fsm.handling import MACHINES
from ..documented import decided, unseen
from ..exploring.explorer import GIB, Bounds, explore_space
from ..exploring.space import Space
from ..model.host import Fault
from .spoilt import Cell, Mutant, all_mutants

ENDLESS = "the exploration ends"


@frozen
class Trial:
    """An exploration in which mutants are judged. An expensive one (minutes) skips the mutants that are explained."""

    name: str
    topology: Topology
    faults: int
    kinds: frozenset[Fault] = frozenset(Fault)
    is_expensive: bool = False


@frozen
class Real:
    """The result of exploring the real tables: the properties that are broken already, and the cases decided."""

    broken: frozenset[str]
    cells: frozenset[Cell]


def takeover(order: VipOrder, reactions: ReactionPolicy = ReactionPolicy.ONCE) -> Topology:
    """Plain IP takeover ([S2]): one pair of SIP Servers."""
    pair = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
    return Topology(HOSTS, (pair,), documented_alarms(pair.applications, HOSTS), order, reactions=reactions)


def other_wiring(order: VipOrder) -> Topology:
    """Plain IP takeover with other alarm conditions, for the rows that the documented wiring leaves unused.

    The VIP is enabled only where a server becomes primary, and disabled where a server fails; each condition is
    cancelled by its opposite; and separate conditions detect failures and starts of applications.
    """
    plain, alarms = takeover(order), list[Alarm]()
    for number, name in enumerate(plain.pairs[0].applications):
        here, other = HOSTS[number], plain.pairs[0].applications[1 - number]
        alarms += (
            Alarm(f"{name} primary", CHANGED_TO_PRIMARY, name, (enable_here(here),), CHANGED_TO_BACKUP),
            Alarm(f"{name} backup", CHANGED_TO_BACKUP, name, (disable_here(here),), CHANGED_TO_PRIMARY),
            Alarm(f"{name} terminated", FOUND_TERMINATED, name, (to_primary(other), disable_here(here)), FOUND_STARTED),
            Alarm(f"{name} started", FOUND_STARTED, name, ()),
        )
    return evolve(plain, alarms=tuple(alarms))


def _trials() -> Iterator[Trial]:
    """All trials, cheap ones first. The documented workflows are played after the first `QUICK` of them."""
    fewer = frozenset({Fault.CRASH, Fault.SCRIPT})
    for order in VipOrder:
        yield Trial(f"takeover, {order}, 1 fault", takeover(order), 1)
    yield Trial("voicemail, 1 fault", voicemail_topology(), 1)
    yield Trial("takeover, other wiring, 1 fault", other_wiring(VipOrder.DISABLE_FIRST), 1)
    for order in VipOrder:
        yield Trial(f"takeover, {order}, literal, 1 fault", takeover(order, ReactionPolicy.LITERAL), 1)
    for order in VipOrder:
        yield Trial(f"takeover, {order}, 2 faults", takeover(order), 2)
    together, disable_first = VipOrder.TOGETHER, VipOrder.DISABLE_FIRST
    yield Trial("takeover, together, literal, 2 faults", takeover(together, ReactionPolicy.LITERAL), 2)
    yield Trial("takeover, other wiring, 2 faults", other_wiring(disable_first), 2)
    yield Trial("voicemail, 2 crashes or failing commands", voicemail_topology(), 2, fewer)
    yield Trial("takeover, other wiring, together, 2 faults", other_wiring(together), 2)
    yield Trial("voicemail, 2 crashes or messages", voicemail_topology(), 2, frozenset({Fault.CRASH, Fault.ALARM}))
    yield Trial("takeover, disable-first, 3 faults", takeover(disable_first), 3, is_expensive=True)
    parting = frozenset({Fault.CRASH, Fault.PARTITION})
    yield Trial("voicemail, 2 crashes or partitions", voicemail_topology(), 2, parting, True)
    yield Trial("voicemail, 3 crashes", voicemail_topology(), 3, frozenset({Fault.CRASH}), True)


TRIALS = {trial.name: trial for trial in _trials()}
QUICK = 3


class Bench:
    """A space in which the real tables have been explored, and where mutants are tried next.

    It keeps what a mutant does not change: before each mutant, only those leaves are forgotten that its rows decide, or
    that the rows of the previous mutant decided.
    """

    def __init__(self, trial: Trial) -> None:
        bounds = Bounds(trial.faults, trial.kinds, is_strict=True)
        self._space = Space(trial.topology, bounds.kinds, bounds.rules)
        exploration = explore_space(self._space, bounds)
        if not exploration.is_exhausted:
            raise CoreError(f"{trial.name}: {exploration.reason}")
        self._bounds = evolve(bounds, bytes=8 * exploration.bytes + GIB // 16)
        self._cells, self._spoilt = list[frozenset[Cell]](), frozenset[Cell]()
        broken = (verdict.property.name for verdict in exploration.verdicts if not verdict.holds)
        self.real = Real(frozenset(broken), frozenset(itertools.chain.from_iterable(self._cells_of_leaves())))

    def judge(self, mutant: Mutant) -> str:
        """The property by which the trial kills the mutant, or `ENDLESS`; empty if it survives."""
        cells = mutant.cells()
        changed, self._spoilt = cells | self._spoilt, cells
        leaves = [at for at, decided in enumerate(self._cells_of_leaves()) if not decided or decided & changed]
        self._space.change(evolve(MACHINES, **{mutant.machine: mutant.table()}), np.array(leaves, np.int64))
        exploration = explore_space(self._space, self._bounds, stop_early=not self.real.broken)
        broken = (verdict.property.name for verdict in exploration.verdicts if not verdict.holds)
        by = next((name for name in broken if name not in self.real.broken), "")
        return by or ("" if exploration.is_exhausted or self.real.broken else ENDLESS)

    def _cells_of_leaves(self) -> Sequence[frozenset[Cell]]:
        """The cases that decided each leaf; empty where the tables made no decision."""
        for leaf in self._space.core.leaves[len(self._cells) :]:
            decisions = ((step.machine, step.decision) for step in leaf.steps)
            self._cells.append(frozenset((machine, d.source, d.trigger, d.guard) for machine, d in decisions))
        return self._cells


@lru_cache(maxsize=1)
def _bench(trial: str) -> Bench:
    return Bench(TRIALS[trial])


def explore_real(trial: str) -> Real:
    """The result of a trial with the real tables."""
    return _bench(trial).real


def judge(mutant: str, trial: str) -> str:
    """The property by which a trial kills a mutant, or `ENDLESS`; empty if it survives."""
    return _bench(trial).judge(all_mutants()[mutant])


def refused(mutant: str) -> bool:
    """Whether the table's own check refuses a mutant."""
    try:
        all_mutants()[mutant].table()
    except CoreError:
        return True
    return False


def undocumented(mutant: str) -> bool:
    """Whether a documented workflow or scenario no longer occurs with a mutant."""
    spoilt = all_mutants()[mutant]
    machines = evolve(MACHINES, **{spoilt.machine: spoilt.table()})
    return any(unseen(topology, machines) for topology in _documented_topologies())


def documented_cells() -> frozenset[Cell]:
    """The cases that the real tables decide in the documented workflows and scenarios."""
    decisions = (each for topology in _documented_topologies() for each in decided(topology))
    return frozenset((machine, d.source, d.trigger, d.guard) for machine, d in decisions)


def _documented_topologies() -> Iterator[Topology]:
    for order in VipOrder:
        yield takeover(order)
        yield voicemail_topology(vip_order=order)
