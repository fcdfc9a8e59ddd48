"""The part of SVG that the pictures need: shapes and text with a class each, with the same output on any machine.

No font is used for measuring: the width of a text is estimated from its characters, so a picture has the same bytes
everywhere. All pictures share one style, which also works in black and white on paper: emphasis is a thicker or a
dashed line, never only a colour.
"""

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

FONT_PX = 13
LINE_PX = 17
_UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NARROW, _WIDE = "fijlrtI.,:;|!'()[] ", "mwMW@%"

STYLE = """
svg { font: 13px/1.3 "DejaVu Sans", Verdana, sans-serif; background: #fff; color: #111 }
text { fill: #111 } .small { font-size: 11px } .strong { font-weight: bold } .faint { fill: #555 }
.middle { text-anchor: middle } .end { text-anchor: end }
.box { fill: #fff; stroke: #111; stroke-width: 1.2 } .soft { fill: #f2f2f2; stroke: #777 }
.trouble { stroke-width: 3; stroke-dasharray: 7 3 } .lit { fill: #ffe08a; stroke-width: 3 }
.line { fill: none; stroke: #111; stroke-width: 1.2 } .dashed { stroke-dasharray: 5 4 } .faded { stroke: #888 }
.head { fill: #111; stroke: none } .thick { stroke-width: 2.4 } .black { fill: #111 } .white { fill: #fff }
.title { font-size: 16px } .halo { paint-order: stroke; stroke: #fff; stroke-width: 5px; stroke-linejoin: round }
.ghost { fill: none; stroke: #aaa; stroke-width: 1 } .pale { fill: #aaa } .paper { fill: #fff }
.big { font-size: 16px } .rule { stroke: #999; stroke-width: 0.7 }
"""


def showable(text: str) -> str:
    """The text without characters that XML and HTML do not allow, such as control characters from a program's output.

    >>> showable("failed: \\x1b[31mno\\x00")
    'failed: \ufffd[31mno\ufffd'
    """
    return _UNSHOWABLE.sub("\ufffd", text)


def width_of(text: str, size_px: float = FONT_PX) -> float:
    """The estimated width of a text, in px; rather too wide than too narrow."""
    em = sum(0.36 if char in _NARROW else 0.95 if char in _WIDE else 0.64 for char in text)
    return em * size_px


def wrapped(text: str, width_px: float, size_px: float = FONT_PX) -> list[str]:
    """A text in lines of at most this width; a longer word gets a line of its own."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, size_px) > width_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def number(value: float) -> str:
    """A coordinate, with at most one decimal place."""
    return f"{value:.1f}".removesuffix(".0")


class Drawing:
    """An SVG picture of this size, in px; `title` describes it in words, for readers who cannot see it."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._size = f"{number(width)} {number(height)}"
        self._title = title
        self._parts = list[str]()

    def add(self, part: str) -> None:
        """Add an SVG element unchanged."""
        self._parts.append(part)

    def text(self, x: float, y: float, text: str, style: str = "") -> None:
        """A line of text; its baseline starts, ends or is centred at the point, depending on the style's classes."""
        self.add(f'<text x="{number(x)}" y="{number(y)}"{_class(style)}>{escape(showable(text))}</text>')

    def box(self, x: float, y: float, width: float, height: float, style: str = "box", radius: float = 6) -> None:
        """A rectangle with round corners."""
        at = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" rx="{number(radius)}"'
        self.add(f"<rect {at}{_class(style)}/>")

    def line(self, points: Sequence[tuple[float, float]], style: str = "line") -> None:
        """A line through these points."""
        self.add(f'<polyline points="{" ".join(f"{number(x)},{number(y)}" for x, y in points)}"{_class(style)}/>')

    def arrow(self, points: Sequence[tuple[float, float]], style: str = "line") -> None:
        """A line through these points with a head at its end."""
        self.line(points, style)
        (x0, y0), (x, y) = points[-2:]
        length = max(((x - x0) ** 2 + (y - y0) ** 2) ** 0.5, 0.1)
        dx, dy = (x - x0) / length * 9, (y - y0) / length * 9
        corners = ((x, y), (x - dx - dy * 0.45, y - dy + dx * 0.45), (x - dx + dy * 0.45, y - dy - dx * 0.45))
        self.add(f'<polygon points="{" ".join(f"{number(a)},{number(b)}" for a, b in corners)}" class="head"/>')

    def cross(self, x: float, y: float, arm: float = 6) -> None:
        """A thick cross: a message does not arrive, or an application has stopped."""
        for rise in (-arm, arm):
            self.line([(x - arm, y - rise), (x + arm, y + rise)], "line thick")

    def __str__(self) -> str:
        width, height = self._size.split()
        size = f'width="{width}" height="{height}" viewBox="0 0 {self._size}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
        body = [f"<title>{escape(showable(self._title))}</title>", f"<style>{STYLE}</style>", *self._parts]
        return "\n".join([head, *body, "</svg>"]) + "\n"


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""
