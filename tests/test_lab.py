"""`switchover lab`: it shows every documented step, says so when one is missing, and leaves nothing behind."""

# ruff: noqa: S603, S607  # the commands are our own, and the system's

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from switchover.agent import cli
from switchover.agent.journal import command_entry, read, replay
from switchover.agent.lab import namespaces, player, simulated_stage
from switchover.agent.lab.network import HOSTS
from switchover.agent.lab.report import Outcome, PlayedStep, step_line, summary_lines, table, title
from switchover.agent.lab.simulated_stage import SimulatedHost
from switchover.agent.lab.stage import Measured
from switchover.fsm import EnableVip, HostCommand, VipOrder
from switchover.fsm.records import describe_command
from switchover.fsm.workflows import WORKFLOWS

LAB = (sys.executable, "-W", "error", "-m", "switchover.agent", "lab")
KEYS = {
    *("workflow", "ok", "steps", "outage_ms", "lost", "two_holders_ms", "no_holder_ms"),
    *("gratuitous_arps", "arp_cache"),
}
PATIENCE_S = 120


def check_outcome(outcome: dict[str, Any]) -> None:
    """All that holds of every good outcome, on whichever stage and in whichever order of the scripts."""
    documented = WORKFLOWS[outcome["workflow"]].steps
    assert set(outcome) == KEYS
    assert outcome["ok"] is True
    assert [(step["step"], step["text"]) for step in outcome["steps"]] == [(s.number, s.text) for s in documented]
    assert all(set(step) == {"step", "text", "at_ms"} for step in outcome["steps"])
    times = [step["at_ms"] for step in outcome["steps"]]
    assert all(isinstance(at, float) for at in times)
    assert times == sorted(times)
    assert outcome["arp_cache"] in HOSTS
    assert outcome["gratuitous_arps"] > 0
    assert isinstance(outcome["lost"], int)
    assert all(outcome[key] >= 0 for key in ("outage_ms", "lost", "two_holders_ms", "no_holder_ms"))


# Simulated hosts


ORDERS = {order: ("--order", order) for order in VipOrder}
MIXED = ("reconnection", "disconnected", "manual", "failure", "manual")
"""Each needs something of the prior state to be brought about first."""


@pytest.fixture(scope="module")
def simulated() -> dict[str, tuple[int, str, str]]:
    """Every workflow in each order of the VIP scripts: the labs wait most of the time, so they run side by side."""
    pipe = subprocess.PIPE
    labs = {
        name: subprocess.Popen([*LAB, "--simulated", "--json", *options], stdout=pipe, stderr=pipe, text=True)
        for name, options in (*ORDERS.items(), ("mixed", MIXED))
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
    assert lines.count("Manual switchover: an operator asks for SIP_Server_2") == 1
    assert lines.count("Manual switchover: an operator asks for SIP_Server_1") == 1
    assert any(re.fullmatch(r" +\d+\.\d ms  event     requested SIP_Server_2", line) for line in lines)
    assert sum(line.strip() == "ok" for line in lines) == 2
    assert not any("WRONG" in line or "not seen" in line for line in lines)
    assert lines[-1].split()[:3] == ["manual", "2", "2"]


class DisobedientHost(SimulatedHost):
    """A host that never answers when it is told to enable the VIP, if its name is among these."""

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
    complaint = "the state prior to a switchover is not reached: the pair is redundant_1, the VIP enabling_1"
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


# The report


MEASURED = Measured(12.3456, 7, 0.5, 0.0, 20, "host2", "SIP_Server_2", frozenset({"host2"}))
STEPS = (PlayedStep(1, "the primary fails", 0.0), PlayedStep(2, "its host reports it", 1.23456))
GOOD = Outcome("failure", STEPS, MEASURED, ())


def test_an_outcome_is_good_only_if_every_step_was_seen_and_nothing_is_wrong():
    unseen = evolve(GOOD, steps=(STEPS[0], evolve(STEPS[1], at_ms=None)))
    wrong = evolve(GOOD, wrong=("the VIP is off, not held_2",))
    assert [outcome.ok for outcome in (GOOD, unseen, wrong)] == [True, False, False]
    assert step_line(unseen.steps[1]) == "    not seen  2. its host reports it"
    assert summary_lines(wrong)[-2:] == ["       WRONG  the VIP is off, not held_2", "      NOT OK"]


def test_the_lines_of_a_report():
    assert title("failure").splitlines() == ["Primary server failure", "----------------------"]
    assert [step_line(step) for step in STEPS] == [
        "      0.0 ms  1. the primary fails",
        "      1.2 ms  2. its host reports it",
    ]
    assert summary_lines(GOOD) == [
        "      client  outage 12.3 ms, 7 requests lost, answered at the end by SIP_Server_2",
        "         VIP  two reachable holders for 0.5 ms, none for 0.0 ms",
        "         ARP  20 gratuitous frames reached the client, whose cache points at host2",
        "          ok",
    ]
    nobody = summary_lines(evolve(GOOD, measured=evolve(MEASURED, arp_cache=None, answered_by=None)))
    assert nobody[0].endswith("answered at the end by nobody")
    assert nobody[2].endswith("whose cache points at nothing")


def test_an_outcome_for_programs():
    outcome = evolve(GOOD, steps=(*STEPS, PlayedStep(3, "and so on", None))).as_json()
    assert set(outcome) == KEYS
    assert [step["at_ms"] for step in outcome["steps"]] == [0.0, 1.235, None]
    assert (outcome["ok"], outcome["outage_ms"], outcome["lost"], outcome["arp_cache"]) == (False, 12.346, 7, "host2")


def test_the_table_has_the_median_of_several_runs_and_the_worst_in_brackets():
    runs = [evolve(GOOD, measured=evolve(MEASURED, outage_ms=outage, lost=2)) for outage in (3.0, 1.0, 200.0)]
    lines = table([*runs, Outcome("manual", STEPS, MEASURED, ("wrong",))])
    assert [re.split(r"\s{2,}", line.strip()) for line in lines] == [
        ["workflow", "runs", "ok", "outage ms", "lost", "two holders ms", "no holder ms", "GARPs"],
        ["-" * len(lines[0])],
        ["failure", "3", "3", "3 [200.0]", "2 [2.0]", "0.5 [0.5]", "0 [0.0]", "20 [20.0]"],
        ["manual", "1", "0", "12.3", "7", "0.5", "0", "20"],
    ]
    assert len({len(line) for line in lines}) == 1


# Real hosts


@pytest.fixture(autouse=True)
def _lab_possible(request: pytest.FixtureRequest) -> None:
    """Skip where the lab cannot run; fail instead where everything is expected to run."""
    if request.node.get_closest_marker("namespaces") is not None and (reason := namespaces.why_not()) is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def namespaces_by_name() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, timeout=30, check=True).stdout


