"""A host's connection where mlcmd says and changes the modes, with a real process in mlcmd's place, and a whole agent.

Nothing stands in for the driver; `mlcmd_stand_in.py` stands in for the vendor's program. Runs of it take turns
(`flock`), because they keep their state in one file.
"""

import asyncio
import contextlib
import fcntl
import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from switchover.agent import mlcmd_connection
from switchover.agent.agent import Agent
from switchover.agent.configuration import load
from switchover.agent.journal import Journal, read
from switchover.agent.mlcmd_connection import Controlled, MlcmdConnection, controlled_on
from switchover.agent.operator import status
from switchover.drivers.mlcmd import Mlcmd, MlcmdSettings
from switchover.fsm import (
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LookAt,
    Mode,
    Promote,
    Start,
    VipReported,
)

PASSWORD = "xyzzy's $HOME"  # noqa: S105 - the stand-in's
STATUS, SWITCHOVER = "-getappstatus", "-switchover"
AMPLE_MS, SHORT_MS = 20_000, 1_000
H1, H2 = "host1", "host2"
A1, A2, RM = "SIP_Server_1", "SIP_Server_2", "RM_1"
P, B, D, UP = Mode.PRIMARY, Mode.BACKUP, Mode.DOWN, Mode.UP
DBIDS = {A1: 101, A2: 102}

Eventually = Callable[[Callable[[], object]], Coroutine[Any, Any, None]]


class Site:
    """A directory of the stand-in, with a pair of applications of which the first one is primary."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.password_file = directory / "password"
        self.password_file.touch(0o600)
        self.password_file.write_text(f"{PASSWORD}\n")
        self.program = ("flock", str(directory / "turn"), sys.executable, "-I", "-S")
        self.program += (str(Path(__file__).with_name("mlcmd_stand_in.py")),)
        self.behaviour: dict[str, list[str]] = {}
        self.is_primary(A1)

    def is_primary(self, name: str, others: str = "backup", **behaviour: list[str]) -> None:
        """From now on, by another hand; and how runs of `status` and `switchover` behave."""
        operations = {"status": STATUS, "switchover": SWITCHOVER}
        behaves = {operations[what]: how for what, how in behaviour.items()}
        applications = [
            {
                "dbid": DBIDS[each],
                "name": each,
                "mode": "primary" if each == name else others,
                "peer": 203 - DBIDS[each],
            }
            for each in (A1, A2)
        ]
        state = {"password": PASSWORD, "applications": applications, "behaviour": behaves, "due": None}
        with self.nobody_runs():
            (self.directory / "state.json").write_text(json.dumps(state))

    @contextlib.contextmanager
    def nobody_runs(self):
        with (self.directory / "turn").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield

    def mlcmd(self, **changes: Any) -> Mlcmd:
        login: dict[str, Any] = {"cshost": "config.example", "csport": 2020, "csuser": "x", "csappname": "default"}
        return Mlcmd(
            MlcmdSettings(**{**login, "program": self.program, "password_file": self.password_file, **changes})
        )

    def runs(self) -> list[str]:
        """The operation and the application of each run, in their order."""
        log = self.directory / "runs"
        lines = log.read_text().splitlines() if log.exists() else []
        return [" ".join(json.loads(line)["argv"][-2:]) for line in lines]

    def operations(self) -> list[str]:
        return [run for run in self.runs() if not run.startswith(STATUS)]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("MLCMD_STAND_IN", str(tmp_path))
    monkeypatch.setattr(mlcmd_connection, "ASK_AGAIN_S", 0.2)
    return Site(tmp_path)


def no_child_is_left() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


@define(eq=False)
class Host:
    """The connection to a host itself: it keeps what it is told."""

    hear: Callable[[Event], None]
    sent: list[tuple[HostCommand, int]] = field(factory=list)
    life: list[str] = field(factory=list)

    def start(self) -> None:
        self.life.append("started")

    async def close(self) -> None:
        self.life.append("closed")
        self.hear(HostLost(H1))
        self.hear(connected())

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        self.sent.append((command, deadline_ms))


@define(eq=False)
class Desk:
    """A connection with mlcmd for `A1`, the host at its far end, and what was delivered."""

    site: Site
    connection: MlcmdConnection
    host: Host
    events: list[Event]
    eventually: Eventually

    @classmethod
    def of(cls, site: Site, eventually: Eventually, together: list | None = None, **settings: Any) -> "Desk":
        events, hosts = [], []

        def connect(hear: Callable[[Event], None]) -> Host:
            hosts.append(Host(hear))
            return hosts[0]

        deadline_ms = settings.pop("deadline_ms", AMPLE_MS)
        own, peer = settings.pop("dbids", ("101", "102"))
        of_list = [together] if together is not None else []
        connection = MlcmdConnection(
            site.mlcmd(**settings), {A1: Controlled(own, peer)}, deadline_ms, connect, events.append, *of_list
        )
        connection.start()
        return cls(site, connection, hosts[0], events, eventually)

    async def connect(self, mode: Mode = P) -> None:
        """The agent is told that the host is connected, and A1's mode; what was delivered is forgotten."""
        self.host.hear(connected(D if mode is D else B))
        await self.eventually(lambda: self.events)
        assert self.events == [connected(mode)]
        self.events.clear()

    async def comes(self, *events: Event) -> None:
        """These events are delivered and no others, also when all that mlcmd still does is over."""
        await self.eventually(lambda: len(self.events) >= len(events))
        await self.eventually(no_child_is_left)
        await asyncio.sleep(0)
        assert self.events == list(events)

    async def runs(self, run: str) -> None:
        """Wait until mlcmd runs."""
        await self.eventually(lambda: run in self.site.runs())


