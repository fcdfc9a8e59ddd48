"""Incidents: the events that belong together, from the first sign until the solution is at rest again.

When the solution is at rest, an incident begins with an event that moves a machine (alarm conditions do not count), or
with a request. It is over when no command is pending, no pair, VIP or placement is between two states, and no host is
silent. So a backup that fails is an incident although nothing is moved, and so is a request that is refused.

Its id is the number of its first event in the journal. Reading the journal again gives the same incidents.
"""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from ...fsm import (
    AnnounceVip,
    CommandSucceeded,
    Demote,
    DisableVip,
    EnableVip,
    HostCommand,
    LogMessageReceived,
    Mode,
    Promote,
    SolutionState,
    StartRequested,
    Step,
    StopRequested,
    SwitchoverRequested,
    Topology,
)
from ...fsm.commands import MovingCommand
from ...fsm.facts import pair_of_the_vip
from ...fsm.machines import pair, placement, vip
from ...fsm.machines.alarm import ALARM
from ...fsm.machines.link import IN_SIGHT, LINK
from .journal import Handled, replay
from .wording import event_in_words

EVENTS_KEPT = 200
"""How many events of an incident are kept in memory: the first half of them, and the last."""

EVENTS_READ = 1000
"""Likewise, when an incident is read from the journal."""

_ASKING = (SwitchoverRequested, StartRequested, StopRequested, LogMessageReceived)
_REQUESTS = ("_requested", "_needed", "_logged_primary", "_enable_asked", "_disable_asked")
_HAS_VIP = ("held", "owed")
_NOT_SEEN = ("out_of_sight", "first_seen_")

_DONE = {
    "demoted": (Demote,),
    "promoted": (Promote,),
    "VIP down": (DisableVip,),
    "VIP up": (EnableVip,),
    "announced": (EnableVip, AnnounceVip),
}
_PHASES = ("detected", "decided", *_DONE, "served")


@frozen
class Phase:
    """A phase of an incident, and when it ended: in ms after the first event, None if it did not happen."""

    name: str
    at_ms: float | None


