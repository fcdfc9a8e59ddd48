"""The handling of one event: triggers, machines, outputs, until nothing is left to do.

An event becomes triggers of the machines (`translation`); the rows that fire have outputs; an output is a command, or a
trigger of another machine. The triggers wait in one queue, first in, first out, so that a step of a workflow is
finished on every machine before the next one begins: all log messages are written before an alarm is activated, all
alarms are activated before a reaction is triggered, and all that a host reports is taken in before anything reacts to a
part of it. When the queue is empty, the joint state is looked at: alarms whose cause is over are told so, and the
placement is told of a joint view that is another one than before; until nothing is left of that either.

What must be decided stands in the tables; this module carries names from one to the other. Two things are its own: a
command that is under way already is not given twice, and of an alarm's VIP scripts the one that the VIP's order wants
first comes first.
"""

from collections import deque
from collections.abc import Callable
from typing import TypeVarTuple

from attrs import define, evolve, field, frozen

from .alarms import (
    HAPPENINGS,
    LOG_MESSAGES,
    WRITTEN_ALWAYS,
    Alarm,
    Happening,
    Reaction,
    ReactionKind,
    ReactionPolicy,
    event_id,
)
from .commands import (
    APPLICATION_COMMANDS,
    VIP_COMMANDS,
    ActivateAlarm,
    ChangingCommand,
    Command,
    HostCommand,
    StartTimer,
    TriggerReaction,
    WriteLog,
    overtakes,
    target_of,
)
from .errors import CoreError
from .events import Event, LogMessageReceived
from .facts import (
    is_over,
    joint_view,
    link_facts,
    pair_facts,
    pair_of_the_vip,
    vip_facts,
    vip_surprise,
)
from .machines.alarm import ALARM
from .machines.application import APPLICATION
from .machines.link import LINK
from .machines.pair import PAIR
from .machines.placement import PLACEMENT
from .machines.vip import VIP
from .state import SolutionState
from .table import Decision, Table
from .timers import TimerKind
from .topology import Topology, VipOrder
from .translation import Trigger, failure, tell_applications, translate

Arguments = TypeVarTuple("Arguments")

_LAST = {VipOrder.DISABLE_FIRST: ReactionKind.ENABLE_VIP, VipOrder.ENABLE_FIRST: ReactionKind.DISABLE_VIP}

STEPS_AT_MOST = 100
"""No event needs more triggers than this for each application and each alarm, unless the tables run in a circle."""


@frozen
class Step:
    """One decision that was taken: the machine, whose it is (a host, a pair, `VIP`, ...), and the row that fired."""

    machine: str
    subject: str
    decision: Decision

    @property
    def moved(self) -> bool:
        """Whether a row fired, as opposed to a decision to ignore."""
        return self.decision.destination is not None


@frozen
class Machines:
    """The tables that decide; others than the real ones only to see whether verification notices."""

    link: Table = LINK
    application: Table = APPLICATION
    pair: Table = PAIR
    alarm: Table = ALARM
    placement: Table = PLACEMENT
    vip: Table = VIP

    def check(self) -> None:
        """Expand and check every table and build its machine, if that is still to do; `CoreError` if one is wrong."""
        for table in (self.link, self.application, self.pair, self.alarm, self.placement, self.vip):
            table.checked()


MACHINES = Machines()


