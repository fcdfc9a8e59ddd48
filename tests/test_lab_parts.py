"""The parts of the lab: its arithmetic, and the real thing (kernel, processes, SIP) inside the lab's own namespaces.

A test that needs namespaces runs this file as a program, `test_lab_parts.py enter SCENARIO ARGUMENT...`, which goes
through `namespaces.enter` and then runs one of the functions `scenario_*` inside.
"""

# ruff: noqa: S603, S607  # the commands are constant, and the system's own

import asyncio
import doctest
import os
import re
import secrets
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from switchover.agent.lab import client, namespaces, network, observers, responder, sip_server
from switchover.agent.lab.client import Request, summarise
from switchover.agent.lab.network import HOSTS, MACS, VIP, Cut, Network
from switchover.agent.lab.observers import AddressEvent, Announcement, announcement_in, no_holder_ms, two_holders_ms
from switchover.agent.lab.sip_server import SipServer

V4, V6 = VIP


@pytest.mark.parametrize("module", [client, namespaces, network, observers, responder, sip_server])
def test_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


# What the client went through


def _requests(pattern: str) -> list[Request]:
    """A request a millisecond; each letter tells who answered it (`.`: nobody, `L`: later than T1)."""
    return [
        Request(
            number * 1_000_000,
            None if who == "." else number * 1_000_000 + (600_000_000 if who == "L" else 200_000),
            None if who == "." else who,
        )
        for number, who in enumerate(pattern)
    ]


