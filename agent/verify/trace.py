"""Traces: how a property comes to be broken, step by step, as data, as text, and as a sequence diagram.

A trace holds all that is needed to play it again through the very core that runs (`plain.replay`), and what was told,
decided and commanded on the way, so that it can be read without playing it. It begins with a cold start. Where that
comes to rest in the healthy state, as it should, it is told in one line: the story begins with the first fault.
"""

import enum
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from cattrs import BaseValidationError, Converter, transform_error

from ...fsm import LINK, PAIR, PLACEMENT, VIP, CoreError, Event, HostCommand, SolutionState, Topology
from ...fsm.alarm import ALARM
from ...fsm.commands import Command
from ...fsm.handling import MACHINES, Handling, Machines, Step
from ...fsm.records import describe_command, describe_event
from .core import Leaf
from .explorer import Exploration, Verdict
from .host import Fault, Host, HostModel, Move
from .properties import Property, is_healed
from .watched import Result

AGENT, OUTSIDE = "agent", "outside"
"""Who makes a step that no host makes: the agent itself (its timers, its crash), or the world outside, an operator."""

COLD_START = "everything runs in backup mode, nobody has the VIP, and the agent has just been started"

_DECISIVE = (LINK.name, PAIR.name, PLACEMENT.name, VIP.name)


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
    budgets = [found.space.world(key).budget for key in keys]
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
        numbers, sides = self._space.world(key).hosts, self._space.sides
        return sides[0].values[numbers[0]], sides[1].values[numbers[1]]

    def healthy(self, key: int) -> str:
        """The healthy state at rest in a sentence; empty if this world is not that."""
        world = self._space.world(key)
        if not all(is_healed(self._space.core, world.agent, self._hosts(key), world.arp)):
            return ""
        host = self._topology.hosts[world.arp - 1]
        return f"{host} is primary and holds the VIP; nothing is under way"

    def digest(self, key: int) -> dict[str, str]:
        """A world in words."""
        world, core = self._space.world(key), self._space.core
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
        agents = self._space.world(before).agent, self._space.world(after).agent
        return self._rule.is_broken(self._space.core, *agents, leaf)

    def _step(self, before: int, after: int, text: str, leaf: Leaf | None) -> TraceStep:
        world = self._space.world(before)
        is_fault = self._space.world(after).budget < world.budget
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


# As text.


def as_text(trace: Trace) -> str:
    """The trace for people: what is broken, where it starts, the numbered steps, and the world at the end."""
    return "\n".join(_lines(trace)) + "\n"


def _lines(trace: Trace) -> Iterator[str]:
    yield f"broken: {trace.broken.name} ({trace.broken.kind}): {trace.broken.text}"
    topology = trace.topology
    for pair in topology.components:
        where = zip(pair.applications, topology.hosts, strict=True)
        yield f"{pair.name}: {', '.join(f'{application} on {host}' for application, host in where)}"
    yield f"VIP order {topology.vip_order}, reactions {topology.reactions}; faults allowed: {trace.budget or 'none'}"
    yield f"at the start {trace.start or COLD_START}"
    told = trace.steps if trace.start else (*trace.opening, *trace.steps)
    for number, step in enumerate(told, start=1):
        yield ""
        yield from _told_lines(number, step)
    yield ""
    yield "at the end"
    yield from (f"      {name}: {what}" for name, what in trace.ending.items())


def _told_lines(number: int, step: TraceStep) -> Iterator[str]:
    yield f"{number:3}. {step.text}{' [fault]' if step.is_fault else ''}"
    yield from (f"      the agent is told: {event}" for event in step.told)
    yield from (f"      {decision}" for decision in step.decisions)
    yield from (f"      => {command.text}" for command in step.commands)
    if step.error:
        yield f"      refused: {step.error}"


# As a diagram.


def as_sequence_diagram(trace: Trace) -> str:
    """The trace as a Mermaid sequence diagram: messages are arrows, faults and decisive changes are notes."""
    return "\n".join(("sequenceDiagram", *(f"    {line}" for line in _diagram(trace)))) + "\n"


def _diagram(trace: Trace) -> Iterator[str]:
    who = {OUTSIDE: "O", AGENT: "A", **{name: f"H{side}" for side, name in enumerate(trace.topology.hosts, start=1)}}
    yield "actor O as operator, outside world"
    yield "participant A as SCS side (agent)"
    yield from (f"participant {who[name]} as {_plain(name)}" for name in trace.topology.hosts)
    yield "participant C as clients"
    yield f"Note over O,C: at the start {_plain(trace.start or COLD_START)}"
    for step in trace.steps if trace.start else (*trace.opening, *trace.steps):
        yield from _happening(step, who[step.by])
        yield from _answer(step, who)
    yield f"Note over O,C: broken: {_plain(trace.broken.text)}"


def _happening(step: TraceStep, who: str) -> Iterator[str]:
    if step.by == OUTSIDE or (step.by == AGENT and step.told):
        yield f"{who}->>A: {_plain(step.text)}"
        return
    if step.is_fault or not step.told:
        yield f"Note over {who}: {'fault: ' if step.is_fault else ''}{_plain(step.text)}"
    if step.announces:
        yield f"{who}->>C: announces the VIP"
    yield from (f"{who}->>A: {_plain(event)}" for event in step.told)


def _answer(step: TraceStep, who: Mapping[str, str]) -> Iterator[str]:
    changes = [
        f"{found.subject} {found.source} -> {found.destination}"
        for found in step.decisions
        if found.machine in _DECISIVE and found.source != found.destination
    ]
    shown = [each.text for each in step.commands if not each.host and not each.text.startswith("start timer")]
    for texts in (changes, shown, [f"refused: {step.error}"] if step.error else []):
        if texts:
            yield f"Note over A: {'<br/>'.join(map(_plain, texts))}"
    yield from (f"A->>{who[each.host]}: {_plain(each.text)}" for each in step.commands if each.host)


def _plain(text: str) -> str:
    """Text without what Mermaid takes for the end of a statement, or for a character's code."""
    return text.replace(";", ",").replace("#", "#35;").replace("\n", " ")


# As a file.


def save(trace: Trace, path: Path) -> None:
    """Write a trace to a JSON file; `TraceError` if that fails."""
    try:
        path.write_text(json.dumps(_CONVERTER.unstructure(trace), indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise TraceError(f"{path} cannot be written: {error.strerror}") from error


def load(path: Path) -> Trace:
    """Read a trace from a JSON file; `TraceError` if there is none, or it is not right."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return _CONVERTER.structure(found, Trace)
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TraceError(f"{path} is no JSON: {' '.join(str(error).split())}") from error
    except BaseValidationError as error:
        raise TraceError(f"{path} is no trace: {transform_error(error, 'trace', _wrong)[0]}") from error
    except AttributeError as error:  # a converter looks for the keys of whatever stands in an object's place
        raise TraceError(f"{path} is no trace: it is not an object of names and values") from error


def _wrong(error: BaseException, _expected: type | None) -> str:
    return "it is missing" if isinstance(error, KeyError) else " ".join(str(error).split())


def _exactly(value: Any, kind: type) -> Any:
    """A JSON value of this very type: cattrs would make a text of anything, and truth of any text."""
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


_CONVERTER = Converter(forbid_extra_keys=True)
for _kind in (str, int, bool):
    _CONVERTER.register_structure_hook(_kind, _exactly)
_CONVERTER.register_structure_hook(enum.StrEnum, lambda value, kind: kind(value))  # else it is taken for a plain text
