"""The LCA starts, stops and looks at an application in the same way, watched by its pidfile or by its status."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.lca_application import KINDS, Application, by_status, run_with_application
from support.lca_at_work import A1, H1, Agent
from switchover.agent.configuration.settings import PairKind
from switchover.agent.host.lca import Lca
from switchover.fsm import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    Demote,
    LookAt,
    Mode,
    Promote,
    Start,
    Stop,
)


@pytest.fixture
def application(tmp_path) -> Iterator[Application]:
    with Application(tmp_path / "application") as application:
        yield application


@pytest.fixture
def with_lca(tmp_path, application) -> Callable[..., None]:
    """Runs a scenario in a namespace: see `run_with_application`."""
    return functools.partial(run_with_application, tmp_path, application)


@pytest.fixture(params=["by pidfile", "by status"])
def watched(request, application) -> dict[str, Any]:
    """The ways in which an application can be watched."""
    return by_status(application) if request.param == "by status" else {}


@KINDS
def test_a_start_or_stop_is_reported_before_its_command_succeeds(host, with_lca, application, watched, kind, mode):
    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(Start(H1, A1))
        assert agent.events == [ApplicationReported(A1, mode), CommandSucceeded(1)]
        assert (await lca.report()).modes == {A1: mode}
        await agent.result(Stop(H1, A1))
        assert agent.events[2:] == [ApplicationReported(A1, Mode.DOWN), CommandSucceeded(2)]
        assert application.calls() == ["start", "stop"]

    with_lca(host, scenario, kind=kind, **watched)


def test_a_running_application_is_not_started_and_a_stopped_one_not_stopped(host, with_lca, application, watched):
    async def scenario(lca: Lca, agent: Agent) -> None:
        assert await agent.result(Stop(H1, A1)) == CommandSucceeded(1)
        await agent.result(Start(H1, A1))
        assert await agent.result(Start(H1, A1)) == CommandSucceeded(3)
        assert application.calls() == ["start"]

    with_lca(host, scenario, **watched)


@pytest.mark.parametrize(("command", "key"), [(Start(H1, A1), "start"), (Stop(H1, A1), "stop")])
def test_a_start_or_stop_without_a_command_fails_and_says_what_to_configure(host, with_lca, application, command, key):
    if key == "stop":
        application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        reason = f"{A1} has no command for this: add {key} or ocf to its member in the configuration"
        assert await agent.result(command) == CommandFailed(1, reason)

    with_lca(host, scenario, **{key: None})


def test_a_failed_start_gives_its_reason_and_one_without_effect_times_out(host, with_lca, application, watched):
    application.spoil("broken")

    async def scenario(lca: Lca, agent: Agent) -> None:
        reason = f"{application.control} start ended with status 3: no licence"
        assert await agent.result(Start(H1, A1)) == CommandFailed(1, reason)
        (application.directory / "broken").unlink()
        application.spoil("lying")
        assert await agent.result(Start(H1, A1), 300) == CommandTimedOut(2, "not done within 300 ms")
        assert agent.reports() == []

    with_lca(host, scenario, **watched)


@pytest.mark.parametrize("mode", [Mode.PRIMARY, Mode.BACKUP])
def test_a_look_reports_the_mode_and_then_succeeds(host, with_lca, application, watched, mode):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.set_status(mode)
        await agent.result(LookAt(H1, A1))
        assert agent.events[-2:] == [ApplicationReported(A1, mode), CommandSucceeded(1)]
        application.kill()
        await agent.result(LookAt(H1, A1))
        assert agent.events[-2:] == [ApplicationReported(A1, Mode.DOWN), CommandSucceeded(2)]

    with_lca(host, scenario, **watched)


def test_a_look_that_cannot_read_the_mode_reports_nothing_and_is_unclear(host, with_lca, application, watched):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.set_status("in transition")
        assert isinstance(await agent.result(LookAt(H1, A1)), CommandUnclear)
        assert agent.reports() == []

    with_lca(host, scenario, **watched)


# Without a mode of its own


@pytest.mark.parametrize(
    ("changes", "mode", "reason"),
    [
        (
            {"kind": PairKind.MONITORED},
            Mode.UP,
            f"{A1} is only monitored: it has no mode to change",
        ),
        ({"mlcmd": "SIP_1"}, Mode.BACKUP, f"the mode of {A1} is changed through mlcmd, not on its host"),
    ],
)
def test_an_application_without_a_mode_of_its_own_is_only_up_or_down(
    host, with_lca, application, watched, changes, mode, reason
):
    """The mode that its status command prints does not count."""
    application.run("primary")

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert (await lca.report()).modes == {A1: mode}
        for command in (Promote(H1, A1), Demote(H1, A1)):
            assert await agent.result(command) == CommandFailed(agent.count, reason)
        assert application.calls() == []
        application.kill()
        await agent.result(LookAt(H1, A1))
        assert (await lca.report()).modes == {A1: Mode.DOWN}

    with_lca(host, scenario, **changes, **watched)
