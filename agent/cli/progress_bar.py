"""A progress bar drawn by `rich` (extra `terminal`), which honours NO_COLOR and adapts to the terminal."""

import sys

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_BAR_WIDTH = 24


def bar_line(title: str, whole: int | None, done: int, amount: str, text: str, width: int) -> str:
    """One line: a title, a bar, how much is done, and a text. If the whole is not known, the bar only moves.

    It is at most `width` columns wide. If even the bar does not fit, the line is cut off.
    """
    console = Console(file=sys.stderr, width=width)
    dim = Text(text, style="dim")
    dim.truncate(max(width - len(title) - _BAR_WIDTH - len(amount) - 3, 0), overflow="ellipsis")
    bar = ProgressBar(total=whole, completed=done, width=_BAR_WIDTH, pulse=whole is None)
    row = Table.grid(padding=(0, 1))
    row.add_row(title, bar, Text(amount), dim)
    with console.capture() as drawn:
        console.print(row, end="", no_wrap=True)
    return drawn.get().partition("\n")[0]
