"""The journal on a simulated disk: what the agent hands over is written later, in the world's time, or not at all."""

from collections.abc import Sequence

from ...history.journal import Entry, Handled
from ...history.writer import BOUND, Journal, JournalHealth
from .processes import WorldLoop


class JournalOnDisk(Journal):
    """The journal of an agent in a simulated world. It outlives the agent.

    The real one writes in a thread of its own, which the agent never waits for; here a queue takes its place.
    """

    def __init__(self, loop: WorldLoop) -> None:
        self._loop = loop
        self._number, self._waiting, self._lost = 1, 0, 0
        self._free_at = 0.0
        self.takes_s = 0.0
        """How long a write takes, in seconds."""
        self.is_full = False
        """Whether every write fails."""

    @property
    def next_number(self) -> int:
        """See `Journal`."""
        return self._number

    @property
    def health(self) -> JournalHealth:
        """See `Journal`."""
        since = round(self._loop.world_s * 1e9) if self.is_full else None
        return JournalHealth(self._lost, self._waiting if since else 0, since, "disk is full" if since else "")

    def write(self, entries: Sequence[Entry], wall_ns: int = 0, mono_ns: int = 0) -> int:
        """See `Journal`."""
        return self._take(len(entries))

    def record(self, handled: Handled, *, observe: bool = False) -> None:
        """See `Journal`."""
        self._take(1 + len(handled.steps) + len(handled.commands))

    def flush(self, within_s: float = 0.0) -> bool:
        """See `Journal`."""
        return not self._waiting

    def close(self) -> None:
        """See `Journal`."""

    def _take(self, size: int) -> int:
        number = self._number
        self._number += size
        if self._waiting >= BOUND:
            self._lost += 1
        else:
            self._waiting += 1
            self._free_at = max(self._free_at, self._loop.now_s) + self.takes_s
            self._loop.outside(self._free_at - self._loop.now_s, self._written)
        return number

    def _written(self) -> None:
        self._waiting -= 1
        self._lost += self.is_full
