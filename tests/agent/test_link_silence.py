"""Silence: when it counts, and when it is this process's own fault."""

import asyncio
import time
from collections.abc import Callable

import pytest
from switchover.drivers.errors import DriverError
from switchover.drivers.link.silence import LinkTiming, SilenceWatch

SPAN_MS, HEARTBEAT_MS = 100, 20


@pytest.mark.parametrize("detection_ms", [29, 0, -1, 60_001])
def test_detection_times_out_of_range(detection_ms: int):
    """The error names the limits."""
    with pytest.raises(DriverError, match=r"detection_ms is .*: 30 to 60000 are allowed"):
        LinkTiming(detection_ms)


@pytest.mark.parametrize(("detection_ms", "expected"), [(30, (6, 15)), (1000, (200, 500)), (60_000, (12_000, 30_000))])
def test_derived_times(detection_ms: int, expected: tuple[int, int]):
    """Five heartbeats in a detection time, silence after half of it."""
    timing = LinkTiming(detection_ms)
    assert (timing.heartbeat_ms, timing.silent_ms) == expected


def watch_during(scenario: Callable[["Watched"], None], read: Callable[["Watched"], None] = lambda _: None) -> int:
    """How often a watch that has heard something once found its peer silent in the end."""

    async def run() -> int:
        watched = Watched(read)
        watched.watch.heard()
        scenario(watched)
        await asyncio.sleep(8 * SPAN_MS / 1000)
        watched.watch.stop()
        return watched.overdue

    return asyncio.run(run())


class Watched:
    """A watch, and how often it called."""

    def __init__(self, read: Callable[["Watched"], None]) -> None:
        self.overdue = 0
        self.reads = 0
        self._read = read
        self.watch = SilenceWatch(SPAN_MS, HEARTBEAT_MS, self.read, self.found_silent)

    def read(self) -> None:
        self.reads += 1
        self._read(self)

    def found_silent(self) -> None:
        self.overdue += 1


def stall(_: Watched) -> None:
    """Keep the loop from running for far longer than the peer may be silent."""
    time.sleep(3 * SPAN_MS / 1000)


def test_silence_is_told_once():
    """However long it lasts."""
    assert watch_during(lambda _: None) == 1


def test_silence_after_a_stall_is_told():
    """A stall puts the verdict off, not away."""
    assert watch_during(stall) == 1


def test_what_waits_is_read_before_silence_is_told():
    """A peer whose messages wait unread is not silent."""
    assert watch_during(stall, read=lambda watched: watched.watch.heard()) == 0


def test_what_arrives_after_a_stall_is_waited_for():
    """After a stall the first look finds nothing yet: the transport has not been running either."""

    def arrives_late(watched: Watched) -> None:
        if watched.reads >= 2:
            watched.watch.heard()

    assert watch_during(stall, read=arrives_late) == 0


def test_a_stall_in_every_look_ends_the_patience():
    """A process that is never on time must come to a verdict all the same."""

    def stall_again(watched: Watched) -> None:
        if watched.overdue == 0:
            asyncio.get_running_loop().call_soon(time.sleep, 2.5 * HEARTBEAT_MS / 1000)

    assert watch_during(stall, read=stall_again) == 1


def test_a_watch_that_was_stopped_tells_nothing():
    """Neither before its time nor when it is stopped in the middle of its last look."""
    assert watch_during(lambda watched: watched.watch.stop()) == 0
    assert watch_during(lambda _: None, read=lambda watched: watched.watch.stop()) == 0


def test_a_watch_starts_again_when_something_is_heard():
    """Silence, a sign of life, silence: told twice."""

    def hear_later(watched: Watched) -> None:
        asyncio.get_running_loop().call_later(4 * SPAN_MS / 1000, watched.watch.heard)

    assert watch_during(hear_later) == 2
