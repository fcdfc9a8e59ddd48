"""Rules 12 to 27 of the handling of events: which commands are given, in which order machines move, how alarms react.

Each test carries its rule's number.
"""

import itertools
import re

import pytest
from attrs import evolve
from support.rules import (
    A1,
    A2,
    H1,
    H2,
    TAKEOVER_AT_REST,
    VOICEMAIL_AT_REST,
    B,
    D,
    P,
    handle,
    messages,
    report,
    to_hosts,
    triggers,
    with_pending,
)
from support.topologies import TAKEOVER, VOICEMAIL
from switchover.fsm import (
    CHANGED_TO_BACKUP,
    LINK,
    ActivateAlarm,
    Alarm,
    AnnounceVip,
    ApplicationReported,
    CommandSucceeded,
    CoreError,
    Demote,
    DisableVip,
    EnableVip,
    HostHeard,
    HostLost,
    LogMessageReceived,
    LookAt,
    LookAtVip,
    Promote,
    Reaction,
    ReactionKind,
    ReactionPolicy,
    Start,
    Stop,
    Table,
    TimerFired,
    TriggerReaction,
    VipOrder,
    WriteLog,
)
from switchover.fsm.handling import MACHINES, Work, handle_event, hosts, moves, reactions, work
from switchover.fsm.tables.table import Ignored, Row

TO_HOST_2 = (Promote(H2, A2), Demote(H2, A2), Start(H2, A2), Stop(H2, A2), LookAt(H2, A2))
TO_HOST_2 += (EnableVip(H2), DisableVip(H2), AnnounceVip(H2), LookAtVip(H2))


PROMOTED = with_pending(
    TAKEOVER_AT_REST.with_pair(0, evolve(TAKEOVER_AT_REST.pairs[0], state="taking_over_2", modes=(D, B))),
    Promote(H2, A2),
)
"""Host 2 is about to report that it was promoted, after the other application has failed."""


@pytest.mark.parametrize("command", TO_HOST_2, ids=str)
@pytest.mark.parametrize("link", LINK.all_states)
def test_rule_12_no_command_is_given_to_a_host_that_is_lost_or_unknown(link, command):
    to_do = Work(TAKEOVER, TAKEOVER_AT_REST.with_link(2, link))
    to_do.give(command)
    assert to_do.commands == ([] if link in ("lost", "unknown") else [command])
    assert list(to_do.state.pending) == to_do.commands


@pytest.mark.parametrize(
    ("pending", "command", "is_given"),
    [
        ([], EnableVip(H2), True),
        ([EnableVip(H2)], EnableVip(H2), False),
        ([DisableVip(H2)], EnableVip(H2), True),
        ([EnableVip(H2), DisableVip(H2)], EnableVip(H2), True),
        ([EnableVip(H2), AnnounceVip(H2)], EnableVip(H2), False),
        ([AnnounceVip(H2)], AnnounceVip(H2), False),
        ([AnnounceVip(H2), DisableVip(H2)], AnnounceVip(H2), True),
        ([LookAtVip(H2)], LookAtVip(H2), False),
        ([LookAtVip(H2), EnableVip(H2)], LookAtVip(H2), True),
        ([Promote(H2, A2)], Promote(H2, A2), False),
        ([Promote(H2, A2), Demote(H2, A2)], Promote(H2, A2), True),
        ([Promote(H2, A2), LookAt(H2, A2)], Promote(H2, A2), False),
        ([Start(H2, A2), Stop(H2, A2)], Start(H2, A2), True),
        ([EnableVip(H1)], EnableVip(H2), True),
    ],
    ids=str,
)
def test_rule_13_a_pending_command_is_given_again_only_after_a_change(pending, command, is_given):
    to_do = Work(TAKEOVER, with_pending(TAKEOVER_AT_REST, *pending))
    to_do.give(command)
    assert to_do.commands == ([command] if is_given else [])


