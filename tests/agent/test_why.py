"""`switchover why`: what happened and why, or why not, from the journal of scripts played in virtual time."""

import doctest
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from support.simulated import example, played
from support.topologies import TAKEOVER, VOICEMAIL
from switchover.agent.cli import main as cli
from switchover.agent.explain.why import as_json, as_line, as_text
from switchover.agent.history import wording
from switchover.agent.history.causal_chain import (
    COMMAND,
    DECISION,
    EVENT,
    OBSERVED,
    RESULT,
    ChainLink,
    chain,
    gives,
)
from switchover.agent.history.incidents import Incident, brief, incidents
from switchover.agent.history.wording import (
    event_in_words,
    guard_in_words,
    what_is_missing,
)
from switchover.fsm import (
    ALARM,
    APPLICATION,
    LINK,
    PAIR,
    PLACEMENT,
    VIP,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CommandUnconfirmed,
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    PairState,
    Promote,
    SolutionState,
    StartRequested,
    StartTimer,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    VipReported,
    WriteLog,
)
from switchover.fsm.state import initial_state

A1, A2 = "SIP_Server_1", "SIP_Server_2"

NIGHT = (
    "0 fail RM_2",
    "1000 start RM_2",
    "2000 fail RM_1",
    "3000 start RM_1",
    "4000 script-fails host1 enable_vip",
    "4000 switch host1",
    "6000 script-works host1 enable_vip",
    "8000 lose host1",
    "12000 return host1",
    "14000 command-fails VM_Server_1 to_primary",
    "14000 switch VM_SIP_Server_1",
    "19000 command-works VM_Server_1 to_primary",
    "22000 message 00-5150 VM_SIP_Server_2",
    "24000 switch host1",
    "24001 lose host2",
    "24020 lose host1",
    "26000 return host2",
)


@pytest.fixture
def universal_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def test_a_takeover_is_explained_from_the_first_sign_to_the_result(tmp_path, universal_time):
    (incident,) = played(tmp_path, "sip", "0 fail SIP_Server_1").incidents
    assert as_text(incident) == TAKEOVER_TEXT


TAKEOVER_TEXT = """\
incident 31, 2000-01-01 00:16:40.050+0000, over after 5.2 ms
  cause    SIP_Server_1: it failed
  outcome  SIP Server: host1 -> host2; VIP: host1 -> host2; redundancy lost

      0.0 ms  SIP_Server_1 is reported down
                observed: SIP_Server_1 down
                SIP_Server_1 up -> down   [S1] primary host failure
                  because: it failed
                SIP Server redundant_1 -> taking_over_2   [S2] failure, steps 2-3
                  because: the primary failed: its backup takes over
                  => promote SIP_Server_2: done after 3.4 ms
      3.4 ms  promote SIP_Server_2: done, after 3.4 ms
                observed: SIP_Server_2 primary
                SIP Server taking_over_2 -> no_redundancy_2   [S2] failure, step 4
                  because: the backup has become primary
                  => log 00-5150 SIP_Server_2 changed to primary mode
                SIP_Server_2 primary clear -> active   [S2] manual, steps 5-6
                  because: its detect event came: it becomes active and reacts
                  => alarm SIP_Server_2 primary
                  => reaction disable_vip host1, of alarm SIP_Server_2 primary
                  => reaction enable_vip host2, of alarm SIP_Server_2 primary
                VIP held_1 -> leaving_1   [S2] manual, steps 7-8
                  because: the script that disables the VIP is launched
                  => disable_vip host1: done after 0.9 ms
                VIP leaving_1 -> moving_2   [S2] manual, steps 7-8
                  because: the script that enables it is launched too
                  given: the VIP's order is together
                  => enable_vip host2: done after 0.9 ms
                solution together_1 -> together_2   rule: all on one host
                  because: every primary is on the other host now
      4.3 ms  disable_vip host1: done, after 0.9 ms
                observed: VIP not on host1
                VIP moving_2 -> enabling_2   rule: announce again
                  because: the other host released it: announced when it is here
                  => announce_vip host2: done after 0.9 ms
      4.3 ms  enable_vip host2: done, after 0.9 ms
                observed: VIP on host2
                VIP enabling_2 -> held_2   [S2] manual, step 8
                  because: it is here, and nowhere else
      5.2 ms  announce_vip host2: done, after 0.9 ms

phases, each with the time since the one before
      0.0 ms  detected   +0.0 ms
      0.0 ms  decided    +0.0 ms
      3.4 ms  promoted   +3.4 ms
      4.3 ms  VIP down   +0.9 ms
      4.3 ms  VIP up     +0.0 ms
      4.3 ms  served     +0.0 ms
      5.2 ms  announced  +0.9 ms

at the end
  SIP Server  no redundancy: primary on host2, down on host1
  VIP         on host2
  redundancy  NO: SIP Server is not up on host1"""


