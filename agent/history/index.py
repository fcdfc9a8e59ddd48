"""The index of incidents that the journal's writer keeps: an incident of a long journal is found without the others.

Journals of earlier versions have no index. What stands before the index is read from its beginning, which takes a
minute or so for a million entries, and only if it is asked for.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from ...fsm.records import describe_command, describe_step
from .incidents import EVENTS_READ, Brief, Incident, Tracker, brief, incidents
from .journal import (
    COMMAND,
    DECISION,
    EVENT,
    OBSERVED,
    START,
    WITHHELD,
    WRITTEN_BY,
    Entry,
    Handled,
    Player,
    has_index,
    read,
    reading,
)


@frozen
class _Listed:
    """A row: an incident, the entry from which it can be replayed, its last entry, and its brief once it is over."""

    id: int
    base: int
    last: int
    brief: Brief | None


@frozen
class Account:
    """What the journal says of an incident.

    `incident` is what a replay makes of it, None if it cannot be replayed. If these tables decide otherwise than those
    that decided then, `recorded` are the journal's entries about it, in order, and `written_by` the program that wrote
    them; otherwise there are none.
    """

    brief: Brief
    incident: Incident | None
    recorded: tuple[tuple[int, Entry], ...] = ()
    written_by: Mapping[str, str] = {}


def account(path: Path, number: int | None = None, *, in_index: bool = False) -> Account | None:
    """The incident of this number, or the latest one, as `find`; None if there is none. Raises `JournalError`."""
    row = _row(path, number)
    incident = find(path, number, in_index=in_index) if row is None else _replayed(path, row)
    if row is None:
        if incident is None:
            return None
        row = _Listed(incident.id, 1, incident.handled[-1].number, brief(incident))
    entries = list(_entries(path, row))
    if incident is not None and not _differs(incident, entries):
        return Account(brief(incident), incident)
    first, last = entries[0][1], entries[-1][1]
    took_ms = (last.mono_ns - first.mono_ns) / 1e6
    known = row.brief or Brief(row.id, first.wall_ns, first.text, "unknown", is_over=False, took_ms=took_ms)
    return Account(known, incident, tuple(entries), _written_by(path, row.base))


def _row(path: Path, number: int | None) -> _Listed | None:
    where, values = ("ORDER BY id DESC LIMIT 1", ()) if number is None else ("WHERE id = ?", (number,))
    with reading(path) as database:
        return next(_listed(database, where, *values), None)


def _entries(path: Path, row: _Listed) -> Iterator[tuple[int, Entry]]:
    """The entries from the first event of an incident to the last, with the decisions and commands of that one."""
    for number, entry in read(path, row.id - 1):
        if number > row.last and entry.kind not in (DECISION, COMMAND):
            return
        yield number, entry


def _differs(incident: Incident, entries: Sequence[tuple[int, Entry]]) -> bool:
    """Whether the replay of any event decided or commanded something else than what is recorded."""
    recorded = dict[int, list[str]]()
    event = 0
    for number, entry in entries:
        if entry.kind in (EVENT, OBSERVED):
            event = number
        elif entry.kind in (DECISION, COMMAND):
            recorded.setdefault(event, []).append(_gist(entry.text))
    return any(recorded.get(each.number, []) != _decided(each) for each in incident.handled)


def _decided(handled: Handled) -> list[str]:
    texts = [*map(describe_step, handled.steps), *map(describe_command, handled.commands)]
    return [_gist(text) for text in texts]


def _gist(text: str) -> str:
    """What was decided or commanded, without the reason, whose words may change."""
    return text.removeprefix(WITHHELD).partition(": ")[0]


def _written_by(path: Path, base: int) -> Mapping[str, str]:
    """Which program wrote what follows this start or snapshot, as far as it says so."""
    for _, entry in read(path, base - 1):
        text = entry.data if entry.kind == START else entry.snapshot
        return json.loads(text or "{}").get(WRITTEN_BY, {})
    return {}


def find(path: Path, number: int | None = None, *, in_index: bool = False) -> Incident | None:
    """The incident of this number, or the latest one; None if there is none. Raises `JournalError`.

    With `in_index` what stands before the index is not read.
    """
    row = _row(path, number)
    if row is not None:
        return _replayed(path, row)
    with reading(path) as database:
        begins = _begin(database)
    wanted = None
    if not in_index and (number is None or begins is None or number < begins):
        for incident in incidents(path):
            if number in (None, incident.id):
                wanted = incident
    return wanted


def all_in_brief(path: Path) -> list[Brief]:
    """All incidents of the journal, in order. Raises `JournalError`."""
    with reading(path) as database:
        rows, begins = list(_listed(database, "ORDER BY id")), _begin(database)
        is_before = database.execute("SELECT 1 FROM journal WHERE id < ?", (begins,)).fetchone() is not None
    known = {row.id: row.brief or _brief(path, row) for row in rows}
    if begins is None or is_before:
        known = {each.id: brief(each) for each in incidents(path)} | known
    return [each for _, each in sorted(known.items()) if each is not None]


def _brief(path: Path, row: _Listed) -> Brief | None:
    incident = _replayed(path, row)
    return None if incident is None else brief(incident)


def _replayed(path: Path, row: _Listed) -> Incident | None:
    """The incident, read from the start or the snapshot before it."""
    player, tracker, found = Player(), Tracker(EVENTS_READ), None
    for number, entry in read(path, row.base - 1):
        if number > row.last:
            break
        handled = player.take(number, entry)
        incident = None if handled is None else tracker.take(handled)
        if incident is not None and incident.id == row.id:
            found = incident
    return found


def _begin(database: sqlite3.Connection) -> int | None:
    """The first entry from which on all incidents are in the index; None if it has none."""
    return database.execute("SELECT min(id) FROM snapshots").fetchone()[0] if has_index(database) else None


def _listed(database: sqlite3.Connection, where: str, *values: int) -> Iterator[_Listed]:
    if has_index(database):
        select = f"SELECT id, base, last, summary FROM incidents {where}"  # noqa: S608  # no word of a user is in it
        for number, base, last, text in database.execute(select, values):
            yield _Listed(number, base, last, None if text is None else Brief(**json.loads(text)))
