"""The machines move: each trigger goes through its table, and the row's outputs become commands and new triggers.

Rules of this module (numbered through the room, see `handling`):

15. Triggers wait in one queue, first in, first out. So a step of a workflow is finished on every machine before the
    next one begins: all log messages are written before an alarm is activated, all alarms are activated before a
    reaction is triggered, and all that a host reports is taken in before anything reacts to a part of it.
16. The joint state is looked at only when nothing waits, and as far as it may have changed: first the alarms whose
    cause is over, then the placement, then what was seen of the VIP. In between, a pair may be where it does not stay.
17. The placement is triggered only if the joint view differs from the last one, or if it has asked to look again.
    Otherwise a failed attempt would be followed by another one at once.
18. Where the loser of a split brain fails or cannot be demoted, the VIP is released there (`release_vip`) only if it
    follows this pair. Another pair's split brain says nothing about where the calls are to go.
19. An event with more triggers than `TRIGGERS_AT_MOST` allows is refused: the tables would run in a circle for ever.
"""

from typing import assert_never

from attrs import evolve

from ..alarms import Happening, event_id
from ..commands import (
    AnnounceVip,
    Demote,
    DisableVip,
    EnableVip,
    LookAt,
    LookAtVip,
    Promote,
    Start,
    Stop,
)
from ..errors import CoreError
from ..events import Event, LogMessageReceived
from ..facts import is_over, joint_trigger, link_facts, pair_facts, pair_of_the_vip, vip_facts, vip_surprise
from ..state import SolutionState
from ..tables.outputs import AlarmOutput, ApplicationOutput, LinkOutput, PairOutput, PlacementOutput, VipOutput
from ..tables.table import Output
from ..tables.triggers import (
    AlarmTrigger,
    ApplicationTrigger,
    LinkTrigger,
    PairTrigger,
    PlacementTrigger,
    Trigger,
    VipTrigger,
)
from ..timers import TimerKind
from ..topology import Topology
from .hosts import give_up, lose_sight, take_in_report
from .reactions import activate, cancel, detect, react, restate, write_log
from .timing import VIP_SUBJECT
from .translation import translate
from .work import MACHINES, DueReaction, Machines, Unanswered, Work

TRIGGERS_AT_MOST = 100
"""No event needs more triggers than this for each application and each alarm (rule 19)."""


def handle_event(topology: Topology, state: SolutionState, event: Event, machines: Machines = MACHINES) -> Work:
    """Handle one event in a state; the work has the new state, the commands and the steps. `CoreError` if refused."""
    work = Work(topology, state, machines)
    work.state, triggers = translate(topology, state, event)
    work.queue.extend(triggers)
    if isinstance(event, LogMessageReceived):
        work.message = event_id(event.event_id)
        cancel(work, work.message, event.application)  # rule 24
    for _ in range(TRIGGERS_AT_MOST * (len(topology.applications) + len(topology.alarms))):
        if not work.queue:
            _look_at_joint_state(work)
        if not work.queue:
            return work
        match task := work.queue.popleft():  # rule 15
            case Trigger():
                _move(work, task)
            case DueReaction():
                react(work, task)
            case Unanswered():
                give_up(work, task)
            case _:
                assert_never(task)
    raise CoreError(f"the tables run in a circle on {event}")  # rule 19


def _look_at_joint_state(work: Work) -> None:
    """Queue the triggers of the joint state, as far as it may have changed since it was last looked at (rule 16)."""
    topology, state = work.topology, work.state
    for index in sorted(work.alarms_to_look_at):
        if state.alarms[index] == "active" and is_over(topology, state, topology.alarms[index]):
            work.queue.append(Trigger(AlarmTrigger.OVER, index))
    if work.has_view_changed:
        trigger = joint_trigger(topology, state)
        if str(trigger) != state.view:  # rule 17
            work.state = state.with_view(str(trigger))
            work.queue.append(trigger)
    if work.has_vip_changed and (surprise := vip_surprise(topology, state)):
        work.queue.append(surprise)
    work.alarms_to_look_at, work.has_view_changed, work.has_vip_changed = set(), False, False


