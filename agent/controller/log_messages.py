"""Where log messages of a Genesys site come from: the spool of `switchover event`, and the log of an SCS.

Both are listened to when every host has reported, or after the time in which it should have: until then the core knows
nothing that an old message could contradict.
"""

import asyncio
import logging

from ...drivers.errors import DriverError
from ...drivers.scs.log import ScsLog
from ...drivers.scs.spool import Spool
from .agent import Agent

LOG = logging.getLogger("switchover.messages")

LOOK_EVERY_MS = 50
"""How often it is looked whether the hosts have reported, in milliseconds."""


class MessageSources:
    """The sources that the configuration names; what they bring is handled like what an operator passes on."""

    def __init__(self, agent: Agent) -> None:
        configuration = agent.configuration
        settings, known = configuration.agent, agent.solution.topology.applications

        def take(event_id: str, application: str) -> None:
            if application in known:  # the SCS of a site writes about many more
                agent.take_log_message(event_id, application)

        self._agent = agent
        self._sources: list[Spool | ScsLog] = [Spool(settings.spool, take, settings.spool_max_age_s)]
        if log := configuration.scs_log:
            self._sources.append(ScsLog(log.file, log.bookmark, take, settings.spool_max_age_s))
        self._waiting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen as soon as the hosts have reported."""
        self._waiting = asyncio.get_running_loop().create_task(self._listen())

    def close(self) -> None:
        """Listen no more."""
        if self._waiting is not None:
            self._waiting.cancel()
        for source in self._sources:
            source.close()

    async def _listen(self) -> None:
        solution = self._agent.configuration.solution
        looks = (solution.detection_ms + solution.settle_ms) // LOOK_EVERY_MS
        while looks > 0 and "unknown" in self._agent.solution.state.links:
            looks -= 1
            await asyncio.sleep(LOOK_EVERY_MS / 1000)
        for source in self._sources:
            try:
                source.start()
            except DriverError as error:
                LOG.error("going on without: %s", error)  # no reason to leave calls unserved
