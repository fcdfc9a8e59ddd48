"""Processes: notices at once when an application's process dies, and when it is back.

While the process lives, nothing is polled: the kernel makes its pidfd readable when it dies. While it is down, its
pidfile is read every 100 ms.

The kernel reuses process numbers. So once a pidfile's process has died, the same file (inode, time of change and
number) is ignored, even if another process has that number. And a pidfile that is older than the process that it names
(by more than `START_TOLERANCE_S`, because clocks are set) is stale: it was left behind by another process.

Known weakness: after a clock was set forward by more than that, an application that was started before counts as down
for an LCA that is started after. The log names the pidfile; write it again, or restart the application.
"""

import asyncio
import errno
import logging
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from attrs import frozen

LOOK_AGAIN_MS = 100
"""How often a pidfile is read while its process is down, in milliseconds."""

START_TOLERANCE_S = 60.0
"""How much later than its pidfile a process may seem to have started, in seconds."""

LOG = logging.getLogger(__name__)


@frozen
class PidFile:
    """A pidfile as it was written once."""

    pid: int
    inode: int
    changed_ns: int


class Processes(Protocol):
    """The processes of a host, and their pidfiles."""

    def read(self, pidfile: Path) -> PidFile | None:
        """The current pidfile; None if it does not exist or does not begin with a process number."""
        ...

    def open_living(self, pid: int) -> int | None:
        """A descriptor that becomes readable when this process dies; None if it does not live. Raises `OSError`."""
        ...

    def start_of(self, pid: int) -> float | None:
        """When a process started, in seconds since the epoch by the current clock; None if that cannot be known."""
        ...

    def close(self, pidfd: int) -> None:
        """Close such a descriptor."""
        ...


class ProcessWatch:
    """Watches the process that a pidfile names, and calls `on_change(running)` whenever that changes.

    `name` is the application's name, for the caller. The pidfile has the process number on its first line. While it is
    missing or holds anything else, the application counts as down. The process may belong to any user and need not be a
    child of this one; a zombie counts as dead.
    """

    def __init__(
        self, name: str, pidfile: Path, on_change: Callable[[bool], None], processes: Processes | None = None
    ) -> None:
        self._processes = processes or LINUX
        self.name = name
        self._path = pidfile
        self._on_change = on_change
        self._disproved: PidFile | None = None
        self._pidfd: int | None = None
        self._timer: asyncio.Handle | None = None
        self._warned = ""

    @property
    def running(self) -> bool:
        """Whether the process was running when it was last checked."""
        return self._pidfd is not None

    def start(self) -> None:
        """Read the pidfile and watch from now on. The first result is in `running` and causes no call.

        Needs a running event loop.
        """
        self._loop = asyncio.get_running_loop()
        self._look()

    def close(self) -> None:
        """Stop watching; there are no more calls."""
        self._let_go()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_AGAIN_MS / 1000, self._look_again)
        found = self._processes.read(self._path)
        if found is None or found == self._disproved:
            return
        try:
            self._pidfd = self._process_of(found)
        except OSError as error:  # such as no file descriptor left: the next look may succeed
            self._warn(f"cannot watch the process of {self.name}, so it counts as down: {error.strerror}")
            return
        self._warned = ""
        if self._pidfd is None:
            self._disproved = found
        else:
            self._timer.cancel()
            self._loop.add_reader(self._pidfd, self._died, found)

    def _process_of(self, pidfile: PidFile) -> int | None:
        """A pidfd of the process that wrote this pidfile, or for which it was written; None if it does not live."""
        pidfd = self._processes.open_living(pidfile.pid)
        if pidfd is None:
            return None
        started = self._processes.start_of(pidfile.pid)
        late_s = 0.0 if started is None else started - pidfile.changed_ns / 1e9
        if late_s <= START_TOLERANCE_S:
            return pidfd
        self._processes.close(pidfd)
        LOG.warning(
            "%s is stale, so %s counts as down: process %d started %.0f s after the file was written",
            *(self._path, self.name, pidfile.pid, late_s),
        )
        return None

    def _warn(self, what: str) -> None:
        """Log it; the same text again only after a look that succeeded."""
        if what != self._warned:
            self._warned = what
            LOG.warning("%s", what)

    def _look_again(self) -> None:
        self._look()
        if self.running:
            self._on_change(True)

    def _died(self, pidfile: PidFile) -> None:
        self._let_go()
        self._disproved = pidfile
        self._timer = self._loop.call_soon(self._look_again)
        self._on_change(False)

    def _let_go(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            self._processes.close(self._pidfd)
            self._pidfd = None


class Linux:
    """The processes of this machine (see `Processes`)."""

    def read(self, pidfile: Path) -> PidFile | None:
        """The current pidfile; None if it does not exist or does not begin with a process number."""
        try:
            with pidfile.open("rb") as file:
                status = os.fstat(file.fileno())
                first_line = file.read(64).split(b"\n")[0].strip()
        except OSError:
            return None  # it does not exist (yet), or cannot be read: down either way
        if not first_line.isdigit():
            return None
        return PidFile(int(first_line), status.st_ino, status.st_mtime_ns)

    def open_living(self, pid: int) -> int | None:
        """A pidfd of the process, or None if there is no such process or only its zombie."""
        try:
            pidfd = os.pidfd_open(pid)
        except OverflowError:
            return None  # a number that no process can have
        except OSError as error:
            if error.errno in (errno.ESRCH, errno.EINVAL):
                return None  # no such process, or only a thread of one
            raise
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if poll.poll(0):
            os.close(pidfd)
            return None
        return pidfd

    def start_of(self, pid: int) -> float | None:
        """When a process started, in seconds since the epoch by the current clock; None if that cannot be known.

        The kernel counts from the boot, in the time that includes suspension (proc(5), /proc/PID/stat, field 22).
        """
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            since_boot_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError, ValueError):  # it has just ended, or /proc hides it
            return None
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot_s

    def close(self, pidfd: int) -> None:
        """See `Processes`."""
        os.close(pidfd)


LINUX = Linux()
