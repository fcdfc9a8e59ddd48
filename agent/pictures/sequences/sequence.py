"""Sequence diagrams of messages, from top to bottom, as SVG and as Mermaid.

The documented steps are beside the picture, each where it begins. Every part of a step has the step's number in a
circle, which is filled where the step is complete.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from attrs import define, field, frozen

from ..drawing.svg import FONT_PX, Drawing, width_of, wrapped
from .messages import Message, lifelines_of, messages_of

__all__ = ["DocumentedStep", "Message", "lifelines_of", "messages_of", "sequence_mermaid", "sequence_svg"]

_SMALL_PX, _STRONG_PX = 11, 14.5
"""The size of small text, and the size that bold text counts as for its width, in px."""
_TITLE_PX, _HEAD_PX, _BAND_PX = 40, 30, 20
_STEPS_PX, _BADGE_PX, _TIME_PX = 225, 20, 76
_ARROW_PX, _SELF_PX, _NOTE_LINE_PX, _SMALL_LINE_PX, _GAP_PX = 15, 16, 17, 14, 13
_WORDS_PX, _NOTE_WORDS_PX = 270, 460
"""The width in px at which the text of a message, and of a note, is wrapped."""


@frozen
class DocumentedStep:
    """A step of a document: its number or letter, its text, and the positions of the messages that show it."""

    label: str
    text: str
    rows: tuple[int, ...]


def sequence_svg(
    title: str,
    lifelines: Sequence[str],
    messages: Sequence[Message],
    steps: Sequence[DocumentedStep] = (),
    hosts: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The picture as SVG; `hosts` maps each host to its lifelines, which are side by side."""
    return str(_Picture(title, tuple(lifelines), tuple(messages), tuple(steps), hosts or {}).drawn())


def sequence_mermaid(
    lifelines: Sequence[str], messages: Sequence[Message], steps: Sequence[DocumentedStep] = ()
) -> str:
    """The same as a Mermaid sequence diagram; a step's number is before the message that completes the step."""
    return "\n".join(("sequenceDiagram", *(f"    {line}" for line in _mermaid(lifelines, messages, steps)))) + "\n"


def _mermaid(lifelines: Sequence[str], messages: Sequence[Message], steps: Sequence[DocumentedStep]) -> Iterator[str]:
    who = {name: f"P{number}" for number, name in enumerate(lifelines)}
    completed = {max(step.rows): "" for step in steps}
    for step in steps:
        completed[max(step.rows)] += f"({step.label}) "
    yield from (f"participant {who[name]} as {_plain(name)}" for name in lifelines)
    numbered = ((message, completed.get(row, "") + _plain(message.text)) for row, message in enumerate(messages))
    for (is_note, source), group in itertools.groupby(numbered, lambda each: (_is_note(each[0]), each[0].source)):
        if is_note:
            yield f"Note over {who[source]}: {'<br/>'.join(text for _, text in group)}"
        else:
            for message, text in group:
                arrow = {"lost": "--x", "result": "-->>"}.get(message.kind, "->>")
                yield f"{who[message.source]}{arrow}{who[message.target]}: {text}"


def _plain(text: str) -> str:
    """Text without the characters that Mermaid reads as the end of a statement or as a character code."""
    return text.replace(";", ",").replace("#", "#35;").replace("\n", "<br/>")