def alive(token: str) -> list[str]:
    """The processes that have inherited a token in their environment, wherever they run."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            found += [process.parent.name] if token.encode() in process.read_bytes() else []
    return found


@contextmanager
def nothing_is_left() -> Iterator[dict[str, str]]:
    """Gives an environment for a lab, and sees afterwards that the machine is as it was before the lab."""
    token, before = secrets.token_hex(16), namespaces_by_name()
    yield os.environ | {"LAB_TEST_TOKEN": token}
    give_up = time.monotonic() + 20
    while alive(token) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert alive(token) == []
    assert namespaces_by_name() == before
    assert namespaces.lab_addresses() == []
    assert not namespaces.STATE.exists()


@pytest.mark.namespaces
@pytest.mark.parametrize(
    ("order", "workflows"), [("together", list(WORKFLOWS)), ("enable-first", ["manual", "failure"])]
)
def test_the_real_lab_shows_every_step_and_leaves_nothing_behind(order, workflows, tmp_path):
    """Real hosts, addresses, ARP and SIP. The detection time is generous: this machine may be busy."""
    kept = tmp_path / "kept"
    options = ["--json", "--order", order, "--detection-ms", "300", "--keep-logs", str(kept)]
    with nothing_is_left() as environment:
        done = subprocess.run(
            [*LAB, *workflows, *options],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env=environment,
        )
    assert (done.returncode, done.stderr) == (0, "")
    outcomes = json.loads(done.stdout)
    assert [outcome["workflow"] for outcome in outcomes] == workflows
    for outcome in outcomes:
        check_outcome(outcome)
    check_kept(kept)


def check_kept(kept: Path) -> None:
    """What is kept is enough to look into it, and the journal replays to the same commands."""
    names = {path.name for path in kept.iterdir()}
    assert {
        "agent.log",
        "lca-host1.log",
        "lca-host2.log",
        "host1-sip.log",
        "journal.sqlite",
        "switchover.toml",
    } <= names
    given = [entry.data for _, entry in read(kept / "journal.sqlite") if entry.kind == "command"]
    again = [
        command_entry(describe_command(found), found).data
        for _, _, commands in replay(kept / "journal.sqlite")
        for found in commands
    ]
    assert given == again != []


@contextmanager
def running_lab(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A real lab in the middle of its work, started as from a terminal."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*LAB, "--detection-ms", "300"], stdout=pipe, stderr=pipe, text=True, process_group=0, env=environment
    ) as lab:
        try:
            assert lab.stdout is not None
            assert lab.stdout.readline().startswith("switchover lab: real hosts, ")
            yield lab
        finally:
            lab.kill()


@pytest.mark.namespaces
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_however_a_running_lab_is_ended_nothing_of_it_remains(number, status):
    with nothing_is_left() as environment, running_lab(environment) as lab:
        assert len(alive(environment["LAB_TEST_TOKEN"])) > 8  # servers, LCAs, the agent, observers
        (os.killpg if number == signal.SIGINT else os.kill)(lab.pid, number)  # Ctrl-C reaches the whole group
        _, errors = lab.communicate(timeout=60)
        assert (lab.returncode, errors) == (status, "")
