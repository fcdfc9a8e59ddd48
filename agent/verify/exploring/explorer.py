"""The exploration of the state space: breadth first, a whole frontier at a time, to exhaustion or to a given bound.

Worlds are numbered in the order in which they are met, and each remembers from which other one it was met first: this
gives the shortest path to it. All steps without a fault are kept as well: a cycle of them means that something goes on
for ever without a fault, and where they end, the world must be healed.
"""

import gc
import time
from collections.abc import Callable

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from ....fsm import Topology
from ....fsm.handling import MACHINES, Machines
from ..arrays.keys import unpack
from ..arrays.sets import Column, Keys, KeySet, Numbers, TooLargeError
from ..model.host import DEFAULT_FAULTS, Fault
from ..properties.always import (
    AT_REST,
    HEALED,
    LEFT_BEHIND,
    REACHABLE,
    STEP_RULES,
    TWO_HOLDERS,
    Property,
    StepRule,
    is_healed,
    is_left_behind,
    knows_of_two,
)
from ..properties.strict import MORE_STEP_RULES
from .space import Space, Steps
from .step_graph import StepGraph

CHUNK = 1 << 17
"""The number of worlds that are expanded at once."""

GIB = 1 << 30
_BYTES_A_STEP = 28
BYTES_AT_MOST = 4 * GIB


@frozen
class Bounds:
    """The bounds of an exploration: the fault budget, the kinds of faults, and the memory in bytes.

    Timers of `slow_ms` or more (0: twice the longest of settle, retry and drain) fire only when nothing else is under
    way (`space`). `is_strict`: also judge the rules of `strict`, which say what must hold between the faults and the
    repairs; this takes longer.
    """

    faults: int = 1
    kinds: frozenset[Fault] = DEFAULT_FAULTS
    bytes: int = BYTES_AT_MOST
    slow_ms: int = 0
    is_strict: bool = False

    @property
    def rules(self) -> tuple[StepRule, ...]:
        """The rules for steps of the core."""
        return (*STEP_RULES, *MORE_STEP_RULES) if self.is_strict else STEP_RULES


@frozen
class Verdict:
    """The verdict on a property: the first `world` in which it is broken (-1: none), and the worlds that follow.

    `then` is the world after the step that breaks the property, or the rest of a cycle; empty if `world` itself shows
    the violation.
    """

    property: Property
    holds: bool
    world: int = -1
    then: tuple[int, ...] = ()


@define(eq=False)
class Exploration:
    """The result of an exploration.

    `parents`: for each world, the one from which it was met first. `sources` and `targets`: the steps without a fault.
    `windows`: for each state of the Virtual IP's machine, in how many worlds two hosts in sight held the VIP.
    """

    space: Space
    bounds: Bounds
    worlds: KeySet = field(factory=KeySet)
    parents: Column = field(factory=lambda: Column(np.uint32))
    sources: list[NDArray[np.uint32]] = field(factory=list[NDArray[np.uint32]])
    targets: list[NDArray[np.uint32]] = field(factory=list[NDArray[np.uint32]])
    ordinary_steps: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    is_exhausted: bool = False
    reason: str = ""
    verdicts: list[Verdict] = field(factory=list[Verdict])
    windows: dict[str, int] = field(factory=dict[str, int])
    roots: int = 0

    @property
    def bytes(self) -> int:
        """The memory used for worlds, steps and tables, in bytes, including what the final judgement will need."""
        return self.worlds.bytes + self.parents.bytes + _BYTES_A_STEP * self.ordinary_steps + self.space.bytes

    def path(self, world: int) -> list[int]:
        """The shortest path from a root to a world."""
        path = [world]
        while path[-1] >= self.roots:
            path.append(int(self.parents.all[path[-1]]))
        return path[::-1]


Progress = Callable[[Exploration, int], None]
"""Called after each level with the exploration so far and the number of worlds in its frontier."""


def _no_progress(_exploration: Exploration, _frontier: int) -> None:
    pass


