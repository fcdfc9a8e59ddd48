"""An application of an LCA's host: a real process, its control program, and an LCA that is configured for it."""

import contextlib
import os
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve
from switchover.agent.configuration.load import Configuration
from switchover.agent.configuration.settings import PairKind
from switchover.fsm import Mode

from support.lca_at_work import A1, A2, Scenario, configuration_of, run_with_lca

LOOKS_MS = 60_000
"""How long a regular look may take: longer than any test waits."""

KINDS = pytest.mark.parametrize(("kind", "mode"), [(PairKind.REDUNDANT, Mode.BACKUP), (PairKind.MONITORED, Mode.UP)])

CONTROL = """\
#!/bin/sh
# The application's control program. Its arguments go to `calls`; the files `broken`, `lying` and `slow` spoil it.
cd "$(dirname "$0")" || exit 9
echo "$1" >> calls
die() { kill -9 "$(cat pid)"; while grep -qs ") [^ZX]" "/proc/$(cat pid)/stat"; do sleep 0.01; done; }
if [ "$1" = status ]; then cat mode; exit; fi
if [ "$1" = alive ]; then
    while [ -e hanging ]; do sleep 0.05; done
    [ -e pid ] && state=$(cut -d " " -f 3 "/proc/$(cat pid)/stat") && [ "$state" != Z ] && cat mode; exit
fi
while [ -e slow ]; do sleep 0.05; done
if [ -e broken ]; then echo "no licence"; exit 3; fi
if [ -e lying ]; then exit 0; fi
case "$1" in
    start) echo backup > mode; sleep 1000 > /dev/null 2>&1 & echo $! > pid ;;
    stop) die ;;
    *) echo "$1" > mode ;;
esac
"""


@define(eq=False)
class Application:
    """A real process with its pidfile, and a control program that keeps the mode in a file."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def __attrs_post_init__(self) -> None:
        self.directory.mkdir()
        self.control.write_text(CONTROL)
        self.control.chmod(self.control.stat().st_mode | stat.S_IXUSR)

    @property
    def control(self) -> Path:
        return self.directory / "control"

    def run(self, mode: str = "backup") -> None:
        self.process = subprocess.Popen(["sleep", "1000"])  # noqa: S607  # from PATH
        self.set_status(mode)
        (self.directory / "pid").write_text(f"{self.process.pid}\n")

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def spoil(self, how: str) -> None:
        (self.directory / how).touch()

    def set_status(self, what: str) -> None:
        (self.directory / "mode").write_text(f"{what}\n")

    def calls(self, *, status: bool = False) -> list[str]:
        path = self.directory / "calls"
        calls = path.read_text().split() if path.exists() else []
        return [call for call in calls if status or call not in ("status", "alive")]

    def __enter__(self) -> "Application":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        elif (pid := self.directory / "pid").exists():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid.read_text()), signal.SIGKILL)


def configuration(
    directory: Path, application: Application, *, kind: PairKind = PairKind.REDUNDANT, **changes: Any
) -> Configuration:
    """A pair of this kind, with `changes` in the application's member."""
    control = str(application.control)
    here = (A1, application.directory / "pid", (control, "primary"), (control, "backup"), (control, "status"))
    there = (A2, directory / "nothing.pid", ("false",), ("false",), ("false",))
    loaded = configuration_of(directory, here, there)
    (pair,) = loaded.pairs
    member = evolve(pair.members[0], start=(control, "start"), stop=(control, "stop"))
    pairs = (evolve(pair, kind=kind, members=(evolve(member, **changes), pair.members[1])),)
    return evolve(loaded, pairs=pairs, solution=evolve(loaded.solution, command_deadline_ms=LOOKS_MS))


def by_status(application: Application) -> dict[str, Any]:
    """The configuration of an application without a pidfile."""
    return {"pidfile": None, "status": (str(application.control), "alive"), "look_every_ms": 50}


def run_with_application(
    directory: Path, application: Application, namespace, scenario: Scenario, **changes: Any
) -> None:
    """Run a scenario in a namespace, with an LCA of the application's host: see `configuration` and `run_with_lca`."""
    run_with_lca(configuration(directory, application, **changes), namespace, scenario)
