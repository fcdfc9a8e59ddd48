"""What the lab says of an outcome and of several: lines and tables for people, JSON for programs."""

import re

from attrs import evolve
from support.lab_outcomes import KEYS
from switchover.agent.lab.network.calls import Call, Calls
from switchover.agent.lab.report import Outcome, PlayedStep, step_line, summary_lines, table, title
from switchover.agent.lab.stage import Measured

MEASURED = Measured(12.3456, 7, 0.5, 0.0, 20, "host2", "SIP_Server_2", frozenset({"host2"}))
STEPS = (PlayedStep(1, "the primary fails", 0.0), PlayedStep(2, "its host reports it", 1.23456))
SCRIPTS = {"host1": {"enable_vip": 0, "disable_vip": 1}, "host2": {"enable_vip": 1, "disable_vip": 0}}
CALLS = Calls((Call(1.0, 1.001, "MCP_1", 1.2), Call(2.0, 2.5, "MCP_2"), Call(2.1)), retransmissions=9)
GOOD = Outcome("failure", "Primary server failure", STEPS, MEASURED, SCRIPTS, ())


def test_an_outcome_is_good_only_if_every_step_was_seen_and_nothing_is_wrong():
    unseen = evolve(GOOD, steps=(STEPS[0], evolve(STEPS[1], at_ms=None)))
    wrong = evolve(GOOD, wrong=("the VIP is off, not held_2",))
    assert [outcome.ok for outcome in (GOOD, unseen, wrong)] == [True, False, False]
    assert step_line(unseen.steps[1]) == "    not seen  2. its host reports it"
    assert summary_lines(wrong)[-2:] == ["       WRONG  the VIP is off, not held_2", "      NOT OK"]


def test_the_lines_of_a_report():
    assert title(GOOD).splitlines() == ["Primary server failure", "----------------------"]
    assert [step_line(step) for step in STEPS] == [
        "      0.0 ms  1. the primary fails",
        "      1.2 ms  2. its host reports it",
    ]
    assert summary_lines(GOOD) == [
        "      client  outage 12.3 ms, 7 requests lost, answered at the end by SIP_Server_2",
        "         VIP  two reachable holders for 0.5 ms, none for 0.0 ms",
        "         ARP  20 gratuitous frames reached the client, whose cache points at host2",
        "     scripts  ran disable_vip on host1: 1, enable_vip on host2: 1",
        "          ok",
    ]
    nobody = summary_lines(evolve(GOOD, measured=evolve(MEASURED, arp_cache=None, answered_by=None)))
    assert nobody[0].endswith("answered at the end by nobody")
    assert nobody[2].endswith("whose cache points at nothing")


def test_the_lines_about_scripts_and_calls():
    called = evolve(GOOD, scripts={}, measured=evolve(MEASURED, calls=CALLS, first_call_ms=501.4))
    assert summary_lines(called)[3:5] == [
        "     scripts  none ran",
        "       calls  3 made, 1 failed, 1 broke off; 9 messages sent again; the first new one answered after 501 ms",
    ]
    nobody = evolve(called, measured=evolve(called.measured, first_call_ms=None))
    assert summary_lines(nobody)[4].endswith("; no new one was answered")
    assert called.as_json()["calls"] == {
        "attempted": 3, "failed": 1, "retransmissions": 9, "broken": 1, "delayed": 1, "first_success_ms": 501.4,
    }  # fmt: skip


def test_an_outcome_for_programs():
    outcome = evolve(GOOD, steps=(*STEPS, PlayedStep(3, "and so on", None))).as_json()
    assert set(outcome) == KEYS
    assert [step["at_ms"] for step in outcome["steps"]] == [0.0, 1.235, None]
    assert (outcome["ok"], outcome["outage_ms"], outcome["lost"], outcome["arp_cache"]) == (False, 12.346, 7, "host2")


def test_the_table_has_the_median_of_several_runs_and_the_worst_in_brackets():
    runs = [evolve(GOOD, measured=evolve(MEASURED, outage_ms=outage, lost=2)) for outage in (3.0, 1.0, 200.0)]
    lines = table([*runs, evolve(GOOD, workflow="manual", wrong=("wrong",))])
    heads = ["workflow", "runs", "ok", "outage ms", "lost", "two holders ms", "no holder ms", "ARP frames", "scripts"]
    assert [re.split(r"\s{2,}", line.strip()) for line in lines] == [
        heads,
        ["-" * len(lines[0])],
        ["failure", "3", "3", "3 [200]", "2 [2]", "0.5 [0.5]", "0 [0]", "20 [20]", "2 [2]"],
        ["manual", "1", "0", "12.3", "7", "0.5", "0", "20", "2"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_calls_have_a_table_of_their_own_with_the_sums_of_all_runs():
    called = evolve(GOOD, measured=evolve(MEASURED, calls=CALLS, first_call_ms=501.44))
    silent = evolve(called, workflow="disconnected", measured=evolve(called.measured, first_call_ms=None))
    later = evolve(called, measured=evolve(called.measured, first_call_ms=502.44))
    lines = table([called, later, silent])
    assert lines[4] == ""
    assert [re.split(r"\s{2,}", line.strip()) for line in lines[5:]] == [
        ["workflow", "calls", "failed", "broken", "sent again", "first call ms"],
        ["-" * len(lines[5])],
        ["failure", "6", "2", "2", "18", "501.9 [502.4]"],
        ["disconnected", "3", "1", "1", "9", "none"],
    ]
