"""A time axis for what crowds within milliseconds and then rests for seconds.

Every moment at which something happened is on the axis, and time is to scale between them, with two exceptions that
can be seen: what would be too narrow to be read is stretched, and a long wait among short ones is broken.
"""

import enum
import itertools
from collections.abc import Sequence

from attrs import frozen

NARROWEST_PX = 46
"""What a time's label needs."""
BROKEN_PX = 110
_MUCH_LONGER = 10


class Scale(enum.Enum):
    """Whether time is to scale between two moments."""

    TRUE = "to scale"
    STRETCHED = "stretched"
    BROKEN = "broken"


@frozen
class Piece:
    """The axis between two moments: its times in ms, its ends in px."""

    begin_ms: float
    end_ms: float
    left: float
    right: float
    scale: Scale


@frozen
class Axis:
    """From the first moment to the last, in pieces; a single moment has none."""

    left: float
    instants: tuple[float, ...]
    pieces: tuple[Piece, ...]

    def x(self, at_ms: float) -> float:
        """Where a moment is, in px; it must be one of those of which the axis was made."""
        return next((piece.right for piece in self.pieces if piece.end_ms == at_ms), self.left)


def axis_of(instants: Sequence[float], left: float, right: float) -> Axis:
    """The axis for these moments, in ms, rising; from one place to another, in px."""
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
    """What is longer than this is broken: where half of all would be too narrow, those that are much longer."""
    squeezed = [gap for gap in gaps if gap * width / sum(gaps) < narrowest]
    rising = sorted(gaps)
    if 2 * len(squeezed) >= len(gaps):
        for count in reversed(range(1, len(rising))):
            if rising[count] > _MUCH_LONGER * sum(rising[:count]):
                return rising[count - 1]
    return max(gaps, default=0.0)


def _widths(gaps: Sequence[float], longest: float, narrowest: float, width: float) -> list[tuple[float, Scale]]:
    """Each piece's width: as much to scale as can be."""
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
    """A duration for people, as exact as it is of use.

    >>> [duration_text(ms) for ms in (0, 8.26, 999.96, 58_800, 3_723_400)]
    ['0.0 ms', '8.3 ms', '1.00 s', '58.80 s', '62 min 3.4 s']
    """
    if round(ms, 1) < 1000:
        return f"{ms:.1f} ms"
    minutes, seconds = divmod(round(ms / 1000, 2), 60)
    return f"{int(minutes)} min {seconds:.1f} s" if minutes else f"{seconds:.2f} s"