def test_rule_14_the_commands_of_a_host_whose_connection_is_gone_are_forgotten():
    to_do = Work(TAKEOVER, with_pending(TAKEOVER_AT_REST, Promote(H2, A2), EnableVip(H2), Demote(H1, A1)))
    to_do.give(LookAtVip(H2))
    to_do.give(LookAtVip(H1))
    assert to_do.forget_commands(2) == [Promote(H2, A2), EnableVip(H2), LookAtVip(H2)]
    assert to_do.state.pending == (Demote(H1, A1), LookAtVip(H1))
    assert to_do.commands == [LookAtVip(H1)]
    lost = handle(with_pending(TAKEOVER_AT_REST, Promote(H1, A1), DisableVip(H2)), HostLost(H1))
    assert Promote(H1, A1) not in lost.state.pending
    assert DisableVip(H2) in lost.state.pending


def test_rule_15_a_step_is_finished_on_every_machine_before_the_next_begins():
    promoted = with_pending(VOICEMAIL_AT_REST, Promote(H2, "VM_SIP_Server_2")).with_pair(
        0, evolve(VOICEMAIL_AT_REST.pairs[0], state="taking_over_2", modes=(D, B))
    )
    alarms = (
        Alarm("first", "00-5150", "VM_SIP_Server_2", (Reaction(ReactionKind.ENABLE_VIP, H2),)),
        Alarm("second", "00-4563", "VM_SIP_Server_2", (Reaction(ReactionKind.DISABLE_VIP, H1),)),
    )
    state = evolve(promoted, alarms=("clear", "clear"))
    to_do = handle(state, CommandSucceeded(101), evolve(VOICEMAIL, alarms=alarms))
    kinds = [type(command) for command in to_do.commands if isinstance(command, WriteLog | ActivateAlarm)]
    kinds += [type(command) for command in to_do.commands if isinstance(command, TriggerReaction)]
    assert kinds == [WriteLog, WriteLog, ActivateAlarm, ActivateAlarm, TriggerReaction, TriggerReaction]
    of_alarms = (WriteLog, ActivateAlarm, TriggerReaction)
    assert [type(command) for command in to_do.commands if isinstance(command, of_alarms)] == kinds
    asked = [text for text in triggers(to_do) if text.startswith("VIP:")]
    assert asked[:2] == ["VIP: side2_enable_asked", "VIP: side1_disable_asked"]


def test_rule_15_a_report_is_taken_in_as_a_whole_before_anything_reacts():
    to_do = handle(VOICEMAIL_AT_REST, report(VOICEMAIL, 1, D, held=False), VOICEMAIL)
    reported = ["host1: connected", "VM_SIP_Server_1: down", "VM_Server_1: down"]
    reported += ["VM SIP Server: side1_down", "VM Server: side1_down", "VIP: side1_free"]
    assert [text for text in triggers(to_do) if " primary" not in text][:6] == reported


def test_rule_16_the_joint_state_is_examined_when_the_queue_is_empty():
    state = evolve(TAKEOVER_AT_REST, alarms=("active", "clear", "clear", "clear"), vip_held=(True, True))
    to_do = handle(state, report(TAKEOVER, 1, D, held=True))
    reported = ["host1: connected", "SIP_Server_1: down", "SIP Server: side1_down", "VIP: side1_held"]
    looked = ["SIP_Server_1 primary: over", "solution: busy", "VIP: side2_held"]
    assert triggers(to_do)[:7] == reported + looked


def test_rule_16_only_what_may_have_changed_is_examined():
    state = evolve(TAKEOVER_AT_REST, view="none", vip_held=(True, True), alarms=("clear", "active", "clear", "clear"))
    assert triggers(handle(state, HostHeard(H1))) == ["host1: heard"]
    assert triggers(handle(state, TimerFired("retry VIP"))) == ["VIP: retry", "VIP: side2_held"]
    assert triggers(handle(state, TimerFired("retry SIP Server"))) == [
        "SIP Server: retry",
        "SIP_Server_1 backup: over",
        "solution: side1_together",
    ]


