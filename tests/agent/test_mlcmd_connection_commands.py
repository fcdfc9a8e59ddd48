"""Commands for what mlcmd controls: how they are carried out, and which results are delivered."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from support.mlcmd_harness import MlcmdHarness, with_harness
from support.mlcmd_site import (
    A1,
    A2,
    AMPLE_MS,
    H1,
    RM,
    SHORT_MS,
    STATUS,
    SWITCHOVER,
    B,
    D,
    Eventually,
    P,
    Site,
    site_of,
)
from switchover.fsm import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    Demote,
    EnableVip,
    Event,
    HostCommand,
    HostLeft,
    HostLost,
    LookAt,
    Mode,
    Promote,
    Start,
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return site_of(tmp_path, monkeypatch)


@pytest.fixture
def play(site: Site, eventually: Eventually) -> Callable[..., None]:
    """Runs a scenario with a connection: see `with_harness`."""
    return lambda scenario, **settings: asyncio.run(with_harness(site, eventually, scenario, **settings))


@pytest.mark.parametrize(
    ("primary", "command", "operations", "reports"),
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
def test_mlcmd_carries_out_what_it_controls(play, known: Mode, primary, command, operations, reports):
    """Whatever mode was known before: the wanted mode is left alone, and a look is always answered."""

    async def scenario(harness: MlcmdHarness) -> None:
        harness.site.is_primary(A1 if known is P else A2)
        await harness.connect(known)
        harness.site.is_primary(primary)
        harness.connection.send(command, AMPLE_MS)
        # Never from within `send`: the agent is busy with the event that led to the command.
        assert harness.events == []
        await harness.expect(*reports, CommandSucceeded(7))
        assert (harness.site.operations(), harness.host.sent) == (operations, [])

    play(scenario)


@pytest.mark.parametrize("command", [Promote(H1, RM, 7), Start(H1, A1, 7), EnableVip(H1, 7), LookAt(H1, RM, 7)])
def test_commands_that_mlcmd_does_not_control_go_to_the_host(play, command: HostCommand):
    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect()
        harness.connection.send(command, 1234)
        harness.host.deliver(CommandSucceeded(7))
        await harness.expect(CommandSucceeded(7))
        assert harness.host.sent == [(command, 1234)]

    play(scenario)


@pytest.mark.parametrize("command", [Promote(H1, A1, 7), Demote(H1, A1, 7), LookAt(H1, A1, 7)])
def test_commands_for_a_host_that_is_not_connected_are_passed_on(play, command: HostCommand):
    """Its own connection decides the result of a command that cannot be sent."""

    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect()
        harness.host.deliver(HostLost(H1))
        harness.connection.send(command, 1234)
        await harness.expect(HostLost(H1))
        assert harness.host.sent == [(command, 1234)]
        assert harness.site.runs() == [f"{STATUS} 101"]

    play(scenario)


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
def test_the_result_of_a_command_is_delivered(play, behaviour: dict[str, list[str]], kind: type):
    async def scenario(harness: MlcmdHarness) -> None:
        harness.site.is_primary(A2)
        await harness.connect(B)
        harness.site.is_primary(A2, **behaviour)
        harness.connection.send(Promote(H1, A1, 7), 2 * SHORT_MS)
        await harness.eventually(lambda: harness.events)
        ((result),) = harness.events
        assert (type(result), result.id, "xyzzy" in result.reason) == (kind, 7, False)

    play(scenario)


def test_commands_for_one_application_wait_for_each_other_within_their_deadlines(play):
    async def scenario(harness: MlcmdHarness) -> None:
        harness.site.is_primary(A2)
        await harness.connect(B)
        harness.site.is_primary(A2, switchover=["hang"])
        harness.connection.send(Promote(H1, A1, 7), AMPLE_MS)
        await harness.wait_for_run(f"{SWITCHOVER} 101")
        harness.connection.send(LookAt(H1, A1, 8), 50)
        await harness.eventually(lambda: harness.events)
        assert harness.events == [CommandTimedOut(8, "SIP_Server_1 was busy for 50 ms")]

    play(scenario)


def test_commands_for_an_application_that_is_down_go_to_its_host(play):
    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect(D)
        for command in (Promote(H1, A1, 7), Demote(H1, A1, 8), LookAt(H1, A1, 9)):
            harness.connection.send(command, AMPLE_MS)
        failed = [CommandFailed(number, "SIP_Server_1 is down") for number in (7, 8)]
        await harness.expect(*failed, ApplicationReported(A1, D), CommandSucceeded(9))
        assert harness.site.runs() == []

    play(scenario)


@pytest.mark.parametrize("command", [Promote(H1, A1, 7), LookAt(H1, A1, 7)])
@pytest.mark.parametrize("is_up_again", [False, True])
def test_a_command_for_an_application_that_goes_down_fails(play, command: HostCommand, is_up_again: bool):
    """Also if it is up again by then: mlcmd may describe the time before or after."""

    async def scenario(harness: MlcmdHarness) -> None:
        harness.site.is_primary(A2)
        await harness.connect(B)
        harness.site.is_primary(A2, status=["linger"], switchover=["linger"])
        harness.connection.send(command, AMPLE_MS)
        await harness.eventually(lambda: len(harness.site.runs()) == 2)
        down, failed = ApplicationReported(A1, D), CommandFailed(7, "SIP_Server_1 went down")
        mode = P if isinstance(command, Promote) else B
        for event in (down, ApplicationReported(A1, B))[: 1 + is_up_again]:
            harness.host.deliver(event)
        await harness.eventually(lambda: failed in harness.events)
        await harness.expect(down, failed, *[ApplicationReported(A1, mode)][:is_up_again])

    play(scenario)


@pytest.mark.parametrize("command", [Promote(H1, A1, 7), Demote(H1, A1, 7), LookAt(H1, A1, 7)])
@pytest.mark.parametrize("parting", [HostLost(H1), HostLeft(H1), None])
@pytest.mark.parametrize("behaviour", ["hang", "linger"])
def test_after_a_host_is_lost_nothing_is_delivered_and_mlcmd_is_ended(
    play, command: HostCommand, parting: Event | None, behaviour: str
):
    """Nor after the connection is closed: see `play`."""

    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect()
        harness.site.is_primary(A2 if isinstance(command, Promote) else A1, status=[behaviour])
        harness.connection.send(command, AMPLE_MS)
        await harness.eventually(lambda: len(harness.site.runs()) == 2)
        if parting:
            harness.host.deliver(parting)
            await harness.expect(parting)

    play(scenario)


def test_an_unexpected_error_is_logged_and_counts_as_unclear(play, caplog: pytest.LogCaptureFixture):
    """For example an argument that cannot be passed to a program."""

    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect(D)
        harness.host.deliver(ApplicationReported(A1, B))
        await harness.eventually(lambda: harness.events)
        harness.connection.send(Promote(H1, A1, 7), AMPLE_MS)
        unclear = CommandUnclear(7, "UnicodeEncodeError in mlcmd's driver: see the agent's log")
        await harness.expect(ApplicationReported(A1, B), unclear)
        await harness.eventually(lambda: caplog.text.count("SIP_Server_1 has no known mode") >= 2)  # it is asked again

    play(scenario, csuser="\ud800")
    assert "Traceback" in caplog.text
    assert "xyzzy" not in caplog.text
