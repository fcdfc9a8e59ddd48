"""An event loop with virtual time: when nothing is left to do now, time jumps to the next timer.

Nothing waits and nothing depends on the speed of the machine, so every run is the same. It cannot wait for what happens
outside the loop, such as in threads or on sockets.
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

_BEGINS_AT_S = 1000.0  # not 0, which the journal takes for "now"
_WALL_NS = 946_684_800_000_000_000  # the first second of the year 2000: plainly no real time


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `clock` shows its time."""

    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)
        self._moments: dict[float, float] = {}  # for each time asked for, the last one that was used
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
        """As in every loop; but callbacks for the same time run in the order of these calls."""
        if len(self._moments) > _MOMENTS_KEPT:
            self._moments = {moment: last for moment, last in self._moments.items() if moment >= self.time()}
        last = self._moments.get(when)
        self._moments[when] = when if last is None else math.nextafter(last, math.inf)
        return super().call_at(self._moments[when], callback, *args, context=context)

    def _mono_ns(self) -> int:
        return round(self.time() * 1e9)


class _Jumps(selectors.SelectSelector):
    """Moves the time on where a loop would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = _BEGINS_AT_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("the loop waits with no timer set, so virtual time would never move on")
        if not ready:
            self.now_s += max(timeout or 0.0, 0.0)
        return ready


def run(main: Coroutine[None, None, Result]) -> Result:
    """Run a coroutine to its end in virtual time, as `asyncio.run` does in real time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
