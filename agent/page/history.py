"""The incidents of the agent's present run, read from its journal: their whole text, which the agent does not send."""

from collections import deque
from pathlib import Path

from ..explain.why import as_text
from ..history.incidents import Incident, Tracker
from ..history.journal import Entry, Player, last_start, read

KEPT = 50
"""How many incidents are kept; `switchover why` finds the others."""


class History:
    """Follows a journal from the present run's start on. Its methods read files: call them in a thread.

    If the journal is archived and a new one begins in its place, the new one is followed.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.is_closed = False
        self._begin(None)

    def _begin(self, first: tuple[int, Entry] | None) -> None:
        self._first = first  # entry of the journal, by which it is recognised
        self._player, self._tracker = Player(), Tracker()
        self._read_to: int | None = None
        self._incidents = deque[Incident](maxlen=KEPT)

    def text_of(self, number: int) -> str | None:
        """An incident as `switchover why` has it; None if it is not known. Raises `JournalError`."""
        self._read_on()
        found = next((each for each in self._incidents if each.id == number), None)
        return None if found is None else as_text(found)

    def _read_on(self) -> None:
        """Take what was written since the last time."""
        first = next(read(self._journal), None)
        if first != self._first:
            self._begin(first)
        if self._read_to is None:
            self._read_to = max(last_start(self._journal) - 1, 0)
        for number, entry in read(self._journal, self._read_to):
            if self.is_closed:
                return
            self._read_to = number
            handled = self._player.take(number, entry)
            incident = None if handled is None else self._tracker.take(handled)
            if incident is not None and (not self._incidents or self._incidents[-1] is not incident):
                self._incidents.append(incident)
