"""The index of incidents that the journal's writer keeps: an incident of a long journal is found without the others.

Journals of earlier versions have no index. What stands before the index is read from its beginning, which takes a
minute or so for a million entries, and only if it is asked for.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from .incidents import EVENTS_READ, Brief, Incident, Tracker, brief, incidents
from .journal import Player, has_index, read, reading


@frozen
class _Listed:
    """A row: an incident, the entry from which it can be replayed, its last entry, and its brief once it is over."""

    id: int
    base: int
    last: int
    brief: Brief | None


def find(path: Path, number: int | None = None, *, in_index: bool = False) -> Incident | None:
    """The incident of this number, or the latest one; None if there is none. Raises `JournalError`.

    With `in_index` what stands before the index is not read.
    """
    with reading(path) as database:
        where, values = ("ORDER BY id DESC LIMIT 1", ()) if number is None else ("WHERE id = ?", (number,))
        rows = list(_listed(database, where, *values))
        begins = _begin(database)
    if rows:
        return _replayed(path, rows[0])
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
