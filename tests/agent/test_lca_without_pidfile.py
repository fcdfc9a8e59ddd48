"""The LCA watches an application that has no pidfile: by a status command, or by an OCF resource agent."""

import asyncio
import functools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.lca_application import CONTROL, KINDS, Application, by_status, run_with_application
from support.lca_at_work import A1, H1, Agent
from switchover.agent.host.lca import Lca
from switchover.drivers.control.ocf import OcfAgent
from switchover.fsm import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    Demote,
    HostReport,
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


# Watched by a status command


@KINDS
def test_without_a_pidfile_the_status_shows_a_failure_and_a_return(host, with_lca, application, eventually, kind, mode):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert (await lca.report()).modes == {A1: mode}
        application.kill()
        await eventually(lambda: agent.events == [ApplicationReported(A1, Mode.DOWN)])
        application.run()
        await eventually(lambda: agent.events[1:] == [ApplicationReported(A1, mode)])

    with_lca(host, scenario, kind=kind, **by_status(application))


def test_a_mode_changed_from_outside_is_reported_once(host, with_lca, application, eventually):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(Promote(H1, A1))
        assert A1 in (await lca.report()).primary_for_ms
        application.set_status("backup")
        await eventually(lambda: agent.reports() == [ApplicationReported(A1, Mode.BACKUP)])
        assert await lca.report() == HostReport({A1: Mode.BACKUP}, vip_held=False, primary_for_ms={})
        await asyncio.sleep(0.2)
        assert len(agent.reports()) == 1

    with_lca(host, scenario, **by_status(application))


def test_an_unreadable_or_missing_answer_changes_nothing(host, with_lca, application, caplog):
    application.run("primary")

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.set_status("in transition")
        await asyncio.sleep(0.3)
        application.spoil("hanging")
        assert isinstance(await agent.result(LookAt(H1, A1), 200), CommandTimedOut)
        (application.directory / "hanging").unlink()
        assert (await lca.report()).modes == {A1: Mode.PRIMARY}
        assert agent.reports() == []

    with caplog.at_level(logging.WARNING, "switchover.lca"):
        with_lca(host, scenario, **by_status(application))
    reason = f"{application.control} alive should print primary or backup, but printed 'in transition'"
    assert caplog.messages == [f"the mode of {A1} cannot be read, so it still counts as primary: {reason}"]  # once


def test_a_killed_status_command_does_not_mean_that_the_application_is_down(host, with_lca, application):
    application.run("primary")

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.control.write_text("#!/bin/sh\nkill -9 $$\n")
        reason = f"{application.control} alive was killed by signal 9"
        assert await agent.result(LookAt(H1, A1)) == CommandUnclear(1, reason)
        assert (await lca.report()).modes == {A1: Mode.PRIMARY}
        assert agent.reports() == []

    with_lca(host, scenario, **by_status(application))


def test_an_application_whose_status_was_never_readable_counts_as_down(host, with_lca, application):
    application.run("in transition")

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert (await lca.report()).modes == {A1: Mode.DOWN}

    with_lca(host, scenario, **by_status(application))


def test_a_command_does_not_wait_for_a_status_check_and_checks_go_on_after_it(host, with_lca, application, eventually):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.spoil("hanging")
        asked = len(application.calls(status=True))
        await eventually(lambda: len(application.calls(status=True)) > asked)
        number = agent.give(Promote(H1, A1))
        await eventually(lambda: application.calls() == ["primary"])
        (application.directory / "hanging").unlink()
        await eventually(lambda: agent.events == [CommandSucceeded(number)])
        application.kill()
        await eventually(lambda: agent.reports() == [ApplicationReported(A1, Mode.DOWN)])

    with_lca(host, scenario, **by_status(application))


def test_an_lca_that_ends_leaves_no_status_command_behind(host, with_lca, application, eventually):
    application.run()
    hanging = "echo $$ > looking; while [ -e hanging ]"

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.control.write_text(CONTROL.replace("while [ -e hanging ]", hanging))
        application.spoil("hanging")
        looking = application.directory / "looking"
        await eventually(lambda: looking.exists() and looking.read_text())

    with_lca(host, scenario, **by_status(application))
    looking = (application.directory / "looking").read_text().strip()
    assert not Path(f"/proc/{looking}").exists()


# By an OCF resource agent


@pytest.fixture
def stateful(tmp_path) -> dict[str, Any]:
    """The configuration of an application that a real agent controls; the file `state` holds its role."""
    agent = Path("/usr/lib/ocf/resource.d/pacemaker/Stateful")
    if not agent.exists():
        pytest.skip(f"there is no {agent}: install pacemaker-resource-agents")
    ocf = OcfAgent(agent, (f"state={tmp_path}/state",))
    none = dict.fromkeys(("pidfile", "to_primary", "to_backup", "status", "start", "stop"))
    return {**none, "ocf": ocf, "look_every_ms": 50}


def test_an_ocf_agent_starts_promotes_demotes_and_stops(host, with_lca, stateful):
    async def scenario(lca: Lca, agent: Agent) -> None:
        assert (await lca.report()).modes == {A1: Mode.DOWN}
        assert await agent.result(Promote(H1, A1)) == CommandFailed(1, f"{A1} is down")
        ways = [
            (Start(H1, A1), Mode.BACKUP),
            (Promote(H1, A1), Mode.PRIMARY),
            (Demote(H1, A1), Mode.BACKUP),
            (Promote(H1, A1), Mode.PRIMARY),
            (Stop(H1, A1), Mode.DOWN),
        ]
        for command, mode in ways:
            assert await agent.result(command) == CommandSucceeded(agent.count)
            assert (await lca.report()).modes == {A1: mode}
        assert agent.reports() == [ApplicationReported(A1, Mode.BACKUP), ApplicationReported(A1, Mode.DOWN)]

    with_lca(host, scenario, **stateful)


def test_a_change_from_outside_is_noticed_through_an_ocf_agent(host, with_lca, stateful, tmp_path, eventually):
    state = tmp_path / "state"
    seen = [("Unpromoted", Mode.BACKUP), ("Promoted", Mode.PRIMARY)]

    async def scenario(lca: Lca, agent: Agent) -> None:
        for role, mode in seen:
            state.write_text(f"{role}\n")
            await eventually(lambda mode=mode: agent.events[-1:] == [ApplicationReported(A1, mode)])
        (tmp_path / "state.rc").write_text("1\n")  # it does not work
        await eventually(lambda: agent.events[-1:] == [ApplicationReported(A1, Mode.DOWN)])
        (tmp_path / "state.rc").unlink()
        await eventually(lambda: agent.events[-1:] == [ApplicationReported(A1, Mode.PRIMARY)])
        state.unlink()
        await eventually(lambda: agent.events[-1:] == [ApplicationReported(A1, Mode.DOWN)])

    with_lca(host, scenario, **stateful)
