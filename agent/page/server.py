"""`switchover page`: uvicorn, which serves the page, in a process of its own.

The process protects the agent: an attack on the page does not delay it. uvicorn is used as
it comes, with its limits: on the size of a request's head, on the number of connections, and on how long one may be
idle after an answer. A browser that does not read is given up by the kernel (TCP_USER_TIMEOUT, tcp(7)).

Weakness, admitted: a connection on which no whole request ever comes is kept for as long as its other end wants, and
with `CONNECTIONS` of these the page answers everybody else by 503. `switchover status --watch` shows the same.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import sys
from collections.abc import AsyncGenerator

import uvicorn
from starlette.applications import Starlette

from ..configuration.settings import Configuration, PageSettings
from ..daemons.logs import flush
from ..daemons.service_manager import ServiceManager
from ..daemons.signals import log_hangups
from ..daemons.start import begin
from .access import Access
from .application import Page
from .errors import PageError

LOG = logging.getLogger("switchover.page")

CONNECTIONS = 512
"""How many connections there may be; beyond, requests are answered by 503."""

IDLE_S = 5
"""How long a connection is kept after an answer, in seconds."""

LARGEST_HEAD = 16 * 1024
"""How large the head of a request may be, in bytes."""

UNREAD_MS = 10_000
"""How long an answer may wait for a browser that does not read, in milliseconds."""

_DONE, _NOT_SO, _BAD_INPUT = 0, 1, 2


def run_page(options: argparse.Namespace) -> int:
    """Serve the page until SIGTERM or SIGINT; returns the exit status."""
    configuration = begin(options)
    if configuration.page is None:
        print(f"switchover: {options.config} has no table [page]; add one to have a page", file=sys.stderr)
        return _BAD_INPUT
    signal.signal(signal.SIGTERM, _end)  # uvicorn ends in order, and then raises the signal again
    try:
        server = PageServer(configuration, configuration.page)
        asyncio.run(_serve(server))
    except PageError as error:
        flush()
        print(f"switchover: {error}", file=sys.stderr)
        return _NOT_SO
    return _DONE


async def _serve(server: "PageServer") -> None:
    log_hangups()
    await server.serve()


class PageServer:
    """The page of the agent that has this configuration. Raises `PageError` if it cannot be served."""

    def __init__(self, configuration: Configuration, settings: PageSettings) -> None:
        self._settings = settings
        self.page = Page(configuration, Access(settings), self._is_ending)
        config = uvicorn.Config(
            self.page.application(self._lifespan),
            http="h11",
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        )
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise PageError(f"the page's certificate cannot be used: {error}") from error
        self.server = uvicorn.Server(config)

    @property
    def url(self) -> str:
        """Where it is."""
        settings = self._settings
        address = f"[{settings.address}]" if settings.address.version == 6 else settings.address
        return f"{'https' if settings.tls_certificate else 'http'}://{address}:{settings.port}/"

    async def serve(self) -> None:
        """Listen, and serve until the server ends.

        Raises `PageError` if the port is taken, or the address is not this machine's.
        """
        listening = self._listen()
        with listening:
            await self.server.serve([listening])

    def _is_ending(self) -> bool:
        return self.server.should_exit

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None]:
        manager = ServiceManager()
        async with self.page.running():
            LOG.info("the live page is at %s", self.url)
            manager.ready(f"the live page is at {self.url}")
            yield
            manager.stopping()

    def _listen(self) -> socket.socket:
        address, port = str(self._settings.address), self._settings.port
        family = socket.AF_INET6 if self._settings.address.version == 6 else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio turns Nagle's delay off
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)  # connections inherit it
            listening.bind((address, port))
            listening.listen()
        except OSError as error:
            listening.close()
            raise PageError(f"the page cannot be served at {self.url}: {error.strerror}") from error
        return listening


def _end(*_: object) -> None:
    raise SystemExit(_DONE)