@pytest.mark.parametrize(
    ("pattern", "lost", "outage_ms", "outage_began", "recovered", "last"),
    [
        ("",             0, 0.0, None,  True,  None),
        ("111",          0, 0.0, None,  True,  "1"),
        ("11...22",      3, 3.0, 0.002, True,  "2"),
        ("..1....2.2",   7, 4.0, 0.003, True,  "2"),
        ("1LL2",         2, 2.0, 0.001, True,  "2"),
        ("11...",        3, 2.0, 0.002, False, "1"),
        ("...",          3, 2.0, 0.0,   False, None),
        (".",            1, 0.0, 0.0,   False, None),
    ],
)  # fmt: skip
def test_the_outage_is_the_longest_stretch_of_lost_requests(
    pattern: str, lost: int, outage_ms: float, outage_began: float | None, recovered: bool, last: str | None
) -> None:
    summary = summarise(_requests(pattern))
    assert summary == client.Summary(
        len(pattern), lost, outage_ms, outage_began, recovered, last, 0.2 if len(pattern) > lost else None
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sent":[1],"answered":[],"server":[],"servers":[]}'])
def test_a_file_that_no_client_wrote_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "answers"
    path.write_text(text)
    with pytest.raises(ValueError, match="is not what the lab's client writes"):
        client.read_requests(path)


# Who held the VIP


def _event(moment: float, host: str, added: bool, address: str = V4) -> AddressEvent:
    return AddressEvent(moment, host, address, added)


MOVE = [_event(1, "host1", True), _event(2, "host1", False), _event(2.5, "host2", True)]
OVERLAP = [_event(1, "host1", True), _event(2, "host2", True), _event(2.25, "host1", False)]


@pytest.mark.parametrize(
    ("events", "cuts", "two_ms", "none_ms"),
    [
        pytest.param([], [], 0, 4000, id="never-held"),
        pytest.param(MOVE, [], 0, 1500, id="moved-with-a-gap"),
        pytest.param(OVERLAP, [], 250, 1000, id="moved-with-an-overlap"),
        pytest.param(OVERLAP, [Cut("host1", 1.5)], 0, 1500, id="an-unreachable-holder-does-not-count"),
        pytest.param(OVERLAP, [Cut("host1", 1.5, 2.125)], 125, 1500, id="healed-while-both-hold-it"),
        pytest.param(MOVE, [Cut("host2", 0, 9)], 0, 3000, id="the-new-holder-is-unreachable"),
        pytest.param([*MOVE, MOVE[0]], [], 0, 1500, id="out-of-order-and-confirmed-twice"),
        pytest.param([*MOVE, _event(1, "host2", True, "198.51.100.12")], [], 0, 1500, id="another-address"),
    ],
)
def test_holders_of_one_address(events: list[AddressEvent], cuts: list[Cut], two_ms: float, none_ms: float) -> None:
    assert (two_holders_ms(events, cuts, (0, 4), [V4]), no_holder_ms(events, cuts, (0, 4), [V4])) == (two_ms, none_ms)


def test_the_vip_is_held_only_where_both_addresses_are() -> None:
    events = [_event(0, "host1", True), _event(0, "host1", True, V6), _event(1, "host2", True, V6)]
    assert two_holders_ms(events, [], (0, 3)) == 2000
    assert no_holder_ms([*events, _event(2, "host1", False)], [], (0, 3)) == 1000


moments = st.integers(0, 12)
some_events = st.lists(st.builds(_event, moments, st.sampled_from(HOSTS), st.booleans()), max_size=8)
some_cuts = st.lists(st.builds(Cut, st.sampled_from(HOSTS), moments, moments), max_size=3)


@given(some_events, some_cuts)
def test_holders_are_what_looking_every_second_shows(events: list[AddressEvent], cuts: list[Cut]) -> None:
    ordered = sorted(events, key=lambda event: event.time)
    seen = [observers.holders(ordered, cuts, second, V4) for second in range(2, 10)]
    assert two_holders_ms(events, cuts, (2, 10), [V4]) == 1000 * sum(len(hosts) == 2 for hosts in seen)
    assert no_holder_ms(events, cuts, (2, 10), [V4]) == 1000 * sum(not hosts for hosts in seen)


# What passes on the wire


def _arp(operation: int, sender: str, target: str, mac: str = MACS["host1"]) -> bytes:
    raw = bytes.fromhex(mac.replace(":", ""))
    payload = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    payload += raw + ip_address(sender).packed + bytes(6) + ip_address(target).packed
    return b"\xff" * 6 + raw + b"\x08\x06" + payload


def _advertisement(target: str, flags: int, option: bool = True, mac: str = MACS["host1"]) -> bytes:
    raw = bytes.fromhex(mac.replace(":", ""))
    message = struct.pack("!BBHB3x", 136, 0, 0, flags) + ip_address(target).packed
    message += b"\x02\x01" + raw if option else b""
    header = struct.pack("!IHBB", 0x60000000, len(message), 58, 255) + ip_address(V6).packed
    return bytes.fromhex("333300000001") + raw + b"\x86\xdd" + header + ip_address("ff02::1").packed + message


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        pytest.param(_arp(1, V4, V4), "request", id="gratuitous-request"),
        pytest.param(_arp(2, V4, V4), "reply", id="gratuitous-reply"),
        pytest.param(_arp(1, "198.51.100.30", V4), None, id="who-has"),
        pytest.param(_arp(2, V4, "198.51.100.30"), None, id="is-at-in-answer"),
        pytest.param(_arp(1, "198.51.100.11", "198.51.100.11"), None, id="gratuitous-for-another-address"),
        pytest.param(_arp(1, V4, V4)[:41], None, id="cut-short"),
        pytest.param(_advertisement(V6, 0x20), "advertisement", id="unsolicited"),
        pytest.param(_advertisement(V6, 0x20, option=False), "advertisement", id="unsolicited-without-option"),
        pytest.param(_advertisement(V6, 0x60), None, id="solicited"),
        pytest.param(_advertisement("2001:db8::11", 0x20), None, id="advertisement-of-another-address"),
        pytest.param(_advertisement(V6, 0x20)[:77], None, id="advertisement-cut-short"),
        pytest.param(b"", None, id="empty"),
        pytest.param(bytes(100), None, id="another-protocol"),
    ],
)
def test_announcements_are_told_from_other_frames(frame: bytes, kind: str | None) -> None:
    address = V6 if kind == "advertisement" else V4
    expected = Announcement(1.0, kind, address, MACS["host1"]) if kind else None
    assert announcement_in(frame, 1.0, VIP) == expected


@given(st.binary(max_size=120))
def test_no_frame_upsets_the_listener(frame: bytes) -> None:
    announcement_in(b"\xff" * 12 + b"\x08\x06" + frame, 1.0, VIP)
    announcement_in(b"\xff" * 12 + b"\x86\xdd" + frame, 1.0, VIP)


@pytest.mark.parametrize("line", ["", "nonsense", "[2026-01-01T00:00:00.0] 2: eth0    link/ether 00:00:5e:00:53:11"])
def test_a_line_that_is_about_no_address_is_no_event(line: str) -> None:
    assert observers.address_event("host1", line) is None


def test_a_stamp_from_another_time_is_not_believed() -> None:
    before = time.monotonic()
    event = observers.address_event("host1", f"[2001-01-01T00:00:00.0] Deleted 2: eth0    inet {V4}/24 scope global")
    assert event is not None
    assert before <= event.time <= time.monotonic()
    assert (event.host, event.address, event.added) == ("host1", V4, False)


# The responder's answers


