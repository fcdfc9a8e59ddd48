"""Alarm conditions: when they react, when they are latched, and what cancels them.

The topologies are those of the documents: one pair of SIP Servers ([S2]) and the voicemail solution ([S1]).
"""

from collections import Counter

import pytest
from attrs import evolve
from support.alarm_world import (
    A1,
    A2,
    FAR_TOO_LONG,
    H1,
    H2,
    HOSTS,
    LITERAL,
    ONCE,
    P1,
    P2,
    SIP,
    activated,
    reacted,
    reports,
    scripts,
    started,
    takeover,
)
from switchover.fsm import (
    ActivateAlarm,
    Alarm,
    ApplicationReported,
    Command,
    CommandFailed,
    Demote,
    DisableVip,
    EnableVip,
    HostCommand,
    HostFellSilent,
    HostHeard,
    HostLost,
    LogMessageReceived,
    Mode,
    Promote,
    Reaction,
    ReactionKind,
    ReactionPolicy,
    StartTimer,
    SwitchoverRequested,
    TimerFired,
    voicemail_topology,
)

# Once an incident


@pytest.mark.parametrize("reactions", ReactionPolicy)
def test_an_active_alarm_does_not_react_again_but_its_cancel_timeout_starts_anew(reactions):
    world = started(takeover(reactions, cancel_timeout_ms=7000))
    shown = world.happen(LogMessageReceived("5150", A1))
    assert shown[:2] == [ActivateAlarm(P1, "00-5150", A1), StartTimer(f"cancel {P1}", 7000)]
    assert reacted(shown) == [P1, P1]
    for _ in range(3):
        assert world.happen(LogMessageReceived("5150", A1)) == [StartTimer(f"cancel {P1}", 7000)]
        assert world.alarm(P1) == "active"


def test_an_uncancelled_alarm_reacts_when_the_solution_is_switched_back_soon():
    world = started(takeover(cancel_timeout_ms=FAR_TOO_LONG))
    for number in range(6):
        new = (A2, A1)[number % 2]
        given = world.happen(SwitchoverRequested(new))
        side = 1 + SIP.applications.index(new)
        assert activated(given) == [f"{new} primary", f"{SIP.applications[2 - side]} backup"]
        assert Counter(map(type, scripts(given))) == {EnableVip: 1, DisableVip: 1}
        assert (world.solution.state.vip, world.alarm(f"{new} primary")) == (f"held_{side}", "active")


def test_a_literal_alarm_is_latched_and_the_vip_stays_when_switched_back_soon():
    """The trap of [S1]: it stays until the cancel timeout is over, and every new detection restarts that timeout."""
    world = started(takeover(LITERAL, cancel_timeout_ms=FAR_TOO_LONG))
    world.happen(SwitchoverRequested(A2))
    assert activated(world.happen(SwitchoverRequested(A1))) == [P1, f"{A2} backup"]
    assert (world.alarm(P1), world.alarm(P2), world.solution.state.vip) == ("active", "latched", "held_1")
    given = world.happen(SwitchoverRequested(A2))
    assert (activated(given), scripts(given)) == ([], [])  # the alarm of the backup is latched as well
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
def test_the_cancel_event_cancels_only_the_alarm_of_its_own_application(notation, reactions):
    """The core writes the event itself: the application is backup now, and its alarm is ready for the next time."""
    world = started(takeover(reactions, cancel=notation, cancel_timeout_ms=FAR_TOO_LONG))
    world.happen(LogMessageReceived("5150", A1), LogMessageReceived("5151", A2))
    assert world.alarm(P1) == "active"  # a message about the other application
    for new, old in ((A2, A1), (A1, A2), (A2, A1)):
        given = world.happen(SwitchoverRequested(new))
        assert f"{new} primary" in activated(given)
        assert (world.alarm(f"{new} primary"), world.alarm(f"{old} primary")) == ("active", "clear")


@pytest.mark.parametrize("alarm_is", ["active", "rearmed", "latched"])
def test_a_cancel_event_or_the_cancel_timeout_clears_an_alarm_in_any_case(alarm_is):
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
def test_a_primary_mode_alarm_is_rearmed_once_its_application_is_no_longer_primary(over):
    world = started(takeover())
    world.happen(LogMessageReceived("5150", A1))
    assert world.alarm(P1) == "active"
    world.happen(*over)
    assert world.alarm(P1) == "rearmed"
    assert world.happen(TimerFired(f"cancel {P2}")) == []  # the timeout of another alarm
    assert world.alarm(P1) == "rearmed"


@pytest.mark.parametrize(("reactions", "shown"), [(ONCE, [P1]), (LITERAL, [])])
def test_a_failed_switchover_makes_an_alarm_react_again_unless_it_is_literal(reactions, shown):
    """The condition still holds after the failed attempt, so the VIP is asked for again where it belongs."""
    world = started(takeover(reactions))
    world.happen(LogMessageReceived("5150", A1))
    (demote,) = world.solution.handle(SwitchoverRequested(A2))
    given = world.happen(CommandFailed(demote.id, "it hangs"))
    assert (activated(given), scripts(given)) == (shown, [])
    assert [command for command in given if isinstance(command, StartTimer)] == []
    assert world.alarm(P1) == "active"