@define
class _Picture:
    """A picture in the making: the layout is computed first, because its height must be known before drawing."""

    title: str
    lifelines: tuple[str, ...]
    messages: tuple[Message, ...]
    steps: tuple[DocumentedStep, ...]
    hosts: Mapping[str, Sequence[str]]
    xs: dict[str, float] = field(init=False)
    ys: list[float] = field(factory=list[float])
    labels: list[tuple[float, DocumentedStep]] = field(factory=list[tuple[float, DocumentedStep]])
    width: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.xs = dict(zip(self.lifelines, self._columns(), strict=True))
        last = self.lifelines[-1]
        notes = max((self.xs[m.source] + _note_width(m) / 2 for m in self.messages if _is_note(m)), default=0)
        self.width = max(self.xs[last] + _head_width(last) / 2, notes) + 14

    # Layout.

    @property
    def _left(self) -> float:
        steps = _STEPS_PX + _BADGE_PX * self._badges_at_most if self.steps else 0
        return 14 + steps + (_TIME_PX if self._is_timed else 0)

    @property
    def _badges_at_most(self) -> int:
        return max((len(self._steps_at(row)) for row in range(len(self.messages))), default=0)

    @property
    def _is_timed(self) -> bool:
        return any(message.at_ms is not None for message in self.messages)

    @property
    def _top(self) -> float:
        return _TITLE_PX + (_BAND_PX if self.hosts else 0)

    def _steps_at(self, row: int) -> list[DocumentedStep]:
        return [step for step in self.steps if row in step.rows]

    def _columns(self) -> Iterator[float]:
        """The x of each lifeline: far enough apart for their heads, and for the texts between them."""
        heads = [_head_width(name) for name in self.lifelines]
        gaps = [(one + other) / 2 + 16 for one, other in itertools.pairwise(heads)]
        for message in sorted(self.messages, key=self._span):
            first, last = sorted((self.lifelines.index(message.source), self.lifelines.index(message.target)))
            missing = _words_width(message) + 20 - sum(gaps[first:last])
            if first < last and missing > 0 and not _is_note(message):
                for gap in range(first, last):
                    gaps[gap] += missing / (last - first)
        x = self._left + heads[0] / 2
        scs = [_note_width(message) / 2 for message in self.messages if _is_note(message)]
        notes_at = next((self.lifelines.index(m.source) for m in self.messages if _is_note(m)), 0)
        x = max(x, self._left + 8 + max(scs, default=0) - sum(gaps[:notes_at]))
        yield x
        for gap in gaps:
            x += gap
            yield x

    def _span(self, message: Message) -> int:
        return abs(self.lifelines.index(message.source) - self.lifelines.index(message.target))

    def _lay_out(self) -> float:
        """Compute the y of every message, below the previous one and not above its step's text; returns the end."""
        y, free = self._top + _HEAD_PX + 4.0, 0.0
        for row, message in enumerate(self.messages):
            y += self._gap_before(row)
            label_px = _NOTE_LINE_PX if _is_note(message) else _height(message)
            for step in self.steps:
                if min(step.rows) == row:
                    y = max(y, free - label_px)
                    free = max(y + label_px, free)
                    self.labels.append((free, step))
                    free += _SMALL_LINE_PX * len(_step_lines(step)) + 5
            y += _height(message)
            self.ys.append(y)
        return max(y, free) + 2 * _GAP_PX

    def _gap_before(self, row: int) -> float:
        message, before = self.messages[row], self.messages[row - 1] if row else None
        if before is None or _is_note(message) != _is_note(before):
            return _GAP_PX + 4
        if not _is_note(message):
            return _GAP_PX
        return 4 if "decision" in (message.kind, before.kind) else 0

    # Drawing.

    def drawn(self) -> Drawing:
        end = self._lay_out()
        drawing = Drawing(self.width, end + _HEAD_PX + 12, self.title)
        drawing.text(14, 26, self.title, "title strong")
        self._draw_lifelines(drawing, end)
        self._draw_notes(drawing)
        for message, y in zip(self.messages, self.ys, strict=True):
            if not _is_note(message):
                self._draw_message(drawing, message, y)
        self._draw_steps(drawing)
        self._draw_times(drawing)
        return drawing

    def _draw_lifelines(self, drawing: Drawing, end: float) -> None:
        for host, on_it in self.hosts.items():
            names = [name for name in self.lifelines if name in on_it]
            if names:
                left = self.xs[names[0]] - _head_width(names[0]) / 2
                right = self.xs[names[-1]] + _head_width(names[-1]) / 2
                drawing.line([(left, self._top - 5), (right, self._top - 5)], "line thick")
                drawing.text((left + right) / 2, self._top - 10, host, "middle strong")
        for name, x in self.xs.items():
            width = _head_width(name)
            drawing.line([(x, self._top + _HEAD_PX), (x, end)], "line dashed faded")
            for y in (self._top, end):
                drawing.box(x - width / 2, y, width, _HEAD_PX)
                drawing.text(x, y + 20, name, "middle")

    def _draw_message(self, drawing: Drawing, message: Message, y: float) -> None:
        x, to = self.xs[message.source], self.xs[message.target]
        if message.source == message.target:
            self._draw_self(drawing, message, x, y)
            return
        lines, is_lost = _lines(message), message.kind == "lost"
        for number, (line, style) in enumerate(lines):
            above = (10 if is_lost else 6) + _ARROW_PX * (len(lines) - 1 - number)
            drawing.text((x + to) / 2, y - above, line, f"middle halo{style}")
        if is_lost:
            cross = x + (to - x) * 0.85
            drawing.line([(x, y), (cross, y)], "line dashed thick")
            drawing.cross(cross, y)
        else:
            drawing.arrow([(x, y), (to, y)], "line dashed" if message.kind == "result" else "line")

    def _draw_self(self, drawing: Drawing, message: Message, x: float, y: float) -> None:
        if message.kind == "lost":
            drawing.cross(x, y - 5)
        else:
            drawing.arrow([(x, y - 10), (x + 22, y - 10), (x + 22, y), (x + 2, y)])
        drawing.text(x + (14 if message.kind == "lost" else 29), y - 1, message.text, "halo")

    def _draw_notes(self, drawing: Drawing) -> None:
        for rows in self._boxes():
            notes = [self.messages[row] for row in rows]
            width, x = max(map(_note_width, notes)), self.xs[notes[0].source]
            top = self.ys[rows[0]] - _height(notes[0]) - 5
            drawing.box(x - width / 2, top, width, self.ys[rows[-1]] - top + 5, "box soft", 4)
            for row, message in zip(rows, notes, strict=True):
                y = self.ys[row] - _height(message)
                for line, style in _lines(message):
                    y += _SMALL_LINE_PX if style else _NOTE_LINE_PX
                    weight = " strong" if message.kind == "decision" and not style else ""
                    drawing.text(x, y - 4, line, f"middle{style}{weight}")

    def _boxes(self) -> Iterator[list[int]]:
        """The positions of the notes that share a box."""
        kinds = [(_is_note(message), message.source) for message in self.messages]
        for (is_note, _), rows in itertools.groupby(range(len(kinds)), kinds.__getitem__):
            if is_note:
                yield list(rows)

    def _draw_steps(self, drawing: Drawing) -> None:
        for y, step in self.labels:
            for number, line in enumerate(_step_lines(step)):
                drawing.text(34, y - 4 + _SMALL_LINE_PX * number, line, "small")
            drawing.text(28, y - 4, step.label, "small strong end")
        for row, message in enumerate(self.messages):
            y = self.ys[row] - (_height(message) - _NOTE_LINE_PX / 2 if _is_note(message) else 4)
            for place, step in enumerate(self._steps_at(row)):
                x, is_complete = 14 + _STEPS_PX + _BADGE_PX * (place + 0.5), row == max(step.rows)
                drawing.box(x - 8, y - 8, 16, 16, "box black" if is_complete else "box", 8)
                drawing.text(x, y + 4, step.label, f"small middle{' strong white' if is_complete else ''}")

    def _draw_times(self, drawing: Drawing) -> None:
        previous_ms = None
        for message, y in zip(self.messages, self.ys, strict=True):
            if message.at_ms is not None and message.at_ms != previous_ms:
                drawing.text(self._left - 14, y, f"{message.at_ms:.1f} ms", "small end")
            previous_ms = message.at_ms


