"""The journal's writer: nothing waits for the disk, what waits is bounded, and what is missing is counted."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.agent_at_work import agent_at_work
from support.agent_harness import A1, A2, H1, configuration
from switchover.agent.controller.status import status
from switchover.agent.explain.meanings import Mark
from switchover.agent.explain.overview import overview
from switchover.agent.explain.status_text import as_text
from switchover.agent.history import writer
from switchover.agent.history.incidents import incidents
from switchover.agent.history.journal import EVENT, Entry, JournalError, read, replay
from switchover.agent.history.journal_file import JournalFile
from switchover.agent.history.writer import Journal, JournalHealth
from switchover.fsm import ApplicationReported, Mode, SolutionState


class Disk:
    """A disk that hangs while `answers` is not set, and whose writes fail with `fault`."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.fault: str | None = None
        self.opens = True

    def open(self, path: Path) -> JournalFile:
        self.answers.wait()
        if not self.opens:
            raise JournalError(f"the journal {path} cannot be opened: unable to open database file")
        disk = self

        class OnDisk(JournalFile):
            def write(self, *rows) -> None:
                disk.answers.wait()
                if disk.fault is not None:
                    cause = sqlite3.DatabaseError(disk.fault)
                    cause.sqlite_errorcode = sqlite3.SQLITE_CORRUPT if "malformed" in disk.fault else 0  # type: ignore[attr-defined]
                    raise JournalError(disk.fault) from cause
                super().write(*rows)

        return OnDisk(path)

    def journal(self, path: Path, bound: int = writer.BOUND) -> Journal:
        return Journal(path, bound=bound, open_file=self.open)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    return Disk()


def texts(path: Path) -> list[str]:
    return [entry.text for _, entry in read(path)]


def wait_until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def last_state(path: Path) -> SolutionState:
    return list(replay(path))[-1].after


# The path of a decision


async def take_over_and_return(agent, hosts, eventually, times: int = 1) -> None:
    for _ in range(times):
        for to, side in ((A2, 2), (A1, 1)):
            agent.switch(to)
            await eventually(lambda side=side: agent.solution.state.vip == f"held_{side}")
            await eventually(lambda: not agent.solution.state.pending)


