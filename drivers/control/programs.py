"""Control commands: programs run without a shell, with limits on their time and output.

A command gets a session of its own, so that everything that it started ends with it, or at its deadline; a process that
began another session (a daemon) is left alone on purpose. The event loop notices the command's end through a pidfd: no
thread and no polling, unlike asyncio's own child watchers before Python 3.12.
"""

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from attrs import frozen

from ..errors import DriverError, ExitStatusError, TimedOutError
from .scheduling import ordinary_children

OUTPUT_LIMIT = 4096
"""How many bytes of a command's output are kept by default; the rest is read and dropped."""

KILL_GRACE_MS = 100
"""How long to wait for the end of a killed process, in milliseconds."""

HIDDEN = "***"
"""Shown in place of a secret."""


@frozen
class Completed:
    """A command that ended by itself.

    `status` is its exit status, or minus the number of the signal that ended it. `output` is its standard output and
    standard error in the order of writing, up to a limit; `cut` is true if there was more.
    """

    status: int
    output: str
    cut: bool = False


class Run(Protocol):
    """Runs a command to its end (see `run`)."""

    def __call__(
        self,
        argv: Sequence[str],
        deadline_ms: int,
        environment: Mapping[str, str] | None = None,
        output_limit: int = OUTPUT_LIMIT,
        /,
        *,
        leave_running: bool = False,
    ) -> Awaitable[Completed]:
        """Return its status, whatever it is, and its output. Raises `DriverError` or `TimedOutError`."""
        ...


async def run(
    argv: Sequence[str],
    deadline_ms: int,
    environment: Mapping[str, str] | None = None,
    output_limit: int = OUTPUT_LIMIT,
    secret: str | None = None,
    *,
    leave_running: bool = False,
) -> Completed:
    """Run a command to its end and return its status, whatever it is, and its output.

    What the command started is killed when it ends: a check that leaves a process behind at each look would fill the
    host. With `leave_running` it goes on, and its output is read until its last writer ends, one open file for each
    such command: that is for commands that start an application.

    `environment` is added to the variables of this process. The first `output_limit` bytes of output are kept. `secret`
    is an argument that no error shows. Raises `DriverError` if the command cannot be started, and `TimedOutError` if it
    has not ended within `deadline_ms` milliseconds; then, and when the caller is cancelled, the command and everything
    that it started are killed.
    """
    child, output = _start(argv, environment, output_limit, leave_running)
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            await child.ended.wait()
        output.read()  # the end may be noticed before the last output
    except TimeoutError:
        raise TimedOutError(f"{command_line(argv, secret)} did not end within {deadline_ms} ms") from None
    finally:
        await child.kill()
        if not leave_running:
            output.close()
    return Completed(child.status, output.text(), output.cut)


async def check(argv: Sequence[str], deadline_ms: int) -> str:
    """Run a command that must succeed, and return its output. What it started goes on.

    Raises as `run` does, and `ExitStatusError` with the last line of its output if its exit status is not 0.
    """
    completed = await run(argv, deadline_ms, leave_running=True)
    require_success(argv, completed)
    return completed.output


def require_success(argv: Sequence[str], completed: Completed, secret: str | None = None) -> None:
    """Raise `ExitStatusError` with the last line of the command's output if its exit status is not 0."""
    if completed.status != 0:
        said = last_line(output_without(completed, secret))[:OUTPUT_LIMIT]
        raise ExitStatusError(f"{command_line(argv, secret)} ended with status {completed.status}: {said}")


def command_line(argv: Sequence[str], secret: str | None = None) -> str:
    """A command as it is typed, with `***` for the secret argument.

    >>> command_line(["login", "-user", "an operator", "-password", "xyzzy"], secret="xyzzy")
    "login -user 'an operator' -password ***"
    """
    return " ".join(HIDDEN if argument == secret else shlex.quote(argument) for argument in argv)


