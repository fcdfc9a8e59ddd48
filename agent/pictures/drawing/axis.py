"""A time axis for events that are milliseconds apart, followed by pauses of seconds.

Every moment of an event is on the axis. Time is to scale between them, with two visible exceptions: intervals too
narrow to read are stretched, and a long pause among short ones is broken.
"""

import enum
import itertools
from collections.abc import Sequence

from attrs import frozen

NARROWEST_PX = 46
"""The width that the label of a moment needs."""
BROKEN_PX = 110
_MUCH_LONGER = 10


class Scale(enum.Enum):
    """How the time between two moments is drawn."""

    TRUE = "to scale"
    STRETCHED = "stretched"
    BROKEN = "broken"


@frozen
class Piece:
    """The part of the axis between two moments: its times in ms, its ends in px."""

    begin_ms: float
    end_ms: float
    left: float
    right: float
    scale: Scale


@frozen
class Axis:
    """The axis from the first moment to the last, in pieces; with a single moment there are none."""

    left: float
    instants: tuple[float, ...]
    pieces: tuple[Piece, ...]

    def x(self, at_ms: float) -> float:
        """The place of a moment, in px; it must be one of the moments from which the axis was made."""
        return next((piece.right for piece in self.pieces if piece.end_ms == at_ms), self.left)


def axis_of(instants: Sequence[float], left: float, right: float) -> Axis:
    """The axis for these moments, in ms and ascending, between two places in px."""
    ends = list(itertools.pairwise(instants))
    gaps = [end - begin for begin, end in ends]
    narrowest = min(NARROWEST_PX, 0.8 * (right - left) / max(len(gaps), 1))
    longest = _longest_to_scale(gaps, narrowest, right - left)
    widths = _widths(gaps, longest, narrowest, right - left)
    pieces, x = list[Piece](), left
    for (begin, end), (width, scale) in zip(ends, widths, strict=True):
        pieces.append(Piece(begin, end, x, x + width, scale))
        x += width
    return Axis(left, tuple(instants), tuple(pieces))


def _longest_to_scale(gaps: Sequence[float], narrowest: float, width: float) -> float:
    """The longest gap that is drawn to scale; longer ones are broken.

    Gaps are only broken if at least half of them would be too narrow, and some are much longer than all shorter ones.
    """
    squeezed = [gap for gap in gaps if gap * width / sum(gaps) < narrowest]
    rising = sorted(gaps)
    if 2 * len(squeezed) >= len(gaps):
        for count in reversed(range(1, len(rising))):
            if rising[count] > _MUCH_LONGER * sum(rising[:count]):
                return rising[count - 1]
    return max(gaps, default=0.0)


def _widths(gaps: Sequence[float], longest: float, narrowest: float, width: float) -> list[tuple[float, Scale]]:
    """The width and scale of each piece: to scale wherever possible."""
    broken = [gap > longest for gap in gaps]
    broken_px = min(BROKEN_PX, width / max(len(gaps), 1))
    stretched = [False] * len(gaps)
    while True:
        fixed = broken_px * sum(broken) + narrowest * sum(stretched)
        free = sum(gap for gap, *is_fixed in zip(gaps, broken, stretched, strict=True) if not any(is_fixed))
        px_per_ms = (width - fixed) / free if free else 0.0
        now = [
            not is_broken and (was or gap * px_per_ms < narrowest)
            for gap, is_broken, was in zip(gaps, broken, stretched, strict=True)
        ]
        if now == stretched:
            break
        stretched = now
    return [
        (broken_px, Scale.BROKEN) if b else (narrowest, Scale.STRETCHED) if s else (gap * px_per_ms, Scale.TRUE)
        for gap, b, s in zip(gaps, broken, stretched, strict=True)
    ]


def duration_text(ms: float) -> str:
    """A duration in words, with a useful precision.

    >>> [duration_text(ms) for ms in (0, 8.26, 999.96, 58_800, 3_723_400)]
    ['0.0 ms', '8.3 ms', '1.00 s', '58.80 s', '62 min 3.4 s']
    """
    if round(ms, 1) < 1000:
        return f"{ms:.1f} ms"
    minutes, seconds = divmod(round(ms / 1000, 2), 60)
    return f"{int(minutes)} min {seconds:.1f} s" if minutes else f"{seconds:.2f} s"
