"""An application on one of the lab's hosts: a process with a pidfile and a control socket, to be started and killed.

Its command lines are given as `Controls`; this module contains what all applications have in common.
"""

import asyncio
import os
import signal
import time
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from ..network.namespaces import LabError
from ..network.segment import Network, end, run
from .component import CONTROL_SOCKET, MODES, PIDFILE, UP

_START_S = 5.0


@frozen
class Controls:
    """The command lines of one application: to run it in the foreground, to change its mode, and to read its mode.

    `status` prints `primary` or `backup`, or `up` if the application has no modes, and exits with 0; if the application
    does not answer, it exits with another status. Without modes, `to_primary` and `to_backup` are empty. No command
    needs a shell, and only `serve` has to run in the host's namespace.
    """

    serve: tuple[str, ...]
    to_primary: tuple[str, ...]
    to_backup: tuple[str, ...]
    status: tuple[str, ...]


class Application:
    """One application on one host. Its files are in `directory`, whose path must be short enough for a Unix socket.

    `kind` describes it in the error message if it does not start.
    """

    def __init__(self, network: Network, host: str, name: str, directory: Path, controls: Controls, kind: str) -> None:
        self.host = host
        self.name = name
        self.controls = controls
        self.pidfile = directory / PIDFILE
        self.log = directory / "log"
        self._kind = kind
        self._network = network
        self._socket = directory / CONTROL_SOCKET
        self._process: Process | None = None
        directory.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """Start it and wait until it answers on its control socket. Raises `LabError` with its output on failure."""
        for leftover in (self.pidfile, self._socket):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = await self._network.spawn(self.host, self.controls.serve, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while not (self._socket.exists() and self.pidfile.exists() and await self.mode()):
            if self._process.returncode is not None or time.monotonic() > deadline:
                raise LabError(f"{self.name} ({self._kind}) does not start: {self._last_words()}")
            await asyncio.sleep(0.005)

    async def mode(self) -> str | None:
        """`primary`, `backup` or `up`, as reported by the application itself; None if it does not answer."""
        with suppress(LabError):
            answer = (await run(self.controls.status)).strip()
            return answer if answer in (*MODES, UP) else None
        return None

    async def kill(self) -> float:
        """Crash it: SIGKILL to all its processes at once. Returns the moment, in seconds of `time.monotonic`.

        The process is found by its pidfile, so it is also killed if somebody else has restarted it. Raises `LabError`
        if it does not run, or does not lead a process group of its own.
        """
        pid = self._pid()
        now = time.monotonic()
        os.killpg(pid, signal.SIGKILL)
        if self._process is not None and self._process.pid == pid:
            await self._process.wait()
        _reap(pid)
        return now

    async def stop(self) -> None:
        """Stop it: SIGTERM, then SIGKILL after two seconds. It is no error if it does not run."""
        if self._process is not None:
            await end(self._process)

    def _pid(self) -> int:
        try:
            pid = int(self.pidfile.read_text())
            leads = os.getpgid(pid) == pid
        except (OSError, ValueError) as error:
            raise LabError(f"{self.name} does not run: {error}") from None
        if not leads:
            raise LabError(f"{self.name} (process {pid}) does not lead its process group")
        return pid

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return " ".join(line.strip() for line in lines[-5:] if line.strip()) or "it printed nothing"


def _reap(group: int) -> None:
    """Reap the dead workers: inside the fence, this process is their new parent."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
