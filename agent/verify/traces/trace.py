"""Traces: how a property comes to be broken, step by step.

A trace holds all that is needed to play it again through the very core that runs (`plain.replay`), and what was told,
decided and commanded on the way, so that it can be read without playing it. It begins with a cold start. Where that
comes to rest in the healthy state, as it should, it is told in one line: the story begins with the first fault.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, frozen

from ....fsm import CoreError, Event, HostCommand, SolutionState, Topology
from ....fsm.commands import Command
from ....fsm.handling import MACHINES, Handling, Machines, Step
from ....fsm.machines.alarm import ALARM
from ....fsm.records import describe_command, describe_event
from ..arrays.keys import world_of
from ..exploring.explorer import Exploration, Verdict
from ..model.core import Leaf
from ..model.host import Fault, Host, HostModel, Move
from ..model.watched import Result
from ..properties.always import Property, is_healed

AGENT, OUTSIDE = "agent", "outside"
"""Who makes a step that no host makes: the agent itself (its timers, its crash), or the world outside, an operator."""

COLD_START = "everything runs in backup mode, nobody has the VIP, and the agent has just been started"


class TraceError(Exception):
    """A trace cannot be made, read or played; the text says in one line what is wrong, and where."""


@frozen
class ToldDecision:
    """A row that fired: its machine, whose it is, from where to where, why, and the source of that."""

    machine: str
    subject: str
    source: str
    destination: str
    reason: str
    cite: str

    def __str__(self) -> str:
        return f"{self.subject} {self.source} -> {self.destination}: {self.reason} ({self.cite})"


@frozen
class ToldCommand:
    """What the core gave out, and to which host; empty: it concerns no host (a log message, an alarm, a timer)."""

    text: str
    host: str


@frozen
class TraceStep:
    """What happens, who makes it happen (a host by its name, `AGENT`, `OUTSIDE`), and what the core makes of it."""

    text: str
    by: str
    is_fault: bool
    announces: bool = False
    told: tuple[str, ...] = ()
    decisions: tuple[ToldDecision, ...] = ()
    commands: tuple[ToldCommand, ...] = ()
    error: str = ""


@frozen
class Trace:
    """How `broken` comes to be broken: the cold start (`opening`), then, with a budget of faults, the `steps`.

    `kinds` are the faults that may happen; timers of `slow_ms` wait for everything else (`space`). `start` says where
    the opening ends if that is the healthy state at rest. `ending` is the world at the end, as `digest` describes it.
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


def told_step(
    happening: TraceStep,
    events: Iterable[Event],
    pending: tuple[HostCommand, ...],
    steps: Iterable[Step],
    commands: Iterable[Command],
    error: str = "",
) -> TraceStep:
    """What happens, with what the core was told of it, decided and gave out; `pending` was under way before."""
    decisions = (
        ToldDecision(step.machine, step.subject, found.source, found.destination, found.reason, found.cite)
        for step in steps
        if (found := step.decision).destination is not None
    )
    return evolve(
        happening,
        told=tuple(describe_event(event, pending) for event in events),
        decisions=tuple(decisions),
        commands=tuple(ToldCommand(describe_command(each), getattr(each, "host", "")) for each in commands),
        error=error,
    )


# The world in words.


def digest(
    topology: Topology, state: SolutionState, timers: Iterable[str], hosts: tuple[Host, Host], arp: int
) -> dict[str, str]:
    """All that is so in a world, by what it concerns. Two worlds with the same digest go on alike."""
    names = topology.hosts
    said = {f"link to {name}": link for name, link in zip(names, state.links, strict=True)}
    for pair, found in zip(topology.pairs, state.pairs, strict=True):
        modes = zip(pair.applications, found.modes, strict=True)
        said[pair.name] = f"{found.state}; known: {', '.join(f'{name} {mode}' for name, mode in modes)}"
    said["applications"] = _listed(zip(topology.applications, state.applications, strict=True))
    alarms = zip(topology.alarms, state.alarms, strict=True)
    said["alarms"] = _listed((alarm.name, found) for alarm, found in alarms if found != ALARM.initial)
    held = {True: "held", False: "free", None: "unknown"}
    said["VIP"] = f"{state.vip}; known: {_listed((n, held[h]) for n, h in zip(names, state.vip_held, strict=True))}"
    said["placement"] = f"{state.placement}; view: {state.view or 'none'}"
    under_way = sorted(state.pending, key=lambda each: (each.host, getattr(each, "application", "")))
    said["under way"] = ", ".join(map(describe_command, under_way)) or "nothing"
    said["timers"] = ", ".join(timers) or "none"
    for side, (name, host) in enumerate(zip(names, hosts, strict=True)):
        applications = (pair.applications[side] for pair in topology.components)
        modes = _listed(zip(applications, host.modes, strict=True))
        lanes = f"received: {_queued(host.lanes)}; sent: {_queued(host.wire)}"
        said[name] = f"network {host.net}, connection {host.link}, VIP {host.vip}; {modes}; {lanes}"
    said["clients"] = f"send to {names[arp - 1]}" if arp else "have not heard of the VIP"
    return said


