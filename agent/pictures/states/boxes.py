"""Boxes and edges: how the layout of a picture is drawn.

A box has a title, the meaning of the state for each side, and the rows that do not leave it. An edge has labels, each a
trigger over its commands.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from ..drawing.routes import Box, Curve, Placed
from ..drawing.svg import Drawing, number, width_of
from .graph import Edge, Label, Node, bare, mirror
from .maps import TROUBLE

SMALL_PX, SMALL_LINE_PX, LINE_PX, TITLE_PX = 11, 14, 17, 16
MARGIN_PX, HEADING_PX, FOOT_PX = 24, 76, 60
BOLDER = 1.12
"""The width of bold text relative to plain text."""


@frozen
class Layout:
    """The layout of a view: the places of boxes and edges, and the x of the `axis` between the two sides, in px."""

    nodes: Mapping[str, Node]
    boxes: Mapping[str, Box]
    edges: tuple[Edge, ...]
    placed: tuple[Placed, ...]
    axis: float
    has_ghosts: bool


def drawn(layout: Layout, title: str, note: str, initial: str = "") -> str:
    """A layout as SVG, with a title above and a note below; an arrow from a dot points to the state `initial`."""
    extent = _extent(layout, title)
    drawing = Drawing(extent.width, extent.height, title)
    drawing.add(f'<g transform="translate({number(-extent.x)} {number(-extent.y)})">')
    drawing.text(layout.axis, extent.y + 32, title, "big strong middle")
    drawing.text(layout.axis, extent.y + extent.height - 18, note, "small faint middle")
    for edge, place in zip(layout.edges, layout.placed, strict=True):
        if layout.has_ghosts and (mirror(edge.source), mirror(edge.target)) != (edge.source, edge.target):
            _curve(drawing, place.curve.mirrored(layout.axis), "ghost")
    for place in layout.placed:
        _curve(drawing, place.curve, "line")
    for edge, place in zip(layout.edges, layout.placed, strict=True):
        _label(drawing, place.label, edge.labels)
    for word, node in layout.nodes.items():
        _box(drawing, node, layout.boxes[word])
    if initial in layout.boxes:
        _initial(drawing, layout.boxes[initial])
    drawing.add("</g>")
    return str(drawing)


def grid(
    nodes: Mapping[str, Node], gap: tuple[float, float], is_mirrored: bool = False
) -> tuple[dict[str, Box], float]:
    """The boxes by name, each in its row and column, and the x of the middle; mirrored columns are equally wide."""
    sizes = {word: size_of(node) for word, node in nodes.items()}
    last = max(node.at[1] for node in nodes.values())
    widths, heights = [0.0] * (last + 1), [0.0] * (max(node.at[0] for node in nodes.values()) + 1)
    for word, node in nodes.items():
        row, column = node.at
        for same in {column, last - column} if is_mirrored else {column}:
            widths[same] = max(widths[same], sizes[word][0])
        heights[row] = max(heights[row], sizes[word][1])
    lefts, tops = _starts(widths, gap[0]), _starts(heights, gap[1])
    boxes = dict[str, Box]()
    for word, node in nodes.items():
        (row, column), (width, height) = node.at, sizes[word]
        x, y = lefts[column] + (widths[column] - width) / 2, tops[row] + (heights[row] - height) / 2
        boxes[word] = Box(x, y, width, height)
    return boxes, (lefts[-1] + widths[-1]) / 2


def _starts(sizes: Sequence[float], gap: float) -> list[float]:
    starts = [0.0]
    for size in sizes[:-1]:
        starts.append(starts[-1] + size + gap)
    return starts


def _extent(layout: Layout, title: str) -> Box:
    """The extent of the picture, equal on both sides of the axis, with a margin and room for heading and note."""
    boxes = [*layout.boxes.values(), *(place.label for place in layout.placed)]
    points = [point for place in layout.placed for point in place.curve.points]
    points += [point for box in boxes for point in ((box.x, box.y), (box.x + box.width, box.y + box.height))]
    half = max(250, width_of(title, TITLE_PX) * BOLDER / 2, *(abs(x - layout.axis) for x, _ in points)) + MARGIN_PX
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    return Box(layout.axis - half, top - HEADING_PX, 2 * half, bottom - top + HEADING_PX + FOOT_PX)


# Boxes.


def size_of(node: Node) -> tuple[float, float]:
    halves = [width_of(line, SMALL_PX) for half in node.sides for line in half]
    width = max(
        110,
        max(width_of(line) * BOLDER for line in node.title) + 22,
        (max(halves, default=0) + 18) * (2 if node.sides[1] else 1),
        max((width_of(line, SMALL_PX) * BOLDER for label in node.inside for line in label.lines), default=0) + 22,
    )
    lines = max(len(half) for half in node.sides)
    inside = sum(len(label.lines) * SMALL_LINE_PX + 6 for label in node.inside)
    height = len(node.title) * LINE_PX + 12
    return width, height + (lines * SMALL_LINE_PX + 8 if lines else 0) + (inside + 4 if inside else 0)


def _box(drawing: Drawing, node: Node, box: Box) -> None:
    is_trouble = bool(node.states) and all(bare(state) in TROUBLE for state in node.states)
    style = f"box{' trouble' if is_trouble else ''}"
    at = f'x="{number(box.x)}" y="{number(box.y)}" width="{number(box.width)}" height="{number(box.height)}" rx="8"'
    states = f' data-state="{" ".join(node.states)}"' if node.states else ""
    drawing.add(f'<rect {at} class="{style}"{states}/>')
    y = box.y + 4
    for line in node.title:
        y += LINE_PX
        drawing.text(box.middle[0], y - 2, line, "strong middle")
    y += 5
    if node.sides[0]:
        y = _known(drawing, node, box, y)
    if node.inside:
        _rule(drawing, box, y)
        for label in node.inside:
            y = _inside(drawing, label, box.x + 10, y + 3) + 3


def _known(drawing: Drawing, node: Node, box: Box, y: float) -> float:
    """Draw the meaning for each side in its half of the box, or for both sides; returns the y of its end."""
    _rule(drawing, box, y)
    middle, bottom = box.middle[0], y + max(len(half) for half in node.sides) * SMALL_LINE_PX + 6
    if node.sides[1]:
        drawing.line([(middle, y), (middle, bottom)], "rule")
    for half, x in zip(node.sides, (middle - box.width / 4, middle + box.width / 4), strict=True):
        for position, line in enumerate(half, 1):
            drawing.text(x if node.sides[1] else middle, y + position * SMALL_LINE_PX, line, "small middle")
    return bottom


def _inside(drawing: Drawing, label: Label, x: float, y: float) -> float:
    for line in label.triggers:
        y += SMALL_LINE_PX
        drawing.text(x, y - 2, line, "small")
    if label.commands:
        y += SMALL_LINE_PX
        drawing.text(x, y - 2, label.commands, "small strong")
    return y


def _rule(drawing: Drawing, box: Box, y: float) -> None:
    drawing.line([(box.x + 1, y), (box.x + box.width - 1, y)], "rule")


def _initial(drawing: Drawing, box: Box) -> None:
    x, y = box.x + 16, box.y - 22
    drawing.add(f'<circle cx="{number(x)}" cy="{number(y)}" r="5" class="head"/>')
    drawing.arrow([(x, y), (x, box.y)])


# Edges.


def label_size(labels: Sequence[Label]) -> tuple[float, float]:
    plain = max(width_of(line, SMALL_PX) for label in labels for line in label.lines)
    bold = max(width_of(label.commands, SMALL_PX) * BOLDER for label in labels)
    return max(plain, bold) + 8, sum(len(label.lines) * SMALL_LINE_PX + 5 for label in labels) + 1


def _label(drawing: Drawing, box: Box, labels: Sequence[Label]) -> None:
    drawing.box(box.x, box.y, box.width, box.height, "paper", 3)
    middle, y = box.middle[0], box.y + 3
    for label in labels:
        for line in label.triggers:
            y += SMALL_LINE_PX
            drawing.text(middle, y - 4, line, "small middle")
        if label.commands:
            half = (label_size([label])[0] - 8) / 2
            if label.triggers:
                drawing.line([(middle - half, y), (middle + half, y)], "rule")
            y += SMALL_LINE_PX
            drawing.text(middle, y - 3, label.commands, "small strong middle")
        y += 5


def _curve(drawing: Drawing, curve: Curve, style: str) -> None:
    (x, y), (dx, dy) = curve.end, curve.heading
    start, control, end = (f"{number(a)} {number(b)}" for a, b in (curve.start, curve.control, curve.end))
    drawing.add(f'<path d="M{start}Q{control} {end}" class="{style}"/>')
    corners = ((x, y), (x - dx * 9 - dy * 4, y - dy * 9 + dx * 4), (x - dx * 9 + dy * 4, y - dy * 9 - dx * 4))
    points = " ".join(f"{number(a)},{number(b)}" for a, b in corners)
    drawing.add(f'<polygon points="{points}" class="head{" pale" if style == "ghost" else ""}"/>')
