"""Rules 1 to 11 of the handling of events: from an event to triggers. Each test carries its rule's number."""

import re

import pytest
from support.rules import (
    A1,
    A2,
    H1,
    H2,
    TAKEOVER_AT_REST,
    VOICEMAIL_AT_REST,
    B,
    D,
    handle,
    report,
    to_hosts,
    triggers,
    with_pending,
)
from support.topologies import VOICEMAIL
from switchover.fsm import (
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CommandUnconfirmed,
    CoreError,
    Demote,
    DisableVip,
    EnableVip,
    HostConnected,
    HostLost,
    HostReport,
    LogMessageReceived,
    LookAt,
    LookAtVip,
    Promote,
    Start,
    Stop,
    VipReported,
)
from switchover.fsm.commands import overtakes
from switchover.fsm.handling import reports, results, translation

RESULTS = {
    "succeeded": CommandSucceeded(101),
    "failed": CommandFailed(101, "because"),
    "timed out": CommandTimedOut(101, "because"),
    "unclear": CommandUnclear(101, "because"),
    "unconfirmed": CommandUnconfirmed(101, "because"),
}


@pytest.mark.parametrize(
    ("application", "event_id", "expected"),
    [
        ("VM_SIP_Server_2", "00-4563", "VM SIP Server: side2_logged_primary"),
        ("VM_Server_1", "00-5151", "VM Server: side1_logged_backup"),
        ("VM_SIP_Server_2", "00-5064", "VM_SIP_Server_2: logged_failed"),
        ("VM_SIP_Server_2", "00-5090", "VM_SIP_Server_2: logged_other"),
        ("RM_1", "00-4563", "RM_1: logged_other"),
        ("Premise_SIP_Server", "00-5151", "Premise_SIP_Server: logged_other"),
        ("RM_1", "00-5091", "RM_1: logged_failed"),
    ],
)
def test_rule_1_only_a_message_about_a_mode_triggers_the_pair(application, event_id, expected):
    work = handle(VOICEMAIL_AT_REST, LogMessageReceived(event_id, application), VOICEMAIL)
    assert triggers(work)[0] == expected


@pytest.mark.parametrize("event", [ApplicationReported(A1, D), VipReported(H1, held=False)], ids=str)
@pytest.mark.parametrize("link", ["unknown", "doubtful", "lost"])
def test_rule_2_a_report_of_a_host_out_of_sight_is_refused(event, link):
    with pytest.raises(CoreError, match="host1 is not connected: what it says now does not count"):
        handle(TAKEOVER_AT_REST.with_link(1, link), event)


@pytest.mark.parametrize("event", [ApplicationReported(A1, D), VipReported(H1, held=False)], ids=str)
@pytest.mark.parametrize("link", ["connected", "silent"])
def test_rule_2_a_report_of_a_host_in_sight_counts(event, link):
    assert handle(TAKEOVER_AT_REST.with_link(1, link), event).steps


def test_rule_3_a_report_that_leaves_out_an_application_is_refused():
    whole = report(VOICEMAIL, 2, B, held=False).report.modes
    for missing in whole:
        modes = {name: mode for name, mode in whole.items() if name != missing}
        with pytest.raises(CoreError, match="a report of host2 must name MCP_2, RM_2, VM_SIP_Server_2, VM_Server_2"):
            handle(VOICEMAIL_AT_REST, HostConnected(H2, HostReport(modes, vip_held=False)), VOICEMAIL)


def test_rule_4_an_application_is_triggered_only_by_a_change():
    failed = handle(TAKEOVER_AT_REST, ApplicationReported(A1, D))
    assert triggers(failed)[0] == "SIP_Server_1: down"
    again = handle(failed.state, ApplicationReported(A1, D))
    assert [text for text in triggers(again) if text.startswith("SIP_Server_1:")] == []
    lost = handle(TAKEOVER_AT_REST.with_application(1, "lost"), HostLost(H2))
    assert [text for text in triggers(lost) if text.startswith("SIP_Server_2:")] == []


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_rule_5_a_result_without_a_pending_command_changes_nothing(result):
    work = handle(TAKEOVER_AT_REST, result)
    assert (work.state, work.commands, work.steps) == (TAKEOVER_AT_REST, [], [])


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("command", [Promote(H2, A2), EnableVip(H2)], ids=str)
def test_rule_6_a_result_from_a_host_out_of_sight_leaves_the_command_pending(command, result):
    doubtful = with_pending(TAKEOVER_AT_REST, command).with_link(2, "doubtful")
    work = handle(doubtful, result)
    assert (work.state, work.commands, work.steps) == (doubtful, [], [])
    in_sight = handle(with_pending(TAKEOVER_AT_REST, command).with_link(2, "silent"), result)
    assert in_sight.state.pending_by_id(101) is None


