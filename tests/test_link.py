"""The link over real sockets: sessions, silence, goodbyes, and everything that must be refused."""

import asyncio
import json
import logging
import os
import secrets
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import zmq
import zmq.asyncio
from attrs import evolve
from ports import free_port
from switchover.drivers.errors import DriverError
from switchover.drivers.keys import Identity, load_identity, load_public, make_keys
from switchover.drivers.link import THIS_AGENT, HostLink, LcaLink, LinkTiming
from switchover.drivers.link_session import Session
from switchover.drivers.wire import (
    MAX_BYTES,
    Body,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Notice,
    Order,
    Welcome,
    decode,
    encode,
)
from switchover.fsm.commands import EnableVip, HostCommand
from switchover.fsm.events import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    Mode,
    VipReported,
)

PATIENCE_S = 20
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
    """A bare authenticated socket in the place of one end, which can say anything."""

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

    async def say(self, body: Body) -> bytes:
        data = self.session.stamp(body)
        await self.socket.send_multipart([*self.route, data])
        return data

    async def say_bytes(self, *frames: bytes) -> None:
        await self.socket.send_multipart([*self.route, *frames])

    async def hear(self, kind: type) -> Message:
        """The next message of this kind; all of them count as heard."""
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
        """Do as an agent does until the welcome."""
        await self.say(Hello(detection_ms, THIS_AGENT))
        await self.hear(Heartbeat)
        await self.say(Heartbeat(hearing=True))
        await self.hear(Welcome)

    async def fresh(self) -> None:
        """Hear the newest heartbeat, so that what is said next is up to date."""
        with suppress(zmq.Again):
            while True:
                self.session.check_order(decode((await self.socket.recv_multipart(zmq.NOBLOCK))[-1]))
        await self.hear(Heartbeat)


