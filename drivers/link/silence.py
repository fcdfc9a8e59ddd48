"""When a peer counts as silent: the times that follow from the detection time, and a watch for silence."""

import asyncio
from collections.abc import Callable

from attrs import Attribute, field, frozen

from ..errors import DriverError

MIN_DETECTION_MS = 30
MAX_DETECTION_MS = 60_000
_HEARTBEATS = 5
_SECOND_LOOK_S = 0.002
_MAX_LOOKS = 10

RECONNECT_MS = 35
"""How often a host that does not answer is called, in milliseconds."""

_MIN_CONNECT_MS = RECONNECT_MS - 10
_MIN_CALL_MS = 1000
_ROUND_TRIPS = 10


def _in_range(_: object, attribute: "Attribute[int]", value: int) -> None:
    if not MIN_DETECTION_MS <= value <= MAX_DETECTION_MS:
        allowed = f"{MIN_DETECTION_MS} to {MAX_DETECTION_MS} are allowed"
        raise DriverError(f"{attribute.name} is {value}: {allowed}")


@frozen
class LinkTiming:
    """The times of a link in milliseconds, derived from the detection time (30 to 60000 ms; else `DriverError`).

    >>> timing = LinkTiming(detection_ms=1000)
    >>> timing.heartbeat_ms, timing.silent_ms, timing.connect_ms, timing.call_ms, timing.round_trip_ms
    (200, 500, 200, 1000, 100)
    """

    detection_ms: int = field(validator=_in_range)

    @property
    def heartbeat_ms(self) -> int:
        """The time between two heartbeats: four can be lost."""
        return self.detection_ms // _HEARTBEATS

    @property
    def connect_ms(self) -> int:
        """How long the kernel may take to connect: the time of a heartbeat. A host farther away is never connected."""
        return max(self.heartbeat_ms, _MIN_CONNECT_MS)

    @property
    def call_ms(self) -> int:
        """How long a call may take, from the connection to the first answer; then the host is called anew."""
        return max(self.detection_ms, _MIN_CALL_MS)

    @property
    def round_trip_ms(self) -> int:
        """The longest round trip that is advisable: a call takes about six, and a lost frame some more."""
        return self.detection_ms // _ROUND_TRIPS

    @property
    def silent_ms(self) -> int:
        """After this long without a sign of life, a peer has fallen silent."""
        return self.detection_ms // 2


def detection_ms_for(round_trip_ms: int) -> int:
    """The shortest advisable detection time of a host with this round trip, in milliseconds."""
    return _ROUND_TRIPS * round_trip_ms


class SilenceWatch:
    """Calls `overdue` once when nothing was heard for `span_ms`, and not again until something was heard.

    Before that it reads all queued messages twice (`read`). If the check itself comes late, this process was not
    running, which says nothing about the peer: what it sent may still be in the kernel or the transport's thread, and
    gets another heartbeat's time to arrive. The tenth late check in a row decides all the same.
    """

    def __init__(self, span_ms: int, heartbeat_ms: int, read: Callable[[], None], overdue: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._span_s = span_ms / 1000
        self._heartbeat_s = heartbeat_ms / 1000
        self._read = read
        self._overdue = overdue
        self._heard_at = 0.0
        self._looks = 0
        self._timer: asyncio.TimerHandle | None = None

    def heard(self) -> None:
        """Report that the peer was heard just now. Cheap: a running timer is not restarted, but checks when it ends."""
        self._heard_at = self._loop.time()
        if self._timer is None:
            self._look_first()

    def stop(self) -> None:
        """Stop watching until the peer is heard again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_first(self) -> None:
        self._looks = 0
        self._look_at(self._heard_at + self._span_s - _SECOND_LOOK_S)

    def _look_at(self, when: float) -> None:
        self._timer = self._loop.call_at(when, self._look, when)

    def _look(self, due: float) -> None:
        timer = self._timer
        late_s = self._loop.time() - due
        heard_before = self._heard_at
        try:
            self._read()
        except BaseException:
            self._look_at(self._loop.time() + self._heartbeat_s)  # silence must not go unnoticed, even after an error
            raise
        if self._timer is not timer:
            return  # a message that was read has stopped this watch
        self._looks += 1
        if self._heard_at > heard_before or self._heard_at + self._span_s - _SECOND_LOOK_S > self._loop.time():
            self._look_first()
        elif late_s > self._heartbeat_s and self._looks < _MAX_LOOKS:
            self._look_at(self._loop.time() + self._heartbeat_s)
        elif self._looks == 1:
            self._look_at(self._heard_at + self._span_s)
        else:
            self._timer = None
            self._overdue()
