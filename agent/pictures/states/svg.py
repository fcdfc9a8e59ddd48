"""State diagrams as SVG: the views of a machine, drawn from its rows.

A box is a state; below its name is its meaning for each side, side 1 on the left. An edge has its trigger, with the
guard in brackets, over its commands; rows that stay in a state are written inside its box. If a machine has two sides,
the edges of one side have labels, and their mirror images are fainter.
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
    """The views of a machine, the main one first; each has a `name` (for files) and a `title` (for people)."""
    return VIEWS[table.name]


def state_svg(table: Table, view: View) -> str:
    """A view of a machine as SVG.

    The attribute `data-state` of a box's rectangle names its state, or all states that it stands for. A page highlights
    `redundant_1` by giving the class `lit` to the elements that `[data-state~="redundant_1"]` selects.
    """
    of_view = layout(table, view)
    notes = ["a trigger, with its guard in brackets, is above its commands"]
    if of_view.has_ghosts:
        notes.append("fainter: the mirror image")
    elif table.sided:
        notes.append("it is the same with the sides exchanged")
    return drawn(of_view, f"{table.name}: {view.title}", "; ".join(notes), table.initial)


@functools.lru_cache(maxsize=128)
def layout(table: Table, view: View) -> Layout:
    """The layout of a view."""
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
    """The layout of a view without a map: its boxes in columns, each in the column with the most room."""
    nodes = {str(position): node for position, node in enumerate(listed(table, view))}
    columns: list[list[str]] = [[] for _ in range(min(LIST_COLUMNS, len(nodes)))]
    for word in nodes:
        min(columns, key=lambda column: sum(size_of(nodes[each])[1] + LIST_GAP_PX for each in column)).append(word)
    boxes: dict[str, Box] = {}
    left = 0.0
    for column in columns:
        width, top = max(size_of(nodes[word])[0] for word in column), 0.0
        for word in column:
            boxes[word] = Box(left, top, width, size_of(nodes[word])[1])
            top += boxes[word].height + LIST_GAP_PX
        left += width + LIST_GAP_PX
    return Layout(nodes, boxes, (), (), (left - LIST_GAP_PX) / 2, has_ghosts=False)
