"""When a host with modes read through mlcmd is connected, and what is reported as its applications fail and return."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from support.mlcmd_harness import MlcmdHarness, connected, with_harness
from support.mlcmd_site import (
    A1,
    A2,
    AMPLE_MS,
    H1,
    RM,
    SHORT_MS,
    STATUS,
    SWITCHOVER,
    UP,
    B,
    D,
    Eventually,
    P,
    Site,
    no_child_is_left,
    site_of,
)
from switchover.agent.controller.mlcmd_connection import MlcmdConnection
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    CommandUnclear,
    Event,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    LookAt,
    Mode,
    Promote,
    VipReported,
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return site_of(tmp_path, monkeypatch)


@pytest.fixture
def play(site: Site, eventually: Eventually) -> Callable[..., None]:
    """Runs a scenario with a connection: see `with_harness`."""
    return lambda scenario, **settings: asyncio.run(with_harness(site, eventually, scenario, **settings))


# A host connects


def test_a_host_is_connected_once_mlcmd_reports_and_its_events_follow(play):
    async def scenario(harness: MlcmdHarness) -> None:
        meanwhile = [HostFellSilent(H1), VipReported(H1, held=True), HostHeard(H1), ApplicationReported(RM, D)]
        for event in (connected(B, RM_1=UP), *meanwhile):
            harness.host.deliver(event)
        assert harness.events == []
        await harness.expect(connected(P, RM_1=UP), *meanwhile)
        harness.host.deliver(HostFellSilent(H1))
        await harness.expect(connected(P, RM_1=UP), *meanwhile, HostFellSilent(H1))
        assert harness.site.runs() == [f"{STATUS} 101"]

    play(scenario)


def test_a_host_whose_applications_are_down_is_connected_at_once(play):
    async def scenario(harness: MlcmdHarness) -> None:
        harness.host.deliver(connected(D))
        assert harness.events == [connected(D)]
        assert harness.site.runs() == []

    play(scenario)


@pytest.mark.parametrize("behaviour", ["hang", "linger", "fail"])
def test_an_application_that_fails_while_mlcmd_is_asked_is_down(play, behaviour: str):
    """mlcmd does not decide this, and might never report a mode."""

    async def scenario(harness: MlcmdHarness) -> None:
        harness.site.is_primary(A1, status=[behaviour])
        harness.host.deliver(connected())
        await harness.wait_for_run(f"{STATUS} 101")
        harness.host.deliver(ApplicationReported(A1, D))
        assert harness.events == [connected(D)]
        await harness.expect(connected(D))

    play(scenario)


@pytest.mark.parametrize("parting", [HostLost(H1), HostLeft(H1)])
def test_a_host_that_is_lost_while_mlcmd_is_asked_was_never_connected(play, parting: Event):
    """`HostLost` is delivered once: the agent may wait for it."""

    async def scenario(harness: MlcmdHarness) -> None:
        harness.site.is_primary(A1, status=["hang"])
        for _ in range(2):
            harness.host.deliver(connected())
            await harness.wait_for_run(f"{STATUS} 101")
            harness.host.deliver(parting)
            await harness.expect(parting)
        harness.site.is_primary(A1)
        harness.host.deliver(connected())
        await harness.expect(parting, connected(P))

    play(scenario)


def test_nothing_is_reported_of_a_host_that_is_not_connected(play):
    async def scenario(harness: MlcmdHarness) -> None:
        speech = [HostFellSilent(H1), HostHeard(H1), VipReported(H1, held=True)]
        speech += [ApplicationReported(A1, B), ApplicationReported(A1, D), ApplicationReported(RM, D)]
        for event in speech:
            harness.host.deliver(event)
        harness.host.deliver(connected())
        harness.host.deliver(HostLost(H1))
        for event in speech:
            harness.host.deliver(event)
        await harness.expect(HostLost(H1))

    play(scenario)


def test_of_two_connections_the_newer_one_counts(play):
    async def scenario(harness: MlcmdHarness) -> None:
        harness.host.deliver(connected(B, RM_1=UP))
        harness.host.deliver(VipReported(H1, held=True))
        harness.host.deliver(connected(B, RM_1=D))
        await harness.expect(connected(P, RM_1=D))
        harness.site.is_primary(A2)
        harness.host.deliver(connected(B, RM_1=UP))
        await harness.expect(connected(P, RM_1=D), connected(B, RM_1=UP))

    play(scenario)


@pytest.mark.parametrize("behaviour", ["fail", "say_bytes", "echo", "hang", "die"])
def test_a_host_is_not_connected_before_mlcmd_has_reported_its_modes(play, behaviour: str):
    """However often it has to be asked."""

    async def scenario(harness: MlcmdHarness) -> None:
        harness.site.is_primary(A1, status=[behaviour, "fail", "succeed"])
        harness.host.deliver(connected())
        await harness.expect(connected(P))
        assert harness.site.runs() == [f"{STATUS} 101"] * 3

    play(scenario, deadline_ms=SHORT_MS)


def test_the_known_mode_is_used_until_mlcmd_reports_another_one(play):
    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect(P)
        harness.host.deliver(HostLost(H1))
        harness.site.is_primary(A2, status=["fail", "fail", "succeed"])
        harness.host.deliver(connected())
        await harness.expect(HostLost(H1), connected(P))
        await harness.eventually(lambda: len(harness.events) == 3)
        await harness.expect(HostLost(H1), connected(P), ApplicationReported(A1, B))

    play(scenario)


@pytest.mark.parametrize(
    ("released_by", "expected"), [(HostLost(H1), HostLost(H1)), (ApplicationReported(A1, D), connected(D))]
)
def test_a_host_waits_for_the_modes_on_the_other_host(
    site: Site, eventually: Eventually, released_by: Event, expected: Event
):
    """Otherwise its backup would be promoted as soon as the settle time is over."""

    async def scenario() -> None:
        together: list[MlcmdConnection] = []
        first, second = (
            MlcmdHarness.of(site, eventually, together, dbids=dbids) for dbids in (("999", "102"), ("102", "101"))
        )
        first.host.deliver(connected())
        second.host.deliver(connected())
        second.host.deliver(VipReported(H1, held=True))
        await eventually(lambda: len(site.runs()) >= 5)
        assert first.events + second.events == []
        first.host.deliver(released_by)
        assert first.events == [expected]
        assert second.events == [connected(B), VipReported(H1, held=True)]
        for harness in (first, second):
            await asyncio.wait_for(harness.connection.close(), 20)
        await eventually(no_child_is_left)

    asyncio.run(scenario())


# Applications fail and come up


@pytest.mark.parametrize("mode", [P, B])
def test_the_mode_of_an_application_that_is_up_again_is_read(play, mode: Mode):
    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect()
        harness.site.is_primary(A1 if mode is P else A2)
        harness.host.deliver(ApplicationReported(A1, D))
        harness.host.deliver(ApplicationReported(A1, B))
        await harness.expect(ApplicationReported(A1, D), ApplicationReported(A1, mode))

    play(scenario)


def test_an_application_up_again_counts_as_backup_until_mlcmd_says_otherwise(play):
    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect(D)
        harness.site.is_primary(A1, status=["fail", "fail", "succeed"])
        harness.host.deliver(ApplicationReported(A1, B))
        await harness.expect(ApplicationReported(A1, B))
        await harness.eventually(lambda: len(harness.events) == 2)
        await harness.expect(ApplicationReported(A1, B), ApplicationReported(A1, P))

    play(scenario)


def test_the_result_of_a_command_replaces_an_assumed_mode(play):
    """However often mlcmd is asked in vain after that."""

    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect(D)
        harness.site.is_primary(A2, status=["fail", "succeed", "succeed", "fail"])
        harness.host.deliver(ApplicationReported(A1, B))
        await harness.eventually(lambda: harness.events)
        harness.connection.send(Promote(H1, A1, 7), AMPLE_MS)
        await harness.eventually(lambda: len(harness.site.runs()) >= 6)
        await harness.expect(ApplicationReported(A1, B), CommandSucceeded(7))
        assert harness.site.operations() == [f"{SWITCHOVER} 101"]

    play(scenario)


def test_a_late_answer_does_not_revive_an_application(play):
    async def scenario(harness: MlcmdHarness) -> None:
        await harness.connect(D)
        harness.site.is_primary(A1, status=["linger"])
        harness.host.deliver(ApplicationReported(A1, B))
        await harness.wait_for_run(f"{STATUS} 101")
        harness.connection.send(LookAt(H1, A1, 7), AMPLE_MS)
        harness.host.deliver(ApplicationReported(A1, D))
        await harness.expect(ApplicationReported(A1, D), CommandSucceeded(7))

    play(scenario)


@pytest.mark.parametrize("mode", [P, B])
def test_a_status_of_stopped_for_a_running_application_is_not_a_mode(play, mode: Mode):
    async def scenario(harness: MlcmdHarness) -> None:
        harness.site.is_primary(A1 if mode is P else A2)
        await harness.connect(mode)
        harness.site.is_primary(A2, others="stopped")
        harness.connection.send(LookAt(H1, A1, 7), AMPLE_MS)
        reason = "mlcmd says that SIP_Server_1 is stopped, and its host says that it runs"
        await harness.expect(CommandUnclear(7, reason))

    play(scenario)