def connected(mode: Mode = B, **others: Mode) -> HostConnected:
    return HostConnected(H1, HostReport({A1: mode, **others}, vip_held=False))


@pytest.fixture
def on_desk(site: Site, eventually: Eventually) -> Callable[..., None]:
    """Runs a scenario; at its end nothing is left of mlcmd, nothing is delivered any more, and nothing went wrong."""

    async def with_desk(scenario: Callable[[Desk], Coroutine[Any, Any, None]], settings: dict[str, Any]) -> None:
        upset: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: upset.append(context))
        desk = Desk.of(site, eventually, **settings)
        try:
            await asyncio.wait_for(scenario(desk), 60)
        finally:
            await asyncio.wait_for(desk.connection.close(), 20)
        assert asyncio.all_tasks() == {asyncio.current_task()}  # so nothing can be delivered any more
        await eventually(no_child_is_left)
        assert (desk.host.life, upset) == (["started", "closed"], [])

    return lambda scenario, **settings: asyncio.run(with_desk(scenario, settings))


# A host connects


def test_a_host_is_connected_when_mlcmd_has_told_the_modes_and_what_it_said_meanwhile_follows(on_desk):
    async def scenario(desk: Desk) -> None:
        meanwhile = [HostFellSilent(H1), VipReported(H1, held=True), HostHeard(H1), ApplicationReported(RM, D)]
        for event in (connected(B, RM_1=UP), *meanwhile):
            desk.host.hear(event)
        assert desk.events == []
        await desk.comes(connected(P, RM_1=UP), *meanwhile)
        desk.host.hear(HostFellSilent(H1))
        await desk.comes(connected(P, RM_1=UP), *meanwhile, HostFellSilent(H1))
        assert desk.site.runs() == [f"{STATUS} 101"]

    on_desk(scenario)


def test_a_host_whose_applications_are_down_is_connected_at_once(on_desk):
    async def scenario(desk: Desk) -> None:
        desk.host.hear(connected(D))
        assert desk.events == [connected(D)]
        assert desk.site.runs() == []

    on_desk(scenario)


@pytest.mark.parametrize("behaviour", ["hang", "linger", "fail"])
def test_an_application_that_fails_while_mlcmd_is_asked_is_down(on_desk, behaviour: str):
    """mlcmd has no say in this, and would perhaps never tell a mode."""

    async def scenario(desk: Desk) -> None:
        desk.site.is_primary(A1, status=[behaviour])
        desk.host.hear(connected())
        await desk.runs(f"{STATUS} 101")
        desk.host.hear(ApplicationReported(A1, D))
        assert desk.events == [connected(D)]
        await desk.comes(connected(D))

    on_desk(scenario)


