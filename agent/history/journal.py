"""The journal: every event, decision, command and result, append-only, in SQLite, written before anything is done.

One transaction holds an event and everything that it led to. When `write` returns, it survives a crash of this process.
A power failure can lose the last moments (`synchronous = NORMAL` with a write-ahead log): waiting for the disk at every
event would make a takeover as slow as the disk.

Events are stored whole, so a journal can be run through the core again (`replay`).
"""

import contextlib
import functools
import json
import logging
import os
import sqlite3
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import cast

from attrs import frozen
from cattrs import BaseValidationError

from ...fsm import (
    Command,
    CoreError,
    Event,
    HostCommand,
    Solution,
    SolutionState,
    Step,
    Topology,
)
from .json_format import CONVERTER
from .observe_mode import NOBODY_DID_IT, as_reported, without_pending
from .upkeep import Upkeep

LOG = logging.getLogger("switchover.journal")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (
    id      INTEGER PRIMARY KEY,  -- order of happening
    wall_ns INTEGER NOT NULL,     -- time of day, ns since 1970
    mono_ns INTEGER NOT NULL,     -- CLOCK_MONOTONIC, for durations
    kind    TEXT NOT NULL,        -- start, event, decision, command, refused or observed
    text    TEXT NOT NULL,        -- in one line
    data    TEXT                  -- the whole, as JSON, where there is more than the line
)
"""

_OBSERVES = "observes"  # beside the topology of an agent that only observes

_INSERT = "INSERT INTO journal (wall_ns, mono_ns, kind, text, data) VALUES (?, ?, ?, ?, ?)"

START, EVENT, DECISION, COMMAND, REFUSED = "start", "event", "decision", "command", "refused"
OBSERVED = "observed"
"""An observing agent gave up what it would have done, because nobody did it (see `observe_mode`)."""

WITHHELD = "withheld: "
"""Stands before the text of a command that an observing agent did not give."""


class JournalError(Exception):
    """The journal cannot be opened, read or written; the text says which of these, and why."""


@frozen
class Entry:
    """One line of the journal; `mono_ns` can be compared between all processes since the machine's last boot."""

    kind: str
    text: str
    data: str | None = None
    wall_ns: int = 0
    mono_ns: int = 0


@frozen
class Handled:
    """An event that the core handled, with the decisions and commands that it led to.

    `number` is the number of its entry in the journal. Its times are `wall_ns` (ns since 1970) and `mono_ns`
    (CLOCK_MONOTONIC). `before` and `after` are the states of the solution. `run` is the number of the entry with which
    its agent started.
    """

    number: int
    wall_ns: int
    mono_ns: int
    text: str
    event: Event
    steps: tuple[Step, ...]
    commands: tuple[Command, ...]
    before: SolutionState
    after: SolutionState
    topology: Topology
    run: int = 0


class Journal:
    """The journal in one file, for one writer. Raises `JournalError` if it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute("PRAGMA wal_autocheckpoint = 0")  # it would delay an event: see `tidy`
            self._database.execute(_SCHEMA)
            self._upkeep = Upkeep(functools.partial(_checkpoint, path))
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"the journal {path} cannot be opened: {error}{_advice(path, error)}") from error

    def write(self, entries: Iterable[Entry], wall_ns: int = 0, mono_ns: int = 0) -> int:
        """Append the entries, all or none, with these times (0: now); return the number of the first one.

        Raises `JournalError`.
        """
        wall, mono = wall_ns or time.time_ns(), mono_ns or time.monotonic_ns()
        rows = [(wall, mono, entry.kind, entry.text, entry.data) for entry in entries]
        try:
            with self._database:  # commits, or rolls back: a transaction left open would refuse all that comes later
                self._database.execute("BEGIN")
                numbers = [self._database.execute(_INSERT, row).lastrowid or 0 for row in rows]
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise JournalError(f"the journal {self._path} cannot be written: {error}") from error
        return numbers[0] if numbers else 0

    def tidy(self) -> None:
        """Fold the write-ahead log into the file, soon and in a thread: it waits for the disk, the caller does not."""
        self._upkeep.wake()

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it."""
        self._upkeep.close()
        self._database.close()


def read(path: Path, after: int = 0) -> Iterator[tuple[int, Entry]]:
    """The entries with numbers above `after`, in order, each with its number. Raises `JournalError`."""
    with _reading(path) as database:
        for number, kind, text, data, wall, mono in database.execute(
            "SELECT id, kind, text, data, wall_ns, mono_ns FROM journal WHERE id > ? ORDER BY id", (after,)
        ):
            yield number, Entry(kind, text, data, wall, mono)


