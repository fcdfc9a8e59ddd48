"""An event loop whose time is virtual: where nothing is left to do now, it is at once the time of what comes next.

Nothing waits, and nothing depends on how fast the machine is: what happens on it happens the same way every time. It
has no room for what happens by itself outside, such as threads and sockets.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TypeVar, TypeVarTuple

from ..controller.clock import Clock

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

_MOMENTS_KEPT = 1000

_BEGINS_AT_S = 1000.0  # not at 0, which means "now" to the journal
_WALL_NS = 946_684_800_000_000_000  # the first second of the year 2000: plainly no real time


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. `clock` has its time."""

    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)
        self._moments: dict[float, float] = {}  # of each that was asked for, the last one that was given
        self.clock = Clock(lambda: _WALL_NS + self._mono_ns(), self._mono_ns)

    def time(self) -> float:
        """The virtual time, in seconds."""
        return self._jumps.now_s

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As of every loop; and what is to happen at one moment happens in the order in which it was asked for."""
        if len(self._moments) > _MOMENTS_KEPT:
            self._moments = {moment: last for moment, last in self._moments.items() if moment >= self.time()}
        last = self._moments.get(when)
        self._moments[when] = when if last is None else math.nextafter(last, math.inf)
        return super().call_at(self._moments[when], callback, *args, context=context)

    def _mono_ns(self) -> int:
        return round(self.time() * 1e9)


class _Jumps(selectors.SelectSelector):
    """Where a loop would wait until something comes, its time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = _BEGINS_AT_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen: virtual time has no end to wait for")
        if not ready:
            self.now_s += max(timeout or 0.0, 0.0)
        return ready


def run(main: Coroutine[None, None, Result]) -> Result:
    """Run it to its end on such a loop, as `asyncio.run` does on a real one."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
