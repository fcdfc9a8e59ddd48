"""Both ends of a link over real sockets, and a peer in the place of one of them, for the tests of the link."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import zmq
import zmq.asyncio
from switchover.drivers.errors import DriverError
from switchover.drivers.link.agent_end import THIS_AGENT, HostLink
from switchover.drivers.link.keys import Identity, load_identity, load_public, make_keys
from switchover.drivers.link.lca_end import REPORT_MS, LcaLink
from switchover.drivers.link.session import Session
from switchover.drivers.link.silence import LinkTiming
from switchover.drivers.link.wire import Body, Heartbeat, Hello, Message, Welcome, decode
from switchover.fsm.commands import EnableVip, HostCommand
from switchover.fsm.events import (
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    Mode,
)

from support.ports import free_port

PATIENCE_S = 60
DETECTION_MS = 300
REPORT = HostReport({"sip1": Mode.PRIMARY}, vip_held=True)
CONNECTED, LOST, LEFT = HostConnected("host1", REPORT), HostLost("host1"), HostLeft("host1")
SILENT, HEARD = HostFellSilent("host1"), HostHeard("host1")
ENABLE = EnableVip("host1", id=7)


class Site:
    """Keys, a port, and both ends of a link with a record of all that they deliver."""

    def __init__(self, keys: Path) -> None:
        self.keys = keys
        self.address = "127.0.0.1"
        self.port = free_port()
        self.detection_ms = DETECTION_MS
        self.events: list[Event] = []
        self.executed: list[HostCommand] = []
        self.heard: list[bool] = []
        self.solicited: list[str] = []

    def host_link(self, port: int = 0, identity: str = "agent", host_key: str = "host1") -> HostLink:
        return HostLink(
            "host1",
            self.address,
            port or self.port,
            load_identity(self.keys, identity),
            load_public(self.keys, host_key),
            LinkTiming(self.detection_ms),
            self.events.append,
        )

    def lca_link(
        self,
        report: Callable[[], Awaitable[HostReport]] | None = None,
        solicit: Callable[[str], None] | None = None,
        execute: Callable[[HostCommand, int], None] | None = None,
        report_ms: int = REPORT_MS,
    ) -> LcaLink:
        return LcaLink(
            "host1",
            self.address,
            self.port,
            load_identity(self.keys, "host1"),
            load_public(self.keys, "agent"),
            report or report_at_once,
            execute or (lambda command, _: self.executed.append(command)),
            solicit or self.solicited.append,
            self.heard.append,
            report_ms,
        )


async def report_at_once() -> HostReport:
    return REPORT


@asynccontextmanager
async def running(*links: HostLink | LcaLink):
    for link in links:
        link.start()
    try:
        yield
    finally:
        for link in reversed(links):
            await link.close()


class Peer:
    """A bare authenticated socket in the place of one end, which can send anything."""

    def __init__(self, site: Site, own: str, other: str) -> None:
        self.context = zmq.asyncio.Context()
        self.socket = self.context.socket(zmq.DEALER if own == "agent" else zmq.ROUTER)
        identity: Identity = load_identity(site.keys, own)
        self.socket.curve_publickey, self.socket.curve_secretkey = identity.public, identity.secret
        endpoint = f"tcp://{site.address}:{site.port}"
        if own == "agent":
            self.socket.curve_serverkey = load_public(site.keys, other)
            self.socket.connect(endpoint)
        else:
            self.socket.curve_server = 1
            self.socket.bind(endpoint)
        self.session = Session(secrets.token_hex(16))
        self.route: list[bytes] = []
        self.beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Peer":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.beating is not None:
            self.beating.cancel()
        self.context.destroy(linger=0)

    async def send(self, body: Body) -> bytes:
        data = self.session.stamp(body)
        await self.socket.send_multipart([*self.route, data])
        return data

    async def send_bytes(self, *frames: bytes) -> None:
        await self.socket.send_multipart([*self.route, *frames])

    async def receive(self, kind: type) -> Message:
        """Receive messages up to the next one of this kind; all of them count as heard."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                *route, data = await self.socket.recv_multipart()
                message = decode(data)
                if isinstance(message.body, Hello) and message.session != self.session.id:
                    self.session, self.route = Session(message.session), route
                with suppress(DriverError):
                    self.session.check_order(message)
                if isinstance(message.body, kind):
                    return message

    async def join(self, detection_ms: int = DETECTION_MS) -> None:
        """Open a session as an agent does, up to the welcome."""
        await self.send(Hello(detection_ms, THIS_AGENT))
        await self.receive(Heartbeat)
        await self.send(Heartbeat(hearing=True))
        await self.receive(Welcome)

    async def catch_up(self) -> None:
        """Receive the newest heartbeat, so that the next message sent is up to date."""
        with suppress(zmq.Again):
            while True:
                self.session.check_order(decode((await self.socket.recv_multipart(zmq.NOBLOCK))[-1]))
        await self.receive(Heartbeat)


def site_with_keys(directory: Path) -> Site:
    """A site with new keys; the keys of `stranger` are expected by neither end."""
    make_keys(directory / "keys", ["host1", "stranger"])
    return Site(directory / "keys")


def refusals_in(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """The warnings of links from now on."""
    caplog.set_level(logging.WARNING, "switchover.link")
    return lambda: "\n".join(record.getMessage() for record in caplog.records)