def _move(work: Work, trigger: Trigger) -> None:
    match trigger.name:
        case LinkTrigger():
            _move_link(work, trigger)
        case ApplicationTrigger():
            _move_application(work, trigger)
        case PairTrigger():
            _move_pair(work, trigger)
        case AlarmTrigger():
            _move_alarm(work, trigger)
        case PlacementTrigger():
            _move_placement(work, trigger)
        case VipTrigger():
            _move_vip(work, trigger)
        case _:
            assert_never(trigger.name)


def _move_link(work: Work, trigger: Trigger) -> None:
    side = trigger.index + 1
    host, state = work.topology.hosts[trigger.index], work.state.links[trigger.index]
    decision = work.decide(work.machines.link, host, state, trigger, lambda _: link_facts(work.state, side))
    if decision.destination is not None:
        work.state = work.state.with_link(side, decision.destination)
    for output in decision.outputs:
        verb = LinkOutput(output.verb)
        match verb:
            case LinkOutput.TELL_REACHED:
                take_in_report(work, side)
            case LinkOutput.TELL_HEARD:
                work.queue.append(Trigger(LinkTrigger.PEER_HEARD, 2 - side))
            case LinkOutput.TELL_LOST:
                lose_sight(work, side, ApplicationTrigger.LOST)
                work.trigger_pairs(PairTrigger.THIS_UNREACHABLE, side)
                work.queue.append(Trigger(VipTrigger.THIS_UNREACHABLE, side=side))
            case LinkOutput.TELL_BLIND:
                lose_sight(work, 1, ApplicationTrigger.BLINDED)
                lose_sight(work, 2, ApplicationTrigger.BLINDED)
                work.trigger_pairs(PairTrigger.BLINDED)
                work.queue.append(Trigger(VipTrigger.BLINDED))
                work.queue.append(Trigger(LinkTrigger.PEER_GONE, 2 - side))
            case _:
                assert_never(verb)


def _move_application(work: Work, trigger: Trigger) -> None:
    number = trigger.index
    application = work.topology.applications[number]
    work.mark_changed(application)
    decision = work.decide(work.machines.application, application, work.state.applications[number], trigger)
    if decision.destination is not None:
        work.state = work.state.with_application(number, decision.destination)
    for output in decision.outputs:
        verb = ApplicationOutput(output.verb)
        match verb:
            case ApplicationOutput.LOG_FAILED:
                write_log(work, Happening.FAILED, application)
            case ApplicationOutput.LOG_STARTED:
                write_log(work, Happening.STARTED, application)
            case ApplicationOutput.RESTATE_FAILED:
                restate(work, Happening.FAILED, application)
            case ApplicationOutput.REPEAT:
                detect(work, work.message, application)
            case ApplicationOutput.START:
                work.give(Start(work.topology.hosts[number % 2], application))
            case ApplicationOutput.STOP:
                work.give(Stop(work.topology.hosts[number % 2], application))
            case _:
                assert_never(verb)


def _move_pair(work: Work, trigger: Trigger) -> None:
    index = trigger.index
    pair, state = work.topology.pairs[index], work.state.pairs[index]
    for application in pair.applications:
        work.mark_changed(application)
    decision = work.decide(
        work.machines.pair,
        pair.name,
        state.state,
        trigger,
        lambda guard: pair_facts(work.topology, work.state, index, guard),
    )
    if decision.destination is not None:
        work.state = work.state.with_pair(index, evolve(state, state=decision.destination))
    for output in decision.outputs:
        _carry_out(work, output, index)


