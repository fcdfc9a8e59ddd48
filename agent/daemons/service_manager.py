"""What a daemon reports to systemd (sd_notify(3)): that it is ready, its status, and that its loop still turns.

Without `$NOTIFY_SOCKET` nothing is reported. The variables are removed from the environment, so that no child process
can report in the name of the daemon.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, MutableMapping

LOG = logging.getLogger("switchover.notify")

STATUS_AT_MOST_EVERY_S = 0.2
"""The shortest time between two status reports, in seconds: a takeover changes the status a dozen times."""


class ServiceManager:
    """systemd, if it started this process and expects reports; otherwise nothing is sent."""

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        """Read and remove systemd's variables from the environment, by default the one of this process."""
        environment = os.environ if environment is None else environment
        address = environment.pop("NOTIFY_SOCKET", "")
        period_us, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        is_ours = pid in ("", str(os.getpid()))
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._beat_s = int(period_us) / 2e6 if is_ours and period_us.isdecimal() else 0.0
        self._socket: socket.socket | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._status = ""

    def ready(self, status: str) -> None:
        """Report that the daemon is ready. From now on the event loop reports to the watchdog twice per period."""
        self._status = status
        self._tell("READY=1", f"STATUS={status}")
        if self._beat_s and self._address:
            self._beat()

    def follow(self, status: Callable[[], str]) -> Callable[..., None]:
        """Returns a function to call when the status may have changed: soon after, a changed status is reported."""

        def look(*_: object) -> None:
            if self._address and "status" not in self._timers:
                self._timers["status"] = asyncio.get_running_loop().call_later(STATUS_AT_MOST_EVERY_S, tell)

        def tell() -> None:
            del self._timers["status"]
            if (now := status()) != self._status:
                self._status = now
                self._tell(f"STATUS={now}")

        return look

    def stopping(self) -> None:
        """Report that the daemon is about to end. Nothing is reported any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._tell("STOPPING=1")
        if self._socket is not None:
            self._socket.close()
        self._socket, self._address = None, ""

    def _beat(self) -> None:
        self._tell("WATCHDOG=1")
        self._timers["watchdog"] = asyncio.get_running_loop().call_later(self._beat_s, self._beat)

    def _tell(self, *lines: str) -> None:
        """Send one datagram, without waiting for its reader."""
        if not self._address:
            return
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            LOG.warning("systemd did not get %s: %s", lines[0], error)
