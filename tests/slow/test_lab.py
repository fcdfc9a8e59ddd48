"""`switchover lab` on simulated hosts: it shows every documented step, and says so when one is missing."""

# ruff: noqa: S603  # the commands are our own

import json
import os
import re
import signal
import subprocess

import pytest
from support.lab_outcomes import LAB, PATIENCE_S, check_outcome
from switchover.agent.cli import main as cli
from switchover.agent.lab import player
from switchover.agent.lab.network import namespaces
from switchover.agent.lab.network.segment import HOSTS
from switchover.agent.lab.player import REVERSE, playable
from switchover.agent.simulation import stage as simulated_stage
from switchover.agent.simulation.host import SimulatedHost
from switchover.fsm import EnableVip, HostCommand, VipOrder
from switchover.fsm.documented.scenarios import SCENARIOS
from switchover.fsm.documented.workflows import WORKFLOWS

ORDERS = {order: ("--order", order) for order in VipOrder}
MIXED = ("reconnection", "disconnected", "manual", "failure", "manual")
"""Each needs something of the prior state to be brought about first."""
VOICEMAIL = {
    "documented": ("voicemail", *SCENARIOS),
    "mirrored": ("voicemail", *(name for name in playable("voicemail") if name.startswith(REVERSE))),
    "literal": ("voicemail", "rm", "backup-rm", "rm", "--reactions", "literal"),
}


@pytest.fixture(scope="module")
def simulated() -> dict[str, tuple[int, str, str]]:
    """Every workflow in each order of the VIP scripts, and every scenario: the labs wait most of the time, so they run
    side by side."""
    pipe = subprocess.PIPE
    labs = {
        name: subprocess.Popen([*LAB, "--simulated", "--json", *options], stdout=pipe, stderr=pipe, text=True)
        for name, options in (*ORDERS.items(), ("mixed", MIXED), *VOICEMAIL.items())
    }
    results = {}
    for name, lab in labs.items():
        output, errors = lab.communicate(timeout=PATIENCE_S)
        results[name] = (lab.returncode, output, errors)
    return results


@pytest.mark.parametrize(("name", "workflows"), [*((order, WORKFLOWS) for order in ORDERS), ("mixed", MIXED)])
def test_a_simulated_lab_shows_every_step_of_every_workflow(simulated, name, workflows):
    status, output, errors = simulated[name]
    assert (status, errors) == (0, "")
    outcomes = json.loads(output)
    assert [outcome["workflow"] for outcome in outcomes] == list(workflows)
    for outcome in outcomes:
        check_outcome(outcome)


@pytest.mark.parametrize("name", VOICEMAIL)
def test_a_simulated_lab_shows_every_step_of_every_scenario(simulated, name):
    """Also with alarms that stay active for some time and do not react meanwhile, as those of an SCS do."""
    status, output, errors = simulated[name]
    assert (status, errors) == (0, "")
    outcomes = json.loads(output)
    asked_for = [word for word in VOICEMAIL[name] if word in playable("voicemail")]
    assert [outcome["workflow"] for outcome in outcomes] == asked_for
    for outcome in outcomes:
        check_outcome(outcome)
        assert outcome["calls"] is None


def test_the_scenarios_are_those_of_the_guide_and_primary_ones_in_reverse():
    assert playable("voicemail") == (
        *("vm-sip-server", "vm-server", "rm", "mcp", "host"),
        *("backup-vm-sip-server", "backup-vm-server", "backup-rm", "backup-mcp"),
        *("manual-vm-server", "manual-vm-sip-server", "premise"),
        *("reverse-vm-sip-server", "reverse-vm-server", "reverse-rm", "reverse-mcp", "reverse-host"),
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["voicemail", "fire"], f"unknown workflow 'fire'; known are {', '.join(playable('voicemail'))}"),
        (["voicemail", "manual"], f"unknown workflow 'manual'; known are {', '.join(playable('voicemail'))}"),
        (["host"], "host belongs to another solution: `switchover lab voicemail host`"),
        (["manual", "--wiring", "vip-on-monitored"], "--wiring and --reactions are for `switchover lab voicemail`"),
        (["--reactions", "literal"], "--wiring and --reactions are for `switchover lab voicemail`"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, complaint, capsys):
    assert cli.main(["lab", *arguments]) == 2
    assert capsys.readouterr() == ("", f"switchover lab: {complaint}\n")


def test_a_machine_without_callers_is_told_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(namespaces, "why_not", lambda: None)
    monkeypatch.setattr("switchover.agent.cli.lab.why_not", lambda: None)
    monkeypatch.setattr("switchover.agent.cli.lab.why_no_voicemail", lambda: "calls need SIPp")
    assert cli.main(["lab", "voicemail"]) == 1
    complaint = "calls need SIPp; `switchover lab --simulated` runs anywhere"
    assert capsys.readouterr() == ("", f"switchover lab: {complaint}\n")


