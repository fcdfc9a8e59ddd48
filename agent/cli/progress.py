"""How far long work is, for a person who waits at a terminal; nobody else is told.

A bar, if `rich` is installed (extra `terminal`), or a line that is written over. Both are on standard error, are drawn
when the work says how far it is and at no other time, which must not disturb what is measured, and vanish when it is
done, or when something else is printed.
"""

import importlib.util
import os
import sys
import time
from abc import ABC, abstractmethod
from typing import Protocol, TextIO

QUIET_FOR_S, AT_MOST_EVERY_S = 2.0, 0.5
"""Work that is done so soon is not worth a bar; nor is it drawn more often than this, in seconds."""


class Progress(Protocol):
    """What is told how far the work is."""

    def at(self, done: int, text: str) -> None:
        """So much is done of the whole, if that is known, and this is to be said of it."""
        ...

    def print(self, line: str, file: TextIO | None = None) -> None:
        """A line for good, on standard output unless told otherwise, in the place of the bar."""
        ...

    def close(self) -> None:
        """Take away what was drawn."""
        ...


def progress(title: str, whole: int | None = None) -> Progress:
    """What shows the progress of this work, of which `whole` is the amount (None: not known)."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return Unseen()
    if importlib.util.find_spec("rich") is None:
        return Line(title, whole)
    from .progress_bar import Bar

    return Bar(title, whole)


class Unseen:
    """Nobody watches."""

    def at(self, done: int, text: str) -> None:
        """Nothing is drawn."""

    def print(self, line: str, file: TextIO | None = None) -> None:
        """A line, as ever."""
        print(line, file=file, flush=True)

    def close(self) -> None:
        """There is nothing to take away."""


class Drawn(ABC):
    """What bars and lines have in common: when they are drawn, and that they are taken away."""

    def __init__(self, title: str, whole: int | None) -> None:
        self.title, self.whole = title, whole
        self._began = time.monotonic()
        self._due = self._began + QUIET_FOR_S
        self._is_drawn = False

    def at(self, done: int, text: str) -> None:
        """Draw it, unless it is too early for that."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + AT_MOST_EVERY_S
            amount = "" if self.whole is None else f"{done} of {self.whole}, "
            line = self.line(done, f"{amount}{now - self._began:.0f} s", text, _width())
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
            self._is_drawn = True

    def print(self, line: str, file: TextIO | None = None) -> None:
        """Write the line where the bar was; the bar comes back when there is news."""
        self.close()
        print(line, file=file, flush=True)

    def close(self) -> None:
        """Take away what was drawn."""
        if self._is_drawn:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._is_drawn = False

    @abstractmethod
    def line(self, done: int, amount: str, text: str, width: int) -> str:
        """What is drawn: no wider than `width`, and without the end of a line."""


class Line(Drawn):
    """One line that is written over."""

    def line(self, done: int, amount: str, text: str, width: int) -> str:
        """`lab: 3 of 20, 7 s: failure`."""
        return f"{self.title}: {amount}: {text}"[:width]


def _width() -> int:
    """How much fits into a line of the terminal, less the place of the cursor; 79 if the terminal does not say."""
    return (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1
