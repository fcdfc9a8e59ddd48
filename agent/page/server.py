"""The page's server: uvicorn in the agent's own event loop, held to what the agent can spare.

Whoever connects can hold little: so many connections and no more, each hung up if it asks nothing, or does not read
what it is sent, for `PATIENCE_S`. No signal handler is installed, and a page that cannot be served is an error in the
log: the agent goes on without it.

Weakness, admitted: a TLS handshake that is begun and not ended is counted only when it is done.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Generator
from typing import cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..configuration.settings import PageSettings
from ..controller.agent import Agent
from .access import Access
from .application import Page
from .errors import PageError

LOG = logging.getLogger("switchover.page")

CONNECTIONS = 64
PATIENCE_S = 5.0


class PageServer:
    """The page of an agent; make it before the agent starts, because what it needs takes a while to be read.

    Raises `PageError` if it cannot be served.
    """

    def __init__(self, agent: Agent, settings: PageSettings) -> None:
        self._settings = settings
        access = Access(settings)
        self._page = Page(agent, access)
        self._config = uvicorn.Config(
            self._page.application(),
            http=_Bounded,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        )
        try:
            self._config.load()
        except (OSError, ssl.SSLError) as error:
            raise PageError(f"the page's certificate cannot be used: {error}") from error
        self._server = _Server(self._config)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Where it is."""
        address = f"[{self._settings.address}]" if self._settings.address.version == 6 else self._settings.address
        return f"{'https' if self._config.is_ssl else 'http'}://{address}:{self._settings.port}/"

    def start(self) -> None:
        """Listen. Raises `PageError` if the port is taken, or the address is not this machine's."""
        listening = self._listen()
        for work in (self._page.feed.run(), self._server.serve([listening])):
            task = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(_log_failure)
            self._tasks.append(task)
        LOG.info("the live page is at %s", self.url)

    async def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        feed, _ = self._tasks
        feed.cancel()
        self._server.should_exit = self._server.force_exit = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._page.close()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*self._server.server_state.tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the loop lets go of the connections

    def _listen(self) -> socket.socket:
        address, port = str(self._settings.address), self._settings.port
        listening = socket.socket(socket.AF_INET6 if self._settings.address.version == 6 else socket.AF_INET)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address, port))
        except OSError as error:
            listening.close()
            raise PageError(f"the page cannot be served at {self.url}: {error.strerror}") from error
        return listening


class _Server(uvicorn.Server):
    """uvicorn's server, without its signal handlers: the agent has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals alone."""
        yield


class _Bounded(H11Protocol):
    """A connection that is hung up if there are too many, or if the other end keeps it waiting."""

    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One more, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self.loop.call_later(PATIENCE_S, self._expect_a_request)

    def pause_writing(self) -> None:
        """The other end does not read as fast as it is sent to."""
        super().pause_writing()
        self._stalled = self.loop.call_later(PATIENCE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again, or is gone."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _expect_a_request(self) -> None:
        if cast("object | None", self.cycle) is None:  # no whole request came, as uvicorn's types do not tell
            self.transport.abort()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        LOG.error("the live page has ended, the agent goes on: %s", task.exception(), exc_info=task.exception())
