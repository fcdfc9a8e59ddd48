"""The journal's writer: a thread of its own, so that nothing on the path of a decision waits for a disk.

What is promised:

1. An event, with its decisions and commands, is handed to the writer before the first of these commands goes out. The
   writer begins `GATHER_S` later, and writes what waits in the order of happening, each event as a whole or not at all.
2. What is written survives the death of this process. A process that is killed loses what the writer had not written:
   as a rule the last few milliseconds, on a slow disk everything since it last answered (`JournalHealth.waiting`).
3. A power failure can lose the last moments before it as well, because no event waits until the disk has it.
4. While the disk is full, hangs or cannot be written, at most `BOUND` events wait; later ones are left out, and
   counted. When the disk is back, what waited is written. The next event stands with the state before it, so the
   journal can be read on from there, and with the number of events that are missing.
5. Nothing that the agent does depends on the journal: a new agent adopts what the hosts report, and numbers its
   commands anew.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from attrs import frozen

from .journal import Entry, Handled, JournalError
from .journal_file import JournalFile, RefusedRowsError
from .rows import Item, Rows

LOG = logging.getLogger("switchover.journal")

BOUND = 10_000
"""How many events wait for the disk at most."""

OPEN_WITHIN_S = 1.0
"""How long the start of the agent waits for the file, in seconds."""

CLOSE_WITHIN_S = 5.0
"""How long the end of the agent waits for the disk, in seconds."""

RETRY_S = 1.0
"""How long after a failure it is tried again, in seconds."""

LATE_S = 1.0
"""How long the disk may take until it is called late, in seconds."""

TIDY_AFTER_S = 1.0
"""How long after the last event the journal is tidied, in seconds."""

PRUNE_EVERY_S = 60.0
"""How often it is looked for old entries, in seconds."""

GATHER_S = 0.002
"""How long after an event it is written, in seconds: its commands go out meanwhile, and what follows it is gathered."""

_TOGETHER = 200  # events in one transaction


@frozen
class JournalHealth:
    """Whether the journal is written.

    `missing` counts the events that were left out since the agent started: they will never be in the journal. `waiting`
    ones are not written yet; what waits while all is well is not counted. `since_ns` is since when nothing was written
    (ns since 1970), None while all is well; otherwise `reason` says why.
    """

    missing: int = 0
    waiting: int = 0
    since_ns: int | None = None
    reason: str = ""


class Journal:
    """The journal in one file. No method but `flush` and `close` waits for the disk, and none fails because of it.

    `keep_days` and `most_mb` (10**6 bytes) say how much is kept: what is older, or too much, is deleted in the
    background; None: everything is kept.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_days: int | None = None,
        most_mb: int | None = None,
        bound: int = BOUND,
        open_file: Callable[[Path], JournalFile] = JournalFile,
    ) -> None:
        self._path, self._open_file, self._bound = path, open_file, bound
        self._keep_days, self._most_mb = keep_days, most_mb
        self._changed = threading.Condition()  # guards what follows, and is never held while the disk is waited for
        self._queue = deque[Item]()
        self._next: int | None = None
        self._missing = 0  # in all
        self._left_out = 0  # since the last item that was taken
        self._failed_at: int | None = None
        self._reason = ""
        self._is_closing = False
        self._prune_at = None if keep_days is None and most_mb is None else 0.0
        self._is_settled = threading.Event()  # whether the file was opened, or could not be
        self._rows = Rows()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()
        self._is_settled.wait(OPEN_WITHIN_S)

    @property
    def next_number(self) -> int:
        """The number of the next entry."""
        with self._changed:
            if self._next is None:  # the file's last number is not known: no lower one may be used twice
                self._next = time.time_ns() // 1_000_000
            return self._next

    @property
    def health(self) -> JournalHealth:
        """Whether it is written, and what is missing."""
        with self._changed:
            since, reason = self._failed_at, self._reason
            late_ns = time.monotonic_ns() - self._queue[0].handed_over_ns if self._queue else 0
            if since is None and late_ns > LATE_S * 1e9:
                since, reason = time.time_ns() - late_ns, "the disk does not answer"
            return JournalHealth(self._missing, len(self._queue) if since else 0, since, reason)

    def write(self, entries: Sequence[Entry], wall_ns: int = 0, mono_ns: int = 0) -> int:
        """Hand over entries with these times (0: now); returns the number of the first one."""
        number = self.next_number
        if entries:
            times = wall_ns or time.time_ns(), mono_ns or time.monotonic_ns()
            self._hand_over(Item(number, *times, entries=tuple(entries)))
        return number

    def record(self, handled: Handled, *, observe: bool = False) -> None:
        """Hand over a handled event, whose number is `next_number`, with its decisions and commands."""
        stamps = handled.number, handled.wall_ns, handled.mono_ns
        self._hand_over(Item(*stamps, handled=handled, observe=observe))

    def flush(self, within_s: float = CLOSE_WITHIN_S) -> bool:
        """Wait until everything is written or given up, at most for this time; returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, within_s)

    def close(self) -> None:
        """Write what waits, and close the file. What the disk does not take within `CLOSE_WITHIN_S` is lost."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_WITHIN_S)
        health = self.health
        if health.missing or health.waiting:
            LOG.error("the journal %s lacks %d events", self._path, health.missing + health.waiting)

    def _hand_over(self, item: Item) -> None:
        with self._changed:
            self._next = item.number + item.size
            if self._is_closing or len(self._queue) >= self._bound:
                self._missing += 1
                self._left_out += 1
                is_first = self._left_out == 1
            else:
                item.missing, self._left_out = self._left_out, 0
                self._queue.append(item)
                is_first = False
                self._changed.notify_all()
        if is_first:
            LOG.error(
                "the journal %s cannot keep up: %d events wait for the disk; the following ones are left out",
                self._path,
                self._bound,
            )

    # The thread

    def _run(self) -> None:
        file: JournalFile | None = None
        is_tidy, is_closed = True, False
        while not is_closed:
            try:
                if file is None:
                    file = self._opened()
                items = self._awaited(None if is_tidy and self._prune_at is None else TIDY_AFTER_S)
                if items:
                    is_tidy = False
                    self._write(file, items)
                elif self._is_closing:
                    is_closed = True
                else:
                    if not is_tidy:
                        file.tidy()
                    is_tidy = True
                    self._prune(file)
            except JournalError as error:
                if file is not None and _is_lost(file, error):
                    file = None
                is_closed = self._failed(str(error))
            except Exception as error:  # a mistake in the program: it is said, and the thread goes on
                if f"{error}" != self._reason:
                    LOG.exception("the journal's writer failed")
                is_closed = self._failed(f"{error}")
        if file is not None:
            file.close()

    def _opened(self) -> JournalFile:
        try:
            file = self._open_file(self._path)
        except JournalError:
            self._is_settled.set()
            raise
        self._rows.begin_file()
        with self._changed:
            if self._next is None:
                self._next = file.last + 1
        self._is_settled.set()
        return file

    def _awaited(self, at_most_s: float | None) -> list[Item]:
        """What waits, in order, once something does; nothing if that takes longer, or the journal is being closed."""
        with self._changed:
            if not self._queue:
                self._recovered()
            self._changed.wait_for(lambda: self._queue or self._is_closing, at_most_s)
        if not self._is_closing:
            time.sleep(GATHER_S)
        with self._changed:
            return list(islice(self._queue, _TOGETHER))

    def _write(self, file: JournalFile, items: Sequence[Item]) -> None:
        """Write these items, the first ones of the queue. Raises `JournalError` if they must wait."""
        try:
            file.write(*self._rows.of(items))
        except RefusedRowsError as error:
            if len(items) > 1:
                for item in items:
                    self._write(file, [item])
                return
            self._rows.leave_out(items[0])
            LOG.error("an event is left out: %s", error)  # the traceback says nothing more
            with self._changed:
                self._missing += 1
        with self._changed:
            for _ in items:
                self._queue.popleft()
            self._recovered()
            self._changed.notify_all()

    def _failed(self, reason: str) -> bool:
        """Say so, and wait until it should be tried again; returns whether the journal is to be closed instead."""
        with self._changed:
            if reason != self._reason:
                LOG.error("going on without a journal: %s", reason)
            self._failed_at, self._reason = self._failed_at or time.time_ns(), reason
            return self._changed.wait_for(lambda: self._is_closing, RETRY_S)

    def _recovered(self) -> None:
        if self._failed_at is not None:
            LOG.warning("the journal %s is written again; %d events are missing", self._path, self._missing)
        self._failed_at, self._reason = None, ""

    def _prune(self, file: JournalFile) -> None:
        """Delete what need not be kept any more: a chunk at a time, and a minute later if there is none."""
        if self._prune_at is None or time.monotonic() < self._prune_at:
            return
        try:
            deleted = file.prune(self._keep_days, self._most_mb)
        except JournalError as error:
            LOG.warning("%s; trying again in %g s", error, PRUNE_EVERY_S)
            deleted = 0
        if not deleted:
            self._prune_at = time.monotonic() + PRUNE_EVERY_S


def _is_lost(file: JournalFile, error: JournalError) -> bool:
    try:
        return file.is_lost(error)
    except JournalError as failure:  # it is closed, and cannot be set aside: opening it again says the same
        LOG.error("%s", failure)  # the traceback says nothing more
        return True