def test_rule_17_the_placement_is_triggered_only_by_a_changed_view():
    of_placement = [
        [text for text in triggers(handle(state, ApplicationReported(A1, P))) if text.startswith("solution")]
        for state in (TAKEOVER_AT_REST, TAKEOVER_AT_REST.with_view("busy"))
    ]
    assert of_placement == [[], ["solution: side1_together"]]


def test_rule_17_after_a_retry_the_same_view_triggers_the_placement():
    waiting = TAKEOVER_AT_REST.with_placement("waiting_1")
    to_do = handle(waiting, TimerFired("gather"))
    assert triggers(to_do) == ["solution: retry", "solution: side1_together"]
    assert to_do.state.view == TAKEOVER_AT_REST.view == "side1_together"


@pytest.mark.parametrize(("pair", "is_followed"), [(0, True), (1, False)])
def test_rule_18_a_split_brain_releases_the_vip_only_if_the_vip_follows_that_pair(pair, is_followed):
    split = evolve(VOICEMAIL_AT_REST.pairs[pair], state="split_brain_1", modes=(P, P))
    state = VOICEMAIL_AT_REST.with_pair(pair, split)
    to_do = handle(state, ApplicationReported(VOICEMAIL.pairs[pair].applications[1], D), VOICEMAIL)
    assert f"{VOICEMAIL.pairs[pair].name}: side2_down" in triggers(to_do)
    assert ("VIP: side2_disable_asked" in triggers(to_do)) is is_followed


def without(table: Table, state: str, trigger: str) -> list[object]:
    """The table's rows, without those for this state and trigger."""
    rows: list[object] = []
    for row in table.rows:
        for source, name in itertools.product(row.source.split(), row.trigger.split()):
            if (source, name) != (state, trigger):
                rows.append(evolve(row, source=source, trigger=name))
    return rows


def test_rule_19_tables_that_run_in_a_circle_are_refused():
    row = Row("connected", "peer_heard", "", "=", "tell_heard", "rule: none", "for ever")
    assert any(isinstance(each, Ignored) and "peer_heard" in each.trigger for each in LINK.rows)
    circle = evolve(LINK, rows=(*without(LINK, "connected", "peer_heard"), row))
    state = TAKEOVER_AT_REST.with_link(1, "silent")
    with pytest.raises(CoreError, match="the tables run in a circle on HostHeard"):
        handle_event(TAKEOVER, state, HostHeard(H1), evolve(MACHINES, link=circle))


def test_rule_20_a_report_triggers_pairs_then_the_vip_then_ends_old_commands():
    pending = with_pending(VOICEMAIL_AT_REST, AnnounceVip(H1))
    to_do = handle(pending, report(VOICEMAIL, 1, P, held=True), VOICEMAIL)
    assert triggers(to_do) == [
        "host1: connected",
        "VM SIP Server: side1_primary",
        "VM Server: side1_primary",
        "VIP: side1_held",
        "VIP: side1_announce_failed",
    ]
    still_primary = handle(with_pending(TAKEOVER_AT_REST, Demote(H2, A2)), report(TAKEOVER, 2, P, held=False))
    assert to_hosts(still_primary) == [Demote(H2, A2)]  # given before the old one could be given up
    assert "SIP Server: side2_demotion_failed" not in triggers(still_primary)


def test_rule_21_a_pending_command_of_an_older_connection_has_failed():
    enabling = evolve(TAKEOVER_AT_REST, vip="enabling_1", vip_held=(False, False))
    to_do = handle(with_pending(enabling, EnableVip(H1)), report(TAKEOVER, 1, P, held=False))
    assert "VIP: side1_enable_failed" in triggers(to_do)
    assert to_hosts(to_do) == []


