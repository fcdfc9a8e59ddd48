"""The agent's loop: event -> core -> journal -> hosts, with connections that record the commands."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from switchover.agent.configuration.load import load
from switchover.agent.configuration.settings import Configuration, ScsLogSettings
from switchover.agent.controller.agent import ANSWER_MARGIN_MS, Agent
from switchover.agent.controller.log_messages import MessageSources
from switchover.agent.history.journal import Entry, read, replay
from switchover.agent.history.writer import Journal
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.drivers.errors import DriverError
from switchover.drivers.scs.spool import put
from switchover.fsm import (
    LOG_MESSAGES,
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CoreError,
    Demote,
    Event,
    HostCommand,
    HostConnected,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    Promote,
    Start,
    Stop,
    SwitchoverRequested,
    VipReported,
)
from switchover.fsm.records import describe_command

H1, H2 = "host1", "host2"
A1, A2 = "SIP_Server_1", "SIP_Server_2"
DEADLINE_MS = 10
START_DEADLINE_MS = 70_000
QUICK = {
    "settle_ms": 200,
    "retry_ms": 20,
    "command_deadline_ms": DEADLINE_MS,
    "start_deadline_ms": START_DEADLINE_MS,
}


@define(eq=False)
class Connection:
    """A host's connection that records each command with what was handed to the journal before; it never answers."""

    deliver: Callable[[Event], None]
    journal: Journal
    path: Path
    life: list[str] = field(factory=list)
    sent: list[tuple[HostCommand, int]] = field(factory=list)
    journalled: list[list[str]] = field(factory=list)
    broken: bool = False
    heard_at: float | None = None

    def start(self) -> None:
        assert self.journal.flush()
        self.life.append(f"started after {entries(self.path)[-1].kind}")

    async def close(self) -> None:
        self.life.append("closed")

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        assert self.journal.flush()
        self.journalled.append(texts(self.path))
        if self.broken:
            raise DriverError("the cable is torn")
        self.sent.append((command, deadline_ms))


@define(eq=False)
class AgentHarness:
    """An agent, its journal, and the connections to its hosts."""

    agent: Agent
    journal: Journal
    hosts: dict[str, Connection]

    @property
    def path(self) -> Path:
        """The journal's file, once everything so far is written."""
        assert self.journal.flush()
        return self.agent.configuration.agent.journal

    def connect(self) -> None:
        """[S2] State prior to switchover."""
        self.hosts[H1].deliver(HostConnected(H1, HostReport({A1: Mode.PRIMARY}, vip_held=True)))
        self.hosts[H2].deliver(HostConnected(H2, HostReport({A2: Mode.BACKUP}, vip_held=False)))
        ((announce, _),) = self.hosts[H1].sent
        assert announce == AnnounceVip(H1)
        self.hosts[H1].deliver(CommandSucceeded(announce.id))

    def texts_of(self, kind: str) -> list[str]:
        return [entry.text for entry in entries(self.path) if entry.kind == kind]


def entries(path: Path) -> list[Entry]:
    return [entry for _, entry in read(path)]


def texts(path: Path) -> list[str]:
    return [entry.text for entry in entries(path)]


