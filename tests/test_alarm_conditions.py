"""Alarm conditions: when they react, when they are latched, and what cancels them.

The topologies are those of the documents: one pair of SIP Servers ([S2]) and the voicemail solution ([S1]).
"""

from collections import Counter
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st
from switchover.fsm import (
    ActivateAlarm,
    Alarm,
    ApplicationReported,
    Command,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CoreError,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    Pair,
    Promote,
    Reaction,
    ReactionKind,
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
    documented_alarms,
    event_id,
    voicemail_topology,
)

HOSTS = H1, H2 = "host1", "host2"
SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
A1, A2 = SIP.applications
P1, P2 = f"{A1} primary", f"{A2} primary"
ONCE, LITERAL = ReactionPolicy.ONCE, ReactionPolicy.LITERAL
FAR_TOO_LONG = 48 * 3600 * 1000
"""The cancel timeout of the predefined alarm conditions, which nobody waits for."""


def takeover(reactions: ReactionPolicy = ONCE, **changes: Any) -> Topology:
    """The wiring of [S2], with these changes of the alarms for the primary mode."""
    alarms = documented_alarms(SIP.applications, HOSTS)
    changed = tuple(evolve(alarm, **changes) if alarm.name in (P1, P2) else alarm for alarm in alarms)
    return Topology(HOSTS, (SIP,), changed, reactions=reactions)


@define(eq=False)
class World:
    """Hosts that do at once what they are told; the drain is over at once, and no other timer runs out by itself."""

    topology: Topology
    solution: Solution = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.solution = Solution(self.topology)

    def happen(self, *events: Event) -> list[Command]:
        """All commands that follow from these events, in order."""
        waiting, given = list(events), []
        while waiting:
            commands = self.solution.handle(waiting.pop(0))
            given += commands
            waiting += [CommandSucceeded(command.id) for command in commands if isinstance(command, HostCommand)]
            waiting += [TimerFired("drain VIP") for command in commands if command == StartTimer("drain VIP", 20)]
        return given

    def alarm(self, name: str) -> str:
        """The state of an alarm condition."""
        return dict(zip([alarm.name for alarm in self.topology.alarms], self.solution.state.alarms, strict=True))[name]


def reports(topology: Topology) -> list[HostConnected]:
    """All runs as it should, and the first host is the primary one."""
    modes = {H1: {}, H2: {}}
    for pair in topology.pairs:
        for host, name, mode in zip(HOSTS, pair.applications, (Mode.PRIMARY, Mode.BACKUP), strict=True):
            modes[host][name] = mode
    for pair in topology.monitored:
        for host, name in zip(HOSTS, pair.applications, strict=True):
            modes[host][name] = Mode.UP
    return [HostConnected(host, HostReport(modes[host], vip_held=host == H1)) for host in HOSTS]


def started(topology: Topology) -> World:
    """As it should be, and so for long: the alarms that were activated when it was found so are cancelled."""
    world = World(topology)
    world.happen(*reports(topology))
    world.happen(*(TimerFired(f"cancel {alarm.name}") for alarm in topology.alarms))
    assert set(world.solution.state.alarms) == {"clear"}
    return world


def scripts(commands: list[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, EnableVip | DisableVip)]


def activated(commands: list[Command]) -> list[str]:
    return [command.alarm for command in commands if isinstance(command, ActivateAlarm)]


def reacted(commands: list[Command]) -> list[str]:
    return [command.alarm for command in commands if isinstance(command, TriggerReaction)]


# Once an incident


@pytest.mark.parametrize("reactions", ReactionPolicy)
def test_an_active_alarm_does_not_react_to_what_it_detects_and_its_cancel_timeout_begins_anew(reactions):
    world = started(takeover(reactions, cancel_timeout_ms=7000))
    shown = world.happen(LogMessageReceived("5150", A1))
    assert shown[:2] == [ActivateAlarm(P1, "00-5150", A1), StartTimer(f"cancel {P1}", 7000)]
    assert reacted(shown) == [P1, P1]
    for _ in range(3):
        assert world.happen(LogMessageReceived("5150", A1)) == [StartTimer(f"cancel {P1}", 7000)]
        assert world.alarm(P1) == "active"


