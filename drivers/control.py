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

from .errors import DriverError

OUTPUT_LIMIT = 4096
"""How many bytes of a command's output are kept if nothing else is said; what follows is read and dropped."""

KILL_GRACE_MS = 100
"""How long the end of a killed process is waited for, in milliseconds."""


@frozen
class Completed:
    """A command that ended by itself.

    `status` is its exit status, or minus the number of the signal that ended it. `output` holds its standard output
    and standard error in the order in which they were written, up to a limit.
    """

    status: int
    output: str


async def run(
    argv: Sequence[str],
    deadline_ms: int,
    environment: Mapping[str, str] | None = None,
    output_limit: int = OUTPUT_LIMIT,
) -> Completed:
    """Run a command to its end and return its status, whatever that is, and its output.

    `environment` holds variables that the command sees besides those of this process. Of its output the first
    `output_limit` bytes are kept. Raises `DriverError` if the command cannot be started or has not ended within
    `deadline_ms` milliseconds; then, and when the caller is cancelled, the command and what it started are killed.
    """
    child, output = _start(argv, environment, output_limit)
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            await child.ended.wait()
    except TimeoutError:
        raise DriverError(f"{shlex.join(argv)} did not end within {deadline_ms} ms") from None
    finally:
        await child.kill()
    output.read()  # the end may be seen before what was said last
    return Completed(child.status, output.text())


async def check(argv: Sequence[str], deadline_ms: int, environment: Mapping[str, str] | None = None) -> str:
    """Run a command that must succeed, and return its output.

    Raises `DriverError` as `run` does, and with the last line of its output if its exit status is not 0.
    """
    completed = await run(argv, deadline_ms, environment)
    if completed.status != 0:
        raise DriverError(f"{shlex.join(argv)} ended with status {completed.status}: {last_line(completed.output)}")
    return completed.output


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
        self._kept += data[: self._limit - len(self._kept)]
        if not data:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = None

    def text(self) -> str:
        """What was kept, with anything that is not UTF-8 replaced by a mark."""
        return self._kept.decode(errors="replace")
