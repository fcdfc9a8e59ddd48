"""Whatever happens, an alarm reacts once per incident, and is not active after its condition is over."""

from collections import Counter

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from support.alarm_world import HOSTS, ONCE, reports, takeover
from switchover.fsm import (
    ActivateAlarm,
    Alarm,
    ApplicationReported,
    Command,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CoreError,
    Event,
    HostFellSilent,
    HostHeard,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    ReactionPolicy,
    Solution,
    SolutionState,
    StartTimer,
    SwitchoverRequested,
    TimerFired,
    Topology,
    TriggerReaction,
    VipReported,
    WriteLog,
    event_id,
    voicemail_topology,
)


def with_cancel_events(topology: Topology) -> Topology:
    """Some alarms with a cancel event that the core writes, some with one that only comes from outside."""
    cancels = {"00-5150": "00-5151", "00-4563": "00-4561", "00-5151": "00-5150", "00-5091": "00-5090"}
    return evolve(
        topology, alarms=tuple(evolve(alarm, cancel=cancels.get(alarm.detect, "")) for alarm in topology.alarms)
    )


TOPOLOGIES = [
    make(topology)
    for topology in [
        *(takeover(reactions) for reactions in ReactionPolicy),
        *(voicemail_topology(reactions=reactions) for reactions in ReactionPolicy),
    ]
    for make in (lambda same: same, with_cancel_events)
]


def events_of(topology: Topology) -> list[Event]:
    redundant = [name for pair in topology.pairs for name in pair.applications]
    monitored = [name for pair in topology.monitored for name in pair.applications]
    down = [
        evolve(event, report=HostReport(dict.fromkeys(event.report.modes, Mode.DOWN), vip_held=False))
        for event in reports(topology)
    ]
    return [
        *(ApplicationReported(name, mode) for name in redundant for mode in Mode if mode is not Mode.UP),
        *(ApplicationReported(name, mode) for name in monitored for mode in (Mode.UP, Mode.DOWN)),
        *(SwitchoverRequested(name) for name in redundant),
        *(LogMessageReceived(alarm.detect, alarm.application) for alarm in topology.alarms),
        *(LogMessageReceived(alarm.cancel, alarm.application) for alarm in topology.alarms if alarm.cancel),
        *(TimerFired(f"cancel {alarm.name}") for alarm in topology.alarms),
        *(TimerFired(f"retry {subject}") for subject in ("VIP", *(pair.name for pair in topology.pairs))),
        *(VipReported(host, held) for host in HOSTS for held in (True, False)),
        *(kind(host) for host in HOSTS for kind in (HostFellSilent, HostHeard, HostLost)),
        *reports(topology),
        *down,
    ]


ANSWERS = {"done": CommandSucceeded, "failed": CommandFailed, "timed out": CommandTimedOut}


@st.composite
def stories(draw: st.DrawFn) -> tuple[Topology, list[Event | str]]:
    topology = draw(st.sampled_from(TOPOLOGIES))
    events = st.sampled_from(events_of(topology))
    answers = st.sampled_from(["done", "done", "done", "failed", "timed out"])
    return topology, [*reports(topology), *draw(st.lists(answers | events, max_size=40))]


def concrete(state: SolutionState, happening: Event | str) -> Event | None:
    if not isinstance(happening, str):
        return happening
    if not state.pending:
        return None
    number = state.pending[0].id
    return ANSWERS[happening](number) if happening == "done" else ANSWERS[happening](number, "it hangs")


def holds(topology: Topology, state: SolutionState, alarm: Alarm) -> bool:
    """Whether the condition of the alarm holds."""
    component, side = divmod(topology.applications.index(alarm.application), 2)
    if alarm.detect in ("00-5091", "00-5064"):
        return state.applications[2 * component + side] in ("down", "lost")
    primary = alarm.detect in ("00-5150", "00-4563")
    return state.pairs[component].modes[side] is (Mode.PRIMARY if primary else Mode.BACKUP)


def cancels(alarm: Alarm, event: Event, commands: tuple[Command, ...]) -> bool:
    if event == TimerFired(f"cancel {alarm.name}"):
        return True
    messages = [(command.event_id, command.application) for command in commands if isinstance(command, WriteLog)]
    if isinstance(event, LogMessageReceived):
        messages.append((event_id(event.event_id), event.application))
    return (alarm.cancel, alarm.application) in messages


@given(stories())
def test_an_alarm_reacts_to_the_first_message_of_each_incident_and_to_no_other(story):
    """The incidents are derived from the hosts' reports and the messages written, not from the alarms' states.

    `reacts` are the alarms for which a message begins a new incident: they were cancelled, or (`once`) are over.
    """
    topology, happenings = story
    solution, once = Solution(topology), topology.reactions is ONCE
    reacts = {alarm.name for alarm in topology.alarms}
    for happening in happenings:
        event = concrete(solution.state, happening)
        try:
            commands = solution.handle(event) if event else ()
        except CoreError:
            continue
        written = [(command.event_id, command.application) for command in commands if isinstance(command, WriteLog)]
        shown = Counter(command.alarm for command in commands if isinstance(command, ActivateAlarm))
        reactions = Counter(
            (command.alarm, command.target) for command in commands if isinstance(command, TriggerReaction)
        )
        timers = Counter(command for command in commands if isinstance(command, StartTimer))
        for alarm in topology.alarms:
            is_written = (alarm.detect, alarm.application) in written
            timer = StartTimer(f"cancel {alarm.name}", alarm.cancel_timeout_ms)
            assert timers[timer] >= is_written, "every detection restarts the cancel timeout"
            assert shown[alarm.name] <= 1
            if alarm.name in reacts:
                assert shown[alarm.name] == min(timers[timer], 1)
            elif shown[alarm.name]:  # it was active, and its condition turned out to hold still
                assert once
                assert not is_written
                assert not timers[timer]
                assert holds(topology, solution.state, alarm)
            for reaction in alarm.reactions:
                assert reactions[alarm.name, reaction.target] == shown[alarm.name], "all of its reactions, or none"
            if shown[alarm.name]:
                reacts.discard(alarm.name)
            if cancels(alarm, event, commands) or (once and not holds(topology, solution.state, alarm)):
                reacts.add(alarm.name)


@given(stories())
def test_no_alarm_is_active_after_its_condition_is_over(story):
    """After that it is rearmed, or latched if alarms react literally."""
    topology, happenings = story
    solution, over = Solution(topology), "rearmed" if topology.reactions is ONCE else "latched"
    for happening in happenings:
        event = concrete(solution.state, happening)
        try:
            if event:
                solution.handle(event)
        except CoreError:
            continue
        for alarm, state in zip(topology.alarms, solution.state.alarms, strict=True):
            assert state in ("clear", over) or (state == "active" and holds(topology, solution.state, alarm))
