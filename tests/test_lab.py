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
from switchover.agent.lab import namespaces, player, simulated_stage, voicemail
from switchover.agent.lab.calls import Call, Calls
from switchover.agent.lab.network import HOSTS
from switchover.agent.lab.player import REVERSE, playable
from switchover.agent.lab.report import Outcome, PlayedStep, step_line, summary_lines, table, title
from switchover.agent.lab.simulated_host import SimulatedHost
from switchover.agent.lab.stage import Measured
from switchover.fsm import EnableVip, HostCommand, VipOrder
from switchover.fsm.records import describe_command
from switchover.fsm.scenarios import SCENARIOS
from switchover.fsm.workflows import WORKFLOWS

LAB = (sys.executable, "-W", "error", "-m", "switchover.agent", "lab")
KEYS = {
    *("workflow", "ok", "steps", "outage_ms", "lost", "two_holders_ms", "no_holder_ms"),
    *("gratuitous_arps", "arp_cache", "scripts", "calls"),
}
CALL_KEYS = {"attempted", "failed", "retransmissions", "broken", "delayed", "first_success_ms"}
PATIENCE_S = 120


def check_outcome(outcome: dict[str, Any]) -> None:
    """All that holds of every good outcome, on whichever stage and in whichever order of the scripts."""
    documented = (WORKFLOWS | SCENARIOS)[outcome["workflow"].removeprefix(REVERSE)]
    assert set(outcome) == KEYS
    assert outcome["ok"] is True
    assert [(step["step"], step["text"]) for step in outcome["steps"]] == [(s.number, s.text) for s in documented.steps]
    assert all(set(step) == {"step", "text", "at_ms"} for step in outcome["steps"])
    times = [step["at_ms"] for step in outcome["steps"]]
    assert all(isinstance(at, float) for at in times)
    assert isinstance(outcome["lost"], int)
    assert all(outcome[key] >= 0 for key in ("outage_ms", "lost", "two_holders_ms", "no_holder_ms"))
    if documented.name in WORKFLOWS:  # in the scenarios, a step may take longer than the next one
        assert times == sorted(times)
        host = outcome["arp_cache"]
    else:
        host = HOSTS[bool(documented.scripts) is not outcome["workflow"].startswith(REVERSE)]
    assert outcome["arp_cache"] == host
    assert outcome["gratuitous_arps"] >= (10 if "enable_vip {new_host}" in documented.scripts else 0)
    names = {"new_host": host, "old_host": next(other for other in HOSTS if other != host)}
    wanted = [script.format(**names) for script in documented.scripts]
    assert outcome["scripts"] == {
        host: {script: wanted.count(f"{script} {host}") for script in ("enable_vip", "disable_vip")} for host in HOSTS
    }


# Simulated hosts


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


def test_the_scenarios_are_those_of_the_guide_and_those_of_a_primary_host_in_the_reverse_direction():
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
    monkeypatch.setattr("switchover.agent.lab.command.why_not", lambda: None)
    monkeypatch.setattr("switchover.agent.lab.command.why_no_voicemail", lambda: "calls need SIPp")
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


# The report


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


# Real hosts


@pytest.fixture(autouse=True)
def _lab_possible(request: pytest.FixtureRequest) -> None:
    """Skip where the lab cannot run; fail instead where everything is expected to run."""
    needed = request.node.get_closest_marker("namespaces")
    if needed is not None and (reason := namespaces.why_not() or voicemail.why_no_voicemail()) is not None:
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


