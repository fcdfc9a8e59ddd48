"""The LCA knows the mode of its applications, and promotes and demotes them, with real processes."""

import asyncio
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.lca_application import CONTROL, Application, by_status, configuration, run_with_application
from support.lca_at_work import A1, H1, VIP, Agent
from switchover.agent.host.lca import Lca
from switchover.drivers.vip.addresses import NetlinkAddresses
from switchover.fsm import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnconfirmed,
    Demote,
    EnableVip,
    HostReport,
    LookAt,
    Mode,
    Promote,
)

NOT_SEEN = "exit status 0, but its effect was not seen"


@pytest.fixture
def application(tmp_path) -> Iterator[Application]:
    with Application(tmp_path / "application") as application:
        yield application


@pytest.fixture
def with_lca(tmp_path, application) -> Callable[..., None]:
    """Runs a scenario in a namespace: see `run_with_application`."""
    return functools.partial(run_with_application, tmp_path, application)


@pytest.mark.parametrize(
    ("says", "status", "mode"),
    [
        ("primary", True, Mode.PRIMARY),
        ("backup", True, Mode.BACKUP),
        ("confused", True, Mode.BACKUP),
        ("primary", False, Mode.BACKUP),
    ],
)
def test_the_mode_of_a_running_application_is_its_status_otherwise_backup(
    host, with_lca, application, says, status, mode
):
    application.run(says)

    async def scenario(lca: Lca, agent: Agent) -> None:
        # How long it has been primary is unknown, because this LCA did not promote it.
        assert await lca.report() == HostReport({A1: mode}, vip_held=False, primary_for_ms={})

    with_lca(host, scenario, **({} if status else {"status": None}))


def test_an_application_that_dies_while_its_status_is_asked_counts_as_down(host, with_lca, application):
    application.run()
    pid = application.directory / "pid"
    application.control.write_text(f"#!/bin/sh\nkill -9 $(cat {pid})\nsleep 0.3\necho backup\n")

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert (await lca.report()).modes == {A1: Mode.DOWN}

    with_lca(host, scenario)


def test_promote_and_demote_run_the_control_commands_and_check_the_result(host, with_lca, application):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        for command, mode in ((Promote(H1, A1), Mode.PRIMARY), (Demote(H1, A1), Mode.BACKUP)):
            assert await agent.result(command) == CommandSucceeded(agent.count)
            assert (application.directory / "mode").read_text() == f"{mode}\n"
            assert (await lca.report()).modes == {A1: mode}
        assert application.calls() == ["primary", "backup"]
        assert agent.reports() == []

    with_lca(host, scenario)


def test_an_application_already_in_the_wanted_mode_is_left_alone(host, with_lca, application):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(Promote(H1, A1))
        before = (await lca.report()).primary_for_ms[A1]
        await asyncio.sleep(0.02)
        assert await agent.result(Promote(H1, A1)) == CommandSucceeded(2)
        assert (await lca.report()).primary_for_ms[A1] > before  # it has been primary all the time
        assert application.calls() == ["primary"]

    with_lca(host, scenario)


def test_a_mode_changed_from_outside_is_noticed_by_the_next_command(host, with_lca, application):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.set_status("primary")
        assert (await lca.report()).modes == {A1: Mode.PRIMARY}
        application.set_status("backup")
        assert await agent.result(Promote(H1, A1)) == CommandSucceeded(1)
        assert (application.directory / "mode").read_text() == "primary\n"
        assert application.calls() == ["primary"]

    with_lca(host, scenario)


def test_an_application_that_dies_again_during_its_start_is_not_reported_up(host, with_lca, application, eventually):
    application.run()
    pid, asked = application.directory / "pid", application.directory / "asked"

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.kill()
        await eventually(lambda: agent.events == [ApplicationReported(A1, Mode.DOWN)])
        application.control.write_text(f"#!/bin/sh\nkill -9 $(cat {pid})\nsleep 0.2\necho backup\necho $$ > {asked}\n")
        application.run()
        await eventually(lambda: asked.exists() and not lca._tasks)
        assert agent.events == [ApplicationReported(A1, Mode.DOWN)] * 2
        assert (await lca.report()).modes == {A1: Mode.DOWN}

    with_lca(host, scenario)