def test_a_move_that_was_not_made_is_explained_too(tmp_path):
    """RM-2 failed in backup mode: redundancy lost, nothing to move."""
    (incident,) = played(tmp_path, "voicemail", "0 fail RM_2").incidents
    assert (incident.cause, incident.outcome) == ("RM_2: it failed", "nothing was moved; redundancy lost")
    asked = ChainLink(
        at_ms=0.0,
        kind=DECISION,
        text="VM SIP Server stays redundant_1 on needed (host1)",
        reason="it is primary already",
        moved=False,
    )
    reactions = [
        ChainLink(0.0, COMMAND, text, command=text)
        for text in (
            "log 00-5091 RM_2 found terminated",
            "log 00-5064 RM_2 terminated for a reason of its own",
            "alarm RM_2 found terminated",
            "reaction to_primary VM_SIP_Server_1, of alarm RM_2 found terminated",
            "alarm RM_2 terminated",
            "reaction to_primary VM_SIP_Server_1, of alarm RM_2 terminated",
        )
    ]
    becomes = "its detect event came: it becomes active and reacts"
    steps_5_6 = "[S2] manual, steps 5-6"
    assert chain(incident) == (
        ChainLink(0.0, EVENT, "RM_2 is reported down"),
        ChainLink(0.0, OBSERVED, "RM_2 down"),
        ChainLink(0.0, DECISION, "RM_2 up -> down", "it failed", cite="[S1] primary host failure"),
        *reactions[:2],
        ChainLink(0.0, DECISION, "RM_2 found terminated clear -> active", becomes, cite=steps_5_6),
        *reactions[2:4],
        ChainLink(0.0, DECISION, "RM_2 terminated clear -> active", becomes, cite=steps_5_6),
        *reactions[4:],
        asked,
        asked,
    )
    assert as_text(incident).endswith(
        "\nasked for, and not done\n"
        "  VM SIP Server: it is primary already\n"
        "\n"
        "at the end\n"
        "  VM SIP Server  primary on host1, backup on host2\n"
        "  VM Server      primary on host1, backup on host2\n"
        "  VIP            on host1\n"
        "  redundancy     NO: Resource Manager is not up on host2"
    )


def test_the_fact_that_decided_is_shown_with_its_row(tmp_path):
    (incident,) = played(tmp_path, "voicemail", "0 fail RM_1").incidents
    decision = next(link for link in chain(incident) if link.text == "VM SIP Server redundant_1 -> demoting_2")
    assert decision == ChainLink(
        at_ms=0.0,
        kind=DECISION,
        text="VM SIP Server redundant_1 -> demoting_2",
        reason="a component failed: switch to the better host",
        guard="host2 is the better one: Resource Manager is not up on host1",
        cite="[S1] RM-1 fails",
    )


def test_every_command_is_below_its_decision_with_its_result(tmp_path):
    """A night with nearly everything: failures, lost and returning hosts, failing scripts and commands."""
    night = played(tmp_path, "voicemail", *NIGHT)
    results = Counter[str]()
    for incident in (*night.incidents, *incidents(tmp_path / "journal.sqlite")):
        links = chain(incident)
        given = [command for handled in incident.handled for command in handled.commands]
        chosen = [c for c in given if not (isinstance(c, StartTimer) and c.timer.startswith("cancel "))]
        assert Counter(command.words for command in chosen) == Counter(
            link.text for link in links if link.kind == COMMAND
        )
        for handled in incident.handled:
            for command in handled.commands:
                assert any(gives(handled.topology, step, command) for step in handled.steps), command
        above = EVENT
        for link in links:
            assert link.kind != COMMAND or above in (DECISION, COMMAND), link
            above = link.kind
        results.update(link.result.partition(":")[0] for link in links if link.result)
        assert json.loads(json.dumps(as_json(incident)))["incident"] == incident.id
        assert as_text(incident).count("\n") > 5
    assert set(results) == {"done", "FAILED", "no answer"}


