"""What stands in the journal: every event, decision, command and result, in order, and how it is read and replayed.

The file is an SQLite database (`journal_file`), written by a thread of its own (`writer`). Events are stored whole, so
a journal can be run through the core again (`replay`). Numbers rise by one from entry to entry; where some are left
out, entries are missing. The state of the solution stands beside the first event after such a gap, and beside one event
in `SNAPSHOT_EVERY`, so a reader can begin there.
"""

import contextlib
import json
import sqlite3
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, cast

from attrs import evolve, frozen
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
from .json_format import CONVERTER, as_json, from_json
from .observe_mode import NOBODY_DID_IT, as_reported, without_pending
from .origin import origin

_OBSERVES = "observes"  # beside the topology of an agent that only observes

_FIRST_ID = "first_id"  # likewise: the id of its first command

WRITTEN_BY = "written_by"
"""Beside a start and a snapshot: which program decided what follows (see `origin`)."""

SNAPSHOT_EVERY = 1000
"""After how many events the state is stored again."""

START, EVENT, DECISION, COMMAND, REFUSED = "start", "event", "decision", "command", "refused"
OBSERVED = "observed"
"""An observing agent gave up what it would have done, because nobody did it (see `observe_mode`)."""

WITHHELD = "withheld: "
"""Stands before the text of a command that an observing agent did not give."""


class JournalError(Exception):
    """The journal cannot be opened, read or written; the text says which of these, and why."""


@frozen
class Entry:
    """One line of the journal; `mono_ns` can be compared between all processes since the machine's last boot.

    `snapshot` is the state of the solution before this entry (see `snapshot`), None if it is not stored.
    """

    kind: str
    text: str
    data: str | None = None
    wall_ns: int = 0
    mono_ns: int = 0
    snapshot: str | None = None


