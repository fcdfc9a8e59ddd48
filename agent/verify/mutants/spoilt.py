"""The mutants: each is a table with one small change to a written row, on both sides at once.

The row is taken out, one of its commands is dropped, an announcement is left out, two commands are swapped, the row
stays where it should move, it moves to the other side, or two guards of one group are exchanged.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping
from functools import cache

from attrs import evolve, fields, frozen

from ....fsm.handling import MACHINES, Machines
from ....fsm.tables.table import Row, Table, side

Cell = tuple[str, str, str, str]
"""The case that a row decides: the machine's name, and one of its expanded states, triggers and guards."""

TABLES = tuple(each.name for each in fields(Machines))


@frozen
class Mutant:
    """A table with one small change: `rows` maps the positions of the replaced rows to their replacements."""

    machine: str
    name: str
    rows: Mapping[int, Row]

    def table(self) -> Table:
        """The changed table. Raises `CoreError` if the table's own check refuses it."""
        table = _table(self.machine)
        return evolve(table, rows=tuple(self.rows.get(at, row) for at, row in enumerate(table.rows))).checked()

    def cells(self) -> frozenset[Cell]:
        """The cases that the changed rows decide."""
        table = _table(self.machine)
        rows = [row for at in self.rows if isinstance(row := table.rows[at], Row)]
        return frozenset((table.name, *cell) for row in rows for cell in _decides(row, table.sided))


@cache
def all_mutants() -> Mapping[str, Mutant]:
    """Every mutant of every table by its name, in the order of the rows; no two of them have equal tables."""
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
    """The row reduced to what it does: without reason and citation, in a normal form."""
    destination = "=" if row.destination == row.source else row.destination
    outputs = "; ".join(_outputs(row))
    return evolve(row, destination=destination, outputs=outputs, cite="", reason="")


def _changes_nothing(table: Table, rows: Mapping[int, Row]) -> bool:
    """Whether the rows do the same as those that they replace, possibly in another order."""
    before = {_plain(row) for at in rows if isinstance(row := table.rows[at], Row)}
    return before == set(map(_plain, rows.values()))


def _outputs(row: Row) -> list[str]:
    return [output.strip() for output in row.outputs.split(";") if output.strip()]


def _changes(row: Row, sided: Collection[str]) -> Iterator[tuple[str, Row]]:
    """All variants of a row with one change, each with its description. A row taken out becomes an ignored one."""
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
    """Variants in which two guards are exchanged in all rows that share states and triggers with this one."""
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
    """The guarded rows connected with a row by shared states and triggers, directly or through other rows."""
    rows = {a: r for a, r in enumerate(table.rows) if isinstance(r, Row) and r.guard}
    keys = {a: {cell[:2] for cell in _decides(r, table.sided)} for a, r in rows.items()}
    connected, frontier = {at}, [at]
    while frontier:
        here = keys[frontier.pop()]
        more = {a for a, decides in keys.items() if a not in connected and decides & here}
        connected |= more
        frontier.extend(more)
    return {a: rows[a] for a in sorted(connected)}