def _is_note(message: Message) -> bool:
    return message.kind in ("note", "decision")


def _lines(message: Message) -> list[tuple[str, str]]:
    """The lines of a message with their styles; the lines of the reason are small."""
    first, *reasons = message.text.split("\n")
    width = _NOTE_WORDS_PX if _is_note(message) else _WORDS_PX
    lines = [(line, "") for line in wrapped(first, width)]
    reason = " ".join((*reasons, f"({message.cite})")) if message.cite else " ".join(reasons)
    return lines + [(line, " small faint") for line in _balanced(reason, width) if line]


def _balanced(text: str, width_px: float) -> list[str]:
    """Small text in as few lines as possible, all of about the same length."""
    lines = wrapped(text, width_px, _SMALL_PX)
    narrower = width_of(text, _SMALL_PX) / len(lines)
    while len(balanced := wrapped(text, narrower, _SMALL_PX)) > len(lines):
        narrower += _SMALL_PX
    return balanced


def _words_width(message: Message) -> float:
    size_px = _STRONG_PX if message.kind == "decision" else FONT_PX
    return max(width_of(line, _SMALL_PX if style else size_px) for line, style in _lines(message))


def _note_width(message: Message) -> float:
    return _words_width(message) + 20


def _height(message: Message) -> float:
    lines = _lines(message)
    if _is_note(message):
        return sum(_SMALL_LINE_PX if style else _NOTE_LINE_PX for _, style in lines)
    return (
        _SELF_PX if message.source == message.target else _ARROW_PX * len(lines) + (6 if message.kind == "lost" else 2)
    )


def _head_width(name: str) -> float:
    return width_of(name) + 20


def _step_lines(step: DocumentedStep) -> list[str]:
    return wrapped(step.text, _STEPS_PX - 30, _SMALL_PX)
