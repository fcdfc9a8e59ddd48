"""Looks at applications: all at once for a report, never behind a start or a stop, and now and then at rest."""

import asyncio
import functools
from collections.abc import Callable, Iterator

import pytest
from attrs import evolve
from support.lca_application import CONTROL, Application, configuration, run_with_application
from support.lca_at_work import A1, H1, Agent, run_with_lca
from switchover.agent.configuration.settings import PairKind, PairSettings
from switchover.agent.host import lca as lca_module
from switchover.agent.host.lca import Lca
from switchover.drivers.vip.addresses import NetlinkAddresses
from switchover.fsm import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    EnableVip,
    HostReport,
    LookAt,
    Mode,
    Promote,
    Start,
    Stop,
    VipReported,
)

LONG_MS = 600_000
"""The deadline of a start that a test must not wait for."""

MEETING = """\
#!/bin/sh
# A status that ends only when that of the other application has been asked for as often.
cd "$(dirname "$0")" || exit 9
echo asked >> "asked_$1"
while [ "$(wc -l < "asked_$2" 2> /dev/null || echo 0)" -lt "$(wc -l < "asked_$1")" ]; do sleep 0.02; done
echo primary
"""


@pytest.fixture
def application(tmp_path) -> Iterator[Application]:
    with Application(tmp_path / "application") as application:
        yield application


@pytest.fixture
def with_lca(tmp_path, application) -> Callable[..., None]:
    """Runs a scenario in a namespace: see `run_with_application`."""
    return functools.partial(run_with_application, tmp_path, application)


def test_a_report_takes_as_long_as_its_slowest_look_and_not_as_long_as_all(host, tmp_path, application):
    """Each status waits for the other one, so one after the other neither would end before its deadline."""
    application.run()
    meeting = tmp_path / "meeting"
    meeting.write_text(MEETING)
    meeting.chmod(0o755)
    settings = configuration(tmp_path, application)
    (pair,) = settings.pairs
    names = ("SIP_Server_1", "Voicemail_1")
    pairs = tuple(
        PairSettings(name, (evolve(pair.members[0], application=name, status=(str(meeting), name, other)),))
        for name, other in zip(names, reversed(names), strict=True)
    )
    solution = evolve(settings.solution, command_deadline_ms=10_000)

    async def scenario(lca: Lca, agent: Agent) -> None:
        both = dict.fromkeys(names, Mode.PRIMARY)
        assert await lca.report() == HostReport(both, vip_held=False, primary_for_ms={})

    run_with_lca(evolve(settings, pairs=pairs, solution=solution), host, scenario)


@pytest.mark.parametrize("action", [Start, Stop])
def test_a_report_does_not_wait_for_a_start_or_stop_and_its_end_is_reported(
    host, with_lca, application, eventually, action
):
    before, after = (Mode.DOWN, Mode.BACKUP) if action is Start else (Mode.BACKUP, Mode.DOWN)
    if action is Stop:
        application.run()
    application.spoil("slow")

    async def scenario(lca: Lca, agent: Agent) -> None:
        number = agent.give(action(H1, A1), LONG_MS)
        await eventually(application.calls)
        async with asyncio.timeout(30):
            assert (await lca.report()).modes == {A1: before}
            assert await agent.result(LookAt(H1, A1)) == CommandSucceeded(2)
        assert agent.events == [ApplicationReported(A1, before), CommandSucceeded(2)]
        (application.directory / "slow").unlink()
        await eventually(lambda: agent.events[2:] == [ApplicationReported(A1, after), CommandSucceeded(number)])

    with_lca(host, scenario)


def test_a_mode_that_was_reported_during_a_start_is_reported_again_after_it(host, with_lca, application, eventually):
    """Even if it did not change: the agent may have got the report of another moment."""
    application.spoil("slow")
    application.spoil("broken")

    async def scenario(lca: Lca, agent: Agent) -> None:
        agent.give(Start(H1, A1), LONG_MS)
        await eventually(application.calls)
        await lca.report()
        (application.directory / "slow").unlink()
        await eventually(lambda: len(agent.events) == 2)
        assert agent.events[0] == ApplicationReported(A1, Mode.DOWN)
        assert isinstance(agent.events[1], CommandFailed)

    with_lca(host, scenario)


def test_a_look_during_a_promotion_does_not_delay_it_and_is_repeated_after_it(host, with_lca, application, eventually):
    """Its answer is from before the promotion, and comes after it."""
    application.run()
    slow_answer = "mode=$(cat mode); while [ -e hanging ]; do sleep 0.02; done; echo $mode; exit"

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.control.write_text(CONTROL.replace("cat mode; exit", slow_answer, 1))
        application.spoil("hanging")
        asked = application.calls(status=True).count("status")
        report = asyncio.create_task(lca.report())
        await eventually(lambda: application.calls(status=True).count("status") > asked)
        number = agent.give(Promote(H1, A1))
        await eventually(lambda: application.calls() == ["primary"])
        (application.directory / "hanging").unlink()
        assert (await report).modes == {A1: Mode.PRIMARY}
        assert agent.events == [CommandSucceeded(number)]

    with_lca(host, scenario)