@pytest.mark.parametrize("parting", [HostLost(H1), HostLeft(H1)])
def test_a_host_that_is_lost_while_mlcmd_is_asked_was_never_connected(on_desk, parting: Event):
    """The agent is told that it is not there, once: it may wait for that."""

    async def scenario(desk: Desk) -> None:
        desk.site.is_primary(A1, status=["hang"])
        for _ in range(2):
            desk.host.hear(connected())
            await desk.runs(f"{STATUS} 101")
            desk.host.hear(parting)
            await desk.comes(parting)
        desk.site.is_primary(A1)
        desk.host.hear(connected())
        await desk.comes(parting, connected(P))

    on_desk(scenario)


def test_of_a_host_that_is_not_connected_nothing_is_told(on_desk):
    async def scenario(desk: Desk) -> None:
        speech = [HostFellSilent(H1), HostHeard(H1), VipReported(H1, held=True)]
        speech += [ApplicationReported(A1, B), ApplicationReported(A1, D), ApplicationReported(RM, D)]
        for event in speech:
            desk.host.hear(event)
        desk.host.hear(connected())
        desk.host.hear(HostLost(H1))
        for event in speech:
            desk.host.hear(event)
        await desk.comes(HostLost(H1))

    on_desk(scenario)


def test_of_two_connections_the_newer_one_counts(on_desk):
    async def scenario(desk: Desk) -> None:
        desk.host.hear(connected(B, RM_1=UP))
        desk.host.hear(VipReported(H1, held=True))
        desk.host.hear(connected(B, RM_1=D))
        await desk.comes(connected(P, RM_1=D))
        desk.site.is_primary(A2)
        desk.host.hear(connected(B, RM_1=UP))
        await desk.comes(connected(P, RM_1=D), connected(B, RM_1=UP))

    on_desk(scenario)


@pytest.mark.parametrize("behaviour", ["fail", "say_bytes", "echo", "hang", "die"])
def test_a_host_is_not_connected_before_mlcmd_has_told_its_modes(on_desk, behaviour: str):
    """However often it has to be asked."""

    async def scenario(desk: Desk) -> None:
        desk.site.is_primary(A1, status=[behaviour, "fail", "succeed"])
        desk.host.hear(connected())
        await desk.comes(connected(P))
        assert desk.site.runs() == [f"{STATUS} 101"] * 3

    on_desk(scenario, deadline_ms=SHORT_MS)


def test_the_mode_that_was_known_is_taken_until_mlcmd_tells_another_one(on_desk):
    async def scenario(desk: Desk) -> None:
        await desk.connect(P)
        desk.host.hear(HostLost(H1))
        desk.site.is_primary(A2, status=["fail", "fail", "succeed"])
        desk.host.hear(connected())
        await desk.comes(HostLost(H1), connected(P))
        await desk.eventually(lambda: len(desk.events) == 3)
        await desk.comes(HostLost(H1), connected(P), ApplicationReported(A1, B))

    on_desk(scenario)


@pytest.mark.parametrize(
    ("released_by", "told"), [(HostLost(H1), HostLost(H1)), (ApplicationReported(A1, D), connected(D))]
)
def test_a_host_waits_for_the_modes_on_the_other_one(
    site: Site, eventually: Eventually, released_by: Event, told: Event
):
    """Else its backup would be promoted as soon as the agent has waited long enough for the other one."""

    async def scenario() -> None:
        together: list[MlcmdConnection] = []
        first, second = (Desk.of(site, eventually, together, dbids=dbids) for dbids in (("999", "102"), ("102", "101")))
        first.host.hear(connected())
        second.host.hear(connected())
        second.host.hear(VipReported(H1, held=True))
        await eventually(lambda: len(site.runs()) >= 5)
        assert first.events + second.events == []
        first.host.hear(released_by)
        assert first.events == [told]
        assert second.events == [connected(B), VipReported(H1, held=True)]
        for desk in (first, second):
            await asyncio.wait_for(desk.connection.close(), 20)
        await eventually(no_child_is_left)

    asyncio.run(scenario())


# Applications fail and come up


