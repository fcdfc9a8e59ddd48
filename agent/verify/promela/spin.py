"""What SPIN is run with, what it is asked, and what it says."""

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
"""What SPIN judges. `REACHABLE` is no sentence about one run; it follows where all of `HEALED` and `AT_REST` hold."""

_OPTIONS = ("-DNOFAIR", "-DNOREDUCE", "-DMEMLIM=16000")
BUILD = (
    ("spin", "-a", "model.pml"),
    ("gcc", "-O2", "-w", "-DSAFETY", "-DNOCLAIM", "-DNOCOMP", *_OPTIONS, "-o", "worlds", "pan.c"),
    ("gcc", "-O2", "-w", *_OPTIONS, "-o", "cycles", "pan.c"),
)
"""What makes two verifiers of `model.pml`: one that looks at all worlds, and one for cycles, which meets them twice."""


def search(found: Exploration, judged: Property | None = None) -> tuple[str, ...]:
    """What to run to have a property judged: it holds if no error is found. With none, worlds are only counted."""
    worlds = len(found.worlds)
    bits = f"-w{worlds.bit_length() + 2}"
    if judged is AT_REST:
        return "./cycles", "-a", "-n", f"-m{4 * worlds + 100}", bits
    number = PROPERTIES.index(judged) + 1 if judged else 0
    return "env", f"PROPERTY={number}", "./worlds", "-n", f"-m{worlds + 100}", bits


@frozen
class Report:
    """What SPIN said: states stored, transitions taken, errors found, seconds of the search."""

    states: int
    transitions: int
    errors: int
    seconds: float


def read_report(text: str) -> Report:
    """Read what SPIN's verifier prints."""

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
