"""Helper processes: they do what takes seconds, so that the page answers everybody else meanwhile."""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

LOG = logging.getLogger("switchover.page")

WITHIN_S = 120.0
"""How long a helper may take, in seconds, on a busy machine."""


class Helpers:
    """Runs modules of this package as processes."""

    def __init__(self) -> None:
        self._running: set[Process] = set()
        self._is_closed = False

    async def run(self, module: str, *arguments: str) -> str | None:
        """What the module writes to standard output; None, and a line in the log, if it fails."""
        if self._is_closed:
            return None
        command = [sys.executable, "-m", module, *arguments]
        child = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
        self._running.add(child)
        try:
            return await self._output(child, " ".join(command[2:]))
        finally:
            self._running.discard(child)
            _kill(child)
            await child.wait()

    async def _output(self, child: Process, what: str) -> str | None:
        try:
            async with asyncio.timeout(WITHIN_S):
                output, errors = await child.communicate()
        except TimeoutError:
            LOG.error("%s took longer than %g s", what, WITHIN_S)
            return None
        if child.returncode != 0:
            if not self._is_closed:
                LOG.error("%s failed: %s", what, errors.decode(errors="replace").strip() or child.returncode)
            return None
        return output.decode()

    def close(self) -> None:
        """End those that run, and start no more."""
        self._is_closed = True
        for child in self._running:
            _kill(child)


def _kill(child: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()