@pytest.mark.parametrize("mode", [P, B])
def test_the_mode_of_an_application_that_is_up_again_is_asked_for(on_desk, mode: Mode):
    async def scenario(desk: Desk) -> None:
        await desk.connect()
        desk.site.is_primary(A1 if mode is P else A2)
        desk.host.hear(ApplicationReported(A1, D))
        desk.host.hear(ApplicationReported(A1, B))
        await desk.comes(ApplicationReported(A1, D), ApplicationReported(A1, mode))

    on_desk(scenario)


def test_an_application_that_is_up_again_counts_as_backup_until_mlcmd_tells_another_mode(on_desk):
    async def scenario(desk: Desk) -> None:
        await desk.connect(D)
        desk.site.is_primary(A1, status=["fail", "fail", "succeed"])
        desk.host.hear(ApplicationReported(A1, B))
        await desk.comes(ApplicationReported(A1, B))
        await desk.eventually(lambda: len(desk.events) == 2)
        await desk.comes(ApplicationReported(A1, B), ApplicationReported(A1, P))

    on_desk(scenario)


def test_what_was_assumed_gives_way_to_what_came_of_a_command(on_desk):
    """However often mlcmd is asked in vain after that."""

    async def scenario(desk: Desk) -> None:
        await desk.connect(D)
        desk.site.is_primary(A2, status=["fail", "succeed", "succeed", "fail"])
        desk.host.hear(ApplicationReported(A1, B))
        await desk.eventually(lambda: desk.events)
        desk.connection.send(Promote(H1, A1, 7), AMPLE_MS)
        await desk.eventually(lambda: len(desk.site.runs()) >= 6)
        await desk.comes(ApplicationReported(A1, B), CommandSucceeded(7))
        assert desk.site.operations() == [f"{SWITCHOVER} 101"]

    on_desk(scenario)


def test_a_late_answer_does_not_bring_an_application_back(on_desk):
    async def scenario(desk: Desk) -> None:
        await desk.connect(D)
        desk.site.is_primary(A1, status=["linger"])
        desk.host.hear(ApplicationReported(A1, B))
        await desk.runs(f"{STATUS} 101")
        desk.connection.send(LookAt(H1, A1, 7), AMPLE_MS)
        desk.host.hear(ApplicationReported(A1, D))
        await desk.comes(ApplicationReported(A1, D), CommandSucceeded(7))

    on_desk(scenario)


@pytest.mark.parametrize("mode", [P, B])
def test_mlcmd_that_calls_a_running_application_stopped_has_told_no_mode(on_desk, mode: Mode):
    async def scenario(desk: Desk) -> None:
        desk.site.is_primary(A1 if mode is P else A2)
        await desk.connect(mode)
        desk.site.is_primary(A2, others="stopped")
        desk.connection.send(LookAt(H1, A1, 7), AMPLE_MS)
        reason = "mlcmd says that SIP_Server_1 is stopped, and its host says that it runs"
        await desk.comes(CommandUnclear(7, reason))

    on_desk(scenario)


# Commands


@pytest.mark.parametrize(
    ("primary", "command", "operations", "told"),
    [
        (A1, Promote(H1, A1, 7), [], []),
        (A2, Promote(H1, A1, 7), [f"{SWITCHOVER} 101"], []),
        (A1, Demote(H1, A1, 7), [f"{SWITCHOVER} 102"], []),
        (A2, Demote(H1, A1, 7), [], []),
        (A1, LookAt(H1, A1, 7), [], [ApplicationReported(A1, P)]),
        (A2, LookAt(H1, A1, 7), [], [ApplicationReported(A1, B)]),
    ],
)
@pytest.mark.parametrize("known", [P, B])
def test_mlcmd_carries_out_what_it_controls(on_desk, known: Mode, primary, command, operations, told):
    """Whatever was known before, what is so already is left alone, and a look is always answered."""

    async def scenario(desk: Desk) -> None:
        desk.site.is_primary(A1 if known is P else A2)
        await desk.connect(known)
        desk.site.is_primary(primary)
        desk.connection.send(command, AMPLE_MS)
        assert desk.events == []  # never from within `send`: the agent is busy with the event that led to the command
        await desk.comes(*told, CommandSucceeded(7))
        assert (desk.site.operations(), desk.host.sent) == (operations, [])

    on_desk(scenario)


