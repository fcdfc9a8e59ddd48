"""The lab's network, client, observers and SIP servers: the real thing (kernel, processes, SIP) in its own namespaces.

Each scenario runs inside of a lab of its own, for which this file is the program (`lab_program`).
"""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from support.lab_frames import advertisement, arp
from support.lab_possible import need_lab_if_marked
from support.lab_program import main, run_inside
from switchover.agent.lab.network import client, namespaces, observers
from switchover.agent.lab.network import segment as network
from switchover.agent.lab.network.client import Request, summarise
from switchover.agent.lab.network.observers import AddressEvent, no_holder_ms, two_holders_ms
from switchover.agent.lab.network.segment import HOSTS, MACS, VIP, Cut, Network
from switchover.agent.lab.programs import sip_server
from switchover.agent.lab.programs.sip_server import SipServer

V4, V6 = VIP


@pytest.fixture(autouse=True)
def _lab_possible(request: pytest.FixtureRequest) -> None:
    need_lab_if_marked(request, namespaces.why_not)


async def _vip(action: str, host: str) -> None:
    """Add the VIP to a host or delete it."""
    assert namespaces.is_inside()
    for address, size in zip(VIP, network.PREFIXES, strict=True):
        await network.run(["ip", "-n", host, "address", action, f"{address}/{size}", "dev", "eth0"])


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def _carrier(host: str) -> bool:
    return "LOWER_UP" in await network.run(["ip", "-n", host, "-oneline", "link", "show", "eth0"])


async def scenario_links(net: Network) -> None:
    """Each station reaches each other one; a cut stops frames both ways, keeps the carrier, and heals at once."""
    heard = observers.ArpObserver(net)
    await heard.start()
    for frame in (arp(1, V4, V4), arp(2, V4, V4), arp(1, V4, "198.51.100.30"), advertisement(V6, 0x20)):
        await _send("host1", frame)
    await _until(lambda: len(heard.announcements) == 3)
    await net.cut("host1")
    await _send("host1", arp(1, V4, V4))
    await _send("host2", arp(1, V4, V4, MACS["host2"]))
    await _until(lambda: len(heard.announcements) == 4)
    assert await _carrier("host1")
    await net.heal("host1")
    await _send("host1", arp(1, V4, V4))
    await _until(lambda: len(heard.announcements) == 5)
    await heard.stop()
    kinds = [(announcement.kind, announcement.mac[-2:]) for announcement in heard.announcements]
    assert kinds == [("request", "11"), ("reply", "11"), ("advertisement", "11"), ("request", "12"), ("request", "11")]
    assert [(cut.host, cut.end < time.monotonic()) for cut in net.cuts] == [("host1", True)]


async def _send(namespace: str, frame: bytes) -> None:
    program = "import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); "
    program += "s.send(bytes.fromhex(sys.argv[1]))"
    await network.run(network.run_in(namespace, [sys.executable, "-I", "-S", "-c", program, frame.hex()]))


async def scenario_sip(net: Network, implementation: str) -> None:
    """A client sees every change of server and mode, every crash and cut, and so do the observers."""
    state = namespaces.STATE
    watched = observers.AddressObserver(net)
    await watched.start()
    servers = [SipServer(net, host, f"SIP_Server_{host[-1]}", state / host, implementation) for host in HOSTS]
    for server in servers:
        await server.start()
    assert [await server.mode() for server in servers] == ["backup", "backup"]
    began = time.monotonic()
    await _vip("add", "host1")
    requests = await _ask(net, state, _changes(net, servers))
    await _vip("delete", "host1")
    await _until(lambda: [event.added for event in watched.events].count(False) == 2)
    await watched.stop()
    _check_what_was_seen(requests, watched.events, net.cuts, (began, time.monotonic()))


async def _changes(net: Network, servers: list[SipServer]) -> None:
    """What happens while the client asks; each part lasts for at least 50 requests."""
    await asyncio.sleep(0.05)
    await network.run(servers[0].controls.to_primary)
    assert await servers[0].mode() == "primary"
    await asyncio.sleep(0.05)
    assert await observers.arp_cache() == "host1"
    await net.cut("host1")
    await asyncio.sleep(0.05)
    await net.heal("host1")
    await asyncio.sleep(0.05)
    await servers[0].kill()
    assert await servers[0].mode() is None
    await asyncio.sleep(0.05)
    await servers[0].start()
    await asyncio.sleep(0.05)
    await servers[1].stop()
    assert await servers[1].mode() is None