@define(eq=False)
class Handling:
    """The work on one event. It owns the new state until the event has been handled whole."""

    topology: Topology
    state: SolutionState
    machines: Machines = MACHINES
    commands: list[Command] = field(factory=list[Command])
    steps: list[Step] = field(factory=list[Step])
    queue: deque[Callable[[], None]] = field(factory=deque[Callable[[], None]])
    message: str = ""
    """The event id of the log message that is being handled, if it is one."""
    alarms_to_look_at: set[int] = field(factory=set[int])
    has_view_changed: bool = False
    has_vip_changed: bool = False

    def take(self, event: Event) -> None:
        self.message = event_id(event.event_id) if isinstance(event, LogMessageReceived) else ""
        self.state, triggers = translate(self.topology, self.state, event)
        self._enqueue(triggers)
        if isinstance(event, LogMessageReceived):
            self._cancel_alarms(self.message, event.application)  # whatever it says: an operator cancels so, too
        for _ in range(STEPS_AT_MOST * (len(self.state.applications) + len(self.state.alarms))):
            if not self.queue:
                self._look()
            if not self.queue:
                return
            self.queue.popleft()()
        raise CoreError(f"the tables run in a circle on {event}")

    def _look(self) -> None:
        """The joint state is a trigger, too, as far as it may have changed since it was looked at last."""
        for index in sorted(self.alarms_to_look_at):
            if self.state.alarms[index] == "active" and is_over(self.topology, self.state, self.topology.alarms[index]):
                self._then(self._move_alarm, index, "over")
        if self.has_view_changed:
            view = joint_view(self.topology, self.state)
            if view != self.state.view:
                self.state = self.state.with_view(view)
                self._then(self._move_placement, view)
        if self.has_vip_changed and (surprise := vip_surprise(self.topology, self.state)):
            self._then(self._move_vip, surprise)
        self.alarms_to_look_at, self.has_view_changed, self.has_vip_changed = set(), False, False

    def _has_changed(self, application: str) -> None:
        """What is known of an application may be another thing than before: who depends on it will be looked at."""
        self.alarms_to_look_at.update(self.topology.alarms_about.get(application, ()))
        self.has_view_changed = True

    def _enqueue(self, triggers: tuple[Trigger, ...]) -> None:
        for trigger in triggers:
            match trigger.machine:
                case "link":
                    self._then(self._move_link, trigger.index + 1, trigger.name)
                case "pair":
                    self._then(self._move_pair, trigger.index, trigger.name)
                case "application":
                    self._then(self._move_application, trigger.index, trigger.name)
                case "alarm":
                    self._then(self._move_alarm, trigger.index, trigger.name)
                case "vip":
                    self._then(self._move_vip, trigger.name)
                case _:  # placement
                    self._then(self._move_placement, trigger.name)

    # Machines move, and their outputs are carried out.

    def _move_link(self, side: int, trigger: str) -> None:
        host, state = self.topology.hosts[side - 1], self.state.links[side - 1]
        decision = self._decide(self.machines.link, host, state, trigger, lambda _: link_facts(self.state, side))
        if decision.destination is not None:
            self.state = self.state.with_link(side, decision.destination)
        for output in decision.outputs:
            match output.verb:
                case "tell_reached":
                    self._tell_reached(side)
                case "tell_heard":
                    self._then(self._move_link, 3 - side, "peer_heard")
                case "tell_lost":
                    self._lose_sight((side,), f"side{side}_unreachable", "lost")
                case _:  # tell_blind
                    self._lose_sight((1, 2), "blinded", "blinded")
                    self._then(self._move_link, 3 - side, "peer_gone")

    def _move_pair(self, index: int, trigger: str) -> None:
        found, state = self.topology.pairs[index], self.state.pairs[index]
        for name in found.applications:
            self._has_changed(name)
        decision = self._decide(
            self.machines.pair,
            found.name,
            state.state,
            trigger,
            lambda guard: pair_facts(self.topology, self.state, index, guard),
        )
        if decision.destination is not None:
            self.state = self.state.with_pair(index, evolve(state, state=decision.destination))
        for output in decision.outputs:
            if output.side is None:
                self._start_timer(output.verb, found.name)
            else:
                self._carry_out(output.verb, output.side, found.applications[output.side - 1])

    def _move_application(self, number: int, trigger: str) -> None:
        name = self.topology.applications[number]
        self._has_changed(name)
        decision = self._decide(self.machines.application, name, self.state.applications[number], trigger)
        if decision.destination is not None:
            self.state = self.state.with_application(number, decision.destination)
        for output in decision.outputs:
            self._carry_out(output.verb, number % 2 + 1, name)

    def _carry_out(self, verb: str, side: int, application: str) -> None:
        what, _, happening = verb.partition("_")
        match what:
            case "log":
                self._log(Happening(happening), application)
            case "restate":
                self._raise_alarms(Happening(happening), application)
            case "repeat":
                self._tell_alarms(self.message, application, "detected")
            case "start" if happening:
                self._start_timer(verb, application)
            case "release":
                if application in self.topology.pairs[pair_of_the_vip(self.topology)].applications:
                    self._then(self._move_vip, f"side{side}_disable_asked")
            case _:
                self._give(APPLICATION_COMMANDS[what](self.topology.hosts[side - 1], application))

    def _move_vip(self, trigger: str) -> None:
        self.has_vip_changed = True
        decision = self._decide(
            self.machines.vip, "VIP", self.state.vip, trigger, lambda guard: vip_facts(self.topology, self.state, guard)
        )
        if decision.destination is not None:
            self.state = self.state.with_vip(decision.destination)
        for output in decision.outputs:
            if output.side is None:
                self._start_timer(output.verb, "VIP")
            elif output.verb == "start_look":
                self._start_timer(output.verb, self.topology.hosts[output.side - 1])
            else:
                self._give(VIP_COMMANDS[output.verb](self.topology.hosts[output.side - 1]))

    def _move_placement(self, trigger: str) -> None:
        decision = self._decide(self.machines.placement, "solution", self.state.placement, trigger)
        if decision.destination is not None:
            self.state = self.state.with_placement(decision.destination)
        for output in decision.outputs:
            match output.verb:
                case "gather":
                    for index in range(len(self.topology.pairs)):
                        self._then(self._move_pair, index, f"side{output.side}_requested")
                case "look":
                    self.state = self.state.with_view("")
                    self.has_view_changed = True
                case _:  # start_retry
                    self.commands.append(StartTimer(TimerKind.GATHER.of(), self.topology.retry_ms))

    def _decide(
        self,
        table: Table,
        subject: str,
        state: str,
        trigger: str,
        facts: Callable[[str], frozenset[str]] = lambda _: frozenset(),
    ) -> Decision:
        """What the table decides; the facts are looked at only where a guard asks for them."""
        guard = table.guard_of(state, trigger)
        decision = table.step(state, trigger, facts(guard) if guard else ())
        self.steps.append(Step(table.name, subject, decision))
        return decision

    def _tell_reached(self, side: int) -> None:
        """What the host reports; and what it was told on an older connection, without a result yet, has failed."""
        for index, pair in enumerate(self.state.pairs):
            self._then(self._move_pair, index, f"side{side}_{pair.modes[side - 1]}")
        self._then(self._move_vip, f"side{side}_{'held' if self.state.vip_held[side - 1] else 'free'}")
        for command in self._forget(self.topology.hosts[side - 1]):
            self._then(self._give_up, command)

    def _give_up(self, command: HostCommand) -> None:
        """A command has failed, unless what the host reported has led to another one since."""
        since = self.state.pending_for(target_of(command))
        if not any(later == command or overtakes(later, command) for later in since):
            self._enqueue(failure(self.topology, command))

    def _lose_sight(self, sides: tuple[int, ...], trigger: str, of_applications: str) -> None:
        for side in sides:
            self._forget(self.topology.hosts[side - 1])
            for pair in range(len(self.topology.pairs)):
                self.state = self.state.with_mode(pair, side, None)
            self.state = self.state.with_vip_held(side, held=None)
            self._enqueue(tell_applications(self.topology, self.state, side, of_applications))
        for pair in range(len(self.topology.pairs)):
            self._then(self._move_pair, pair, trigger)
        self._then(self._move_vip, trigger)

    # Log messages activate alarms, alarms trigger reactions, reactions move the VIP and switch pairs.

    def _log(self, happening: Happening, application: str) -> None:
        waited_for = self.topology.detecting.keys() | self.topology.cancelling.keys()
        for message, meaning in HAPPENINGS.items():
            if meaning is happening and (message in WRITTEN_ALWAYS or (message, application) in waited_for):
                self.commands.append(WriteLog(message, application, f"{application} {LOG_MESSAGES[message]}"))
                self._tell_alarms(message, application, "detected")
                self._cancel_alarms(message, application)

    def _raise_alarms(self, happening: Happening, application: str) -> None:
        for message, meaning in HAPPENINGS.items():
            if meaning is happening:
                self._tell_alarms(message, application, "restated")

    def _tell_alarms(self, message: str, application: str, trigger: str) -> None:
        for index in self.topology.detecting.get((message, application), ()):
            self._then(self._move_alarm, index, trigger)

    def _cancel_alarms(self, message: str, application: str) -> None:
        for index in self.topology.cancelling.get((message, application), ()):
            self._then(self._move_alarm, index, "cancelled")

    def _move_alarm(self, index: int, trigger: str) -> None:
        alarm, state = self.topology.alarms[index], self.state.alarms[index]
        self.alarms_to_look_at.add(index)
        policy = frozenset({str(self.topology.reactions)})
        decision = self._decide(self.machines.alarm, alarm.name, state, trigger, lambda _: policy)
        if decision.destination is not None:
            self.state = self.state.with_alarm(index, decision.destination)
        for output in decision.outputs:
            if output.verb == "react":
                self._activate(alarm)
            else:
                self.commands.append(StartTimer(TimerKind.CANCEL.of(alarm.name), alarm.cancel_timeout_ms))

    def _activate(self, alarm: Alarm) -> None:
        self.commands.append(ActivateAlarm(alarm.name, event_id(alarm.detect), alarm.application))
        last = _LAST.get(self.topology.vip_order)
        for reaction in sorted(alarm.reactions, key=lambda reaction: reaction.do is last):
            self._then(self._react, alarm, reaction)

    def _react(self, alarm: Alarm, reaction: Reaction) -> None:
        self.commands.append(TriggerReaction(alarm.name, reaction.do, reaction.target))
        if reaction.do is ReactionKind.TO_PRIMARY:
            pair, side = self.topology.find_redundant(reaction.application)
            is_failure = HAPPENINGS[event_id(alarm.detect)] is Happening.FAILED
            self._then(self._move_pair, pair, f"side{side}_{'needed' if is_failure else 'requested'}")
        else:
            what = "enable" if reaction.do is ReactionKind.ENABLE_VIP else "disable"
            how = "ordered" if self.topology.reactions is ReactionPolicy.LITERAL else "asked"
            self._then(self._move_vip, f"side{self.topology.side_of(reaction.host)}_{what}_{how}")

    # The small change.

    def _give(self, command: HostCommand) -> None:
        """Give a command its id and let it go, unless it is under way and nothing that was told since changes it."""
        if self.state.links[self.topology.side_of(command.host) - 1] in ("unknown", "lost"):
            return  # the machines are about to hear that it is lost
        told = self.state.pending_for(target_of(command))
        changes = [position for position, earlier in enumerate(told) if isinstance(earlier, ChangingCommand)]
        if command in told[changes[-1] if changes else 0 :]:
            return
        self.state, numbered = self.state.with_command(command)
        self.commands.append(numbered)

    def _forget(self, host: str) -> list[HostCommand]:
        """No result can come any more of what a host was told on a connection that is gone."""
        names = (*(pair.applications[self.topology.hosts.index(host)] for pair in self.topology.components), "VIP")
        gone = [command for name in names for command in self.state.pending_for((host, name))]
        for command in gone:
            self.state = self.state.without_command(command)
        self.commands = [told for told in self.commands if not isinstance(told, HostCommand) or told.host != host]
        return gone

    def _start_timer(self, verb: str, subject: str) -> None:
        times = {
            TimerKind.SETTLE: self.topology.settle_ms,
            TimerKind.RETRY: self.topology.retry_ms,
            TimerKind.ANNOUNCE: self.topology.retry_ms,
            TimerKind.LOOK: self.topology.retry_ms,
            TimerKind.DRAIN: self.topology.drain_ms,
        }
        kind = TimerKind(verb.removeprefix("start_"))
        self.commands.append(StartTimer(kind.of(subject), times[kind]))

    def _then(self, what: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        self.queue.append(lambda: what(*arguments))
