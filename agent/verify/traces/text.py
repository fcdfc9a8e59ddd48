"""Traces for people to read: as text, and as a Mermaid sequence diagram."""

from collections.abc import Iterator, Mapping

from ....fsm import LINK, PAIR, PLACEMENT, VIP
from .trace import AGENT, COLD_START, OUTSIDE, Trace, TraceStep

_DECISIVE = (LINK.name, PAIR.name, PLACEMENT.name, VIP.name)


def as_text(trace: Trace) -> str:
    """The trace as text: the broken property, the start, the numbered steps, and the world at the end."""
    return "\n".join(_lines(trace)) + "\n"


def _lines(trace: Trace) -> Iterator[str]:
    yield f"broken: {trace.broken.name} ({trace.broken.kind}): {trace.broken.text}"
    topology = trace.topology
    for pair in topology.components:
        where = zip(pair.applications, topology.hosts, strict=True)
        yield f"{pair.name}: {', '.join(f'{application} on {host}' for application, host in where)}"
    yield f"VIP order {topology.vip_order}, reactions {topology.reactions}; faults allowed: {trace.budget or 'none'}"
    yield f"at the start {trace.start or COLD_START}"
    steps = trace.steps if trace.start else (*trace.opening, *trace.steps)
    for number, step in enumerate(steps, start=1):
        yield ""
        yield from _step_lines(number, step)
    yield ""
    yield "at the end"
    yield from (f"      {name}: {text}" for name, text in trace.ending.items())


def _step_lines(number: int, step: TraceStep) -> Iterator[str]:
    yield f"{number:3}. {step.text}{' [fault]' if step.is_fault else ''}"
    yield from (f"      the agent receives: {event}" for event in step.events)
    yield from (f"      {decision}" for decision in step.decisions)
    yield from (f"      => {command.text}" for command in step.commands)
    if step.error:
        yield f"      refused: {step.error}"


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
        yield from _cause(step, who[step.by])
        yield from _effect(step, who)
    yield f"Note over O,C: broken: {_plain(trace.broken.text)}"


def _cause(step: TraceStep, who: str) -> Iterator[str]:
    if step.by == OUTSIDE or (step.by == AGENT and step.events):
        yield f"{who}->>A: {_plain(step.text)}"
        return
    if step.is_fault or not step.events:
        yield f"Note over {who}: {'fault: ' if step.is_fault else ''}{_plain(step.text)}"
    if step.announces:
        yield f"{who}->>C: announces the VIP"
    yield from (f"{who}->>A: {_plain(event)}" for event in step.events)


def _effect(step: TraceStep, who: Mapping[str, str]) -> Iterator[str]:
    changes = [
        f"{decision.subject} {decision.source} -> {decision.destination}"
        for decision in step.decisions
        if decision.machine in _DECISIVE and decision.source != decision.destination
    ]
    shown = [each.text for each in step.commands if not each.host and not each.text.startswith("start timer")]
    for texts in (changes, shown, [f"refused: {step.error}"] if step.error else []):
        if texts:
            yield f"Note over A: {'<br/>'.join(map(_plain, texts))}"
    yield from (f"A->>{who[each.host]}: {_plain(each.text)}" for each in step.commands if each.host)


def _plain(text: str) -> str:
    """Text without the characters that Mermaid reads as the end of a statement or as a character code."""
    return text.replace(";", ",").replace("#", "#35;").replace("\n", " ")
