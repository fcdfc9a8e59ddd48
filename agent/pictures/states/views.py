"""Views: which rows of a machine are drawn together, and where their states stand.

A small machine has one view, a large one several, so that each can be read. A row goes to the first view that takes
it, and every row that moves or commands must find one. A view's `map` is its placement: a word is a state, a dot an
empty place. Of a state that belongs to a side only one is written, and its mirror image stands on the other half:
side 1 is left, side 2 is right. The edges that begin at what is written are told in full, so that a map tells one
story through (the primary on side 1 fails, side 2 takes over); the mirror image is drawn fainter. Where no mirror
image is drawn, both states of a kind may be written; then the edges of side 1 are drawn.

In place of a state, a map may name a *group*: several states in which the same is decided, drawn as one box. A view
without a map shows what states do without moving, grouped alike.
"""

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from ....fsm import CoreError
from ....fsm.tables.table import Row, Table


@frozen
class Rows:
    """Rows that a view takes: of these sources, with these triggers, ... (one of the words; empty: any at all)."""

    source: str = ""
    trigger: str = ""
    guard: str = ""
    destination: str = ""
    cite: str = ""
    """How the citation begins."""

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
    """One picture of a machine: `name` is for its file, `title` for its reader."""

    name: str
    title: str
    takes: tuple[Rows, ...] = (Rows(),)
    map: str = ""
    groups: Mapping[str, str] = field(factory=dict[str, str], hash=False)
    is_mirrored: bool = True
    """Whether the mirror image is drawn; where it is not, the same holds with the sides exchanged."""
    gap: tuple[int, int] = (150, 70)
    """How far the columns and the rows of the map are apart, in px."""

    @property
    def placement(self) -> dict[str, tuple[int, int]]:
        """Where each word of the map stands: its row and its column."""
        return {
            word: (row, column)
            for row, words in enumerate(self._words)
            for column, word in enumerate(words)
            if word != "."
        }

    @property
    def columns(self) -> int:
        """How many columns the map has; `CoreError` if its rows are not equally long."""
        counts = {len(words) for words in self._words}
        if len(counts) > 1:
            raise CoreError(f"the map of the view {self.name!r} has lines of {sorted(counts)} words")
        return counts.pop()

    @property
    def _words(self) -> list[list[str]]:
        return [line.split() for line in self.map.strip().splitlines()]


def moving(table: Table) -> Iterator[Row]:
    """The rows that do something: those that go to another state, and those that have outputs."""
    for row in table.rows:
        if isinstance(row, Row) and (row.outputs or row.destination not in ("=", row.source)):
            yield row


def _one_of(words: str, found: str) -> bool:
    return not words or not set(words.split()).isdisjoint(found.split())
