"""Work that waits for a disk, done in a thread so that no event waits for it."""

import threading
from collections.abc import Callable

LONGEST_END_S = 5.0
"""How long the end of a piece of work is waited for when the thread is closed, in seconds."""


class Upkeep:
    """A thread that does its work once after every `wake`; several calls before it begins count as one.

    The thread begins with the first `wake`. `work` must not raise.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._wanted = threading.Event()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Do the work soon. Returns at once."""
        if self._is_closed:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
            self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        """End the thread; what it is doing comes to its end, unless that takes longer than `LONGEST_END_S`."""
        self._is_closed = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(LONGEST_END_S)
            self._thread = None

    def _run(self) -> None:
        while not self._is_closed:
            self._wanted.wait()
            self._wanted.clear()
            if not self._is_closed:
                self._work()
