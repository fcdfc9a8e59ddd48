"""`switchover status --watch`: the overview in a terminal, also while the agent does not answer."""

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from rich.console import Console
from support.example_status import STATUS, with_hosts
from support.page_stage import PATIENCE_S, PageStage
from switchover.agent.cli import main as cli
from switchover.agent.explain import watch
from switchover.agent.explain.overview import overview
from switchover.agent.explain.watch import Answer, asked, picture

INCIDENT = {
    "id": 262,
    "began": "2026-01-02T03:04:05.678Z",
    "cause": "SIP_Server_1: it failed",
    "outcome": "SIP Server: host1 -> host2",
    "is_over": True,
    "phases": {},
}


def shown(answer: Answer, now: float, **options: Any) -> str:
    """The text on the terminal, without blanks at the ends of lines."""
    console = Console(file=io.StringIO(), width=110, force_terminal=bool(options), **options)
    console.print(picture(answer, now))
    return re.sub(r" +$", "", console.file.getvalue(), flags=re.MULTILINE)


def test_the_overview_of_a_degraded_solution():
    status = with_hosts(("connected", 20.0), ("connected", 30.0))
    assert (
        shown(Answer(overview(status, 300), (INCIDENT,), 100.0), 100.25)
        == """\
lab   ✓  as it should be: every primary is on host1, and every component has a backup
the agent was heard 250 ms ago

                                                               host1                      host2
                                                               heard 20 ms ago            heard 30 ms ago
link to the LCA     ✓  both hosts are heard                 ✓  connected               ✓  connected
VIP                 ✓  on host1                             ✓  holds it                ✓  does not hold it
198.51.100.10/24
SIP Server          ✓  primary on host1, backup on host2    ✓  primary SIP_Server_1    ✓  backup SIP_Server_2
RM                  ✓  up on both hosts                     ✓  up RM_1                 ✓  up RM_2

redundancy   ✓  every component has a backup
placement    ✓  every primary is on host1
pending: announce_vip host1
alarm active: SIP_Server_1 primary

incidents, the latest first
    262  2026-01-02T03:04:05.678Z  SIP_Server_1: it failed
         SIP Server: host1 -> host2
Ctrl-C ends this
"""
    )


def test_an_old_answer_makes_everything_unknown():
    answer = Answer(overview(STATUS, 300), (INCIDENT | {"is_over": False},), 100.0, "no agent answers at /x")
    late = shown(answer, 103.5)
    assert late.splitlines()[:2] == [
        "lab   ?  the agent does not answer",
        "the agent was heard 3.5 s ago; no agent answers at /x",
    ]
    assert not re.search("✓|→|!", late)
    assert late.count("?  unknown") == 4 * 3 + 2
    assert "unknown whether it goes on" in late
    assert "under way" not in late
    assert "✓" in shown(answer, 102.9)


def test_an_agent_that_never_answered_is_shown_as_such():
    assert (
        shown(Answer(trouble="no agent answers at /x"), 5.0)
        == " ?  the agent does not answer\nno agent answers at /x\n"
    )


def test_without_colours_the_text_is_the_same(monkeypatch):
    answer = Answer(overview(with_hosts(("silent", 400.0), ("connected", 1.0)), 300), (INCIDENT,), 100.0)
    coloured = shown(answer, 100.0, color_system="truecolor")
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(answer, 100.0, color_system="truecolor")
    assert re.search(r"\x1b\[[0-9;]*3[0-9]m", coloured)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", plain)
    strip = re.compile(r"\x1b\[[0-9;]*m")
    bare = [re.sub(r" +$", "", strip.sub("", text), flags=re.MULTILINE) for text in (plain, coloured)]
    assert bare[0] == bare[1]


def test_the_last_answer_is_kept_when_the_agent_stops_answering(tmp_path: Path):
    with PageStage(tmp_path) as stage:
        configuration = stage.agent.configuration
        answer = asked(configuration, Answer())
    assert answer.seen is not None
    assert (answer.seen.whole.mark, answer.trouble) == ("fine", "")
    later = asked(configuration, answer)
    assert evolve(later, trouble="") == answer
    assert later.trouble.startswith(f"no agent answers at {configuration.agent.socket} (")


class Terminal:
    """The command in a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        command = [sys.executable, "-m", "switchover.agent", *arguments]
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)  # noqa: S603
        os.close(slave)
        self.text = ""

    def until(self, pattern: str) -> None:
        """Read until this is shown."""
        give_up = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.text):
            assert time.monotonic() < give_up, self.text
            if select.select([self._master], [], [], 0.1)[0]:
                self.text += os.read(self._master, 65536).decode(errors="replace")

    def end(self) -> int:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.until(re.escape("\x1b[?1049l"))  # the terminal is restored
        os.close(self._master)
        return self.process.wait(PATIENCE_S)


def test_in_a_real_terminal_it_follows_the_agent_and_ends_quietly(tmp_path: Path):
    with PageStage(tmp_path) as stage:
        terminal = Terminal("status", "--watch", "-c", str(tmp_path / "switchover.toml"))
        terminal.until("as it should be")
        stage.run(stage.stage.crash("SIP_Server_1"))
        terminal.until("no redundancy: primary on host2, down on host1")
    terminal.until("the agent does not answer")
    assert terminal.end() == 0
    assert "Traceback" not in terminal.text


def test_a_missing_package_is_named(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "switchover.agent.explain.watch")
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert cli.main(["status", "--watch"]) == 2
    assert capsys.readouterr().err == "switchover: this needs rich.console: pip install 'switchover[terminal]'\n"


def test_without_a_terminal_watching_is_refused(capsys):
    assert cli.main(["status", "--watch"]) == 2
    assert capsys.readouterr().err == "switchover: --watch needs a terminal; without one use `switchover status`\n"
    assert watch.STALE_S > watch.EVERY_S


def test_watching_and_json_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        cli.main(["status", "--watch", "--json"])
    assert "not allowed with argument" in capsys.readouterr().err
