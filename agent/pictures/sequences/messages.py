"""Turns handled events into messages between the operator, the SCS side, the hosts' LCAs, applications and clients.

An event is a message to the SCS side; decisions and records of the SCS side are notes on its lifeline; a command is a
message to an LCA. What an LCA does to an application or its interface becomes known with the result, and is shown
before it. For an event, decisions and commands are recorded in two separate lists; here each command comes after the
decision that caused it, and each reaction before the decision that it asked for.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from attrs import frozen

from ....fsm import (
    ActivateAlarm,
    AnnounceVip,
    ApplicationReported,
    Command,
    CommandFailed,
    CommandResult,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CommandUnconfirmed,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    SolutionState,
    StartRequested,
    StartTimer,
    Step,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    Topology,
    TriggerReaction,
    VipReported,
    WriteLog,
    describe_command,
    describe_event,
    describe_step,
)
from ....fsm.commands import ApplicationCommand
from ....fsm.machines.alarm import ALARM
from ....fsm.machines.application import APPLICATION
from ....fsm.machines.placement import PLACEMENT
from ....fsm.timers import TimerKind
from ...history.causal_chain import gives

OPERATOR, SCS, CLIENTS, SCS_LOG = "Operator", "SCS side", "Clients", "SCS log"

_ASKED = ("_requested", "_needed", "_asked", "_ordered")
"""The endings of the triggers that reactions cause."""


@frozen
class Message:
    """One message between two lifelines, or a note on one (`source` and `target` are the same).

    `kind` is one of

        message     a message or a command
        result      the result of a command
        lost        a message that does not arrive; on one lifeline: its application stops
        self        an action of a lifeline on itself
        note        a record of the SCS side
        decision    a row that fired

    Lines of `text` after the first give the reason. `at_ms` is the time since the first event, None without a clock;
    `cite` is a decision's source; `record` is the line in the records of the run, as in `fsm.records`.
    """

    source: str
    target: str
    text: str
    at_ms: float | None = None
    kind: str = "message"
    cite: str = ""
    record: str = ""


class Happened(Protocol):
    """An event that the core handled: the part of `journal.Handled` that is needed here."""

    @property
    def mono_ns(self) -> int: ...
    @property
    def event(self) -> Event: ...
    @property
    def steps(self) -> tuple[Step, ...]: ...
    @property
    def commands(self) -> tuple[Command, ...]: ...
    @property
    def before(self) -> SolutionState: ...


def messages_of(topology: Topology, handled: Sequence[Happened], *, is_timed: bool = True) -> list[Message]:
    """All handled events as messages, in order; without times if `is_timed` is False."""
    return [
        message
        for each in handled
        for message in _EventMessages(topology, (each.mono_ns - handled[0].mono_ns) / 1e6 if is_timed else None).of(
            each
        )
    ]


def lifelines_of(topology: Topology, messages: Iterable[Message]) -> tuple[str, ...]:
    """The lifelines from left to right: the first host's to the left of the SCS side, the second's to its right.

    With several pairs, only applications that take part have a lifeline.
    """
    taking_part = {name for message in messages for name in (message.source, message.target)}
    taking_part |= {SCS, "LCA 1", "LCA 2", *(topology.applications if len(topology.components) == 1 else ())}
    first, second = ([pair.applications[side] for pair in topology.components] for side in (0, 1))
    everyone = (OPERATOR, SCS_LOG, *reversed(first), "LCA 1", SCS, "LCA 2", *second, CLIENTS)
    return tuple(name for name in everyone if name in taking_part)


def hosts_of(topology: Topology) -> dict[str, tuple[str, ...]]:
    """The lifelines on each host."""
    return {
        host: (f"LCA {side}", *(pair.applications[side - 1] for pair in topology.components))
        for side, host in enumerate(topology.hosts, start=1)
    }


def interleaved(topology: Topology, steps: Iterable[Step], commands: Iterable[Command]) -> Iterator[Step | Command]:
    """Decisions and commands in one order: a command after its decision, a reaction before the decision it causes."""
    waiting = deque(commands)
    for step in steps:
        while waiting and isinstance(waiting[0], TriggerReaction) and step.decision.trigger.endswith(_ASKED):
            yield waiting.popleft()
        yield step
        while waiting and not isinstance(waiting[0], TriggerReaction) and gives(topology, step, waiting[0]):
            yield waiting.popleft()
    yield from waiting


@frozen
class _EventMessages:
    """The messages for one event, at this time, and for its decisions and commands."""

    topology: Topology
    at_ms: float | None

    def of(self, handled: Happened) -> Iterator[Message]:
        yield from self._event(handled.event, handled.before)
        if isinstance(handled.event, LogMessageReceived) and not handled.commands:
            yield self._message(SCS, SCS, "nothing follows", "note")
        shown: set[str] = set()
        for item in interleaved(self.topology, handled.steps, handled.commands):
            if not isinstance(item, Step):
                yield from self._command(item)
            elif self._is_shown(item) and describe_step(item) not in shown:
                shown.add(describe_step(item))
                yield self._decision(item)

    def _message(self, source: str, target: str, text: str, kind: str = "message", record: str = "") -> Message:
        return Message(source, target, text, self.at_ms, kind, record=record)

    def _lca(self, host: str) -> str:
        return f"LCA {self.topology.side_of(host)}"

    def _lca_of(self, application: str) -> str:
        return f"LCA {self.topology.find(application)[1]}"

    # Events.

    def _event(self, event: Event, before: SolutionState) -> Iterator[Message]:
        record = describe_event(event, before.pending)
        match event:
            case ApplicationReported():
                yield from self._reported(event, record)
            case HostConnected() | HostFellSilent() | HostHeard() | HostLost() | HostLeft() | VipReported():
                kind = "lost" if isinstance(event, HostLost | HostFellSilent) else "message"
                yield self._message(self._lca(event.host), SCS, _host_text(event), kind, record)
            case SwitchoverRequested():
                yield self._message(OPERATOR, SCS, f"switch to {event.application}", record=record)
            case StartRequested() | StopRequested():
                request = "start" if isinstance(event, StartRequested) else "stop"
                yield self._message(OPERATOR, SCS, f"{request} {event.application}", record=record)
            case LogMessageReceived():
                yield self._message(SCS_LOG, SCS, f"{event.event_id} {event.application}", record=record)
            case TimerFired():
                yield self._message(SCS, SCS, f"the timer runs out: {event.timer}", "self", record)
            case CommandSucceeded() | CommandFailed() | CommandTimedOut() | CommandUnclear() | CommandUnconfirmed():
                yield from self._result(event, before.pending_by_id(event.id), record)

    def _reported(self, event: ApplicationReported, record: str) -> Iterator[Message]:
        application, lca = event.application, self._lca_of(event.application)
        if event.mode is Mode.DOWN:
            yield self._message(application, application, "fails", "lost")
        else:
            yield self._message(application, lca, f"runs: {event.mode}")
        yield self._message(lca, SCS, f"{application} is {event.mode}", record=record)

    def _result(self, event: CommandResult, command: HostCommand | None, record: str) -> Iterator[Message]:
        if command is None:
            yield self._message(SCS, SCS, f"a late result: {record}", "self", record)
            return
        lca = self._lca(command.host)
        if isinstance(event, CommandSucceeded):
            yield from self._effect(command, lca)
        kind = "lost" if isinstance(event, CommandTimedOut) else "result"
        yield self._message(lca, SCS, record, kind, record)

    def _effect(self, command: HostCommand, lca: str) -> Iterator[Message]:
        if command.effect and isinstance(command, ApplicationCommand):
            yield self._message(lca, command.application, command.effect)
        elif command.effect:
            yield self._message(lca, lca, command.effect, "self")
        if isinstance(command, EnableVip | AnnounceVip):
            yield self._message(lca, CLIENTS, f"gratuitous ARP: the VIP is at {command.host}")

    # Decisions and commands.

    def _is_shown(self, step: Step) -> bool:
        """Whether a decision is shown: it moves, or refuses a request. A pair stands for its redundant applications."""
        if step.machine == ALARM.name or (step.machine == APPLICATION.name and self._is_redundant(step.subject)):
            return False
        if step.decision.destination in (None, step.decision.source):
            return step.machine != PLACEMENT.name and step.decision.trigger.endswith(_ASKED)
        return True

    def _is_redundant(self, application: str) -> bool:
        return any(application in pair.applications for pair in self.topology.pairs)

    def _decision(self, step: Step) -> Message:
        source, destination = step.decision.source, step.decision.destination
        moved = f"{source} → {destination}" if destination not in (None, source) else f"stays {source}"
        text = f"{step.subject}: {moved}\n{step.decision.reason}"
        return Message(SCS, SCS, text, self.at_ms, "decision", step.decision.cite, describe_step(step))

    def _command(self, command: Command) -> Iterator[Message]:
        record = describe_command(command)
        match command:
            case StartTimer():
                if command.kind is not TimerKind.CANCEL:  # every alarm starts one
                    yield self._message(SCS, SCS, record, "note", record)
            case WriteLog() | ActivateAlarm() | TriggerReaction():
                yield self._message(SCS, SCS, record, "note", record)
            case _:
                yield self._message(SCS, self._lca(command.host), record, record=record)


def _host_text(event: HostConnected | HostFellSilent | HostHeard | HostLost | HostLeft | VipReported) -> str:
    match event:
        case HostConnected():
            return f"connected\n{_report_text(event.report)}"
        case HostFellSilent():
            return "nothing heard for half the detection time"
        case HostHeard():
            return "heard again"
        case HostLost():
            return "nothing heard: given up"
        case HostLeft():
            return "says goodbye"
        case VipReported():
            return f"the VIP is {'on' if event.held else 'off'}, without a command"


def _report_text(report: HostReport) -> str:
    modes = ", ".join(f"{name} {mode}" for name, mode in report.modes.items())
    return f"{modes}, VIP {'on' if report.vip_held else 'off'}"