@pytest.mark.parametrize("old", [Demote(H2, A2), Promote(H2, A2), LookAt(H2, A2)], ids=str)
def test_rule_21_it_has_not_if_the_report_repeats_or_overtakes_it(old):
    to_do = handle(with_pending(TAKEOVER_AT_REST, old), report(TAKEOVER, 2, P, held=False))
    assert to_hosts(to_do) == [Demote(H2, A2)]
    assert not any("failed" in text for text in triggers(to_do))


def test_rule_22_a_lost_host_is_forgotten_then_applications_pairs_and_vip_move():
    state = with_pending(VOICEMAIL_AT_REST, DisableVip(H1), LookAt(H1, "VM_SIP_Server_1"))
    to_do = handle(state, HostLost(H1), VOICEMAIL)
    assert triggers(to_do)[:8] == [
        "host1: lost",
        "VM_SIP_Server_1: lost",
        "VM_Server_1: lost",
        "RM_1: lost",
        "MCP_1: lost",
        "VM SIP Server: side1_unreachable",
        "VM Server: side1_unreachable",
        "VIP: side1_unreachable",
    ]
    assert [pair.modes for pair in to_do.state.pairs] == [(None, B), (None, B)]
    assert to_do.state.vip_held == (None, False)
    assert not any(command.host == H1 for command in to_do.state.pending)


def test_rule_22_a_blind_agent_forgets_both_hosts():
    doubtful = evolve(with_pending(TAKEOVER_AT_REST, EnableVip(H1), Promote(H2, A2)), links=("doubtful", "silent"))
    to_do = handle(doubtful, HostLost(H2))
    assert triggers(to_do)[:6] == [
        "host2: lost",
        "SIP_Server_1: blinded",
        "SIP_Server_2: blinded",
        "SIP Server: blinded",
        "VIP: blinded",
        "host1: peer_gone",
    ]
    assert (to_do.state.pairs[0].modes, to_do.state.vip_held) == ((None, None), (None, None))
    assert to_do.state.pending == ()


def test_rule_22_no_guard_reads_the_last_report_of_a_lost_host():
    state = evolve(TAKEOVER_AT_REST, vip="moving_2", vip_held=(True, False))
    to_do = handle(state, HostLost(H1))
    (decision,) = [step.decision for step in to_do.steps if step.decision.trigger == "side1_unreachable"][1:2]
    assert (decision.guard, decision.destination) == ("side2_serves_not", "absent_2")
    assert to_do.state.pairs[0].modes == (None, B)


def test_rule_23_only_two_messages_are_written_where_no_alarm_waits():
    def written(*alarms: Alarm) -> list[tuple[str, str]]:
        state, topology = evolve(PROMOTED, alarms=("clear",) * len(alarms)), evolve(TAKEOVER, alarms=alarms)
        return messages(handle(state, CommandSucceeded(101), topology))

    assert written() == [("00-5150", A2)]
    assert written(Alarm("about the other", "00-4563", A1, (), cancel="00-4563")) == [("00-5150", A2)]
    assert written(Alarm("begins", "00-4563", A2, ())) == [("00-5150", A2), ("00-4563", A2)]
    assert written(Alarm("ends", "00-5091", A2, (), cancel="00-4563")) == [("00-5150", A2), ("00-4563", A2)]
    fails = handle(evolve(TAKEOVER_AT_REST, alarms=()), ApplicationReported(A1, D), evolve(TAKEOVER, alarms=()))
    assert messages(fails) == []


def test_rule_24_a_written_message_activates_alarms_before_it_cancels_any():
    alarms = (Alarm("both", "00-5150", A2, (), cancel="00-5150"),)
    to_do = handle(evolve(PROMOTED, alarms=("clear",)), CommandSucceeded(101), evolve(TAKEOVER, alarms=alarms))
    assert [text for text in triggers(to_do) if text.startswith("both")] == ["both: detected", "both: cancelled"]
    assert to_do.state.alarms == ("clear",)


