"""Routes the edges of a picture and places their labels, so that they overlap as little as possible.

An edge is a curve from box to box. Each edge has a few dozen candidates (straight or bulging, from the middle of a box
or beside it, with its label at different places), and each candidate has a cost (a box or a label covered, a line
crossed, a detour). In turns, each edge chooses the cheapest candidate given the choices of the others, until no edge
changes its choice. Only sums, products and square roots are used, so the result is the same on any machine.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from attrs import Factory, evolve, frozen

Point = tuple[float, float]

SAMPLES = 8
"""The number of straight pieces that stand for a bulging curve."""

ROOM_PX = 6
"""The margin around a label that should stay free."""

KEPT = 5
"""The number of candidates kept for each bulge, those that are cheapest by themselves."""

ROUNDS = 8
"""The largest number of rounds in which each edge may choose again."""

BULGES = (0.0, 0.14, -0.14, 0.28, -0.28, 0.45, -0.45, 0.7, -0.7)
"""Distances of a curve's control point from the straight line, relative to its length; positive is to the right."""

STANDS = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82)
"""The places of a label along its curve, as fractions of the curve."""

THROUGH_BOX, ON_LABEL, ON_LINE, CROSSING, BESIDE, ON_GHOST = 4000.0, 6000.0, 500.0, 60.0, 60.0, 12.0


@frozen
class Box:
    """A rectangle: its left upper corner and its size, in px."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> Point:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2

    def grown(self, by: float) -> "Box":
        """This box with a margin around it."""
        return Box(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def holds(self, point: Point) -> bool:
        """Whether a point is inside it."""
        return self.x <= point[0] <= self.x + self.width and self.y <= point[1] <= self.y + self.height

    def meets(self, other: "Box") -> bool:
        """Whether the two have an area in common."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


@frozen
class Curve:
    """A quadratic Bezier curve, cut off at the boxes that it joins; `points` are some of its points, in order."""

    start: Point
    control: Point
    end: Point
    points: tuple[Point, ...]
    extent: Box = Factory(lambda self: _around(self.points), takes_self=True)
    """The bounding box of its points."""

    def at(self, t: float) -> Point:
        """The point at `t`, from 0 to 1."""
        return _at(self.start, self.control, self.end, t)

    @property
    def heading(self) -> Point:
        """The direction in which it arrives, as a vector of length 1."""
        (a, b), (c, d) = self.control, self.end
        length = max(_distance(self.control, self.end), 0.1)
        return (c - a) / length, (d - b) / length

    def mirrored(self, axis: float) -> "Curve":
        """The mirror image of the curve at a vertical axis."""
        (a, b), (c, d), (e, f) = self.start, self.control, self.end
        points = tuple((2 * axis - x, y) for x, y in self.points)
        return Curve((2 * axis - a, b), (2 * axis - c, d), (2 * axis - e, f), points)


@frozen
class Wanted:
    """An edge to place: the positions of its source and target boxes, and the size of its label in px."""

    source: int
    target: int
    width: float
    height: float


@frozen
class Placed:
    """A candidate for an edge: its curve, the box of its label, and its cost."""

    curve: Curve
    label: Box
    cost: float
    room: Box = Factory(lambda self: self.label.grown(ROOM_PX), takes_self=True)
    """The label with a margin, which should stay free."""


def place(boxes: Sequence[Box], wanted: Sequence[Wanted], axis: float | None = None) -> tuple[Placed, ...]:
    """The best candidates for all edges. With an `axis`, mirror images are drawn too, and should not be covered."""
    costs = _Costs(axis)
    choices = [_candidates(boxes, edge, costs) for edge in wanted]
    chosen = list[Placed]()
    for candidates in choices:
        chosen.append(costs.cheapest(candidates, chosen))
    for _ in range(ROUNDS):
        before = list(chosen)
        for index, candidates in enumerate(choices):
            chosen[index] = costs.cheapest(candidates, chosen[:index] + chosen[index + 1 :])
        if chosen == before:
            break
    return tuple(chosen)


