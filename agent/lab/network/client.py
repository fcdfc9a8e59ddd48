"""The lab's client: sends a thousand SIP requests per second to the VIP, and records when each one was answered.

It runs as a process of its own in the client's namespace (`python -m switchover.agent.lab.network.client`), knows
nothing about the hosts behind the VIP, and plays no part in moving it. So it measures what a telephone would notice.

Every request is an OPTIONS (RFC 3261 section 11) with its own Call-ID, branch and CSeq, and is never sent again. A
request without an answer within `ANSWER_WITHIN_MS` is lost. Times are nanoseconds of CLOCK_MONOTONIC, which is the same
in all namespaces of a machine.
"""

import argparse
import gc
import json
import os
import secrets
import select
import signal
import socket
import sys
import time
from array import array
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

ANSWER_WITHIN_MS = 500
"""SIP's T1, the time after which a client sends a request again (RFC 3261 section 17.1.1.2)."""

READY = "sending"
"""The line that the client writes on its standard output when it has sent its first request."""

_REQUEST = (
    "OPTIONS sip:{target} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP {source}:{port};rport;branch=z9hG4bK{run}.%d\r\n"
    "Max-Forwards: 70\r\n"
    "From: <sip:client@{source}>;tag={run}\r\n"
    "To: <sip:{target}>\r\n"
    "Call-ID: %d.{run}\r\n"
    "CSeq: %d OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)
_LONGEST_S = 3600.0


class Request(NamedTuple):
    """One request: when it was sent and answered (None: never), and the answering server's name for itself."""

    sent_ns: int
    answered_ns: int | None
    server: str | None


class Summary(NamedTuple):
    """The client's measurements.

    `outage_ms` is the longest period without answers, in milliseconds: from sending the first lost request to sending
    the next request that was answered; 0.0 if none was lost. `outage_began` is its start, in seconds of
    `time.monotonic`. A period that lasts until the last request is measured until then, and `recovered` is False.
    """

    sent: int
    lost: int
    outage_ms: float
    outage_began: float | None
    recovered: bool
    last_server: str | None
    round_trip_ms: float | None  # the median


def summarise(requests: Iterable[Request]) -> Summary:
    """The summary of a run's requests, given in the order in which they were sent."""
    kept = [_within_t1(request) for request in requests]
    answered = [request for request in kept if request.answered_ns is not None]
    began_ns, ended_ns = max(_stretches(kept), key=lambda stretch: stretch[1] - stretch[0], default=(None, None))
    outage_ms = 0.0 if began_ns is None or ended_ns is None else (ended_ns - began_ns) / 1e6
    return Summary(
        sent=len(kept),
        lost=len(kept) - len(answered),
        outage_ms=outage_ms,
        outage_began=None if began_ns is None else began_ns / 1e9,
        recovered=not kept or kept[-1].answered_ns is not None,
        last_server=answered[-1].server if answered else None,
        round_trip_ms=_median_ms(answered),
    )


def read_requests(path: Path) -> list[Request]:
    """The requests that a client wrote to a file. Raises `ValueError` if the file is not from a client."""
    try:
        data = json.loads(path.read_text())
        names = [*data["servers"], None]  # -1: answered by nobody
        return [
            Request(sent, answered or None, names[server])
            for sent, answered, server in zip(data["sent"], data["answered"], data["server"], strict=True)
        ]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{path} is not a file of the lab's client: {error}") from None


def client_argv(target: str, output: Path, *, interval_us: int = 1000, limit_s: float = 120.0) -> list[str]:
    """The command line of a client that sends to `target` (IPv4); it writes `output` when SIGTERM ends it."""
    options = [f"--interval-us={interval_us}", f"--limit-s={limit_s}"]
    return [sys.executable, "-m", __name__, *options, target, str(output)]


def _within_t1(request: Request) -> Request:
    if request.answered_ns is None or request.answered_ns - request.sent_ns <= ANSWER_WITHIN_MS * 1_000_000:
        return request
    return Request(request.sent_ns, None, None)


def _stretches(requests: list[Request]) -> Iterable[tuple[int, int]]:
    """Each run of lost requests: when its first was sent, and when the next answered one was (or else the last)."""
    first = None
    for lost, group in groupby(requests, key=lambda request: request.answered_ns is None):
        members = list(group)
        if lost:
            first = members[0].sent_ns
        elif first is not None:
            yield first, members[0].sent_ns
            first = None
    if first is not None:
        yield first, requests[-1].sent_ns


def _median_ms(answered: list[Request]) -> float | None:
    trips = sorted(answered_ns - sent_ns for sent_ns, answered_ns, _ in answered if answered_ns is not None)
    return trips[len(trips) // 2] / 1e6 if trips else None


class _Client:
    """The requests that were sent so far, by number, and the socket that they all leave from."""

    def __init__(self, target: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect((target, 5060))
        self._run = secrets.token_hex(8)
        source, port = self._socket.getsockname()
        text = _REQUEST.format(target=target, source=source, port=port, run=self._run)
        self._template = text.encode()
        self._call_id_tail = f".{self._run}\r\n".encode()
        self.sent = array("q")
        self.answered = array("q")  # 0: not answered
        self.server = array("b")
        self.servers: list[str] = []

    def ask(self) -> None:
        """Send the next request. One that cannot be sent counts as sent and lost."""
        number = len(self.sent)
        request = self._template % (number, number, number)
        self.sent.append(time.monotonic_ns())
        self.answered.append(0)
        self.server.append(-1)
        try:
            self._socket.send(request)
        except OSError:
            self._send_again(request)

    def _send_again(self, request: bytes) -> None:
        """Retry a failed send: the error may be that of an earlier request (from ICMP), and then nothing was sent."""
        try:
            self._socket.send(request)
        except OSError:
            return  # the request is lost, which is what is being measured

    def listen(self, until_ns: int) -> None:
        """Receive answers until a moment."""
        while (left_ns := until_ns - time.monotonic_ns()) > 0:
            if select.select((self._socket,), (), (), left_ns / 1e9)[0]:
                self._receive_all()

    def _receive_all(self) -> None:
        try:
            while True:
                self._record(self._socket.recv(2048), time.monotonic_ns())
        except OSError:
            return  # nothing more to read, or an ICMP error such as "connection refused", which is no answer

    def _record(self, answer: bytes, now_ns: int) -> None:
        """Match an answer to its request by Call-ID and CSeq; answers without an open request are ignored."""
        try:
            number = int(_header(answer, b"CSeq: ").split(b" ", 1)[0])
            if not answer.startswith(b"SIP/2.0 200 ") or b"Call-ID: %d%b" % (number, self._call_id_tail) not in answer:
                return
            if self.answered[number] == 0:
                self.answered[number] = now_ns
                self.server[number] = self._index(_header(answer, b"Server: ").decode(errors="replace"))
        except (ValueError, IndexError):
            return

    def _index(self, server: str) -> int:
        if server not in self.servers:
            self.servers.append(server)
        return self.servers.index(server)

    def write(self, output: Path) -> None:
        """Write all requests to a file, which appears under its name when it is complete."""
        data = {
            "sent": self.sent.tolist(),
            "answered": self.answered.tolist(),
            "server": self.server.tolist(),
            "servers": self.servers,
        }
        draft = output.with_name(output.name + ".part")
        draft.write_text(json.dumps(data, separators=(",", ":")))
        draft.replace(output)


def _header(message: bytes, name: bytes) -> bytes:
    start = message.index(b"\r\n" + name) + 2 + len(name)
    return message[start : message.index(b"\r\n", start)]


def _ask_until(client: _Client, interval_ns: int, end_ns: int, stopped: list[int]) -> None:
    """Send a request at each multiple of the interval; missed moments are skipped, not caught up with."""
    begin_ns = next_ns = time.monotonic_ns()
    while not stopped and next_ns < end_ns:
        client.listen(next_ns)
        client.ask()
        if len(client.sent) == 1:
            print(READY, flush=True)
        next_ns = begin_ns + ((time.monotonic_ns() - begin_ns) // interval_ns + 1) * interval_ns


def _be_punctual() -> None:
    """Ask for real-time scheduling, or a high priority, so that waiting for the CPU does not distort the results."""
    gc.disable()  # nothing here makes cycles
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -10)
        except OSError:
            return  # it works without, but less evenly


def main() -> None:
    """The command line; see `client_argv`."""
    parser = argparse.ArgumentParser(prog="client", description=__doc__)
    parser.add_argument("target", help="the VIP, an IPv4 address")
    parser.add_argument("output", type=Path, help="the file to write when it ends")
    parser.add_argument("--interval-us", type=int, default=1000, help="time between two requests, in microseconds")
    parser.add_argument("--limit-s", type=float, default=120.0, help="the maximum duration, in seconds")
    options = parser.parse_args()
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: stopped.append(number))
    client = _Client(options.target)
    _be_punctual()
    end_ns = time.monotonic_ns() + int(min(options.limit_s, _LONGEST_S) * 1e9)
    _ask_until(client, max(options.interval_us, 100) * 1000, end_ns, stopped)
    client.listen(time.monotonic_ns() + ANSWER_WITHIN_MS * 1_000_000)
    client.write(options.output)


if __name__ == "__main__":
    main()
