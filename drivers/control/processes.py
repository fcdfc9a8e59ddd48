"""Processes: notices at once when an application's process dies, and when it is back.

While the process lives, nothing is polled: the kernel makes its pidfd readable when it dies. While it is down, its
pidfile is read every 100 ms.

The kernel reuses process numbers. So once a pidfile's process has died, the same file (inode, time of change and
number) is ignored, even if another process has that number. Known weakness: a pidfile that was stale before the watch
began is trusted if another process has its number at that moment; keep pidfiles where a reboot removes them, e.g. in
/run.
"""

import asyncio
import errno
import os
import select
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

LOOK_AGAIN_MS = 100
"""How often a pidfile is read while its process is down, in milliseconds."""


@frozen
class _PidFile:
    """A pidfile as it was written once."""

    pid: int
    inode: int
    changed_ns: int


class ProcessWatch:
    """Watches the process that a pidfile names, and calls `on_change(running)` whenever that changes.

    `name` is the application's name, for the caller. The pidfile has the process number on its first line. While it is
    missing or holds anything else, the application counts as down. The process may belong to any user and need not be a
    child of this one; a zombie counts as dead.
    """

    def __init__(self, name: str, pidfile: Path, on_change: Callable[[bool], None]) -> None:
        self.name = name
        self._path = pidfile
        self._on_change = on_change
        self._disproved: _PidFile | None = None
        self._pidfd: int | None = None
        self._timer: asyncio.Handle | None = None

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
        found = _read(self._path)
        if found is None or found == self._disproved:
            return
        self._pidfd = _open_living(found.pid)
        if self._pidfd is None:
            self._disproved = found
        else:
            self._timer.cancel()
            self._loop.add_reader(self._pidfd, self._died, found)

    def _look_again(self) -> None:
        self._look()
        if self.running:
            self._on_change(True)

    def _died(self, pidfile: _PidFile) -> None:
        self._let_go()
        self._disproved = pidfile
        self._timer = self._loop.call_soon(self._look_again)
        self._on_change(False)

    def _let_go(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None


def _read(path: Path) -> _PidFile | None:
    """The current pidfile; None if it does not exist or does not begin with a process number."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            first_line = file.read(64).split(b"\n")[0].strip()
    except OSError:
        return None  # it does not exist (yet), or cannot be read: down either way
    if not first_line.isdigit():
        return None
    return _PidFile(int(first_line), status.st_ino, status.st_mtime_ns)


def _open_living(pid: int) -> int | None:
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