class Cable:
    """A TCP proxy in front of the LCA that can stop forwarding, silently, and go on again."""

    def __init__(self, to_port: int) -> None:
        self.port = free_port()
        self._to_port = to_port
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        self._whole.clear()

    def heal(self) -> None:
        self._whole.set()

    def heal_for_new_connections(self) -> Callable[[], None]:
        """As TCP does that waits before its next repeat; what is returned ends the wait of the old ones."""
        before, self._whole = self._whole, asyncio.Event()
        self._whole.set()
        return before.set

    def break_connections(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def __aenter__(self) -> "Cable":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole.is_set():
            writer.close()
            return
        with suppress(ConnectionError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
            for source, sink in ((reader, far_writer), (far_reader, writer)):
                self._tasks.add(asyncio.create_task(self._forward(source, sink, self._whole)))
            return
        writer.close()

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, whole: asyncio.Event) -> None:
        try:
            with suppress(ConnectionError):
                while data := await source.read(65536):
                    await whole.wait()
                    sink.write(data)
        finally:
            sink.close()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("link") / "keys"
    make_keys(directory, ["host1", "stranger"])
    return directory


@pytest.fixture
def site(keys: Path) -> Site:
    return Site(keys)


@pytest.fixture
def refusals(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.WARNING, "switchover.link")
    return lambda: "\n".join(record.getMessage() for record in caplog.records)


# What a link is for


def test_commands_go_one_way_and_events_the_other(site: Site, eventually):
    """Report first, then each in its order; a command comes with its id and its deadline."""
    carried_out = []
    events = [VipReported("host1", held=False), ApplicationReported("sip1", Mode.DOWN), CommandSucceeded(7)]

    async def scenario():
        lca = site.lca_link(execute=lambda command, deadline_ms: carried_out.append((command, command.id, deadline_ms)))
        agent = site.host_link()
        async with running(lca, agent):
            await eventually(lambda: site.events)
            agent.send(ENABLE, 2000)
            await eventually(lambda: carried_out)
            for event in events:
                lca.send(event)
            await eventually(lambda: len(site.events) == 4)

    asyncio.run(scenario())
    assert carried_out == [(ENABLE, 7, 2000)]
    assert site.events == [CONNECTED, *events]
    assert site.heard == [True]


def test_ipv6(site: Site, eventually):
    """An endpoint may be an IPv6 address."""
    try:
        site.port = free_port("::1")
    except OSError as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no IPv6 here: {error}")
    site.address = "::1"

    async def scenario():
        async with running(site.lca_link(), site.host_link()):
            await eventually(lambda: site.events)

    asyncio.run(scenario())
    assert site.events == [CONNECTED]


def test_the_report_comes_first_however_long_it_takes(site: Site, eventually):
    """Heartbeats keep the session alive meanwhile, and what happens meanwhile is told after the report."""
    happened = VipReported("host1", held=False)

    async def report_slowly() -> HostReport:
        lca.send(happened)
        await asyncio.sleep(3 * DETECTION_MS / 1000)
        return REPORT

    async def scenario():
        nonlocal lca
        lca = site.lca_link(report=report_slowly)
        async with running(lca, site.host_link()):
            await eventually(lambda: len(site.events) == 2)

    lca: LcaLink
    asyncio.run(scenario())
    assert site.events == [CONNECTED, happened]


def test_a_report_that_fails_ends_the_session_and_is_asked_for_again(site: Site, eventually, refusals):
    """The log tells why the host does not connect."""
    attempts = []

    async def report_at_second_try() -> HostReport:
        attempts.append(1)
        if len(attempts) == 1:
            raise DriverError("the interface is gone")
        return REPORT

    async def scenario():
        async with running(site.lca_link(report=report_at_second_try), site.host_link()):
            await eventually(lambda: CONNECTED in site.events)

    asyncio.run(scenario())
    assert site.events == [LOST, CONNECTED]
    assert "no report for the agent" in refusals()


def test_events_that_nobody_can_be_told(site: Site, eventually, refusals):
    """Without an agent an event is dropped; too many before the report end the session, and the next one is whole."""
    happened = VipReported("host1", held=False)
    attempts = []

    async def report_at_second_try() -> HostReport:
        attempts.append(1)
        if len(attempts) == 1:
            for _ in range(401):
                lca.send(happened)
            await asyncio.sleep(PATIENCE_S)
        return REPORT

    async def scenario():
        nonlocal lca
        lca = site.lca_link(report=report_at_second_try)
        async with running(lca, site.host_link()):
            lca.send(happened)
            await eventually(lambda: CONNECTED in site.events)

    lca: LcaLink
    asyncio.run(scenario())
    assert site.events == [LOST, CONNECTED]


def test_a_solicitation_that_fails_is_tried_again(site: Site, eventually):
    """An interface that is down now may be up in a moment."""

    def fail(agent_address: str) -> None:
        site.solicited.append(agent_address)
        raise DriverError("the interface is down")

    async def scenario():
        async with running(site.lca_link(solicit=fail)):
            async with running(site.host_link()):
                await eventually(lambda: site.heard == [True])
            await eventually(lambda: len(site.solicited) > 2)
            async with running(site.host_link()):
                await eventually(lambda: site.heard == [True, False, True])

    asyncio.run(scenario())


def test_what_the_lca_cannot_carry_out_fails_at_once(site: Site, eventually):
    """A `DriverError` of `execute` is the command's result; so is a command for another host."""

    def refuse(command: HostCommand, _: int) -> None:
        raise DriverError(f"no such interface \udcff{'!' * 2000}")

    async def scenario():
        agent = site.host_link()
        async with running(site.lca_link(execute=refuse), agent):
            await eventually(lambda: site.events)
            agent.send(EnableVip("host1", id=1), 1000)
            agent.send(EnableVip("host2", id=2), 1000)
            await eventually(lambda: len(site.events) == 3)

    asyncio.run(scenario())
    _, first, second = site.events
    assert isinstance(first, CommandFailed)
    assert (first.id, first.reason[:20], len(first.reason)) == (1, "no such interface ?!", 1000)
    assert second == CommandFailed(2, "the command is for host 'host2', this is 'host1'")


def test_a_command_without_a_connection_fails_at_once(site: Site, eventually):
    """And `HostLost` is delivered once, however long nobody answers."""

    async def scenario():
        agent = site.host_link()
        async with running(agent):
            agent.send(ENABLE, 1000)
            await eventually(lambda: LOST in site.events)
            await asyncio.sleep(3 * DETECTION_MS / 1000)

    asyncio.run(scenario())
    assert site.events == [CommandFailed(7, "not sent: there is no connection to host host1"), LOST]


def test_goodbye_and_return(site: Site, eventually):
    """`HostLeft` stands in for `HostLost`, and a host that starts again connects again."""

    async def scenario():
        async with running(site.host_link()):
            async with running(site.lca_link()):
                await eventually(lambda: site.events)
            await eventually(lambda: LEFT in site.events)
            async with running(site.lca_link()):
                await eventually(lambda: len(site.events) == 3)
            await eventually(lambda: len(site.events) == 4)

    asyncio.run(scenario())
    assert site.events == [CONNECTED, LEFT, CONNECTED, LEFT]


def test_a_goodbye_before_the_welcome_is_a_loss(site: Site, eventually):
    """A host that never was connected cannot leave."""

    async def scenario():
        async with Peer(site, "host1", "agent") as lca, running(site.host_link()):
            await lca.hear(Hello)
            await lca.say(Goodbye())
            await eventually(lambda: site.events)

    asyncio.run(scenario())
    assert site.events == [LOST]


# Silence


def test_a_cut_cable(site: Site, eventually):
    """Both sides notice, a command of before the cut is never executed, and both are back when the network is."""

    async def scenario():
        async with running(site.lca_link()), Cable(site.port) as cable:
            agent = site.host_link(cable.port)
            async with running(agent):
                await eventually(lambda: site.events)
                cable.cut()
                agent.send(ENABLE, 60_000)  # TCP holds it back until the network returns
                await eventually(lambda: LOST in site.events and site.heard[-1] is False and site.solicited)
                cable.heal()
                await eventually(lambda: site.events[-1] == CONNECTED and site.heard[-1] is True)

    asyncio.run(scenario())
    assert site.events == [CONNECTED, SILENT, LOST, CONNECTED]
    assert site.heard == [True, False, True]
    assert site.executed == []
    assert set(site.solicited) == {"127.0.0.1"}


def test_a_silence_that_ends_in_time(site: Site, eventually):
    """A host that was silent for half of the detection time, and is heard again, was never lost."""
    site.detection_ms = 4000

    async def scenario():
        async with running(site.lca_link()), Cable(site.port) as cable, running(site.host_link(cable.port)):
            await eventually(lambda: site.events)
            cable.cut()
            await eventually(lambda: SILENT in site.events)
            cable.heal()
            await eventually(lambda: HEARD in site.events)

    asyncio.run(scenario())
    assert site.events == [CONNECTED, SILENT, HEARD]


def test_a_session_goes_on_over_another_connection(site: Site, eventually, refusals):
    """Once the network is back in time nothing is lost, and nothing comes twice when the old connection wakes up."""
    site.detection_ms = 4000
    happened = [VipReported("host1", held=False), VipReported("host1", held=True)]
    commands = [EnableVip("host1", id=number) for number in (1, 2, 3)]

    async def scenario():
        lca = site.lca_link()
        async with running(lca), Cable(site.port) as cable:
            agent = site.host_link(cable.port)
            async with running(agent):
                await eventually(lambda: site.events)
                agent.send(commands[0], 1000)
                await eventually(lambda: site.executed)
                cable.cut()
                agent.send(commands[1], 1000)
                lca.send(happened[0])
                await eventually(lambda: SILENT in site.events)
                wake_up = cable.heal_for_new_connections()
                await eventually(lambda: happened[0] in site.events and len(site.executed) == 2)
                wake_up()
                await eventually(lambda: "has moved" in refusals())
                agent.send(commands[2], 1000)
                lca.send(happened[1])
                await eventually(lambda: happened[1] in site.events and len(site.executed) == 3)

    asyncio.run(scenario())
    assert [event for event in site.events if event not in (SILENT, HEARD)] == [CONNECTED, *happened]
    assert [command.id for command in site.executed] == [1, 2, 3]
    assert site.heard == [True]


def test_a_connection_that_breaks_is_made_anew(site: Site, eventually):
    """A reset connection is no lost host: what was said meanwhile is told when it is heard again."""
    site.detection_ms = 4000
    happened = VipReported("host1", held=False)

    async def scenario():
        lca = site.lca_link()
        async with running(lca), Cable(site.port) as cable, running(site.host_link(cable.port)):
            await eventually(lambda: site.events)
            cable.break_connections()
            await asyncio.sleep(0.1)
            for _ in range(3):
                lca.send(happened)
            await eventually(lambda: happened in site.events)

    asyncio.run(scenario())
    assert [event for event in site.events if event not in (SILENT, HEARD)] == [CONNECTED, *[happened] * 3]


def test_a_network_that_is_cut_in_one_direction_is_cut(site: Site, eventually):
    """Heartbeats of a host that does not hear the agent are no sign of life."""

    async def keep_saying(lca: Peer):
        while LOST not in site.events:
            await lca.say(Heartbeat(hearing=False))
            await asyncio.sleep(0.02)

    async def scenario():
        async with Peer(site, "host1", "agent") as lca, running(site.host_link()):
            await lca.hear(Hello)
            await lca.say(Heartbeat(hearing=True))
            await lca.say(Welcome(REPORT))
            await eventually(lambda: CONNECTED in site.events)
            await asyncio.wait_for(keep_saying(lca), PATIENCE_S)

    asyncio.run(scenario())
    assert site.events == [CONNECTED, SILENT, LOST]


def test_a_stalled_agent_does_not_take_its_host_for_lost(site: Site, eventually):
    """While the agent's own loop stands still for far longer than the detection time, the host goes on."""
    stop = threading.Event()

    async def host_side():
        async with running(site.lca_link()):
            while not stop.is_set():
                await asyncio.sleep(0.01)

    async def agent_side():
        agent = site.host_link()
        async with running(agent):
            await eventually(lambda: site.events)
            time.sleep(4 * DETECTION_MS / 1000)
            await asyncio.sleep(DETECTION_MS / 1000)
            agent.send(ENABLE, 1000)
            await eventually(lambda: site.executed)

    with ThreadPoolExecutor(1) as elsewhere:
        lca = elsewhere.submit(asyncio.run, host_side())
        try:
            asyncio.run(agent_side())
        finally:
            stop.set()
        lca.result(PATIENCE_S)
    assert LOST not in site.events
    assert site.executed == [ENABLE]


# Who is let in


def test_a_stranger_is_not_let_in(site: Site, eventually, refusals):
    """A key that is not the agent's is refused, and both sides' logs say so."""

    async def scenario():
        async with running(site.lca_link(), site.host_link(identity="stranger")):
            await eventually(lambda: site.events and "does not accept this side's key" in refusals())

    asyncio.run(scenario())
    assert site.events == [LOST]
    assert f"127.0.0.1 has the key {load_public(site.keys, 'stranger').decode()}, not the agent's" in refusals()


def test_an_impostor_is_not_talked_to(site: Site, eventually, refusals):
    """A host whose key is not the expected one gets nothing from the agent."""

    async def scenario():
        async with running(site.lca_link(), site.host_link(host_key="stranger")):
            await eventually(lambda: site.events and "the handshake failed" in refusals())

    asyncio.run(scenario())
    assert site.events == [LOST]
    assert site.heard == []


def test_a_peer_without_a_key_is_not_let_in(site: Site, eventually, refusals):
    """Plain ZeroMQ ends in the handshake."""

    async def scenario():
        with zmq.Context() as context, context.socket(zmq.DEALER) as plain:
            plain.linger = 0
            async with running(site.lca_link()):
                plain.connect(f"tcp://127.0.0.1:{site.port}")
                with suppress(zmq.Again):  # the connection may have ended already
                    plain.send(encode(Message("session", 1, 0, 0, 0, Hello(DETECTION_MS))), zmq.NOBLOCK)
                await eventually(lambda: "unauthenticated peer: the handshake failed" in refusals())

    asyncio.run(scenario())
    assert site.heard == []


def test_the_newest_agent_wins(site: Site, eventually):
    """Once a newer agent has proved to be there, what the older one says is refused."""

    async def scenario():
        async with running(site.lca_link()), Peer(site, "agent", "host1") as old, Peer(site, "agent", "host1") as new:
            await old.join()
            await new.join()
            await old.say(Order(EnableVip("host1", id=1), 1000))
            await new.fresh()
            await new.say(Order(EnableVip("host1", id=2), 1000))
            await eventually(lambda: site.executed)
            await asyncio.sleep(0.1)

    asyncio.run(scenario())
    assert [command.id for command in site.executed] == [2]


def test_a_second_agent_is_refused_while_the_first_is_heard(site: Site, eventually, refusals):
    """Two agents with the same keys do not take the host from each other."""

    async def scenario():
        agent = site.host_link()
        async with running(site.lca_link(), agent), Peer(site, "agent", "host1") as second:
            await eventually(lambda: site.events)
            await second.say(Hello(DETECTION_MS, "another one"))
            await eventually(lambda: "second agent: 127.0.0.1 says hello while the agent at 127.0.0.1" in refusals())
            agent.send(ENABLE, 1000)
            await eventually(lambda: site.executed)

    asyncio.run(scenario())
    assert LOST not in site.events


def test_a_hello_alone_takes_nobodys_place(site: Site, eventually):
    """A hello that comes late, from before a cut, leaves the living session as it is."""

    async def scenario():
        agent = site.host_link()
        async with running(site.lca_link(), agent), Peer(site, "agent", "host1") as late:
            await eventually(lambda: site.events)
            await late.say(Hello(DETECTION_MS, THIS_AGENT))
            await late.hear(Heartbeat)
            await asyncio.sleep(2 * DETECTION_MS / 1000)
            agent.send(ENABLE, 1000)
            await eventually(lambda: site.executed)

    asyncio.run(scenario())
    assert LOST not in site.events


# What is refused


def changed(peer: Peer, **changes: object) -> bytes:
    """An order as it would be right now, changed in one respect."""
    return encode(evolve(decode(peer.session.stamp(Order(ENABLE, 1000))), **changes))


async def replay(peer: Peer) -> bytes:
    """Say something, and give back its bytes to be said once more."""
    return await peer.say(Heartbeat(hearing=True))


async def wait_until_stale(peer: Peer) -> bytes:
    await asyncio.sleep(1.5 * DETECTION_MS / 1000)
    return peer.session.stamp(Order(ENABLE, 1000))


REFUSED_BY_THE_LCA = {
    "malformed message: not JSON": lambda _: b"{",
    "malformed message: too long": lambda _: b" " * (MAX_BYTES + 1),
    "malformed message: 'Shutdown' is missing or unknown": lambda peer: json.dumps(
        {**json.loads(peer.session.stamp(Goodbye())), "body": {"type": "Shutdown"}}
    ).encode(),
    "malformed message: detection_ms is 29": lambda _: encode(Message("new", 1, 0, 0, 0, Hello(29))),
    "message of another session: 'other' is over, has moved": lambda peer: changed(peer, session="other"),
    "replayed message, or one out of order: number 1 after number": lambda peer: changed(peer, number=1),
    "replayed message, or one out of order": replay,
    "message out of date: its sender was last in touch": wait_until_stale,
    "message out of date: its sender was last in touch -": lambda peer: changed(peer, echo_ms=2**62),
    "message that has no business here: Goodbye from an agent": lambda peer: peer.session.stamp(Goodbye()),
}


@pytest.mark.parametrize("reason", REFUSED_BY_THE_LCA)
def test_the_lca_refuses(site: Site, eventually, refusals, reason: str):
    """It is logged with its reason and not executed; the session goes on."""

    async def scenario():
        async with running(site.lca_link()), Peer(site, "agent", "host1") as agent:
            await agent.join()
            await agent.fresh()
            data = REFUSED_BY_THE_LCA[reason](agent)
            await agent.say_bytes(data if isinstance(data, bytes) else await data)
            await eventually(lambda: reason in refusals())
            assert site.executed == []
            await agent.fresh()
            await agent.say(Order(ENABLE, 1000))
            await eventually(lambda: site.executed)

    asyncio.run(scenario())
    assert site.executed == [ENABLE]


def test_a_command_out_of_date_is_answered(site: Site, refusals):
    """The agent learns that its command came too late and was not executed."""

    async def scenario() -> Message:
        async with running(site.lca_link()), Peer(site, "agent", "host1") as agent:
            await agent.join()
            await agent.say_bytes(await wait_until_stale(agent))
            return await agent.hear(Notice)

    body = asyncio.run(scenario()).body
    assert isinstance(body, Notice)
    assert isinstance(body.event, CommandFailed)
    assert (body.event.id, body.event.reason[:19]) == (7, "message out of date")
    assert site.executed == []


@pytest.mark.parametrize("frames", [(b"",), (b"{}", b"{}"), (b"x" * 10 * MAX_BYTES,)])
def test_the_lca_survives(site: Site, eventually, frames: tuple[bytes, ...]):
    """Empty messages, messages in parts and huge ones, which end their connection, do no harm to others."""

    async def scenario():
        async with running(site.lca_link()), Peer(site, "agent", "host1") as odd:
            await odd.join()
            await odd.say_bytes(*frames)
            async with running(site.host_link()):
                await eventually(lambda: site.events)

    asyncio.run(scenario())
    assert site.events == [CONNECTED]


REFUSED_BY_THE_AGENT = {
    "malformed message: not JSON": lambda _: [b"{"],
    "malformed message: 2 frames instead of one": lambda _: [b"{}", b"{}"],
    "message of another session: 'other' instead of": lambda peer: [changed(peer, session="other")],
    "replayed message, or one out of order": lambda peer: [changed(peer, number=1)],
    "message that has no business here: Order from a host": lambda peer: [peer.session.stamp(Order(ENABLE, 1000))],
}


@pytest.mark.parametrize("reason", REFUSED_BY_THE_AGENT)
def test_the_agent_refuses(site: Site, eventually, refusals, reason: str):
    """It is logged with its reason, and nothing comes of it."""

    async def scenario():
        async with Peer(site, "host1", "agent") as lca, running(site.host_link()):
            await lca.hear(Hello)
            await lca.say(Heartbeat(hearing=True))
            await lca.say(Welcome(REPORT))
            await lca.say_bytes(*REFUSED_BY_THE_AGENT[reason](lca))
            await eventually(lambda: reason in refusals())
            await eventually(lambda: LOST in site.events)

    asyncio.run(scenario())
    assert site.events == [CONNECTED, SILENT, LOST]


def test_a_long_queue_is_carried_out_in_order(site: Site, eventually):
    """However much comes at once, nothing is lost or overtaken."""
    commands = [EnableVip("host1", id=number) for number in range(1, 2501)]

    async def scenario():
        async with running(site.lca_link()), Peer(site, "agent", "host1") as agent:
            await agent.join(detection_ms=60_000)
            for command in commands:
                await agent.say(Order(command, 1000))
            await eventually(lambda: len(site.executed) == len(commands))

    asyncio.run(scenario())
    assert [command.id for command in site.executed] == [command.id for command in commands]


# Settings


def test_names_are_no_addresses(site: Site):
    """Looking a name up could block the agent."""
    site.address = "localhost"
    with pytest.raises(DriverError, match="'localhost' is no IP address"):
        site.host_link()
    with pytest.raises(DriverError, match="'localhost' is no IP address"):
        site.lca_link()


def test_an_address_that_is_taken_is_an_error(site: Site):
    """Two LCAs cannot listen at one address."""

    async def scenario():
        second = site.lca_link()
        async with running(site.lca_link()):
            with pytest.raises(
                DriverError, match=f"cannot listen at tcp://127.0.0.1:{site.port}: Address already in use"
            ):
                second.start()
            await second.close()

    asyncio.run(scenario())


# In a real network


CUT_S = 3
ARP_REQUEST = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)