def test_when_the_solution_is_switched_back_soon_the_alarm_reacts_though_it_was_never_cancelled():
    world = started(takeover(cancel_timeout_ms=FAR_TOO_LONG))
    for number in range(6):
        new = (A2, A1)[number % 2]
        given = world.happen(SwitchoverRequested(new))
        side = 1 + SIP.applications.index(new)
        assert activated(given) == [f"{new} primary", f"{SIP.applications[2 - side]} backup"]
        assert Counter(map(type, scripts(given))) == {EnableVip: 1, DisableVip: 1}
        assert (world.solution.state.vip, world.alarm(f"{new} primary")) == (f"held_{side}", "active")


def test_as_an_scs_does_it_the_alarm_is_latched_and_the_vip_does_not_follow_when_the_solution_is_switched_back_soon():
    """The trap of [S1]: it stays until the cancel timeout is over, and what it detects then makes it longer still."""
    world = started(takeover(LITERAL, cancel_timeout_ms=FAR_TOO_LONG))
    world.happen(SwitchoverRequested(A2))
    assert activated(world.happen(SwitchoverRequested(A1))) == [P1, f"{A2} backup"]
    assert (world.alarm(P1), world.alarm(P2), world.solution.state.vip) == ("active", "latched", "held_1")
    given = world.happen(SwitchoverRequested(A2))
    assert (activated(given), scripts(given)) == ([], [])  # nor does that of the backup, which is latched as well
    assert StartTimer(f"cancel {P2}", FAR_TOO_LONG) in given
    assert (world.solution.state.pairs[0].state, world.solution.state.vip) == ("redundant_2", "held_1")


@pytest.mark.parametrize("reactions", ReactionPolicy)
def test_an_alarm_whose_cancel_timeout_is_over_reacts_again(reactions):
    world = started(takeover(reactions))
    for new, side in ((A2, 2), (A1, 1), (A2, 2), (A1, 1)):
        given = world.happen(SwitchoverRequested(new))
        assert activated(given) == [f"{new} primary", f"{SIP.applications[2 - side]} backup"]
        assert (world.alarm(f"{new} primary"), world.solution.state.vip) == ("active", f"held_{side}")
        assert world.happen(*(TimerFired(f"cancel {alarm.name}") for alarm in world.topology.alarms)) == []
        assert set(world.solution.state.alarms) == {"clear"}


@pytest.mark.parametrize("reactions", ReactionPolicy)
@pytest.mark.parametrize("notation", ["00-5151", "5151", "00-05151"])
def test_the_cancel_event_cancels_the_alarm_of_its_own_application_alone(notation, reactions):
    """The core writes the event itself: the application is backup now, and its alarm is ready for the next time."""
    world = started(takeover(reactions, cancel=notation, cancel_timeout_ms=FAR_TOO_LONG))
    world.happen(LogMessageReceived("5150", A1), LogMessageReceived("5151", A2))
    assert world.alarm(P1) == "active"  # the other application's message is none of its business
    for new, old in ((A2, A1), (A1, A2), (A2, A1)):
        given = world.happen(SwitchoverRequested(new))
        assert f"{new} primary" in activated(given)
        assert (world.alarm(f"{new} primary"), world.alarm(f"{old} primary")) == ("active", "clear")


@pytest.mark.parametrize("alarm_is", ["active", "rearmed", "latched"])
def test_a_cancel_event_or_the_end_of_the_cancel_timeout_clears_an_alarm_whatever_became_of_it(alarm_is):
    for cancelling in (LogMessageReceived("4561", A1), TimerFired(f"cancel {P1}")):
        world = started(takeover(LITERAL if alarm_is == "latched" else ONCE, cancel="4561"))
        world.happen(LogMessageReceived("5150", A1))
        if alarm_is != "active":
            world.happen(ApplicationReported(A1, Mode.DOWN))
        assert world.alarm(P1) == alarm_is
        world.solution.handle(cancelling)
        assert world.alarm(P1) == "clear"


@pytest.mark.parametrize(
    "over",
    [[ApplicationReported(A1, Mode.DOWN)], [HostLost(H1)], [SwitchoverRequested(A2)]],
    ids=["it fails", "its host is lost", "the other one is primary"],
)
def test_an_alarm_for_the_primary_mode_is_rearmed_once_its_application_is_not_primary_any_more(over):
    world = started(takeover())
    world.happen(LogMessageReceived("5150", A1))
    assert world.alarm(P1) == "active"
    world.happen(*over)
    assert world.alarm(P1) == "rearmed"
    assert world.happen(TimerFired(f"cancel {P2}")) == []  # another one's timeout
    assert world.alarm(P1) == "rearmed"


