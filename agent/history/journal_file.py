"""The journal's file: an SQLite database, written by one thread. Everything here waits for the disk.

A transaction that is committed survives the death of this process. A power failure can lose the last moments
(`synchronous = NORMAL` with a write-ahead log).
"""

import contextlib
import functools
import json
import logging
import math
import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from attrs import asdict

from .incidents import Brief
from .journal import START, Entry, JournalError
from .upkeep import Upkeep

LOG = logging.getLogger("switchover.journal")

_SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS journal (
    id      INTEGER PRIMARY KEY,  -- order of happening
    wall_ns INTEGER NOT NULL,     -- time of day, ns since 1970
    mono_ns INTEGER NOT NULL,     -- CLOCK_MONOTONIC, for durations
    kind    TEXT NOT NULL,        -- start, event, decision, command, refused or observed
    text    TEXT NOT NULL,        -- in one line
    data    TEXT                  -- the whole, as JSON, where there is more than the line
)
""",
    """
CREATE TABLE IF NOT EXISTS snapshots (
    id      INTEGER PRIMARY KEY,  -- a start, or the entry before which the solution was in this state
    data    TEXT NOT NULL         -- the state, as JSON; of a start {}
)
""",
    """
CREATE TABLE IF NOT EXISTS incidents (
    id      INTEGER PRIMARY KEY,  -- its first entry
    base    INTEGER NOT NULL,     -- the start or snapshot from which it can be replayed
    last    INTEGER NOT NULL,     -- the entry of its last event
    summary TEXT                  -- as JSON, once it is over
)
""",
)

_INSERT = "INSERT INTO journal (id, wall_ns, mono_ns, kind, text, data) VALUES (?, ?, ?, ?, ?, ?)"
_REMEMBER = "INSERT OR REPLACE INTO snapshots (id, data) VALUES (?, ?)"
_LIST = "INSERT OR REPLACE INTO incidents (id, base, last, summary) VALUES (?, ?, ?, ?)"

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_REFUSED = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError, ValueError)
_DAY_NS = 86_400 * 10**9
_MOST_DELETED = 5000
_MOST_PAGES = 500

Row = tuple[int, Entry]
"""An entry and its number."""

Listed = tuple[int, int, int, Brief | None]
"""A row of the index of incidents: number, base, last entry, and what there is to say of it once it is over."""


class RefusedRowsError(JournalError):
    """The database accepts these rows never; others it may accept."""


class GoneError(JournalError):
    """The file is not there any more: it was deleted, or has another name."""


class JournalFile:
    """The file, open for writing. Raises `JournalError` if it cannot be opened.

    A damaged file is set aside under another name, and a new one is begun. `last` is the number of the last entry that
    was there when it was opened, 0 if there was none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._database = self._opened()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) not in _DAMAGED:
                raise _unopened(path, error) from error
            _set_aside(path, error)
            try:
                self._database = self._opened()
            except (OSError, sqlite3.Error) as second:
                raise _unopened(path, second) from second
        except OSError as error:
            raise _unopened(path, error) from error
        self._upkeep = Upkeep(functools.partial(_checkpoint, path))

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _make_private(self._path)
        database = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA wal_autocheckpoint = 0")  # it would delay what is written next: see `tidy`
            for statement in _SCHEMA:
                database.execute(statement)
            row = database.execute(
                "SELECT id, wall_ns, mono_ns, kind, text, data FROM journal ORDER BY id DESC LIMIT 1"
            ).fetchone()
        except sqlite3.Error:
            database.close()
            raise
        self._identity = _identity(self._path)
        self.last = 0 if row is None else int(row[0])
        return database

    def write(self, rows: Iterable[Row], listed: Iterable[Listed] = ()) -> None:
        """Append entries, and list incidents, all or none.

        Raises `RefusedRowsError` if these rows are at fault, `GoneError` if the file was taken away, else
        `JournalError`.
        """
        if _identity(self._path) != self._identity:
            raise GoneError(f"the journal {self._path} was deleted or renamed")
        try:
            with self._database:  # commits, or rolls back: a transaction left open would refuse all that comes later
                self._database.execute("BEGIN IMMEDIATE")
                for number, entry in rows:
                    columns = number, entry.wall_ns, entry.mono_ns, entry.kind, entry.text, entry.data
                    self._database.execute(_INSERT, columns)
                    if entry.snapshot is not None or entry.kind == START:
                        self._database.execute(_REMEMBER, (number, entry.snapshot or "{}"))
                for number, base, last, summary in listed:
                    text = None if summary is None else json.dumps(asdict(summary))
                    self._database.execute(_LIST, (number, base, last, text))
        except _REFUSED as error:
            raise RefusedRowsError(f"the journal {self._path} does not accept an entry: {error}") from error
        except sqlite3.Error as error:
            raise JournalError(f"the journal {self._path} cannot be written: {error}") from error

    def is_lost(self, error: JournalError) -> bool:
        """Whether this error means that the file must be opened anew: it was taken away, or is damaged.

        Then it is closed, and a damaged one is set aside. Raises `JournalError` if it cannot be.
        """
        if isinstance(error, GoneError):
            self.close()
            return True
        cause = error.__cause__
        if not isinstance(cause, sqlite3.Error) or getattr(cause, "sqlite_errorcode", None) not in _DAMAGED:
            return False
        self.close()
        _set_aside(self._path, cause)
        return True

    def tidy(self) -> None:
        """Fold the write-ahead log into the file, soon and in another thread: it waits for the disk."""
        self._upkeep.wake()

    def prune(self, keep_days: int | None, most_mb: int | None) -> int:
        """Delete some of what is older than `keep_days`, or more than `most_mb` (10**6 bytes); None: nothing is.

        Returns how many entries were deleted; 0: no more need be. What is left begins at a start or a snapshot in the
        end. Raises `JournalError`.
        """
        keep_from_ns = 0 if keep_days is None else time.time_ns() - keep_days * _DAY_NS
        try:
            return self._prune(keep_from_ns, math.inf if most_mb is None else most_mb * 10**6)
        except sqlite3.Error as error:
            raise JournalError(f"old entries of the journal {self._path} cannot be deleted: {error}") from error

    def _prune(self, keep_from_ns: int, most_bytes: float) -> int:
        database = self._database
        (pages,), (free,), (size,) = (
            database.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        )
        is_too_much = (pages - free) * size > most_bytes
        oldest = database.execute("SELECT id, wall_ns FROM journal ORDER BY id LIMIT 1").fetchone()
        if oldest is None or (oldest[1] >= keep_from_ns and not is_too_much):
            return 0
        end = database.execute("SELECT id FROM snapshots WHERE id > ? ORDER BY id LIMIT 1", oldest[:1]).fetchone()
        if end is None:
            return 0
        (newest_ns,) = database.execute(
            "SELECT wall_ns FROM journal WHERE id < ? ORDER BY id DESC LIMIT 1", end
        ).fetchone()
        if newest_ns >= keep_from_ns and not is_too_much:
            return 0
        upto = min(end[0], oldest[0] + _MOST_DELETED)
        with database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM incidents WHERE base < ?", (upto,))
            database.execute("DELETE FROM snapshots WHERE id < ?", (upto,))
            deleted = database.execute("DELETE FROM journal WHERE id < ?", (upto,)).rowcount
        database.execute(f"PRAGMA incremental_vacuum({_MOST_PAGES})").fetchall()
        return deleted

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it."""
        self._upkeep.close()
        self._database.close()


def _make_private(path: Path) -> None:
    """Make the file if there is none, and let its owner alone read it; SQLite gives its other files the same mode."""
    if not path.exists():  # closing an open file would give up the locks that this process has on it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with contextlib.suppress(FileNotFoundError):
            if each.stat().st_mode & 0o077:
                each.chmod(0o600)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _unopened(path: Path, error: Exception) -> JournalError:
    return JournalError(f"the journal {path} cannot be opened: {error}{_advice(path, error)}")


def _advice(path: Path, error: Exception) -> str:
    """What to do about a journal that cannot be opened; empty if that is not clear."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
        return "; another program has locked it: end that program, or a long read of the journal"
    if isinstance(error, PermissionError) or not os.access(path.parent, os.W_OK):
        return f"; run this as the agent's user, who may write to {path.parent}"
    return ""


def _set_aside(path: Path, error: Exception) -> Path:
    """Rename a damaged file, with its write-ahead log; returns its new name. Raises `JournalError`."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    try:
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
        path.rename(aside)
    except OSError as failure:
        raise JournalError(f"the journal {path} is damaged ({error}) and cannot be set aside: {failure}") from failure
    LOG.error("the journal %s is damaged: %s; it is %s now, and a new one is begun", path, error, aside)
    return aside


def _checkpoint(path: Path) -> None:
    """Over a connection of its own: a checkpoint of this kind keeps neither the writer nor readers waiting."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"  # which makes no new file
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=0)) as database:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error as error:  # writing goes on; the write-ahead log grows until a later checkpoint succeeds
        LOG.warning("the journal %s cannot be tidied, trying again after the next event: %s", path, error)
