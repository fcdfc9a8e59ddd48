"""A namespace in which the daemons run as real processes: keys, a configuration, an application, signals."""

# ruff: noqa: S603, S607  # the commands are our own

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field
from switchover.agent.controller.operator_client import ask
from switchover.agent.history.journal import read
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.drivers.link.keys import make_keys

HOSTS = ("host1", "host2")
A1, A2 = "SIP_Server_1", "SIP_Server_2"
VIP = ("198.51.100.10/24", "2001:db8::10/64")
COMMAND = (sys.executable, "-W", "error", "-m", "switchover.agent")
PATIENCE_S = 60
READY = {"agent": "the agent is ready", "lca": "the LCA is ready", "page": "the live page is at"}


@define(eq=False)
class Site:
    """A namespace in which the agent and the LCA of host1 can run; host2 is never heard."""

    namespace: Any
    directory: Path
    processes: list[subprocess.Popen[str]] = field(factory=list)

    @property
    def file(self) -> Path:
        return self.directory / "switchover.toml"

    @property
    def socket(self) -> Path:
        return self.directory / "state" / "agent.sock"

    def configure(self) -> None:
        mode = self.directory / "mode"
        here = (A1, self.directory / "pid", *(("sh", "-c", f"echo {to} > {mode}") for to in ("primary", "backup")))
        there = (A2, self.directory / "nothing", ("false",), ("false",), ("false",))
        members = [(*here, ("cat", str(mode))), there]
        settings = LabSettings(detection_ms=500)  # generous, so that a busy machine loses no host
        hosts = ["198.51.100.1", "198.51.100.2"]
        self.file.write_text(configuration_text(self.directory / "state", settings, VIP, hosts, members))
        make_keys(self.directory / "state" / "keys", HOSTS)

    def configure_start_and_stop(self) -> None:
        """As `configure`; the application of host1 can be started and stopped, the start of the other one fails."""
        self.configure()
        mode, pid = self.directory / "mode", self.directory / "pid"
        serve = f"echo $$ > {pid}; exec sleep 1000"
        start = f"echo backup > {mode}; setsid sh -c '{serve}' < /dev/null > /dev/null 2>&1 &"
        keys = f"start = {json.dumps(['sh', '-c', start])}\nstop = {json.dumps(['sh', '-c', f'kill $(cat {pid})'])}\n"
        place = f'host = "{HOSTS[0]}"\n'
        text = self.file.read_text()
        assert text.count(place) == 1
        self.file.write_text(text.replace(place, place + keys))

    def run_application(self) -> None:
        application = subprocess.Popen(["sleep", "1000"], text=True)
        self.processes.append(application)
        (self.directory / "mode").write_text("backup\n")
        (self.directory / "pid").write_text(f"{application.pid}\n")

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a daemon that ends by itself; return its exit status and its output."""
        argv = [*COMMAND, *arguments, "-c", str(self.file)]
        done = self.namespace.call(
            lambda: subprocess.run(
                argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S, check=False
            )
        )
        return done.returncode, done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a daemon and wait until it is ready."""
        argv = [*COMMAND, *arguments, "-c", str(self.file)]
        daemon = self.namespace.call(lambda: subprocess.Popen(argv, stderr=subprocess.PIPE, text=True))
        self.processes.append(daemon)
        output = []
        while line := daemon.stderr.readline():
            output.append(line)
            if READY[arguments[0]] in line:
                return daemon
        raise AssertionError("".join(output))

    def held(self) -> set[str]:
        """The addresses of the VIP that are on eth0."""
        shown = json.loads(self.namespace.ip("-json addr show dev eth0"))
        return {f"{entry['local']}/{entry['prefixlen']}" for entry in shown[0].get("addr_info", [])} & set(VIP)

    def hold(self) -> None:
        for address in VIP:
            self.namespace.ip(f"addr add {address} dev eth0{' nodad' if ':' in address else ''}")

    def states(self) -> tuple[str, str, str]:
        status = ask(self.socket, {"do": "status"})["status"]
        return status["hosts"][0]["link"], status["pairs"][0]["state"], status["vip"]["state"]

    def events(self) -> list[str]:
        return [entry.text for _, entry in read(self.directory / "state" / "journal.sqlite") if entry.kind == "event"]

    def end(self) -> None:
        """Kill all processes that still run."""
        for process in self.processes:
            process.kill()
            process.communicate()
        with contextlib.suppress(OSError, ValueError):  # an application that its start command started
            os.kill(int((self.directory / "pid").read_text()), signal.SIGKILL)


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "the condition never became true"
        time.sleep(0.02)


def ended(daemon: subprocess.Popen[str], number: signal.Signals) -> tuple[int, list[str]]:
    """Send a signal to a daemon; return its exit status and the lines on stderr that are not log lines."""
    daemon.send_signal(number)
    _, errors = daemon.communicate(timeout=PATIENCE_S)
    log_line = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} (INFO|WARNING) switchover")
    return daemon.returncode, [line for line in errors.splitlines() if not log_line.match(line)]
