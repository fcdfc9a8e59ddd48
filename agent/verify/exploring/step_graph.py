"""The steps between worlds as a graph: a cycle in it, and the worlds that have no path to given ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays.sets import Numbers


class StepGraph:
    """Steps between the worlds 0 to `size` - 1: from each of the `sources` to the target at the same position."""

    def __init__(self, size: int, sources: Sequence[NDArray[np.uint32]], targets: Sequence[NDArray[np.uint32]]) -> None:
        self._size = size
        self._sources, self._targets = np.concatenate(sources), np.concatenate(targets)

    def cycle(self) -> tuple[int, ...]:
        """The worlds of a cycle, in the order of its steps; empty if there is none.

        Worlds to which no step leads are removed until none is left to remove: what remains contains a cycle. This is
        Kahn's algorithm for a topological order.
        """
        size = self._size
        order = np.argsort(self._sources, kind="stable")
        targets_of = self._targets[order]
        first = np.searchsorted(self._sources[order], np.arange(size + 1))
        incoming = np.bincount(self._targets, minlength=size)
        frontier = np.flatnonzero(incoming == 0)
        taken = len(frontier)
        while len(frontier):
            counts = first[frontier + 1] - first[frontier]
            offsets = np.cumsum(counts) - counts
            reached = targets_of[np.repeat(first[frontier] - offsets, counts) + np.arange(int(counts.sum()))]
            if len(reached) < size >> 6:
                worlds, times = np.unique(reached, return_counts=True)
                incoming[worlds] -= times
                frontier = worlds[incoming[worlds] == 0]
            else:
                incoming -= np.bincount(reached, minlength=size)
                candidates = np.unique(reached)
                frontier = candidates[incoming[candidates] == 0]
            taken += len(frontier)
        return _cycle_among(np.flatnonzero(incoming > 0), targets_of, first) if taken < size else ()

    def without_a_path_to(self, goals: Numbers) -> Numbers:
        """The worlds that have no path to any of these, found by a search backwards from them."""
        reaches = np.zeros(self._size, np.bool_)
        reaches[goals] = True
        while True:
            more = self._sources[reaches[self._targets] & ~reaches[self._sources]]
            if not len(more):
                return np.flatnonzero(~reaches)
            reaches[more] = True


def _cycle_among(left: Numbers, targets: NDArray[np.uint32], first: Numbers) -> tuple[int, ...]:
    """A cycle among the worlds that are left: each of them has a predecessor among them."""
    before: dict[int, int] = {}
    for world in left.tolist():
        before |= dict.fromkeys(targets[first[world] : first[world + 1]].tolist(), world)
    world, seen = int(left[0]), list[int]()
    while world not in seen:
        seen.append(world)
        world = before[world]
    return tuple(seen[seen.index(world) :][::-1])
