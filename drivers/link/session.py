"""What both ends of a link share: a session's numbers and clocks, and a bounded log of refused messages.

A session is one attempt of the agent to talk to a host; its id is random. Its messages have rising numbers, so each
takes effect at most once and never after a later one. Neither side trusts the other's clock: each sends back the newest
clock value that it received from the other, so a message shows *by the receiver's own clock* how recently its sender
was in touch. The LCA accepts nothing from an agent that was out of touch for the detection time, because that agent
counts the host as lost and has decided without it. So a command that TCP delivers after a cut is never carried out.

A session can outlive its connection. Each side keeps what the other may not have received, and repeats it with its old
number over the next connection. So a message is received once, or the session ends and both sides know.
"""

import enum
import logging
import time
from collections import deque
from collections.abc import Callable

from ..errors import DriverError
from .wire import Body, Heartbeat, Hello, Message, Resume, encode

LOGGER = logging.getLogger("switchover.link")

_WINDOW_S = 10.0
_WARNINGS_A_WINDOW = 3
MAX_UNHEARD = 500
"""How many messages may wait to be acknowledged."""


class Refusal(enum.StrEnum):
    """Why a message, or a peer, is refused."""

    UNAUTHENTICATED = "unauthenticated peer"
    MALFORMED = "malformed message"
    WRONG_SESSION = "message of another session"
    OUT_OF_ORDER = "replayed message, or one out of order"
    OUT_OF_DATE = "message out of date"
    UNEXPECTED = "unexpected message"
    SECOND_AGENT = "second agent"


class RefusedError(DriverError):
    """A message was refused; the text says why."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(f"{refusal}: {reason}")
        self.refusal = refusal
        self.reason = reason


def clock_ms() -> int:
    """Milliseconds since the machine booted, including the time in which it was suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class Session:
    """One side's view of a session: stamps outgoing messages and checks incoming ones."""

    def __init__(self, session_id: str, clock: Callable[[], int] = clock_ms) -> None:
        self.id = session_id
        self._clock_ms = clock
        self._sent = 0
        self._heard = 0
        self._peer_clock_ms = 0
        self._resumes_sent = 0
        self._resumes_heard = 0
        self._unheard: deque[tuple[int, Body]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether so many messages are unacknowledged that no more should be sent."""
        return len(self._unheard) >= MAX_UNHEARD

    def stamp(self, body: Body) -> bytes:
        """The next message of this session, ready for the wire. Raises `WireError` if it is too long."""
        self._sent += 1
        data = self._stamped(self._sent, body)
        if not isinstance(body, Heartbeat | Hello):
            self._unheard.append((self._sent, body))
        return data

    def take_back(self) -> None:
        """Forget the newest message, which could not be sent, so that it is not repeated."""
        self._unheard.pop()

    def stamp_resume(self) -> bytes:
        """The message that moves the session to the connection over which it is sent."""
        self._resumes_sent += 1
        return self._stamped(0, Resume(self._resumes_sent))

    def repeats(self) -> list[bytes]:
        """The messages that the peer may not have received, with their old numbers and the current clocks."""
        return [self._stamped(number, body) for number, body in self._unheard]

    def check_order(self, message: Message) -> None:
        """Raise `RefusedError` unless the message belongs to this session and is later than all before it."""
        if message.session != self.id:
            raise RefusedError(Refusal.WRONG_SESSION, f"{message.session!r} instead of {self.id!r}")
        if message.number <= self._heard:
            raise RefusedError(Refusal.OUT_OF_ORDER, f"number {message.number} after number {self._heard}")
        self._heard = message.number
        self._note(message)

    def check_resume(self, message: Message, resume: Resume) -> None:
        """Raise `RefusedError` if a later message has moved the session already: this one was delayed."""
        if resume.count <= self._resumes_heard:
            raise RefusedError(Refusal.OUT_OF_ORDER, f"resume {resume.count} after resume {self._resumes_heard}")
        self._resumes_heard = resume.count
        self._note(message)

    def _note(self, message: Message) -> None:
        self._peer_clock_ms = message.clock_ms
        while self._unheard and self._unheard[0][0] <= message.heard:
            self._unheard.popleft()

    def _stamped(self, number: int, body: Body) -> bytes:
        return encode(Message(self.id, number, self._clock_ms(), self._peer_clock_ms, self._heard, body))


def check_age(message: Message, limit_ms: int, clock: Callable[[], int] = clock_ms) -> None:
    """Raise `RefusedError` if the sender had not heard this side for `limit_ms` when its message is read."""
    age_ms = clock() - message.echo_ms
    if not 0 <= age_ms < limit_ms:
        raise RefusedError(
            Refusal.OUT_OF_DATE, f"its sender was last in touch {age_ms} ms ago, the limit is {limit_ms} ms"
        )


class RefusalLog:
    """Warns of refused messages, at most three times in ten seconds for each reason: no peer floods the log."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self._windows: dict[Refusal, tuple[float, int]] = {}

    def warn(self, refusal: Refusal, reason: str) -> None:
        """Log a refusal; the first warning of a window says how many were left out in the one before."""
        now = time.monotonic()
        since, count = self._windows.get(refusal, (now, 0))
        unsaid = 0
        if now - since >= _WINDOW_S:
            unsaid = max(0, count - _WARNINGS_A_WINDOW)
            since, count = now, 0
        self._windows[refusal] = since, count + 1
        if count < _WARNINGS_A_WINDOW:
            more = f" (and {unsaid} like it since the last warning)" if unsaid else ""
            LOGGER.warning("%s: refused: %s: %s%s", self.peer, refusal, reason, more)
