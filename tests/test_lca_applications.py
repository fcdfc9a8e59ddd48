"""The LCA and the applications of its host: real processes and control commands, in a network namespace."""

import asyncio
import contextlib
import logging
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
from switchover.agent.settings import PairKind
from switchover.drivers.addresses import IpAddresses
from switchover.drivers.ocf import OcfAgent
from switchover.drivers.wire import HostEvent
from switchover.fsm import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    Demote,
    EnableVip,
    HostCommand,
    HostReport,
    LookAt,
    Mode,
    Promote,
    Start,
    Stop,
)

H1, A1, A2 = "host1", "SIP_Server_1", "SIP_Server_2"
VIP = ("198.51.100.10/24", "2001:db8::10/64")
DEADLINE_MS = 10_000
"""Generous: what is tested is not speed."""
LOOKS_MS = 60_000
"""How long a regular look may take: longer than any test waits."""

CONTROL = """\
#!/bin/sh
# The application's control program. What it is told stands in `calls`; the files `broken`, `lying` and `slow` spoil it.
cd "$(dirname "$0")" || exit 9
echo "$1" >> calls
if [ "$1" = status ]; then cat mode; exit; fi
if [ "$1" = alive ]; then
    while [ -e hanging ]; do sleep 0.05; done
    [ -e pid ] && state=$(cut -d " " -f 3 "/proc/$(cat pid)/stat") && [ "$state" != Z ] && cat mode; exit
fi
while [ -e slow ]; do sleep 0.05; done
if [ -e broken ]; then echo "no licence"; exit 3; fi
if [ -e lying ]; then exit 0; fi
case "$1" in
    start) echo backup > mode; sleep 1000 > /dev/null 2>&1 & echo $! > pid ;;
    stop) kill -9 "$(cat pid)" ;;
    *) echo "$1" > mode ;;
esac
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
        self.says(mode)
        (self.directory / "pid").write_text(f"{self.process.pid}\n")

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def spoil(self, how: str) -> None:
        (self.directory / how).touch()

    def says(self, what: str) -> None:
        (self.directory / "mode").write_text(f"{what}\n")

    def calls(self, *, status: bool = False) -> list[str]:
        path = self.directory / "calls"
        found = path.read_text().split() if path.exists() else []
        return [call for call in found if status or call not in ("status", "alive")]

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        elif (pid := self.directory / "pid").exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid.read_text()), signal.SIGKILL)


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


def configuration(
    directory: Path, application: Application, *, kind: PairKind = PairKind.REDUNDANT, **changes: Any
) -> Configuration:
    """A pair of this kind, with `changes` in the application's member."""
    control = str(application.control)
    here = (A1, application.directory / "pid", (control, "primary"), (control, "backup"), (control, "status"))
    there = (A2, directory / "nothing.pid", ("false",), ("false",), ("false",))
    file = directory / "switchover.toml"
    hosts = ["198.51.100.1", "198.51.100.2"]
    file.write_text(configuration_text(directory, LabSettings(), VIP, hosts, [here, there]))
    loaded = load(file)
    (pair,) = loaded.pairs
    member = evolve(pair.members[0], start=(control, "start"), stop=(control, "stop"))
    pairs = (evolve(pair, kind=kind, members=(evolve(member, **changes), pair.members[1])),)
    return evolve(loaded, pairs=pairs, solution=evolve(loaded.solution, command_deadline_ms=LOOKS_MS))


Scenario = Callable[[Lca, Agent], Coroutine[Any, Any, None]]


@pytest.fixture
def with_lca(tmp_path, application) -> Callable[..., None]:
    """Runs a scenario in a namespace, with an LCA that has been started and is closed at the end."""

    def run(namespace, scenario: Scenario, **changes: Any) -> None:
        settings = configuration(tmp_path, application, **changes)

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

    with_lca(host, scenario, **({} if status else {"status": None}))


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
        application.says("primary")
        assert (await lca.report()).modes == {A1: Mode.PRIMARY}
        application.says("backup")
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

    with_lca(host, scenario, status=None)


def test_a_promotion_after_which_the_status_cannot_be_read_is_unclear(host, with_lca, application):
    application.run()
    application.spoil("lying")

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.says("in transition")
        asked = f"{application.control} status"
        reason = f"{asked} should say primary or backup, and says 'in transition'"
        assert await agent.result(Promote(H1, A1)) == CommandUnclear(1, reason)
        (application.directory / "mode").unlink()
        unclear = await agent.result(Promote(H1, A1))
        assert isinstance(unclear, CommandUnclear)
        assert unclear.reason.startswith(f"{asked} ended with status 1: ")
        assert agent.reports() == []

    with_lca(host, scenario)


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

    with_lca(host, scenario, status=None)


