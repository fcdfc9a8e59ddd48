"""Shrinking: the shortest list of faults that is found under which a property still does not hold."""

from collections.abc import Callable, Sequence

from ...configuration.settings import Configuration
from .faults import Fault
from .run import Outcome, simulate

LONGEST_TRIES = 60
"""How many runs a shrinking may take."""


def shrink(
    configuration: Configuration, failed: Outcome, minutes: float, tried: Callable[[int], None] = lambda _: None
) -> Outcome:
    """The run with the fewest faults that breaks the property that was broken first; `tried` gets the runs so far.

    What came after the first violation is left out at once. Then halves, quarters and so on are tried without, and at
    last each fault by itself.
    """
    name, tries, best = failed.violations[0].property, 0, failed

    def fails(faults: Sequence[Fault]) -> bool:
        nonlocal tries, best
        if tries >= LONGEST_TRIES:
            return False
        tries += 1
        tried(tries)
        end_ms = max((fault.at_ms + fault.for_ms for fault in faults), default=0)
        outcome = simulate(configuration, failed.seed, faults, min(end_ms / 60_000, minutes))
        if any(violation.property == name for violation in outcome.violations):
            best = outcome
            return True
        return False

    fails([fault for fault in failed.faults if fault.at_ms <= failed.violations[0].at_ms])
    size = max(len(best.faults) // 2, 1)
    while tries < LONGEST_TRIES:
        at, is_smaller = 0, False
        while at < len(best.faults):
            if fails((*best.faults[:at], *best.faults[at + size :])):
                is_smaller = True
            else:
                at += size
        if size == 1 and not is_smaller:
            break
        size = max(size // 2, 1)
    return best
