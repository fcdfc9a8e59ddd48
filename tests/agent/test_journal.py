"""The journal: written before any command is sent, as a whole or not at all, and replayed to the same states."""

import asyncio
import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
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
    Journal,
    JournalError,
    _checkpoint,
    command_entry,
    event_entry,
    read,
    replay,
    start_entry,
)
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
    journal.write([Entry(START, "one"), Entry(EVENT, "two", '{"type": "x"}')])
    journal.write([])
    journal.write([Entry(DECISION, "drei · ≥")])
    assert lines(path) == [(1, START, "one"), (2, EVENT, "two"), (3, DECISION, "drei · ≥")]
    assert lines(path, after=1) == [(2, EVENT, "two"), (3, DECISION, "drei · ≥")]
    assert lines(path, after=3) == []
    assert [entry.data for _, entry in read(path)] == [None, '{"type": "x"}', None]


def test_all_entries_of_one_event_have_the_time_of_writing(path, journal):
    before = (time.time_ns(), time.monotonic_ns())
    journal.write([Entry(EVENT, "one"), Entry(COMMAND, "two")])
    after = (time.time_ns(), time.monotonic_ns())
    stamps = {(entry.wall_ns, entry.mono_ns) for _, entry in read(path)}
    ((wall, mono),) = stamps
    assert before[0] <= wall <= after[0]
    assert before[1] <= mono <= after[1]


@pytest.mark.parametrize("text", [None, "half a surrogate pair: \ud800"])
def test_entries_are_written_all_or_none_and_a_failure_spoils_no_later_one(path, journal, text):
    with pytest.raises(JournalError, match=f"^the journal {path} cannot be written: "):
        journal.write([Entry(EVENT, "good"), Entry(REFUSED, text)])  # type: ignore[arg-type]
    assert lines(path) == []
    journal.write([Entry(EVENT, "next")])
    assert [text for _, _, text in lines(path)] == ["next"]


def test_a_new_agent_appends_to_the_journal(path):
    for text in ("first run", "second run"):
        journal = Journal(path)
        journal.write([Entry(START, text)])
        journal.close()
    assert lines(path) == [(1, START, "first run"), (2, START, "second run")]


def test_entries_survive_the_death_of_the_writer(path):
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from switchover.agent.history.journal import Entry, Journal\n"
        "Journal(Path(sys.argv[1])).write([Entry('event', 'the last one')])\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=60, check=False)  # noqa: S603  # our own
    assert done.returncode == -signal.SIGKILL
    assert lines(path) == [(1, EVENT, "the last one")]


def test_a_file_that_is_not_a_journal_is_neither_opened_nor_read(tmp_path):
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"not a database" * 100)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE journal (something TEXT)")
    database.close()
    for path, reason in [
        (garbage, "file is not a database"),
        (tmp_path, "unable to open"),
        (garbage / "x", "File exists"),
    ]:
        with pytest.raises(JournalError, match=f"the journal {path} cannot be opened: .*{reason}"):
            Journal(path)
    for path in (garbage, tmp_path, tmp_path / "missing", other):
        with pytest.raises(JournalError, match=f"the journal {path} cannot be read: "):
            list(read(path))
    assert garbage.read_bytes() == b"not a database" * 100
    assert not (tmp_path / "missing").exists()


def test_a_lock_of_another_program_is_not_waited_for(path, journal):
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="cannot be written: database is locked"):
            journal.write([Entry(EVENT, "meanwhile")])
        other.execute("ROLLBACK")
    other.close()
    journal.write([Entry(EVENT, "afterwards")])
    assert lines(path) == [(1, EVENT, "afterwards")]


def test_a_thread_folds_the_write_ahead_log_into_the_file(path, journal, tmp_path):
    def in_the_file_alone() -> list[str]:
        copy = tmp_path / "copy.sqlite"
        shutil.copy(path, copy)
        with contextlib.closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as database:
            tables = database.execute("SELECT name FROM sqlite_master").fetchall()
            return [text for (text,) in database.execute("SELECT text FROM journal")] if tables else []

    journal.write([Entry(EVENT, "one")])
    assert in_the_file_alone() == []
    journal.tidy()
    give_up = time.monotonic() + 20
    while in_the_file_alone() != ["one"]:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    journal.write([Entry(EVENT, "two")])
    journal.tidy()
    journal.close()
    assert in_the_file_alone() == ["one", "two"]


