"""A thread for calls that may hang in the kernel, so that nobody waits for them longer than a deadline."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import TimedOutError

T = TypeVar("T")


class KernelThread:
    """Makes calls one after the other in a thread of its own; a caller waits up to `deadline_ms` milliseconds.

    A call that hangs cannot be ended, and the calls after it wait for it, each up to its own deadline. So no more than
    one call is ever in the thread. The end of the process waits for none: it is a daemon thread, unlike those of
    `concurrent.futures`.
    """

    def __init__(self, name: str, deadline_ms: int) -> None:
        self._name = name
        self._deadline_ms = deadline_ms
        self._calls: queue.SimpleQueue[Callable[[], None] | None] | None = None
        self._turn = asyncio.Lock()
        self._last: asyncio.Future[Any] | None = None

    async def call(self, work: Callable[[threading.Event], T]) -> T:
        """What `work` returns or raises. Its argument is set when the caller no longer waits for it.

        Raises `TimedOutError` if the call does not return within the deadline; it may still have its effect later.
        """
        given_up = threading.Event()
        try:
            async with asyncio.timeout(self._deadline_ms / 1000), self._turn:
                if self._last is not None and not self._last.done():
                    await asyncio.wait([self._last])
                self._last = result = self._begin(work, given_up)
                return await asyncio.shield(result)
        except TimeoutError:
            raise TimedOutError(f"the kernel did not answer within {self._deadline_ms} ms") from None
        finally:
            given_up.set()

    def close(self) -> None:
        """End the thread when its last call returns. A later call begins another thread."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None

    def _begin(self, work: Callable[[threading.Event], T], given_up: threading.Event) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        result.add_done_callback(_retrieve)

        def call() -> None:
            try:
                value = work(given_up)
            except Exception as error:  # it goes to the caller
                settle = _settled(result.set_exception, error)
            else:
                settle = _settled(result.set_result, value)
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(settle)

        if self._calls is None:
            self._calls = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._calls,), name=self._name, daemon=True).start()
        self._calls.put(call)
        return result


def _serve(calls: "queue.SimpleQueue[Callable[[], None] | None]") -> None:
    while (call := calls.get()) is not None:
        call()


def _settled(settle: Callable[[T], None], outcome: T) -> Callable[[], None]:
    return lambda: settle(outcome)


def _retrieve(result: "asyncio.Future[Any]") -> None:
    """Nobody may be waiting for it any more; then its failure is no news."""
    if not result.cancelled():
        result.exception()