def test_a_result_is_shown_with_its_command_and_when_it_arrives(tmp_path):
    lines = ("0 script-fails host2 enable_vip", "0 fail SIP_Server_1", "500 script-works host2 enable_vip")
    incident = played(tmp_path, "sip", *lines).incidents[-1]
    links = chain(incident)
    tries = [(link.result, link.took_ms) for link in links if (link.kind, link.text) == (COMMAND, "enable_vip host2")]
    assert tries == [("FAILED: exit status 1", pytest.approx(0.9)), ("done", pytest.approx(0.9))]
    come = [(link.text, link.took_ms) for link in links if (link.kind, link.command) == (RESULT, "enable_vip host2")]
    assert come == [
        ("enable_vip host2: FAILED: exit status 1", pytest.approx(0.9)),
        ("enable_vip host2: done", pytest.approx(0.9)),
    ]


def results(incident: Incident) -> list[tuple[str, str]]:
    return [(link.text, link.result) for link in chain(incident) if link.result]


def test_an_unanswered_command_is_shown_with_the_reason(tmp_path):
    incident = played(tmp_path, "sip", "0 switch host2", "1 lose host1").incidents[0]
    demoted = "demote SIP_Server_1"
    assert results(incident)[0] == (demoted, "no answer: the host was lost, or started a new session")
    begun = Incident(incident.handled[:1])
    assert results(begun) == [(demoted, "no answer yet")]


def test_a_command_that_got_lost_is_shown_as_unanswered(tmp_path):
    """The host is back before it is lost, but the command never reached it."""
    incident = played(tmp_path, "sip", "0 switch host2", "1 lose host1", "100 return host1").incidents[0]
    assert results(incident)[0] == ("demote SIP_Server_1", "NOT ANSWERED: no answer within 2000 ms")


@pytest.mark.parametrize("table", [LINK, APPLICATION, PAIR, ALARM, PLACEMENT, VIP], ids=lambda table: table.name)
def test_every_guard_of_every_table_has_a_text(table):
    for guard in {decision.guard for decision in table.every_decision() if decision.guard}:
        words = guard_in_words(VOICEMAIL, initial_state(VOICEMAIL), guard)
        assert " " in words
        assert "{" not in words


UP = tuple("up" for _ in TAKEOVER.applications)


def state(modes: tuple[Mode, Mode], held: tuple[bool, bool], for_ms: tuple[int, int] = (0, 0)) -> SolutionState:
    pair = PairState("redundant_1", modes, for_ms)
    return SolutionState(("connected", "connected"), (pair,), UP, vip_held=held)


BOTH = (Mode.PRIMARY, Mode.PRIMARY)


@pytest.mark.parametrize(
    ("guard", "facts", "words"),
    [
        ("side2_outranks", state(BOTH, (False, True), (9, 0)), "host2 holds the VIP, and the other one does not"),
        ("side1_outranks", state(BOTH, (True, True), (9, 8)), "host1 has been primary for longer"),
        ("side1_outranks", state(BOTH, (True, True)), "host1 is the first of two equals"),
        ("side1_is_no_worse", state(BOTH, (True, True)), "host1 is no worse: everything is up on both hosts"),
        ("", state(BOTH, (True, True)), ""),
    ],
)
def test_a_guard_is_shown_with_the_facts_that_made_it_true(guard, facts, words):
    assert guard_in_words(TAKEOVER, facts, guard) == words


def test_missing_applications_are_named_for_both_hosts():
    assert what_is_missing(TAKEOVER, state(BOTH, (True, False))) == ""
    nothing = initial_state(TAKEOVER)
    assert what_is_missing(TAKEOVER, nothing) == "SIP Server is not up on host1, SIP Server is not up on host2"


PENDING = SolutionState(("connected", "connected"), (PairState(),), pending=(Promote("host2", A2, id=7),))

