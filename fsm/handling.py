"""The handling of one event: triggers, machines, outputs, until nothing is left to do.

An event becomes triggers of the machines; the rows that fire have outputs; an output is a command, or a trigger of
another machine. The triggers wait in one queue, first in, first out, so that a step of a workflow is finished on every
machine before the next one begins: all log messages are written before an alarm is activated, all alarms are activated
before a reaction is triggered, and all that a host reports is taken in before anything reacts to a part of it.

What must be decided stands in the tables of `link`, `pair` and `vip` and in the alarm conditions; this module carries
names from one to the other. Two things are its own: a command that is under way already is not given twice, and of an
alarm's reactions those that the VIP's order wants first come first.
"""

from collections import deque
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from attrs import define, evolve, field, frozen

from .alarms import CHANGED_TO_BACKUP, CHANGED_TO_PRIMARY, LOG_MESSAGES, Alarm, Reaction, ReactionKind, event_id
from .commands import (
    ActivateAlarm,
    AnnounceVip,
    Command,
    Demote,
    DisableVip,
    EnableVip,
    HostCommand,
    Promote,
    StartTimer,
    TriggerReaction,
    WriteLog,
)
from .errors import CoreError
from .events import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    SwitchoverRequested,
    TimerFired,
    VipReported,
)
from .facts import link_facts, pair_facts, pair_of_the_vip, vip_facts
from .link import LINK
from .pair import PAIR
from .state import PairState, SolutionState
from .table import Decision, Table
from .topology import Topology, VipOrder
from .vip import VIP

Arguments = TypeVarTuple("Arguments")
Value = TypeVar("Value")

_VIP_COMMANDS = {"enable": EnableVip, "disable": DisableVip, "announce": AnnounceVip}

STEPS_AT_MOST = 100
"""No event can need more triggers than this for each pair and each alarm; if it does, the tables run in a circle."""

_LINK_TRIGGERS = {
    HostConnected: "connected",
    HostFellSilent: "fell_silent",
    HostHeard: "heard",
    HostLost: "lost",
    HostLeft: "left",
}


@frozen
class Step:
    """One decision that was taken: the machine, whose it is (a host, a pair, or `VIP`), and the row that fired."""

    machine: str
    subject: str
    decision: Decision

    @property
    def moved(self) -> bool:
        """Whether a row fired, as opposed to a decision to ignore."""
        return self.decision.destination is not None


