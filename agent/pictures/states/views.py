"""Views: which rows of a machine are drawn together, and the places of their states.

A small machine has one view. A large one has several, so that each can be read. A row belongs to the first view that
takes it, and every row that moves or commands must belong to one. The `map` of a view gives the places: a word is a
state, a dot is an empty place. Of a state with two sides only one is written; its mirror image is in the other half:
side 1 is left, side 2 is right. The edges from the written states have labels, so that a map tells one whole story (the
primary on side 1 fails, side 2 takes over); the mirror image is drawn fainter. If no mirror image is drawn, both sides
of a state may be written; then the edges of side 1 are drawn.

A word of the map may also name a *group*: several states that share their rows, drawn as one box. A view without a map
shows the rows that stay, in one box for each group of states.
"""

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from ....fsm import CoreError
from ....fsm.tables.table import Row, Table


@frozen
class Rows:
    """Rows that a view takes: with one of these sources, one of these triggers, and so on (empty: any)."""

    source: str = ""
    trigger: str = ""
    guard: str = ""
    destination: str = ""
    cite: str = ""
    """The beginning of the citation."""

    def take(self, row: Row) -> bool:
        """Whether a row is one of them."""
        return (
            _one_of(self.source, row.source)
            and _one_of(self.trigger, row.trigger)
            and _one_of(self.guard, row.guard)
            and _one_of(self.destination, row.destination)
            and row.cite.startswith(self.cite)
        )


@frozen
class View:
    """One picture of a machine, with a `name` (for its file) and a `title` (for people)."""

    name: str
    title: str
    takes: tuple[Rows, ...] = (Rows(),)
    map: str = ""
    groups: Mapping[str, str] = field(factory=dict[str, str], hash=False)
    is_mirrored: bool = True
    """Whether the mirror image is drawn; if not, the picture is also true with the sides exchanged."""
    gap: tuple[int, int] = (150, 70)
    """The distance between the columns and between the rows of the map, in px."""

    @property
    def placement(self) -> dict[str, tuple[int, int]]:
        """The place of each word of the map: its row and its column."""
        return {
            word: (row, column)
            for row, words in enumerate(self._words)
            for column, word in enumerate(words)
            if word != "."
        }

    @property
    def columns(self) -> int:
        """The number of columns of the map. Raises `CoreError` if its rows are not equally long."""
        counts = {len(words) for words in self._words}
        if len(counts) > 1:
            raise CoreError(f"the map of the view {self.name!r} has lines of {sorted(counts)} words")
        return counts.pop()

    @property
    def _words(self) -> list[list[str]]:
        return [line.split() for line in self.map.strip().splitlines()]


def moving(table: Table) -> Iterator[Row]:
    """The rows that go to another state or have outputs."""
    for row in table.rows:
        if isinstance(row, Row) and (row.outputs or row.destination not in ("=", row.source)):
            yield row


def _one_of(wanted: str, words: str) -> bool:
    return not wanted or not set(wanted.split()).isdisjoint(words.split())
