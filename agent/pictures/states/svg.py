"""State diagrams as SVG: the views of a machine, drawn from its rows.

A box is a state; under its name stands what is known of each side, side 1 on the left. An edge carries its trigger,
with the guard in brackets, over its commands; what a state does without leaving it stands inside its box. Where a
machine knows two sides, the edges of one are told in full and their mirror images are fainter.
"""

import functools

from ....fsm.tables.table import Table
from ..drawing.routes import Box, Wanted, place
from .boxes import Layout, drawn, grid, label_size, size_of
from .graph import graph_of, listed, mirror
from .maps import VIEWS
from .views import View

LIST_COLUMNS, LIST_GAP_PX = 3, 28


def views(table: Table) -> tuple[View, ...]:
    """The views of a machine, the main one first; each has a `name` for a file and a `title` for a reader."""
    return VIEWS[table.name]


def state_svg(table: Table, view: View) -> str:
    """A view of a machine as SVG.

    A box's rectangle names its state, or all states that it stands for, in the attribute `data-state`: a page lights
    `redundant_1` by giving the class `lit` to what `[data-state~="redundant_1"]` selects.
    """
    found = layout(table, view)
    notes = ["a trigger, with its guard in brackets, stands over its commands"]
    if found.has_ghosts:
        notes.append("fainter: the mirror image")
    elif table.sided:
        notes.append("it is the same with the sides exchanged")
    return drawn(found, f"{table.name}: {view.title}", "; ".join(notes), table.initial)


@functools.lru_cache(maxsize=128)
def layout(table: Table, view: View) -> Layout:
    """Where everything of a view stands."""
    if not view.map:
        return _columns(table, view)
    nodes, edges = graph_of(table, view)
    boxes, axis = grid(nodes, view.gap, view.is_mirrored)
    words = list(nodes)
    has_ghosts = view.is_mirrored and any(mirror(word) != word for word in words)
    wanted = [Wanted(words.index(edge.source), words.index(edge.target), *label_size(edge.labels)) for edge in edges]
    placed = place([boxes[word] for word in words], wanted, axis if has_ghosts else None)
    return Layout(nodes, boxes, edges, placed, axis, has_ghosts)


def _columns(table: Table, view: View) -> Layout:
    """A view without a map: its boxes in columns, each put where there is most room."""
    nodes = {str(position): node for position, node in enumerate(listed(table, view))}
    columns: list[list[str]] = [[] for _ in range(min(LIST_COLUMNS, len(nodes)))]
    for word in nodes:
        min(columns, key=lambda column: sum(size_of(nodes[one])[1] + LIST_GAP_PX for one in column)).append(word)
    boxes: dict[str, Box] = {}
    left = 0.0
    for column in columns:
        width, top = max(size_of(nodes[word])[0] for word in column), 0.0
        for word in column:
            boxes[word] = Box(left, top, width, size_of(nodes[word])[1])
            top += boxes[word].height + LIST_GAP_PX
        left += width + LIST_GAP_PX
    return Layout(nodes, boxes, (), (), (left - LIST_GAP_PX) / 2, has_ghosts=False)
