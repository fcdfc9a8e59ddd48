"""Control commands: a program run without a shell, bounded in time and in what it may say.

A command gets a session of its own, so that its deadline ends everything it started and not only the command itself;
a process that made yet another session for itself (a daemon) escapes that on purpose. The end of the command is seen
through a pidfd by the event loop: no thread and no polling, unlike asyncio's own child watchers before Python 3.12.
"""

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence

from attrs import frozen

from ..errors import DriverError, ExitStatusError, TimedOutError

OUTPUT_LIMIT = 4096
"""How many bytes of a command's output are kept if nothing else is said; what follows is read and dropped."""

KILL_GRACE_MS = 100
"""How long the end of a killed process is waited for, in milliseconds."""

HIDDEN = "***"
"""What people see in place of a secret."""


@frozen
class Completed:
    """A command that ended by itself.

    `status` is its exit status, or minus the number of the signal that ended it. `output` holds its standard output
    and standard error in the order in which they were written, up to a limit; `cut` tells that there was more.
    """

    status: int
    output: str
    cut: bool = False


async def run(
    argv: Sequence[str],
    deadline_ms: int,
    environment: Mapping[str, str] | None = None,
    output_limit: int = OUTPUT_LIMIT,
    secret: str | None = None,
) -> Completed:
    """Run a command to its end and return its status, whatever that is, and its output.

    `environment` holds variables that the command sees besides those of this process. Of its output the first
    `output_limit` bytes are kept. `secret` is an argument that no error shows. Raises `DriverError` if the command
    cannot be started, and `TimedOutError` if it has not ended within `deadline_ms` milliseconds; then, and when the
    caller is cancelled, the command and what it started are killed.
    """
    child, output = _start(argv, environment, output_limit)
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            await child.ended.wait()
    except TimeoutError:
        raise TimedOutError(f"{command_line(argv, secret)} did not end within {deadline_ms} ms") from None
    finally:
        await child.kill()
    output.read()  # the end may be seen before what was said last
    return Completed(child.status, output.text(), output.cut)


async def check(argv: Sequence[str], deadline_ms: int) -> str:
    """Run a command that must succeed, and return its output.

    Raises as `run` does, and `ExitStatusError` with the last line of its output if its exit status is not 0.
    """
    completed = await run(argv, deadline_ms)
    require_success(argv, completed)
    return completed.output


def require_success(argv: Sequence[str], completed: Completed, secret: str | None = None) -> None:
    """Raise `ExitStatusError` with the last line of the command's output if its exit status is not 0."""
    if completed.status != 0:
        said = last_line(output_without(completed, secret))[:OUTPUT_LIMIT]
        raise ExitStatusError(f"{command_line(argv, secret)} ended with status {completed.status}: {said}")


def command_line(argv: Sequence[str], secret: str | None = None) -> str:
    """A command as one would type it, with `***` for the argument that is secret.

    >>> command_line(["login", "-user", "an operator", "-password", "xyzzy"], secret="xyzzy")
    "login -user 'an operator' -password ***"
    """
    return " ".join(HIDDEN if argument == secret else shlex.quote(argument) for argument in argv)


def output_without(completed: Completed, secret: str | None) -> str:
    """What a command said, with `***` wherever it repeats the secret, which is one line.

    A last line that was cut off is left out, as it may end in the middle of the secret. A secret that the command
    prints in another form, such as quoted or wrapped, is not recognised.
    """
    if not secret:
        return completed.output
    said = completed.output
    if completed.cut:
        said = said[: said.rfind("\n") + 1]
    return said.replace(_decoded(os.fsencode(secret)), HIDDEN)


def last_line(output: str) -> str:
    """The last line that says anything: where most commands name their reason."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it said nothing")


class Child:
    """A process that was started in a session of its own, until it is reaped. `status` counts once `ended` is set."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        self._loop.add_reader(self._pidfd, self._reap)
        self.ended = asyncio.Event()
        self.status = 0

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.status = self._process.wait()
        self.ended.set()

    async def kill(self) -> None:
        """Kill the process and all of its session, unless it has ended.

        One that hangs inside the kernel, e.g. on a dead file server, outlives this call and is reaped when it ends.
        """
        if self.ended.is_set():
            return
        # The leader is not reaped yet, so its number cannot have passed to another process.
        os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_GRACE_MS / 1000):
                await self.ended.wait()


def _start(argv: Sequence[str], environment: Mapping[str, str] | None, output_limit: int) -> tuple[Child, "_Output"]:
    """Start a command, and begin to read what it prints."""
    try:
        process, pipe = _spawn(argv, environment)
    except OSError as error:
        raise DriverError(f"{argv[0]} cannot be run: {error.strerror}") from error
    return Child(process), _Output(pipe, output_limit)


def _spawn(argv: Sequence[str], environment: Mapping[str, str] | None) -> tuple[subprocess.Popen[bytes], int]:
    """Start a process; return it and the reading end of its output."""
    reading, writing = os.pipe()
    try:
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
    """What a command prints, read as it comes so that the command never waits for a reader.

    The pipe is read until its last writer is gone, and that may be long after the command ended: a start command can
    leave its application behind with this pipe as standard output, and closing it would kill the application at the
    next line that it prints.
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
        """Take what is there, which is at most what a pipe holds."""
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
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = None

    def text(self) -> str:
        """What was kept, with anything that is not UTF-8 replaced by a mark."""
        return _decoded(self._kept)


def _decoded(output: bytes) -> str:
    return output.decode(errors="replace")
