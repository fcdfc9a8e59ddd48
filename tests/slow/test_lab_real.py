"""`switchover lab` on real hosts: it shows every documented step, and leaves nothing behind."""

# ruff: noqa: S603, S607  # the commands are our own, and the system's

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.lab_outcomes import LAB, PATIENCE_S, check_outcome
from support.lab_possible import need_lab_if_marked
from switchover.agent.history.journal import command_entry, read, replay
from switchover.agent.lab.network import namespaces
from switchover.agent.lab.network.segment import HOSTS
from switchover.agent.lab.programs import voicemail
from switchover.fsm.documented.scenarios import SCENARIOS
from switchover.fsm.documented.workflows import WORKFLOWS
from switchover.fsm.records import describe_command

CALL_KEYS = {"attempted", "failed", "retransmissions", "broken", "delayed", "first_success_ms"}


@pytest.fixture(autouse=True)
def _lab_possible(request: pytest.FixtureRequest) -> None:
    need_lab_if_marked(request, lambda: namespaces.why_not() or voicemail.why_no_voicemail())


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
    strange = [line for line in lines if " INFO " not in line and "two hosts hold the VIP" not in line]
    assert strange == []


def kept_lines(kept: Path, name: str) -> list[str]:
    return (kept / name).read_text().splitlines()


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
