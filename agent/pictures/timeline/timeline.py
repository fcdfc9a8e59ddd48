"""An incident's timeline: both hosts, the VIP and the clients over time, drawn from the lanes (`lanes`).

The meaning of a bar is written in it, or shown by its pattern, which the legend explains: full, light, hatched,
crossed, dotted. So the picture can be read in black and white on paper, and by colour-blind readers.
"""

import itertools
from collections.abc import Iterator, Sequence

from ...history.incidents import Incident
from ..drawing.axis import Axis, Scale, axis_of, duration_text
from ..drawing.svg import Drawing, number, width_of
from .lanes import Lane, Look, Stretch, instant, instants_of, lanes_of, service

_WIDTH, _NAMES, _LEAD, _MARGIN = 1000.0, 180.0, 84.0, 8.0
_BAR, _ROW, _FLAG_ROW, _SMALL = 20.0, 26.0, 15.0, 11.0
_LEGEND_PX = 48.0
_STYLE = """
.t-full { fill: #1d3f66; stroke: #111 } .t-on-full { fill: #fff }
.t-light { fill: #dfe8f1; stroke: #778 } .t-under-way { fill: url(#t-hatch); stroke: #111 }
.t-crossed { fill: #fff; stroke: #111 }
.t-unknown { fill: url(#t-dots); stroke: #555; stroke-width: 1.2; stroke-dasharray: 2 2.5 }
.t-bare { fill: none; stroke: #999 } .t-plate { fill: #fff; stroke: none }
.t-gap { fill: #ffd9c2; stroke: #111; stroke-width: 2.5 } .t-gap-plate { fill: #ffd9c2; stroke: none }
.t-instant { stroke: #c4c4c4; stroke-width: 1 }
.t-phase { fill: none; stroke: #111; stroke-width: 1.2; stroke-dasharray: 2 3 } .t-flag { fill: #111 }
.t-band { fill: #f5f5f2; stroke: none } .t-axis { fill: none; stroke: #111; stroke-width: 1.6 }
"""
_FILLINGS = (
    '<defs><pattern id="t-hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="7" height="7" fill="#fff"/><rect width="2.6" height="7" fill="#8a97a6"/></pattern>'
    '<pattern id="t-dots" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="#fff"/>'
    '<circle cx="2" cy="2" r="0.9" fill="#8a8a8a"/></pattern></defs>'
)
_LEGEND = (
    (Look.FULL, "primary; VIP held"),
    (Look.LIGHT, "backup, up, connected, served"),
    (Look.UNDER_WAY, "command pending; silent"),
    (Look.CROSSED, "down, lost, unserved"),
    (Look.UNKNOWN, "not known"),
    (Look.BARE, "VIP not held"),
)


def timeline_svg(incident: Incident) -> str:
    """The picture of an incident over time as SVG; the same incident gives the same bytes on any machine."""
    lanes, instants = lanes_of(incident), instants_of(incident)
    alone = len(instants) == 1
    lead = 0.35 * (_WIDTH - _NAMES) if alone else _LEAD
    axis = axis_of(instants, _NAMES + lead, _WIDTH - _MARGIN - _LEAD)
    return str(_Timeline(incident, lanes, axis).draw())


