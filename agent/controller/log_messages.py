"""The sources of a Genesys site's log messages: the spool of `switchover event`, and the log of an SCS.

Both are read once every host has reported, or after the time in which it should have: until then the core knows nothing
that an old message could contradict. Each is read by a thread of its own.
"""

import asyncio
import functools

from ...drivers.scs.log import ScsLog
from ...drivers.scs.reader import Reader
from ...drivers.scs.spool import Spool
from .agent import Agent

LOOK_EVERY_MS = 50
"""How often it is checked whether the hosts have reported, in milliseconds."""


class MessageSources:
    """The sources that the configuration names; their messages are handled like those that an operator passes on."""

    def __init__(self, agent: Agent) -> None:
        configuration = agent.configuration
        settings, known = configuration.agent, agent.solution.topology.applications
        take, age_s = agent.take_log_message, settings.spool_max_age_s
        self._agent = agent
        self._readers = [Reader(lambda deliver: Spool(settings.spool, deliver, age_s), known, take)]
        if log := configuration.scs_log:
            follow = functools.partial(ScsLog, log.file, log.bookmark, max_age_s=age_s)
            self._readers.append(Reader(lambda deliver: follow(deliver=deliver), known, take))
        self._waiting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start reading as soon as the hosts have reported."""
        self._waiting = asyncio.get_running_loop().create_task(self._listen())

    async def close(self) -> None:
        """Listen no more."""
        if self._waiting is not None:
            self._waiting.cancel()
        await asyncio.gather(*(reader.close() for reader in self._readers))

    async def _listen(self) -> None:
        solution = self._agent.configuration.solution
        looks = (solution.detection_ms + solution.settle_ms) // LOOK_EVERY_MS
        while looks > 0 and "unknown" in self._agent.solution.state.links:
            looks -= 1
            await asyncio.sleep(LOOK_EVERY_MS / 1000)
        for reader in self._readers:
            reader.start()