@pytest.mark.parametrize("pidfile", [True, False])
@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ('*) echo "$1" > mode', '*) kill -9 "$(cat pid)"'),
        ("    [ -e pid ] &&", '    grep -q primary calls && kill -9 "$(cat pid)"\n    [ -e pid ] &&'),
    ],
    ids=["before it is looked at", "while it is looked at"],
)
def test_an_application_that_dies_while_it_is_promoted_went_down_whatever_its_status_says(
    host, with_lca, application, pidfile, line, instead
):
    changes = by_status(application)
    if pidfile:
        del changes["pidfile"]
    application.run()
    application.control.write_text(CONTROL.replace(line, instead))

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert await agent.result(Promote(H1, A1)) == CommandFailed(1, f"{A1} went down")
        assert agent.reports() == [ApplicationReported(A1, Mode.DOWN)]

    with_lca(host, scenario, **changes)


def test_commands_for_one_application_wait_for_each_other_and_for_nothing_else(host, with_lca, application, eventually):
    application.run()
    application.spoil("slow")

    async def scenario(lca: Lca, agent: Agent) -> None:
        for command in (Promote(H1, A1), Demote(H1, A1), EnableVip(H1), Promote(H1, A1)):
            agent.order(command)
        too_long = agent.order(Demote(H1, A1), deadline_ms=100)  # its turn does not come within its deadline
        await eventually(lambda: len(agent.told) == 2)
        assert agent.told == [CommandSucceeded(3), CommandTimedOut(too_long, "not done within 100 ms")]
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


# Start, stop, look


def by_status(application: Application) -> dict[str, Any]:
    """What the member of an application without a pidfile says."""
    return {"pidfile": None, "status": (str(application.control), "alive"), "look_every_ms": 50}


@pytest.fixture(params=["by pidfile", "by status"])
def watched(request, application) -> dict[str, Any]:
    """How an application may be watched."""
    return by_status(application) if request.param == "by status" else {}


KINDS = pytest.mark.parametrize(("kind", "mode"), [(PairKind.REDUNDANT, Mode.BACKUP), (PairKind.MONITORED, Mode.UP)])


@KINDS
def test_it_is_started_and_stopped_and_reported_before_the_command_is_done(
    host, with_lca, application, watched, kind, mode
):
    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(Start(H1, A1))
        assert agent.told == [ApplicationReported(A1, mode), CommandSucceeded(1)]
        assert (await lca.report()).modes == {A1: mode}
        await agent.result(Stop(H1, A1))
        assert agent.told[2:] == [ApplicationReported(A1, Mode.DOWN), CommandSucceeded(2)]
        assert application.calls() == ["start", "stop"]

    with_lca(host, scenario, kind=kind, **watched)


def test_what_runs_is_not_started_and_what_is_down_is_not_stopped(host, with_lca, application, watched):
    async def scenario(lca: Lca, agent: Agent) -> None:
        assert await agent.result(Stop(H1, A1)) == CommandSucceeded(1)
        await agent.result(Start(H1, A1))
        assert await agent.result(Start(H1, A1)) == CommandSucceeded(3)
        assert application.calls() == ["start"]

    with_lca(host, scenario, **watched)


@pytest.mark.parametrize(("command", "key"), [(Start(H1, A1), "start"), (Stop(H1, A1), "stop")])
def test_without_a_command_for_it_the_failure_says_what_to_configure(host, with_lca, application, command, key):
    if key == "stop":
        application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        reason = f"{A1} has no command for it: add {key} to its member in the configuration, or ocf"
        assert await agent.result(command) == CommandFailed(1, reason)

    with_lca(host, scenario, **{key: None})


def test_a_start_that_fails_says_why_and_one_after_which_nothing_runs_times_out(host, with_lca, application, watched):
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
def test_a_look_tells_what_was_seen_and_then_that_it_is_done(host, with_lca, application, watched, mode):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.says(mode)
        await agent.result(LookAt(H1, A1))
        assert agent.told[-2:] == [ApplicationReported(A1, mode), CommandSucceeded(1)]
        application.kill()
        await agent.result(LookAt(H1, A1))
        assert agent.told[-2:] == [ApplicationReported(A1, Mode.DOWN), CommandSucceeded(2)]

    with_lca(host, scenario, **watched)


def test_a_look_that_shows_nothing_tells_nothing_and_is_unclear(host, with_lca, application, watched):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.says("in transition")
        assert isinstance(await agent.result(LookAt(H1, A1)), CommandUnclear)
        assert agent.reports() == []

    with_lca(host, scenario, **watched)


def test_a_mode_that_is_found_to_be_another_one_is_told_even_if_the_command_then_fails(host, with_lca, application):
    """Or the agent would go on believing what it was told before."""
    application.run("primary")
    application.spoil("broken")

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.says("backup")
        assert isinstance(await agent.result(Promote(H1, A1)), CommandFailed)
        assert agent.reports() == [ApplicationReported(A1, Mode.BACKUP)]

    with_lca(host, scenario)


# Watched by a status command


@KINDS
def test_without_a_pidfile_a_failure_and_a_return_are_seen_by_the_status(
    host, with_lca, application, eventually, kind, mode
):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert (await lca.report()).modes == {A1: mode}
        application.kill()
        await eventually(lambda: agent.told == [ApplicationReported(A1, Mode.DOWN)])
        application.run()
        await eventually(lambda: agent.told[1:] == [ApplicationReported(A1, mode)])

    with_lca(host, scenario, kind=kind, **by_status(application))