def explore(
    topology: Topology,
    bounds: Bounds,
    progress: Progress = _no_progress,
    *,
    stop_early: bool = False,
    machines: Machines = MACHINES,
) -> Exploration:
    """Explore a topology's worlds: a cold start without faults, then all faults from where it comes to rest.

    With `stop_early` the exploration ends as soon as a property is broken.
    """
    space = Space(topology, bounds.kinds, bounds.rules, machines, bounds.slow_ms)
    return explore_space(space, bounds, progress, stop_early=stop_early)


def explore_space(
    space: Space, bounds: Bounds, progress: Progress = _no_progress, *, stop_early: bool = False
) -> Exploration:
    """As `explore`, in a given space, whose tables may be filled in part."""
    began = time.perf_counter()
    exploration = Exploration(space, bounds)
    explorer = _Explorer(exploration)
    collects = gc.isenabled()
    gc.disable()  # millions of objects, all kept and without cycles: scanning them costs a tenth of the time
    try:
        explorer.run(progress, stop_early)
        exploration.is_exhausted = True
    except TooLargeError as error:
        exploration.reason = str(error)
    except _BrokenError:
        exploration.reason = "a property is broken"
    finally:
        if collects:
            gc.enable()
    if exploration.is_exhausted:
        explorer.judge_endings()
    exploration.verdicts = explorer.verdicts()
    exploration.seconds = time.perf_counter() - began
    return exploration


class _BrokenError(Exception):
    """A property is broken, and the exploration was asked to stop early."""


