"""The boxes and edges of a view, made from its rows; they have no places yet."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from ....fsm import CoreError
from ....fsm.tables.table import Row, Table, side
from .maps import rows_of
from .pages import meanings
from .views import View

WRAP = 31
"""The length of a label's lines, in characters."""


@frozen
class Label:
    """The text on an edge or inside a box: triggers with their guard, over commands."""

    triggers: tuple[str, ...]
    commands: str

    @property
    def lines(self) -> tuple[str, ...]:
        """All its lines, from top to bottom."""
        return (*self.triggers, *([self.commands] if self.commands else []))


@frozen
class Node:
    """A box: the states that it stands for, its text, and its row and column in the map.

    `sides` are the meanings of the state for side 1 and for side 2, in lines; a common meaning is in the first.
    """

    states: tuple[str, ...]
    title: tuple[str, ...]
    sides: tuple[tuple[str, ...], tuple[str, ...]]
    inside: tuple[Label, ...]
    at: tuple[int, int] = (0, 0)


@frozen
class Edge:
    """An edge between two boxes, by their words in the map, with all its labels."""

    source: str
    target: str
    labels: tuple[Label, ...]


Graph = tuple[Mapping[str, Node], tuple[Edge, ...]]


def graph_of(table: Table, view: View) -> Graph:
    """The boxes of a view by their words in the map, and its edges without their mirror images.

    Raises `CoreError` if a row of the view begins or ends at a state that its map does not show.
    """
    edges: dict[tuple[str, str], list[Row]] = {}
    inside: dict[str, list[Row]] = {}
    for row in rows_of(table, view):
        for source in _sources(table, view, row):
            target = _target(row, source, table)
            if target in ("", source):
                inside.setdefault(source, []).append(row)
            else:
                _must_be_shown(table, view, target)
                edges.setdefault((source, target), []).append(row)
    nodes = {word: _node(table, view, word, at, inside.get(word, ())) for word, at in view.placement.items()}
    for word, node in [*nodes.items()] if view.is_mirrored else []:
        row, column = node.at
        at = row, view.columns - 1 - column
        nodes.setdefault(mirror(word), _node(table, view, mirror(word), at, inside.get(word, ())))
    return nodes, tuple(Edge(*ends, _labels(rows, _side_of(ends[0]))) for ends, rows in edges.items())


def listed(table: Table, view: View) -> tuple[Node, ...]:
    """The boxes of a view without a map: one for each set of states that share their rows."""
    by_source: dict[str, list[Row]] = {}
    for row in rows_of(table, view):
        by_source.setdefault(row.source, []).append(row)
    return tuple(_group(table, source, "_1", _labels(rows, 1), (0, 0)) for source, rows in by_source.items())


def mirror(word: str) -> str:
    """The word for the other side, or the word itself if it has no side."""
    return f"{bare(word)}_{3 - _side_of(word)}" if _has_side(word) else word


def bare(word: str) -> str:
    """The word without its side."""
    return word[:-2] if _has_side(word) else word


def _has_side(word: str) -> bool:
    return word.endswith(("_1", "_2"))


def _side_of(word: str) -> int:
    return int(word[-1]) if _has_side(word) else 1


def _sources(table: Table, view: View, row: Row) -> Iterator[str]:
    """The boxes of the map from which a row begins: that of its group, or that of each of its states."""
    group = [word for word in view.placement if view.groups.get(bare(word)) == row.source]
    if group:
        yield group[0]
        return
    for source in table.sided if row.source == "*" else row.source.split():
        words = sorted(word for word in view.placement if bare(word) == source)
        if not words:
            raise CoreError(f"the map of the view {view.name!r} of the {table.name} does not show {source}")
        yield words[0]


def _target(row: Row, source: str, table: Table) -> str:
    """The word of the box to which a row leads; "" if it stays."""
    if row.destination == "=":
        return ""
    name = row.destination.removeprefix("~")
    to = 3 - _side_of(source) if row.destination.startswith("~") else _side_of(source)
    return f"{name}_{to}" if name in table.sided else name


def _must_be_shown(table: Table, view: View, word: str) -> None:
    if word not in view.placement and not (view.is_mirrored and mirror(word) in view.placement):
        raise CoreError(f"the map of the view {view.name!r} of the {table.name} does not show {word}")


def _node(table: Table, view: View, word: str, at: tuple[int, int], inside: Sequence[Row]) -> Node:
    labels = _labels(inside, _side_of(word))
    if bare(word) in view.groups:
        return _group(table, view.groups[bare(word)], word, labels, at)
    if word not in table.all_states:
        raise CoreError(f"the map of the view {view.name!r} shows {word}, which is no state of the {table.name}")
    return Node((word,), (word,), _sides(table, word), labels, at)


def _group(table: Table, group: str, word: str, inside: tuple[Label, ...], at: tuple[int, int]) -> Node:
    """A box for several states, as a row's source names them: of one side, if the word has one, or of both."""
    ends = (word[-2:],) if _has_side(word) else ("_1", "_2")
    names = [name for source in group.split() for name in (table.sided if source == "*" else (source,))]
    states = tuple(f"{name}{end}" for name in names for end in (ends if name in table.sided else ("",)))
    end = ends[0] if len(ends) == 1 else ""
    of_side = f"any state of side {end[-1]}" if end else "any state of a side"
    shown = (
        of_side if source == "*" else f"{source}{end}" if source in table.sided else source for source in group.split()
    )
    return Node(states, tuple(in_lines(", ".join(shown), 34)), ((), ()), inside, at)


def _sides(table: Table, word: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    meaning = meanings(table).get(bare(word), ())
    if len(meaning) < 2:
        return tuple(line for text in meaning for line in in_lines(text, 24)), ()
    first, second = meaning if _side_of(word) == 1 else meaning[::-1]
    return tuple(in_lines(first, 16)), tuple(in_lines(second, 16))


def _labels(rows: Sequence[Row], this: int) -> tuple[Label, ...]:
    """The labels of rows that lie on one edge; those that differ in their trigger alone, or in their guard, are one."""
    triggers: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        triggers.setdefault((row.guard, row.outputs), []).extend(_triggers(row, this))
    guards: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (guard, outputs), names in triggers.items():
        guards.setdefault((tuple(names), outputs), []).append(side(guard, this))
    return tuple(
        Label(
            (
                *(line for name in names for line in in_lines(name, WRAP)),
                *(in_lines(f"[{' or '.join(any_of)}]", WRAP) if any(any_of) else ()),
            ),
            "; ".join(_command(text.strip(), this) for text in outputs.split(";")),
        )
        for (names, outputs), any_of in guards.items()
    )


def _triggers(row: Row, this: int) -> list[str]:
    """The triggers of a row; a common beginning is written once: `side2_held or enabled`."""
    names = [side(name, this) for name in row.trigger.split()]
    stems = {name.rpartition("_")[0] for name in names}
    if len(stems) > 1 or stems == {""}:
        return names
    return [" or ".join((names[0], *(name.rpartition("_")[2] for name in names[1:])))]


def _command(text: str, this: int) -> str:
    verb, _, name = text.partition(" ")
    return f"{verb} {this if name == 'this' else 3 - this}" if name else verb


def in_lines(text: str, width: int) -> Iterator[str]:
    """A text in lines of at most `width` characters; a longer word gets a line of its own."""
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    if line:
        yield line