def test_of_two_looks_the_one_that_began_last_counts(host, with_lca, application, eventually):
    application.run()
    slow_answer = "mode=$(cat mode); while [ $mode = backup ] && [ -e hanging ]; do sleep 0.02; done; echo $mode; exit"

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.control.write_text(CONTROL.replace("cat mode; exit", slow_answer, 1))
        application.spoil("hanging")
        asked = application.calls(status=True).count("status")
        report = asyncio.create_task(lca.report())
        await eventually(lambda: application.calls(status=True).count("status") > asked)
        await asyncio.sleep(0.1)  # the mode has been read
        application.set_status("primary")
        await agent.result(LookAt(H1, A1))
        (application.directory / "hanging").unlink()
        assert (await report).modes == {A1: Mode.PRIMARY}
        assert agent.events == [ApplicationReported(A1, Mode.PRIMARY), CommandSucceeded(1)]

    with_lca(host, scenario)


def test_a_mode_changed_from_outside_is_noticed_at_rest_although_there_is_a_pidfile(
    host, with_lca, application, eventually, monkeypatch
):
    """Such as by a command whose effect came after its deadline."""
    monkeypatch.setattr(lca_module, "REST_MS", 100, raising=False)
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.set_status("primary")
        await eventually(lambda: agent.events == [ApplicationReported(A1, Mode.PRIMARY)])
        await asyncio.sleep(0.3)
        assert len(agent.events) == 1

    with_lca(host, scenario)


def test_a_status_that_fails_when_the_application_comes_back_is_asked_again(
    host, with_lca, application, eventually, monkeypatch
):
    monkeypatch.setattr(lca_module, "REST_MS", 100, raising=False)

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.run("in transition")
        await eventually(lambda: agent.events == [ApplicationReported(A1, Mode.BACKUP)])
        application.set_status("primary")
        await eventually(lambda: agent.events[1:] == [ApplicationReported(A1, Mode.PRIMARY)])

    with_lca(host, scenario)


def test_addresses_that_cannot_be_read_do_not_hold_up_a_report(host, tmp_path, application, eventually):
    """Its modes are as found, and the VIP is as it was last known; it is reported again when it can be read."""
    application.run("primary")
    settings = configuration(tmp_path, application)
    settings = evolve(settings, solution=evolve(settings.solution, command_deadline_ms=500))

    class Silent(NetlinkAddresses):
        silent = False

        async def held(self) -> bool:
            return len(await self.present()) == 2

        async def present(self) -> frozenset[str]:
            await asyncio.sleep(1000 if Silent.silent else 0)
            return await super().present()

    async def scenario(lca: Lca, agent: Agent) -> None:
        Silent.silent = True
        async with asyncio.timeout(30):
            assert await lca.report() == HostReport({A1: Mode.PRIMARY}, vip_held=False, primary_for_ms={})
        Silent.silent = False
        await eventually(lambda: agent.events == [VipReported(H1, held=False)])

    run_with_lca(settings, host, scenario, Silent)


def test_a_vip_that_was_reported_during_its_command_is_reported_again_after_it(host, tmp_path, application, eventually):
    """An agent that has just connected does not know the command, nor what its success means."""
    settings = configuration(tmp_path, application)
    settings = evolve(settings, solution=evolve(settings.solution, command_deadline_ms=200))
    go_on = asyncio.Event()

    class Slow(NetlinkAddresses):
        async def enable(self) -> None:
            await go_on.wait()
            await super().enable()

    async def scenario(lca: Lca, agent: Agent) -> None:
        number = agent.give(EnableVip(H1), LONG_MS)
        async with asyncio.timeout(30):
            assert not (await lca.report()).vip_held
        go_on.set()
        await eventually(lambda: agent.events == [CommandSucceeded(number), VipReported(H1, held=True)])

    run_with_lca(settings, host, scenario, Slow)


@pytest.mark.parametrize("kind", [PairKind.MONITORED, PairKind.REDUNDANT])
def test_looks_at_rest_leave_alone_what_has_nothing_to_ask(host, with_lca, application, monkeypatch, kind):
    """It costs a process each."""
    monkeypatch.setattr(lca_module, "REST_MS", 50, raising=False)
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        await asyncio.sleep(0.3)
        assert application.calls(status=True) == []
        assert agent.events == []

    with_lca(host, scenario, kind=kind, **({} if kind is PairKind.MONITORED else {"status": None}))
