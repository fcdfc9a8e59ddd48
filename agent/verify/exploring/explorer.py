"""The exploration: breadth first, whole frontiers at once, to exhaustion or to a bound that is told.

Every world is numbered in the order in which it is met, and remembers from which other one it was met first: that is
the shortest way to it. All steps without a fault are kept as well: where they go round in a circle, something goes on
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

CHUNK = 1 << 17
"""So many worlds are taken a step further at once."""

GIB = 1 << 30
_BYTES_A_STEP = 28
BYTES_AT_MOST = 4 * GIB


@frozen
class Bounds:
    """How far to explore: faults, of which kinds, and memory in bytes.

    Timers of `slow_ms` or more (0: by default) wait for everything else that is under way (`space`). `is_strict`: also
    the rules of `more_properties`, which tell of what is so in between, and take their time.
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
    """What became of a property: the first `world` in which it is broken, or -1, and the worlds `then` that show it.

    That is the world after the step that breaks it, or a way in a circle, or nothing if the world itself shows it.
    """

    property: Property
    holds: bool
    world: int = -1
    then: tuple[int, ...] = ()


@define(eq=False)
class Exploration:
    """What was found. `parents` of a world is where it was met first; `steps` are the ordinary ones (from, to)."""

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
        """How much memory is used for worlds, steps and tables; for each step also what judging it will take."""
        return self.worlds.bytes + self.parents.bytes + _BYTES_A_STEP * self.ordinary_steps + self.space.bytes

    def path(self, world: int) -> list[int]:
        """The shortest way to a world, from a root."""
        path = [world]
        while path[-1] >= self.roots:
            path.append(int(self.parents.all[path[-1]]))
        return path[::-1]


Progress = Callable[[Exploration, int], None]
"""Told of an exploration under way, and of how many worlds are in its frontier."""


def _say_nothing(_found: Exploration, _frontier: int) -> None:
    pass


def explore(
    topology: Topology,
    bounds: Bounds,
    progress: Progress = _say_nothing,
    *,
    stop_early: bool = False,
    machines: Machines = MACHINES,
) -> Exploration:
    """Explore a topology's worlds from a cold start, and with all faults from where that comes to rest.

    With `stop_early` it ends as soon as a property is broken.
    """
    space = Space(topology, bounds.kinds, bounds.rules, machines, bounds.slow_ms)
    return explore_space(space, bounds, progress, stop_early=stop_early)


def explore_space(
    space: Space, bounds: Bounds, progress: Progress = _say_nothing, *, stop_early: bool = False
) -> Exploration:
    """As `explore`, in a space of which some is known already."""
    began = time.perf_counter()
    found = Exploration(space, bounds)
    explorer = _Explorer(found)
    collects = gc.isenabled()
    gc.disable()  # millions of objects that all stay, and no circles among them: looking through them takes a tenth
    try:
        explorer.run(progress, stop_early)
        found.is_exhausted = True
    except TooLargeError as error:
        found.reason = str(error)
    except _BrokenError:
        found.reason = "a property is broken"
    finally:
        if collects:
            gc.enable()
    if found.is_exhausted:
        explorer.judge_endings()
    found.verdicts = explorer.verdicts()
    found.seconds = time.perf_counter() - began
    return found


class _BrokenError(Exception):
    """Enough was seen."""


