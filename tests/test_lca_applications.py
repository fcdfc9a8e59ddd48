"""The LCA and the applications of its host: real processes and control commands, in a network namespace."""

import asyncio
import os
import signal
import stat
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from switchover.agent.configuration import Configuration, load
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.agent.lca import Lca
from switchover.drivers.addresses import IpAddresses
from switchover.drivers.wire import HostEvent
from switchover.fsm import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    Demote,
    EnableVip,
    HostCommand,
    HostReport,
    Mode,
    Promote,
)

H1, A1, A2 = "host1", "SIP_Server_1", "SIP_Server_2"
VIP = ("198.51.100.10/24", "2001:db8::10/64")
DEADLINE_MS = 10_000
"""Generous: what is tested is not speed."""

CONTROL = """\
#!/bin/sh
# The application's control program. What it is told stands in `calls`; the files `broken`, `lying` and `slow` spoil it.
cd "$(dirname "$0")" || exit 9
echo "$1" >> calls
if [ "$1" = status ]; then cat mode; exit; fi
while [ -e slow ]; do sleep 0.05; done
if [ -e broken ]; then echo "no licence"; exit 3; fi
if [ ! -e lying ]; then echo "$1" > mode; fi
"""


@define(eq=False)
class Application:
    """A real process with its pidfile, and a control program that keeps its mode in a file."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def __attrs_post_init__(self) -> None:
        self.directory.mkdir()
        self.control.write_text(CONTROL)
        self.control.chmod(self.control.stat().st_mode | stat.S_IXUSR)

    @property
    def control(self) -> Path:
        return self.directory / "control"

    def run(self, mode: str = "backup") -> None:
        self.process = subprocess.Popen(["sleep", "1000"])  # noqa: S607  # wherever it is
        (self.directory / "mode").write_text(f"{mode}\n")
        (self.directory / "pid").write_text(f"{self.process.pid}\n")

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def spoil(self, how: str) -> None:
        (self.directory / how).touch()

    def calls(self, *, status: bool = False) -> list[str]:
        path = self.directory / "calls"
        found = path.read_text().split() if path.exists() else []
        return [call for call in found if status or call != "status"]

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def application(tmp_path) -> Iterator[Application]:
    application = Application(tmp_path / "application")
    yield application
    application.end()


@define(eq=False)
class Agent:
    """The agent's end: it keeps what the LCA tells, and gives each command an id of its own."""

    lca: Lca
    told: list[HostEvent] = field(factory=list)
    count: int = 0

    def send(self, event: HostEvent) -> None:
        self.told.append(event)

    def order(self, command: HostCommand, deadline_ms: int = DEADLINE_MS) -> int:
        self.count += 1
        self.lca.execute(evolve(command, id=self.count), deadline_ms)
        return self.count

    async def result(self, command: HostCommand, deadline_ms: int = DEADLINE_MS) -> HostEvent:
        """Give a command and wait for its result."""
        number = self.order(command, deadline_ms)
        async with asyncio.timeout(20):
            while not (found := [event for event in self.told if getattr(event, "id", None) == number]):
                await asyncio.sleep(0.002)
        return found[0]

    def reports(self) -> list[HostEvent]:
        """What was told without having been asked for."""
        return [event for event in self.told if isinstance(event, ApplicationReported)]


def configuration(directory: Path, application: Application, *, status: bool = True) -> Configuration:
    control = str(application.control)
    here = (A1, application.directory / "pid", (control, "primary"), (control, "backup"), (control, "status"))
    there = (A2, directory / "nothing.pid", ("false",), ("false",), ("false",))
    file = directory / "switchover.toml"
    hosts = ["198.51.100.1", "198.51.100.2"]
    file.write_text(configuration_text(directory, LabSettings(), VIP, hosts, [here, there]))
    loaded = load(file)
    if not status:
        (pair,) = loaded.pairs
        members = (evolve(pair.members[0], status=None), pair.members[1])
        loaded = evolve(loaded, pairs=(evolve(pair, members=members),))
    return loaded


Scenario = Callable[[Lca, Agent], Coroutine[Any, Any, None]]


@pytest.fixture
def with_lca(tmp_path, application) -> Callable[..., None]:
    """Runs a scenario in a namespace, with an LCA that has been started and is closed at the end."""

    def run(namespace, scenario: Scenario, *, status: bool = True) -> None:
        settings = configuration(tmp_path, application, status=status)

        async def main() -> None:
            lca = Lca(settings, settings.hosts[0], IpAddresses("eth0", VIP))
            agent = Agent(lca)
            try:
                await lca.start()
                lca.connect(agent)
                await scenario(lca, agent)
            finally:
                await lca.close()

        namespace.run(main())

    return run


@pytest.mark.parametrize(
    ("says", "status", "mode"),
    [
        ("primary", True, Mode.PRIMARY),
        ("backup", True, Mode.BACKUP),
        ("confused", True, Mode.BACKUP),
        ("primary", False, Mode.BACKUP),
    ],
)
def test_the_mode_of_an_application_that_runs_is_what_its_status_says_else_backup(
    host, with_lca, application, says, status, mode
):
    application.run(says)

    async def scenario(lca: Lca, agent: Agent) -> None:
        # Since when it has been primary is not known, as nobody here promoted it.
        assert await lca.report() == HostReport({A1: mode}, vip_held=False, primary_for_ms={})

    with_lca(host, scenario, status=status)


def test_an_application_that_dies_while_its_status_is_asked_counts_as_down(host, with_lca, application):
    application.run()
    pid = application.directory / "pid"
    application.control.write_text(f"#!/bin/sh\nkill -9 $(cat {pid})\nsleep 0.3\necho backup\n")

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert (await lca.report()).modes == {A1: Mode.DOWN}

    with_lca(host, scenario)