def test_an_agent_that_connects_during_the_start_waits_for_the_whole_report(host, tmp_path, application):
    application.run("primary")
    settings = configuration(tmp_path, application)

    async def scenario() -> HostReport:
        lca = Lca(settings, settings.hosts[0], NetlinkAddresses("eth0", VIP))
        report = asyncio.create_task(lca.report())
        try:
            await asyncio.sleep(0)
            await lca.start()
            return await report
        finally:
            await lca.close()

    assert host.run(scenario()).modes == {A1: Mode.PRIMARY}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("broken", "control primary ended with status 3: no licence"),
        ("lying", f"{A1} should be primary after the command, but says 'backup'"),
    ],
)
def test_a_control_command_that_fails_or_changes_nothing_is_a_failure(host, with_lca, application, how, reason):
    application.run()
    application.spoil(how)

    async def scenario(lca: Lca, agent: Agent) -> None:
        failure = await agent.result(Promote(H1, A1))
        assert isinstance(failure, CommandFailed)
        assert failure.reason.endswith(reason)
        assert (await lca.report()).modes == {A1: Mode.BACKUP}
        (application.directory / how).unlink()
        assert await agent.result(Promote(H1, A1)) == CommandSucceeded(2)

    with_lca(host, scenario)


def test_without_a_status_command_exit_status_0_means_success(host, with_lca, application):
    application.run()
    application.spoil("lying")

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert await agent.result(Promote(H1, A1)) == CommandSucceeded(1)
        assert (await lca.report()).modes == {A1: Mode.PRIMARY}
        assert application.calls(status=True) == ["primary"]

    with_lca(host, scenario, status=None)


def test_a_promotion_after_which_the_status_cannot_be_read_is_unconfirmed(host, with_lca, application):
    application.run()
    application.spoil("lying")

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.set_status("in transition")
        asked = f"{application.control} status"
        reason = f"{NOT_SEEN}: {asked} should print primary or backup, but printed 'in transition'"
        assert await agent.result(Promote(H1, A1)) == CommandUnconfirmed(1, reason)
        (application.directory / "mode").unlink()
        unconfirmed = await agent.result(Promote(H1, A1))
        assert isinstance(unconfirmed, CommandUnconfirmed)
        assert unconfirmed.reason.startswith(f"{NOT_SEEN}: {asked} ended with status 1: ")
        assert application.calls() == ["primary", "primary"]  # what is not confirmed is not left alone
        assert agent.reports() == []

    with_lca(host, scenario)


@pytest.mark.parametrize(("spoilt", "truth"), [("hanging", Mode.PRIMARY), ("lying", Mode.BACKUP)])
def test_what_a_program_said_counts_until_a_look_is_answered_and_reported(
    host, with_lca, application, eventually, spoilt, truth
):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.spoil("hanging")
        application.spoil(spoilt)
        result = await agent.result(Promote(H1, A1), deadline_ms=200)
        assert result == CommandUnconfirmed(1, f"{NOT_SEEN}: not done within 200 ms")
        assert await agent.result(LookAt(H1, A1), deadline_ms=100) == CommandTimedOut(2, "not done within 100 ms")
        assert agent.reports() == []
        report = asyncio.create_task(lca.report())  # its look is answered as soon as the status is
        application.set_status("in transition")
        (application.directory / "hanging").unlink()
        assert (await report).modes == {A1: Mode.PRIMARY}
        application.set_status(truth)
        await lca._applications[A1].look_at_rest()
        assert agent.reports() == [ApplicationReported(A1, truth)]

    with_lca(host, scenario, status=(str(application.control), "alive"))


def test_an_application_that_dies_before_its_promotion_is_confirmed_is_down(host, with_lca, application, eventually):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.spoil("hanging")
        agent.give(Promote(H1, A1), deadline_ms=1000)
        await eventually(lambda: (application.directory / "mode").read_text() == "primary\n")
        application.kill()
        await eventually(lambda: len(agent.events) == 2)
        assert agent.events == [ApplicationReported(A1, Mode.DOWN), CommandTimedOut(1, "not done within 1000 ms")]
        assert (await lca.report()).modes == {A1: Mode.DOWN}

    with_lca(host, scenario, status=(str(application.control), "alive"))


def test_a_control_command_that_hangs_times_out_at_its_deadline_and_is_ended(host, with_lca, application):
    application.run()
    application.spoil("slow")

    async def scenario(lca: Lca, agent: Agent) -> None:
        late = await agent.result(Promote(H1, A1), deadline_ms=150)
        assert late == CommandTimedOut(1, "not done within 150 ms")
        (application.directory / "slow").unlink()
        assert await agent.result(Promote(H1, A1)) == CommandSucceeded(2)  # the next one does not wait for it
        assert application.calls() == ["primary", "primary"]

    with_lca(host, scenario)