def _listed(found: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{name} {what}" for name, what in found) or "none"


def _queued(lanes: Iterable[Iterable[HostCommand]]) -> str:
    return ", ".join(describe_command(command) for lane in lanes for command in lane) or "nothing"


# From what was explored to a trace.


def trace_of(found: Exploration, verdict: Verdict, machines: Machines = MACHINES) -> Trace:
    """The shortest way to where a property is broken; `machines` are the tables that were explored.

    `TraceError` if the property holds.
    """
    if verdict.world < 0:
        raise TraceError(f"{verdict.property.name!r} holds: there is nothing to tell")
    numbers = [*found.path(verdict.world), *verdict.then]
    keys = [int(found.worlds.keys.all[number]) for number in numbers]
    budgets = [world_of(key).budget for key in keys]
    rest = next((at for at in range(len(keys) - 1) if budgets[at + 1] > budgets[at]), -1)
    teller = _Teller(found, verdict, machines)
    return Trace(
        broken=verdict.property,
        topology=found.space.topology,
        kinds=tuple(sorted(found.bounds.kinds)),
        budget=budgets[rest + 1] if rest >= 0 else 0,
        slow_ms=found.bounds.slow_ms,
        start=teller.healthy(keys[rest]) if rest >= 0 else "",
        opening=tuple(teller.steps(keys[: rest + 1])),
        steps=tuple(teller.steps(keys[rest + 1 :])),
        ending=teller.digest(keys[-1]),
    )


class _Teller:
    """Tells the steps between worlds that were explored."""

    def __init__(self, found: Exploration, verdict: Verdict, machines: Machines) -> None:
        self._space, self._topology, self._machines = found.space, found.space.topology, machines
        self._models = tuple(HostModel(self._topology, side, found.space.faults) for side in (1, 2))
        self._rule = next((rule for rule in found.space.rules if rule.property == verdict.property), None)

    def _hosts(self, key: int) -> tuple[Host, Host]:
        numbers, sides = world_of(key).hosts, self._space.sides
        return sides[0].values[numbers[0]], sides[1].values[numbers[1]]

    def healthy(self, key: int) -> str:
        """The healthy state at rest in a sentence; empty if this world is not that."""
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
            if at == len(keys) - 2:  # several steps may lead there; the one that is to be told breaks the rule
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
        happening = TraceStep(text, by, is_fault, move is not None and move.announces)
        return self._told(happening, self._space.core.state_of(world.agent), leaf) if leaf else happening

    def _move(self, hosts: tuple[Host, Host], text: str, is_fault: bool) -> tuple[str, Move | None]:
        """The host's move that has this text, if it is one."""
        for model, host in zip(self._models, hosts, strict=True):
            for move in model.moves(host):
                if (move.text, move.fault) == (text, is_fault):
                    return model.name, move
        return "", None

    def _told(self, happening: TraceStep, state: SolutionState, leaf: Leaf) -> TraceStep:
        """The core is run again for what a leaf does not keep: log messages, alarms, reactions."""
        events: list[Event] = []
        steps: list[Step] = []
        commands: list[Command] = []
        pending = state.pending
        for said in leaf.told:
            events.append(said.as_event(state) if isinstance(said, Result) else said)
            handling = Handling(self._topology, state, self._machines)
            try:
                handling.take(events[-1])
            except CoreError as error:
                return told_step(happening, events, pending, steps, commands, str(error))
            state, steps, commands = handling.state, [*steps, *handling.steps], [*commands, *handling.commands]
        if tuple(steps) != leaf.steps:
            raise TraceError("other tables were explored than those that run: give them to trace_of")
        return told_step(happening, events, pending, steps, commands)
