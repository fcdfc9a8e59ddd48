"""The mutants: every table with one written row changed, in every small way, on both sides at once.

The row is taken out, a command of it is dropped, an announcement is left out, two commands are given in the other
order, it stays where it should move, it moves to the other side, or two rows of a group of guards exchange theirs.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping
from functools import cache

from attrs import evolve, fields, frozen

from ....fsm.handling import MACHINES, Machines
from ....fsm.table import Row, Table, side

Cell = tuple[str, str, str, str]
"""A machine's name, and one of its expanded states, triggers and guards: what a row decides."""

TABLES = tuple(each.name for each in fields(Machines))


@frozen
class Mutant:
    """A table with one small change: `rows` are the positions of the written rows that it replaces, and by what."""

    machine: str
    name: str
    rows: Mapping[int, Row]

    def table(self) -> Table:
        """The spoilt table; `CoreError` if its own check refuses it."""
        table = _table(self.machine)
        return evolve(table, rows=tuple(self.rows.get(at, row) for at, row in enumerate(table.rows))).checked()

    def cells(self) -> frozenset[Cell]:
        """What the changed rows decide."""
        table = _table(self.machine)
        rows = [row for at in self.rows if isinstance(row := table.rows[at], Row)]
        return frozenset((table.name, *cell) for row in rows for cell in _decides(row, table.sided))


@cache
def all_mutants() -> Mapping[str, Mutant]:
    """Every mutant of every table by its name, in the order of the rows; no two of them are the same table."""
    return {mutant.name: mutant for machine in TABLES for mutant in _of_table(machine)}


def _table(machine: str) -> Table:
    return getattr(MACHINES, machine)


def _decides(row: Row, sided: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """The expanded states, triggers and guards for which a row is written."""
    sources = [name for source in row.source.split() for name in (sided if source == "*" else (source,))]
    for source, trigger, this in itertools.product(sources, row.trigger.split(), (1, 2)):
        yield f"{source}_{this}" if source in sided else source, side(trigger, this), side(row.guard, this)


def _of_table(machine: str) -> Iterator[Mutant]:
    table, seen = _table(machine), set[tuple[tuple[int, Row], ...]]()
    for at, row in enumerate(table.rows):
        if isinstance(row, Row):
            changes = [(kind, {at: changed}) for kind, changed in _changes(row, table.sided)]
            for kind, rows in (*changes, *_exchanges(table, at)):
                key = tuple((at, _plain(changed)) for at, changed in sorted(rows.items()))
                if key not in seen and not _changes_nothing(table, rows):
                    seen.add(key)
                    guard = f" ({row.guard})" if row.guard and len(rows) == 1 else ""
                    yield Mutant(machine, f"{machine}: {row.source}, {row.trigger}{guard}: {kind}", rows)


def _plain(row: Row) -> Row:
    """The row without what makes no difference to what it does."""
    destination = "=" if row.destination == row.source else row.destination
    outputs = "; ".join(_outputs(row))
    return evolve(row, destination=destination, outputs=outputs, cite="", reason="")


def _changes_nothing(table: Table, rows: Mapping[int, Row]) -> bool:
    """Whether the rows say the same as those that they replace, perhaps one in the place of the other."""
    before = {_plain(row) for at in rows if isinstance(row := table.rows[at], Row)}
    return before == set(map(_plain, rows.values()))


def _outputs(row: Row) -> list[str]:
    return [output.strip() for output in row.outputs.split(";") if output.strip()]


def _changes(row: Row, sided: Collection[str]) -> Iterator[tuple[str, Row]]:
    """The row with one change, and what that is; taken out, it is ignored."""
    outputs = _outputs(row)
    for at, output in enumerate(outputs):
        kind = "announcement left out" if output.startswith("announce") else "command dropped"
        yield f"{kind}: {output}", evolve(row, outputs="; ".join((*outputs[:at], *outputs[at + 1 :])))
    yield "row taken out", evolve(row, destination="=", outputs="")
    yield "stays", evolve(row, destination="=")
    if row.destination.removeprefix("~") in sided:
        other = row.destination[1:] if row.destination.startswith("~") else f"~{row.destination}"
        yield "moves to the other side", evolve(row, destination=other)
    for first, second in itertools.combinations(range(len(outputs)), 2):
        swapped = outputs.copy()
        swapped[first], swapped[second] = outputs[second], outputs[first]
        yield f"commands swapped: {outputs[second]}, {outputs[first]}", evolve(row, outputs="; ".join(swapped))


def _exchanges(table: Table, at: int) -> Iterator[tuple[str, Mapping[int, Row]]]:
    """Two guards are exchanged in all rows that decide, with this one, about the same states and triggers."""
    row = table.rows[at]
    if not isinstance(row, Row) or not row.guard:
        return
    together = _together(table, at)
    if at != min(together):
        return
    group = next(group.split() for group in table.guards if row.guard in group.split())
    for one, other in itertools.combinations(group, 2):
        exchanged = {one: other, other: one}
        changed = {a: evolve(r, guard=exchanged[r.guard]) for a, r in together.items() if r.guard in exchanged}
        yield f"guards exchanged: {one}, {other}", changed


def _together(table: Table, at: int) -> dict[int, Row]:
    """The guarded rows that share states and triggers with a row, or with one that does, and so on."""
    rows = {a: r for a, r in enumerate(table.rows) if isinstance(r, Row) and r.guard}
    keys = {a: {cell[:2] for cell in _decides(r, table.sided)} for a, r in rows.items()}
    found, frontier = {at}, [at]
    while frontier:
        here = keys[frontier.pop()]
        more = {a for a, decides in keys.items() if a not in found and decides & here}
        found |= more
        frontier.extend(more)
    return {a: rows[a] for a in sorted(found)}
