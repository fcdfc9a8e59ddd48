"""A score for the checker itself: every table is spoilt in every small way, and it must be noticed each time.

A mutant is a table with one written row changed, on both sides at once: the row is taken out, a command of it is
dropped, an announcement is left out, two commands are given in the other order, it stays where it should move, it moves
to the other side, or two rows of a group of guards exchange their guards. It is *killed* if the table's own check
refuses it, if a property is broken that holds of the real tables, or if a documented workflow is no longer seen. What
survives shows a property that is missing, a flaw of the table, or a row that never decides; it is mended, or explained
in `equivalent`.

Where its row never decides, a mutant can change nothing: it is tried only in those explorations of the real tables in
which the row does, and what no exploration reaches is told as such.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import cache, lru_cache
from multiprocessing import get_context

import numpy as np
from attrs import define, evolve, field, fields, frozen

from ...fsm import CoreError, Pair, ReactionPolicy, Topology, VipOrder, documented_alarms
from ...fsm.alarms import (
    CHANGED_TO_BACKUP,
    CHANGED_TO_PRIMARY,
    FOUND_STARTED,
    FOUND_TERMINATED,
    Alarm,
    disable_here,
    enable_here,
    to_primary,
)
from ...fsm.handling import MACHINES, Machines
from ...fsm.table import Row, Table, side
from ...fsm.voicemail import HOSTS, voicemail_topology
from .documented import decided, unseen
from .equivalent import EXPLAINED, Explained
from .explorer import GIB, Bounds, explore_space
from .host import Fault
from .space import Space

OWN_CHECK = "the table's own check"
DOCUMENTED = "documented workflows"
ENDLESS = "the exploration ends"

Cell = tuple[str, str, str, str]
"""A machine's name, and one of its expanded states, triggers and guards: what a row decides."""

TABLES = tuple(each.name for each in fields(Machines))


@frozen
class Mutant:
    """A table with one small change: `rows` are the positions of the written rows that it replaces, and by what."""

    machine: str
    name: str
    rows: Mapping[int, Row]

    def table(self) -> Table:
        """The spoilt table; `CoreError` if its own check refuses it."""
        table = _table(self.machine)
        return evolve(table, rows=tuple(self.rows.get(at, row) for at, row in enumerate(table.rows)))

    def cells(self) -> frozenset[Cell]:
        """What the changed rows decide."""
        table = _table(self.machine)
        rows = [row for at in self.rows if isinstance(row := table.rows[at], Row)]
        return frozenset((table.name, *cell) for row in rows for cell in _decides(row, table.sided))


# The mutants.


@cache
def all_mutants() -> Mapping[str, Mutant]:
    """Every mutant of every table by its name, in the order of the rows; no two of them are the same table."""
    return {mutant.name: mutant for machine in TABLES for mutant in _of_table(machine)}


def _table(machine: str) -> Table:
    return getattr(MACHINES, machine)