@pytest.mark.parametrize("command", [Promote(H1, RM, 7), Start(H1, A1, 7), EnableVip(H1, 7), LookAt(H1, RM, 7)])
def test_what_mlcmd_does_not_control_is_the_host_s(on_desk, command: HostCommand):
    async def scenario(desk: Desk) -> None:
        await desk.connect()
        desk.connection.send(command, 1234)
        desk.host.hear(CommandSucceeded(7))
        await desk.comes(CommandSucceeded(7))
        assert desk.host.sent == [(command, 1234)]

    on_desk(scenario)


@pytest.mark.parametrize("command", [Promote(H1, A1, 7), Demote(H1, A1, 7), LookAt(H1, A1, 7)])
def test_nothing_is_done_for_a_host_that_is_not_connected(on_desk, command: HostCommand):
    """Its own connection knows what becomes of a command that cannot be sent."""

    async def scenario(desk: Desk) -> None:
        await desk.connect()
        desk.host.hear(HostLost(H1))
        desk.connection.send(command, 1234)
        await desk.comes(HostLost(H1))
        assert desk.host.sent == [(command, 1234)]
        assert desk.site.runs() == [f"{STATUS} 101"]

    on_desk(scenario)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ({"switchover": ["fail"]}, CommandFailed),
        ({"switchover": ["die"]}, CommandFailed),
        ({"switchover": ["hang"]}, CommandTimedOut),
        ({"switchover": ["do_nothing"]}, CommandTimedOut),
        ({"status": ["echo"]}, CommandUnclear),
        ({"status": ["flood"]}, CommandUnclear),
        ({"status": ["succeed", "say_bytes"]}, CommandUnclear),
        ({"status": ["hang"]}, CommandTimedOut),
    ],
)
def test_what_becomes_of_a_command_is_told(on_desk, behaviour: dict[str, list[str]], kind: type):
    async def scenario(desk: Desk) -> None:
        desk.site.is_primary(A2)
        await desk.connect(B)
        desk.site.is_primary(A2, **behaviour)
        desk.connection.send(Promote(H1, A1, 7), 2 * SHORT_MS)
        await desk.eventually(lambda: desk.events)
        ((result),) = desk.events
        assert (type(result), result.id, "xyzzy" in result.reason) == (kind, 7, False)

    on_desk(scenario)


def test_commands_for_one_application_wait_for_each_other_within_their_deadlines(on_desk):
    async def scenario(desk: Desk) -> None:
        desk.site.is_primary(A2)
        await desk.connect(B)
        desk.site.is_primary(A2, switchover=["hang"])
        desk.connection.send(Promote(H1, A1, 7), AMPLE_MS)
        await desk.runs(f"{SWITCHOVER} 101")
        desk.connection.send(LookAt(H1, A1, 8), 50)
        await desk.eventually(lambda: desk.events)
        assert desk.events == [CommandTimedOut(8, "SIP_Server_1 was busy for 50 ms")]

    on_desk(scenario)


def test_of_an_application_that_is_down_its_host_knows_better(on_desk):
    async def scenario(desk: Desk) -> None:
        await desk.connect(D)
        for command in (Promote(H1, A1, 7), Demote(H1, A1, 8), LookAt(H1, A1, 9)):
            desk.connection.send(command, AMPLE_MS)
        failed = [CommandFailed(number, "SIP_Server_1 is down") for number in (7, 8)]
        await desk.comes(*failed, ApplicationReported(A1, D), CommandSucceeded(9))
        assert desk.site.runs() == []

    on_desk(scenario)


@pytest.mark.parametrize("command", [Promote(H1, A1, 7), LookAt(H1, A1, 7)])
@pytest.mark.parametrize("is_up_again", [False, True])
def test_what_is_done_for_an_application_that_goes_down_has_failed(on_desk, command: HostCommand, is_up_again: bool):
    """Also if it is up again by then: nobody knows whether mlcmd speaks of the time before or after."""

    async def scenario(desk: Desk) -> None:
        desk.site.is_primary(A2)
        await desk.connect(B)
        desk.site.is_primary(A2, status=["linger"], switchover=["linger"])
        desk.connection.send(command, AMPLE_MS)
        await desk.eventually(lambda: len(desk.site.runs()) == 2)
        down, failed = ApplicationReported(A1, D), CommandFailed(7, "SIP_Server_1 went down")
        mode = P if isinstance(command, Promote) else B
        for event in (down, ApplicationReported(A1, B))[: 1 + is_up_again]:
            desk.host.hear(event)
        await desk.eventually(lambda: failed in desk.events)
        await desk.comes(down, failed, *[ApplicationReported(A1, mode)][:is_up_again])

    on_desk(scenario)


