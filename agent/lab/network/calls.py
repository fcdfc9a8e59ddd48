"""The voicemail lab's callers: SIPp (https://sipp.readthedocs.io) sets up real calls to the VIP, many a second.

Every call is the one of `call.xml`. SIPp sends again over UDP what is not answered, after 0.5, 1, 2, 4, 8 and 16 s for
an INVITE, as RFC 3261 section 17.1.1.2 has it. What becomes of a call is told apart:

- *failed*: it was never set up. No 200 came within 32 s, or an error did.
- *broken*: it was set up, but its BYE was never answered, or its media endpoint did not know it: the endpoint died, or
  its host was lost. Nobody can save such a call, so it is no fault of the switchover, but it is not hidden either.

Times are seconds of `time.monotonic`. SIPp logs the wall clock, which is converted when the run has ended: whoever sets
the clock meanwhile shifts them.
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
"""After so long the first INVITE is sent again."""

_SCENARIO = Path(__file__).resolve().with_name("call.xml")
_BYE_RETRANSMISSIONS = 3  # unanswered, a BYE is given up after 7.5 s and not after 32 s, which a lab would wait for
_LAST_CALL_S = 45.0  # 32 s for an INVITE, and then whatever else
_START_S = 5.0


@frozen
class Call:
    """One call: when its INVITE was first sent, when its 200 came and from whom, and when its BYE was answered."""

    started: float
    answered: float | None = None
    answered_by: str | None = None
    ended: float | None = None

    @property
    def setup_ms(self) -> float | None:
        """How long the caller waited; None if nobody answered."""
        return None if self.answered is None else 1000 * (self.answered - self.started)


@frozen
class Calls:
    """All calls of a run, in the order in which they were started, and SIPp's own count of what it sent again.

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
        """How many were started."""
        return len(self.calls)

    @property
    def failed(self) -> int:
        """How many were never set up."""
        return sum(call.answered is None for call in self.calls)

    @property
    def broken(self) -> int:
        """How many were set up, but could not be ended as a call ends."""
        return sum(call.answered is not None and call.ended is None for call in self.calls)

    @property
    def delayed(self) -> int:
        """How many were set up, but not before their INVITE was sent again."""
        return sum((call.setup_ms or 0) >= T1_MS for call in self.calls)

    @property
    def answered_by(self) -> str | None:
        """Who answered the last call that was answered, in its own words."""
        return next((call.answered_by for call in reversed(self.calls) if call.answered is not None), None)

    def since(self, moment: float) -> "Calls":
        """The calls that were started at a moment or later. The retransmissions are still those of the whole run."""
        return evolve(self, calls=tuple(call for call in self.calls if call.started >= moment))

    def first_success_after_ms(self, moment: float) -> float | None:
        """How long after a moment the first 200 came to a call that was started after it; None if none came."""
        answers = [call.answered for call in self.since(moment).calls if call.answered is not None]
        return 1000 * (min(answers) - moment) if answers else None


class Caller:
    """A SIPp in the client's namespace that calls the VIP until it is stopped.

    `rate` is in calls a second, 1 to 1000; `hold_ms` is how long a call lasts once it is answered, 0 to 10000; after
    `limit_s`, 1 to 3600, no new calls are started. Its files are in `directory`. `LabError` for any other number.
    """

    def __init__(
        self, network: Network, directory: Path, *, rate: int = 50, hold_ms: int = 150, limit_s: int = 300
    ) -> None:
        if not (1 <= rate <= 1000 and 0 <= hold_ms <= 10_000 and 1 <= limit_s <= 3600):
            raise LabError(f"no callers make {rate} calls/s of {hold_ms} ms for {limit_s} s")
        self._network = network
        self._log = directory / "calls.log"
        self._statistics = directory / "calls.csv"
        self._output = directory / "sipp.log"
        self._argv = self._command(rate, hold_ms, limit_s)
        self._process: Process | None = None

    async def start(self) -> None:
        """Start to call; returns when the first call was started. `LabError` with SIPp's own words if it does not."""
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
        """Start no more calls, wait for those that are up or wait for an answer, and tell what became of all.

        That takes as long as a call lasts; up to 8 s if a BYE is not answered, and 32 s if an INVITE is not.
        `LabError` if SIPp had to be killed, or ended with an error of its own.
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
            raise LabError(f"SIPp did not end in order ({ended}): {self._last_words()}")
        return Calls(read_calls(self._log), read_retransmissions(self._statistics))

    def _command(self, rate: int, hold_ms: int, limit_s: int) -> list[str]:
        own = ADDRESSES["client"][0]
        # As many calls as it can have open when nobody answers: SIPp would otherwise start no more after a few dozen.
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
        return " ".join(line.strip() for line in lines[-5:] if line.strip()) or "it says nothing"


def why_no_calls() -> str | None:
    """One line that says why no calls can be made on this machine, or None if they can."""
    return None if shutil.which("sipp") else "calls need SIPp (Debian package sip-tester)"


def read_calls(log: Path) -> tuple[Call, ...]:
    """The calls that a run of `call.xml` has logged. `ValueError` if the file is none of its logs."""
    with log.open(errors="replace") as lines:
        return parse_calls(lines, time.monotonic() - time.time())


def parse_calls(lines: Iterable[str], offset_s: float = 0.0) -> tuple[Call, ...]:
    """The calls out of the lines that `call.xml` explains; `offset_s` is added to their times.

    >>> parse_calls(["invited 1 7.0 500000.0", "answered 1 7.0 750000.0 MCP_1"])
    (Call(started=7.5, answered=7.75, answered_by='MCP_1', ended=None),)
    """
    calls: dict[str, Call] = {}
    for line in lines:
        try:
            what, number, seconds, microseconds, *who = line.strip("\n").split(" ", 4)
            # Where a number is 0, as the microseconds of a second's first one, SIPp writes nothing.
            moment = float(seconds) + float(microseconds or 0) / 1e6 + offset_s
            calls[number] = _changed(calls.get(number), what, moment, " ".join(who).strip())
        except ValueError:
            raise ValueError(f"this is not what the lab's callers log: {line!r}") from None
    return tuple(calls.values())


def _changed(call: Call | None, what: str, moment: float, who: str) -> Call:
    match what:
        case "invited" if call is None:
            return Call(moment)
        case "answered" if call is not None:
            return evolve(call, answered=moment, answered_by=who)
        case "ended" if call is not None:
            return evolve(call, ended=moment)
        case "broken" if call is not None:
            return call
        case _:
            raise ValueError(what)


def read_retransmissions(statistics: Path) -> int:
    """How many messages SIPp sent again in all, by its own statistics. `ValueError` if the file has none."""
    with statistics.open(newline="") as file:
        rows = list(DictReader(file, delimiter=";"))
    try:
        return int(rows[-1]["Retransmissions(C)"])
    except (IndexError, KeyError, TypeError, ValueError):
        raise ValueError(f"{statistics} has no statistics of SIPp") from None