def test_the_order_of_the_scripts_decides_between_two_holders_and_none(simulated):
    """What is reachable counts: of two hosts that both hold the VIP, one that is cut off is none."""
    moved = {
        order: [o for o in json.loads(simulated[order][1]) if o["workflow"] in ("manual", "failure")]
        for order in VipOrder
    }
    assert [outcome["two_holders_ms"] for outcome in moved[VipOrder.DISABLE_FIRST]] == [0, 0]
    assert all(outcome["no_holder_ms"] > 0 for outcome in moved[VipOrder.DISABLE_FIRST])
    assert [outcome["no_holder_ms"] for outcome in moved[VipOrder.ENABLE_FIRST]] == [0, 0]
    assert all(outcome["two_holders_ms"] > 0 for outcome in moved[VipOrder.ENABLE_FIRST])


def test_the_report_for_people_shows_what_happens_and_sums_it_up():
    done = subprocess.run(
        [*LAB, "--simulated", "manual", "--repeat", "2"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == ("switchover lab: SIMULATED hosts; VIP order together; a host silent for 100 ms is lost")
    assert lines.count("Manual switchover (1 of 2): an operator asks for SIP_Server_2") == 1
    assert lines.count("Manual switchover (2 of 2): an operator asks for SIP_Server_1") == 1
    assert any(re.fullmatch(r" +\d+\.\d ms  event     requested SIP_Server_2", line) for line in lines)
    assert sum(line.strip() == "ok" for line in lines) == 2
    assert not any("WRONG" in line or "not seen" in line for line in lines)
    assert lines[-1].split()[:3] == ["manual", "2", "2"]


def test_what_the_outside_world_does_is_shown_when_it_does_it(capsys):
    assert cli.main(["lab", "voicemail", "backup-rm", "reverse-mcp", "--simulated"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "switchover lab: voicemail, wiring documented, reactions once; SIMULATED hosts; VIP order "
    )
    shown = [re.sub(r"^ +[0-9.]+ ms +", "", line) for line in lines]
    fail = shown.index("Resource Manager fails on the backup host: kill -9 of RM_2")
    places = [shown.index(f"event     reported RM_2 {mode}") for mode in ("down", "up")]
    assert fail < places[0] < shown.index("act       RM_2 is started again") < places[1]
    before = shown.index("before it: an operator asks for host2")
    fault = "Media Control Platform fails, in the reverse direction: kill -9 of MCP_2"
    assert places[1] < before < shown.index(fault) == before + 1


class DisobedientHost(SimulatedHost):
    """A host, if its name is among these, that never answers the command to enable the VIP."""

    names: tuple[str, ...] = ()

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        if not (self.name in self.names and isinstance(command, EnableVip)):
            super().send(command, deadline_ms)


def run_disobedient(monkeypatch, names: tuple[str, ...], *arguments: str) -> int:
    """A lab in which these hosts do not take the VIP."""
    monkeypatch.setattr(DisobedientHost, "names", names)
    monkeypatch.setattr(simulated_stage, "SimulatedHost", DisobedientHost)
    monkeypatch.setattr(player, "PATIENCE_S", 0.5)
    return cli.main(["lab", "--simulated", *arguments])


def test_a_lab_whose_end_state_is_not_reached_fails_and_says_what_is_wrong(monkeypatch, capsys):
    assert run_disobedient(monkeypatch, HOSTS[1:], "manual") == 1
    lines = capsys.readouterr().out.splitlines()
    wrong = [line.split("WRONG")[1].strip() for line in lines if "WRONG" in line]
    assert wrong == [
        "the VIP is enabling_2, not held_2",
        "the VIP's holder among the reachable hosts is nobody, not host2",
        "the client's ARP cache is host1, not host2",
        "the last answer's sender is SIP_Server_1, not SIP_Server_2",
        "enable_vip on host2 ran never, documented is once",
    ]
    assert [line.split()[2] for line in lines if "not seen" in line] == ["8."]
    assert sum(line.strip() == "NOT OK" for line in lines) == 1
    assert lines[-1].split()[:3] == ["manual", "1", "0"]


def test_for_programs_a_lab_that_fails_says_so_as_well(monkeypatch, capsys):
    assert run_disobedient(monkeypatch, HOSTS[1:], "manual", "--json") == 1
    (outcome,) = json.loads(capsys.readouterr().out)
    assert (outcome["ok"], outcome["arp_cache"]) == (False, "host1")
    assert [step["step"] for step in outcome["steps"] if step["at_ms"] is None] == [8]


def test_a_lab_whose_prior_state_is_not_reached_says_so_in_one_line(monkeypatch, capsys):
    assert run_disobedient(monkeypatch, HOSTS, "manual") == 1
    complaint = "the state prior to a switchover is not reached: the placement is together_1, the VIP enabling_1"
    assert capsys.readouterr().err == f"switchover lab: {complaint}\n"


def test_ctrl_c_ends_a_simulated_lab_without_a_traceback_and_without_leftovers(tmp_path):
    pipe = subprocess.PIPE
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([*LAB, "--simulated"], stdout=pipe, stderr=pipe, text=True, env=environment) as lab:
        assert lab.stdout is not None
        assert lab.stdout.readline().startswith("switchover lab: SIMULATED hosts; ")
        assert len(list(tmp_path.iterdir())) == 1
        lab.send_signal(signal.SIGINT)
        _, errors = lab.communicate(timeout=60)
    assert (lab.returncode, errors, list(tmp_path.iterdir())) == (130, "", [])