@define(eq=False)
class Incident:
    """The events of an incident in order, at least one; `is_over` once the solution is at rest again.

    Of a long incident (a script that fails is tried again for days) `left_out` events in the middle are not kept, and
    its phases are kept, so that only new events are looked at. `missing` events were never journalled.
    """

    handled: list[Handled]
    is_over: bool = False
    left_out: int = 0
    missing: int = 0
    _ended: dict[str, Handled] = field(init=False, repr=False, factory=dict)
    _looked_at: int = field(init=False, repr=False, default=0)

    def add(self, handled: Handled, kept: int) -> None:
        """The next event of the incident, of which at most `kept` are kept: the first half, and the last."""
        self.handled.append(handled)
        self.is_over = is_at_rest(handled.after)
        self.missing += handled.missing
        if len(self.handled) > kept:
            self._look_at_new_ones()
            del self.handled[kept // 2]
            self._looked_at -= 1
            self.left_out += 1

    @property
    def id(self) -> int:
        """The number of its first event in the journal."""
        return self.handled[0].number

    @property
    def topology(self) -> Topology:
        """The topology of the solution."""
        return self.handled[0].topology

    @property
    def before(self) -> SolutionState:
        """The state of the solution before it."""
        return self.handled[0].before

    @property
    def after(self) -> SolutionState:
        """The state of the solution after its last event."""
        return self.handled[-1].after

    def at_ms(self, handled: Handled) -> float:
        """When this event was handled, in ms after the first one."""
        return (handled.mono_ns - self.handled[0].mono_ns) / 1e6

    @property
    def cause(self) -> str:
        """What started it: the request, or the first machine that moved and the reason of its row."""
        first = self.handled[0]
        if isinstance(first.event, _ASKING):
            return event_in_words(first.event, first.before)
        steps = (step for each in self.handled for step in each.steps if step.machine != ALARM.name)
        begin = next(steps)
        moved = (step for step in itertools.chain([begin], steps) if step.moved and step.machine != LINK.name)
        step = next(moved, begin)
        return f"{step.subject}: {step.decision.reason}"

    @property
    def moves(self) -> list[str]:
        """What moved from one host to another, to none, or from none to one."""
        names = (*(pair.name for pair in self.topology.pairs), "VIP")
        places = zip(names, places_of(self.topology, self.before), places_of(self.topology, self.after), strict=True)
        return [f"{name}: {old} -> {new}" for name, old, new in places if old != new]

    @property
    def refusals(self) -> list[str]:
        """Why requests of operators and reactions were refused: the reasons of those rows, each once."""
        steps = (step for each in self.handled for step in each.steps)
        asked = (step for step in steps if step.decision.trigger.endswith(_REQUESTS) and not moves(step))
        return list(dict.fromkeys(f"{step.subject}: {step.decision.reason}" for step in asked))

    @property
    def outcome(self) -> str:
        """The outcome in one line."""
        has_been, has = has_redundancy(self.topology, self.before), has_redundancy(self.topology, self.after)
        changed = {(True, False): ["redundancy lost"], (False, True): ["redundancy restored"]}.get((has_been, has), [])
        return "; ".join([*(self.moves or ["nothing was moved"]), *changed, *([] if self.is_over else ["going on"])])

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of a switchover, as the agent heard of them."""
        self._look_at_new_ones()
        ended = ((name, self._ended.get(name)) for name in _PHASES)
        return tuple(Phase(name, None if each is None else self.at_ms(each)) for name, each in ended)

    @property
    def ended_phases(self) -> list[tuple[float, str]]:
        """The phases that happened, in order of time: when each ended, in ms after the first event, and its name."""
        ended = ((phase.at_ms, phase.name) for phase in self.phases if phase.at_ms is not None)
        return sorted(ended, key=lambda each: each[0])  # those at the same moment stay in the order of `phases`

    def _look_at_new_ones(self) -> None:
        for each in self.handled[self._looked_at :]:
            self._look_at(each)
        self._looked_at = len(self.handled)

    def _look_at(self, handled: Handled) -> None:
        """Keep what ends with this event: the first two phases with the first such event, the others with the last."""
        if _is_detection(handled):
            self._ended.setdefault("detected", handled)
        if _moves_something(handled):
            self._ended.setdefault("decided", handled)
        command = result_of(handled)
        self._ended |= {name: handled for name, kinds in _DONE.items() if isinstance(command, kinds)}
        if is_served(handled.topology, handled.after) and not is_served(handled.topology, handled.before):
            self._ended["served"] = handled


@frozen
class Brief:
    """An incident in a line: its number, the time of its first event (ns since 1970), and how long it took, in ms."""

    id: int
    wall_ns: int
    cause: str
    outcome: str
    is_over: bool
    took_ms: float


def brief(incident: Incident) -> Brief:
    """What there is to say of an incident in a line."""
    took_ms = incident.at_ms(incident.handled[-1])
    first = incident.handled[0]
    return Brief(incident.id, first.wall_ns, incident.cause, incident.outcome, incident.is_over, took_ms)


class Tracker:
    """Assigns events to incidents as they are handled, one after the other; keeps `kept` events of each."""

    def __init__(self, kept: int = EVENTS_KEPT) -> None:
        self._kept = kept
        self._incident: Incident | None = None
        self._run = 0

    def take(self, handled: Handled) -> Incident | None:
        """The incident that this event belongs to, which now contains it; None if it belongs to none."""
        if handled.run != self._run:
            self._incident, self._run = None, handled.run
        if self._incident is None or self._incident.is_over:
            if not _begins(handled):
                return None
            self._incident = Incident([])
        self._incident.add(handled, self._kept)
        return self._incident


def incidents(journal: Path, after: int = 0) -> Iterator[Incident]:
    """The incidents of a journal after this entry, in order, each complete when it is yielded. Raises `JournalError`.

    Reads the whole journal from there on: see `incident_index` for one incident of a long journal.
    """
    tracker, last = Tracker(EVENTS_READ), None
    for handled in replay(journal, after):
        incident = tracker.take(handled)
        if incident is not None and incident is not last:
            if last is not None:
                yield last
            last = incident
    if last is not None:
        yield last


def summary(incident: Incident) -> dict[str, Any]:
    """An incident for the page and for `status --watch`: when it began (UTC), cause, outcome, and its phases in ms."""
    began = datetime.fromtimestamp(incident.handled[0].wall_ns / 1e9, UTC)
    return {
        "id": incident.id,
        "began": began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "cause": incident.cause,
        "outcome": incident.outcome,
        "is_over": incident.is_over,
        "phases": {phase.name: phase.at_ms for phase in incident.phases if phase.at_ms is not None},
    }


def moves(step: Step) -> bool:
    """Whether a decision changed the state of its machine or had an output."""
    return step.moved and (step.decision.destination != step.decision.source or bool(step.decision.outputs))


def is_at_rest(state: SolutionState) -> bool:
    """Whether nothing is under way: no pending command, no machine between two states, no silent host."""
    is_settled = state.vip.startswith(vip.AT_REST) and state.placement.startswith(placement.AT_REST)
    are_settled = all(each.state.startswith(pair.AT_REST) for each in state.pairs)
    return is_settled and are_settled and not state.pending and not {"silent", "doubtful"} & set(state.links)


def result_of(handled: Handled) -> HostCommand | None:
    """The command that this event reports as done; None for other events."""
    event = handled.event
    return handled.before.pending_by_id(event.id) if isinstance(event, CommandSucceeded) else None


def places_of(topology: Topology, state: SolutionState) -> tuple[str, ...]:
    """The host of each pair's primary and of the VIP, in this order: its name, `none` or `unknown`."""

    def place(state: str, settled: tuple[str, ...]) -> str:
        if state.startswith(_NOT_SEEN):
            return "unknown"
        return topology.hosts[int(state[-1]) - 1] if state.startswith(settled) else "none"

    return (*(place(each.state, pair.HAS_PRIMARY) for each in state.pairs), place(state.vip, _HAS_VIP))


def has_redundancy(topology: Topology, state: SolutionState) -> bool:
    """Whether every component has a backup: any of them could fail on one host, and the other host would go on."""
    applications = state.applications[: 2 * len(topology.components)]
    return all(each == "up" for each in applications) and all(p.state.startswith("redundant_") for p in state.pairs)


def is_served(topology: Topology, state: SolutionState) -> bool:
    """Whether clients are served: a host in sight holds the VIP, and its application is primary.

    The application is that of the pair that the VIP follows.
    """
    modes = state.pairs[pair_of_the_vip(topology)].modes
    in_sight = [link in IN_SIGHT for link in state.links]
    return any(
        seen and held and mode is Mode.PRIMARY for seen, held, mode in zip(in_sight, state.vip_held, modes, strict=True)
    )


def _begins(handled: Handled) -> bool:
    return isinstance(handled.event, _ASKING) or any(
        step.machine != ALARM.name and moves(step) for step in handled.steps
    )


def _is_detection(handled: Handled) -> bool:
    return isinstance(handled.event, _ASKING) or any(
        step.machine not in (ALARM.name, LINK.name) and moves(step) for step in handled.steps
    )


def _moves_something(handled: Handled) -> bool:
    return any(isinstance(command, MovingCommand) for command in handled.commands)