@pytest.mark.parametrize("command", [Promote(H1, A1, 7), Demote(H1, A1, 7), LookAt(H1, A1, 7)])
@pytest.mark.parametrize("parting", [HostLost(H1), HostLeft(H1), None])
@pytest.mark.parametrize("behaviour", ["hang", "linger"])
def test_nothing_is_told_after_a_host_is_lost_and_mlcmd_is_ended(
    on_desk, command: HostCommand, parting: Event | None, behaviour: str
):
    """Nor after the end of the connection, which is there by itself: see `on_desk`."""

    async def scenario(desk: Desk) -> None:
        await desk.connect()
        desk.site.is_primary(A2 if isinstance(command, Promote) else A1, status=[behaviour])
        desk.connection.send(command, AMPLE_MS)
        await desk.eventually(lambda: len(desk.site.runs()) == 2)
        if parting:
            desk.host.hear(parting)
            await desk.comes(parting)

    on_desk(scenario)


def test_what_nobody_expects_is_logged_and_counts_as_unclear(on_desk, caplog: pytest.LogCaptureFixture):
    """An argument that cannot be passed on is what such a thing may be."""

    async def scenario(desk: Desk) -> None:
        await desk.connect(D)
        desk.host.hear(ApplicationReported(A1, B))
        await desk.eventually(lambda: desk.events)
        desk.connection.send(Promote(H1, A1, 7), AMPLE_MS)
        unclear = CommandUnclear(7, "UnicodeEncodeError in mlcmd's driver: see the agent's log")
        await desk.comes(ApplicationReported(A1, B), unclear)
        await desk.eventually(lambda: caplog.text.count("SIP_Server_1 has no known mode") >= 2)  # it is asked again

    on_desk(scenario, csuser="\ud800")
    assert "Traceback" in caplog.text
    assert "xyzzy" not in caplog.text


# A whole agent

HEAD = """
[solution]
name = "SIP solution"
settle_ms = 100
retry_ms = 50
command_deadline_ms = {deadline_ms}
[agent]
journal = "{directory}/journal.sqlite"
socket = "{directory}/agent.sock"
keys = "{directory}/keys"
[mlcmd]
cshost = "config.example"
csport = 2020
csuser = "an operator"
csappname = "default"
program = {program}
password_file = "{directory}/password"
[vip]
addresses = ["198.51.100.10/24"]
[[hosts]]
name = "host1"
address = "198.51.100.11"
[[hosts]]
name = "host2"
address = "198.51.100.12"
[[pairs]]
name = "SIP Server"
"""
MEMBER = """
[[pairs.members]]
application = "SIP_Server_{number}"
host = "host{number}"
pidfile = "{directory}/{number}.pid"
mlcmd = "10{number}"
"""


@define(eq=False)
class Lca:
    """A host that reports whatever runs as backup, and runs VIP scripts at once."""

    name: str
    hear: Callable[[Event], None]
    modes: Mapping[str, Mode]
    vip_held: bool = False
    scripts: list[str] = field(factory=list)
    heard_at: float | None = None

    def start(self) -> None:
        report = HostReport(self.modes, self.vip_held)
        asyncio.get_running_loop().call_soon(self.hear, HostConnected(self.name, report))

    async def close(self) -> None:
        pass

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        assert isinstance(command, EnableVip | DisableVip | AnnounceVip)
        self.scripts.append(type(command).__name__)
        asyncio.get_running_loop().call_soon(self.hear, CommandSucceeded(command.id))