def test_an_application_that_is_down_cannot_be_promoted_or_demoted(host, with_lca, application):
    async def scenario(lca: Lca, agent: Agent) -> None:
        assert (await lca.report()).modes == {A1: Mode.DOWN}
        for command in (Promote(H1, A1), Demote(H1, A1)):
            assert await agent.result(command) == CommandFailed(agent.count, f"{A1} is down")
        assert application.calls(status=True) == []

    with_lca(host, scenario)


def test_a_kill_is_reported_at_once_and_a_restart_as_backup(host, with_lca, application, eventually):
    application.run("primary")

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.kill()
        await eventually(lambda: agent.events == [ApplicationReported(A1, Mode.DOWN)])
        assert await lca.report() == HostReport({A1: Mode.DOWN}, vip_held=False, primary_for_ms={})
        application.run()
        await eventually(lambda: agent.events[1:] == [ApplicationReported(A1, Mode.BACKUP)])
        assert (await lca.report()).modes == {A1: Mode.BACKUP}

    with_lca(host, scenario)


def test_an_application_that_dies_while_it_is_promoted_is_a_failure(host, with_lca, application):
    application.run()
    pid = application.directory / "pid"
    application.control.write_text(f"#!/bin/sh\n[ $1 = primary ] && kill -9 $(cat {pid}) && sleep 0.3\necho primary\n")

    async def scenario(lca: Lca, agent: Agent) -> None:
        failure = await agent.result(Promote(H1, A1))
        assert failure == CommandFailed(1, f"{A1} went down")
        assert agent.reports() == [ApplicationReported(A1, Mode.DOWN)]
        assert (await lca.report()).modes == {A1: Mode.DOWN}

    with_lca(host, scenario, status=None)


@pytest.mark.parametrize("pidfile", [True, False])
@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ('*) echo "$1" > mode', "*) die"),
        ("    [ -e pid ] &&", "    grep -q primary calls && die\n    [ -e pid ] &&"),
    ],
    ids=["before it is looked at", "while it is looked at"],
)
def test_an_application_that_dies_during_a_promotion_is_down(host, with_lca, application, pidfile, line, instead):
    changes = by_status(application)
    if pidfile:
        del changes["pidfile"]
    application.run()
    application.control.write_text(CONTROL.replace(line, instead))

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert await agent.result(Promote(H1, A1)) == CommandFailed(1, f"{A1} went down")
        assert agent.reports() == [ApplicationReported(A1, Mode.DOWN)]

    with_lca(host, scenario, **changes)


def test_commands_wait_only_for_others_of_the_same_application(host, with_lca, application, eventually):
    application.run()
    application.spoil("slow")

    async def scenario(lca: Lca, agent: Agent) -> None:
        for command in (Promote(H1, A1), Demote(H1, A1), EnableVip(H1), Promote(H1, A1)):
            agent.give(command)
        too_long = agent.give(Demote(H1, A1), deadline_ms=100)  # its turn does not come within its deadline
        await eventually(lambda: len(agent.events) == 2)
        assert agent.events == [CommandSucceeded(3), CommandTimedOut(too_long, "not done within 100 ms")]
        (application.directory / "slow").unlink()
        await eventually(lambda: len(agent.events) == 5)
        assert agent.events[2:] == [CommandSucceeded(1), CommandSucceeded(2), CommandSucceeded(4)]
        assert application.calls() == ["primary", "backup", "primary"]

    with_lca(host, scenario)


def test_an_lca_that_ends_stops_its_control_command_but_not_the_application(host, with_lca, application, eventually):
    application.run()
    application.spoil("slow")
    started = application.directory / "started"
    application.control.write_text(CONTROL.replace("while", "echo $$ > started; while"))

    async def scenario(lca: Lca, agent: Agent) -> None:
        agent.give(Promote(H1, A1))
        await eventually(lambda: started.exists() and started.read_text())

    with_lca(host, scenario)
    assert not Path(f"/proc/{started.read_text().strip()}").exists()
    assert application.process is not None
    assert application.process.poll() is None


def test_a_changed_mode_is_reported_even_if_the_command_then_fails(host, with_lca, application):
    """Otherwise the agent would go on believing an earlier report."""
    application.run("primary")
    application.spoil("broken")

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.set_status("backup")
        assert isinstance(await agent.result(Promote(H1, A1)), CommandFailed)
        assert agent.reports() == [ApplicationReported(A1, Mode.BACKUP)]

    with_lca(host, scenario)
