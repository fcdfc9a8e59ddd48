"""Incidents: what belongs together of all that was handled, from the first sign until the solution is at rest again.

An incident begins, when the solution is at rest, with an event that moves anything but an alarm condition, or with
which somebody asks for something. It is over when no command is without a result, no pair, no VIP and no placement is
on its way from one state to another, and no host is silent. So a component that fails in backup mode is an incident,
too, although nothing is moved, and so is a wish that is refused.

Its id is the number of its first event in the journal: whoever reads the journal again finds the same incidents.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import define, frozen

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
from ...fsm.machines.link import LINK
from .journal import Handled, replay
from .wording import event_in_words

_ASKING = (SwitchoverRequested, StartRequested, StopRequested, LogMessageReceived)
_WISHES = ("_requested", "_needed", "_logged_primary", "_enable_asked", "_disable_asked")
_HAS_VIP = ("held", "owed")
_NOT_SEEN = ("out_of_sight", "first_seen_")


@frozen
class Phase:
    """A phase of an incident, and when it was over: in ms after the first event, or None if it did not happen."""

    name: str
    at_ms: float | None


@define(eq=False)
class Incident:
    """What was handled from the first sign until all was at rest, in order; never empty."""

    handled: list[Handled]
    is_over: bool = False

    @property
    def id(self) -> int:
        """The number of its first event in the journal."""
        return self.handled[0].number

    @property
    def topology(self) -> Topology:
        """What the solution consisted of."""
        return self.handled[0].topology

    @property
    def before(self) -> SolutionState:
        """The solution before it."""
        return self.handled[0].before

    @property
    def after(self) -> SolutionState:
        """The solution after what was handled last."""
        return self.handled[-1].after

    def at_ms(self, handled: Handled) -> float:
        """When that was handled, in ms after the first event."""
        return (handled.mono_ns - self.handled[0].mono_ns) / 1e6

    @property
    def cause(self) -> str:
        """What began it: what was asked for, or the first machine that moved, and the reason of its row."""
        first = self.handled[0]
        if isinstance(first.event, _ASKING):
            return event_in_words(first.event, first.before)
        steps = [step for each in self.handled for step in each.steps if step.machine != ALARM.name]
        step = next((step for step in steps if step.moved and step.machine != LINK.name), None) or steps[0]
        return f"{step.subject}: {step.decision.reason}"

    @property
    def moves(self) -> list[str]:
        """What is on another host now, or on none, or was on none before."""
        names = (*(pair.name for pair in self.topology.pairs), "VIP")
        places = zip(names, places_of(self.topology, self.before), places_of(self.topology, self.after), strict=True)
        return [f"{name}: {old} -> {new}" for name, old, new in places if old != new]

    @property
    def refusals(self) -> list[str]:
        """Why what was asked for, by whomever, was not done: the reasons of those rows, each once."""
        steps = (step for each in self.handled for step in each.steps)
        asked = (step for step in steps if step.decision.trigger.endswith(_WISHES) and not moves(step))
        return list(dict.fromkeys(f"{step.subject}: {step.decision.reason}" for step in asked))

    @property
    def outcome(self) -> str:
        """What came of it, in a line."""
        has_been, has = has_redundancy(self.topology, self.before), has_redundancy(self.topology, self.after)
        redundancy = {(True, False): ["redundancy lost"], (False, True): ["redundancy restored"]}.get(
            (has_been, has), []
        )
        return "; ".join([*(self.moves or ["nothing was moved"]), *redundancy, *([] if self.is_over else ["going on"])])

    @property
    def phases(self) -> tuple[Phase, ...]:
        """When what had happened, as far as it did; all as the agent heard it."""
        found = {
            "detected": next((each for each in self.handled if _is_detection(each)), None),
            "decided": next((each for each in self.handled if any(map(_changes, each.commands))), None),
            "demoted": self._last_done(Demote),
            "promoted": self._last_done(Promote),
            "VIP down": self._last_done(DisableVip),
            "VIP up": self._last_done(EnableVip),
            "announced": self._last_done(EnableVip, AnnounceVip),
            "served": self._served_again(),
        }
        return tuple(Phase(name, None if each is None else self.at_ms(each)) for name, each in found.items())

    def _last_done(self, *kinds: type[HostCommand]) -> Handled | None:
        return next((each for each in reversed(self.handled) if isinstance(result_of(each), kinds)), None)

    def _served_again(self) -> Handled | None:
        """When clients were served again, for the last time; None if they always were, or never."""
        served = [each for each in self.handled if is_served(each.topology, each.after)]
        return next((each for each in reversed(served) if not is_served(each.topology, each.before)), None)


class Tracker:
    """Tells which incident what is handled belongs to, one after the other, as it happens."""

    def __init__(self) -> None:
        self._incident: Incident | None = None
        self._run = 0

    def take(self, handled: Handled) -> Incident | None:
        """The incident that this belongs to, with it; None if it belongs to none."""
        if handled.run != self._run:
            self._incident, self._run = None, handled.run
        if self._incident is None or self._incident.is_over:
            if not _begins(handled):
                return None
            self._incident = Incident([])
        self._incident.handled.append(handled)
        self._incident.is_over = is_at_rest(handled.after)
        return self._incident


def incidents(journal: Path) -> Iterator[Incident]:
    """The incidents of a journal, in order; what follows each is known only when the next one is asked for."""
    tracker, last = Tracker(), None
    for handled in replay(journal):
        incident = tracker.take(handled)
        if incident is not None and incident is not last:
            if last is not None:
                yield last
            last = incident
    if last is not None:
        yield last


def summary(incident: Incident) -> dict[str, Any]:
    """An incident for those who look on: when it began (UTC), why, what came of it, and its phases in ms."""
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
    """Whether a machine is in another state after a decision, or gave a command."""
    return step.moved and (step.decision.destination != step.decision.source or bool(step.decision.outputs))


def is_at_rest(state: SolutionState) -> bool:
    """Whether nothing is under way: no command, nothing between two states, no host silent."""
    is_settled = state.vip.startswith(vip.AT_REST) and state.placement.startswith(placement.AT_REST)
    are_settled = all(found.state.startswith(pair.AT_REST) for found in state.pairs)
    return is_settled and are_settled and not state.pending and not {"silent", "doubtful"} & set(state.links)


def result_of(handled: Handled) -> HostCommand | None:
    """The command of which it was heard that it was carried out."""
    event = handled.event
    return handled.before.pending_by_id(event.id) if isinstance(event, CommandSucceeded) else None


def places_of(topology: Topology, state: SolutionState) -> tuple[str, ...]:
    """On which host each pair's primary is, and the VIP: its name, `none`, or `unknown`."""

    def place(found: str, settled: tuple[str, ...]) -> str:
        if found.startswith(_NOT_SEEN):
            return "unknown"
        return topology.hosts[int(found[-1]) - 1] if found.startswith(settled) else "none"

    return (*(place(found.state, pair.HAS_PRIMARY) for found in state.pairs), place(state.vip, _HAS_VIP))


def has_redundancy(topology: Topology, state: SolutionState) -> bool:
    """Whether every component could fail on the host that serves and go on on the other one."""
    applications = state.applications[: 2 * len(topology.components)]
    return all(each == "up" for each in applications) and all(p.state.startswith("redundant_") for p in state.pairs)


def is_served(topology: Topology, state: SolutionState) -> bool:
    """Whether the VIP is on a host in sight whose application, of the pair that it follows, is primary."""
    modes = state.pairs[pair_of_the_vip(topology)].modes
    in_sight = [link in ("connected", "silent") for link in state.links]
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


def _changes(command: object) -> bool:
    return isinstance(command, MovingCommand)