class _Timeline:
    """The drawing in progress: flags at the top, then the axis, the hosts' lanes, the clients' lane, and the legend."""

    def __init__(self, incident: Incident, lanes: Sequence[Lane], axis: Axis) -> None:
        self._lanes, self._axis, self._gaps = lanes, axis, service(incident, "unserved")
        self._flags = list(_placed_flags(incident, axis))
        rows = max((row + len(names) for _, names, row in self._flags), default=0)
        self._axis_y = 8 + rows * _FLAG_ROW + 12
        self._top = self._axis_y + 26
        self._gaps_px = 34.0 if self._gaps else 12.0
        groups = len({lane.host for lane in lanes})
        self._bottom = self._top + len(lanes) * _ROW + groups * 14 + self._gaps_px
        title = f"Timeline of incident {incident.id}: {incident.cause}; {incident.outcome}"
        self._drawing = Drawing(_WIDTH, self._bottom + _LEGEND_PX, title)

    def draw(self) -> Drawing:
        self._drawing.add(f"<style>{_STYLE}</style>{_FILLINGS}")
        self._draw_bands()
        self._draw_instants()
        self._draw_flags()
        self._draw_axis()
        for lane, y, _ in self._placed_lanes():
            self._draw_lane(lane, y)
        self._draw_gaps()
        self._draw_legend()
        return self._drawing

    def _placed_lanes(self) -> Iterator[tuple[Lane, float, bool]]:
        """Each lane, the top of its bar, and whether it is the first lane of its host."""
        y, host = self._top - 14, None
        for lane in self._lanes:
            is_first, host = lane.host != host, lane.host
            y += 14 if is_first else 0
            yield lane, y, is_first
            y += _ROW

    def _draw_bands(self) -> None:
        """The background of each host's lanes, with the host's name beside it, written upwards."""
        for host, group in itertools.groupby(self._placed_lanes(), key=lambda each: each[0].host):
            placed = list(group)
            top, height = placed[0][1] - 4, len(placed) * _ROW + 2
            self._drawing.box(_MARGIN, top, _WIDTH - 2 * _MARGIN, height, "t-band", 4)
            if host:
                x, y = _MARGIN + 15, top + height / 2
                shown = _fitting(host, height - 8, 13)
                at = f'transform="translate({number(x)} {number(y)}) rotate(-90)"'
                self._drawing.add(f"<g {at}>")
                self._drawing.text(0, 0, shown, "strong middle")
                self._drawing.add("</g>")

    def _draw_instants(self) -> None:
        end = self._bottom - self._gaps_px
        for at_ms in self._axis.instants:
            x = self._axis.x(at_ms)
            self._drawing.line([(x, self._axis_y), (x, end)], "t-instant")

    def _draw_flags(self) -> None:
        end = self._bottom - self._gaps_px
        for at_ms, names, row in self._flags:
            x, y = self._axis.x(at_ms), 16 + row * _FLAG_ROW
            self._drawing.line([(x, y - 10), (x, end)], "t-phase")
            for number_of_name, name in enumerate(names):
                self._drawing.text(x + 4, y + number_of_name * _FLAG_ROW, name, "small strong")

    def _draw_axis(self) -> None:
        y, drawing = self._axis_y, self._drawing
        drawing.text(_NAMES - 10, y + 4, "ms after the first sign", "small end")
        drawing.line([(_NAMES, y), (self._axis.left, y)], "t-axis")
        end = self._axis.pieces[-1].right if self._axis.pieces else self._axis.left
        drawing.arrow([(end, y), (_WIDTH - _MARGIN, y)], "t-axis")
        for piece in self._axis.pieces:
            middle = (piece.left + piece.right) / 2
            if piece.scale is Scale.BROKEN:
                drawing.line([(piece.left, y), (middle - 9, y)], "t-axis")
                zigzag = [(middle - 9 + 3 * step, y + (0, -6, 6, -6, 6, -6, 0)[step]) for step in range(7)]
                drawing.line(zigzag, "t-axis")
                drawing.line([(middle + 9, y), (piece.right, y)], "t-axis")
            else:
                drawing.line([(piece.left, y), (piece.right, y)], "t-axis" + _dashed(piece.scale))
        free_from = self._axis.left - _LEAD
        for at_ms in self._axis.instants:
            x, text = self._axis.x(at_ms), f"{at_ms:g}"
            drawing.line([(x, y - 4), (x, y + 4)], "t-axis")
            half = width_of(text, _SMALL) / 2
            if x - half >= free_from:
                drawing.box(x - half - 1, y + 6, 2 * half + 2, 13, "t-plate", 0)
                drawing.text(x, y + 16, text, "small middle")
                free_from = x + half + 4

    def _draw_lane(self, lane: Lane, y: float) -> None:
        left = _MARGIN + 26 if lane.host else _MARGIN + 6
        style = "" if lane.host else "strong"
        self._drawing.text(left, y + 14.5, _fitting(lane.name, _NAMES - left - 6, 13), style)
        for stretch in lane.stretches:
            self._draw_stretch(stretch, y, is_gap=stretch.text == "unserved")

    def _draw_stretch(self, stretch: Stretch, y: float, is_gap: bool) -> None:
        left, right = self._ends(stretch)
        look, drawing = stretch.look, self._drawing
        if look is Look.BARE:
            drawing.line([(left, y + _BAR / 2), (right, y + _BAR / 2)], "t-bare")
            return
        drawing.box(left, y, right - left, _BAR, "t-gap" if is_gap else f"t-{look}", 2)
        width = width_of(stretch.text, _SMALL)
        fits = width + 8 <= right - left
        if look is Look.CROSSED:
            for ends in _crosses(left, right, y):
                drawing.line(ends, "line")
        if fits:
            middle = (left + right) / 2
            if look in (Look.UNDER_WAY, Look.UNKNOWN, Look.CROSSED):
                plate = "t-gap-plate" if is_gap else "t-plate"
                drawing.box(middle - width / 2 - 2, y + 3, width + 4, _BAR - 6, plate, 2)
            style = "small middle strong t-on-full" if look is Look.FULL else "small middle"
            drawing.text(middle, y + 14, stretch.text, style + (" strong" if is_gap else ""))

    def _draw_gaps(self) -> None:
        """The duration of each gap in service, below the clients' lane."""
        y, free_from = self._bottom - self._gaps_px + 6, 0.0
        for gap in self._gaps:
            left, right = self._ends(gap)
            text = _gap_text(gap)
            self._drawing.line([(left, y - 4), (left, y + 4)], "t-axis")
            self._drawing.line([(left, y), (right, y)], "t-axis")
            self._drawing.line([(right, y - 4), (right, y + 4)], "t-axis")
            half = width_of(text, _SMALL) / 2
            middle = min(max((left + right) / 2, half + 4), _WIDTH - half - 4)
            if middle - half >= free_from:
                self._drawing.text(middle, y + 16, text, "small strong middle")
                free_from = middle + half + 8

    def _draw_legend(self) -> None:
        x, y = _MARGIN, self._bottom + 6
        for look, text in _LEGEND:
            self._draw_sample(look, x, y)
            self._drawing.text(x + 31, y + 11, text, "small")
            x += 31 + width_of(text, _SMALL) + 12
        note = _note({piece.scale for piece in self._axis.pieces})
        self._drawing.text(_MARGIN, y + 31, note, "small faint")

    def _draw_sample(self, look: Look, x: float, y: float) -> None:
        if look is Look.BARE:
            self._drawing.line([(x, y + 7), (x + 26, y + 7)], "t-bare")
            return
        self._drawing.box(x, y, 26, 14, f"t-{look}", 2)
        if look is Look.CROSSED:
            self._drawing.line([(x, y), (x + 26, y + 14)])
            self._drawing.line([(x, y + 14), (x + 26, y)])

    def _ends(self, stretch: Stretch) -> tuple[float, float]:
        left = _NAMES if stretch.begin_ms is None else self._axis.x(instant(stretch.begin_ms))
        right = _WIDTH - _MARGIN if stretch.end_ms is None else self._axis.x(instant(stretch.end_ms))
        return left, right