EVENTS = (
    (HostConnected("host1", HostReport({A1: Mode.DOWN}, vip_held=False)), "host1 is connected, and reports"),
    (HostFellSilent("host1"), "host1 has fallen silent"),
    (HostHeard("host1"), "host1 is heard again"),
    (HostLost("host1"), "host1 was not heard for the whole detection time"),
    (HostLeft("host1"), "host1 says goodbye"),
    (ApplicationReported(A1, Mode.DOWN), "SIP_Server_1 is reported down"),
    (VipReported("host1", held=True), "the VIP is reported on host1"),
    (VipReported("host1", held=False), "the VIP is reported gone from host1"),
    (CommandSucceeded(7), "promote SIP_Server_2: done"),
    (CommandSucceeded(8), "command 8: done"),
    (CommandFailed(7, "exit status 1"), "promote SIP_Server_2: FAILED: exit status 1"),
    (CommandTimedOut(7, "no answer"), "promote SIP_Server_2: NOT ANSWERED: no answer"),
    (CommandUnclear(7, "no mode"), "promote SIP_Server_2: UNCLEAR: no mode"),
    (CommandUnconfirmed(7, "no answer"), "promote SIP_Server_2: NOT CONFIRMED: no answer"),
    (TimerFired("retry VIP"), "the timer 'retry VIP' ran out"),
    (SwitchoverRequested(A2), "an operator asks for SIP_Server_2 as primary"),
    (StartRequested(A2), "an operator asks that SIP_Server_2 be started"),
    (StopRequested(A2), "an operator asks that SIP_Server_2 be stopped"),
    (LogMessageReceived("5150", A2), "message 00-5150 comes: SIP_Server_2 changed to primary mode"),
)
"""An event of every kind."""


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(wording).failed == 0


def test_every_event_has_a_text():
    assert [event_in_words(event, PENDING) for event, _ in EVENTS] == [words for _, words in EVENTS]
    assert {type(event) for event, _ in EVENTS} == set(get_args(Event))
    assert CommandSucceeded(7).words == "done"
    written = WriteLog("00-5150", A1, f"{A1} changed to primary mode")
    assert written.words == "log 00-5150 SIP_Server_1 changed to primary mode"


# The command


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    played(tmp_path, "sip", "0 fail SIP_Server_1", "2000 start SIP_Server_1")
    return tmp_path / "journal.sqlite"


def test_the_last_incident_is_explained_unless_another_one_is_requested(journal, capsys):
    first, *_, last = incidents(journal)
    assert cli.main(["why", "--journal", str(journal)]) == 0
    assert capsys.readouterr().out == as_text(last) + "\n"
    assert cli.main(["why", str(first.id), "--journal", str(journal), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(as_json(first)))


def test_the_journal_is_the_configured_one(journal, capsys, tmp_path):
    file = tmp_path / "switchover.toml"
    example(tmp_path, "sip")
    text = (tmp_path / "sip.toml").read_text()
    file.write_text(text.replace('#journal = "/var/lib/switchover/journal.sqlite"', f'journal = "{journal}"'))
    assert cli.main(["why", "-c", str(file), "2"]) == 0
    assert capsys.readouterr().out.startswith("incident 2, ")


def test_all_incidents_are_listed_one_per_line(journal, capsys):
    assert cli.main(["why", "--all", "--journal", str(journal)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [as_line(brief(incident)) for incident in incidents(journal)]
    assert re.fullmatch(
        r" *2  2000-01-01 \d\d:\d\d:\d\d\.000[+-]\d{4}  SIP_Server_1: it runs  =>  SIP Server: unknown -> host1; .*",
        lines[0],
    )
    assert cli.main(["why", "--all", "--json", "--journal", str(journal)]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["incident"] for each in listed] == [incident.id for incident in incidents(journal)]


def test_an_unknown_incident_is_an_error_that_lists_the_known_ones(journal, capsys, tmp_path):
    known = ", ".join(str(incident.id) for incident in incidents(journal))
    assert cli.main(["why", "1", "--journal", str(journal)]) == 2
    assert capsys.readouterr().err == (
        f"switchover: no incident 1; those in the journal: {known}; `switchover why --all` lists them all\n"
    )
    assert cli.main(["why", "--journal", str(tmp_path / "none.sqlite")]) == 1
    assert "none.sqlite cannot be read" in capsys.readouterr().err
