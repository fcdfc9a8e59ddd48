"""Which peers a link does not let in, and which messages of an accepted peer it refuses."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zmq
from attrs import evolve
from support.link_ends import (
    CONNECTED,
    DETECTION_MS,
    ENABLE,
    LOST,
    REPORT,
    SILENT,
    Peer,
    Site,
    refusals_in,
    running,
    site_with_keys,
)
from switchover.drivers.link.agent_end import THIS_AGENT
from switchover.drivers.link.keys import load_public
from switchover.drivers.link.wire import (
    MAX_BYTES,
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
from switchover.fsm.commands import EnableVip
from switchover.fsm.events import CommandFailed


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with_keys(tmp_path)


@pytest.fixture
def refusals(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    return refusals_in(caplog)


# Who is let in


def test_a_stranger_is_not_let_in(site: Site, eventually, refusals):
    """A key that is not the agent's is refused, and both sides' logs say so."""

    async def scenario():
        async with running(site.lca_link(), site.host_link(identity="stranger")):
            await eventually(lambda: site.events and "does not accept this side's key" in refusals())

    asyncio.run(scenario())
    assert site.events == [LOST]
    assert f"127.0.0.1 has the key {load_public(site.keys, 'stranger').decode()}, not the agent's" in refusals()


def test_an_impostor_gets_no_message(site: Site, eventually, refusals):
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
    """Once a newer agent has proved to be present, messages of the older one are refused."""

    async def scenario():
        async with running(site.lca_link()), Peer(site, "agent", "host1") as old, Peer(site, "agent", "host1") as new:
            await old.join()
            await new.join()
            await old.send(Order(EnableVip("host1", id=1), 1000))
            await new.catch_up()
            await new.send(Order(EnableVip("host1", id=2), 1000))
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
            await second.send(Hello(DETECTION_MS, "another one"))
            await eventually(lambda: "second agent: 127.0.0.1 says hello while the agent at 127.0.0.1" in refusals())
            agent.send(ENABLE, 1000)
            await eventually(lambda: site.executed)

    asyncio.run(scenario())
    assert LOST not in site.events


def test_a_hello_alone_replaces_no_session(site: Site, eventually):
    """A hello that comes late, from before a cut, leaves the living session as it is."""

    async def scenario():
        agent = site.host_link()
        async with running(site.lca_link(), agent), Peer(site, "agent", "host1") as late:
            await eventually(lambda: site.events)
            await late.send(Hello(DETECTION_MS, THIS_AGENT))
            await late.receive(Heartbeat)
            await asyncio.sleep(2 * DETECTION_MS / 1000)
            agent.send(ENABLE, 1000)
            await eventually(lambda: site.executed)

    asyncio.run(scenario())
    assert LOST not in site.events


# Refused messages


def changed(peer: Peer, **changes: object) -> bytes:
    """A valid order of this moment, changed in one respect."""
    return encode(evolve(decode(peer.session.stamp(Order(ENABLE, 1000))), **changes))


async def replay(peer: Peer) -> bytes:
    """Send a message, and return its bytes so that they can be sent again."""
    return await peer.send(Heartbeat(hearing=True))


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
    "message of another session: 'other' has ended, has moved": lambda peer: changed(peer, session="other"),
    "replayed message, or one out of order: number 1 after number": lambda peer: changed(peer, number=1),
    "replayed message, or one out of order": replay,
    "message out of date: its sender was last in touch": wait_until_stale,
    "message out of date: its sender was last in touch -": lambda peer: changed(peer, echo_ms=2**62),
    "unexpected message: Goodbye from an agent": lambda peer: peer.session.stamp(Goodbye()),
}


@pytest.mark.parametrize("reason", REFUSED_BY_THE_LCA)
def test_the_lca_refuses_invalid_messages(site: Site, eventually, refusals, reason: str):
    """It is logged with its reason and not executed; the session goes on."""

    async def scenario():
        async with running(site.lca_link()), Peer(site, "agent", "host1") as agent:
            await agent.join()
            await agent.catch_up()
            data = REFUSED_BY_THE_LCA[reason](agent)
            await agent.send_bytes(data if isinstance(data, bytes) else await data)
            await eventually(lambda: reason in refusals())
            assert site.executed == []
            await agent.catch_up()
            await agent.send(Order(ENABLE, 1000))
            await eventually(lambda: site.executed)

    asyncio.run(scenario())
    assert site.executed == [ENABLE]


def test_a_command_that_is_too_old_fails(site: Site, refusals):
    """The agent learns that its command came too late and was not executed."""

    async def scenario() -> Message:
        async with running(site.lca_link()), Peer(site, "agent", "host1") as agent:
            await agent.join()
            await agent.send_bytes(await wait_until_stale(agent))
            return await agent.receive(Notice)

    body = asyncio.run(scenario()).body
    assert isinstance(body, Notice)
    assert isinstance(body.event, CommandFailed)
    assert (body.event.id, body.event.reason[:19]) == (7, "message out of date")
    assert site.executed == []


@pytest.mark.parametrize("frames", [(b"",), (b"{}", b"{}"), (b"x" * 10 * MAX_BYTES,)])
def test_the_lca_survives_malformed_messages(site: Site, eventually, frames: tuple[bytes, ...]):
    """Empty messages, messages in parts and huge ones, which end their connection, do no harm to others."""

    async def scenario():
        async with running(site.lca_link()), Peer(site, "agent", "host1") as odd:
            await odd.join()
            await odd.send_bytes(*frames)
            async with running(site.host_link()):
                await eventually(lambda: site.events)

    asyncio.run(scenario())
    assert site.events == [CONNECTED]


REFUSED_BY_THE_AGENT = {
    "malformed message: not JSON": lambda _: [b"{"],
    "malformed message: 2 frames instead of one": lambda _: [b"{}", b"{}"],
    "message of another session: 'other' instead of": lambda peer: [changed(peer, session="other")],
    "replayed message, or one out of order": lambda peer: [changed(peer, number=1)],
    "unexpected message: Order from a host": lambda peer: [peer.session.stamp(Order(ENABLE, 1000))],
}


@pytest.mark.parametrize("reason", REFUSED_BY_THE_AGENT)
def test_the_agent_refuses_invalid_messages(site: Site, eventually, refusals, reason: str):
    """It is logged with its reason, and nothing comes of it."""

    async def scenario():
        async with Peer(site, "host1", "agent") as lca, running(site.host_link()):
            await lca.receive(Hello)
            await lca.send(Heartbeat(hearing=True))
            await lca.send(Welcome(REPORT))
            await lca.send_bytes(*REFUSED_BY_THE_AGENT[reason](lca))
            await eventually(lambda: reason in refusals())
            await eventually(lambda: LOST in site.events)

    asyncio.run(scenario())
    assert site.events == [CONNECTED, SILENT, LOST]
