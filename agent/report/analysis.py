"""What a report tells of an incident beyond the incident itself: found in what was handled; nothing is guessed."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import get_args

from attrs import frozen

from ...fsm import (
    ApplicationReported,
    CommandFailed,
    CommandTimedOut,
    CommandUnclear,
    Event,
    HostConnected,
    HostFellSilent,
    HostLeft,
    HostLost,
    LogMessageReceived,
    SolutionState,
    StartRequested,
    Step,
    StopRequested,
    SwitchoverRequested,
    Topology,
    VipReported,
)
from ...fsm.commands import ChangingCommand
from ...fsm.machines.alarm import ALARM
from ...fsm.machines.application import APPLICATION
from ...fsm.machines.link import LINK
from ..explain import meanings
from ..explain.meanings import fact_of
from ..history.incidents import Incident, Phase, has_redundancy, moves
from ..history.journal import EVENT, START, Entry
from ..pictures.drawing.axis import duration_text

_FAILURES = (CommandFailed, CommandTimedOut, CommandUnclear)
_CHANGING = {command.output for command in get_args(ChangingCommand)}
_MEANINGS = {
    "detected": "the agent knew that something had changed, or was asked for something",
    "decided": "the first command that changes something was given",
    "demoted": "the last one that was not to be primary any more had gone into backup mode",
    "promoted": "the last one that was to be primary had gone into primary mode",
    "VIP down": "the VIP was off the host that is not to have it",
    "VIP up": "the VIP was on the host that is to have it, and announced by it",
    "announced": "the last announcement was done",
    "served": "clients were served again",
}
_HOW: dict[type[Event], str] = {
    SwitchoverRequested: "asked for by an operator: there was nothing to detect",
    StartRequested: "asked for by an operator: there was nothing to detect",
    StopRequested: "asked for by an operator: there was nothing to detect",
    LogMessageReceived: "told by a log message from outside",
    ApplicationReported: "reported by its host's LCA; how long that took to notice it, the journal does not tell",
    VipReported: "reported by its host's LCA, which saw the interface change",
    HostConnected: "found in what a host reported when it connected",
    HostLeft: "its host's LCA said goodbye",
}


@frozen
class Lasted:
    """A phase that happened: what it means, and when it began and was over, in ms after the first event."""

    name: str
    meaning: str
    begin_ms: float
    at_ms: float

    @property
    def duration_ms(self) -> float:
        """How long after the phase before it, in the order of time, it was over."""
        return self.at_ms - self.begin_ms


@frozen
class Deciding:
    """A row that decided: when it fired first, of whose machine, what it says, and how often it fired."""

    at_ms: float
    subject: str
    reason: str
    cite: str
    times: int = 1


@frozen
class Line:
    """Something of the solution, as it was before and after."""

    name: str
    before: str
    after: str


def lasted(incident: Incident) -> list[Lasted]:
    """The phases that happened, in the order of time; each begins where the one before it was over."""
    happened = sorted(
        ((phase.at_ms, phase.name) for phase in incident.phases if phase.at_ms is not None), key=lambda each: each[0]
    )
    begins = [0.0, *(at_ms for at_ms, _ in happened)]
    return [
        Lasted(name, _MEANINGS.get(name, ""), begin, at_ms)
        for begin, (at_ms, name) in zip(begins, happened, strict=False)
    ]


def missing(incident: Incident) -> list[Phase]:
    """The phases that there were none of."""
    return [phase for phase in incident.phases if phase.at_ms is None]


def deciding(incident: Incident) -> list[Deciding]:
    """The rows that had something changed; where there are none, those that moved; else what was decided first."""
    steps = [(incident.at_ms(each), step) for each in incident.handled for step in each.steps]
    moved = [(at_ms, step) for at_ms, step in steps if _is_told(step) and moves(step)]
    changing = [(at_ms, step) for at_ms, step in moved if _CHANGING & {out.verb for out in step.decision.outputs}]
    of_the_solution = [(at_ms, step) for at_ms, step in moved if step.machine != APPLICATION.name]
    times: dict[tuple[str, str, str], list[float]] = {}
    for at_ms, step in changing or of_the_solution or moved or steps[:1]:
        times.setdefault((step.subject, step.decision.reason, step.decision.cite), []).append(at_ms)
    return [Deciding(at_ms[0], *row, len(at_ms)) for row, at_ms in times.items()]


def failures(incident: Incident) -> list[tuple[str, int]]:
    """The commands that failed, were not answered, or were answered unclearly, with the reasons, and how often each."""
    return list(Counter(each.text for each in incident.handled if isinstance(each.event, _FAILURES)).items())


def _is_told(step: Step) -> bool:
    return step.machine not in (ALARM.name, LINK.name)


def detection(incident: Incident, detection_ms: int | None) -> str:
    """How it came to be known, and how long that took, as far as the journal tells.

    `detection_ms` is the configured one, None if it is not known.
    """
    at_ms = next((phase.at_ms for phase in incident.phases if phase.name == "detected"), None)
    found = next((each for each in incident.handled if incident.at_ms(each) == at_ms), incident.handled[0])
    if not isinstance(found.event, HostLost):
        return _HOW.get(type(found.event), found.text)
    host = found.event.host
    silent = next((each for each in incident.handled if each.event == HostFellSilent(host)), None)
    after = (
        ""
        if silent is None
        else f" {duration_text(incident.at_ms(found) - incident.at_ms(silent))} after it was silent"
    )
    limit = f"; nothing had been heard of it for {detection_ms} ms then (detection_ms)" if detection_ms else ""
    return f"{host} was given up{after}{limit}"


def states(incident: Incident) -> Iterator[Line]:
    """The solution before and after, line by line."""
    before, after = (list(_told(incident.topology, state)) for state in (incident.before, incident.after))
    for (name, old), (_, new) in zip(before, after, strict=True):
        yield Line(name, old, new)


def _told(topology: Topology, state: SolutionState) -> Iterator[tuple[str, str]]:
    hosts = topology.hosts
    for host, link in zip(hosts, state.links, strict=True):
        yield f"connection to {host}", fact_of(meanings.LINK, link, hosts).words
    for pair, found in zip(topology.pairs, state.pairs, strict=True):
        yield pair.name, fact_of(meanings.PAIR, found.state, hosts).words
        for name, host, mode in zip(pair.applications, hosts, found.modes, strict=True):
            yield f"{name} on {host}", meanings.MODE[mode].words
    for pair in topology.monitored:
        for name, host in zip(pair.applications, hosts, strict=True):
            yield f"{name} on {host}", meanings.MODE[state.applications[topology.number_of(name)]].words
    yield "Virtual IP", fact_of(meanings.VIP, state.vip, hosts).words
    yield "placement", fact_of(meanings.PLACEMENT, state.placement, hosts).words
    active = [alarm.name for alarm, found in zip(topology.alarms, state.alarms, strict=True) if found == "active"]
    yield "active alarms", ", ".join(active) or "none"
    yield "redundancy", "yes" if has_redundancy(topology, state) else "no"


def journal_lines(incident: Incident, entries: Iterator[tuple[int, Entry]]) -> list[tuple[int, Entry]]:
    """The journal's lines about the incident, of all that begin with its first event."""
    last, ours = incident.handled[-1].number, {each.number for each in incident.handled}

    def is_ours(line: tuple[int, Entry]) -> bool:
        number, entry = line
        return number <= last or not (entry.kind in (EVENT, START) and number not in ours)

    return list(itertools.takewhile(is_ours, entries))
