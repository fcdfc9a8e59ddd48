"""A watch on the kernel's network configuration: addresses and interfaces that came, went or changed."""

import asyncio
import contextlib
import errno
import logging
from collections.abc import Callable

from ..errors import DriverError
from .kernel import LINUX, Kernel, Readable

REOPEN_AFTER_S = 1.0
"""How long to wait after the socket failed before another is opened, in seconds."""

LOG = logging.getLogger(__name__)


class NetworkWatch:
    """Calls `on_change` after any change of an address or an interface of this host; one call may stand for several.

    It says that something changed, not what: the caller looks. It also calls after it was deaf for a while.
    """

    def __init__(self, on_change: Callable[[], None], kernel: Kernel = LINUX) -> None:
        self._system = kernel
        self._on_change = on_change
        self._kernel: Readable | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._has_warned = False

    def start(self) -> None:
        """Watch from now on. Raises `DriverError` if that is impossible. Needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        try:
            self._kernel = kernel = self._system.network_changes()
        except OSError as error:
            raise DriverError(f"changes of the network cannot be watched: {error.strerror}") from error
        self._loop.add_reader(kernel, self._drain, kernel)

    def close(self) -> None:
        """Stop watching; there are no more calls."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._kernel is not None:
            self._loop.remove_reader(self._kernel)
            self._kernel.close()
            self._kernel = None

    def _drain(self, kernel: Readable) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                while kernel.recv(65536):
                    pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more changes than fit into the buffer: look all the same
                self._reopen_later(str(error))
        self._on_change()

    def _reopen_later(self, reason: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            LOG.warning("changes of the network are not seen: %s; trying again every second", reason)
        self.close()
        self._timer = self._loop.call_later(REOPEN_AFTER_S, self._reopen)

    def _reopen(self) -> None:
        try:
            self.start()
        except DriverError as error:
            self._reopen_later(str(error))
            return
        self._has_warned = False
        LOG.warning("changes of the network are watched again")
        self._on_change()
