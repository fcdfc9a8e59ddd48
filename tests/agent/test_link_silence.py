"""Silence: when it counts, and when this process itself was stalled."""

import asyncio
import time
from collections.abc import Callable

import pytest
from switchover.drivers.errors import DriverError
from switchover.drivers.link.silence import LinkTiming, SilenceWatch

SPAN_MS, HEARTBEAT_MS = 100, 20


@pytest.mark.parametrize("detection_ms", [29, 0, -1, 60_001])
def test_detection_times_out_of_range_are_refused(detection_ms: int):
    """The error names the limits."""
    with pytest.raises(DriverError, match=r"detection_ms is .*: 30 to 60000 are allowed"):
        LinkTiming(detection_ms)


@pytest.mark.parametrize(("detection_ms", "expected"), [(30, (6, 15)), (1000, (200, 500)), (60_000, (12_000, 30_000))])
def test_heartbeat_and_silence_times_follow_from_the_detection_time(detection_ms: int, expected: tuple[int, int]):
    """Five heartbeats in a detection time, silence after half of it."""
    timing = LinkTiming(detection_ms)
    assert (timing.heartbeat_ms, timing.silent_ms) == expected


def watch_during(scenario: Callable[["Watched"], None], read: Callable[["Watched"], None] = lambda _: None) -> int:
    """How often a watch that was fed once reports its peer silent."""

    async def run() -> int:
        watched = Watched(read)
        watched.watch.heard()
        scenario(watched)
        await asyncio.sleep(8 * SPAN_MS / 1000)
        watched.watch.stop()
        return watched.overdue

    return asyncio.run(run())


class Watched:
    """A watch, with counts of its calls."""

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


def test_silence_is_reported_once():
    """However long the silence lasts."""
    assert watch_during(lambda _: None) == 1


def test_silence_after_a_stall_is_reported():
    """A stall only delays the verdict."""
    assert watch_during(stall) == 1


def test_waiting_messages_are_read_before_silence_is_reported():
    """A peer whose messages wait unread is not silent."""
    assert watch_during(stall, read=lambda watched: watched.watch.heard()) == 0


def test_messages_that_arrive_after_a_stall_are_waited_for():
    """After a stall the first look finds nothing yet: the transport has not been running either."""

    def arrives_late(watched: Watched) -> None:
        if watched.reads >= 2:
            watched.watch.heard()

    assert watch_during(stall, read=arrives_late) == 0


def test_repeated_stalls_do_not_put_the_verdict_off_for_ever():
    """A process that is never on time must come to a verdict all the same."""

    def stall_again(watched: Watched) -> None:
        if watched.overdue == 0:
            asyncio.get_running_loop().call_soon(time.sleep, 2.5 * HEARTBEAT_MS / 1000)

    assert watch_during(stall, read=stall_again) == 1


def test_a_stopped_watch_reports_nothing():
    """Neither before its time nor when it is stopped during its last look."""
    assert watch_during(lambda watched: watched.watch.stop()) == 0
    assert watch_during(lambda _: None, read=lambda watched: watched.watch.stop()) == 0


def test_a_watch_starts_again_when_the_peer_is_heard():
    """Silence, a sign of life, silence: two reports."""

    def hear_later(watched: Watched) -> None:
        asyncio.get_running_loop().call_later(4 * SPAN_MS / 1000, watched.watch.heard)

    assert watch_during(hear_later) == 2
