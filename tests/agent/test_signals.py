"""The signals that daemons take, and what their child processes inherit; with real processes."""

import os
import signal
from pathlib import Path

import pytest
from support.daemon_site import ended, until
from support.ports import free_port

HANGUP_IGNORED = "SIGHUP is ignored: a daemon does not read its configuration again; restart it to use a changed one"


@pytest.fixture
def daemons(site):
    """Starts one of each kind of daemon at its site."""

    def start(*arguments: str):
        site.configure()
        site.run_application()
        if arguments[0] == "page":
            with site.file.open("a") as file:
                file.write(f"[page]\nport = {free_port()}\n")
        return site.start(*arguments)

    return start


@pytest.mark.parametrize("arguments", [("agent",), ("lca", "host1"), ("page",)], ids=lambda arguments: arguments[0])
def test_a_hangup_ends_no_daemon_and_is_logged(daemons, arguments):
    """systemd counts an end by SIGHUP as a clean one, and would not start the daemon again."""
    daemon = daemons(*arguments)
    for _ in range(2):
        daemon.send_signal(signal.SIGHUP)
        line = daemon.stderr.readline()
        while HANGUP_IGNORED not in line:
            assert line, "the daemon ended"
            line = daemon.stderr.readline()
    assert daemon.poll() is None
    assert ended(daemon, signal.SIGTERM) == (0, [])


@pytest.fixture
def component(site) -> int:
    """A component that an LCA has started, by its process id."""
    site.configure_start_and_stop()
    lca = site.start("lca", "host1")
    assert os.sched_getscheduler(lca.pid) == os.SCHED_RR
    site.start("agent")
    until(lambda: site.states()[0] == "connected")
    assert site.run("start", "SIP_Server_1")[0] == 0
    until((site.directory / "pid").exists)
    until(lambda: (site.directory / "pid").read_text())
    return int((site.directory / "pid").read_text())


def test_a_component_that_an_lca_starts_is_an_ordinary_process(component):
    assert os.sched_getscheduler(component) == os.SCHED_OTHER


def test_a_component_that_an_lca_starts_does_not_ignore_a_hangup(component):
    """An ignored signal would be inherited by every control command, and by the components that these start."""
    status = Path(f"/proc/{component}/status").read_text()
    ignored = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")), 16)
    assert not ignored & 1 << signal.SIGHUP - 1
