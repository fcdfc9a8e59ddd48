"""What the journal's writer writes of an event: the rows of its entries, a snapshot, the row of its incident."""

import time
from collections.abc import Sequence

from attrs import define, evolve, field

from ...fsm.records import describe_command, describe_step
from .incidents import Tracker, brief
from .journal import (
    DECISION,
    OBSERVED,
    SNAPSHOT_EVERY,
    START,
    Entry,
    Handled,
    command_entry,
    event_entry,
    snapshot,
)
from .journal_file import Listed, Row
from .observe_mode import NOBODY_DID_IT


@define(eq=False)
class Item:
    """What is written as a whole: entries, or a handled event; its first entry has this number.

    `missing` events before it were left out. `handed_over_ns` is CLOCK_MONOTONIC.
    """

    number: int
    wall_ns: int
    mono_ns: int
    entries: Sequence[Entry] = ()
    handled: Handled | None = None
    observe: bool = False
    missing: int = 0
    handed_over_ns: int = field(factory=time.monotonic_ns)
    rows: list[Row] = field(factory=list[Row])
    listed: Listed | None = None
    file: int = 0  # for which file the rows were made

    @property
    def size(self) -> int:
        """How many entries it has."""
        return len(self.entries) if self.handled is None else 1 + len(self.handled.steps) + len(self.handled.commands)


class Rows:
    """Makes rows of items, which must come in order. Items that come again, after a failure, are not made anew."""

    def __init__(self) -> None:
        self._file = 0
        self._tracker = Tracker()
        self._incident = self._incident_base = 0
        self._base = 0  # the last start or snapshot
        self._since = 0  # how many events there were since
        self._missing = 0  # events that were left out, and that no snapshot mentions yet
        self._is_bare = True  # whether a reader cannot know the state before the next event

    def begin_file(self) -> None:
        """What is written next goes into another file, which does not have what was written before."""
        self._file += 1
        self._is_bare = True
        self._tracker = Tracker()

    def leave_out(self, item: Item) -> None:
        """This item cannot be written."""
        self._missing += 1
        self._is_bare = True
        item.rows = []

    def of(self, items: Sequence[Item]) -> tuple[list[Row], list[Listed]]:
        """The rows of these items, and those of the incidents that they belong to."""
        for item in items:
            if item.file != self._file:
                self._make(item)
            if item.handled is not None and (self._is_bare or self._since > SNAPSHOT_EVERY):
                number, entry = item.rows[0]
                item.rows[0] = number, evolve(entry, snapshot=self._snapshot(item.handled, observe=item.observe))
                self._begin(number)
        listed = {item.listed[0]: item.listed for item in items if item.listed is not None}
        return [row for item in items for row in item.rows], list(listed.values())

    def _make(self, item: Item) -> None:
        item.file = self._file
        self._missing += item.missing
        self._is_bare = self._is_bare or item.missing > 0
        handled = item.handled
        entries = item.entries if handled is None else _entries(handled, observe=item.observe)
        stamped = [evolve(entry, wall_ns=item.wall_ns, mono_ns=item.mono_ns) for entry in entries]
        item.rows = list(enumerate(stamped, item.number))
        if handled is not None:
            self._since += 1
            item.listed = self._listed(handled)
        elif any(entry.kind == START for entry in entries):
            self._begin(item.number)

    def _begin(self, number: int) -> None:
        self._base, self._since, self._missing, self._is_bare = number, 0, 0, False

    def _snapshot(self, handled: Handled, *, observe: bool) -> str:
        return snapshot(handled.topology, handled.before, handled.run, observe=observe, missing=self._missing)

    def _listed(self, handled: Handled) -> Listed | None:
        incident = self._tracker.take(handled)
        if incident is None:
            return None
        if incident.id != self._incident:
            will_begin = self._is_bare or self._since > SNAPSHOT_EVERY  # at this very event
            self._incident, self._incident_base = incident.id, handled.number if will_begin else self._base
        return incident.id, self._incident_base, handled.number, brief(incident) if incident.is_over else None


def _entries(handled: Handled, *, observe: bool) -> list[Entry]:
    """The entries of an event: itself, its decisions, its commands."""
    is_given_up = handled.event is NOBODY_DID_IT
    return [
        Entry(OBSERVED, handled.text) if is_given_up else event_entry(handled.text, handled.event),
        *(Entry(DECISION, describe_step(step)) for step in handled.steps),
        *(command_entry(describe_command(command), command, withheld=observe) for command in handled.commands),
    ]