@frozen
class Handled:
    """An event that the core handled, with the decisions and commands that it led to.

    `number` is the number of its entry in the journal. Its times are `wall_ns` (ns since 1970) and `mono_ns`
    (CLOCK_MONOTONIC). `before` and `after` are the states of the solution. `run` is the number of the entry with which
    its agent started. `missing` is how many events before this one are missing in the journal, at least.
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
    missing: int = 0


def read(path: Path, after: int = 0) -> Iterator[tuple[int, Entry]]:
    """The entries with numbers above `after`, in order, each with its number. Raises `JournalError`."""
    with reading(path) as database:
        old = "SELECT id, kind, text, data, wall_ns, mono_ns, NULL FROM journal WHERE id > ? ORDER BY id"
        new = (
            "SELECT id, kind, text, journal.data, wall_ns, mono_ns, snapshots.data"
            " FROM journal LEFT JOIN snapshots USING (id) WHERE id > ? ORDER BY id"
        )
        for number, *values in database.execute(new if has_index(database) else old, (after,)):
            yield number, Entry(*values)


def has_index(database: sqlite3.Connection) -> bool:
    """Whether this journal has snapshots and an index of its incidents; those of earlier versions have neither."""
    names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {"snapshots", "incidents"} <= names


@contextlib.contextmanager
def reading(path: Path) -> Generator[sqlite3.Connection]:
    """The database, to be read only. Raises `JournalError`."""
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            yield database
        finally:
            database.close()
    except sqlite3.Error as error:
        what = "" if path.exists() else "; there is no such file: no agent has used it on this machine"
        raise JournalError(f"the journal {path} cannot be read: {error}{what}") from error


def start_entry(topology: Topology, *, observe: bool = False, first_id: int = 1) -> Entry:
    """The entry with which an agent starts: what follows was decided on this topology, from a fresh state.

    Its commands are numbered from `first_id` on.
    """
    data = CONVERTER.unstructure(topology) | {_FIRST_ID: first_id, WRITTEN_BY: origin()}
    if not observe:
        return Entry(START, "the agent starts", json.dumps(data))
    return Entry(START, "the agent starts, observing: nothing is done", json.dumps(data | {_OBSERVES: True}))


def snapshot(topology: Topology, state: SolutionState, run: int, *, observe: bool = False, missing: int = 0) -> str:
    """The state before an entry, as it is stored beside it, and how many events are missing before that entry."""
    return json.dumps(
        as_json(topology, state) | {"run": run, _OBSERVES: observe, "missing": missing, WRITTEN_BY: origin()}
    )


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


def replay(path: Path, after: int = 0) -> Iterator[Handled]:
    """Run the events of a journal with numbers above `after` through the core again. Raises `JournalError`."""
    player = Player()
    for number, entry in read(path, after):
        handled = player.take(number, entry)
        if handled is not None:
            yield handled


class Player:
    """Replays entries through the core, one after the other, beginning at a start or a stored state.

    What comes before that is left out; so are entries that cannot be replayed, up to the next start or stored state:
    those after a gap, and those that other tables decided and these refuse. `left_out` counts the events.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._solution: Solution | None = None
        self._run, self._observes = 0, False
        self._last = self._missing = 0

    def take(self, number: int, entry: Entry) -> Handled | None:
        """What an entry's event leads to; None for an entry of another kind, and for one that cannot be replayed."""
        if self._last and number != self._last + 1:
            self._solution, self._missing = None, max(self._missing, 1)
        self._last = number
        try:
            self._begin(number, entry)
            handled = self._take(number, entry)
        except (CoreError, ValueError, LookupError, TypeError, BaseValidationError):
            self._solution, handled = None, None
        if handled is not None:
            self._missing = 0
        elif self._solution is None and entry.kind in (EVENT, OBSERVED):
            self.left_out += 1
            self._missing += 1
        return handled

    def _begin(self, number: int, entry: Entry) -> None:
        """Take the state from this entry if it is a start, or if the state is not known and stands beside it."""
        if entry.kind == START:
            data = json.loads(entry.data or "")
            solution = Solution(CONVERTER.structure(data, Topology))
            solution.state = evolve(solution.state, next_id=data.get(_FIRST_ID, 1))
            self._solution, self._run, self._observes = solution, number, _OBSERVES in data
        elif self._solution is None and entry.snapshot is not None:
            data: dict[str, Any] = json.loads(entry.snapshot)
            self._solution = Solution(*from_json(data))
            self._run, self._observes = data["run"], data[_OBSERVES]
            self._missing = max(self._missing, data["missing"])

    def _take(self, number: int, entry: Entry) -> Handled | None:
        stamps = number, entry.wall_ns, entry.mono_ns, entry.text
        solution, run = self._solution, self._run
        if entry.kind == EVENT and solution is not None:
            event = CONVERTER.structure(json.loads(entry.data or ""), cast("type[Event]", Event))
            before, commands = solution.state, solution.handle(event)
            if self._observes:
                solution.state = without_pending(solution.state)
            states = before, solution.state, solution.topology
            return Handled(*stamps, event, solution.steps, commands, *states, run, self._missing)
        if entry.kind == OBSERVED and solution is not None:
            before, topology = solution.state, solution.topology
            solution.state = as_reported(topology, before)
            return Handled(*stamps, NOBODY_DID_IT, (), (), before, solution.state, topology, run, self._missing)
        return None


def last_base(path: Path) -> int:
    """The number of the last entry from which a replay can begin, as far as that is known; 1 if it is not."""
    with reading(path) as database:
        row = database.execute("SELECT max(id) FROM snapshots").fetchone() if has_index(database) else None
        return 1 if row is None or row[0] is None else int(row[0])


def last_entry(path: Path) -> int:
    """The number of the last entry; 0 if there is none. Raises `JournalError`."""
    with reading(path) as database:
        return int(database.execute("SELECT MAX(id) FROM journal").fetchone()[0] or 0)
