"""One text for any number of readers: made anew soon after something changed, and at least every second.

It is made once for all readers, and at most every `pause_s` seconds, so that a takeover, which is many events in a few
milliseconds, does not wait for it. Nothing is queued for a slow reader: it gets the newest text when it is ready.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable

LOG = logging.getLogger("switchover.feed")

PAUSE_S, EVERY_S = 0.1, 1.0


class Feed:
    """The present text, for any number of readers; `make` makes it. Run `run` as a task.

    `pause_s` is the shortest time between two texts and `every_s` the longest, both in seconds.
    """

    def __init__(self, make: Callable[[], str], pause_s: float = PAUSE_S, every_s: float = EVERY_S) -> None:
        self._make = make
        self._pause_s, self._every_s = pause_s, every_s
        self._text = ""
        self._made_at = -pause_s
        self._readers = 0
        self._changed, self._renewed = asyncio.Event(), asyncio.Event()

    def stir(self) -> None:
        """Something changed: the text is made again, soon."""
        self._changed.set()

    async def run(self) -> None:
        """Make the text again and again, until cancelled. A failure is logged, and the next text is tried."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._changed.wait()
            await asyncio.sleep(self._pause_s)
            self._changed.clear()
            if self._readers:
                self._renew()

    async def texts(self) -> AsyncGenerator[str]:
        """The present text, then each later one; a reader that is late skips those in between."""
        self._readers += 1
        try:
            if time.monotonic() - self._made_at >= self._pause_s:
                self._renew()
            while True:
                renewed = self._renewed
                yield self._text
                await renewed.wait()
        finally:
            self._readers -= 1

    def _renew(self) -> None:
        try:
            self._text = self._make()
        except Exception:  # of any kind: the process goes on, and readers notice that no text comes
            LOG.exception("what is shown to readers cannot be made")
            return
        self._made_at = time.monotonic()
        renewed, self._renewed = self._renewed, asyncio.Event()
        renewed.set()