@define(eq=False)
class Whole:
    """An agent with both hosts, and mlcmd for the pair."""

    site: Site
    agent: Agent
    hosts: dict[str, Lca]
    eventually: Eventually

    def ends(self) -> tuple[str, str, tuple]:
        state = self.agent.solution.state
        return state.pairs[0].state, state.vip, state.pending

    async def rests(self, pair: str, vip: str) -> None:
        await self.eventually(lambda: self.ends() == (pair, vip, ()))

    def shown(self) -> list[bytes]:
        """All that people can see."""
        files = [path.read_bytes() for path in self.site.directory.glob("journal.sqlite*")]
        return [*files, json.dumps(status(self.agent)).encode()]


@pytest.fixture
def on_site(site: Site, eventually: Eventually, caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """Runs a scenario with an agent of a site whose VIP is on a host; the password is shown nowhere."""

    async def with_agent(scenario: Callable[[Whole], Coroutine[Any, Any, None]], vip: str, deadline_ms: int) -> None:
        values = {"directory": site.directory, "program": json.dumps(site.program), "deadline_ms": deadline_ms}
        file = site.directory / "switchover.toml"
        file.write_text(HEAD.format(**values) + "".join(MEMBER.format(**values, number=number) for number in (1, 2)))
        configuration, hosts = load(file), {}
        together: list[MlcmdConnection] = []

        def link(name: str, hear: Callable[[Event], None]) -> Lca:
            hosts[name] = Lca(name, hear, {A1 if name == H1 else A2: B}, name == vip)
            return hosts[name]

        def connect(name: str, deliver: Callable[[Event], None]) -> MlcmdConnection:
            mlcmd, controlled = Mlcmd(configuration.mlcmd), controlled_on(name, configuration)
            return MlcmdConnection(mlcmd, controlled, deadline_ms, functools.partial(link, name), deliver, together)

        upset: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: upset.append(context))
        journal = Journal(configuration.agent.journal)
        whole = Whole(site, Agent(configuration, journal, connect), hosts, eventually)
        whole.agent.start()
        try:
            await asyncio.wait_for(scenario(whole), 90)
            shown = whole.shown()
        finally:
            await asyncio.wait_for(whole.agent.close(), 20)
            journal.close()
        await eventually(no_child_is_left)
        assert upset == []
        assert not [text for text in (*shown, *whole.shown(), caplog.text.encode()) if b"xyzzy" in text]
        assert not [entry.text for _, entry in read(configuration.agent.journal) if entry.kind == "refused"]

    caplog.set_level(logging.DEBUG, "switchover")
    return lambda scenario, vip=H1, deadline_ms=AMPLE_MS: asyncio.run(with_agent(scenario, vip, deadline_ms))


ANSWERS = ["succeed", "fail", "echo", "say_bytes", "linger", "die"]


@pytest.mark.parametrize("first", [*ANSWERS, "hang"])
@pytest.mark.parametrize(("primary", "vip"), [(A1, H1), (A2, H2)])
def test_an_agent_that_starts_switches_nothing(on_site, primary: str, vip: str, first: str):
    """Both LCAs say backup, and mlcmd may need some time to say what is so."""

    async def scenario(whole: Whole) -> None:
        whole.site.is_primary(primary, status=[first, first, "succeed"])
        side = vip[-1]
        await whole.rests(f"redundant_{side}", f"held_{side}")
        assert whole.site.operations() == []
        assert {host: lca.scripts for host, lca in whole.hosts.items() if lca.scripts} in ({vip: ["AnnounceVip"]}, {})

    on_site(scenario, vip, SHORT_MS if first == "hang" else AMPLE_MS)


@pytest.mark.parametrize("how", ["succeed", "promise", "linger"])
def test_a_manual_switchover_takes_one_operation(on_site, how: str):
    """Who becomes backup does so by the other one's becoming primary."""

    async def scenario(whole: Whole) -> None:
        await whole.rests("redundant_1", "held_1")
        whole.site.is_primary(A1, switchover=[how])
        whole.agent.switch(A2)
        await whole.rests("redundant_2", "held_2")
        assert whole.site.operations() == [f"{SWITCHOVER} 102"]

    on_site(scenario)