def arp_request(sender: str, target: str, mac: bytes) -> bytes:
    """A broadcast frame that asks for the target's MAC address (RFC 826)."""
    who = mac + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)
    return b"\xff" * 6 + mac + b"\x08\x06" + ARP_REQUEST + who


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)  # noqa: S603 - the test's own commands


def cut_oneself_off(loop: asyncio.AbstractEventLoop) -> None:
    """Part the host's bridge from its port: nothing passes, no carrier is lost, and the ARP cache is empty."""
    run("bridge link set dev eth0 state 0")
    run("ip neigh flush dev bridge0")
    loop.call_later(CUT_S, run, "bridge link set dev eth0 state 3")


def test_a_silent_cut_of_a_real_network(site: Site, wired, eventually):
    """The ARP caches are empty at the end of the cut, and the host solicits the agent's address until it is heard."""
    agent_side, host_side = wired
    site.address = "198.51.100.2"
    for command in (
        "addr flush dev eth0",
        "link add bridge0 type bridge",
        "link set eth0 master bridge0",
        "link set bridge0 up addrgenmode none",
        "addr add 198.51.100.2/24 dev bridge0",
    ):
        host_side.ip(command)
    connected_twice = threading.Event()

    async def host():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("bridge0", 0))
            mac = raw.getsockname()[4]

            def solicit(agent_address: str) -> None:
                site.solicited.append(agent_address)
                raw.send(arp_request(site.address, agent_address, mac))

            loop = asyncio.get_running_loop()
            async with running(site.lca_link(solicit=solicit, execute=lambda *_: cut_oneself_off(loop))):
                await eventually(connected_twice.is_set)

    async def agent():
        agent = site.host_link()
        async with running(agent):
            await eventually(lambda: CONNECTED in site.events)
            agent.send(ENABLE, 1000)
            await eventually(lambda: LOST in site.events)
            run("ip neigh flush dev eth0")
            await eventually(lambda: site.events[-1] == CONNECTED)
        connected_twice.set()

    with ThreadPoolExecutor(1) as elsewhere:
        lca = elsewhere.submit(host_side.run, host())
        agent_side.run(agent())
        lca.result(PATIENCE_S)
    assert site.events == [CONNECTED, SILENT, LOST, CONNECTED]
    assert set(site.solicited) == {"198.51.100.1"}