@pytest.mark.parametrize(("reactions", "shown"), [(ONCE, [P1]), (LITERAL, [])])
def test_a_switchover_that_is_given_up_makes_an_active_alarm_react_again_but_never_as_an_scs_does_it(reactions, shown):
    """What it waits for is still so after something else was tried: the VIP is asked to be where it belongs."""
    world = started(takeover(reactions))
    world.happen(LogMessageReceived("5150", A1))
    (demote,) = world.solution.handle(SwitchoverRequested(A2))
    given = world.happen(CommandFailed(demote.id, "it hangs"))
    assert (activated(given), scripts(given)) == (shown, [])
    assert [command for command in given if isinstance(command, StartTimer)] == []
    assert world.alarm(P1) == "active"


@pytest.mark.parametrize(("reactions", "before", "shown"), [(ONCE, "rearmed", [P1]), (LITERAL, "latched", [])])
def test_a_primary_that_is_adopted_after_both_hosts_were_silent_raises_its_alarm_unless_it_is_latched(
    reactions, before, shown
):
    world = started(takeover(reactions, cancel_timeout_ms=FAR_TOO_LONG))
    world.happen(LogMessageReceived("5150", A1))
    world.happen(*(event(host) for event in (HostFellSilent, HostLost) for host in HOSTS))
    assert (world.alarm(P1), world.solution.state.vip) == (before, "out_of_sight")
    given = world.happen(*reports(world.topology))
    assert (activated(given), reacted(given)) == (shown, shown * 2)
    assert (StartTimer(f"cancel {P1}", FAR_TOO_LONG) in given) == bool(shown)


def test_every_reaction_runs_its_script_as_an_scs_does_it_and_only_there():
    """[S1] warns of scripts that run when nothing is to be moved; with the policy `once` they do not."""
    ran = {}
    for reactions in ReactionPolicy:
        given = started(takeover(reactions)).happen(LogMessageReceived("5150", A1))
        assert reacted(given) == [P1, P1]
        ran[reactions] = scripts(given)
    assert ran == {ONCE: [], LITERAL: [DisableVip(H2), EnableVip(H1)]}


# The voicemail solution

RM_ALARMS = {side: [f"RM_{side} found terminated", f"RM_{side} terminated"] for side in (1, 2)}


def mode_changes(commands: list[Command]) -> Counter:
    return Counter(command for command in commands if isinstance(command, Promote | Demote))


def all_on(side: int) -> Counter:
    """Every redundant pair is switched to this side, once."""
    told = Counter()
    for kind in ("VM_SIP_Server", "VM_Server"):
        told[Demote(HOSTS[2 - side], f"{kind}_{3 - side}")] += 1
        told[Promote(HOSTS[side - 1], f"{kind}_{side}")] += 1
    return told


@pytest.mark.parametrize("happening", [ApplicationReported("RM_1", Mode.DOWN), ApplicationReported("MCP_1", Mode.DOWN)])
def test_a_monitored_application_that_fails_raises_both_of_its_alarms_and_the_solution_is_switched_once(happening):
    world = started(voicemail_topology())
    given = world.happen(happening)
    name = happening.application
    of_the_failure = [f"{name} found terminated", f"{name} terminated"]
    assert activated(given)[:2] == of_the_failure
    assert mode_changes(given) == all_on(2)
    assert Counter(scripts(given)) == {EnableVip(H2): 1, DisableVip(H1): 1}
    assert {world.alarm(alarm) for alarm in of_the_failure} == {"active"}
    assert world.happen(ApplicationReported(name, Mode.DOWN)) == []  # it is no news
    again = world.happen(LogMessageReceived("5064", name), LogMessageReceived("5091", name))
    assert again == [StartTimer(f"cancel {alarm}", 5000) for alarm in reversed(of_the_failure)]


def test_an_alarm_for_a_failure_is_over_when_the_application_is_up_again_and_so_a_second_failure_is_another_incident():
    world = started(voicemail_topology())
    given = world.happen(ApplicationReported("RM_1", Mode.DOWN))
    assert activated(given)[:2] == RM_ALARMS[1]
    world.happen(ApplicationReported("RM_1", Mode.UP))
    assert {world.alarm(alarm) for alarm in RM_ALARMS[1]} == {"rearmed"}
    given = world.happen(ApplicationReported("RM_1", Mode.DOWN))
    assert activated(given) == RM_ALARMS[1]
    assert [command for command in given if isinstance(command, HostCommand)] == []  # on the backup host: all is there
    world.happen(ApplicationReported("RM_1", Mode.UP))
    given = world.happen(ApplicationReported("RM_2", Mode.DOWN))
    assert (activated(given)[:2], mode_changes(given)) == (RM_ALARMS[2], all_on(1))