def _decides(row: Row, sided: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """The expanded states, triggers and guards for which a row is written."""
    sources = [name for source in row.source.split() for name in (sided if source == "*" else (source,))]
    for source, trigger, this in itertools.product(sources, row.trigger.split(), (1, 2)):
        yield f"{source}_{this}" if source in sided else source, side(trigger, this), side(row.guard, this)


def _of_table(machine: str) -> Iterator[Mutant]:
    table, seen = _table(machine), set[tuple[tuple[int, Row], ...]]()
    for at, row in enumerate(table.rows):
        if isinstance(row, Row):
            changes = [(kind, {at: changed}) for kind, changed in _changes(row, table.sided)]
            for kind, rows in (*changes, *_exchanges(table, at)):
                key = tuple((at, _plain(changed)) for at, changed in sorted(rows.items()))
                if key not in seen and not _changes_nothing(table, rows):
                    seen.add(key)
                    guard = f" ({row.guard})" if row.guard and len(rows) == 1 else ""
                    yield Mutant(machine, f"{machine}: {row.source}, {row.trigger}{guard}: {kind}", rows)


def _plain(row: Row) -> Row:
    """The row without what makes no difference to what it does."""
    destination = "=" if row.destination == row.source else row.destination
    outputs = "; ".join(_outputs(row))
    return evolve(row, destination=destination, outputs=outputs, cite="", reason="")


def _changes_nothing(table: Table, rows: Mapping[int, Row]) -> bool:
    """Whether the rows say the same as those that they replace, perhaps one in the place of the other."""
    before = {_plain(row) for at in rows if isinstance(row := table.rows[at], Row)}
    return before == set(map(_plain, rows.values()))


def _outputs(row: Row) -> list[str]:
    return [output.strip() for output in row.outputs.split(";") if output.strip()]


def _changes(row: Row, sided: Collection[str]) -> Iterator[tuple[str, Row]]:
    """The row with one change, and what that is; taken out, it is ignored."""
    outputs = _outputs(row)
    for at, output in enumerate(outputs):
        kind = "announcement left out" if output.startswith("announce") else "command dropped"
        yield f"{kind}: {output}", evolve(row, outputs="; ".join((*outputs[:at], *outputs[at + 1 :])))
    yield "row taken out", evolve(row, destination="=", outputs="")
    yield "stays", evolve(row, destination="=")
    if row.destination.removeprefix("~") in sided:
        other = row.destination[1:] if row.destination.startswith("~") else f"~{row.destination}"
        yield "moves to the other side", evolve(row, destination=other)
    for first, second in itertools.combinations(range(len(outputs)), 2):
        swapped = outputs.copy()
        swapped[first], swapped[second] = outputs[second], outputs[first]
        yield f"commands swapped: {outputs[second]}, {outputs[first]}", evolve(row, outputs="; ".join(swapped))


def _exchanges(table: Table, at: int) -> Iterator[tuple[str, Mapping[int, Row]]]:
    """Two guards are exchanged in all rows that decide, with this one, about the same states and triggers."""
    row = table.rows[at]
    if not isinstance(row, Row) or not row.guard:
        return
    together = _together(table, at)
    if at != min(together):
        return
    group = next(group.split() for group in table.guards if row.guard in group.split())
    for one, other in itertools.combinations(group, 2):
        exchanged = {one: other, other: one}
        changed = {a: evolve(r, guard=exchanged[r.guard]) for a, r in together.items() if r.guard in exchanged}
        yield f"guards exchanged: {one}, {other}", changed


def _together(table: Table, at: int) -> dict[int, Row]:
    """The guarded rows that share states and triggers with a row, or with one that does, and so on."""
    rows = {a: r for a, r in enumerate(table.rows) if isinstance(r, Row) and r.guard}
    keys = {a: {cell[:2] for cell in _decides(r, table.sided)} for a, r in rows.items()}
    found, frontier = {at}, [at]
    while frontier:
        here = keys[frontier.pop()]
        more = {a for a, decides in keys.items() if a not in found and decides & here}
        found |= more
        frontier.extend(more)
    return {a: rows[a] for a in sorted(found)}


# What they have to survive.


@frozen
class Trial:
    """An exploration that mutants have to survive. A dear one, of minutes, tries only those not explained anyhow."""

    name: str
    topology: Topology
    faults: int
    kinds: frozenset[Fault] = frozenset(Fault)
    is_dear: bool = False


@frozen
class Real:
    """What an exploration of the real tables found: what is broken there already, and what decided."""

    broken: frozenset[str]
    cells: frozenset[Cell]


@frozen
class Killing:
    """What noticed a mutant: a property, or `OWN_CHECK`, `DOCUMENTED` or `ENDLESS`; and in which trial."""

    by: str
    trial: str


def takeover(order: VipOrder, reactions: ReactionPolicy = ReactionPolicy.ONCE) -> Topology:
    """Plain IP takeover ([S2]): one pair of SIP Servers."""
    pair = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
    return Topology(HOSTS, (pair,), documented_alarms(pair.applications, HOSTS), order, reactions=reactions)


def other_wiring(order: VipOrder) -> Topology:
    """Plain IP takeover with alarm conditions of another kind, for the rows that the documented wiring leaves idle.

    The VIP is only enabled where a server becomes primary, and leaves a host whose server fails; each condition is
    cancelled by its contrary; and conditions of their own wait for applications that fail or start.
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
    """From the cheap ones to the dear ones; the documented workflows are looked at after the first three."""
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
    yield Trial("takeover, disable-first, 3 faults", takeover(disable_first), 3, is_dear=True)
    parting = frozenset({Fault.CRASH, Fault.PARTITION})
    yield Trial("voicemail, 2 crashes or partitions", voicemail_topology(), 2, parting, True)
    yield Trial("voicemail, 3 crashes", voicemail_topology(), 3, frozenset({Fault.CRASH}), True)


TRIALS = {trial.name: trial for trial in _trials()}
QUICK = 3


class Bench:
    """Where mutants are tried: a space that the real tables have been explored in.

    What a mutant does not change is known there already: before the next one is tried, only the leaves are forgotten
    that its rows decide, or that those of the one before decided.
    """

    def __init__(self, trial: Trial) -> None:
        bounds = Bounds(trial.faults, trial.kinds, is_strict=True)
        self._space = Space(trial.topology, bounds.kinds, bounds.rules)
        found = explore_space(self._space, bounds)
        if not found.is_exhausted:
            raise CoreError(f"{trial.name}: {found.reason}")
        self._bounds = evolve(bounds, bytes=8 * found.bytes + GIB // 16)
        self._cells, self._spoilt = list[frozenset[Cell]](), frozenset[Cell]()
        broken = (verdict.property.name for verdict in found.verdicts if not verdict.holds)
        self.real = Real(frozenset(broken), frozenset(itertools.chain.from_iterable(self._cells_of_leaves())))

    def judge(self, mutant: Mutant) -> str:
        """The property by which the trial kills the mutant, or `ENDLESS`; empty if it survives."""
        cells = mutant.cells()
        changed, self._spoilt = cells | self._spoilt, cells
        leaves = [at for at, decided in enumerate(self._cells_of_leaves()) if not decided or decided & changed]
        self._space.change(evolve(MACHINES, **{mutant.machine: mutant.table()}), np.array(leaves, np.int64))
        found = explore_space(self._space, self._bounds, stop_early=not self.real.broken)
        broken = (verdict.property.name for verdict in found.verdicts if not verdict.holds)
        by = next((name for name in broken if name not in self.real.broken), "")
        return by or ("" if found.is_exhausted or self.real.broken else ENDLESS)

    def _cells_of_leaves(self) -> Sequence[frozenset[Cell]]:
        """What decided each leaf; nothing, where the tables came to no decision."""
        for leaf in self._space.core.leaves[len(self._cells) :]:
            decisions = ((step.machine, step.decision) for step in leaf.steps)
            self._cells.append(frozenset((machine, d.source, d.trigger, d.guard) for machine, d in decisions))
        return self._cells


@lru_cache(maxsize=1)
def _bench(trial: str) -> Bench:
    return Bench(TRIALS[trial])


def explore_real(trial: str) -> Real:
    """What a trial finds of the real tables."""
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
    """Whether with a mutant a documented workflow or scenario is not seen any more."""
    spoilt = all_mutants()[mutant]
    machines = evolve(MACHINES, **{spoilt.machine: spoilt.table()})
    return any(unseen(topology, machines) for topology in _documented_topologies())


def documented_cells() -> frozenset[Cell]:
    """What the real tables decide in the documented workflows and scenarios."""
    found = (each for topology in _documented_topologies() for each in decided(topology))
    return frozenset((machine, d.source, d.trigger, d.guard) for machine, d in found)


def _documented_topologies() -> Iterator[Topology]:
    for order in VipOrder:
        yield takeover(order)
        yield voicemail_topology(vip_order=order)


# The score.


@define
class Report:
    """What became of every mutant, in the order of the tables. Each is in exactly one of the three."""

    killed: dict[str, Killing] = field(factory=dict[str, Killing])
    survived: list[str] = field(factory=list[str])
    equivalent: dict[str, Explained] = field(factory=dict[str, Explained])
    unreached: frozenset[str] = frozenset()
    """Those that no trial reaches: their rows never decided anything."""
    stale: tuple[str, ...] = ()
    """Patterns of explanations that fit nothing that survived."""

    @property
    def is_complete(self) -> bool:
        """Whether every mutant is killed or explained, and every explanation needed."""
        return not self.survived and not self.stale

    def as_text(self) -> str:
        """The report for people: numbers for each table and each property, then whatever was not killed."""
        lines = [*self._numbers(), "", *self._killers()]
        if self.survived:
            lines += ["", "survived:", *(f"  {name}{self._remark(name)}" for name in self.survived)]
        for explained in dict.fromkeys(self.equivalent.values()):
            names = [name for name, why in self.equivalent.items() if why is explained]
            what = "out of the model" if explained.is_outside else "equivalent"
            lines += ["", f"{what}: {explained.reason}", *(f"  {name}" for name in names)]
        lines += [f"stale explanation: {pattern}" for pattern in self.stale]
        return "\n".join(lines)

    def _numbers(self) -> Iterator[str]:
        yield f"{'table':<12} {'mutants':>8} {'killed':>8} {'explained':>10} {'survived':>9}"
        for table in (*TABLES, ""):
            counts = [sum(name.startswith(table) for name in names) for names in (self.killed, self.equivalent)]
            left = sum(name.startswith(table) for name in self.survived)
            total = sum(counts) + left
            yield f"{table or 'all':<12} {total:>8} {counts[0]:>8} {counts[1]:>10} {left:>9}"

    def _killers(self) -> Iterator[str]:
        yield "killed by:"
        for by, count in Counter(killing.by for killing in self.killed.values()).most_common():
            yield f"{count:>6}  {by}"

    def _remark(self, name: str) -> str:
        return "  (never decides)" if name in self.unreached else ""


Progress = Callable[[str], None]
"""Told, after each trial, what it came to."""


def mutants_command(jobs: int, progress: Progress = lambda _: None) -> Report:
    """Try every mutant, `jobs` at a time, and report what became of each."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        return run(pool, tuple(all_mutants()), progress)


def run(
    pool: Executor, names: Sequence[str], progress: Progress = lambda _: None, trials: Sequence[str] = tuple(TRIALS)
) -> Report:
    """Try the mutants of these names: each trial those that survived the ones before it."""
    report, reached = Report(), documented_cells()
    _note(report, names, OWN_CHECK, pool.map(refused, names, chunksize=8), progress)
    for number, trial in enumerate(trials):
        if number == QUICK:
            left = _left(report, names, documented_cells())
            _note(report, left, DOCUMENTED, pool.map(undocumented, left, chunksize=8), progress)
        real = pool.submit(explore_real, trial).result()
        reached |= real.cells
        left = _left(report, names, real.cells)
        if TRIALS[trial].is_dear:
            left = [name for name in left if not explanation(name)]
        results = pool.map(judge, left, [trial] * len(left))
        _note(report, left, trial, results, progress)
    _explain(report, names)
    report.unreached = frozenset(name for name in names if not all_mutants()[name].cells() & reached)
    return report


def _left(report: Report, names: Sequence[str], cells: frozenset[Cell]) -> list[str]:
    """Those that live, and whose rows decide something there."""
    return [name for name in names if name not in report.killed and all_mutants()[name].cells() & cells]


def _note(report: Report, names: Sequence[str], trial: str, results: Iterable[str | bool], progress: Progress) -> None:
    """Take down the killed ones: `results` tell by which property, or just that it was so."""
    before = len(report.killed)
    for name, by in zip(names, results, strict=True):
        if by:
            report.killed[name] = Killing(by if isinstance(by, str) else trial, trial)
    progress(f"{trial}: {len(names)} mutants tried, {len(report.killed) - before} killed")


def _explain(report: Report, names: Sequence[str]) -> None:
    for name in names:
        if name not in report.killed:
            explained = explanation(name)
            if explained:
                report.equivalent[name] = explained
            else:
                report.survived.append(name)
    needed = {explained.pattern for explained in report.equivalent.values()}
    report.stale = tuple(each.pattern for each in EXPLAINED if each.pattern not in needed)


def explanation(mutant: str) -> Explained | None:
    """Why a mutant of this name may survive, if that is known."""
    return next((each for each in EXPLAINED if fits(each, mutant)), None)


def fits(explained: Explained, mutant: str) -> bool:
    """Whether an explanation is about the mutant of this name."""
    return re.fullmatch(".*".join(map(re.escape, explained.pattern.split("*"))), mutant) is not None
