"""When a host whose modes mlcmd says is connected, and what is told of its applications as they fail and come up."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from support.mlcmd_desk import Desk, connected, with_desk
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
def on_desk(site: Site, eventually: Eventually) -> Callable[..., None]:
    """Runs a scenario with a connection: see `with_desk`."""
    return lambda scenario, **settings: asyncio.run(with_desk(site, eventually, scenario, **settings))


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