async def _ask(net: Network, state: Path, meanwhile: Awaitable[None]) -> list[Request]:
    output = state / "answers"
    asking = await net.spawn("client", client.client_argv(V4, output), stdout=asyncio.subprocess.PIPE)
    assert asking.stdout is not None
    assert (await asking.stdout.readline()).decode().strip() == client.READY
    await meanwhile
    asking.terminate()
    assert await asking.wait() == 0
    return client.read_requests(output)


def _check_what_was_seen(
    requests: list[Request], events: list[AddressEvent], cuts: list[Cut], window: observers.Window
) -> None:
    backup, primary = "SIP_Server_1 (backup)", "SIP_Server_1 (primary)"
    answers = iter([request.server for request in requests])
    assert all(server in answers for server in (backup, primary, None, primary, None, backup))  # in this order
    summary = summarise(requests)
    assert (summary.recovered, summary.last_server) == (True, backup)
    assert 0 < summary.lost < summary.sent
    assert {(event.host, event.address) for event in events} == {("host1", V4), ("host1", V6)}
    assert two_holders_ms(events, cuts, window) == 0
    assert 0 < no_holder_ms(events, cuts, window) < 1000 * (window[1] - window[0])


async def scenario_holders(net: Network) -> None:
    """The observer sees two hosts hold the VIP, and one of them lose it when its lifetime runs out."""
    watched = observers.AddressObserver(net)
    await watched.start()
    for host in HOSTS:
        await _vip("add", host)
    await network.run(
        ["ip", "-n", "host1", "address", "change", f"{V4}/24", "dev", "eth0", "valid_lft", "1", "preferred_lft", "1"]
    )
    await _until(lambda: not watched.events[-1].added)
    await watched.stop()
    window = (watched.events[0].time, watched.events[-1].time)
    assert two_holders_ms(watched.events, [], window, [V4]) > 0
    assert observers.holders(watched.events, [], window[1], V4) == {"host2"}
    assert observers.holders(watched.events, [], window[1], V6) == set(HOSTS)


async def scenario_children(net: Network) -> None:
    """Whatever was started is ended, also what takes no notice of SIGTERM."""
    stubborn = "from signal import *; signal(SIGTERM, SIG_IGN); print(1, flush=True); pause()"
    child = await net.spawn("scs", [sys.executable, "-c", stubborn], stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()
    await network.end(child, grace_s=0.05)
    assert child.returncode == -signal.SIGKILL
    ended = await net.spawn("scs", ["sleep", "60"])
    await network.end(ended)
    assert ended.returncode == -signal.SIGTERM
    with pytest.raises(namespaces.LabError, match="no station 'host3'; there are host1, host2, scs, client"):
        await net.cut("host3")
    with pytest.raises(namespaces.LabError, match=r"ip -n nowhere link failed: .*nowhere"):
        await network.run(["ip", "-n", "nowhere", "link"])
    with pytest.raises(namespaces.LabError, match="no-such-command cannot be run: "):
        await network.run(["no-such-command"])


async def scenario_server_that_cannot_start(net: Network) -> None:
    """A server says why it does not start, and one that does not run cannot crash."""
    await network.run(network.run_in("host1", ["sysctl", "-q", "-w", "net.ipv4.ip_nonlocal_bind=0"]))
    server = SipServer(net, "host1", "SIP_Server_1", namespaces.STATE / "host1", sip_server.RESPONDER)
    with pytest.raises(namespaces.LabError, match=r"SIP_Server_1 \(responder\) does not start: .*assign"):
        await server.start()
    with pytest.raises(namespaces.LabError, match="SIP_Server_1 does not run"):
        await server.kill()


@pytest.mark.namespaces
@pytest.mark.parametrize(
    "scenario", [scenario_links, scenario_holders, scenario_children, scenario_server_that_cannot_start]
)
def test_network(scenario: Callable[[Network], Awaitable[None]]) -> None:
    run_inside(scenario)


@pytest.mark.namespaces
@pytest.mark.parametrize("implementation", sip_server.implementations())
def test_sip(implementation: str) -> None:
    run_inside(scenario_sip, implementation)


if __name__ == "__main__":
    main(globals(), *sys.argv[1:])