def output_without(completed: Completed, secret: str | None) -> str:
    """A command's output with `***` in place of the secret, which is one line.

    A last line that was cut off is left out, because it may end within the secret. A secret that the command prints in
    another form, such as quoted or wrapped, is not recognised.
    """
    if not secret:
        return completed.output
    said = completed.output
    if completed.cut:
        said = said[: said.rfind("\n") + 1]
    return said.replace(_decoded(os.fsencode(secret)), HIDDEN)


def last_line(output: str) -> str:
    """The last line that is not empty: most commands print their reason there."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it printed nothing")


class Child:
    """A process in a session of its own, until it is reaped. `status` is valid once `ended` is set.

    Raises `OSError` if it cannot be watched. Without `leave_running`, its session ends with it.
    """

    def __init__(self, process: subprocess.Popen[bytes], *, leave_running: bool = True) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._leave_running = leave_running
        self._pidfd = os.pidfd_open(process.pid)
        self._loop.add_reader(self._pidfd, self._reap)
        self.ended = asyncio.Event()
        self.status = 0

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        if not self._leave_running:
            self._kill_session()
        self.status = self._process.wait()
        self.ended.set()

    def _kill_session(self) -> None:
        # The process is not reaped yet, so no other process can have its number.
        with contextlib.suppress(PermissionError):  # only processes of other users are left in it
            os.killpg(self._process.pid, signal.SIGKILL)

    async def kill(self) -> None:
        """Kill the process and all of its session, unless it has ended.

        A process that hangs in the kernel, e.g. on a dead file server, outlives this call and is reaped when it ends.
        """
        if self.ended.is_set():
            return
        self._kill_session()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_GRACE_MS / 1000):
                await self.ended.wait()


def _start(
    argv: Sequence[str], environment: Mapping[str, str] | None, output_limit: int, leave_running: bool
) -> tuple[Child, "_Output"]:
    """Start a command and begin to read its output."""
    try:
        process, pipe = _spawn(argv, environment)
    except OSError as error:
        raise DriverError(f"{argv[0]} cannot be run: {error.strerror}") from error
    try:
        child = Child(process, leave_running=leave_running)
    except OSError as error:  # no file descriptor is left
        os.close(pipe)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise DriverError(f"{argv[0]} cannot be watched: {error.strerror}") from error
    return child, _Output(pipe, output_limit)


def _spawn(argv: Sequence[str], environment: Mapping[str, str] | None) -> tuple[subprocess.Popen[bytes], int]:
    """Start a process; return it and the reading end of its output."""
    reading, writing = os.pipe()
    try:
        with ordinary_children():
            process = subprocess.Popen(  # noqa: S603 - it runs what the configuration names, and no shell interprets it
                argv,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return process, reading


class _Output:
    """A command's output, read as it comes, so that the command never waits for a reader.

    The pipe is read until its last writer has closed it, or until `close`. The last writer may end long after the
    command: a start command can leave its application behind with this pipe as standard output, and closing it would
    kill the application when it prints the next line.
    """

    def __init__(self, pipe: int, limit: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._pipe: int | None = pipe
        self._limit = limit
        self._kept = b""
        self.cut = False
        os.set_blocking(pipe, False)
        self._loop.add_reader(pipe, self.read)

    def read(self) -> None:
        """Read what is in the pipe."""
        if self._pipe is None:
            return
        try:
            data = os.read(self._pipe, 65536)
        except BlockingIOError:
            return
        room = self._limit - len(self._kept)
        self._kept += data[:room]
        self.cut = self.cut or len(data) > room
        if not data:
            self.close()

    def close(self) -> None:
        """Read no more, whoever still has the pipe open for writing."""
        if self._pipe is not None:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = None

    def text(self) -> str:
        """The output that was kept; bytes that are not UTF-8 are replaced."""
        return _decoded(self._kept)


def _decoded(output: bytes) -> str:
    return output.decode(errors="replace")
