"""The journal's file: all or none is written, it is its owner's alone, and a damaged one is set aside."""

import contextlib
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from switchover.agent.history.journal import EVENT, REFUSED, START, Entry, JournalError, read
from switchover.agent.history.journal_file import JournalFile, RefusedRowsError, _checkpoint


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "on" / "demand" / "journal.sqlite"


@pytest.fixture
def file(path) -> Iterator[JournalFile]:
    file = JournalFile(path)
    yield file
    file.close()


def texts(path: Path) -> list[str]:
    return [entry.text for _, entry in read(path)]


@pytest.mark.parametrize("text", [None, "half a surrogate pair: \ud800"])
def test_rows_are_written_all_or_none_and_a_failure_spoils_no_later_one(path, file, text):
    with pytest.raises(RefusedRowsError, match=f"^the journal {path} does not accept an entry: "):
        file.write([(1, Entry(EVENT, "good")), (2, Entry(REFUSED, text))])  # type: ignore[arg-type]
    assert texts(path) == []
    file.write([(1, Entry(EVENT, "next"))])
    assert texts(path) == ["next"]


def test_a_number_is_used_once(path, file):
    file.write([(7, Entry(EVENT, "one"))])
    with pytest.raises(RefusedRowsError, match="UNIQUE"):
        file.write([(7, Entry(EVENT, "two"))])
    file.close()
    assert JournalFile(path).last == 7


def test_the_file_is_its_owners_alone(path):
    for _ in range(2):
        file = JournalFile(path)
        file.write([(file.last + 1, Entry(EVENT, "one"))])
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
        assert modes == {"journal.sqlite": 0o600, "journal.sqlite-wal": 0o600, "journal.sqlite-shm": 0o600}
        file.close()
        path.chmod(0o644)  # as earlier versions left it


def test_what_is_no_file_or_another_programs_is_not_opened_and_stays(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE journal (something TEXT)")
    database.close()
    (tmp_path / "plain").touch()
    for path, reason in [
        (tmp_path, "Is a directory|unable to open"),
        (tmp_path / "plain" / "x", "Not a directory|File exists"),
        (other, "no such column"),
    ]:
        with pytest.raises(JournalError, match=f"the journal {path} cannot be opened: .*({reason})"):
            JournalFile(path)
        assert path == tmp_path / "plain" / "x" or path.exists()


def test_a_file_that_is_damaged_when_it_is_opened_is_set_aside(tmp_path, caplog):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database" * 100)
    file = JournalFile(path)
    file.write([(1, Entry(EVENT, "a new one"))])
    (aside,) = tmp_path.glob("journal.sqlite.damaged-*")
    assert aside.read_bytes() == b"not a database" * 100
    assert texts(path) == ["a new one"]
    assert caplog.messages == [
        f"the journal {path} is damaged: file is not a database; it is {aside} now, and a new one is begun"
    ]
    file.close()


def test_a_thread_folds_the_write_ahead_log_into_the_file(path, file, tmp_path):
    def in_the_file_alone() -> list[str]:
        copy = tmp_path / "copy.sqlite"
        shutil.copy(path, copy)
        with contextlib.closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as database:
            tables = database.execute("SELECT name FROM sqlite_master").fetchall()
            return [text for (text,) in database.execute("SELECT text FROM journal")] if tables else []

    file.write([(1, Entry(EVENT, "one"))])
    assert in_the_file_alone() == []
    file.tidy()
    give_up = time.monotonic() + 20
    while in_the_file_alone() != ["one"]:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    file.write([(2, Entry(EVENT, "two"))])
    file.tidy()
    file.close()
    assert in_the_file_alone() == ["one", "two"]


def test_a_disk_that_hangs_during_upkeep_delays_no_entry(path, file, monkeypatch):
    hanging, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(file._upkeep, "_work", lambda: (hanging.set(), go_on.wait()))
    for number, text in enumerate(("one", "two", "three"), 1):
        file.write([(number, Entry(EVENT, text))])
        file.tidy()
        assert hanging.wait(20)
    assert texts(path) == ["one", "two", "three"]
    go_on.set()


def test_a_failed_upkeep_is_a_warning(path, file, caplog):
    path.with_name("elsewhere").mkdir()
    _checkpoint(path.with_name("elsewhere"))
    assert caplog.messages[0].startswith(f"the journal {path.with_name('elsewhere')} cannot be tidied, trying again")


def test_an_upkeep_makes_no_journal_in_the_place_of_one_that_was_removed(path, file, caplog):
    """An empty file there would hide from everybody that the journal is gone."""
    path.unlink()
    _checkpoint(path)
    assert not path.exists()
    assert caplog.messages == [
        f"the journal {path} cannot be tidied, trying again after the next event: unable to open database file"
    ]


def fill(file: JournalFile, days_ago: int, first: int) -> None:
    """Three runs of a day, of ten entries each."""
    wall_ns = time.time_ns() - days_ago * 86_400 * 10**9
    entries = [Entry(START if number % 10 == 0 else EVENT, "x" * 2000, wall_ns=wall_ns) for number in range(30)]
    file.write([(first + number, entry) for number, entry in enumerate(entries)], [(first + 5, first, first + 8, None)])


def pruned(file: JournalFile, **limits: int | None) -> int:
    return sum(iter(lambda: file.prune(**({"keep_days": None, "most_mb": None} | limits)), 0))


def test_old_entries_are_deleted_up_to_a_start(path, file):
    for day in (5, 3, 1):
        fill(file, day, 31 * (5 - day) // 2 + 1)
    assert pruned(file) == pruned(file, keep_days=6) == pruned(file, most_mb=10) == 0
    assert pruned(file, keep_days=2) == 60
    assert next(read(path))[1].kind == START
    assert len(texts(path)) == 30
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM incidents").fetchone() == (1,)


def test_a_journal_that_is_too_large_loses_its_oldest_entries(path, file):
    for number in range(30):
        fill(file, 0, number * 30 + 1)
    assert pruned(file, most_mb=1) > 0
    assert 300 < len(texts(path)) < 900
    assert texts(path)[-1] == "x" * 2000
    assert evolve(next(read(path))[1], snapshot=None).kind == START