def test_a_mode_that_another_hand_changed_is_told_once(host, with_lca, application, eventually):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(Promote(H1, A1))
        assert A1 in (await lca.report()).primary_for_ms
        application.says("backup")
        await eventually(lambda: agent.reports() == [ApplicationReported(A1, Mode.BACKUP)])
        assert await lca.report() == HostReport({A1: Mode.BACKUP}, vip_held=False, primary_for_ms={})
        await asyncio.sleep(0.2)
        assert len(agent.reports()) == 1

    with_lca(host, scenario, **by_status(application))


def test_an_answer_that_cannot_be_read_or_does_not_come_changes_nothing(host, with_lca, application, caplog):
    application.run("primary")

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.says("in transition")
        await asyncio.sleep(0.3)
        application.spoil("hanging")
        assert isinstance(await agent.result(LookAt(H1, A1), 200), CommandTimedOut)
        (application.directory / "hanging").unlink()
        assert (await lca.report()).modes == {A1: Mode.PRIMARY}
        assert agent.reports() == []

    with caplog.at_level(logging.WARNING, "switchover.lca"):
        with_lca(host, scenario, **by_status(application))
    reason = f"{application.control} alive should say primary or backup, and says 'in transition'"
    assert caplog.messages == [f"the status of {A1} is not known, taken for primary: {reason}"]  # once


def test_a_status_command_that_is_killed_does_not_say_that_the_application_is_down(host, with_lca, application):
    application.run("primary")

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.control.write_text("#!/bin/sh\nkill -9 $$\n")
        reason = f"{application.control} alive was killed by signal 9"
        assert await agent.result(LookAt(H1, A1)) == CommandUnclear(1, reason)
        assert (await lca.report()).modes == {A1: Mode.PRIMARY}
        assert agent.reports() == []

    with_lca(host, scenario, **by_status(application))


def test_of_an_application_that_was_never_understood_nobody_says_that_it_runs(host, with_lca, application):
    application.run("in transition")

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert (await lca.report()).modes == {A1: Mode.DOWN}

    with_lca(host, scenario, **by_status(application))


def test_a_command_does_not_wait_for_a_regular_look_and_looks_go_on_after_it(host, with_lca, application, eventually):
    application.run()

    async def scenario(lca: Lca, agent: Agent) -> None:
        application.spoil("hanging")
        asked = len(application.calls(status=True))
        await eventually(lambda: len(application.calls(status=True)) > asked)
        number = agent.order(Promote(H1, A1))
        await eventually(lambda: application.calls() == ["primary"])
        (application.directory / "hanging").unlink()
        await eventually(lambda: agent.told == [CommandSucceeded(number)])
        application.kill()
        await eventually(lambda: agent.reports() == [ApplicationReported(A1, Mode.DOWN)])

    with_lca(host, scenario, **by_status(application))


def test_an_lca_that_ends_does_not_leave_a_look_behind(host, with_lca, application, eventually):
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


# Without a mode of its own


@pytest.mark.parametrize(
    ("changes", "mode", "reason"),
    [
        (
            {"kind": PairKind.MONITORED},
            Mode.UP,
            f"{A1} is monitored only: it has no mode that could be changed",
        ),
        ({"mlcmd": "SIP_1"}, Mode.BACKUP, f"the mode of {A1} is changed by mlcmd, and not by its host"),
    ],
)
def test_an_application_without_a_mode_of_its_own_is_only_seen_to_run(
    host, with_lca, application, watched, changes, mode, reason
):
    """What its status command says about a mode does not count."""
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


# By an OCF resource agent


@pytest.fixture
def stateful(tmp_path) -> dict[str, Any]:
    """What the member of an application says that a real agent controls; the file `state` holds its role."""
    agent = Path("/usr/lib/ocf/resource.d/pacemaker/Stateful")
    if not agent.exists():
        reason = f"there is no {agent}: install pacemaker-resource-agents"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
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


def test_what_another_hand_does_is_seen_through_an_ocf_agent(host, with_lca, stateful, tmp_path, eventually):
    state = tmp_path / "state"
    seen = [("Unpromoted", Mode.BACKUP), ("Promoted", Mode.PRIMARY)]

    async def scenario(lca: Lca, agent: Agent) -> None:
        for role, mode in seen:
            state.write_text(f"{role}\n")
            await eventually(lambda mode=mode: agent.told[-1:] == [ApplicationReported(A1, mode)])
        (tmp_path / "state.rc").write_text("1\n")  # it does not work
        await eventually(lambda: agent.told[-1:] == [ApplicationReported(A1, Mode.DOWN)])
        (tmp_path / "state.rc").unlink()
        await eventually(lambda: agent.told[-1:] == [ApplicationReported(A1, Mode.PRIMARY)])
        state.unlink()
        await eventually(lambda: agent.told[-1:] == [ApplicationReported(A1, Mode.DOWN)])

    with_lca(host, scenario, **stateful)
