"""Runs a test file as a program that can import `support` as under pytest."""

import runpy
import sys
from pathlib import Path


def command(file: str, *arguments: str) -> list[str]:
    """The command that runs a test file as a program; warnings are errors."""
    return [sys.executable, "-W", "error", __file__, file, *arguments]


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    del sys.argv[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
