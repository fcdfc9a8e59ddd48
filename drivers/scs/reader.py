"""Reads log messages in a thread, and has each one handled in the event loop: the loop never waits for a file.

The thread waits until the loop has handled a message before it reads on. So nothing piles up, nothing is dropped, and
what was not handled stays where it is, in the log or in the spool. A file that hangs (NFS) stops its own thread alone.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Container
from concurrent.futures import CancelledError, Future
from typing import Protocol

from ..errors import DriverError

LOG = logging.getLogger("switchover.messages")

LONGEST_END_S = 2.0
"""How long the end of a thread is waited for, in seconds."""

Deliver = Callable[[str, str], object]
"""Takes a message: its event id and its application. `CoreError`: it was refused. `Stopped`: it was not handled."""


class Stopped(Exception):  # noqa: N818  # nothing went wrong
    """The reader is ending: the message was not handled, and has to stay where it is."""


class Source(Protocol):
    """Where messages come from. All methods are called by one thread."""

    look_every_s: float

    def start(self) -> None:
        """Begin. Raises `DriverError`."""
        ...

    def take(self) -> bool:
        """Deliver what there is, a limited number at a time; returns whether there may be more. Raises `Stopped`."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class Reader:
    """Reads a source in a thread. `make` makes the source; its messages go to `deliver`, in the loop that started it.

    Messages about an application that is not `known` are left out: the SCS of a site writes about many.
    """

    def __init__(self, make: Callable[[Deliver], Source], known: Container[str], deliver: Deliver) -> None:
        self._source = make(self._hand_over)
        self._known = known
        self._deliver = deliver
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read. Needs a running event loop. What keeps the source from beginning is an error in the log."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="messages", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Deliver nothing more, and end the thread; one that hangs in a file for too long is left behind."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, LONGEST_END_S)
            if self._thread.is_alive():
                LOG.warning("a reader of messages hangs in a file: it is left behind")
            self._thread = None

    def _run(self) -> None:
        try:
            self._source.start()
        except DriverError as error:
            LOG.error("the agent goes on without this source of log messages: %s", error)
            return
        try:
            while not self._stopping.is_set():
                if not self._take():
                    self._stopping.wait(self._source.look_every_s)
        finally:
            self._source.close()

    def _take(self) -> bool:
        try:
            return self._source.take()
        except Stopped:
            return False
        except Exception:  # of any kind: later messages are read
            LOG.exception("a message could not be handled")
            return False

    def _hand_over(self, event_id: str, application: str) -> None:
        """In the thread: have the message handled by the loop, and wait until it is."""
        if application not in self._known:
            return
        done = Future[None]()
        try:
            self._loop.call_soon_threadsafe(self._handle, done, event_id, application)
            done.result()
        except (CancelledError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not self._loop.is_closed():
                raise
            raise Stopped from error

    def _handle(self, done: "Future[None]", event_id: str, application: str) -> None:
        """In the loop."""
        if self._stopping.is_set():
            done.cancel()
            return
        try:
            self._deliver(event_id, application)
        except Exception as error:  # it is the source's to judge
            done.set_exception(error)
        else:
            done.set_result(None)
