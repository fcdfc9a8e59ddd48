"""The voicemail lab's callers: SIPp (https://sipp.readthedocs.io) makes many real calls per second to the VIP.

Every call follows `call.xml`. Over UDP, SIPp retransmits unanswered messages, an INVITE after 0.5, 1, 2, 4, 8 and 16 s,
as in RFC 3261 section 17.1.1.2. Calls that go wrong are counted in two groups:

- *failed*: the call was never set up. There was no 200 within 32 s, or an error.
- *broken*: the call was set up, but its BYE was never answered, or its media endpoint did not know it: the endpoint
  died, or its host was lost. Nothing can save such a call, so it is not held against the switchover, but it is shown.

Times are seconds of `time.monotonic`. SIPp logs the wall clock, which is converted after the run: setting the clock
during a run shifts the times.
"""

import asyncio
import shutil
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Iterable
from contextlib import suppress
from csv import DictReader
from pathlib import Path

from attrs import evolve, frozen

from .namespaces import LabError
from .segment import ADDRESSES, VIP, Network, end

T1_MS = 500
"""The time after which an INVITE is first sent again, in ms."""

_SCENARIO = Path(__file__).resolve().with_name("call.xml")
_BYE_RETRANSMISSIONS = 3  # an unanswered BYE is given up after 7.5 s instead of 32 s, for which a lab would wait
_LAST_CALL_S = 45.0  # 32 s for an INVITE, and some time for the rest of the call
_START_S = 5.0


@frozen
class Call:
    """One call: when its INVITE was first sent, when its 200 came and from which server, when its BYE was answered."""

    started: float
    answered: float | None = None
    answered_by: str | None = None
    ended: float | None = None

    @property
    def setup_ms(self) -> float | None:
        """How long the caller waited for the answer, in ms; None if there was none."""
        return None if self.answered is None else 1000 * (self.answered - self.started)


@frozen
class Calls:
    """All calls of a run, in the order of their start, and SIPp's own count of retransmissions.

    >>> calls = Calls((Call(1.0, 1.001, "MCP_1", 1.2), Call(2.0, 2.501, "MCP_2"), Call(2.1)), retransmissions=8)
    >>> calls.attempted, calls.failed, calls.broken, calls.delayed
    (3, 1, 1, 1)
    >>> round(calls.first_success_after_ms(1.5) or 0)
    1001
    """

    calls: tuple[Call, ...]
    retransmissions: int

    @property
    def attempted(self) -> int:
        """The number of calls started."""
        return len(self.calls)

    @property
    def failed(self) -> int:
        """The number of calls that were never set up."""
        return sum(call.answered is None for call in self.calls)

    @property
    def broken(self) -> int:
        """The number of calls that were set up, but not ended properly."""
        return sum(call.answered is not None and call.ended is None for call in self.calls)

    @property
    def delayed(self) -> int:
        """The number of calls whose INVITE had to be sent again before they were set up."""
        return sum((call.setup_ms or 0) >= T1_MS for call in self.calls)

    @property
    def answered_by(self) -> str | None:
        """The server that answered the last answered call, as it calls itself; None if no call was answered."""
        return next((call.answered_by for call in reversed(self.calls) if call.answered is not None), None)

    def since(self, moment: float) -> "Calls":
        """The calls started at a moment or later; the number of retransmissions remains that of the whole run."""
        return evolve(self, calls=tuple(call for call in self.calls if call.started >= moment))

    def first_success_after_ms(self, moment: float) -> float | None:
        """The time from a moment to the first 200 for a call started after it, in ms; None if there is none."""
        answers = [call.answered for call in self.since(moment).calls if call.answered is not None]
        return 1000 * (min(answers) - moment) if answers else None