def play_for_real(directory: Path, *arguments: str) -> tuple[int, str]:
    """A real lab that keeps its logs in a directory: its exit status, and what it printed."""
    with nothing_is_left() as environment:
        done = subprocess.run(
            [*LAB, *arguments, "--keep-logs", str(directory)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env=environment,
        )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.namespaces
@pytest.mark.parametrize(
    ("order", "workflows"), [("together", list(WORKFLOWS)), ("enable-first", ["manual", "failure"])]
)
def test_the_real_lab_shows_every_step_and_leaves_nothing_behind(order, workflows, tmp_path):
    """Real hosts, addresses, ARP and SIP. The detection time is generous: this machine may be busy."""
    kept = tmp_path / "kept"
    status, output = play_for_real(kept, *workflows, "--json", "--order", order, "--detection-ms", "300")
    outcomes = json.loads(output)
    assert (status, [outcome["workflow"] for outcome in outcomes]) == (0, workflows)
    for outcome in outcomes:
        check_outcome(outcome)
        assert outcome["calls"] is None
    check_kept(kept, "host1.log", "host2.log")


@pytest.mark.namespaces
def test_the_real_voicemail_lab_shows_every_scenario_and_no_call_fails(tmp_path):
    """Each scenario once, and two of them in the reverse direction, while 50 calls a second are made."""
    names = [*SCENARIOS, "reverse-rm", "reverse-host"]
    status, output = play_for_real(tmp_path, "voicemail", *names, "--json", "--detection-ms", "300")
    outcomes = json.loads(output)
    assert (status, [outcome["workflow"] for outcome in outcomes]) == (0, names)
    for outcome in outcomes:
        check_outcome(outcome)
        calls = outcome["calls"]
        assert set(calls) == CALL_KEYS
        assert calls["attempted"] > 40
        assert calls["failed"] == 0
        assert 0 <= calls["delayed"] <= calls["retransmissions"]
        assert calls["first_success_ms"] > 0
        media_died = outcome["workflow"].endswith(("host", "mcp")) and not outcome["workflow"].startswith("backup-")
        assert (0 < calls["broken"] < 40) if media_died else calls["broken"] == 0
    components = [f"{name}_{side}.log" for name in ("VM_SIP_Server", "VM_Server", "RM", "MCP") for side in (1, 2)]
    check_kept(tmp_path, *components, "Premise.log", "scs.log", "calls.log", "sipp.log")
    check_daemons(tmp_path)


def check_daemons(kept: Path) -> None:
    """Nothing strange has come to pass; that two hosts hold the VIP for a moment is what the order asks for."""
    lines = [line for name in ("agent", *(f"lca-{host}" for host in HOSTS)) for line in kept_lines(kept, f"{name}.log")]
    strange = [line for line in lines if " INFO " not in line and "claims the VIP, which is here" not in line]
    assert strange == []


def kept_lines(kept: Path, name: str) -> list[str]:
    return (kept / name).read_text().splitlines()


HARM = {
    "documented-literal": ("backup-rm", "--reactions", "literal"),
    "vip-on-monitored": ("backup-rm", "--reactions", "literal", "--wiring", "vip-on-monitored"),
    "documented": ("vm-sip-server",),
    "vip-on-vm-server": ("vm-sip-server", "--wiring", "vip-on-vm-server"),
}
"""The wiring of [S1] and the two that it warns of, each in a scenario that shows the difference."""


@pytest.fixture(scope="module")
def harm(tmp_path_factory) -> dict[str, tuple[int, list[str], list[tuple[str, str]]]]:
    """Exit status, report, and the journal's lines. What is compared does not depend on time: they run side by side."""
    directory, pipe = tmp_path_factory.mktemp("harm"), subprocess.PIPE
    labs = {
        name: subprocess.Popen(
            [*LAB, "voicemail", *arguments, "--detection-ms", "2000", "--keep-logs", str(directory / name)],
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        for name, arguments in HARM.items()
    }
    found = {}
    for name, lab in labs.items():
        output, errors = lab.communicate(timeout=PATIENCE_S)
        assert errors == ""
        journal = [(entry.kind, entry.text) for _, entry in read(directory / name / "journal.sqlite")]
        found[name] = (lab.returncode, output.splitlines(), journal)
    return found


def reported(lines: list[str], word: str) -> list[str]:
    """What the report says under a word of its margin."""
    return [line.split(maxsplit=1)[1] for line in lines if re.match(rf" +{word}  ", line)]


@pytest.mark.namespaces
def test_scripts_that_hang_on_monitored_components_run_for_nothing(harm):
    """A Resource Manager fails on the host that serves nobody, and the VIP scripts run all the same."""
    status, lines, _ = harm["documented-literal"]
    assert (status, reported(lines, "scripts"), reported(lines, "WRONG")) == (0, ["none ran"], [])
    status, lines, journal = harm["vip-on-monitored"]
    assert (status, sum(line.strip() == "NOT OK" for line in lines)) == (1, 1)
    assert reported(lines, "scripts") == ["ran enable_vip on host1: 1, disable_vip on host2: 1"]
    assert reported(lines, "WRONG") == [
        "disable_vip on host2 ran once, documented is never",
        "enable_vip on host1 ran once, documented is never",
    ]
    after = journal[journal.index(("event", "reported RM_2 down")) :]
    assert {("event", "done enable_vip host1"), ("event", "done disable_vip host2")} < set(after)


@pytest.mark.namespaces
def test_scripts_that_hang_on_the_vm_server_come_two_control_commands_later(harm):
    """Until the VM Server has been switched, too, the SIP port of the new primary is not bound to the VIP."""
    assert (harm["documented"][0], waited_for(harm["documented"][2])) == (0, [])
    status, lines, journal = harm["vip-on-vm-server"]
    assert (status, waited_for(journal)) == (1, ["done demote VM_Server_1", "done promote VM_Server_2"])
    unseen = [line.split("not seen")[1].strip() for line in lines if "not seen" in line]
    assert unseen == ["2. the VIP is enabled on the other host", "3. the VIP is disabled on the host that was primary"]
    assert reported(lines, "WRONG") == []  # late, but in the end all is as it should be
    assert sum(line.strip() == "NOT OK" for line in lines) == 1


def waited_for(journal: list[tuple[str, str]]) -> list[str]:
    """The control commands that were carried out between the takeover by VM_SIP_Server_2 and the order for the VIP."""
    fault = journal.index(("event", "reported VM_SIP_Server_1 down"))
    primary = journal.index(("event", "done promote VM_SIP_Server_2"), fault)
    ordered = journal.index(("command", "enable_vip host2"), primary)
    return [text for kind, text in journal[primary + 1 : ordered] if kind == "event" and text.startswith("done ")]


def check_kept(kept: Path, *logs: str) -> None:
    """What is kept is enough to look into it, and the journal replays to the same commands."""
    daemons = {"agent.log", "lca-host1.log", "lca-host2.log", "journal.sqlite", "switchover.toml"}
    assert daemons | set(logs) <= {path.name for path in kept.iterdir()}
    given = [entry.data for _, entry in read(kept / "journal.sqlite") if entry.kind == "command"]
    again = [
        command_entry(describe_command(found), found).data
        for handled in replay(kept / "journal.sqlite")
        for found in handled.commands
    ]
    assert given == again != []


@contextmanager
def running_lab(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A real lab in the middle of its work, started as from a terminal."""
    pipe = subprocess.PIPE
    command = [*LAB, *arguments, "--detection-ms", "300"]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, process_group=0, env=environment) as lab:
        try:
            assert lab.stdout is not None
            assert lab.stdout.readline().startswith("switchover lab: ")
            while not re.match(r" +\d", lab.stdout.readline()):  # the first thing that came of the first fault
                assert lab.poll() is None
            yield lab
        finally:
            lab.kill()


@pytest.mark.namespaces
@pytest.mark.parametrize("arguments", [(), ("voicemail", "host")], ids=["sip", "voicemail"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_however_a_running_lab_is_ended_nothing_of_it_remains(number, status, arguments):
    with nothing_is_left() as environment, running_lab(environment, *arguments) as lab:
        assert len(alive(environment["LAB_TEST_TOKEN"])) > 8  # servers, LCAs, the agent, observers, callers
        (os.killpg if number == signal.SIGINT else os.kill)(lab.pid, number)  # Ctrl-C reaches the whole group
        _, errors = lab.communicate(timeout=60)
        assert (lab.returncode, errors) == (status, "")