def test_promote_and_demote_run_the_control_commands_and_look_at_the_result(host, with_lca, application):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        for command, mode in ((Promote(H1, A1), Mode.PRIMARY), (Demote(H1, A1), Mode.BACKUP)):
            assert await agent.result(command) == CommandSucceeded(agent.count)
            assert (application.directory / "mode").read_text() == f"{mode}\n"
            assert (await lca.report()).modes == {A1: mode}
        assert application.calls() == ["primary", "backup"]
        assert agent.reports() == []

    with_lca(host, scenario)


def test_an_application_that_is_what_it_is_asked_to_be_is_left_alone(host, with_lca, application):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(Promote(H1, A1))
        before = (await lca.report()).primary_for_ms[A1]
        await asyncio.sleep(0.02)
        assert await agent.result(Promote(H1, A1)) == CommandSucceeded(2)
        assert (await lca.report()).primary_for_ms[A1] > before  # it has been primary all the time
        assert application.calls() == ["primary"]

    with_lca(host, scenario)


def test_a_mode_that_another_hand_changed_is_seen_when_it_matters(host, with_lca, application):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        (application.directory / "mode").write_text("primary\n")
        assert (await lca.report()).modes == {A1: Mode.PRIMARY}
        (application.directory / "mode").write_text("backup\n")
        assert await agent.result(Promote(H1, A1)) == CommandSucceeded(1)
        assert (application.directory / "mode").read_text() == "primary\n"
        assert application.calls() == ["primary"]

    with_lca(host, scenario)


def test_an_application_that_dies_again_while_it_comes_up_is_never_reported_up(host, with_lca, application, eventually):
    application.run()
    pid, asked = application.directory / "pid", application.directory / "asked"

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.kill()
        await eventually(lambda: agent.told == [ApplicationReported(A1, Mode.DOWN)])
        application.control.write_text(f"#!/bin/sh\nkill -9 $(cat {pid})\nsleep 0.2\necho backup\necho $$ > {asked}\n")
        application.run()
        await eventually(lambda: asked.exists() and not lca._tasks)
        assert agent.told == [ApplicationReported(A1, Mode.DOWN)] * 2
        assert (await lca.report()).modes == {A1: Mode.DOWN}

    with_lca(host, scenario)


def test_an_agent_that_comes_while_the_lca_starts_waits_for_the_whole_report(host, tmp_path, application):
    application.run("primary")
    settings = configuration(tmp_path, application)

    async def scenario() -> HostReport:
        lca = Lca(settings, settings.hosts[0], IpAddresses("eth0", VIP))
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
        ("lying", f"{A1} was told to be primary and says 'backup'"),
    ],
)
def test_a_control_command_that_fails_or_only_says_that_it_did_is_a_failure(host, with_lca, application, how, reason):
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


def test_without_a_status_command_an_exit_status_of_0_is_believed(host, with_lca, application):
    application.run()
    application.spoil("lying")

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert await agent.result(Promote(H1, A1)) == CommandSucceeded(1)
        assert (await lca.report()).modes == {A1: Mode.PRIMARY}
        assert application.calls(status=True) == ["primary"]

    with_lca(host, scenario, status=False)


def test_a_control_command_that_hangs_fails_at_its_deadline_and_is_ended(host, with_lca, application):
    application.run()
    application.spoil("slow")

    async def scenario(lca: Lca, agent: Agent) -> None:
        failure = await agent.result(Promote(H1, A1), deadline_ms=150)
        assert isinstance(failure, CommandFailed)
        assert "150 ms" in failure.reason
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
        await eventually(lambda: agent.told == [ApplicationReported(A1, Mode.DOWN)])
        assert await lca.report() == HostReport({A1: Mode.DOWN}, vip_held=False, primary_for_ms={})
        application.run()
        await eventually(lambda: agent.told[1:] == [ApplicationReported(A1, Mode.BACKUP)])
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

    with_lca(host, scenario, status=False)


def test_commands_for_one_application_wait_for_each_other_and_for_nothing_else(host, with_lca, application, eventually):
    application.run()
    application.spoil("slow")

    async def scenario(lca: Lca, agent: Agent) -> None:
        for command in (Promote(H1, A1), Demote(H1, A1), EnableVip(H1), Promote(H1, A1)):
            agent.order(command)
        too_long = agent.order(Demote(H1, A1), deadline_ms=100)  # its turn does not come within its deadline
        await eventually(lambda: len(agent.told) == 2)
        assert agent.told == [CommandSucceeded(3), CommandFailed(too_long, "not done within 100 ms")]
        (application.directory / "slow").unlink()
        await eventually(lambda: len(agent.told) == 5)
        assert agent.told[2:] == [CommandSucceeded(1), CommandSucceeded(2), CommandSucceeded(4)]
        assert application.calls() == ["primary", "backup", "primary"]

    with_lca(host, scenario)


def test_an_lca_that_ends_ends_the_control_command_that_runs_and_leaves_the_application_alone(
    host, with_lca, application, eventually
):
    application.run()
    application.spoil("slow")
    started = application.directory / "started"
    application.control.write_text(CONTROL.replace("while", "echo $$ > started; while"))

    async def scenario(lca: Lca, agent: Agent) -> None:
        agent.order(Promote(H1, A1))
        await eventually(lambda: started.exists() and started.read_text())

    with_lca(host, scenario)
    assert not Path(f"/proc/{started.read_text().strip()}").exists()
    assert application.process is not None
    assert application.process.poll() is None
