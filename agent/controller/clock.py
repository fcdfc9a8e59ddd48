"""Where the agent has the time from: the machine's clocks, or those of a simulation."""

import time
from collections.abc import Callable

from attrs import frozen


@frozen
class Clock:
    """The time of day in ns since 1970, and a time that only rises, in ns: by default CLOCK_MONOTONIC."""

    wall_ns: Callable[[], int] = time.time_ns
    mono_ns: Callable[[], int] = time.monotonic_ns


CLOCK = Clock()
"""The machine's."""
