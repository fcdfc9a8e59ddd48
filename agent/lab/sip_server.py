"""The lab's SIP Servers: one on each host, both bound to the VIP, each in a mode that a control command changes.

Kamailio where it is installed, otherwise `responder.py`; both answer alike. A server starts in backup mode, tells its
name and mode in every answer (`Server: SIP_Server_1 (primary)`), and answers in either mode what reaches it: which
server a client gets is decided by who holds the VIP, as it is with the real ones.
"""

import asyncio
import os
import shutil
import signal
import sys
import time
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from .namespaces import LabError
from .network import VIP, Network, end, run
from .responder import CONTROL_SOCKET, PIDFILE

KAMAILIO = "kamailio"
RESPONDER = "responder"

_HERE = Path(__file__).resolve().parent
_START_S = 5.0
_RESPONDER = (sys.executable, "-I", "-S", str(_HERE / "responder.py"))


@frozen
class Controls:
    """The command lines of one server: to run it in the foreground, to change its mode, and to read it.

    `status` prints `primary` or `backup` and exits with 0; where no server answers it exits with something else.
    None needs a shell, and only `serve` needs to run in the host's namespace.
    """

    serve: tuple[str, ...]
    to_primary: tuple[str, ...]
    to_backup: tuple[str, ...]
    status: tuple[str, ...]


def implementations() -> tuple[str, ...]:
    """The SIP servers that this machine has, the preferred one first."""
    kamailio = shutil.which("kamailio") and shutil.which("kamcmd")
    return (KAMAILIO, RESPONDER) if kamailio else (RESPONDER,)


def controls(implementation: str, name: str, directory: Path) -> Controls:
    """How to run and control a server called `name` that keeps its socket and pidfile in `directory`."""
    return (_kamailio if implementation == KAMAILIO else _responder)(name, directory)


def _kamailio(name: str, directory: Path) -> Controls:
    control = directory / CONTROL_SOCKET
    kamcmd = ("kamcmd", "-s", f"unixs:{control}")
    defines = ("-A", f'SERVER_NAME="{name}"', "-A", f'CONTROL_SOCKET="unix:{control}"')
    where = ("-P", str(directory / PIDFILE), "-Y", str(directory), "-w", str(directory))
    memory = ("-m", "16", "-M", "4")  # shared and private, in megabytes
    return Controls(
        serve=("kamailio", "-DD", "-f", str(_HERE / "kamailio.cfg"), *where, *memory, *defines),
        to_primary=(*kamcmd, "cfg.sets", "lab", "mode", "primary"),
        to_backup=(*kamcmd, "cfg.sets", "lab", "mode", "backup"),
        status=(*kamcmd, "cfg.get", "lab", "mode"),
    )


def _responder(name: str, directory: Path) -> Controls:
    mode = (*_RESPONDER, "mode", str(directory))
    return Controls(
        serve=(*_RESPONDER, "serve", name, str(directory), *VIP),
        to_primary=(*mode, "primary"),
        to_backup=(*mode, "backup"),
        status=mode,
    )


class SipServer:
    """One SIP Server on one host. Its files are in `directory`, which must be short enough for a socket's path."""

    def __init__(
        self, network: Network, host: str, name: str, directory: Path, implementation: str | None = None
    ) -> None:
        self.host = host
        self.name = name
        self.implementation = implementation or implementations()[0]
        self.controls = controls(self.implementation, name, directory)
        self.pidfile = directory / PIDFILE
        self.log = directory / "log"
        self._network = network
        self._socket = directory / CONTROL_SOCKET
        self._process: Process | None = None
        directory.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """Start it and wait until it answers its control socket. `LabError` with its own words if it does not."""
        for leftover in (self.pidfile, self._socket):  # of a server that was killed
            leftover.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = await self._network.spawn(self.host, self.controls.serve, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while not (self._socket.exists() and self.pidfile.exists() and await self.mode()):
            if self._process.returncode is not None or time.monotonic() > deadline:
                raise LabError(f"{self.name} ({self.implementation}) does not start: {self._last_words()}")
            await asyncio.sleep(0.005)

    async def mode(self) -> str | None:
        """`primary` or `backup`, as the server itself says; None if it does not answer."""
        with suppress(LabError):
            answer = (await run(self.controls.status)).strip()
            return answer if answer in ("primary", "backup") else None
        return None

    async def kill(self) -> float:
        """Let it crash: SIGKILL to every process of it at once. Returns when, in seconds of `time.monotonic`.

        The pidfile tells which one, so a server that somebody else started again in the meantime is killed too.
        `LabError` if it does not run, or does not lead a process group of its own.
        """
        pid = self._pid()
        now = time.monotonic()
        os.killpg(pid, signal.SIGKILL)
        if self._process is not None and self._process.pid == pid:
            await self._process.wait()
        _reap(pid)
        return now

    async def stop(self) -> None:
        """Stop it in order: SIGTERM, and SIGKILL if it takes longer than two seconds. Not running is no error."""
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
        return " ".join(line.strip() for line in lines[-5:] if line.strip()) or "it says nothing"


def _reap(group: int) -> None:
    """Take the dead workers off the process table: inside the fence their new parent is this process."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
