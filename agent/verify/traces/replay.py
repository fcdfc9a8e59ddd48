"""Replay of a trace: its steps are played with the real core, by the plain implementation of the world (`plain`)."""

import difflib
from collections.abc import Iterable, Iterator

from attrs import evolve, frozen

from ..properties.always import AT_REST, HEALED
from .plain import PlainModel, PlainStep, PlainWorld
from .trace import Trace, TraceError, TraceStep, digest, trace_step


@frozen
class Replay:
    """The result of a replay: the steps that were replayed, and the first difference from the trace (or empty)."""

    steps: tuple[TraceStep, ...]
    difference: str = ""

    @property
    def is_reproduced(self) -> bool:
        """Whether all events, decisions and commands, and the world at the end, are as in the trace."""
        return not self.difference

    @property
    def records(self) -> tuple[str, ...]:
        """The core's events, decisions and commands, in the words of `switchover.fsm.records`."""
        return tuple(record for step in self.steps for record in _records(step))


def replay(trace: Trace) -> Replay:
    """Replay a trace through the real core, up to the first difference.

    The trace is reproduced if the events, decisions and commands of each step and the world at the end are the same.
    Raises `TraceError` if a step is not possible although all steps before it were as in the trace.
    """
    model = PlainModel(trace.topology, frozenset(trace.kinds), trace.slow_ms)
    played: list[TraceStep] = []
    worlds = [model.start()]
    for number, expected in enumerate((*trace.opening, *trace.steps)):
        if number == len(trace.opening):
            worlds.append(evolve(worlds[-1], budget=trace.budget))
        world, step = _played(model, worlds[-1], expected, _place(trace, number))
        worlds.append(world)
        played.append(step)
        if step != expected:
            return Replay(tuple(played), f"{_place(trace, number)}: {_difference(expected, step)}")
    return Replay(tuple(played), _wrong_ending(trace, model, worlds))


def _place(trace: Trace, number: int) -> str:
    """The name of a step, numbered as in the trace's text."""
    if not trace.start:
        return f"step {number + 1}"
    opening = len(trace.opening)
    return f"step {number - opening + 1}" if number >= opening else f"step {number + 1} of the cold start"


def _played(model: PlainModel, world: PlainWorld, expected: TraceStep, place: str) -> tuple[PlainWorld, TraceStep]:
    """The world after the step with this text, and the step itself; the one equal to `expected` if there is one."""
    steps = [step for step in model.steps(world) if (step.text, step.is_fault) == (expected.text, expected.is_fault)]
    if not steps:
        close = difflib.get_close_matches(expected.text, [step.text for step in model.steps(world)], n=1, cutoff=0)
        possible = f"for one, {close[0]!r} is" if close else "nothing is"
        raise TraceError(f"{place} is not possible there: {expected.text!r}; {possible}")
    candidates = [(step.world, _trace_step(step, world)) for step in steps]
    return next((each for each in candidates if each[1] == expected), candidates[0])


def _trace_step(step: PlainStep, before: PlainWorld) -> TraceStep:
    cause = TraceStep(step.text, step.by, step.is_fault, step.announces)
    return trace_step(cause, step.events, before.core.pending, step.decisions, step.commands, step.error)


def _difference(expected: TraceStep, step: TraceStep) -> str:
    for what, before, now in (
        ("the agent receives", expected.events, step.events),
        ("it decides", expected.decisions, step.decisions),
        ("it commands", [each.text for each in expected.commands], [each.text for each in step.commands]),
        ("it refuses", [expected.error], [step.error]),
    ):
        if list(before) != list(now):
            return f"{what} {_shown(now)}, where the trace says {_shown(before)}"
    return "its cause is another than the trace says"


def _shown(items: Iterable[object]) -> str:
    return "; ".join(map(str, items)) or "nothing"


def _records(step: TraceStep) -> Iterator[str]:
    yield from step.events
    yield from (f"{row.subject} {row.source} -> {row.destination}: {row.reason}" for row in step.decisions)
    yield from (command.text for command in step.commands)


def _wrong_ending(trace: Trace, model: PlainModel, worlds: list[PlainWorld]) -> str:
    """How the world at the end differs from the trace, or why the property is not broken there; empty if all agrees."""
    end = worlds[-1]
    timers = (name for name, _ in end.timers)
    ending = digest(trace.topology, end.core, timers, end.hosts, end.arp)
    for name in (*ending, *trace.ending):
        if ending.get(name) != trace.ending.get(name):
            return f"at the end, {name}: {ending.get(name)}, where the trace says {trace.ending.get(name)}"
    if trace.broken in HEALED and not all(step.is_fault for step in model.steps(end)):
        return "at the end there is still activity: it is too early to say that the solution does not recover"
    if trace.broken == AT_REST and end not in worlds[:-1]:
        return "at the end the world is not one of the earlier ones: the steps are no cycle"
    return ""
