"""The Media Control Platform of the voicemail lab, as far as signalling goes: a media endpoint that answers every call.

    media.py serve NAME RUN_DIRECTORY ADDRESS...     answer calls on each address until SIGTERM; it has no modes

It is a user agent server (RFC 3261 sections 8.2 and 13.3.1.4): it answers an INVITE with 200 at once, and repeats the
answer until the ACK comes. A retransmitted INVITE, perhaps through the other host's SIP Server, gets the same answer on
the path by which it came. There is no sound: the session description names a port that nobody serves.

The tag of an answer is computed from the Call-ID, so it is the same on both hosts. If both endpoints answer the same
INVITE during a switchover, the caller takes the second answer for a retransmission of the first, and has one call.
"""

import heapq
import socket
import sys
import time
import zlib

from .component import NetworkComponent, bound
from .responder import header_lines, method_of, reply

T1_S, T2_S = 0.5, 4.0  # RFC 3261 section 17.1.1.1
GIVE_UP_S = 64 * T1_S
"""How long an answer is repeated without an ACK, and how long an ended call is remembered, in seconds."""
LONGEST_CALL_S = 300.0
"""The time after which a call that nobody ended is forgotten, in seconds."""

_ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS"
Sender = tuple[str, int]
Answer = tuple[socket.socket, bytes, Sender]


class Call:
    """A call: its answer, which is repeated until it is acknowledged, and the time at which the call is forgotten."""

    def __init__(self, now: float, answer: Answer) -> None:
        self.answer = answer
        self.interval_s = T1_S
        self.acknowledged = False
        self.forget_at = now + GIVE_UP_S

    def acknowledge(self, remember_s: float) -> None:
        """Stop repeating the answer. An ended call is remembered for a while, in case its BYE is retransmitted."""
        self.acknowledged, self.forget_at = True, time.monotonic() + remember_s


class MediaEndpoint(NetworkComponent):
    """The endpoint: one UDP socket for each address, and the calls by Call-ID."""

    def __init__(self, name: str, directory: str, addresses: list[str]) -> None:
        self._calls: dict[str, Call] = {}
        self._due: list[tuple[float, str]] = []  # a heap of (time, Call-ID), one entry for each call
        super().__init__(name, directory, tuple(bound(address) for address in addresses), modes=False)

    def take(self, listener: socket.socket) -> None:
        """Answer a request."""
        request, sender = listener.recvfrom(65535)
        response = self._response(listener, request, sender)
        if response is not None:
            listener.sendto(response, sender)

    def tick(self) -> float | None:
        """Repeat answers that have no ACK, and forget old calls; returns the seconds until the next one is due."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, call_id = heapq.heappop(self._due)
            self._update_call(call_id, now)
        return max(0.0, self._due[0][0] - now) if self._due else None

    def _response(self, listener: socket.socket, request: bytes, sender: Sender) -> bytes | None:
        method = method_of(request)
        call_id = "".join(header_lines(request, "call-id"))
        call = self._calls.get(call_id)
        match method:
            case None:
                return None
            case "INVITE":
                return self._invited(call_id, listener, request, sender)
            case "ACK":
                if call is not None and not call.acknowledged:
                    call.acknowledge(LONGEST_CALL_S)
                return None
            case "BYE" | "CANCEL" if call is None:
                return reply(request, "481 Call/Transaction Does Not Exist", self.name)
            case "BYE" if call is not None:
                call.acknowledge(GIVE_UP_S)
                return reply(request, "200 OK", self.name)
            case "CANCEL" | "OPTIONS":  # a CANCEL has no effect: every call is answered at once
                return reply(request, "200 OK", self.name, [_ALLOW])
            case _:
                return reply(request, "405 Method Not Allowed", self.name, [_ALLOW])

    def _invited(self, call_id: str, listener: socket.socket, request: bytes, sender: Sender) -> bytes:
        """The answer to an INVITE, made anew each time: a retransmission may have come by another path."""
        response = _answer(request, self.name, listener.getsockname()[0], call_id)
        if call_id in self._calls:
            self._calls[call_id].answer = (listener, response, sender)
        else:
            now = time.monotonic()
            self._calls[call_id] = Call(now, (listener, response, sender))
            heapq.heappush(self._due, (now + T1_S, call_id))
        return response

    def _update_call(self, call_id: str, now: float) -> None:
        call = self._calls[call_id]
        if now >= call.forget_at:
            del self._calls[call_id]
            return
        due = call.forget_at
        if not call.acknowledged:
            _send(*call.answer)
            call.interval_s = min(2 * call.interval_s, T2_S)
            due = now + call.interval_s
        # A BYE may come at any time, and then the call is forgotten sooner.
        heapq.heappush(self._due, (min(due, call.forget_at, now + GIVE_UP_S), call_id))


def _send(listener: socket.socket, response: bytes, sender: Sender) -> None:
    try:
        listener.sendto(response, sender)
    except OSError as error:  # there may be no route at the moment
        print(f"{sender[0]}: {error}", file=sys.stderr)


def _answer(request: bytes, server: str, address: str, call_id: str) -> bytes:
    """A 200 with the route set of the dialog, and a session description with a port that nobody serves."""
    family, host = ("IP6", f"[{address}]") if ":" in address else ("IP4", address)
    session = (
        "v=0",
        f"o=- 0 0 IN {family} {address}",
        "s=-",
        f"c=IN {family} {address}",
        "t=0 0",
        "m=audio 9 RTP/AVP 0",
    )
    headers = [
        *header_lines(request, "record-route"),
        f"Contact: <sip:{host}:5060>",
        _ALLOW,
        "Content-Type: application/sdp",
    ]
    body = "".join(f"{line}\r\n" for line in session)
    return reply(request, "200 OK", server, headers, tag=f"{zlib.crc32(call_id.encode()):08x}", body=body)


def main(arguments: list[str]) -> None:
    """The command line; `component.py mode RUN_DIRECTORY` asks whether it is up. Exits with 1 on wrong arguments."""
    match arguments:
        case ["serve", name, directory, *addresses] if addresses:
            MediaEndpoint(name, directory, addresses).serve()
        case _:
            sys.exit("usage: media.py serve NAME RUN_DIRECTORY ADDRESS...")