def _carry_out(work: Work, output: Output, index: int) -> None:
    """What a pair's machine asks for."""
    pair, verb = work.topology.pairs[index], PairOutput(output.verb)

    def host() -> str:
        return work.topology.hosts[output.number - 1]

    def application() -> str:
        return pair.applications[output.number - 1]

    match verb:
        case PairOutput.PROMOTE:
            work.give(Promote(host(), application()))
        case PairOutput.DEMOTE:
            work.give(Demote(host(), application()))
        case PairOutput.LOOK:
            work.give(LookAt(host(), application()))
        case PairOutput.LOG_PRIMARY:
            write_log(work, Happening.PRIMARY, application())
        case PairOutput.LOG_BACKUP:
            write_log(work, Happening.BACKUP, application())
        case PairOutput.RESTATE_PRIMARY:
            restate(work, Happening.PRIMARY, application())
        case PairOutput.REPEAT:
            detect(work, work.message, application())
        case PairOutput.RELEASE_VIP:
            if index == pair_of_the_vip(work.topology):  # rule 18
                work.queue.append(Trigger(VipTrigger.THIS_DISABLE_ASKED, side=output.number))
        case PairOutput.START_LOOK:
            work.start_timer(TimerKind.LOOK, application())
        case PairOutput.START_RETRY:
            work.start_timer(TimerKind.RETRY, pair.name)
        case PairOutput.START_SETTLE:
            work.start_timer(TimerKind.SETTLE, pair.name)
        case _:
            assert_never(verb)


def _move_alarm(work: Work, trigger: Trigger) -> None:
    index = trigger.index
    alarm = work.topology.alarms[index]
    work.alarms_to_look_at.add(index)
    policy = frozenset({str(work.topology.reactions)})
    decision = work.decide(work.machines.alarm, alarm.name, work.state.alarms[index], trigger, lambda _: policy)
    if decision.destination is not None:
        work.state = work.state.with_alarm(index, decision.destination)
    for output in decision.outputs:
        verb = AlarmOutput(output.verb)
        match verb:
            case AlarmOutput.REACT:
                activate(work, alarm)
            case AlarmOutput.START_CANCEL:
                work.start_timer(TimerKind.CANCEL, alarm.name)
            case _:
                assert_never(verb)


def _move_placement(work: Work, trigger: Trigger) -> None:
    decision = work.decide(work.machines.placement, "solution", work.state.placement, trigger)
    if decision.destination is not None:
        work.state = work.state.with_placement(decision.destination)
    for output in decision.outputs:
        verb = PlacementOutput(output.verb)
        match verb:
            case PlacementOutput.GATHER:
                work.trigger_pairs(PairTrigger.THIS_REQUESTED, output.number)
            case PlacementOutput.START_RETRY:
                work.start_timer(TimerKind.GATHER)
            case PlacementOutput.LOOK:
                work.state = work.state.with_view("")  # rule 17
                work.has_view_changed = True
            case _:
                assert_never(verb)


def _move_vip(work: Work, trigger: Trigger) -> None:
    work.has_vip_changed = True
    decision = work.decide(
        work.machines.vip,
        VIP_SUBJECT,
        work.state.vip,
        trigger,
        lambda guard: vip_facts(work.topology, work.state, guard),
    )
    if decision.destination is not None:
        work.state = work.state.with_vip(decision.destination)
    for output in decision.outputs:
        _carry_out_vip(work, output)


def _carry_out_vip(work: Work, output: Output) -> None:
    """What the Virtual IP's machine asks for."""
    verb = VipOutput(output.verb)

    def host() -> str:
        return work.topology.hosts[output.number - 1]

    match verb:
        case VipOutput.ENABLE:
            work.give(EnableVip(host()))
        case VipOutput.DISABLE:
            work.give(DisableVip(host()))
        case VipOutput.ANNOUNCE:
            work.give(AnnounceVip(host()))
        case VipOutput.LOOK:
            work.give(LookAtVip(host()))
        case VipOutput.START_LOOK:
            work.start_timer(TimerKind.LOOK, host())
        case VipOutput.START_RETRY:
            work.start_timer(TimerKind.RETRY, VIP_SUBJECT)
        case VipOutput.START_ANNOUNCE:
            work.start_timer(TimerKind.ANNOUNCE, VIP_SUBJECT)
        case VipOutput.START_DRAIN:
            work.start_timer(TimerKind.DRAIN, VIP_SUBJECT)
        case _:
            assert_never(verb)