@pytest.mark.parametrize(("reactions", "before", "shown"), [(ONCE, "rearmed", [P1]), (LITERAL, "latched", [])])
def test_a_primary_adopted_after_both_hosts_were_silent_raises_an_unlatched_alarm(reactions, before, shown):
    world = started(takeover(reactions, cancel_timeout_ms=FAR_TOO_LONG))
    world.happen(LogMessageReceived("5150", A1))
    world.happen(*(event(host) for event in (HostFellSilent, HostLost) for host in HOSTS))
    assert (world.alarm(P1), world.solution.state.vip) == (before, "out_of_sight")
    given = world.happen(*reports(world.topology))
    assert (activated(given), reacted(given)) == (shown, shown * 2)
    assert (StartTimer(f"cancel {P1}", FAR_TOO_LONG) in given) == bool(shown)


def test_literal_reactions_always_run_their_script_and_others_only_if_needed():
    """[S1] warns of scripts that run although nothing has to move; with the policy `once` they do not run."""
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
    changes = Counter()
    for kind in ("VM_SIP_Server", "VM_Server"):
        changes[Demote(HOSTS[2 - side], f"{kind}_{3 - side}")] += 1
        changes[Promote(HOSTS[side - 1], f"{kind}_{side}")] += 1
    return changes


@pytest.mark.parametrize("happening", [ApplicationReported("RM_1", Mode.DOWN), ApplicationReported("MCP_1", Mode.DOWN)])
def test_a_monitored_failure_raises_both_alarms_and_switches_the_solution_once(happening):
    world = started(voicemail_topology())
    given = world.happen(happening)
    name = happening.application
    of_the_failure = [f"{name} found terminated", f"{name} terminated"]
    assert activated(given)[:2] == of_the_failure
    assert mode_changes(given) == all_on(2)
    assert Counter(scripts(given)) == {EnableVip(H2): 1, DisableVip(H1): 1}
    assert {world.alarm(alarm) for alarm in of_the_failure} == {"active"}
    assert world.happen(ApplicationReported(name, Mode.DOWN)) == []  # the mode did not change
    again = world.happen(LogMessageReceived("5064", name), LogMessageReceived("5091", name))
    assert again == [StartTimer(f"cancel {alarm}", 5000) for alarm in reversed(of_the_failure)]


def test_a_failure_alarm_is_over_when_the_application_is_up_and_a_second_is_new():
    world = started(voicemail_topology())
    given = world.happen(ApplicationReported("RM_1", Mode.DOWN))
    assert activated(given)[:2] == RM_ALARMS[1]
    world.happen(ApplicationReported("RM_1", Mode.UP))
    assert {world.alarm(alarm) for alarm in RM_ALARMS[1]} == {"rearmed"}
    given = world.happen(ApplicationReported("RM_1", Mode.DOWN))
    assert activated(given) == RM_ALARMS[1]
    of_hosts = [command for command in given if isinstance(command, HostCommand)]
    assert of_hosts == []  # on the backup host: everything runs
    world.happen(ApplicationReported("RM_1", Mode.UP))
    given = world.happen(ApplicationReported("RM_2", Mode.DOWN))
    assert (activated(given)[:2], mode_changes(given)) == (RM_ALARMS[2], all_on(1))


def test_a_failure_alarm_is_not_over_when_its_host_is_lost_or_returns_without_it():
    world = started(voicemail_topology())
    world.happen(ApplicationReported("RM_2", Mode.DOWN))
    up, down = reports(world.topology)[1], dict.fromkeys(["RM_2"], Mode.DOWN)
    for event in (HostLost(H2), evolve(up, report=evolve(up.report, modes=up.report.modes | down))):
        assert set(activated(world.happen(event))) & set(RM_ALARMS[2]) == set()
        assert {world.alarm(alarm) for alarm in RM_ALARMS[2]} == {"active"}
    world.happen(HostLost(H2), up)
    assert {world.alarm(alarm) for alarm in RM_ALARMS[2]} == {"rearmed"}


def test_a_literal_alarm_that_is_latched_ignores_a_second_failure():
    topology = voicemail_topology(reactions=LITERAL)
    world = started(topology)
    world.happen(*(ApplicationReported("RM_1", mode) for mode in (Mode.DOWN, Mode.UP)))
    assert {world.alarm(alarm) for alarm in RM_ALARMS[1]} == {"latched"}
    given = world.happen(ApplicationReported("RM_1", Mode.DOWN))
    assert (activated(given), reacted(given)) == ([], [])
    assert [command for command in given if isinstance(command, StartTimer)] == [
        StartTimer(f"cancel {alarm}", 5000) for alarm in RM_ALARMS[1]
    ]


def test_a_message_that_contradicts_the_host_s_report_activates_no_failure_alarm():
    world = started(voicemail_topology())
    for event in ("5091", "5064"):
        assert world.happen(LogMessageReceived(event, "RM_1")) == []


def test_the_failure_of_the_unseen_premise_sip_server_is_over_only_when_cancelled():
    """[S1] wires no reaction to it. If a user does, its messages are the only source."""
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
