"""The analysis of an incident for its report: phases, decisions, failures, detection and states."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import get_args

from attrs import frozen

from ...fsm import (
    ApplicationReported,
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
from ...fsm.events import Failure
from ...fsm.machines.alarm import ALARM
from ...fsm.machines.application import APPLICATION
from ...fsm.machines.link import LINK
from ..explain import meanings
from ..explain.meanings import fact_of
from ..history.incidents import Incident, Phase, has_redundancy, moves
from ..history.journal import EVENT, START, Entry
from ..pictures.drawing.axis import duration_text

_CHANGING = {command.output for command in get_args(ChangingCommand)}
_MEANINGS = {
    "detected": "the agent knew that something had changed, or got a request",
    "decided": "the first command that changes something was given",
    "demoted": "the last application to be demoted was in backup mode",
    "promoted": "the last application to be promoted was in primary mode",
    "VIP down": "the old host had released the VIP",
    "VIP up": "the new host held the VIP and had announced it",
    "announced": "the last announcement was done",
    "served": "clients were served again",
}
_HOW: dict[type[Event], str] = {
    SwitchoverRequested: "asked for by an operator: there was nothing to detect",
    StartRequested: "asked for by an operator: there was nothing to detect",
    StopRequested: "asked for by an operator: there was nothing to detect",
    LogMessageReceived: "reported by a log message from outside",
    ApplicationReported: "reported by its host's LCA; how long the LCA took to notice it is not in the journal",
    VipReported: "reported by its host's LCA, which saw the interface change",
    HostConnected: "part of what a host reported when it connected",
    HostLeft: "its host's LCA said goodbye",
}


@frozen
class TimedPhase:
    """A phase that happened: its meaning, and when it began and ended, in ms after the first event."""

    name: str
    meaning: str
    begin_ms: float
    at_ms: float

    @property
    def duration_ms(self) -> float:
        """How long it took, from the end of the phase before it."""
        return self.at_ms - self.begin_ms


@frozen
class DecidingRow:
    """A row that decided: the time of its first use, the subject, its reason and source, and how often it was used."""

    at_ms: float
    subject: str
    reason: str
    cite: str
    times: int = 1


@frozen
class Change:
    """A part of the solution, with its state before and after the incident."""

    name: str
    before: str
    after: str


def timed_phases(incident: Incident) -> list[TimedPhase]:
    """The phases that happened, in order of time; each begins where the one before it ended."""
    ended = incident.ended_phases
    begins = [0.0, *(at_ms for at_ms, _ in ended)]
    return [
        TimedPhase(name, _MEANINGS.get(name, ""), begin, at_ms)
        for begin, (at_ms, name) in zip(begins, ended, strict=False)
    ]


def missing_phases(incident: Incident) -> list[Phase]:
    """The phases that did not happen."""
    return [phase for phase in incident.phases if phase.at_ms is None]


def deciding_rows(incident: Incident) -> list[DecidingRow]:
    """The rows whose commands changed something; if there are none, those that moved; else the first decision."""
    steps = [(incident.at_ms(each), step) for each in incident.handled for step in each.steps]
    moved = [(at_ms, step) for at_ms, step in steps if _counts(step) and moves(step)]
    changing = [(at_ms, step) for at_ms, step in moved if _CHANGING & {out.verb for out in step.decision.outputs}]
    of_the_solution = [(at_ms, step) for at_ms, step in moved if step.machine != APPLICATION.name]
    times: dict[tuple[str, str, str], list[float]] = {}
    for at_ms, step in changing or of_the_solution or moved or steps[:1]:
        times.setdefault((step.subject, step.decision.reason, step.decision.cite), []).append(at_ms)
    return [DecidingRow(at_ms[0], *row, len(at_ms)) for row, at_ms in times.items()]


def failures(incident: Incident) -> list[tuple[str, int]]:
    """The commands that failed, were not answered, were unclear or not confirmed; the reasons, and how often each."""
    return list(Counter(each.text for each in incident.handled if isinstance(each.event, Failure)).items())


def _counts(step: Step) -> bool:
    return step.machine not in (ALARM.name, LINK.name)


def detection(incident: Incident, detection_ms: int | None) -> str:
    """How the agent learned of the incident, and how long that took, as far as the journal says.

    `detection_ms` is the configured detection time; None if it is not known.
    """
    at_ms = next((phase.at_ms for phase in incident.phases if phase.name == "detected"), None)
    first = next((each for each in incident.handled if incident.at_ms(each) == at_ms), incident.handled[0])
    if not isinstance(first.event, HostLost):
        return _HOW.get(type(first.event), first.text)
    host = first.event.host
    silent = next((each for each in incident.handled if each.event == HostFellSilent(host)), None)
    after = (
        ""
        if silent is None
        else f" {duration_text(incident.at_ms(first) - incident.at_ms(silent))} after it fell silent"
    )
    limit = f"; it had not been heard for {detection_ms} ms (detection_ms)" if detection_ms else ""
    return f"{host} was given up{after}{limit}"


def states(incident: Incident) -> Iterator[Change]:
    """The solution before and after, part by part."""
    before, after = (list(_parts(incident.topology, state)) for state in (incident.before, incident.after))
    for (name, old), (_, new) in zip(before, after, strict=True):
        yield Change(name, old, new)


def _parts(topology: Topology, state: SolutionState) -> Iterator[tuple[str, str]]:
    hosts = topology.hosts
    for host, link in zip(hosts, state.links, strict=True):
        yield f"link to {host}", fact_of(meanings.LINK, link, hosts).words
    for pair, pair_state in zip(topology.pairs, state.pairs, strict=True):
        yield pair.name, fact_of(meanings.PAIR, pair_state.state, hosts).words
        for name, host, mode in zip(pair.applications, hosts, pair_state.modes, strict=True):
            yield f"{name} on {host}", meanings.MODE[mode].words
    for pair in topology.monitored:
        for name, host in zip(pair.applications, hosts, strict=True):
            yield f"{name} on {host}", meanings.MODE[state.applications[topology.number_of(name)]].words
    yield "VIP", fact_of(meanings.VIP, state.vip, hosts).words
    yield "placement", fact_of(meanings.PLACEMENT, state.placement, hosts).words
    active = [alarm.name for alarm, each in zip(topology.alarms, state.alarms, strict=True) if each == "active"]
    yield "active alarms", ", ".join(active) or "none"
    yield "redundancy", "yes" if has_redundancy(topology, state) else "no"


def journal_lines(incident: Incident, entries: Iterator[tuple[int, Entry]]) -> list[tuple[int, Entry]]:
    """The entries about the incident, out of those from its first event on."""
    last, ours = incident.handled[-1].number, {each.number for each in incident.handled}

    def is_ours(line: tuple[int, Entry]) -> bool:
        number, entry = line
        return number <= last or not (entry.kind in (EVENT, START) and number not in ours)

    return list(itertools.takewhile(is_ours, entries))