class Caller:
    """SIPp in the client's namespace, which calls the VIP until it is stopped. Its files are in `directory`.

    `rate`: calls per second, 1 to 1000. `hold_ms`: how long an answered call lasts, 0 to 10000. `limit_s`: after this
    time no new calls are started, 1 to 3600. Raises `LabError` for other values.
    """

    def __init__(
        self, network: Network, directory: Path, *, rate: int = 50, hold_ms: int = 150, limit_s: int = 300
    ) -> None:
        if not (1 <= rate <= 1000 and 0 <= hold_ms <= 10_000 and 1 <= limit_s <= 3600):
            raise LabError(
                f"{rate} calls/s of {hold_ms} ms for {limit_s} s are out of range; allowed are 1 to 1000 calls/s,"
                " 0 to 10000 ms, and 1 to 3600 s"
            )
        self._network = network
        self._log = directory / "calls.log"
        self._statistics = directory / "calls.csv"
        self._output = directory / "sipp.log"
        self._argv = self._command(rate, hold_ms, limit_s)
        self._process: Process | None = None

    async def start(self) -> None:
        """Start calling; returns after the first call was started. Raises `LabError` with SIPp's output on failure."""
        for file in (self._log, self._statistics):
            file.unlink(missing_ok=True)
        with self._output.open("wb") as output:
            self._process = await self._network.spawn("client", self._argv, stdout=output, stderr=output)
        deadline = time.monotonic() + _START_S
        while not (self._log.exists() and self._log.stat().st_size):
            if self._process.returncode is not None or time.monotonic() > deadline:
                raise LabError(f"SIPp does not start: {self._last_words()}")
            await asyncio.sleep(0.005)

    async def stop(self) -> Calls:
        """Start no more calls, wait for the open ones to end, and return all calls.

        This takes as long as a call lasts; up to 8 s if a BYE is not answered, and 32 s if an INVITE is not.
        Raises `LabError` if SIPp had to be killed, or failed.
        """
        process = self._process
        if process is None:
            raise LabError("SIPp was not started")
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGUSR1)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_CALL_S):
                await process.wait()
        ended = process.returncode
        await end(process)
        if ended not in (0, 1):  # 1: at least one call failed
            raise LabError(f"SIPp failed with exit status {ended}: {self._last_words()}")
        return Calls(read_calls(self._log), read_retransmissions(self._statistics))

    def _command(self, rate: int, hold_ms: int, limit_s: int) -> list[str]:
        own = ADDRESSES["client"][0]
        # The largest number of open calls if nobody answers; by default SIPp starts no more after a few dozen.
        limits = ["-l", str(int(rate * _LAST_CALL_S)), "-m", str(rate * limit_s), "-timeout", f"{limit_s}s"]
        return [
            *("sipp", VIP[0], "-sf", str(_SCENARIO), "-i", own, "-p", "5060", "-nostdin"),
            *("-r", str(rate), "-d", str(hold_ms), *limits),
            *("-max_non_invite_retrans", str(_BYE_RETRANSMISSIONS)),
            *("-trace_logs", "-log_file", str(self._log)),
            *("-trace_stat", "-stf", str(self._statistics), "-fd", "1"),
        ]

    def _last_words(self) -> str:
        lines = self._output.read_text(errors="replace").split("\n")
        return " ".join(line.strip() for line in lines[-5:] if line.strip()) or "it printed nothing"


def why_no_calls() -> str | None:
    """The reason why this machine cannot make calls, in one line; None if it can."""
    return None if shutil.which("sipp") else "calls need SIPp (Debian package sip-tester)"


def read_calls(log: Path) -> tuple[Call, ...]:
    """The calls logged by a run of `call.xml`. Raises `ValueError` if the file is not such a log."""
    with log.open(errors="replace") as lines:
        return parse_calls(lines, time.monotonic() - time.time())


def parse_calls(lines: Iterable[str], offset_s: float = 0.0) -> tuple[Call, ...]:
    """The calls in the log lines described in `call.xml`; `offset_s` is added to their times.

    >>> parse_calls(["invited 1 7.0 500000.0", "answered 1 7.0 750000.0 MCP_1"])
    (Call(started=7.5, answered=7.75, answered_by='MCP_1', ended=None),)
    """
    calls: dict[str, Call] = {}
    for line in lines:
        try:
            event, number, seconds, microseconds, *server = line.strip("\n").split(" ", 4)
            # SIPp writes nothing in place of a 0, such as 0 microseconds.
            moment = float(seconds) + float(microseconds or 0) / 1e6 + offset_s
            calls[number] = _changed(calls.get(number), event, moment, " ".join(server).strip())
        except ValueError:
            raise ValueError(f"this is not a line of the callers' log: {line!r}") from None
    return tuple(calls.values())


def _changed(call: Call | None, event: str, moment: float, server: str) -> Call:
    match event:
        case "invited" if call is None:
            return Call(moment)
        case "answered" if call is not None:
            return evolve(call, answered=moment, answered_by=server)
        case "ended" if call is not None:
            return evolve(call, ended=moment)
        case "broken" if call is not None:
            return call
        case _:
            raise ValueError(event)


def read_retransmissions(statistics: Path) -> int:
    """The total number of retransmissions in SIPp's statistics. Raises `ValueError` if the file has none."""
    with statistics.open(newline="") as file:
        rows = list(DictReader(file, delimiter=";"))
    try:
        return int(rows[-1]["Retransmissions(C)"])
    except (IndexError, KeyError, TypeError, ValueError):
        raise ValueError(f"{statistics} contains no statistics of SIPp") from None
