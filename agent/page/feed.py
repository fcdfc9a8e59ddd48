"""What all who look on are told: one text, made again whenever something was handled, and at least every second.

It is made once for all of them, at most every `PAUSE_S`, so that a takeover, which is many events in a few
milliseconds, does not wait for it. Nothing is kept for who is slow: they get the latest text when they are ready.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

LOG = logging.getLogger("switchover.page")

PAUSE_S, EVERY_S = 0.1, 1.0


class Feed:
    """The text as it is now, for any number of readers; `make` makes it. Run `run` as a task."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make
        self._text = ""
        self._made_at = -PAUSE_S
        self._readers = 0
        self._news, self._renewed = asyncio.Event(), asyncio.Event()

    def stir(self) -> None:
        """Something was handled: the text is made again, soon."""
        self._news.set()

    async def run(self) -> None:
        """Make the text again and again, until cancelled. What cannot be made is logged, and tried again."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._news.wait()
            await asyncio.sleep(PAUSE_S)
            self._news.clear()
            if self._readers:
                self._renew()

    async def texts(self) -> AsyncIterator[str]:
        """The text as it is now, then each later one; a reader who is late skips those in between."""
        self._readers += 1
        try:
            if time.monotonic() - self._made_at >= PAUSE_S:
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
        except Exception:  # whatever it is, the agent goes on, and readers see that nothing comes
            LOG.exception("what the page shows cannot be made")
            return
        self._made_at = time.monotonic()
        renewed, self._renewed = self._renewed, asyncio.Event()
        renewed.set()