def test_an_alarm_for_a_failure_is_not_over_because_its_host_is_lost_or_returns_without_the_application():
    world = started(voicemail_topology())
    world.happen(ApplicationReported("RM_2", Mode.DOWN))
    up, down = reports(world.topology)[1], dict.fromkeys(["RM_2"], Mode.DOWN)
    for event in (HostLost(H2), evolve(up, report=evolve(up.report, modes=up.report.modes | down))):
        assert set(activated(world.happen(event))) & set(RM_ALARMS[2]) == set()
        assert {world.alarm(alarm) for alarm in RM_ALARMS[2]} == {"active"}
    world.happen(HostLost(H2), up)
    assert {world.alarm(alarm) for alarm in RM_ALARMS[2]} == {"rearmed"}


def test_as_an_scs_does_it_a_second_failure_before_the_alarm_is_cancelled_switches_nothing_by_reaction():
    topology = voicemail_topology(reactions=LITERAL)
    world = started(topology)
    world.happen(*(ApplicationReported("RM_1", mode) for mode in (Mode.DOWN, Mode.UP)))
    assert {world.alarm(alarm) for alarm in RM_ALARMS[1]} == {"latched"}
    given = world.happen(ApplicationReported("RM_1", Mode.DOWN))
    assert (activated(given), reacted(given)) == ([], [])
    assert [command for command in given if isinstance(command, StartTimer)] == [
        StartTimer(f"cancel {alarm}", 5000) for alarm in RM_ALARMS[1]
    ]


def test_a_message_that_contradicts_the_host_s_report_activates_no_alarm_for_a_failure():
    world = started(voicemail_topology())
    for event in ("5091", "5064"):
        assert world.happen(LogMessageReceived(event, "RM_1")) == []


def test_of_the_premise_sip_server_nothing_is_known_so_its_failure_is_over_only_when_it_is_cancelled():
    """[S1] wires nothing to it. If a user does, its messages are all that there is."""
    topology = voicemail_topology()
    world = started(topology)
    assert world.happen(LogMessageReceived("5091", "Premise_SIP_Server")) == []
    wired = Alarm(
        "premise",
        "00-5091",
        "Premise_SIP_Server",
        (Reaction(ReactionKind.TO_PRIMARY, application="VM_Server_1"),),
        cancel="00-5090",
    )
    world = started(evolve(topology, alarms=(*topology.alarms, wired)))
    for _ in range(2):
        assert activated(world.happen(LogMessageReceived("5091", "Premise_SIP_Server"))) == ["premise"]
        assert activated(world.happen(LogMessageReceived("5091", "Premise_SIP_Server"))) == []
        world.happen(*(event for host in HOSTS for event in (HostFellSilent(host), HostHeard(host))))
        assert world.alarm("premise") == "active"
        world.happen(LogMessageReceived("5090", "Premise_SIP_Server"))
        assert world.alarm("premise") == "clear"


# Whatever happens


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


def is_so(topology: Topology, state: SolutionState, alarm: Alarm) -> bool:
    """Whether what the alarm tells of is so."""
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
def test_whatever_happens_an_alarm_reacts_at_the_first_message_of_each_incident_and_at_no_other(story):
    """The incidents are reckoned from what hosts report and what is written, without looking at the alarms' states.

    `reacts` are the alarms for which a message would be another incident: that were cancelled, or (`once`) are over.
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
            assert timers[timer] >= is_written, "each time that it is detected, its cancel timeout begins anew"
            assert shown[alarm.name] <= 1
            if alarm.name in reacts:
                assert shown[alarm.name] == min(timers[timer], 1)
            elif shown[alarm.name]:  # it was active: only because what it tells of was found to be so still
                assert once
                assert not is_written
                assert not timers[timer]
                assert is_so(topology, solution.state, alarm)
            for reaction in alarm.reactions:
                assert reactions[alarm.name, reaction.target] == shown[alarm.name], "all of its reactions, or none"
            if shown[alarm.name]:
                reacts.discard(alarm.name)
            if cancels(alarm, event, commands) or (once and not is_so(topology, solution.state, alarm)):
                reacts.add(alarm.name)


@given(stories())
def test_whatever_happens_no_alarm_is_active_for_what_is_over(story):
    """It is rearmed then, and only as an SCS does it latched."""
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
            assert state in ("clear", over) or (state == "active" and is_so(topology, solution.state, alarm))
