"""The fence round the lab: nothing of it gets out, and however it is ended, nothing of it remains.

Each scenario runs inside of a lab of its own, for which this file is the program (`lab_program`).
"""

# ruff: noqa: S603, S607  # the commands are constant, and the system's own

import asyncio
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

import pytest
from support import as_program
from support.lab_possible import need_lab_if_marked
from support.lab_program import main, program
from switchover.agent.lab.network import namespaces
from switchover.agent.lab.network.segment import Network


@pytest.fixture(autouse=True)
def _lab_possible(request: pytest.FixtureRequest) -> None:
    need_lab_if_marked(request, namespaces.why_not)


def test_no_network_is_built_in_the_machines_own_namespace() -> None:
    with pytest.raises(namespaces.LabError, match="never in the machine's"):
        asyncio.run(Network().build())
    with pytest.raises(namespaces.LabError, match="only made inside"):
        namespaces.prepare()


async def scenario_wait(net: Network, token: str) -> None:
    """Run, with a process in a namespace that can be recognised from outside, until it is stopped."""
    await net.spawn("host1", [sys.executable, "-c", "import time; time.sleep(60)", token])
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("tidied up", flush=True)


async def scenario_status(_net: Network, status: str) -> None:
    """End with a status."""
    raise SystemExit(int(status))


@contextmanager
def _waiting_lab(*prefix: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A lab that is up and waits, started as from a terminal, and the token by which its processes are known."""
    token = secrets.token_hex(16)
    command = [*prefix, *program(scenario_wait, token)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, process_group=0) as outside:
        try:
            assert outside.stdout is not None
            assert outside.stdout.readline() == "ready\n"
            yield outside, token
        finally:
            outside.kill()


def _alive(token: str) -> list[str]:
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [process.parent.name] if token.encode() in process.read_bytes() else []
    return found


def _all_gone(token: str) -> bool:
    deadline = time.monotonic() + 10
    while _alive(token) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _alive(token)


@pytest.mark.namespaces
@pytest.mark.parametrize(
    ("number", "status", "output"),
    [
        (signal.SIGINT, 130, "tidied up\n"),
        (signal.SIGTERM, 143, "tidied up\n"),
        (signal.SIGHUP, 129, "tidied up\n"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_however_the_lab_is_ended_nothing_of_it_remains(number: int, status: int, output: str) -> None:
    with _waiting_lab() as (outside, token):
        assert len(_alive(token)) >= 3
        # Ctrl-C reaches the whole process group in the foreground, the other signals one process
        (os.killpg if number == signal.SIGINT else os.kill)(outside.pid, number)
        assert outside.communicate(timeout=30) == (output, "")
        assert outside.returncode == status
        assert _all_gone(token)
    assert namespaces.lab_addresses() == []


@pytest.mark.namespaces
@pytest.mark.parametrize("status", [0, 7])
def test_the_exit_status_is_passed_on(status: int) -> None:
    done = subprocess.run(program(scenario_status, str(status)), capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.namespaces
def test_a_killed_inside_takes_everything_with_it() -> None:
    """What the kernel does when memory runs out, for one."""
    with _waiting_lab() as (outside, token):
        statuses = {pid: Path(f"/proc/{pid}/status").read_text() for pid in _alive(token)}
        (first,) = [int(pid) for pid, text in statuses.items() if re.search(r"^NSpid:.*\t1$", text, re.MULTILINE)]
        os.kill(first, signal.SIGKILL)
        outside.communicate(timeout=30)
        assert outside.returncode in (128 + signal.SIGKILL, 1)  # unshare of util-linux 2.38 loses the signal
        assert _all_gone(token)


async def scenario_stubborn(_net: Network) -> None:
    """Take no notice of the first signal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("ready", flush=True)
    await asyncio.sleep(60)


@pytest.mark.namespaces
def test_a_second_signal_kills_a_lab_that_does_not_end() -> None:
    with subprocess.Popen(program(scenario_stubborn), stdout=subprocess.PIPE, text=True) as outside:
        assert outside.stdout is not None
        assert outside.stdout.readline() == "ready\n"
        outside.send_signal(signal.SIGTERM)
        time.sleep(0.1)  # two signals at once may be taken as one
        outside.send_signal(signal.SIGTERM)
        assert outside.wait(timeout=30) == 143


@pytest.mark.namespaces
def test_an_address_of_the_lab_that_shows_up_outside_kills_the_lab() -> None:
    """The "machine's own" namespace is one more that is made for this test; it is checked before it is touched."""
    with _waiting_lab("unshare", "--net") as (outside, token):
        assert os.readlink(f"/proc/{outside.pid}/ns/net") != namespaces.network_namespace()
        add = ["ip", "address", "add", "198.51.100.77/24", "dev", "lo"]
        subprocess.run(["nsenter", f"--net=/proc/{outside.pid}/ns/net", *add], check=True, timeout=10)
        output, errors = outside.communicate(timeout=30)
        assert (outside.returncode, output) == (3, "")
        assert errors.startswith("198.51.100.77 is an address of the lab's networks that showed up on this machine")
        assert _all_gone(token)


@pytest.mark.namespaces
def test_a_machine_that_uses_such_an_address_is_refused() -> None:
    stray = as_program.command(__file__, "outside", with_stray_address.__name__, namespaces.network_namespace())
    done = subprocess.run(["unshare", "--net", *stray], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("2001:db8::77 is an address of the lab's networks that this machine has")


def test_the_lab_says_why_it_cannot_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert namespaces.why_not() == "the lab needs root to make network namespaces: run it with sudo"


def with_stray_address(machine: str) -> None:
    assert namespaces.network_namespace() != machine
    subprocess.run(["ip", "address", "add", "2001:db8::77/64", "dev", "lo"], check=True, timeout=10)
    namespaces.enter(["true"])


if __name__ == "__main__":
    main(globals(), *sys.argv[1:])
