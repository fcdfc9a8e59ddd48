"""What the agent counts since it started: events, results of commands, incidents, and how long their phases took."""

import bisect
from collections import Counter
from typing import Any

from ...fsm.events import (
    CommandFailed,
    CommandResult,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CommandUnconfirmed,
)
from ..history.incidents import Incident
from ..history.journal import Handled

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""The upper bounds of a phase's histogram, in seconds; a last bucket has no bound."""

_RESULTS = {
    CommandSucceeded: "succeeded",
    CommandFailed: "failed",
    CommandTimedOut: "timed_out",
    CommandUnclear: "unclear",
    CommandUnconfirmed: "unconfirmed",
}


class Counts:
    """Counts everything that is handed to `take`; it must be given all that the agent handles, in order."""

    def __init__(self) -> None:
        self._events = Counter[str]()
        self._commands = Counter[tuple[str, str]]()
        self._incidents = Counter[bool]()
        self._phases: dict[str, tuple[list[int], float]] = {}  # by name: the count of each bucket, and the sum in s
        self._last = 0  # the number of the last incident that was counted

    def take(self, handled: Handled, incident: Incident | None) -> None:
        """Count one event and, if it ended an incident, the incident: a listener of the agent."""
        event = handled.event
        self._events[type(event).__name__] += 1
        if isinstance(event, CommandResult):
            command = handled.before.pending_by_id(event.id)
            if command is not None:
                self._commands[type(command).__name__, _RESULTS[type(event)]] += 1
        if incident is not None and incident.is_over and incident.id != self._last:
            self._last = incident.id
            self._incidents[bool(incident.moves)] += 1
            for phase in incident.phases:
                if phase.at_ms is not None:
                    self._measure(phase.name, phase.at_ms / 1000)

    def as_json(self) -> dict[str, Any]:
        """The counts as JSON holds them: `phases` are the sum in seconds and the count of each bucket, by phase."""
        return {
            "events": dict(self._events),
            "commands": [[command, result, count] for (command, result), count in self._commands.items()],
            "incidents": {"yes" if moved else "no": count for moved, count in self._incidents.items()},
            "phases": {name: {"buckets": buckets, "sum_s": sum_s} for name, (buckets, sum_s) in self._phases.items()},
        }

    def _measure(self, phase: str, took_s: float) -> None:
        buckets, sum_s = self._phases.get(phase, ([0] * (len(BUCKETS_S) + 1), 0.0))
        buckets[bisect.bisect_left(BUCKETS_S, took_s)] += 1
        self._phases[phase] = buckets, sum_s + took_s