OVERTAKEN = [
    (earlier, later)
    for earlier, laters in (
        (Promote(H2, A2), [Demote(H2, A2)]),
        (Demote(H2, A2), [Promote(H2, A2)]),
        (LookAt(H2, A2), [Promote(H2, A2), Demote(H2, A2)]),
        (EnableVip(H2), [DisableVip(H2)]),
        (DisableVip(H2), [EnableVip(H2)]),
        (LookAtVip(H2), [EnableVip(H2), DisableVip(H2)]),
    )
    for later in laters
]


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize(("command", "later"), OVERTAKEN, ids=str)
def test_rule_7_the_result_of_an_overtaken_command_triggers_nothing(command, later, result):
    work = handle(with_pending(TAKEOVER_AT_REST, command, later), result)
    assert (work.commands, work.steps) == ([], [])
    assert work.state.pending == (later,)
    assert handle(with_pending(TAKEOVER_AT_REST, command), result).steps


def test_rule_7_no_other_command_overtakes_and_none_for_another_target():
    commands = [Promote(H2, A2), Demote(H2, A2), LookAt(H2, A2), Start(H2, A2), Stop(H2, A2)]
    commands += [EnableVip(H2), DisableVip(H2), AnnounceVip(H2), LookAtVip(H2)]
    seen = [(one, later) for one in commands for later in commands if overtakes(later, one)]
    assert seen == OVERTAKEN
    elsewhere = with_pending(TAKEOVER_AT_REST, Promote(H2, A2), Demote(H1, A1))
    assert handle(elsewhere, CommandSucceeded(101)).steps


@pytest.mark.parametrize(("command", "later"), [(EnableVip(H2), DisableVip(H2)), (DisableVip(H1), EnableVip(H1))])
def test_rule_8_an_overtaken_vip_script_that_succeeded_shows_where_the_vip_is(command, later):
    state = with_pending(TAKEOVER_AT_REST, command, later)
    succeeded = handle(state, CommandSucceeded(101)).state
    assert succeeded.vip_held == ((True, True) if command == EnableVip(H2) else (False, False))
    assert handle(state, CommandFailed(101, "because")).state.vip_held == (True, False)


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("command", [Start(H2, A2), Stop(H2, A2)], ids=str)
def test_rule_9_no_result_of_a_start_or_stop_triggers_anything(command, result):
    work = handle(with_pending(TAKEOVER_AT_REST, command), result)
    assert (work.state, work.commands, work.steps) == (TAKEOVER_AT_REST, [], [])


def test_rule_9_an_announcement_triggers_something_only_if_it_failed():
    state = with_pending(TAKEOVER_AT_REST, AnnounceVip(H1))
    assert handle(state, CommandSucceeded(101)).steps == []
    for how in ("failed", "timed out", "unclear", "unconfirmed"):
        assert triggers(handle(state, RESULTS[how])) == ["VIP: side1_announce_failed"]


@pytest.mark.parametrize("how", ["timed out", "unclear", "unconfirmed"])
@pytest.mark.parametrize(("command", "name"), [(EnableVip(H1), "enable"), (DisableVip(H1), "disable")])
def test_rule_10_a_script_without_a_clear_result_is_followed_by_a_look(command, name, how):
    work = handle(with_pending(TAKEOVER_AT_REST, command), RESULTS[how])
    assert (triggers(work), to_hosts(work)) == (["VIP: side1_script_unclear"], [LookAtVip(H1)])
    failed = handle(with_pending(TAKEOVER_AT_REST, command), RESULTS["failed"])
    assert triggers(failed) == [f"VIP: side1_{name}_failed"]
    assert LookAtVip(H1) not in failed.commands


def test_rule_10_a_promotion_and_a_demotion_have_a_trigger_for_each_result():
    for command, name in ((Promote(H2, A2), "promotion"), (Demote(H2, A2), "demotion")):
        for how in ("failed", "timed out", "unclear"):
            work = handle(with_pending(TAKEOVER_AT_REST, command), RESULTS[how])
            assert triggers(work)[0] == f"SIP Server: side2_{name}_{how.replace(' ', '_')}"
        work = handle(with_pending(TAKEOVER_AT_REST, command), RESULTS["unconfirmed"])
        assert triggers(work)[0] == f"SIP Server: side2_{name}_unclear"


@pytest.mark.parametrize(
    ("command", "trigger"), [(LookAt(H2, A2), "SIP Server: side2_looked"), (LookAtVip(H2), "VIP: side2_looked")]
)
def test_rule_11_a_look_that_was_done_triggers_only_that(command, trigger):
    work = handle(with_pending(TAKEOVER_AT_REST, command), CommandSucceeded(101))
    assert triggers(work) == [trigger]
    assert work.state == TAKEOVER_AT_REST


def test_every_rule_of_these_modules_has_its_test():
    prose = "\n".join(module.__doc__ for module in (translation, reports, results))
    numbers = {int(number) for number in re.findall(r"^(\d+)\. ", prose, re.MULTILINE)}
    assert numbers == set(range(1, 12)) == {int(name.split("_")[2]) for name in globals() if "test_rule_" in name}