class _Explorer:
    def __init__(self, exploration: Exploration) -> None:
        self.exploration, self.space = exploration, exploration.space
        self.broken: dict[Property, tuple[int, tuple[int, ...]]] = {}
        self._endings: list[Numbers] = []

    def run(self, progress: Progress, stop_early: bool) -> None:
        exploration, space = self.exploration, self.space
        cold = self._add(np.array([space.start(0).key], np.uint64))
        self._explore(cold, progress, stop_early)
        budget = np.uint64(exploration.bounds.faults)
        if budget:
            at_rest = np.concatenate(self._endings)
            roots = exploration.worlds.keys.all[at_rest] + budget
            numbers, is_new = exploration.worlds.add(roots)
            exploration.parents.extend(at_rest[is_new].astype(np.uint32))
            self._explore(numbers, progress, stop_early)

    def _add(self, keys: Keys) -> Numbers:
        numbers, is_new = self.exploration.worlds.add(keys)
        self.exploration.parents.extend(np.zeros(int(is_new.sum()), np.uint32))
        self.exploration.roots = len(self.exploration.worlds)
        return numbers

    def _explore(self, frontier: Numbers, progress: Progress, stop_early: bool) -> None:
        exploration = self.exploration
        while len(frontier):
            first = len(exploration.worlds)
            for start in range(0, len(frontier), CHUNK):
                self._expand(frontier[start : start + CHUNK])
                if exploration.bytes > exploration.bounds.bytes:
                    raise TooLargeError(f"{exploration.bounds.bytes / GIB:.1f} GiB of memory are not enough")
            frontier = np.arange(first, len(exploration.worlds))
            self._judge_worlds(frontier)
            exploration.depth += 1
            progress(exploration, len(frontier))
            if stop_early and self.broken:
                raise _BrokenError

    def _expand(self, numbers: Numbers) -> None:
        exploration = self.exploration
        steps = self.space.steps(exploration.worlds.keys.all[numbers])
        if exploration.worlds.bytes_after(len(steps.keys)) > exploration.bounds.bytes:
            raise TooLargeError(f"{exploration.bounds.bytes / GIB:.1f} GiB of memory are not enough")
        targets, is_new = exploration.worlds.add(steps.keys)
        sources = numbers[steps.rows]
        self._judge(steps, sources, targets)
        exploration.parents.extend(sources[is_new])
        exploration.transitions += len(targets)
        ordinary = ~steps.is_fault
        exploration.ordinary_steps += int(ordinary.sum())
        exploration.sources.append(sources[ordinary].astype(np.uint32))
        exploration.targets.append(targets[ordinary].astype(np.uint32))
        goes_on = np.zeros(len(numbers), np.bool_)
        goes_on[steps.rows[ordinary]] = True
        self._endings.append(numbers[~goes_on])

    # What must always hold.

    def _judge(self, steps: Steps, sources: Numbers, targets: Numbers) -> None:
        """Judge what the core did in these steps."""
        broken = self.space.broken(steps)
        if broken is not None:
            for position, rule in enumerate(self.space.rules):
                rows = np.flatnonzero(broken & np.uint64(1 << position))
                if len(rows):
                    self.broken.setdefault(rule.property, (int(sources[rows[0]]), (int(targets[rows[0]]),)))

    def _judge_worlds(self, numbers: Numbers) -> None:
        """Judge new worlds: which hosts hold the VIP in them."""
        agents, hosts, _, _ = unpack(self.exploration.worlds.keys.all[numbers])
        self._judge_vip_left_behind(agents, numbers)
        in_sight = [side.holds_in_sight.all[each] for side, each in zip(self.space.sides, hosts, strict=True)]
        rows = np.flatnonzero(in_sight[0] & in_sight[1])
        if not len(rows):
            return
        core = self.space.core
        states, values = core.column("vip")
        is_settled = np.ones(len(rows), np.bool_)
        for host in core.topology.hosts:
            pending, commands = core.column("pending", (host, "VIP"))
            is_settled &= np.array([not each for each in commands], np.bool_)[pending[agents[rows]]]
        for vip in np.unique(states[agents[rows]]):
            of_this = states[agents[rows]] == vip
            self.exploration.windows[values[vip]] = self.exploration.windows.get(values[vip], 0) + int(of_this.sum())
            wrong = rows[of_this & is_settled]
            if not knows_of_two(values[vip]) and len(wrong):
                self.broken.setdefault(TWO_HOLDERS, (int(numbers[wrong[0]]), ()))

    def _judge_vip_left_behind(self, agents: Numbers, numbers: Numbers) -> None:
        core = self.space.core
        (pairs, pair_values), (vips, vip_values) = core.column("pair", 0), core.column("vip")
        is_wrong = np.array([[is_left_behind(pair.state, vip) for vip in vip_values] for pair in pair_values], np.bool_)
        wrong = np.flatnonzero(is_wrong[pairs[agents], vips[agents]])
        if len(wrong):
            self.broken.setdefault(LEFT_BEHIND, (int(numbers[wrong[0]]), ()))

    # What must hold eventually.

    def judge_endings(self) -> None:
        exploration, space = self.exploration, self.space
        endings = np.sort(np.concatenate(self._endings))
        agents, hosts, arps, _ = unpack(exploration.worlds.keys.all[endings])
        combined = np.stack((agents, hosts[0], hosts[1], arps), 1)
        first = np.sort(np.unique(combined, axis=0, return_index=True)[1])
        is_healthy = np.ones(len(endings), np.bool_)
        for at in first.tolist():
            agent, here, there, arp = map(int, combined[at])
            values = space.sides[0].values[here], space.sides[1].values[there]
            holds = is_healed(space.core, agent, values, arp)
            for prop, is_met in zip(HEALED, holds, strict=True):
                if not is_met:
                    self.broken.setdefault(prop, (int(endings[at]), ()))
            if not all(holds):
                is_healthy[(combined == (agent, here, there, arp)).all(axis=1)] = False
        steps = StepGraph(len(exploration.worlds), exploration.sources, exploration.targets)
        if cycle := steps.cycle():
            self.broken[AT_REST] = cycle[0], (*cycle[1:], cycle[0])
        if AT_REST not in self.broken and not any(prop in self.broken for prop in HEALED):
            return  # every path ends, and every end is healthy
        stranded = steps.without_a_path_to(endings[is_healthy])
        if len(stranded):
            self.broken[REACHABLE] = int(stranded[0]), ()

    def verdicts(self) -> list[Verdict]:
        always = [*(rule.property for rule in self.space.rules), LEFT_BEHIND, TWO_HOLDERS]
        ends = [*HEALED, AT_REST, REACHABLE] if self.exploration.is_exhausted else []
        return [Verdict(prop, prop not in self.broken, *self.broken.get(prop, (-1, ()))) for prop in (*always, *ends)]