def test_an_answer_repeats_what_pairs_it_with_its_request() -> None:
    request = (
        b"OPTIONS sip:198.51.100.10 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP b\r\n"
        b"Max-Forwards: 70\r\nFrom: <sip:c>;tag=1\r\nTo: <sip:d>\r\nCall-ID: 7.x\r\nCSeq: 7 OPTIONS\r\n\r\nVia: body"
    )
    assert (responder.answer(request, "S (primary)") or b"").decode().split("\r\n") == [
        "SIP/2.0 200 OK", "Via: SIP/2.0/UDP a;branch=z9hG4bK1", "Via: SIP/2.0/UDP b", "From: <sip:c>;tag=1",
        "To: <sip:d>;tag=lab", "Call-ID: 7.x", "CSeq: 7 OPTIONS", "Server: S (primary)", "Content-Length: 0", "", "",
    ]  # fmt: skip


def test_what_is_not_served_is_answered_or_ignored_as_sip_wants_it() -> None:
    invite = responder.answer(b"INVITE sip:a SIP/2.0\r\nTo: <sip:a>;tag=9\r\n\r\n", "S")
    assert (invite or b"").decode().split("\r\n") == [
        "SIP/2.0 405 Method Not Allowed", "To: <sip:a>;tag=9",
        "Server: S", "Allow: OPTIONS", "Content-Length: 0", "", "",
    ]  # fmt: skip
    for text in (b"ACK sip:a SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK", b"\xff"):
        assert responder.answer(text, "S") is None


@pytest.mark.parametrize("arguments", [[], ["serve", "N", "/d"], ["mode", "/d", "master"], ["mode"]])
def test_the_responder_explains_its_command_line(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"usage: responder\.py"):
        responder.main(arguments)