@contextlib.contextmanager
def _reading(path: Path) -> Generator[sqlite3.Connection]:
    try:
        database = sqlite3.connect(_uri(path, "ro"), uri=True)
        try:
            yield database
        finally:
            database.close()
    except sqlite3.Error as error:
        what = "" if path.exists() else "; there is no such file: no agent has used it on this machine"
        raise JournalError(f"the journal {path} cannot be read: {error}{what}") from error


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _advice(path: Path, error: Exception) -> str:
    """What to do about a journal that cannot be opened; empty if that is not clear."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
        return "; another program has locked it: end that program, or a long read of the journal"
    if isinstance(error, PermissionError) or not os.access(path.parent, os.W_OK):
        return f"; run this as the agent's user, who may write to {path.parent}"
    return ""


def start_entry(topology: Topology, *, observe: bool = False) -> Entry:
    """The entry with which an agent starts: what follows was decided on this topology, from a fresh state."""
    data = CONVERTER.unstructure(topology)
    if not observe:
        return Entry(START, "the agent starts", json.dumps(data))
    return Entry(START, "the agent starts, observing: nothing is done", json.dumps(data | {_OBSERVES: True}))


def event_entry(text: str, event: Event) -> Entry:
    """The entry of an event, with the event itself."""
    return Entry(EVENT, text, json.dumps(CONVERTER.unstructure(event, unstructure_as=Event)))


def command_entry(text: str, command: Command, *, withheld: bool = False) -> Entry:
    """The entry of a command; one for a host contains the command itself, of others the text says everything.

    `withheld` marks a command for a host that an observing agent does not give.
    """
    if not isinstance(command, HostCommand):
        return Entry(COMMAND, text)
    text = f"{WITHHELD}{text}" if withheld else text
    return Entry(COMMAND, text, json.dumps(CONVERTER.unstructure(command, unstructure_as=HostCommand)))


def replay(path: Path) -> Iterator[Handled]:
    """Run the events of a journal through the core again. Raises `JournalError`."""
    player = Player()
    for number, entry in read(path):
        handled = player.take(number, entry)
        if handled is not None:
            yield handled


class Player:
    """Replays entries through the core, one after the other. What comes before the first start is left out."""

    def __init__(self) -> None:
        self._solution: Solution | None = None
        self._run, self._observes = 0, False

    def take(self, number: int, entry: Entry) -> Handled | None:
        """What an entry's event leads to; None for an entry of another kind.

        Raises `JournalError` if the entry cannot be understood, or if its event cannot have come after those before it.
        """
        try:
            return self._take(number, entry)
        except (CoreError, ValueError, LookupError, TypeError, BaseValidationError) as error:
            raise JournalError(
                f"entry {number} of the journal, {entry.text!r}, cannot be replayed ({error}): entries before it are "
                "missing, as after a full disk, or another version wrote it"
            ) from error

    def _take(self, number: int, entry: Entry) -> Handled | None:
        stamps = number, entry.wall_ns, entry.mono_ns, entry.text
        if entry.kind == START:
            data = json.loads(entry.data or "")
            self._solution, self._run = Solution(CONVERTER.structure(data, Topology)), number
            self._observes = _OBSERVES in data
        solution, run = self._solution, self._run
        if entry.kind == EVENT and solution is not None:
            event = CONVERTER.structure(json.loads(entry.data or ""), cast("type[Event]", Event))
            before, commands = solution.state, solution.handle(event)
            if self._observes:
                solution.state = without_pending(solution.state)
            return Handled(*stamps, event, solution.steps, commands, before, solution.state, solution.topology, run)
        if entry.kind == OBSERVED and solution is not None:
            before, topology = solution.state, solution.topology
            solution.state = as_reported(topology, before)
            return Handled(*stamps, NOBODY_DID_IT, (), (), before, solution.state, topology, run)
        return None


def last_entry(path: Path) -> int:
    """The number of the last entry; 0 if there is none. Raises `JournalError`."""
    with _reading(path) as database:
        return int(database.execute("SELECT MAX(id) FROM journal").fetchone()[0] or 0)


def last_start(path: Path) -> int:
    """The number of the entry with which the latest run of the agent began; 0 if there is none."""
    with _reading(path) as database:
        row = database.execute("SELECT id FROM journal WHERE kind = ? ORDER BY id DESC LIMIT 1", (START,)).fetchone()
        return 0 if row is None else int(row[0])


def _checkpoint(path: Path) -> None:
    """Over a connection of its own: a checkpoint of this kind keeps neither the writer nor readers waiting."""
    try:
        with contextlib.closing(
            sqlite3.connect(_uri(path, "rw"), uri=True, timeout=0)
        ) as database:  # makes no new file
            database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error as error:  # writing goes on; the write-ahead log grows until a later checkpoint succeeds
        LOG.warning("the journal %s cannot be tidied, trying again after the next event: %s", path, error)
