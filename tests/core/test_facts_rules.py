"""Rules 28 to 35: what the guards and the joint view mean. Each test carries its rule's number."""

import re

import pytest
from attrs import evolve
from support.rules import A1, A2, H1, H2, TAKEOVER_AT_REST, VOICEMAIL_AT_REST, B, D, P, with_pending
from support.topologies import SIP_SERVER, TAKEOVER, VOICEMAIL
from switchover.fsm import (
    Alarm,
    AnnounceVip,
    Demote,
    EnableVip,
    LookAt,
    Mode,
    Pair,
    PairState,
    Promote,
    Reaction,
    ReactionKind,
    SolutionState,
    Topology,
)
from switchover.fsm import facts as facts_of
from switchover.fsm.facts import (
    better_side,
    is_over,
    joint_view,
    pair_facts,
    pair_of_the_vip,
    sides_that_can,
    vip_facts,
    vip_surprise,
)

TAKING_OVER = TAKEOVER_AT_REST.with_pair(0, PairState("taking_over_2", (D, B)))


def running(first: str, second: str) -> SolutionState:
    """The voicemail solution with these applications up on each side: S(IP), V(M Server), R(M), M(CP)."""
    applications = ["up" if name in up else "down" for name in ("S", "V", "R", "M") for up in (first, second)]
    outside = VOICEMAIL_AT_REST.applications[len(applications) :]
    return evolve(VOICEMAIL_AT_REST, applications=(*applications, *outside))


@pytest.mark.parametrize(
    ("pending", "expected"),
    [
        ([], "promotion_failed"),
        ([Demote(H2, A2)], "promotion_failed"),
        ([Promote(H2, A2)], "promotion_runs"),
        ([LookAt(H2, A2)], "promotion_runs"),
        ([Promote(H1, A1)], "promotion_runs"),
    ],
    ids=str,
)
def test_rule_28_a_promotion_runs_while_it_or_a_look_has_no_result(pending, expected):
    state = with_pending(TAKING_OVER, *pending)
    assert pair_facts(TAKEOVER, state, 0, "promotion_runs") == {expected}


def test_rule_28_a_promotion_is_overtaken_if_the_other_side_has_become_better():
    state = with_pending(TAKING_OVER, Promote(H2, A2)).with_application(1, "down")
    assert better_side(TAKEOVER, state) == 1
    assert pair_facts(TAKEOVER, state, 0, "promotion_failed") == {"promotion_overtaken"}


@pytest.mark.parametrize(
    ("held", "primary_for_ms", "winner"),
    [
        ((True, False), (1, 9), 1),
        ((False, True), (9, 1), 2),
        ((True, True), (9, 1), 1),
        ((True, True), (1, 9), 2),
        ((False, False), (1, 9), 2),
        ((None, None), (5, 5), 1),
    ],
)
def test_rule_29_the_vips_only_holder_outranks_then_the_longest_primary_then_side_1(held, primary_for_ms, winner):
    state = evolve(TAKEOVER_AT_REST, vip_held=held).with_pair(0, PairState("split_brain_1", (P, P), primary_for_ms))
    assert pair_facts(TAKEOVER, state, 0, "side1_outranks") == {f"side{winner}_outranks"}


@pytest.mark.parametrize(
    ("first", "second", "can", "better"),
    [
        ("SVRM", "SVRM", {1, 2}, None),
        ("SVR", "SVRM", {1, 2}, 2),
        ("SVR", "SVM", {1, 2}, None),
        ("SV", "SRM", {1}, 1),
        ("S", "SRM", {1, 2}, 2),
        ("SRM", "V", set(), None),
        ("SRM", "SV", {2}, 2),
        ("", "", {1, 2}, None),
        ("R", "", {1, 2}, 1),
    ],
)
def test_rule_30_which_sides_can_take_all_and_which_is_better(first, second, can, better):
    state = running(first, second)
    assert (sides_that_can(VOICEMAIL, state), better_side(VOICEMAIL, state)) == (can, better)
    assert pair_facts(VOICEMAIL, state, 0, "side1_is_worse") == {
        f"side1_is_{'worse' if better == 2 else 'no_worse'}",
        f"side2_is_{'worse' if better == 1 else 'no_worse'}",
        f"side1_is_{'better' if better == 1 else 'no_better'}",
        f"side2_is_{'better' if better == 2 else 'no_better'}",
    }


def test_rule_31_the_vip_follows_the_pair_whose_alarms_enable_it():
    other = Pair("other", ("other_1", "other_2"))
    reactions = {kind: (Reaction(kind, H1),) for kind in (ReactionKind.ENABLE_VIP, ReactionKind.DISABLE_VIP)}

    def followed(*alarms: Alarm) -> int:
        return pair_of_the_vip(Topology(TAKEOVER.hosts, (SIP_SERVER, other), alarms))

    assert followed() == 0
    assert followed(Alarm("a", "00-5150", "other_2", reactions[ReactionKind.ENABLE_VIP])) == 1
    assert followed(Alarm("a", "00-5150", "other_2", reactions[ReactionKind.DISABLE_VIP])) == 0


