"""The voicemail lab's parts: real calls through real proxies to real media endpoints, while the VIP moves.

A test that needs namespaces runs this file as a program, `test_lab_calls.py enter SCENARIO...`, which goes through
`namespaces.enter` and then runs functions `scenario_*` inside. In a host's namespace it runs as
`test_lab_calls.py vip`, and holds the VIP there with the project's own drivers.
"""

# ruff: noqa: S603  # the commands are our own

import asyncio
import doctest
import signal
import socket
import subprocess
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from attrs import evolve
from support import as_program
from support.lab_possible import need_lab_if_marked
from switchover.agent.lab.network import calls, namespaces
from switchover.agent.lab.network import segment as network
from switchover.agent.lab.network.calls import Call, Caller, Calls
from switchover.agent.lab.network.segment import HOSTS, VIP, VOICEMAIL_STATIONS, Network
from switchover.agent.lab.programs import application, component, media, voicemail
from switchover.agent.lab.programs.sip_server import kamailio
from switchover.agent.lab.programs.voicemail import VoicemailHost, premise_sip_server, voicemail_host

RATE = 50  # calls a second, in every test


@pytest.mark.parametrize("module", [application, calls, component, media, voicemail])
def test_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


# What the callers tell


def test_the_first_microsecond_of_a_second_is_written_as_nothing():
    """SIPp does so with every number that is 0."""
    lines = ["invited 1 7.000000 \n", "answered 1 8.000000  MCP_1\n", "ended 1 9.000000 \n"]
    assert calls.parse_calls(lines) == (Call(7.0, 8.0, "MCP_1", 9.0),)


@pytest.mark.parametrize(
    "line", ["", "invited", "invited 1 7.0", "invited 1 x 0", "answered 1 7.0 0.0 MCP_1", "begun 1 7.0 0.0"]
)
def test_a_log_that_no_caller_wrote_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="this is not a line of the callers' log"):
        calls.parse_calls([line])


@pytest.mark.parametrize("text", ["", "A;B\n1;2\n", "Retransmissions(C)\n", "Retransmissions(C)\nmany\n"])
def test_statistics_that_sipp_did_not_write_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match="contains no statistics of SIPp"):
        calls.read_retransmissions(path)


def test_a_call_is_failed_or_broken_or_delayed_or_none_of_it() -> None:
    lines = ["invited 1 1.0 0.0", "answered 1 1.0 1000.0 MCP_1", "ended 1 1.0 200000.0"]
    lines += ["invited 2 2.0 0.0", "invited 3 3.0 0.0", "answered 3 3.0 1000.0 MCP_1", "broken 3 9.0 0.0"]
    lines += ["invited 4 4.0 0.0", "answered 4 4.0 500000.0 MCP_2", "ended 4 4.0 700000.0"]
    run = Calls(calls.parse_calls(lines), retransmissions=9)
    assert (run.attempted, run.failed, run.broken, run.delayed, run.answered_by) == (4, 1, 1, 1, "MCP_2")
    assert (run.since(3.5).attempted, run.since(9).answered_by) == (1, None)
    assert [run.first_success_after_ms(moment) for moment in (1.5, 3.5, 4.5)] == [1501, 1000, None]
    assert run.calls[1] == Call(2.0)


@pytest.mark.parametrize(("rate", "hold_ms", "limit_s"), [(0, 1, 1), (1001, 1, 1), (1, 10_001, 1), (1, 1, 3601)])
def test_callers_are_bounded(rate: int, hold_ms: int, limit_s: int) -> None:
    with pytest.raises(namespaces.LabError, match="out of range; allowed are"):
        Caller(Network(), Path(), rate=rate, hold_ms=hold_ms, limit_s=limit_s)


# The components


@pytest.mark.parametrize("arguments", [[], ["serve", "N"], ["mode", "/d", "master"], ["mode"], ["walk", "N", "/d"]])
def test_a_component_explains_its_command_line(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"usage: component\.py"):
        component.main(arguments)


def test_a_media_endpoint_explains_its_command_line() -> None:
    with pytest.raises(SystemExit, match=r"usage: media\.py"):
        media.main(["serve", "N", "/d"])


