"""The commands that build and run SPIN's verifiers, and the reading of what they print."""

import re

from attrs import frozen

from ..exploring.explorer import Exploration
from ..properties.always import (
    AT_REST,
    HEALED,
    LEFT_BEHIND,
    STEP_RULES,
    TWO_HOLDERS,
    Property,
)

PROPERTIES = (*(rule.property for rule in STEP_RULES), LEFT_BEHIND, TWO_HOLDERS, *HEALED, AT_REST)
"""The properties that SPIN judges. `REACHABLE` is no property of a single run; `HEALED` and `AT_REST` imply it."""

_OPTIONS = ("-DNOFAIR", "-DNOREDUCE", "-DMEMLIM=16000")
BUILD = (
    ("spin", "-a", "model.pml"),
    ("gcc", "-O2", "-w", "-DSAFETY", "-DNOCLAIM", "-DNOCOMP", *_OPTIONS, "-o", "worlds", "pan.c"),
    ("gcc", "-O2", "-w", *_OPTIONS, "-o", "cycles", "pan.c"),
)
"""Builds two verifiers of `model.pml`: one that visits all worlds, and one for cycles, which visits them twice."""


def search(found: Exploration, judged: Property | None = None) -> tuple[str, ...]:
    """The command that judges a property, which holds if no error is found; without a property, it counts worlds."""
    worlds = len(found.worlds)
    bits = f"-w{worlds.bit_length() + 2}"
    if judged is AT_REST:
        return "./cycles", "-a", "-n", f"-m{4 * worlds + 100}", bits
    number = PROPERTIES.index(judged) + 1 if judged else 0
    return "env", f"PROPERTY={number}", "./worlds", "-n", f"-m{worlds + 100}", bits


@frozen
class Report:
    """SPIN's results: states stored, transitions taken, errors found, and the duration of the search in seconds."""

    states: int
    transitions: int
    errors: int
    seconds: float


def read_report(text: str) -> Report:
    """Read the output of SPIN's verifier. Raises `ValueError` if it did not finish its search."""

    def number(pattern: str) -> str:
        found = re.search(pattern, text)
        if found is None or "max search depth too small" in text or "out of memory" in text:
            raise ValueError(f"SPIN's verifier did not finish its search; it printed:\n{text}")
        return found[1]

    return Report(
        int(number(r"(\d+) states, stored")),
        int(number(r"(\d+) transitions")),
        int(number(r"errors: (\d+)")),
        float(number(r"elapsed time ([\d.e+-]+)")),
    )