@pytest.mark.parametrize(
    ("pair", "serving"),
    [
        (PairState("redundant_1", (P, B)), {1}),
        (PairState("demoting_2", (P, B)), {1}),
        (PairState("split_brain_1", (P, P)), {1}),
        (PairState("split_brain_2", (P, P)), {2}),
        (PairState("out_of_service", (D, D)), set()),
        (PairState("taking_over_lost_2", (None, B)), set()),
    ],
    ids=str,
)
def test_rule_32_a_side_serves_if_it_is_primary_and_did_not_lose_a_split_brain(pair, serving):
    expected = {f"side{side}_{'serves' if side in serving else 'serves_not'}" for side in (1, 2)}
    assert vip_facts(TAKEOVER, TAKEOVER_AT_REST.with_pair(0, pair), "side1_serves") == expected


def test_rule_33_an_observed_vip_counts_where_no_command_for_it_is_pending():
    held = TAKEOVER_AT_REST
    assert (held.vip, held.vip_held, vip_surprise(TAKEOVER, held)) == ("held_1", (True, False), None)

    def surprise(state: SolutionState, *seen: bool | None) -> str:
        return str(vip_surprise(TAKEOVER, evolve(state, vip_held=seen)))

    assert surprise(held, False, True) == "side1_free"
    assert surprise(held, True, True) == "side2_held"
    assert surprise(held, None, None) == "None"
    assert surprise(held.with_vip("held_2"), True, False) == "side2_free"
    assert surprise(held.with_vip("absent_1"), False, True) == "None"
    assert surprise(held.with_vip("off"), True, False) == "side1_held"
    assert surprise(held.with_vip("out_of_sight"), True, True) == "None"
    assert surprise(with_pending(held, AnnounceVip(H1)), False, True) == "side2_held"
    assert surprise(with_pending(held, AnnounceVip(H1), EnableVip(H2)), False, True) == "None"


@pytest.mark.parametrize(
    ("event_id", "application", "over"),
    [
        ("00-5150", "VM_SIP_Server_1", [(B, "up"), (D, "down"), (None, "lost"), (None, "unknown")]),
        ("00-4561", "VM_SIP_Server_1", [(P, "up"), (D, "down"), (None, "lost"), (None, "unknown")]),
        ("00-5091", "VM_SIP_Server_1", [(P, "up"), (B, "up"), (None, "unknown")]),
        ("00-5090", "VM_SIP_Server_1", [(D, "down"), (None, "lost"), (None, "unknown")]),
    ],
)
def test_rule_34_an_alarm_is_over_when_its_condition_no_longer_holds(event_id, application, over):
    conditions: list[tuple[Mode | None, str]] = [(P, "up"), (B, "up"), (D, "down"), (None, "lost"), (None, "unknown")]
    alarm = Alarm("waits", event_id, application, ())
    assert over == [
        (mode, runs)
        for mode, runs in conditions
        if is_over(VOICEMAIL, VOICEMAIL_AT_REST.with_application(0, runs).with_mode(0, 1, mode), alarm)
    ]


@pytest.mark.parametrize("event_id", ["00-5150", "00-4561", "00-5091", "00-5090"])
def test_rule_34_an_alarm_is_never_over_while_nothing_is_known(event_id):
    for runs in ("up", "down", "unknown"):
        number = VOICEMAIL.number_of("Premise_SIP_Server")
        state = VOICEMAIL_AT_REST.with_application(number, runs)
        assert not is_over(VOICEMAIL, state, Alarm("waits", event_id, "Premise_SIP_Server", ()))
    if event_id in ("00-5150", "00-4561"):
        assert not is_over(VOICEMAIL, VOICEMAIL_AT_REST, Alarm("waits", event_id, "RM_1", ()))


@pytest.mark.parametrize(
    ("pairs", "up", "view"),
    [
        (("redundant_1", "redundant_1"), ("SVRM", "SVRM"), "side1_together"),
        (("redundant_1", "redundant_1"), ("SVR", "SVRM"), "side1_lacks"),
        (("redundant_1", "demoting_2"), ("SVR", "SVRM"), "busy"),
        (("out_of_service", "taking_over_2"), ("", "V"), "busy"),
        (("out_of_service", "cut_off_1"), ("", ""), "nothing"),
        (("no_redundancy_1", "no_redundancy_2"), ("SRM", "V"), "none"),
        (("redundant_1", "no_redundancy_2"), ("S", "SVRM"), "side2_gathers"),
        (("redundant_1", "redundant_2"), ("SVRM", "SVRM"), "side1_either"),
        (("redundant_2", "redundant_1"), ("SVRM", "SVRM"), "side2_either"),
    ],
)
def test_rule_35_the_joint_view_is_busy_or_follows_the_pair_of_the_vip(pairs, up, view):
    state = evolve(running(*up), pairs=tuple(PairState(pair) for pair in pairs))
    assert joint_view(VOICEMAIL, state) == view


def test_every_rule_of_this_module_has_its_test():
    numbers = {int(number) for number in re.findall(r"^(\d+)\. ", facts_of.__doc__, re.MULTILINE)}
    assert numbers == set(range(28, 36)) == {int(name.split("_")[2]) for name in globals() if "test_rule_" in name}
