"""Traces: the steps that lead to a broken property.

A trace contains everything needed to replay it through the real core (`replay`), and the events, decisions and
commands on the way, so it can be read without a replay. It begins with a cold start. If that comes to rest in the
healthy state, as it should, the text sums it up in one line and begins with the first fault.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, frozen

from ....fsm import CoreError, Event, HostCommand, SolutionState, Topology
from ....fsm.commands import Command
from ....fsm.handling import MACHINES, Machines, Step, handle_event
from ....fsm.machines.alarm import ALARM
from ....fsm.records import describe_command, describe_event
from ..arrays.keys import world_of
from ..exploring.explorer import Exploration, Verdict
from ..model.core import Leaf
from ..model.host import Fault, Host, HostModel, Move
from ..model.watched import Result
from ..properties.always import Property, is_healed

AGENT, OUTSIDE = "agent", "outside"
"""Who makes a step that no host makes: the agent itself (its timers, its crash), or the outside world (an operator)."""

COLD_START = "everything runs in backup mode, nobody has the VIP, and the agent has just been started"


class TraceError(Exception):
    """A trace cannot be made, read or replayed. The message says in one line what is wrong and where."""


@frozen
class TraceDecision:
    """A row that fired: its machine, its subject, the states before and after, the reason, and the cited source."""

    machine: str
    subject: str
    source: str
    destination: str
    reason: str
    cite: str

    def __str__(self) -> str:
        return f"{self.subject} {self.source} -> {self.destination}: {self.reason} ({self.cite})"


@frozen
class TraceCommand:
    """An output of the core, and the host it goes to; `host` is empty for a log message, an alarm, or a timer."""

    text: str
    host: str


@frozen
class TraceStep:
    """A step: its text, who makes it (a host by its name, `AGENT`, `OUTSIDE`), and how the core responds.

    `events`: those that the core handles. `announces`: the clients hear an announcement of the VIP. `error`: the
    core's message if it refused an event.
    """

    text: str
    by: str
    is_fault: bool
    announces: bool = False
    events: tuple[str, ...] = ()
    decisions: tuple[TraceDecision, ...] = ()
    commands: tuple[TraceCommand, ...] = ()
    error: str = ""


@frozen
class Trace:
    """The steps that break the property `broken`: a cold start (`opening`), then `steps` with a budget of faults.

    `kinds` are the faults that may happen; timers of `slow_ms` or more wait for everything else (`space`). `start`
    describes the end of the opening if that is the healthy state at rest, and is empty otherwise. `ending` is the world
    at the end, as described by `digest`.
    """

    broken: Property
    topology: Topology
    kinds: tuple[Fault, ...]
    budget: int
    slow_ms: int
    start: str
    opening: tuple[TraceStep, ...]
    steps: tuple[TraceStep, ...]
    ending: Mapping[str, str]


def trace_step(
    cause: TraceStep,
    events: Iterable[Event],
    pending: tuple[HostCommand, ...],
    steps: Iterable[Step],
    commands: Iterable[Command],
    error: str = "",
) -> TraceStep:
    """A step with the core's events, decisions and commands added; `pending` are the commands pending before it."""
    decisions = (
        TraceDecision(step.machine, step.subject, row.source, row.destination, row.reason, row.cite)
        for step in steps
        if (row := step.decision).destination is not None
    )
    return evolve(
        cause,
        events=tuple(describe_event(event, pending) for event in events),
        decisions=tuple(decisions),
        commands=tuple(TraceCommand(describe_command(each), getattr(each, "host", "")) for each in commands),
        error=error,
    )


# The world in words.


def digest(
    topology: Topology, state: SolutionState, timers: Iterable[str], hosts: tuple[Host, Host], arp: int
) -> dict[str, str]:
    """A world in words, by subject. Worlds with equal digests behave alike from there on."""
    names = topology.hosts
    texts = {f"link to {name}": link for name, link in zip(names, state.links, strict=True)}
    for pair, current in zip(topology.pairs, state.pairs, strict=True):
        modes = zip(pair.applications, current.modes, strict=True)
        texts[pair.name] = f"{current.state}; known: {', '.join(f'{name} {mode}' for name, mode in modes)}"
    texts["applications"] = _listed(zip(topology.applications, state.applications, strict=True))
    alarms = zip(topology.alarms, state.alarms, strict=True)
    texts["alarms"] = _listed((alarm.name, condition) for alarm, condition in alarms if condition != ALARM.initial)
    held = {True: "held", False: "free", None: "unknown"}
    texts["VIP"] = f"{state.vip}; known: {_listed((n, held[h]) for n, h in zip(names, state.vip_held, strict=True))}"
    texts["placement"] = f"{state.placement}; view: {state.view or 'none'}"
    under_way = sorted(state.pending, key=lambda each: (each.host, getattr(each, "application", "")))
    texts["under way"] = ", ".join(map(describe_command, under_way)) or "nothing"
    texts["timers"] = ", ".join(timers) or "none"
    for side, (name, host) in enumerate(zip(names, hosts, strict=True)):
        applications = (pair.applications[side] for pair in topology.components)
        modes = _listed(zip(applications, host.modes, strict=True))
        lanes = f"received: {_queued(host.lanes)}; sent: {_queued(host.wire)}"
        texts[name] = f"network {host.net}, connection {host.link}, VIP {host.vip}; {modes}; {lanes}"
    texts["clients"] = f"send to {names[arp - 1]}" if arp else "have not heard of the VIP"
    return texts


