"""Processes: sees an application's process die at once, and sees it come back.

While the process lives, nothing polls: the kernel makes its pidfd readable at the moment of its death. While it is
down, its pidfile is looked at every 100 ms.

A process number is used again by the kernel, so a pidfile is believed once: when its process is found dead, the same
file (inode, time of change and number) is never believed again, whoever bears that number by then. Known weakness: a
pidfile that was stale before the watch began, and whose number another process bears at that moment, is believed; keep
pidfiles where a reboot removes them, e.g. in /run.
"""

import asyncio
import errno
import os
import select
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

LOOK_AGAIN_MS = 100
"""How often a pidfile is looked at while its process is down, in milliseconds."""


@frozen
class _PidFile:
    """One writing of a pidfile."""

    pid: int
    inode: int
    changed_ns: int


class ProcessWatch:
    """Watches the process that a pidfile names, and calls `on_change(running)` whenever that changes.

    `name` is the application's name, for whoever reads the watch. The pidfile holds the process number on its first
    line; it may appear later, vanish, or hold anything else, and then the application counts as down. The process may
    belong to any user and need not be a child of this one; a zombie counts as dead.
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
        """Whether the process runs, as far as was seen."""
        return self._pidfd is not None

    def start(self) -> None:
        """Look at the pidfile and watch from now on; what is found first is told by `running`, not by a call.

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
    """The pidfile as it is now; None if it is not there or does not begin with a process number."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            first_line = file.read(64).split(b"\n")[0].strip()
    except OSError:
        return None  # not there (yet), or not ours to read: down either way
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
