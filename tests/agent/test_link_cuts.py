"""Cut cables, broken connections and stalled agents: how both ends of a link handle the silence."""

import asyncio
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from support.link_ends import (
    CONNECTED,
    DETECTION_MS,
    ENABLE,
    HEARD,
    LOST,
    PATIENCE_S,
    REPORT,
    SILENT,
    Peer,
    Site,
    refusals_in,
    running,
    site_with_keys,
)
from support.ports import free_port
from switchover.drivers.link.wire import Heartbeat, Hello, Welcome
from switchover.fsm.commands import EnableVip
from switchover.fsm.events import VipReported


class Cable:
    """A TCP proxy in front of the LCA that can silently stop forwarding and resume."""

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
        """Like TCP, which waits before its next repeat; the returned function ends the wait of the old connections."""
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


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with_keys(tmp_path)


@pytest.fixture
def refusals(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    return refusals_in(caplog)


# Silence


def test_a_cut_cable_is_noticed_at_both_ends(site: Site, eventually):
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


def test_a_silence_that_ends_in_time_loses_no_host(site: Site, eventually):
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
    """If the network is back in time, nothing is lost, and nothing arrives twice when the old connection wakes up."""
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


def test_a_broken_connection_is_replaced(site: Site, eventually):
    """A reset connection does not mean a lost host: what was sent in between arrives over the next one."""
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


def test_a_network_cut_in_one_direction_counts_as_cut(site: Site, eventually):
    """Heartbeats of a host that does not hear the agent are no sign of life."""

    async def keep_saying(lca: Peer):
        while LOST not in site.events:
            await lca.send(Heartbeat(hearing=False))
            await asyncio.sleep(0.02)

    async def scenario():
        async with Peer(site, "host1", "agent") as lca, running(site.host_link()):
            await lca.receive(Hello)
            await lca.send(Heartbeat(hearing=True))
            await lca.send(Welcome(REPORT))
            await eventually(lambda: CONNECTED in site.events)
            await asyncio.wait_for(keep_saying(lca), PATIENCE_S)

    asyncio.run(scenario())
    assert site.events == [CONNECTED, SILENT, LOST]


def test_a_stalled_agent_does_not_lose_its_host(site: Site, eventually):
    """The agent's loop stands still for far longer than the detection time, while the host goes on."""
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
    """Separate the host's bridge from its port: nothing passes, no carrier is lost, and the ARP cache is empty."""
    run("bridge link set dev eth0 state 0")
    run("ip neigh flush dev bridge0")
    loop.call_later(CUT_S, run, "bridge link set dev eth0 state 3")


def test_a_silent_cut_of_a_real_network_heals(site: Site, wired, eventually):
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
