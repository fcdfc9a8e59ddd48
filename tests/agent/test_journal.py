"""The journal: what is read is what was written, and it is replayed to the same states."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from switchover.agent.history.journal import (
    COMMAND,
    DECISION,
    EVENT,
    REFUSED,
    START,
    Entry,
    JournalError,
    command_entry,
    event_entry,
    read,
    replay,
    start_entry,
)
from switchover.agent.history.writer import Journal
from switchover.agent.lab.player import play
from switchover.agent.lab.settings import LabSettings
from switchover.agent.simulation.stage import SimulatedStage
from switchover.fsm import (
    ApplicationReported,
    Command,
    HostConnected,
    HostReport,
    Mode,
    Pair,
    Solution,
    TimerFired,
    Topology,
    VipOrder,
    documented_alarms,
)
from switchover.fsm.documented.workflows import WORKFLOWS
from switchover.fsm.records import describe_command, describe_event, describe_step

SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
TOPOLOGY = Topology(("host1", "host2"), (SIP,), documented_alarms(SIP.applications, ("host1", "host2")))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "on" / "demand" / "journal.sqlite"


@pytest.fixture
def journal(path) -> Iterator[Journal]:
    journal = Journal(path)
    yield journal
    journal.close()


def lines(path: Path, after: int = 0) -> list[tuple[int, str, str]]:
    return [(number, entry.kind, entry.text) for number, entry in read(path, after)]


def test_entries_are_read_in_the_order_of_writing(path, journal):
    assert lines(path) == []
    assert journal.write([Entry(START, "one"), Entry(EVENT, "two", '{"type": "x"}')]) == 1
    assert journal.write([]) == 3
    assert journal.write([Entry(DECISION, "drei · ≥")]) == 3
    assert journal.flush()
    assert lines(path) == [(1, START, "one"), (2, EVENT, "two"), (3, DECISION, "drei · ≥")]
    assert lines(path, after=1) == [(2, EVENT, "two"), (3, DECISION, "drei · ≥")]
    assert lines(path, after=3) == []
    assert [entry.data for _, entry in read(path)] == [None, '{"type": "x"}', None]


def test_all_entries_of_one_event_have_the_time_at_which_they_were_handed_over(path, journal):
    before = (time.time_ns(), time.monotonic_ns())
    journal.write([Entry(EVENT, "one"), Entry(COMMAND, "two")])
    after = (time.time_ns(), time.monotonic_ns())
    journal.flush()
    stamps = {(entry.wall_ns, entry.mono_ns) for _, entry in read(path)}
    ((wall, mono),) = stamps
    assert before[0] <= wall <= after[0]
    assert before[1] <= mono <= after[1]


def test_a_new_agent_appends_to_the_journal(path):
    for text in ("first run", "second run"):
        journal = Journal(path)
        journal.write([Entry(START, text)])
        journal.close()
    assert lines(path) == [(1, START, "first run"), (2, START, "second run")]


def test_what_is_no_journal_cannot_be_read(tmp_path):
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"not a database" * 100)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE journal (something TEXT)")
    database.close()
    for path in (garbage, tmp_path, tmp_path / "missing", other):
        with pytest.raises(JournalError, match=f"the journal {path} cannot be read: "):
            list(read(path))
    assert garbage.read_bytes() == b"not a database" * 100
    assert not (tmp_path / "missing").exists()


# Replay


def test_a_replay_restarts_with_every_start_and_leaves_out_refused_events(path, journal):
    event = HostConnected("host1", HostReport({"SIP_Server_1": Mode.PRIMARY}, vip_held=True, primary_for_ms={}))
    journal.write([event_entry("before any start", event)])
    journal.write([start_entry(TOPOLOGY)])
    journal.write([event_entry("connected", event), Entry(REFUSED, "nonsense")])
    journal.write([start_entry(TOPOLOGY)])
    journal.write([event_entry("connected again", event)])
    journal.flush()
    first, second = replay(path)
    assert (first.text, second.text) == ("connected", "connected again")
    assert (first.number, first.run, second.number, second.run) == (3, 2, 6, 5)
    assert first.topology == second.topology == TOPOLOGY
    assert (first.before, first.after) == (second.before, second.after)


@pytest.mark.parametrize(
    ("entry", "left_out"),
    [
        (event_entry("up", ApplicationReported("SIP_Server_1", Mode.UP)), 2),
        (event_entry("up", ApplicationReported("Nobody", Mode.UP)), 2),
        (Entry(EVENT, "odd", '{"type": "FromTheFuture"}'), 2),
        (Entry(EVENT, "odd", '{"type": "HostLost"}'), 2),
        (Entry(EVENT, "odd", "[]"), 2),
        (Entry(EVENT, "odd", "{"), 2),
        (Entry(EVENT, "odd"), 2),
        (Entry(START, "odd", '{"hosts": 7}'), 1),
    ],
)
def test_what_cannot_be_replayed_is_left_out_up_to_the_next_start(path, journal, entry, left_out):
    """Its event was refused, or cannot be understood: another version wrote it, or entries before it are missing."""
    event = HostConnected("host1", HostReport({"SIP_Server_1": Mode.PRIMARY}, vip_held=True, primary_for_ms={}))
    journal.write([start_entry(TOPOLOGY), entry, event_entry("after it", event)])
    journal.write([start_entry(TOPOLOGY), event_entry("later", event)])
    assert journal.flush()
    assert [(handled.text, handled.missing) for handled in replay(path)] == [("later", left_out)]


def recorded(path: Path) -> Iterator[tuple[str, list[str], list[str | None]]]:
    """The entries of each event: its text, the texts of its decisions, and the data of its commands."""
    for _, entry in read(path):
        match entry.kind:
            case "event":
                group: tuple[str, list[str], list[str | None]] = (entry.text, [], [])
                yield group
            case "decision":
                group[1].append(entry.text)
            case "command":
                group[2].append(entry.data)


def data_of(commands: tuple[Command, ...]) -> list[str | None]:
    return [command_entry(describe_command(command), command).data for command in commands]


def test_a_journal_of_every_workflow_replays_to_the_same_decisions(tmp_path):
    """A journal is a regression test: it reproduces states, decisions and commands, including their ids."""
    shown: list[str] = []

    async def scenario():
        stage = SimulatedStage(tmp_path, LabSettings(order=VipOrder.ENABLE_FIRST))
        await stage.start()
        try:
            outcomes = [outcome async for outcome in play(stage, list(WORKFLOWS), 1, shown.append)]
            return outcomes, await stage.ask({"do": "status"})
        finally:
            await stage.close()

    outcomes, status = asyncio.run(scenario())
    assert [(outcome.workflow, outcome.wrong, outcome.ok) for outcome in outcomes] == [(n, (), True) for n in WORKFLOWS]
    groups = list(recorded(tmp_path / "journal.sqlite"))
    assert len(groups) > 20
    handled = list(replay(tmp_path / "journal.sqlite"))
    for replayed, (text, decisions, data) in zip(handled, groups, strict=True):
        assert (replayed.text, [describe_step(step) for step in replayed.steps]) == (text, decisions)
        assert data_of(replayed.commands) == data
    assert [handled[-1].after.pairs[0].state, handled[-1].after.vip] == [
        status["status"]["pairs"][0]["state"],
        status["status"]["vip"]["state"],
    ]
    assert sum("kill -9 of" in line for line in shown) == 1


def test_events_and_host_commands_are_stored_whole_and_other_commands_as_text(path, journal):
    solution = Solution(TOPOLOGY)
    event = HostConnected("host2", HostReport({"SIP_Server_2": Mode.BACKUP}, vip_held=False))
    commands = [*solution.handle(event), *solution.handle(TimerFired("settle SIP Server"))]
    journal.write([event_entry(describe_event(event), event)])
    journal.write([command_entry(describe_command(command), command) for command in commands])
    journal.flush()
    stored = [(entry.text, entry.data and json.loads(entry.data)) for _, entry in read(path)]
    report = {"modes": {"SIP_Server_2": "backup"}, "vip_held": False, "primary_for_ms": {}}
    promoted = {"type": "Promote", "host": "host2", "application": "SIP_Server_2", "id": 1}
    assert stored == [
        ("connected host2", {"type": "HostConnected", "host": "host2", "report": report}),
        ("start timer settle SIP Server: 1000 ms", None),
        ("promote SIP_Server_2", promoted),
    ]
