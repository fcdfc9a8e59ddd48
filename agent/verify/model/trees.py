"""Decision trees as arrays, so that many states pass through them at once: one tree for each event.

A node asks for one cell of a state, and has a child for each value of it. A child is another node, a leaf, or a gap,
where nothing is known yet.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays.sets import Column, Numbers, Rows

GAP = -1
"""Stands for the number of a leaf that is not known yet."""

VALUE_BITS = 24
"""The bits of the number of a value; there can be no more values of a cell."""


class Trees:
    """The trees of all events. Events, cells, values and leaves are numbers; `values` are those of each cell so far.

    A child is kept as the number of a node, or as -2 minus the number of a leaf: for `GAP`, that is `GAP` again.
    """

    def __init__(self, values: Sequence[Sequence[Any]]) -> None:
        self._values = values
        self._roots = Column(np.int64)
        self._cell, self._first, self._size = Column(np.int64), Column(np.int64), Column(np.int64)
        self._children = Column(np.int64)

    @property
    def bytes(self) -> int:
        """The memory that the children take, in bytes; that of the nodes is small beside it."""
        return self._children.bytes

    def plant(self) -> None:
        """Begin the tree of one more event."""
        self._roots.append(GAP)

    def walk(self, rows: Rows, states: Numbers, events: Numbers) -> tuple[Numbers, Numbers]:
        """The leaf that each of these states of the table `rows` reaches in the tree of its event; `GAP` if none.

        Also the branch on which each walk ends: walks that end in the same gap have the same one.
        """
        ends, branches = self._roots.all[events], events.copy()
        walking = np.flatnonzero(ends >= 0)
        while len(walking):
            nodes = ends[walking]
            values = rows[states[walking], self._cell.all[nodes]].astype(np.int64)
            fits = values < self._size.all[nodes]
            children = self._children.all[self._first.all[nodes] + np.where(fits, values, 0)]
            ends[walking] = np.where(fits, children, GAP)
            branches[walking] = -1 - ((nodes << VALUE_BITS) | values)
            walking = walking[ends[walking] >= 0]
        return -2 - ends, branches

    def add(self, event: int, path: Sequence[tuple[int, int]], leaf: int) -> bool:
        """Let a path of cells and their values lead to a leaf; returns False if the tree asks for other cells."""
        end, parent = -2 - leaf, (GAP, GAP)
        node = int(self._roots.all[event])
        for depth, (cell, value) in enumerate(path):
            if node == GAP:
                self._link(event, parent, self._add_nodes(path[depth:], end))
                return True
            if self._cell.all[node] != cell:
                return False
            parent = (node, value)
            if value >= self._size.all[node]:
                self._enlarge(node, value)
            node = int(self._children.all[self._first.all[node] + value])
        self._link(event, parent, end)
        return True

    def forget(self, leaves: Numbers, count: int) -> None:
        """Put gaps in the place of these of the `count` leaves, and of the nodes that then lead to gaps only."""
        is_gone = np.zeros(count, np.bool_)
        is_gone[leaves] = True
        children, roots = self._children.all, self._roots.all
        for ends in (children, roots):
            at = np.flatnonzero(ends < GAP)
            ends[at[is_gone[-2 - ends[at]]]] = GAP
        first, last = self._first.all, self._first.all + self._size.all
        is_dead = np.zeros(len(first), np.bool_)
        while True:
            known = np.concatenate(([0], np.cumsum(children != GAP)))
            died = (known[first] == known[last]) & ~is_dead
            if not died.any():
                break
            is_dead |= died
            for ends in (children, roots):
                at = np.flatnonzero(ends >= 0)
                ends[at[died[ends[at]]]] = GAP

    def _add_nodes(self, path: Sequence[tuple[int, int]], end: int) -> int:
        """Add a node for each cell on the path: each leads to the next one, the last one to `end`."""
        node = len(self._cell)
        sizes = np.array([max(4, 2 * len(self._values[cell])) for cell, _ in path], np.int64)
        first = np.cumsum(sizes) - sizes
        children = np.full(int(sizes.sum()), GAP, np.int64)
        children[first + [value for _, value in path]] = [*range(node + 1, node + len(path)), end]
        self._cell.extend(np.array([cell for cell, _ in path], np.int64))
        self._first.extend(first + len(self._children))
        self._size.extend(sizes)
        self._children.extend(children)
        return node

    def _enlarge(self, node: int, value: int) -> None:
        """Make room for a value: the node's cell has gained values since the node was made."""
        first, size = int(self._first.all[node]), int(self._size.all[node])
        grown = np.full(2 * value, GAP, np.int64)
        grown[:size] = self._children.all[first : first + size]
        self._first.all[node], self._size.all[node] = len(self._children), len(grown)
        self._children.extend(grown)

    def _link(self, event: int, parent: tuple[int, int], node: int) -> None:
        if parent[0] == GAP:
            self._roots.all[event] = node
        else:
            self._children.all[self._first.all[parent[0]] + parent[1]] = node
