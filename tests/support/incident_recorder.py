"""Incidents for the tests of reports: events and their consequences, written into an agent's journal."""

from pathlib import Path

from switchover.agent.history.incidents import Incident, incidents
from switchover.agent.history.journal import (
    REFUSED,
    Entry,
    Handled,
    start_entry,
)
from switchover.agent.history.writer import Journal
from switchover.fsm import (
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostLost,
    HostReport,
    Mode,
    Promote,
    Solution,
    SwitchoverRequested,
    Topology,
)
from switchover.fsm.records import describe_event

from support.topologies import TAKEOVER

BEGAN_NS = 1_774_746_000_123_456_789  # 2026-03-29 01:00:00.123 UTC: in Berlin, the moment at which summer time began


class Recorder:
    """Writes an agent's journal: each event at its own time, with the decisions and commands that follow."""

    def __init__(self, path: Path, topology: Topology = TAKEOVER) -> None:
        self.path, self.solution = path, Solution(topology)
        self._journal = Journal(path)
        self._write(0, [start_entry(topology)])
        for side, (host, mode) in enumerate(zip(topology.hosts, (Mode.PRIMARY, Mode.BACKUP), strict=True)):
            modes = {pair.applications[side]: mode for pair in topology.pairs}
            modes |= {pair.applications[side]: Mode.UP for pair in topology.monitored}
            self.happens(-5000, HostConnected(host, HostReport(modes, vip_held=side == 0)))
        for command in self.solution.state.pending:
            self.happens(-4990, CommandSucceeded(command.id))

    def happens(self, at_ms: float, event: Event) -> None:
        before, commands = self.solution.state, self.solution.handle(event)
        text, number = describe_event(event, before.pending), self._journal.next_number
        states = before, self.solution.state, self.solution.topology
        stamps = number, *_times(at_ms), text
        self._journal.record(Handled(*stamps, event, self.solution.steps, commands, *states, run=1))
        assert self._journal.flush()

    def leaves_out(self, events: int, event: Event) -> None:
        """The journal cannot keep up: the event is handled and, with others, not written."""
        self.solution.handle(event)
        journal = self._journal
        journal._next, journal._left_out = journal.next_number + 4 * events, events

    def done(self, at_ms: float, kind: type[HostCommand]) -> None:
        self.happens(at_ms, CommandSucceeded(self._pending_id(kind)))

    def fails(self, at_ms: float, kind: type[HostCommand], reason: str) -> None:
        self.happens(at_ms, CommandFailed(self._pending_id(kind), reason))

    def refuses(self, at_ms: float, text: str) -> None:
        self._write(at_ms, [Entry(REFUSED, text)])

    def incident(self) -> Incident:
        """The last incident so far."""
        return list(incidents(self.path))[-1]

    def _pending_id(self, kind: type[HostCommand]) -> int:
        return next(command.id for command in self.solution.state.pending if isinstance(command, kind))

    def _write(self, at_ms: float, entries: list[Entry]) -> None:
        self._journal.write(entries, *_times(at_ms))
        assert self._journal.flush()

    def close(self) -> None:
        self._journal.close()


def _times(at_ms: float) -> tuple[int, int]:
    return BEGAN_NS + int(at_ms * 1e6), 10**12 + int(at_ms * 1e6)


def fail(recorder: Recorder) -> None:
    """[S2] primary server failure."""
    recorder.happens(0, ApplicationReported("SIP_Server_1", Mode.DOWN))
    recorder.done(5.25, Promote)
    recorder.done(8, DisableVip)
    recorder.done(8.5, EnableVip)
    recorder.done(10.75, AnnounceVip)


def disconnect(recorder: Recorder, silent_ms: float = 50.5) -> None:
    """[S2] primary server disconnected."""
    recorder.happens(0, HostFellSilent("host1"))
    recorder.happens(silent_ms, HostLost("host1"))
    recorder.done(silent_ms + 5.5, Promote)
    recorder.done(silent_ms + 8, EnableVip)


def switch(recorder: Recorder) -> None:
    """[S2] manual switchover."""
    recorder.happens(0, SwitchoverRequested("SIP_Server_2"))
    recorder.done(6, Demote)
    recorder.done(11, Promote)
    recorder.done(14, DisableVip)
    recorder.done(14.25, EnableVip)
    recorder.done(16.5, AnnounceVip)