def between(source: Box, target: Box, bulge: float, leave: Point = (0, 0), reach: Point = (0, 0)) -> Curve:
    """The curve from box to box; `leave` and `reach` are the offsets of its ends from the boxes' centres, in px."""
    (a, b), (c, d) = source.middle, target.middle
    start, end = (a + leave[0], b + leave[1]), (c + reach[0], d + reach[1])
    dx, dy = end[0] - start[0], end[1] - start[1]
    control = (start[0] + dx / 2 - dy * bulge, start[1] + dy / 2 + dx * bulge)
    begin = _border((start, control, end), source, 0, 1)
    stop = _border((start, control, end), target.grown(1), 1, 0)
    return _cut(start, control, end, (begin, stop), SAMPLES if bulge else 1)


def _candidates(boxes: Sequence[Box], edge: Wanted, costs: "_Costs") -> list[Placed]:
    """The candidates of an edge that are best by themselves, the cheapest first."""
    source, target = boxes[edge.source], boxes[edge.target]
    others = [box.grown(8) for index, box in enumerate(boxes) if index not in (edge.source, edge.target)]
    best: list[tuple[float, int, Curve]] = []
    for bulge in BULGES:
        curves: list[tuple[float, int, Curve]] = []
        for number, (leave, reach) in enumerate(product(_aims(source), _aims(target))):
            curve = between(source, target, bulge, leave, reach)
            hits = sum(_runs_through(curve, box) for box in others)
            length = _distance(curve.start, curve.control) + _distance(curve.control, curve.end)
            aside = sum(abs(value) for value in (*leave, *reach))
            curves.append((hits * THROUGH_BOX + length * 0.25 + abs(bulge) * 150 + aside * 0.25, number, curve))
        best += sorted(curves)[:KEPT]
    labelled = [one for cost, _, curve in best for one in _labelled(curve, cost, boxes, edge, costs)]
    return sorted(labelled, key=lambda one: one.cost)


def _labelled(curve: Curve, cost: float, boxes: Sequence[Box], edge: Wanted, costs: "_Costs") -> Iterator[Placed]:
    for stand in STANDS:
        x, y = curve.at(stand)
        label = Box(x - edge.width / 2, y - edge.height / 2, edge.width, edge.height)
        room = label.grown(ROOM_PX)
        hits = sum(room.meets(box) for box in boxes)
        hidden = room.holds(curve.start) + room.holds(curve.end)
        alone = Placed(curve, label, cost + (hits + hidden) * ON_LABEL + abs(stand - 0.5) * 40)
        yield evolve(alone, cost=alone.cost + costs.of_own_ghost(alone))


class _Costs:
    """The costs of pairs of edges; those of two curves are cached."""

    def __init__(self, axis: float | None) -> None:
        self._axis = axis
        self._known: dict[tuple[int, int], float] = {}
        self._ghosts: dict[int, tuple[Curve, Curve]] = {}  # all candidates are kept by `place`: identities are safe

    def cheapest(self, candidates: Sequence[Placed], others: Sequence[Placed]) -> Placed:
        """The candidate with the least total cost given the other edges; candidates are sorted by their own cost."""
        best, least = candidates[0], math.inf
        for one in candidates:
            if one.cost >= least:
                break
            cost = one.cost
            for other in others:
                cost += self._beside(one, other)
                if cost >= least:
                    break
            else:
                best, least = one, cost
        return best

    def of_own_ghost(self, one: Placed) -> float:
        """The cost of an edge with respect to its own mirror image."""
        ghost = self._ghost(one.curve)
        return ON_GHOST * _runs_through(ghost, one.label) + _closeness(one.curve, ghost) if ghost else 0

    def _beside(self, one: Placed, other: Placed) -> float:
        cost = ON_LABEL * one.room.meets(other.label)
        cost += ON_LINE * (_runs_through(one.curve, other.label) + _runs_through(other.curve, one.label))
        ghost = self._ghost(other.curve)
        if ghost and _runs_through(ghost, one.label):
            cost += ON_GHOST
        return cost + self._of_curves(one.curve, other.curve)

    def _of_curves(self, one: Curve, other: Curve) -> float:
        key = id(one), id(other)
        if key not in self._known:
            self._ghost(one)
            ghost = self._ghost(other)
            beside = ON_GHOST * _crossings(one, ghost) + _closeness(one, ghost) if ghost else 0
            self._known[key] = CROSSING * _crossings(one, other) + _closeness(one, other) + beside
        return self._known[key]

    def _ghost(self, curve: Curve) -> Curve | None:
        if self._axis is None:
            return None
        if id(curve) not in self._ghosts:
            self._ghosts[id(curve)] = (curve, curve.mirrored(self._axis))
        return self._ghosts[id(curve)][1]