def test_a_primary_that_fails_is_replaced_and_comes_back_as_backup(on_site):
    async def scenario(whole: Whole) -> None:
        await whole.rests("redundant_1", "held_1")
        whole.hosts[H1].hear(ApplicationReported(A1, D))
        await whole.rests("no_redundancy_2", "held_2")
        whole.hosts[H1].hear(ApplicationReported(A1, B))
        await whole.rests("redundant_2", "held_2")
        assert whole.site.operations() == [f"{SWITCHOVER} 102"]

    on_site(scenario)


@pytest.mark.parametrize("lost", [ApplicationReported(A1, D), HostLost(H1), HostLeft(H1)])
def test_where_the_scs_has_switched_by_itself_no_operation_is_run(on_site, lost: Event):
    """That it is primary already is success, and the VIP follows."""

    async def scenario(whole: Whole) -> None:
        await whole.rests("redundant_1", "held_1")
        whole.site.is_primary(A2)
        whole.hosts[H1].hear(lost)
        pair, vip = ("no_redundancy_2", "held_2") if lost == ApplicationReported(A1, D) else ("peer_lost_2", "owed_2")
        await whole.rests(pair, vip)
        assert whole.site.operations() == []
        assert "EnableVip" in whole.hosts[H2].scripts

    on_site(scenario)


def test_a_host_that_returns_with_its_primary_is_demoted_or_found_to_be_backup(on_site):
    async def scenario(whole: Whole) -> None:
        await whole.rests("redundant_1", "held_1")
        whole.hosts[H1].hear(HostLost(H1))
        await whole.rests("peer_lost_2", "owed_2")
        whole.hosts[H1].vip_held = True
        whole.hosts[H1].start()
        await whole.rests("redundant_2", "held_2")
        assert whole.site.operations() == [f"{SWITCHOVER} 102"]

    on_site(scenario)


TROUBLE = [{"switchover": [how, "succeed"]} for how in ("fail", "die", "flood_and_fail", "hang", "do_nothing")]
TROUBLE += [{"status": [how, how, "succeed"]} for how in ("fail", "echo", "say_bytes", "flood", "hang")]
TROUBLE += [{"status": ["succeed", how, how, "succeed"]} for how in ("fail", "echo", "hang")]


@pytest.mark.parametrize("behaviour", TROUBLE, ids=json.dumps)
def test_a_takeover_ends_right_whatever_is_the_matter_with_mlcmd(on_site, behaviour: dict[str, list[str]]):
    """What failed is tried again, and what is not known is looked at before that."""

    async def scenario(whole: Whole) -> None:
        await whole.rests("redundant_1", "held_1")
        whole.site.is_primary(A1, **behaviour)
        whole.hosts[H1].hear(ApplicationReported(A1, D))
        await whole.rests("no_redundancy_2", "held_2")
        assert set(whole.site.operations()) == {f"{SWITCHOVER} 102"}
        texts = [entry.text for _, entry in read(whole.agent.configuration.agent.journal)]
        is_looked_at = any(text.startswith(("timed out", "unclear")) for text in texts)
        assert ("look at SIP_Server_2" in texts) is is_looked_at

    slow = any(how in ("hang", "do_nothing") for kinds in behaviour.values() for how in kinds)
    on_site(scenario, deadline_ms=SHORT_MS if slow else AMPLE_MS)


@pytest.mark.parametrize("behaviour", TROUBLE, ids=json.dumps)
def test_a_manual_switchover_is_made_or_given_up_whatever_is_the_matter_with_mlcmd(
    on_site, behaviour: dict[str, list[str]]
):
    """Where the primary is, there the VIP is, and mlcmd says so, too."""

    async def scenario(whole: Whole) -> None:
        await whole.rests("redundant_1", "held_1")
        whole.site.is_primary(A1, **behaviour)
        whole.agent.switch(A2)
        await whole.eventually(lambda: whole.ends() in [(f"redundant_{s}", f"held_{s}", ()) for s in (1, 2)])
        pair, _, _ = whole.ends()
        applications = json.loads((whole.site.directory / "state.json").read_text())["applications"]
        assert [each["mode"] for each in applications] == (
            ["primary", "backup"] if pair == "redundant_1" else ["backup", "primary"]
        )

    slow = any(how in ("hang", "do_nothing") for kinds in behaviour.values() for how in kinds)
    on_site(scenario, deadline_ms=SHORT_MS if slow else AMPLE_MS)
