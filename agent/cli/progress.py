"""The progress of long work, shown only if standard error is a terminal.

It is a bar if `rich` is installed (extra `terminal`), else a line that is overwritten. It is drawn only when the work
reports progress, so that it does not disturb what is being measured. It vanishes when the work is done, or when a line
is printed.
"""

import importlib.util
import os
import sys
import time
from abc import ABC, abstractmethod
from typing import Protocol, TextIO

QUIET_FOR_S, AT_MOST_EVERY_S = 2.0, 0.5
"""Nothing is drawn in the first `QUIET_FOR_S` seconds; after that, at most every `AT_MOST_EVERY_S` seconds."""


class Progress(Protocol):
    """A display of progress."""

    def at(self, done: int, text: str) -> None:
        """Show that `done` units of the whole are done (if the whole is known), with a text."""
        ...

    def print(self, line: str, file: TextIO | None = None) -> None:
        """Print a line in place of the bar, by default on standard output. The line stays."""
        ...

    def close(self) -> None:
        """Remove the display."""
        ...


def progress(title: str, whole: int | None = None) -> Progress:
    """The display for this work; `whole` is its size in units (None: not known)."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return Unseen()
    return Line(title, whole) if importlib.util.find_spec("rich") is None else Bar(title, whole)


class Unseen:
    """No display: standard error is not a terminal."""

    def at(self, done: int, text: str) -> None:
        """Draw nothing."""

    def print(self, line: str, file: TextIO | None = None) -> None:
        """Print the line."""
        print(line, file=file, flush=True)

    def close(self) -> None:
        """Do nothing: nothing was drawn."""


class Drawn(ABC):
    """The common part of bars and lines: when they are drawn and removed."""

    def __init__(self, title: str, whole: int | None) -> None:
        self.title, self.whole = title, whole
        self._began = time.monotonic()
        self._due = self._began + QUIET_FOR_S
        self._is_drawn = False

    def at(self, done: int, text: str) -> None:
        """Draw it, unless it is too early."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + AT_MOST_EVERY_S
            amount = "" if self.whole is None else f"{done} of {self.whole}, "
            line = self.line(done, f"{amount}{now - self._began:.0f} s", text, _width())
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
            self._is_drawn = True

    def print(self, line: str, file: TextIO | None = None) -> None:
        """Print the line in place of the bar; the bar comes back with the next progress."""
        self.close()
        print(line, file=file, flush=True)

    def close(self) -> None:
        """Remove what was drawn."""
        if self._is_drawn:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._is_drawn = False

    @abstractmethod
    def line(self, done: int, amount: str, text: str, width: int) -> str:
        """The line to draw: at most `width` columns wide, without a line end."""


class Line(Drawn):
    """One line that is overwritten."""

    def line(self, done: int, amount: str, text: str, width: int) -> str:
        """`lab: 3 of 20, 7 s: failure`."""
        return f"{self.title}: {amount}: {text}"[:width]


class Bar(Drawn):
    """A bar. It needs `rich`."""

    def line(self, done: int, amount: str, text: str, width: int) -> str:
        """The title, the bar, how much is done, and the text."""
        from .progress_bar import bar_line

        return bar_line(self.title, self.whole, done, amount, text, width)


def _width() -> int:
    """The width of the terminal, less one column for the cursor; 79 if the terminal does not report it."""
    return (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1