@define(eq=False)
class Handling:
    """The work on one event. It owns the new state until the event has been handled whole."""

    topology: Topology
    state: SolutionState
    commands: list[Command] = field(factory=list[Command])
    steps: list[Step] = field(factory=list[Step])
    queue: deque[Callable[[], None]] = field(factory=deque[Callable[[], None]])

    def take(self, event: Event) -> None:
        self._translate(event)
        for _ in range(STEPS_AT_MOST * (len(self.topology.pairs) + len(self.topology.alarms))):
            if not self.queue:
                return
            self.queue.popleft()()
        raise CoreError(f"the tables run in a circle on {event}")

    # Events become triggers.

    def _translate(self, event: Event) -> None:
        match event:
            case HostConnected() | HostFellSilent() | HostHeard() | HostLost() | HostLeft():
                side = self.topology.side_of(event.host)
                if isinstance(event, HostConnected):
                    self._note_report(side, event.report)
                self._then(self._move_link, side, _LINK_TRIGGERS[type(event)])
            case ApplicationReported():
                pair, side = self.topology.find(event.application)
                self._must_be_connected(side)
                self._observe_mode(pair, side, event.mode)
            case VipReported():
                side = self.topology.side_of(event.host)
                self._must_be_connected(side)
                self._observe_vip(side, event.held)
            case CommandSucceeded() | CommandFailed():
                self._take_result(event)
            case TimerFired():
                self._take_timer(event.timer)
            case SwitchoverRequested():
                pair, side = self.topology.find(event.application)
                self._then(self._move_pair, pair, f"side{side}_requested")
            case LogMessageReceived():
                pair, side = self.topology.find(event.application)
                mode = "primary" if event_id(event.event_id) == CHANGED_TO_PRIMARY else "backup"
                self._then(self._move_pair, pair, f"side{side}_logged_{mode}")

    def _take_result(self, event: CommandSucceeded | CommandFailed) -> None:
        command = next((command for command in self.state.pending if command.id == event.id), None)
        if command is None:
            return  # of a host that has been lost since, or told twice
        self.state = evolve(self.state, pending=tuple(other for other in self.state.pending if other is not command))
        if isinstance(event, CommandFailed):
            self._tell_failed(command)
            return
        match command:
            case Promote() | Demote():
                pair, side = self.topology.find(command.application)
                self._observe_mode(pair, side, Mode.PRIMARY if isinstance(command, Promote) else Mode.BACKUP)
            case EnableVip() | DisableVip():
                self._observe_vip(self.topology.side_of(command.host), isinstance(command, EnableVip))
            case AnnounceVip():
                pass  # nothing waits for it

    def _tell_failed(self, command: HostCommand) -> None:
        match command:
            case Promote() | Demote():
                pair, side = self.topology.find(command.application)
                what = "promotion" if isinstance(command, Promote) else "demotion"
                self._then(self._move_pair, pair, f"side{side}_{what}_failed")
            case EnableVip() | DisableVip():
                what = "enable" if isinstance(command, EnableVip) else "disable"
                self._then(self._move_vip, f"side{self.topology.side_of(command.host)}_{what}_failed")
            case AnnounceVip():
                pass  # nothing waits for it; the failure is in the journal

    def _take_timer(self, timer: str) -> None:
        what, _, subject = timer.partition(" ")
        trigger = {"retry": "retry", "settle": "settled", "drain": "drained"}.get(what)
        names = [pair.name for pair in self.topology.pairs]
        if subject == "VIP" and trigger in ("retry", "drained"):
            self._then(self._move_vip, trigger)
        elif subject in names and trigger in ("retry", "settled"):
            self._then(self._move_pair, names.index(subject), trigger)
        else:
            raise CoreError(f"unknown timer {timer!r}")

    # What hosts report is noted, and told to the machine.

    def _note_report(self, side: int, report: HostReport) -> None:
        expected = {pair.applications[side - 1] for pair in self.topology.pairs}
        if set(report.modes) != expected:
            raise CoreError(f"a report of {self.topology.hosts[side - 1]} must tell of {', '.join(sorted(expected))}")
        for pair, found in enumerate(self.topology.pairs):
            name = found.applications[side - 1]
            self._note_mode(pair, side, report.modes[name], report.primary_for_ms.get(name, 0))
        self._note_vip(side, report.vip_held)

    def _note_mode(self, pair: int, side: int, mode: Mode | None, primary_for_ms: int = 0) -> None:
        old = self.state.pairs[pair]
        new = evolve(
            old,
            modes=_put(old.modes, side, mode),
            primary_for_ms=_put(old.primary_for_ms, side, primary_for_ms),
        )
        self._set_pair(pair, new)

    def _note_vip(self, side: int, held: bool | None) -> None:
        self.state = evolve(self.state, vip_held=_put(self.state.vip_held, side, held))

    def _observe_mode(self, pair: int, side: int, mode: Mode) -> None:
        self._note_mode(pair, side, mode)
        self._then(self._move_pair, pair, f"side{side}_{mode}")

    def _observe_vip(self, side: int, held: bool) -> None:
        self._note_vip(side, held)
        self._then(self._move_vip, f"side{side}_{'held' if held else 'free'}")

    # Machines move, and their outputs are carried out.

    def _move_link(self, side: int, trigger: str) -> None:
        host, state = self.topology.hosts[side - 1], self.state.links[side - 1]
        decision = self._decide(LINK, host, state, trigger, link_facts(self.state, side))
        if decision.destination is not None:
            self.state = evolve(self.state, links=_put(self.state.links, side, decision.destination))
        for output in decision.outputs:
            match output.verb:
                case "tell_reached":
                    self._tell_reached(side)
                case "tell_heard":
                    self._then(self._move_link, 3 - side, "peer_heard")
                case "tell_lost":
                    self._lose_sight((side,), f"side{side}_unreachable")
                case _:  # tell_blind
                    self._lose_sight((1, 2), "blinded")
                    self._then(self._move_link, 3 - side, "peer_gone")

    def _move_pair(self, pair: int, trigger: str) -> None:
        found, state = self.topology.pairs[pair], self.state.pairs[pair]
        decision = self._decide(
            PAIR, found.name, state.state, trigger, pair_facts(self.state, state, found.applications)
        )
        if decision.destination is not None:
            self._set_pair(pair, evolve(state, state=decision.destination))
        for output in decision.outputs:
            if output.side is None:
                self._start_timer(output.verb, found.name)
            else:
                self._carry_out(output.verb, output.side, found.applications[output.side - 1])

    def _carry_out(self, verb: str, side: int, application: str) -> None:
        host = self.topology.hosts[side - 1]
        match verb:
            case "promote":
                self._give(Promote(host, application))
            case "demote":
                self._give(Demote(host, application))
            case "log_primary":
                self._log(CHANGED_TO_PRIMARY, application)
            case "log_backup":
                self._log(CHANGED_TO_BACKUP, application)
            case "restate":
                self._raise_alarms(CHANGED_TO_PRIMARY, application)
            case "restate_backup":
                self._raise_alarms(CHANGED_TO_BACKUP, application)
            case _:  # release_vip
                if application in self.topology.pairs[pair_of_the_vip(self.topology)].applications:
                    self._then(self._move_vip, f"side{side}_disable_asked")

    def _move_vip(self, trigger: str) -> None:
        decision = self._decide(VIP, "VIP", self.state.vip, trigger, vip_facts(self.topology, self.state))
        if decision.destination is not None:
            self.state = evolve(self.state, vip=decision.destination)
        for output in decision.outputs:
            if output.side is None:
                self._start_timer(output.verb, "VIP")
            else:
                self._give(_VIP_COMMANDS[output.verb](self.topology.hosts[output.side - 1]))

    def _decide(self, table: Table, subject: str, state: str, trigger: str, facts: frozenset[str]) -> Decision:
        decision = table.step(state, trigger, facts)
        self.steps.append(Step(table.name, subject, decision))
        return decision

    def _tell_reached(self, side: int) -> None:
        """What the host reports; and what it was told on an older connection, without a result yet, has failed."""
        for pair, found in enumerate(self.state.pairs):
            self._then(self._move_pair, pair, f"side{side}_{found.modes[side - 1]}")
        self._then(self._move_vip, f"side{side}_{'held' if self.state.vip_held[side - 1] else 'free'}")
        for command in self._forget(self.topology.hosts[side - 1]):
            self._tell_failed(command)

    def _lose_sight(self, sides: tuple[int, ...], trigger: str) -> None:
        for side in sides:
            self._forget(self.topology.hosts[side - 1])
            for pair in range(len(self.topology.pairs)):
                self._note_mode(pair, side, None)
            self._note_vip(side, held=None)
        for pair in range(len(self.topology.pairs)):
            self._then(self._move_pair, pair, trigger)
        self._then(self._move_vip, trigger)

    # Log messages activate alarms, alarms trigger reactions, reactions move the VIP.

    def _log(self, event: str, application: str) -> None:
        self.commands.append(WriteLog(event, application, f"{application} {LOG_MESSAGES[event]}"))
        self._raise_alarms(event, application)

    def _raise_alarms(self, event: str, application: str) -> None:
        for alarm in self.topology.alarms:
            if (event_id(alarm.detect), alarm.application) == (event, application):
                self._then(self._activate, alarm, event)

    def _activate(self, alarm: Alarm, event: str) -> None:
        self.commands.append(ActivateAlarm(alarm.name, event, alarm.application))
        first = (
            ReactionKind.ENABLE_VIP if self.topology.vip_order is VipOrder.ENABLE_FIRST else ReactionKind.DISABLE_VIP
        )
        for reaction in sorted(alarm.reactions, key=lambda reaction: reaction.do is not first):
            self._then(self._react, alarm, reaction)

    def _react(self, alarm: Alarm, reaction: Reaction) -> None:
        self.commands.append(TriggerReaction(alarm.name, reaction.do, reaction.host))
        what = "enable" if reaction.do is ReactionKind.ENABLE_VIP else "disable"
        self._then(self._move_vip, f"side{self.topology.side_of(reaction.host)}_{what}_asked")

    # The small change.

    def _give(self, command: HostCommand) -> None:
        """Give a command its id and let it go, unless the last one under way for the same thing asks for the same."""
        same_thing = [told for told in self.state.pending if _thing(told) == _thing(command)]
        if not same_thing or same_thing[-1] != command:
            numbered = evolve(command, id=self.state.next_id)
            self.state = evolve(self.state, pending=(*self.state.pending, numbered), next_id=self.state.next_id + 1)
            self.commands.append(numbered)

    def _forget(self, host: str) -> list[HostCommand]:
        """No result can come any more of what a host was told on a connection that is gone."""
        gone = [command for command in self.state.pending if command.host == host]
        self.state = evolve(self.state, pending=tuple(told for told in self.state.pending if told.host != host))
        return gone

    def _start_timer(self, verb: str, subject: str) -> None:
        times = {
            "settle": self.topology.settle_ms,
            "retry": self.topology.retry_ms,
            "drain": self.topology.drain_ms,
        }
        name = verb.removeprefix("start_")
        self.commands.append(StartTimer(f"{name} {subject}", times[name]))

    def _then(self, what: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        self.queue.append(lambda: what(*arguments))

    def _set_pair(self, pair: int, state: PairState) -> None:
        pairs = self.state.pairs
        self.state = evolve(self.state, pairs=(*pairs[:pair], state, *pairs[pair + 1 :]))

    def _must_be_connected(self, side: int) -> None:
        if self.state.links[side - 1] not in ("connected", "silent"):
            raise CoreError(f"{self.topology.hosts[side - 1]} is not connected: what it says now does not count")


def _thing(command: HostCommand) -> tuple[str, str]:
    """What a command is about: an application, or the VIP, on a host. A host does such commands one after the other."""
    return command.host, command.application if isinstance(command, Promote | Demote) else "VIP"


def _put(both: tuple[Value, Value], side: int, value: Value) -> tuple[Value, Value]:
    return (value, both[1]) if side == 1 else (both[0], value)