def test_a_mode_command_without_a_component_fails(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no component answers in"):
        component.main(["mode", str(tmp_path)])


def test_a_component_without_modes_stays_up(tmp_path: Path) -> None:
    with subprocess.Popen(component.program("component", "run", "RM_1", str(tmp_path))) as process:
        try:
            deadline = time.monotonic() + 10
            while not (tmp_path / component.PIDFILE).exists():
                assert time.monotonic() < deadline
                time.sleep(0.005)
            assert component.command(str(tmp_path)) == component.UP
            with pytest.raises(SystemExit, match="stays up"):
                component.main(["mode", str(tmp_path), "primary"])
        finally:
            process.kill()


# Inside: the scenarios run in labs of their own; `test_calls` below starts them


class Vip:
    """The VIP on one host: a process in its namespace that adds and announces it at SIGUSR1, removes it at SIGUSR2."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def enable(self) -> None:
        """Add and announce it."""
        await self._order(signal.SIGUSR1)

    async def disable(self) -> None:
        """Remove it."""
        await self._order(signal.SIGUSR2)

    async def done(self) -> None:
        """Wait until it is ready, or has done its calls."""
        assert self._process.stdout is not None
        assert await asyncio.wait_for(self._process.stdout.readline(), 10) == b"done\n"

    async def _order(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        await self.done()


async def _hold_vip() -> None:
    """What runs in the host's namespace. Only there is scapy imported, which takes its time."""
    from switchover.drivers.vip.addresses import NetlinkAddresses
    from switchover.drivers.vip.announce import Announcer
    from switchover.drivers.vip.schedule import AnnounceSchedule

    addresses = [f"{address}/{size}" for address, size in zip(VIP, network.PREFIXES, strict=True)]
    vip, announcer = NetlinkAddresses("eth0", addresses), Announcer("eth0", addresses, AnnounceSchedule())
    orders: asyncio.Queue[bool] = asyncio.Queue()
    for number, enable in ((signal.SIGUSR1, True), (signal.SIGUSR2, False)):
        asyncio.get_running_loop().add_signal_handler(number, orders.put_nowait, enable)
    await vip.start()
    announcer.start()
    while True:
        print("done", flush=True)
        if await orders.get():
            await vip.enable()
            announcer.announce()
        else:
            announcer.stop()
            await vip.disable()


class Solution:
    """Both hosts with all their components; host 1 is primary and has the VIP."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.hosts = [voicemail_host(net, side, namespaces.STATE) for side in (1, 2)]
        self.vips: list[Vip] = []

    async def start(self) -> None:
        """Start everything."""
        await asyncio.gather(*(one.start() for host in self.hosts for one in host.applications), self._start_vips())
        await self.to_primary(1)
        await self.vips[0].enable()

    async def _start_vips(self) -> None:
        assert namespaces.is_inside()
        holders = [await self.net.spawn(host, as_program.command(__file__, "vip"), stdout=PIPE) for host in HOSTS]
        self.vips = [Vip(holder) for holder in holders]
        await asyncio.gather(*(vip.done() for vip in self.vips))

    async def to_primary(self, side: int) -> None:
        """Make the SIP Server of a side primary."""
        await network.run(self.hosts[side - 1].sip_server.controls.to_primary)

    async def move_vip(self) -> None:
        """From host 1 to host 2."""
        await self.vips[0].disable()
        await self.vips[1].enable()

    @asynccontextmanager
    async def calling(self, result: list[Calls]) -> AsyncGenerator[None]:
        """Calls are made for some time before what happens in the block, and after it."""
        caller = Caller(self.net, namespaces.STATE, rate=RATE)
        await caller.start()
        await asyncio.sleep(0.7)
        yield
        await asyncio.sleep(0.7)
        result.append(await caller.stop())


async def scenario_components(solution: Solution) -> None:
    """Every component is started, tells its mode, changes it if it has one, and crashes."""
    one: VoicemailHost = solution.hosts[0]
    premise = premise_sip_server(solution.net, namespaces.STATE)
    await premise.start()
    assert [await each.mode() for each in one.applications] == ["up", "up", "backup", "primary"]
    for each in (one.vm_server, premise):
        await network.run(each.controls.to_primary)
        assert await each.mode() == "primary"
        await network.run(each.controls.to_backup)
        assert await each.mode() == "backup"
    for each in (*one.applications, premise):
        await each.kill()
        assert await each.mode() is None


async def scenario_without_fault(solution: Solution) -> None:
    """Every call is set up at once, and ends."""
    result: list[Calls] = []
    async with solution.calling(result):
        await asyncio.sleep(0.6)
    (run,) = result
    assert (run.failed, run.broken, run.delayed, run.retransmissions, run.answered_by) == (0, 0, 0, 0, "MCP_1")
    assert 1.5 * RATE <= run.attempted <= 4 * RATE


async def scenario_switchover(solution: Solution) -> None:
    """Nothing fails, whatever was under way; what nobody received was sent again."""
    result: list[Calls] = []
    async with solution.calling(result):
        await network.run(solution.hosts[0].sip_server.controls.to_backup)
        await solution.to_primary(2)
        began = time.monotonic()
        await solution.move_vip()
        moved = time.monotonic()
    (run,) = result
    assert (run.failed, run.broken, run.answered_by) == (0, 0, "MCP_2")
    assert {call.answered_by for call in run.calls if call.started < began - 0.1} == {"MCP_1"}
    assert {call.answered_by for call in run.since(moved).calls} == {"MCP_2"}
    assert run.retransmissions >= run.delayed


async def scenario_proxy_crash(solution: Solution) -> None:
    """Calls that nobody relayed are sent again, and none fails; those that were up end by way of the other host."""
    result: list[Calls] = []
    async with solution.calling(result):
        crashed = await solution.hosts[0].sip_server.kill()
        await asyncio.sleep(0.3)
        await solution.to_primary(2)
        await solution.move_vip()
    (run,) = result
    assert (run.failed, run.broken, run.answered_by) == (0, 0, "MCP_2")
    assert 0 < run.delayed <= run.retransmissions
    assert 300 <= (run.first_success_after_ms(crashed) or 0) < 2000


async def scenario_media_crash(solution: Solution) -> None:
    """Calls that were up on the dead media endpoint are broken, and that is seen; none that was started later is."""
    result: list[Calls] = []
    async with solution.calling(result):
        crashed = await solution.hosts[0].media.kill()
        await solution.to_primary(2)
        await solution.move_vip()
    (run,) = result
    later = run.since(crashed)
    assert (run.failed, later.failed, later.broken, run.answered_by) == (0, 0, 0, "MCP_2")
    assert 0 < run.broken < RATE


async def scenario_two_answers(solution: Solution) -> None:
    """An answer is lost, the VIP moves, and so both media endpoints answer one INVITE: it becomes one call."""
    result: list[Calls] = []
    lost = ["ip", "-n", "host1", "route", "{}", "blackhole", f"{network.ADDRESSES['client'][0]}/32"]
    async with solution.calling(result):
        await network.run([word.format("add") for word in lost])
        await asyncio.sleep(0.2)
        await solution.to_primary(2)
        await solution.move_vip()
        await network.run([word.format("delete") for word in lost])
    (run,) = result
    assert (run.failed, run.broken, run.answered_by) == (0, 0, "MCP_2")
    late = [call.answered_by for call in run.calls if (call.setup_ms or 0) >= calls.T1_MS / 2]
    assert "MCP_1" in late  # it has sent its answer again, to the VIP, which was on the other host by then


ASK = (
    "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); "
    "s.bind((sys.argv[1], 5060)); s.sendto(sys.argv[2].encode(), (sys.argv[3], 5060)); "
    "sys.stdout.buffer.write(s.recv(65535))"
)


async def scenario_relay(solution: Solution) -> None:
    """OPTIONS is answered. Both SIP Servers put the same into the same INVITE; here they relay it to the client."""
    client = network.ADDRESSES["client"][0]
    invite = _request("INVITE", f"{client}:5060", "one")
    relayed: list[str] = []
    argv = [sys.executable, "-I", "-S", "-c", ASK, client, _request("OPTIONS", f"{client}:5060", "none"), VIP[0]]
    options = (await network.run(network.run_in("client", argv))).split("\r\n")
    assert (options[0], "Server: VM_SIP_Server_1 (primary)" in options) == ("SIP/2.0 200 OK", True)
    for number, host in enumerate(solution.hosts):
        server = host.sip_server
        await server.stop()
        defines = {"MEDIA": f"sip:{client}:5060", "MEDIA6": "sip:[2001:db8::30]:5060"}
        server.controls = evolve(
            server.controls, serve=kamailio(server.name, server.log.parent, "voicemail.cfg", defines).serve
        )
        await server.start()
        if number == 1:
            await solution.move_vip()
        argv = [sys.executable, "-I", "-S", "-c", ASK, client, invite, VIP[0]]
        relayed.append(await network.run(network.run_in("client", argv)))
    assert relayed[0] == relayed[1]
    lines = relayed[0].split("\r\n")
    assert lines[0] == f"INVITE sip:{VIP[0]} SIP/2.0"
    assert [line.partition(";")[0] for line in lines if line.startswith(("Via", "Rec"))] == [
        f"Record-Route: <sip:{VIP[0]}", f"Via: SIP/2.0/UDP {VIP[0]}", f"Via: SIP/2.0/UDP {client}:5060",
    ]  # fmt: skip


async def scenario_media(_solution: Solution) -> None:
    """A media endpoint answers as RFC 3261 wants it: again until the ACK, alike whichever way an INVITE comes."""
    directory = namespaces.STATE / "alone"
    directory.mkdir()
    process = await asyncio.create_subprocess_exec(
        *component.program("media", "serve", "MCP", str(directory), "127.0.0.1")
    )
    while not (directory / component.PIDFILE).exists():
        await asyncio.sleep(0.005)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.connect(("127.0.0.1", 5060))
        _check_media(caller)
    process.kill()
    await process.wait()


def _check_media(caller: socket.socket) -> None:
    def ask(method: str, via: str, call: str = "call") -> list[str]:
        caller.send(_request(method, via, call).encode())
        return hear(5)

    def hear(within_s: float) -> list[str]:
        caller.settimeout(within_s)
        return caller.recv(65535).decode().split("\r\n")

    first = ask("INVITE", "first")
    assert first[0] == "SIP/2.0 200 OK"
    assert "Contact: <sip:127.0.0.1:5060>" in first
    second = ask("INVITE", "second")
    assert second == [line.replace("first", "second") for line in first]
    assert hear(5) == second  # again, by the way on which it was last asked for, as there was no ACK
    caller.send(_request("ACK", "second", "call").encode())
    with pytest.raises(TimeoutError):
        hear(1.2)
    statuses = [ask(method, "first")[0] for method in ("BYE", "BYE", "CANCEL", "OPTIONS", "REGISTER")]
    assert statuses == [*("SIP/2.0 200 OK",) * 4, "SIP/2.0 405 Method Not Allowed"]
    assert ask("BYE", "first", "another")[0] == "SIP/2.0 481 Call/Transaction Does Not Exist"


def _request(method: str, via: str, call: str) -> str:
    lines = [f"{method} sip:{VIP[0]} SIP/2.0", f"Via: SIP/2.0/UDP {via};branch=z9hG4bK-{call}", "Max-Forwards: 70"]
    lines += ["From: <sip:a@example.com>;tag=1", f"To: <sip:b@{VIP[0]}>", f"Call-ID: {call}", f"CSeq: 1 {method}"]
    return "\r\n".join([*lines, "Content-Length: 0", "", ""])


@pytest.fixture(autouse=True)
def _lab_possible(request: pytest.FixtureRequest) -> None:
    need_lab_if_marked(request, lambda: namespaces.why_not() or voicemail.why_no_voicemail())


@pytest.mark.namespaces
@pytest.mark.parametrize(
    "scenarios",
    [
        (scenario_relay,),
        (scenario_media, scenario_components),
        (scenario_without_fault, scenario_switchover),
        (scenario_proxy_crash,),
        (scenario_media_crash,),
        (scenario_two_answers,),
    ],
    ids=lambda scenarios: "-".join(scenario.__name__ for scenario in scenarios),
)
def test_calls(scenarios: tuple[Callable[[Solution], Awaitable[None]], ...]) -> None:
    """One lab for each row; what comes first in it leaves everything as it was."""
    names = [scenario.__name__ for scenario in scenarios]
    command = as_program.command(__file__, "enter", *names)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


async def _inside(scenarios: tuple[str, ...]) -> None:
    namespaces.prepare()
    async with Network(VOICEMAIL_STATIONS) as net:
        solution = Solution(net)
        await solution.start()
        for scenario in scenarios:
            await globals()[scenario](solution)


def _main(action: str, *arguments: str) -> None:
    """Run as a program: outside of the fence, inside of it, or in a host's namespace."""
    if action == "enter":
        raise SystemExit(namespaces.enter(as_program.command(__file__, "inside", *arguments)))
    asyncio.run(_hold_vip() if action == "vip" else _inside(arguments))


if __name__ == "__main__":
    _main(*sys.argv[1:])