def test_a_disk_that_hangs_stops_no_takeover_and_loses_no_event(tmp_path, disk, eventually):
    """The kind of fault: a slow fsync, and commands that are older than the detection time when they go out."""

    async def scenario() -> SolutionState:
        settings = configuration(tmp_path)
        async with agent_at_work(settings, disk.journal) as (agent, hosts):
            assert agent.journal.flush()
            before = texts(settings.agent.journal)
            disk.answers.clear()
            hosts[H1].deliver(ApplicationReported(A1, Mode.DOWN))
            await eventually(lambda: agent.solution.state.vip == "held_2" and not agent.solution.state.pending)
            hosts[H1].deliver(ApplicationReported(A1, Mode.BACKUP))
            await take_over_and_return(agent, hosts, eventually, times=3)
            assert texts(settings.agent.journal) == before
            disk.answers.set()
            assert agent.journal.flush()
            assert agent.journal.health == JournalHealth()
            return agent.solution.state

    state = asyncio.run(scenario())
    path = tmp_path / "journal.sqlite"
    assert last_state(path) == state
    numbers = [number for number, _ in read(path)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(each.is_over for each in incidents(path))


def test_an_agent_starts_and_takes_over_while_the_disk_hangs(tmp_path, disk, eventually, monkeypatch):
    monkeypatch.setattr(writer, "OPEN_WITHIN_S", 0.01)
    disk.answers.clear()

    async def scenario() -> SolutionState:
        async with agent_at_work(configuration(tmp_path), disk.journal) as (agent, hosts):
            await take_over_and_return(agent, hosts, eventually)
            disk.answers.set()
            assert agent.journal.flush()
            return agent.solution.state

    state, path = asyncio.run(scenario()), tmp_path / "journal.sqlite"
    assert last_state(path) == state
    first, _ = next(read(path))
    assert first > 10**12, "the file's last number was not known"


@pytest.mark.parametrize("opens", [False, True])
def test_a_disk_that_is_full_or_cannot_be_written_stops_nothing_and_is_reported(
    tmp_path, disk, eventually, caplog, opens
):
    disk.opens, disk.fault = opens, "the journal cannot be written: database or disk is full"

    async def scenario() -> SolutionState:
        async with agent_at_work(configuration(tmp_path), disk.journal) as (agent, hosts):
            await take_over_and_return(agent, hosts, eventually)
            await eventually(lambda: agent.journal.health.since_ns is not None)
            health = agent.journal.health
            assert (health.missing, health.waiting > 10) == (0, True)
            assert ("unable to open" if not opens else "disk is full") in health.reason
            now = status(agent)
            assert now["journal"]["missing"] > 10
            headline = as_text(now).splitlines()[0]
            assert headline.startswith("solution lab: as it should be; journal: not written since ")
            assert headline.endswith(f" events missing ({health.reason})")
            heard = [host | {"heard_ms_ago": 1} for host in now["hosts"]]
            seen = overview(now | {"hosts": heard}, 1000)
            assert seen.whole.mark is Mark.TROUBLE
            assert seen.whole.words.startswith("as it should be: ")
            assert seen.whole.words.endswith(f"; {seen.journal}")
            disk.opens, disk.fault = True, None
            assert agent.journal.flush()
            await eventually(lambda: agent.journal.health == JournalHealth())
            assert as_text(status(agent)).splitlines()[0] == "solution lab: as it should be"
            return agent.solution.state

    state = asyncio.run(scenario())
    assert last_state(tmp_path / "journal.sqlite") == state
    said = [message for message in caplog.messages if message.startswith("going on without a journal: ")]
    assert len(said) == 1
    assert any(message.endswith("is written again; 0 events are missing") for message in caplog.messages)


def test_what_waits_is_bounded_and_what_is_missing_is_counted_and_survived(tmp_path, disk, eventually, caplog):
    async def scenario() -> tuple[SolutionState, int]:
        async with agent_at_work(configuration(tmp_path), partial(disk.journal, bound=20)) as (agent, hosts):
            assert agent.journal.flush()
            disk.answers.clear()
            await take_over_and_return(agent, hosts, eventually, times=3)
            health = agent.journal.health
            assert health.missing > 0
            disk.answers.set()
            assert agent.journal.flush()
            await take_over_and_return(agent, hosts, eventually)
            assert agent.journal.flush()
            assert agent.journal.health == JournalHealth(missing=health.missing)
            assert f"; journal: {health.missing} events missing since the agent started" in as_text(status(agent))
            return agent.solution.state, health.missing

    state, missing = asyncio.run(scenario())
    path = tmp_path / "journal.sqlite"
    assert last_state(path) == state
    assert [handled.missing for handled in replay(path) if handled.missing] == [missing]
    assert sum(each.missing for each in incidents(path)) == missing
    assert sum("cannot keep up" in message for message in caplog.messages) == 1


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_file_that_is_taken_away_or_damaged_is_begun_anew(tmp_path, disk, eventually, is_damaged):
    path = tmp_path / "journal.sqlite"

    async def scenario() -> SolutionState:
        async with agent_at_work(configuration(tmp_path), disk.journal) as (agent, hosts):
            assert agent.journal.flush()
            if is_damaged:
                disk.fault = "database disk image is malformed"
                agent.switch(A2)
                await eventually(lambda: list(tmp_path.glob("journal.sqlite.damaged-*")))
                disk.fault = None
            else:
                path.rename(tmp_path / "archived.sqlite")
            await take_over_and_return(agent, hosts, eventually)
            assert agent.journal.flush()
            await eventually(lambda: agent.journal.health == JournalHealth())
            return agent.solution.state

    state = asyncio.run(scenario())
    assert last_state(path) == state
    assert list(incidents(path))[-1].moves


# One entry after the other


def test_a_row_that_the_file_never_accepts_is_left_out_alone(tmp_path, disk, caplog):
    path = tmp_path / "journal.sqlite"
    journal = disk.journal(path)
    disk.answers.clear()
    for text in ("one", "two", "half a surrogate pair: \ud800", "three"):
        journal.write([Entry(EVENT, text)])
    disk.answers.set()
    assert journal.flush()
    assert journal.health == JournalHealth(missing=1)
    journal.close()
    assert texts(path) == ["one", "two", "three"]
    assert any(message.startswith("an event is left out: ") for message in caplog.messages)


def test_a_disk_that_never_answers_ends_no_agent(tmp_path, disk, caplog, monkeypatch):
    monkeypatch.setattr(writer, "CLOSE_WITHIN_S", 0.05)
    monkeypatch.setattr(writer, "LATE_S", 0.0)
    journal = disk.journal(tmp_path / "journal.sqlite")
    disk.answers.clear()
    journal.write([Entry(EVENT, "lost")])
    journal.close()
    assert caplog.messages == [f"the journal {tmp_path / 'journal.sqlite'} lacks 1 events"]
    assert journal.health.reason == "the disk does not answer"
    disk.answers.set()
    journal._thread.join(30)


def test_what_is_written_survives_the_death_of_the_writer(tmp_path):
    """Written means: `flush` has returned. What waits may be lost, but never out of order and never in part."""
    path = tmp_path / "journal.sqlite"
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from switchover.agent.history.journal import Entry\n"
        "from switchover.agent.history.writer import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for number in range(300): journal.write([Entry('event', f'{number}'), Entry('decision', f'{number}')])\n"
        "assert journal.flush()\n"
        "for number in range(300, 900): journal.write([Entry('event', f'{number}'), Entry('decision', f'{number}')])\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=60, check=False)  # noqa: S603  # our own
    assert done.returncode == -signal.SIGKILL
    written = texts(path)
    assert written == [f"{number}" for number in range(len(written) // 2) for _ in (1, 2)]
    assert 600 <= len(written) <= 1800


def test_a_lock_of_another_program_only_delays_what_is_written(tmp_path, disk):
    path = tmp_path / "journal.sqlite"
    journal = disk.journal(path)
    disk.fault = "the journal cannot be written: database is locked"
    journal.write([Entry(EVENT, "meanwhile")])
    wait_until(lambda: journal.health.since_ns)
    disk.fault = None
    assert journal.flush()
    assert texts(path) == ["meanwhile"]
    journal.close()