def _placed_flags(incident: Incident, axis: Axis) -> Iterator[tuple[float, list[str], int]]:
    """The phases of the incident: one flag per moment, and its first row, below the texts that its pole would cross."""
    at: dict[float, list[str]] = {}
    for phase in incident.phases:
        if phase.at_ms is not None:
            at.setdefault(instant(phase.at_ms), []).append(phase.name)
    placed = list[tuple[float, int]]()  # where each text ends, and the row below it
    for at_ms, names in sorted(at.items()):
        row = max((below for end, below in placed if end > axis.x(at_ms)), default=0)
        placed.append((axis.x(at_ms) + max(width_of(name, _SMALL) for name in names) + 10, row + len(names)))
        yield at_ms, names, row


def _crosses(left: float, right: float, y: float) -> Iterator[list[tuple[float, float]]]:
    """Crosses along a bar."""
    count = max(int((right - left) // 40), 1)
    step = (right - left) / count
    for index in range(count):
        a, b = left + index * step, left + (index + 1) * step
        yield [(a, y), (b, y + _BAR)]
        yield [(a, y + _BAR), (b, y)]


def _gap_text(gap: Stretch) -> str:
    if gap.begin_ms is None:
        return "unserved since before" if gap.end_ms is None else "unserved until then"
    return "unserved from then on" if gap.end_ms is None else f"unserved {duration_text(gap.end_ms - gap.begin_ms)}"


def _note(scales: set[Scale]) -> str:
    exceptions = {Scale.STRETCHED: "stretched where the axis is dashed", Scale.BROKEN: "broken where it zigzags"}
    present = [text for scale, text in exceptions.items() if scale in scales]
    return ", ".join(["Bars: what the agent knew at the time. Time is to scale", *present]) + "."


def _dashed(scale: Scale) -> str:
    return " dashed" if scale is Scale.STRETCHED else ""


def _fitting(text: str, width: float, size: float) -> str:
    """The text, shortened to fit in the middle, because names differ at their beginning and end."""
    if width_of(text, size) <= width:
        return text
    shorter = (f"{text[: count // 2]}…{text[len(text) - (count + 1) // 2 :]}" for count in range(len(text) - 1, 1, -1))
    return next((candidate for candidate in shorter if width_of(candidate, size) <= width), "…")