def _listed(items: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in items) or "none"


def _queued(lanes: Iterable[Iterable[HostCommand]]) -> str:
    return ", ".join(describe_command(command) for lane in lanes for command in lane) or "nothing"


# From an exploration to a trace.


def trace_of(exploration: Exploration, verdict: Verdict, machines: Machines = MACHINES) -> Trace:
    """The trace of the shortest path to a violation of a property; `machines` are the tables that were explored.

    Raises `TraceError` if the property holds.
    """
    if verdict.world < 0:
        raise TraceError(f"{verdict.property.name!r} holds: there is no trace of a violation")
    numbers = [*exploration.path(verdict.world), *verdict.then]
    keys = [int(exploration.worlds.keys.all[number]) for number in numbers]
    budgets = [world_of(key).budget for key in keys]
    rest = next((at for at in range(len(keys) - 1) if budgets[at + 1] > budgets[at]), -1)
    builder = _TraceBuilder(exploration, verdict, machines)
    return Trace(
        broken=verdict.property,
        topology=exploration.space.topology,
        kinds=tuple(sorted(exploration.bounds.kinds)),
        budget=budgets[rest + 1] if rest >= 0 else 0,
        slow_ms=exploration.bounds.slow_ms,
        start=builder.healthy(keys[rest]) if rest >= 0 else "",
        opening=tuple(builder.steps(keys[: rest + 1])),
        steps=tuple(builder.steps(keys[rest + 1 :])),
        ending=builder.digest(keys[-1]),
    )


class _TraceBuilder:
    """Describes the steps between explored worlds."""

    def __init__(self, exploration: Exploration, verdict: Verdict, machines: Machines) -> None:
        space = exploration.space
        self._space, self._topology, self._machines = space, space.topology, machines
        self._models = tuple(HostModel(self._topology, side, space.faults) for side in (1, 2))
        self._rule = next((rule for rule in space.rules if rule.property == verdict.property), None)

    def _hosts(self, key: int) -> tuple[Host, Host]:
        numbers, sides = world_of(key).hosts, self._space.sides
        return sides[0].values[numbers[0]], sides[1].values[numbers[1]]

    def healthy(self, key: int) -> str:
        """A sentence about the healthy state at rest; empty if this world is not in it."""
        world = world_of(key)
        if not all(is_healed(self._space.core, world.agent, self._hosts(key), world.arp)):
            return ""
        host = self._topology.hosts[world.arp - 1]
        return f"{host} is primary and holds the VIP; nothing is under way"

    def digest(self, key: int) -> dict[str, str]:
        """A world in words."""
        world, core = world_of(key), self._space.core
        state = core.state_of(world.agent)
        return digest(self._topology, state, core.timers(world.agent), self._hosts(key), world.arp)

    def steps(self, keys: list[int]) -> Iterator[TraceStep]:
        """The steps from each world to the next."""
        for at, (before, after) in enumerate(itertools.pairwise(keys)):
            ways = [(text, leaf) for text, leaf, to in self._space.steps_from(before) if to == after]
            if at == len(keys) - 2:  # several steps may lead there; show one that breaks the rule
                ways.sort(key=lambda way: not self._breaks(before, after, way[1]))
            yield self._step(before, after, *ways[0])

    def _breaks(self, before: int, after: int, leaf: Leaf | None) -> bool:
        if self._rule is None or leaf is None or not self._rule.concerns(leaf):
            return False
        agents = world_of(before).agent, world_of(after).agent
        return self._rule.is_broken(self._space.core, *agents, leaf)

    def _step(self, before: int, after: int, text: str, leaf: Leaf | None) -> TraceStep:
        world = world_of(before)
        is_fault = world_of(after).budget < world.budget
        name, move = self._move(self._hosts(before), text, is_fault)
        by = name or (OUTSIDE if leaf and is_fault else AGENT)
        cause = TraceStep(text, by, is_fault, move is not None and move.announces)
        return self._handled(cause, self._space.core.state_of(world.agent), leaf) if leaf else cause

    def _move(self, hosts: tuple[Host, Host], text: str, is_fault: bool) -> tuple[str, Move | None]:
        """The host and its move with this text, if the step is a move of a host."""
        for model, host in zip(self._models, hosts, strict=True):
            for move in model.moves(host):
                if (move.text, move.fault) == (text, is_fault):
                    return model.name, move
        return "", None

    def _handled(self, cause: TraceStep, state: SolutionState, leaf: Leaf) -> TraceStep:
        """The step with the core's response. The core runs again: a leaf does not keep the order of all commands."""
        events: list[Event] = []
        steps: list[Step] = []
        commands: list[Command] = []
        pending = state.pending
        for item in leaf.occurrence:
            events.append(item.as_event(state) if isinstance(item, Result) else item)
            try:
                work = handle_event(self._topology, state, events[-1], self._machines)
            except CoreError as error:
                return trace_step(cause, events, pending, steps, commands, str(error))
            state, steps, commands = work.state, [*steps, *work.steps], [*commands, *work.commands]
        if tuple(steps) != leaf.steps:
            raise TraceError("the exploration used other tables than those given: pass its tables to trace_of")
        return trace_step(cause, events, pending, steps, commands)
