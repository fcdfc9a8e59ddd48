"""The live page: the solution at a glance, served by the agent."""

import logging
from typing import TYPE_CHECKING

from ..configuration.settings import PageSettings
from .errors import PageError

if TYPE_CHECKING:
    from ..controller.agent import Agent
    from .server import PageServer

LOG = logging.getLogger("switchover.page")


class LivePage:
    """The page of an agent, if one is configured and can be served. Make it before the agent starts.

    What keeps it from being served is an error in the log, and never one of the agent's: calls come first.
    """

    def __init__(self, agent: "Agent", settings: PageSettings | None) -> None:
        self._server = _server(agent, settings) if settings else None

    def start(self) -> None:
        """Serve it from now on."""
        try:
            if self._server is not None:
                self._server.start()
        except PageError as error:
            LOG.error("no live page: %s", error)
            self._server = None

    async def close(self) -> None:
        """Serve it no more."""
        if self._server is not None:
            await self._server.close()


def _server(agent: "Agent", settings: PageSettings) -> "PageServer | None":
    try:
        from .server import PageServer
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("switchover"):
            raise
        LOG.error("no live page: it needs %s: pip install 'switchover[page]'", error.name)
        return None
    try:
        return PageServer(agent, settings)
    except PageError as error:
        LOG.error("no live page: %s", error)
        return None