def configuration(directory: Path) -> Configuration:
    members = [(name, directory / f"{name}.pid", ("true",), ("true",), ("true",)) for name in (A1, A2)]
    text = configuration_text(
        directory, LabSettings(), ["198.51.100.10/24"], ["198.51.100.11", "198.51.100.12"], members
    )
    file = directory / "switchover.toml"
    file.write_text(text)
    loaded = load(file)
    return evolve(loaded, solution=evolve(loaded.solution, **QUICK))


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[AgentHarness], Coroutine[Any, Any, None]]], None]:
    """Runs a scenario with an agent that has been started and is closed at the end."""

    def run(scenario: Callable[[AgentHarness], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(with_agent(scenario))

    async def with_agent(scenario: Callable[[AgentHarness], Coroutine[Any, Any, None]]) -> None:
        settings, hosts = configuration(tmp_path), {}

        def connect(name: str, deliver: Callable[[Event], None]) -> Connection:
            hosts[name] = Connection(deliver, journal, settings.agent.journal)
            return hosts[name]

        upset: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: upset.append(context))
        journal = Journal(settings.agent.journal)
        agent = Agent(settings, journal, connect)
        agent.start()
        try:
            await asyncio.wait_for(scenario(AgentHarness(agent, journal, hosts)), 60)
        finally:
            await agent.close()
            journal.close()
        assert upset == []
        assert [host.life for host in hosts.values()] == [["started after start", "closed"]] * 2

    return run


def test_an_event_and_all_its_commands_are_journalled_before_any_is_sent(play):
    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        harness.agent.post(SwitchoverRequested(A2))
        for host in (H1, H2):
            command, deadline_ms = harness.hosts[host].sent[-1]
            assert (harness.hosts[host].journalled[-1][-1], deadline_ms) == (describe_command(command), DEADLINE_MS)
            harness.hosts[host].deliver(CommandSucceeded(command.id))
        for host in (H1, H2):  # both scripts were in the journal before the first one was sent
            assert harness.hosts[host].journalled[-1][-2:] == ["disable_vip host1", "enable_vip host2"]

    play(scenario)


def test_the_consequences_of_an_event_are_journalled_in_order(play):
    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        before = len(entries(harness.path))
        steps = harness.agent.post(ApplicationReported(A1, Mode.DOWN))
        added = [(entry.kind, entry.text) for entry in entries(harness.path)[before:]]
        assert added == [
            ("event", "reported SIP_Server_1 down"),
            ("decision", "SIP_Server_1 up -> down: it failed"),
            ("decision", "SIP Server redundant_1 -> taking_over_2: the primary failed: its backup takes over"),
            (
                "decision",
                "SIP_Server_1 primary active -> rearmed: the incident is over: rearmed for the next one",
            ),
            ("decision", "solution stays together_1 on busy: as it should be, or a switchover is under way"),
            ("command", "promote SIP_Server_2"),
        ]
        assert [step.decision.destination for step in steps] == ["down", "taking_over_2", "rearmed", None]
        assert [command for command, _ in harness.hosts[H2].sent] == [Promote(H2, A2)]

    play(scenario)


@pytest.mark.parametrize(
    "foreign",
    [
        lambda number: ApplicationReported(A1, Mode.DOWN),
        lambda number: ApplicationReported("SIP_Server_3", Mode.DOWN),
        lambda number: VipReported(H1, held=False),
        lambda number: CommandSucceeded(number),
        lambda number: CommandFailed(number, "it says"),
        lambda number: CommandTimedOut(number, "it says"),
        lambda number: CommandUnclear(number, "it says"),
    ],
)
def test_an_event_of_another_host_is_refused_and_journalled(play, foreign):
    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        harness.agent.switch(A2)
        demote, _ = harness.hosts[H1].sent[-1]
        before, count = harness.agent.solution.state, len(entries(harness.path))
        harness.hosts[H2].deliver(foreign(demote.id))
        assert harness.agent.solution.state == before
        (refused,) = entries(harness.path)[count:]
        assert refused.kind == "refused"
        assert refused.text.endswith(": host2 cannot speak for another host")

    play(scenario)


def test_a_refused_event_is_journalled_and_the_connection_goes_on(play):
    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        before = harness.agent.solution.state
        harness.hosts[H1].deliver(HostConnected(H1, HostReport({A2: Mode.PRIMARY}, vip_held=True)))
        for event in (SwitchoverRequested("nobody"), LogMessageReceived("00-9999", A1)):
            with pytest.raises(CoreError):
                harness.agent.post(event)
        assert harness.agent.solution.state == before
        assert harness.texts_of("refused") == [
            "connected host1: a report of host1 must name SIP_Server_1",
            "requested nobody: unknown application 'nobody'; known are SIP_Server_1, SIP_Server_2",
            f"received 00-9999 SIP_Server_1: unknown event id '00-9999'; known are {', '.join(LOG_MESSAGES)}",
        ]

    play(scenario)


def test_a_late_event_of_a_lost_host_is_refused(play):
    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        harness.hosts[H1].deliver(HostLost(H1))
        before = harness.agent.solution.state
        harness.hosts[H1].deliver(ApplicationReported(A1, Mode.BACKUP))
        assert harness.agent.solution.state == before
        assert harness.texts_of("refused") == [
            "reported SIP_Server_1 backup: host1 is not connected: what it says now does not count"
        ]

    play(scenario)


@pytest.mark.parametrize("broken", [False, True])
def test_an_unanswered_command_is_followed_by_a_look_after_its_deadline(play, eventually, broken):
    """The host may be silent, or the command could not be sent."""

    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        harness.hosts[H2].broken = broken
        harness.hosts[H1].deliver(ApplicationReported(A1, Mode.DOWN))
        await eventually(lambda: harness.texts_of("command").count("look at SIP_Server_2") == 2)
        deadline, again = (text for text in harness.texts_of("event") if text.startswith("timed out"))
        assert deadline == f"timed out promote SIP_Server_2: no answer within {DEADLINE_MS} ms"
        assert again == f"timed out look at SIP_Server_2: no answer within {DEADLINE_MS} ms"
        assert "timer look SIP_Server_2" in harness.texts_of("event")
        assert harness.texts_of("command").count("promote SIP_Server_2") == 1  # it may have been carried out
        stamps = [
            entry.mono_ns / 1e6 for entry in entries(harness.path) if entry.text in ("promote SIP_Server_2", deadline)
        ]
        assert stamps[1] - stamps[0] >= DEADLINE_MS + ANSWER_MARGIN_MS - 1  # and not earlier

    play(scenario)


def test_a_command_that_was_answered_in_time_does_not_fail_later(play, eventually):
    async def scenario(harness: AgentHarness) -> None:
        harness.connect()  # the announcement is answered
        harness.agent.switch(A2)  # the demotion never is
        await eventually(lambda: any(text.startswith("timed out demote") for text in harness.texts_of("event")))
        assert [text for text in harness.texts_of("event") if "announce" in text] == ["done announce_vip host1"]

    play(scenario)


@pytest.mark.parametrize(("result", "word"), [(CommandFailed, "failed"), (CommandUnclear, "unclear")])
def test_an_answer_in_time_counts_and_no_timeout_follows(play, result, word):
    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        harness.agent.switch(A2)
        demote, _ = harness.hosts[H1].sent[-1]
        harness.hosts[H1].deliver(result(demote.id, "it says"))
        await asyncio.sleep((DEADLINE_MS + ANSWER_MARGIN_MS) / 1000 + 0.1)
        assert f"{word} demote SIP_Server_1: it says" in harness.texts_of("event")
        assert not any(text.startswith("timed out demote") for text in harness.texts_of("event"))

    play(scenario)


def test_starting_and_stopping_have_a_deadline_of_their_own(play):
    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        step = harness.agent.stop_application(A2)
        assert (step.moved, step.decision.reason) == (True, "an operator asked for it: it is stopped")
        stop, deadline_ms = harness.hosts[H2].sent[-1]
        assert (stop, deadline_ms) == (Stop(H2, A2), START_DEADLINE_MS)
        harness.hosts[H2].deliver(ApplicationReported(A2, Mode.DOWN))
        harness.hosts[H2].deliver(CommandSucceeded(stop.id))
        assert harness.agent.solution.state.pairs[0].state == "no_redundancy_1"
        assert not harness.agent.stop_application(A2).moved
        assert harness.agent.start_application(A2).moved
        start, deadline_ms = harness.hosts[H2].sent[-1]
        assert (start, deadline_ms) == (Start(H2, A2), START_DEADLINE_MS)
        assert [text for text in harness.texts_of("event") if "requested" in text] == [
            "stop requested SIP_Server_2",
            "stop requested SIP_Server_2",
            "start requested SIP_Server_2",
        ]

    play(scenario)


def test_a_restarted_timer_runs_out_once(play, eventually):
    """Seen, lost and seen again: the last start counts."""

    async def scenario(harness: AgentHarness) -> None:
        for _ in range(3):
            harness.hosts[H1].deliver(HostConnected(H1, HostReport({A1: Mode.BACKUP}, vip_held=False)))
            harness.hosts[H1].deliver(HostLost(H1))
        harness.hosts[H1].deliver(HostConnected(H1, HostReport({A1: Mode.BACKUP}, vip_held=False)))
        await eventually(lambda: "timer settle SIP Server" in harness.texts_of("event"))
        await asyncio.sleep(0.1)
        assert harness.texts_of("command").count("start timer settle SIP Server: 200 ms") == 4
        assert harness.texts_of("event").count("timer settle SIP Server") == 1

    play(scenario)


def test_a_closed_agent_does_nothing_more(tmp_path, play):
    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        harness.hosts[H1].deliver(ApplicationReported(A1, Mode.DOWN))
        await harness.agent.close()
        for host in harness.hosts.values():
            assert host.life.pop() == "closed"
        count = len(entries(harness.path))
        await asyncio.sleep((DEADLINE_MS + ANSWER_MARGIN_MS) / 1000 + 0.1)
        assert len(entries(harness.path)) == count

    play(scenario)


def test_a_restarted_agent_adopts_anew_and_its_journal_replays_from_each_start(play, tmp_path):
    async def scenario(harness: AgentHarness) -> None:
        assert harness.agent.solution.state.links == ("unknown", "unknown")
        harness.connect()

    play(scenario)
    play(scenario)
    replayed = list(replay(tmp_path / "journal.sqlite"))
    once = ["connected host1", "connected host2", "done announce_vip host1"]
    assert [handled.text for handled in replayed] == once * 2
    first, second = replayed[2].after, replayed[-1].after
    assert first == second
    assert (first.pairs[0].state, first.vip, first.pending) == ("redundant_1", "held_1", ())


def test_a_late_answer_to_a_killed_agent_is_not_taken_for_its_successor_s(play):
    """A host goes on with a command of an agent that was killed, and answers the next one."""
    given: list[Promote] = []

    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        harness.hosts[H1].deliver(ApplicationReported(A1, Mode.DOWN))
        for former in given:
            harness.hosts[H2].deliver(CommandSucceeded(former.id))
        ((promote, _),) = harness.hosts[H2].sent
        given.append(promote)
        assert harness.agent.solution.state.pending == (promote,)
        assert harness.agent.solution.state.pairs[0].state == "taking_over_2"

    play(scenario)
    play(scenario)
    assert given[0].id < given[1].id


def test_log_messages_are_logged_under_their_event_ids(play, caplog):
    """Alarm conditions of other systems read them there."""

    async def scenario(harness: AgentHarness) -> None:
        harness.connect()
        harness.hosts[H1].deliver(ApplicationReported(A1, Mode.DOWN))
        promote, _ = harness.hosts[H2].sent[-1]
        harness.hosts[H2].deliver(CommandSucceeded(promote.id))
        step = harness.agent.take_log_message("5150", A2)
        assert step.decision.reason == "the message agrees with the report: alarm activated"

    with caplog.at_level(logging.INFO, "switchover.agent"):
        play(scenario)
    assert "00-5150 SIP_Server_2 changed to primary mode" in caplog.messages
    assert "command: promote SIP_Server_2" in caplog.messages


# Sources of log messages


@contextlib.asynccontextmanager
async def listening(harness: AgentHarness, **changes: object) -> AsyncGenerator[None]:
    """Listen to the sources of messages; hosts have a minute to report."""
    settings = harness.agent.configuration
    harness.agent.configuration = evolve(settings, solution=evolve(settings.solution, settle_ms=60_000), **changes)
    sources = MessageSources(harness.agent)
    sources.start()
    try:
        yield
    finally:
        await sources.close()


def test_messages_in_the_spool_wait_until_every_host_has_reported(play, eventually, tmp_path):
    """Before that, the state that an old message could contradict is not known."""

    async def scenario(harness: AgentHarness) -> None:
        for name in (A1, "Another Site's", A2):
            put(tmp_path / "spool", "00-5150", name)
        async with listening(harness):
            harness.hosts[H1].deliver(HostConnected(H1, HostReport({A1: Mode.PRIMARY}, vip_held=True)))
            await asyncio.sleep(0.2)
            assert not any(text.startswith("received") for text in harness.texts_of("event"))
            harness.hosts[H2].deliver(HostConnected(H2, HostReport({A2: Mode.BACKUP}, vip_held=False)))
            await eventually(lambda: list((tmp_path / "spool").iterdir()) == [])
            assert harness.texts_of("event")[-2:] == ["received 00-5150 SIP_Server_1", "received 00-5150 SIP_Server_2"]
            assert [command for command, _ in harness.hosts[H2].sent] == []  # the reports of the hosts count

    play(scenario)


def test_an_agent_goes_on_without_its_spool_and_its_log(play, eventually, tmp_path, caplog):
    """Calls must be served all the same."""

    async def scenario(harness: AgentHarness) -> None:
        (tmp_path / "spool").write_text("no directory")
        harness.connect()
        async with listening(harness, scs_log=ScsLogSettings(tmp_path, tmp_path / "bookmark")):
            await eventually(
                lambda: sum("goes on without this source of log messages: the " in m for m in caplog.messages) == 2
            )
        assert any(": the log " in message for message in caplog.messages)
        harness.agent.switch(A2)
        assert [type(command) for command, _ in harness.hosts[H1].sent] == [AnnounceVip, Demote]

    play(scenario)