def test_a_mode_command_without_a_server_fails(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no SIP server answers in"):
        responder.main(["mode", str(tmp_path)])


# Outside of the fence


def test_no_network_is_built_in_the_machines_own_namespace() -> None:
    with pytest.raises(namespaces.LabError, match="never in the machine's"):
        asyncio.run(Network().build())
    with pytest.raises(namespaces.LabError, match="only made inside"):
        namespaces.prepare()


# Inside: each scenario runs in a lab of its own, the test of the same name below it starts it


@pytest.fixture(autouse=True)
def _lab_possible(request: pytest.FixtureRequest) -> None:
    """Skip where the lab cannot run; fail instead where everything is expected to run."""
    if request.node.get_closest_marker("namespaces") is not None and (reason := namespaces.why_not()) is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def _command(scenario: Callable[..., Awaitable[None]], *arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", __file__, "enter", scenario.__name__, *arguments]


def _run_inside(scenario: Callable[..., Awaitable[None]], *arguments: str) -> None:
    done = subprocess.run(_command(scenario, *arguments), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


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
    for frame in (_arp(1, V4, V4), _arp(2, V4, V4), _arp(1, V4, "198.51.100.30"), _advertisement(V6, 0x20)):
        await _send("host1", frame)
    await _until(lambda: len(heard.announcements) == 3)
    await net.cut("host1")
    await _send("host1", _arp(1, V4, V4))
    await _send("host2", _arp(1, V4, V4, MACS["host2"]))
    await _until(lambda: len(heard.announcements) == 4)
    assert await _carrier("host1")
    await net.heal("host1")
    await _send("host1", _arp(1, V4, V4))
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
    told = iter([request.server for request in requests])
    assert all(server in told for server in (backup, primary, None, primary, None, backup))  # in this order
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
    _run_inside(scenario)


@pytest.mark.namespaces
@pytest.mark.parametrize("implementation", sip_server.implementations())
def test_sip(implementation: str) -> None:
    _run_inside(scenario_sip, implementation)


# The fence itself


async def scenario_wait(net: Network, token: str) -> None:
    """Run, with a process in a namespace that can be recognised from outside, until told to stop."""
    await net.spawn("host1", [sys.executable, "-c", "import time; time.sleep(60)", token])
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("tidied up", flush=True)


async def scenario_status(_net: Network, status: str) -> None:
    """End with a status."""
    raise SystemExit(int(status))


@contextmanager
def _waiting_lab(*prefix: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A lab that is up and waits, started as from a terminal, and the token by which its processes are known."""
    token = secrets.token_hex(16)
    command = [*prefix, *_command(scenario_wait, token)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, process_group=0) as outside:
        try:
            assert outside.stdout is not None
            assert outside.stdout.readline() == "ready\n"
            yield outside, token
        finally:
            outside.kill()


def _alive(token: str) -> list[str]:
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [process.parent.name] if token.encode() in process.read_bytes() else []
    return found


def _all_gone(token: str) -> bool:
    deadline = time.monotonic() + 10
    while _alive(token) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _alive(token)


@pytest.mark.namespaces
@pytest.mark.parametrize(
    ("number", "status", "output"),
    [
        (signal.SIGINT, 130, "tidied up\n"),
        (signal.SIGTERM, 143, "tidied up\n"),
        (signal.SIGHUP, 129, "tidied up\n"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_however_the_lab_is_ended_nothing_of_it_remains(number: int, status: int, output: str) -> None:
    with _waiting_lab() as (outside, token):
        assert len(_alive(token)) >= 3
        # Ctrl-C reaches the whole process group in the foreground, the other signals one process
        (os.killpg if number == signal.SIGINT else os.kill)(outside.pid, number)
        assert outside.communicate(timeout=30) == (output, "")
        assert outside.returncode == status
        assert _all_gone(token)
    assert namespaces.lab_addresses() == []


@pytest.mark.namespaces
@pytest.mark.parametrize("status", [0, 7])
def test_the_exit_status_is_passed_on(status: int) -> None:
    done = subprocess.run(_command(scenario_status, str(status)), capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.namespaces
def test_a_killed_inside_takes_everything_with_it() -> None:
    """What the kernel does when memory runs out, for one."""
    with _waiting_lab() as (outside, token):
        statuses = {pid: Path(f"/proc/{pid}/status").read_text() for pid in _alive(token)}
        (first,) = [int(pid) for pid, text in statuses.items() if re.search(r"^NSpid:.*\t1$", text, re.MULTILINE)]
        os.kill(first, signal.SIGKILL)
        outside.communicate(timeout=30)
        assert outside.returncode in (128 + signal.SIGKILL, 1)  # unshare of util-linux 2.38 loses the signal
        assert _all_gone(token)


async def scenario_stubborn(_net: Network) -> None:
    """Take no notice of the first signal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("ready", flush=True)
    await asyncio.sleep(60)


@pytest.mark.namespaces
def test_a_second_signal_kills_a_lab_that_does_not_end() -> None:
    with subprocess.Popen(_command(scenario_stubborn), stdout=subprocess.PIPE, text=True) as outside:
        assert outside.stdout is not None
        assert outside.stdout.readline() == "ready\n"
        outside.send_signal(signal.SIGTERM)
        time.sleep(0.1)  # two signals at once may be taken as one
        outside.send_signal(signal.SIGTERM)
        assert outside.wait(timeout=30) == 143


@pytest.mark.namespaces
def test_an_address_of_the_lab_that_shows_up_outside_kills_the_lab() -> None:
    """The "machine's own" namespace is one more that is made for this test; it is checked before it is touched."""
    with _waiting_lab("unshare", "--net") as (outside, token):
        assert os.readlink(f"/proc/{outside.pid}/ns/net") != namespaces.network_namespace()
        add = ["ip", "address", "add", "198.51.100.77/24", "dev", "lo"]
        subprocess.run(["nsenter", f"--net=/proc/{outside.pid}/ns/net", *add], check=True, timeout=10)
        output, errors = outside.communicate(timeout=30)
        assert (outside.returncode, output) == (3, "")
        assert errors.startswith("198.51.100.77 is an address of the lab's networks that showed up on this machine")
        assert _all_gone(token)


@pytest.mark.namespaces
def test_a_machine_that_uses_such_an_address_is_refused() -> None:
    command = ["unshare", "--net", sys.executable, __file__, "stray", namespaces.network_namespace()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("2001:db8::77 is an address of the lab's networks that this machine has")


def test_the_lab_says_why_it_cannot_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert namespaces.why_not() == "the lab needs root to make network namespaces: run it with sudo"


def _with_stray_address(machine: str) -> None:
    assert namespaces.network_namespace() != machine
    subprocess.run(["ip", "address", "add", "2001:db8::77/64", "dev", "lo"], check=True, timeout=10)
    namespaces.enter(["true"])


async def _inside(scenario: str, *arguments: str) -> None:
    namespaces.prepare()
    async with Network() as net:
        await globals()[scenario](net, *arguments)


def _main(action: str, *arguments: str) -> None:
    """Run as a program: outside of the fence, inside of it, or on a machine that has one of the lab's addresses."""
    try:
        if action == "enter":
            raise SystemExit(namespaces.enter([sys.executable, "-W", "error", __file__, "inside", *arguments]))
        if action == "stray":
            _with_stray_address(*arguments)
        with suppress(KeyboardInterrupt):
            asyncio.run(_inside(*arguments))
    except namespaces.LabError as error:
        print(error, file=sys.stderr)
        raise SystemExit(3) from None


if __name__ == "__main__":
    _main(*sys.argv[1:])
