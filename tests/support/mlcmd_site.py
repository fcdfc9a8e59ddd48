"""A site where mlcmd reports and changes the modes of a pair, with a real process in mlcmd's place.

Nothing stands in for the driver; `mlcmd_stand_in.py` stands in for the vendor's program. Runs of it take turns
(`flock`), because they keep their state in one file.
"""

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from switchover.agent.controller import mlcmd_connection
from switchover.drivers.control.mlcmd import Mlcmd, MlcmdSettings
from switchover.fsm import Mode

PASSWORD = "xyzzy's $HOME"  # noqa: S105 - the stand-in's
STATUS, SWITCHOVER = "-getappstatus", "-switchover"
AMPLE_MS, SHORT_MS = 20_000, 1_000
H1, H2 = "host1", "host2"
A1, A2, RM = "SIP_Server_1", "SIP_Server_2", "RM_1"
P, B, D, UP = Mode.PRIMARY, Mode.BACKUP, Mode.DOWN, Mode.UP
DBIDS = {A1: 101, A2: 102}

Eventually = Callable[[Callable[[], object]], Coroutine[Any, Any, None]]


class Site:
    """A directory of the stand-in, with a pair of applications of which the first one is primary."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.password_file = directory / "password"
        self.password_file.touch(0o600)
        self.password_file.write_text(f"{PASSWORD}\n")
        self.program = ("flock", str(directory / "turn"), sys.executable, "-I", "-S")
        self.program += (str(Path(__file__).with_name("mlcmd_stand_in.py")),)
        self.is_primary(A1)

    def is_primary(self, name: str, others: str = "backup", **behaviour: list[str]) -> None:
        """Make it primary from outside, and set how runs of `status` and `switchover` behave."""
        operations = {"status": STATUS, "switchover": SWITCHOVER}
        behaves = {operations[what]: how for what, how in behaviour.items()}
        applications = [
            {
                "dbid": DBIDS[each],
                "name": each,
                "mode": "primary" if each == name else others,
                "peer": 203 - DBIDS[each],
            }
            for each in (A1, A2)
        ]
        state = {"password": PASSWORD, "applications": applications, "behaviour": behaves, "due": None}
        with self.nobody_runs():
            (self.directory / "state.json").write_text(json.dumps(state))

    @contextlib.contextmanager
    def nobody_runs(self):
        with (self.directory / "turn").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield

    def mlcmd(self, **changes: Any) -> Mlcmd:
        login: dict[str, Any] = {"cshost": "config.example", "csport": 2020, "csuser": "x", "csappname": "default"}
        return Mlcmd(
            MlcmdSettings(**{**login, "program": self.program, "password_file": self.password_file, **changes})
        )

    def runs(self) -> list[str]:
        """The operation and the application of each run, in their order."""
        log = self.directory / "runs"
        lines = log.read_text().splitlines() if log.exists() else []
        return [" ".join(json.loads(line)["argv"][-2:]) for line in lines]

    def operations(self) -> list[str]:
        return [run for run in self.runs() if not run.startswith(STATUS)]


def site_of(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose stand-in keeps its state in this directory, and is asked again after a short delay."""
    monkeypatch.setenv("MLCMD_STAND_IN", str(directory))
    monkeypatch.setattr(mlcmd_connection, "ASK_AGAIN_S", 0.2)
    return Site(directory)


def no_child_is_left() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False