class _Explorer:
    def __init__(self, found: Exploration) -> None:
        self.found, self.space = found, found.space
        self.broken: dict[Property, tuple[int, tuple[int, ...]]] = {}
        self._endings: list[Numbers] = []

    def run(self, progress: Progress, stop_early: bool) -> None:
        found, space = self.found, self.space
        cold = self._add(np.array([space.start(0).key], np.uint64))
        self._explore(cold, progress, stop_early)
        budget = np.uint64(found.bounds.faults)
        if budget:
            at_rest = np.concatenate(self._endings)
            roots = found.worlds.keys.all[at_rest] + budget
            numbers, is_new = found.worlds.add(roots)
            found.parents.extend(at_rest[is_new].astype(np.uint32))
            self._explore(numbers, progress, stop_early)

    def _add(self, keys: Keys) -> Numbers:
        numbers, is_new = self.found.worlds.add(keys)
        self.found.parents.extend(np.zeros(int(is_new.sum()), np.uint32))
        self.found.roots = len(self.found.worlds)
        return numbers

    def _explore(self, frontier: Numbers, progress: Progress, stop_early: bool) -> None:
        found = self.found
        while len(frontier):
            first = len(found.worlds)
            for start in range(0, len(frontier), CHUNK):
                self._expand(frontier[start : start + CHUNK])
                if found.bytes > found.bounds.bytes:
                    raise TooLargeError(f"{found.bounds.bytes / GIB:.1f} GiB of memory are not enough")
            frontier = np.arange(first, len(found.worlds))
            self._look_at(frontier)
            found.depth += 1
            progress(found, len(frontier))
            if stop_early and self.broken:
                raise _BrokenError

    def _expand(self, numbers: Numbers) -> None:
        found = self.found
        steps = self.space.steps(found.worlds.keys.all[numbers])
        if found.worlds.bytes_after(len(steps.keys)) > found.bounds.bytes:
            raise TooLargeError(f"{found.bounds.bytes / GIB:.1f} GiB of memory are not enough")
        targets, is_new = found.worlds.add(steps.keys)
        sources = numbers[steps.rows]
        self._judge(steps, sources, targets)
        found.parents.extend(sources[is_new])
        found.transitions += len(targets)
        ordinary = ~steps.is_fault
        found.ordinary_steps += int(ordinary.sum())
        found.sources.append(sources[ordinary].astype(np.uint32))
        found.targets.append(targets[ordinary].astype(np.uint32))
        goes_on = np.zeros(len(numbers), np.bool_)
        goes_on[steps.rows[ordinary]] = True
        self._endings.append(numbers[~goes_on])

    # What must always be so.

    def _judge(self, steps: Steps, sources: Numbers, targets: Numbers) -> None:
        """Look at what the core did in these steps."""
        broken = self.space.broken(steps)
        if broken is not None:
            for position, rule in enumerate(self.space.rules):
                rows = np.flatnonzero(broken & np.uint64(1 << position))
                if len(rows):
                    self.broken.setdefault(rule.property, (int(sources[rows[0]]), (int(targets[rows[0]]),)))

    def _look_at(self, numbers: Numbers) -> None:
        """Look at new worlds: who holds the VIP in them."""
        agents, hosts, _, _ = unpack(self.found.worlds.keys.all[numbers])
        self._look_for_a_vip_left_behind(agents, numbers)
        in_sight = [side.holds_in_sight.all[each] for side, each in zip(self.space.sides, hosts, strict=True)]
        rows = np.flatnonzero(in_sight[0] & in_sight[1])
        if not len(rows):
            return
        core = self.space.core
        states, values = core.column("vip")
        is_settled = np.ones(len(rows), np.bool_)
        for host in core.topology.hosts:
            told, commands = core.column("told", (host, "VIP"))
            is_settled &= np.array([not each for each in commands], np.bool_)[told[agents[rows]]]
        for vip in np.unique(states[agents[rows]]):
            of_this = states[agents[rows]] == vip
            self.found.windows[values[vip]] = self.found.windows.get(values[vip], 0) + int(of_this.sum())
            wrong = rows[of_this & is_settled]
            if not knows_of_two(values[vip]) and len(wrong):
                self.broken.setdefault(TWO_HOLDERS, (int(numbers[wrong[0]]), ()))

    def _look_for_a_vip_left_behind(self, agents: Numbers, numbers: Numbers) -> None:
        core = self.space.core
        (pairs, pair_values), (vips, vip_values) = core.column("pair", 0), core.column("vip")
        is_wrong = np.array([[is_left_behind(pair.state, vip) for vip in vip_values] for pair in pair_values], np.bool_)
        wrong = np.flatnonzero(is_wrong[pairs[agents], vips[agents]])
        if len(wrong):
            self.broken.setdefault(LEFT_BEHIND, (int(numbers[wrong[0]]), ()))

    # What must come to be so.

    def judge_endings(self) -> None:
        found, space = self.found, self.space
        endings = np.sort(np.concatenate(self._endings))
        agents, hosts, arps, _ = unpack(found.worlds.keys.all[endings])
        combined = np.stack((agents, hosts[0], hosts[1], arps), 1)
        first = np.sort(np.unique(combined, axis=0, return_index=True)[1])
        is_healthy = np.ones(len(endings), np.bool_)
        for at in first.tolist():
            agent, here, there, arp = map(int, combined[at])
            values = space.sides[0].values[here], space.sides[1].values[there]
            holds = is_healed(space.core, agent, values, arp)
            for prop, is_so in zip(HEALED, holds, strict=True):
                if not is_so:
                    self.broken.setdefault(prop, (int(endings[at]), ()))
            if not all(holds):
                is_healthy[(combined == (agent, here, there, arp)).all(axis=1)] = False
        sources = np.concatenate(found.sources)
        targets = np.concatenate(found.targets)
        self._judge_circles(sources, targets)
        self._judge_ways(sources, targets, endings[is_healthy])

    def _judge_circles(self, sources: NDArray[np.uint32], targets: NDArray[np.uint32]) -> None:
        """Take away, again and again, the worlds that no ordinary step leads to: what is left goes in circles."""
        size = len(self.found.worlds)
        order = np.argsort(sources, kind="stable")
        targets_of = targets[order]
        first = np.searchsorted(sources[order], np.arange(size + 1))
        incoming = np.bincount(targets, minlength=size)
        frontier = np.flatnonzero(incoming == 0)
        taken = len(frontier)
        while len(frontier):
            counts = first[frontier + 1] - first[frontier]
            offsets = np.cumsum(counts) - counts
            reached = targets_of[np.repeat(first[frontier] - offsets, counts) + np.arange(int(counts.sum()))]
            if len(reached) < size >> 6:
                where, times = np.unique(reached, return_counts=True)
                incoming[where] -= times
                frontier = where[incoming[where] == 0]
            else:
                incoming -= np.bincount(reached, minlength=size)
                candidates = np.unique(reached)
                frontier = candidates[incoming[candidates] == 0]
            taken += len(frontier)
        if taken < size:
            self.broken[AT_REST] = self._circle(np.flatnonzero(incoming > 0), targets_of, first)

    @staticmethod
    def _circle(left: Numbers, targets: NDArray[np.uint32], first: Numbers) -> tuple[int, tuple[int, ...]]:
        """A circle among the worlds that are left: every one of them has another that leads to it."""
        before: dict[int, int] = {}
        for world in left.tolist():
            before |= dict.fromkeys(targets[first[world] : first[world + 1]].tolist(), world)
        world, seen = int(left[0]), list[int]()
        while world not in seen:
            seen.append(world)
            world = before[world]
        circle = seen[seen.index(world) :][::-1]
        return circle[0], (*circle[1:], circle[0])

    def _judge_ways(self, sources: NDArray[np.uint32], targets: NDArray[np.uint32], healthy: Numbers) -> None:
        """Go back from the healthy worlds: every world must be on some way to one."""
        reaches = np.zeros(len(self.found.worlds), np.bool_)
        reaches[healthy] = True
        if AT_REST not in self.broken and not any(prop in self.broken for prop in HEALED):
            return  # every way ends, and every end is healthy
        while True:
            more = sources[reaches[targets] & ~reaches[sources]]
            if not len(more):
                break
            reaches[more] = True
        if not reaches.all():
            self.broken[REACHABLE] = int(np.flatnonzero(~reaches)[0]), ()

    def verdicts(self) -> list[Verdict]:
        always = [*(rule.property for rule in self.space.rules), LEFT_BEHIND, TWO_HOLDERS]
        ends = [*HEALED, AT_REST, REACHABLE] if self.found.is_exhausted else []
        return [Verdict(prop, prop not in self.broken, *self.broken.get(prop, (-1, ()))) for prop in (*always, *ends)]