def _closeness(one: Curve, other: Curve) -> float:
    """The cost of two curves that begin or end close together."""
    near = sum(_distance(point, that) < 14 for point in (one.start, one.end) for that in (other.start, other.end))
    return BESIDE * near


def _aims(box: Box) -> Iterator[Point]:
    across, down = box.width * 0.28, box.height * 0.28
    yield from ((0, 0), (-across, 0), (across, 0), (0, -down), (0, down))


def _border(curve: tuple[Point, Point, Point], box: Box, inside: float, outside: float) -> float:
    """The value of t, between two others, at which a curve crosses the border of a box."""
    for _ in range(14):
        t = (inside + outside) / 2
        inside, outside = (t, outside) if box.holds(_at(*curve, t)) else (inside, t)
    return outside


def _cut(start: Point, control: Point, end: Point, ends: Point, pieces: int) -> Curve:
    """The part of a curve between two values of t, with its approximation by straight pieces."""
    first, last = (_at(start, control, end, t) for t in ends)
    middle = _mix(_mix(start, control, ends[0]), _mix(control, end, ends[0]), ends[1])
    return Curve(first, middle, last, tuple(_at(first, middle, last, i / pieces) for i in range(pieces + 1)))


def _at(start: Point, control: Point, end: Point, t: float) -> Point:
    a, b, c = (1 - t) * (1 - t), 2 * t * (1 - t), t * t
    return start[0] * a + control[0] * b + end[0] * c, start[1] * a + control[1] * b + end[1] * c


def _mix(one: Point, other: Point, t: float) -> Point:
    return one[0] + (other[0] - one[0]) * t, one[1] + (other[1] - one[1]) * t


def _distance(one: Point, other: Point) -> float:
    return math.sqrt((one[0] - other[0]) * (one[0] - other[0]) + (one[1] - other[1]) * (one[1] - other[1]))


def _runs_through(curve: Curve, box: Box) -> bool:
    return curve.extent.meets(box) and any(_enters(one, other, box) for one, other in pairwise(curve.points))


def _enters(one: Point, other: Point, box: Box) -> bool:
    """Whether a straight piece has a point in a box (by Liang and Barsky's clipping)."""
    first, last = 0.0, 1.0
    for axis, low, high in ((0, box.x, box.x + box.width), (1, box.y, box.y + box.height)):
        step = other[axis] - one[axis]
        if step == 0:
            if not low <= one[axis] <= high:
                return False
            continue
        near, far = sorted(((low - one[axis]) / step, (high - one[axis]) / step))
        first, last = max(first, near), min(last, far)
    return first <= last


def _crossings(one: Curve, other: Curve) -> int:
    if not one.extent.meets(other.extent):
        return 0
    return sum(_cross(*piece, *that) for piece in pairwise(one.points) for that in pairwise(other.points))


def _around(points: Sequence[Point]) -> Box:
    """The bounding box of points, with a small area even if they are on a straight line."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Box(min(xs), min(ys), max(xs) - min(xs) + 0.1, max(ys) - min(ys) + 0.1)


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
