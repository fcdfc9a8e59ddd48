"""The real command, typed: in a process of its own, with its output and its exit status."""

# ruff: noqa: S603  # the commands are our own

import json
import subprocess
import sys
from pathlib import Path

from switchover.agent.lab.settings import LabSettings, configuration_text

H1, H2 = "host1", "host2"
A1, A2 = "SIP_Server_1", "SIP_Server_2"
VIP = ("198.51.100.10/24", "2001:db8::10/64")
COMMAND = (sys.executable, "-W", "error", "-m", "switchover.agent")


def run(*arguments: object, directory: Path | None = None) -> tuple[int, str, str]:
    """Run a command to its end: its exit status, standard output and standard error."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, cwd=directory
    )
    return done.returncode, done.stdout, done.stderr


def one_line(text: str) -> str:
    """The only line of a text."""
    (line,) = text.splitlines()
    return line


def sound_file(directory: Path) -> Path:
    """A sound configuration in which everything is below the directory."""
    members = [(name, directory / f"{name}.pid", ("true",), ("true",), ("true",)) for name in (A1, A2)]
    file = directory / "switchover.toml"
    hosts = ["198.51.100.1", "198.51.100.2"]
    file.write_text(configuration_text(directory / "state", LabSettings(), VIP, hosts, members))
    return file


def spooled(file: Path) -> list[tuple[str, str]]:
    """The messages that wait for an agent."""
    files = sorted((file.parent / "state" / "spool").glob("*"))
    return [(message["event"], message["application"]) for message in (json.loads(f.read_text()) for f in files)]