def test_a_disk_that_hangs_during_upkeep_delays_no_entry(path, journal, monkeypatch):
    hanging, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(journal._upkeep, "_work", lambda: (hanging.set(), go_on.wait()))
    for text in ("one", "two", "three"):
        journal.write([Entry(EVENT, text)])
        journal.tidy()
        assert hanging.wait(20)
    assert [text for _, _, text in lines(path)] == ["one", "two", "three"]
    go_on.set()


def test_a_failed_upkeep_is_a_warning(path, journal, caplog):
    path.with_name("elsewhere").mkdir()
    _checkpoint(path.with_name("elsewhere"))
    assert caplog.messages[0].startswith(f"the journal {path.with_name('elsewhere')} cannot be tidied, trying again")


def test_an_upkeep_makes_no_journal_in_the_place_of_one_that_was_removed(path, journal, caplog):
    """An empty file there would hide from everybody that the journal is gone."""
    path.unlink()
    _checkpoint(path)
    assert not path.exists()
    assert caplog.messages == [
        f"the journal {path} cannot be tidied, trying again after the next event: unable to open database file"
    ]


def test_a_closed_journal_accepts_no_entry(path):
    journal = Journal(path)
    journal.close()
    with pytest.raises(JournalError, match="cannot be written: Cannot operate on a closed database"):
        journal.write([Entry(EVENT, "too late")])


# Replay


def test_a_replay_restarts_with_every_start_and_leaves_out_refused_events(path, journal):
    event = HostConnected("host1", HostReport({"SIP_Server_1": Mode.PRIMARY}, vip_held=True, primary_for_ms={}))
    journal.write([event_entry("before any start", event)])
    journal.write([start_entry(TOPOLOGY)])
    journal.write([event_entry("connected", event), Entry(REFUSED, "nonsense")])
    journal.write([start_entry(TOPOLOGY)])
    journal.write([event_entry("connected again", event)])
    first, second = replay(path)
    assert (first.text, second.text) == ("connected", "connected again")
    assert (first.number, first.run, second.number, second.run) == (3, 2, 6, 5)
    assert first.topology == second.topology == TOPOLOGY
    assert (first.before, first.after) == (second.before, second.after)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (event_entry("up", ApplicationReported("SIP_Server_1", Mode.UP)), "host1 is not connected"),
        (event_entry("up", ApplicationReported("Nobody", Mode.UP)), "Nobody"),
        (Entry(EVENT, "odd", '{"type": "FromTheFuture"}'), "FromTheFuture"),
        (Entry(EVENT, "odd", '{"type": "HostLost"}'), ""),
        (Entry(EVENT, "odd", "[]"), ""),
        (Entry(EVENT, "odd", "{"), "Expecting property name"),
        (Entry(EVENT, "odd"), "Expecting value"),
        (Entry(START, "odd", '{"hosts": 7}'), ""),
    ],
)
def test_what_cannot_be_replayed_is_named(path, journal, entry, reason):
    """Its event was refused, or cannot be understood; a journal lacks entries if the disk was full."""
    journal.write([start_entry(TOPOLOGY), entry])
    with pytest.raises(JournalError, match=rf"^entry 2 of the journal, '{entry.text}', cannot be replayed .*{reason}"):
        list(replay(path))


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
    stored = [(entry.text, entry.data and json.loads(entry.data)) for _, entry in read(path)]
    report = {"modes": {"SIP_Server_2": "backup"}, "vip_held": False, "primary_for_ms": {}}
    promoted = {"type": "Promote", "host": "host2", "application": "SIP_Server_2", "id": 1}
    assert stored == [
        ("connected host2", {"type": "HostConnected", "host": "host2", "report": report}),
        ("start timer settle SIP Server: 1000 ms", None),
        ("promote SIP_Server_2", promoted),
    ]