def test_rule_24_an_ignored_message_from_outside_cancels_alarms_all_the_same():
    alarms = (Alarm("waits", "00-5150", A1, (), cancel=CHANGED_TO_BACKUP),)
    state = evolve(TAKEOVER_AT_REST, alarms=("active",))
    to_do = handle(state, LogMessageReceived("5151", A1), evolve(TAKEOVER, alarms=alarms))
    assert not to_do.steps[0].moved
    assert triggers(to_do)[:2] == ["SIP Server: side1_logged_backup", "waits: cancelled"]
    assert to_do.state.alarms == ("clear",)


ENABLE, DISABLE, SWITCH = ReactionKind.ENABLE_VIP, ReactionKind.DISABLE_VIP, ReactionKind.TO_PRIMARY


@pytest.mark.parametrize(
    ("order", "configured", "expected"),
    [
        (VipOrder.TOGETHER, (ENABLE, DISABLE, SWITCH), (ENABLE, DISABLE, SWITCH)),
        (VipOrder.TOGETHER, (DISABLE, SWITCH, ENABLE), (DISABLE, SWITCH, ENABLE)),
        (VipOrder.DISABLE_FIRST, (ENABLE, DISABLE, SWITCH), (DISABLE, SWITCH, ENABLE)),
        (VipOrder.DISABLE_FIRST, (SWITCH, ENABLE, DISABLE), (SWITCH, DISABLE, ENABLE)),
        (VipOrder.ENABLE_FIRST, (DISABLE, ENABLE, SWITCH), (ENABLE, SWITCH, DISABLE)),
        (VipOrder.ENABLE_FIRST, (SWITCH, DISABLE, ENABLE), (SWITCH, ENABLE, DISABLE)),
    ],
)
def test_rule_25_the_vip_order_decides_which_reaction_comes_last(order, configured, expected):
    to_do = Work(evolve(TAKEOVER, vip_order=order), TAKEOVER_AT_REST)
    alarm = Alarm("waits", "00-5150", A2, tuple(Reaction(kind, H1, A1) for kind in configured))
    reactions.activate(to_do, alarm)
    assert tuple(due.reaction.do for due in to_do.queue) == expected


@pytest.mark.parametrize(
    ("event_id", "name"),
    [
        ("00-5091", "needed"),
        ("00-5064", "needed"),
        ("00-4563", "requested"),
        ("00-5151", "requested"),
        ("00-5090", "requested"),
    ],
)
def test_rule_26_a_reaction_to_a_failure_needs_a_switch_others_request_it(event_id, name):
    to_do = Work(TAKEOVER, TAKEOVER_AT_REST)
    reaction = Reaction(ReactionKind.TO_PRIMARY, application=A2)
    reactions.react(to_do, work.DueReaction(Alarm("waits", event_id, A1, (reaction,)), reaction))
    assert [str(trigger) for trigger in to_do.queue] == [f"side2_{name}"]


@pytest.mark.parametrize(("policy", "how"), [(ReactionPolicy.LITERAL, "ordered"), (ReactionPolicy.ONCE, "asked")])
@pytest.mark.parametrize(("kind", "what"), [(ENABLE, "enable"), (DISABLE, "disable")])
def test_rule_27_literal_reactions_order_a_vip_script_others_ask_for_it(kind, what, policy, how):
    to_do = Work(evolve(TAKEOVER, reactions=policy), TAKEOVER_AT_REST)
    reaction = Reaction(kind, H2)
    reactions.react(to_do, work.DueReaction(Alarm("waits", "00-5150", A2, (reaction,)), reaction))
    assert [str(trigger) for trigger in to_do.queue] == [f"side2_{what}_{how}"]


def test_every_rule_of_these_modules_has_its_test():
    prose = "\n".join(module.__doc__ for module in (work, moves, hosts, reactions))
    numbers = {int(number) for number in re.findall(r"^(\d+)\. ", prose, re.MULTILINE)}
    assert numbers == set(range(12, 28)) == {int(name.split("_")[2]) for name in globals() if "test_rule_" in name}
