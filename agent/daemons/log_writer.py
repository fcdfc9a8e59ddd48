"""Writes a daemon's log in a thread: the event loop never waits for a terminal that is stopped or a pipe that is full.

At most `WAITING` records wait. What comes while these wait is dropped, and counted in a line once there is room.
"""

import contextlib
import logging
import os
import queue
import threading
import time

WAITING = 10_000
"""How many records may wait for the reader of the log."""

FLUSH_S = 1.0
"""How long the end of a daemon waits for the reader of its log, in seconds."""

_LOOK_S = 0.005


class LogWriter(logging.Handler):
    """Hands formatted records to a thread that writes them to a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._waiting: queue.Queue[bytes] = queue.Queue(WAITING)
        self._dropped = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; it is dropped if too many wait."""
        try:
            line = self.format(record)
        except Exception:  # as other handlers do: a record that cannot be formatted must not stop the daemon
            self.handleError(record)
            return
        try:
            if self._dropped:
                text = f"{self._dropped} records were dropped here: nobody read the log"
                notice = logging.LogRecord("switchover", logging.WARNING, __file__, 0, text, None, None)
                self._waiting.put_nowait(self._encoded(self.format(notice)))
                self._dropped = 0
            self._waiting.put_nowait(self._encoded(line))
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Wait until all is written; at most `FLUSH_S`, if nobody reads."""
        end = time.monotonic() + FLUSH_S
        while self._waiting.unfinished_tasks and time.monotonic() < end:
            time.sleep(_LOOK_S)

    def _write(self) -> None:
        while True:
            data = self._waiting.get()
            with contextlib.suppress(OSError):  # there is nowhere else to report that the log cannot be written
                while data:
                    data = data[os.write(self._descriptor, data) :]
            self._waiting.task_done()

    @staticmethod
    def _encoded(line: str) -> bytes:
        return f"{line}\n".encode(errors="backslashreplace")
