"""Progress: a bar or a line for a person at a terminal, nothing otherwise, and nothing that remains."""

import fcntl
import importlib.util
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from switchover.agent.lab.settings import LabSettings, configuration_text

A1, A2 = "SIP_Server_1", "SIP_Server_2"
ERASE = "\r\x1b[K"

WORK = """
import importlib.util, sys, types
from switchover.agent.cli import progress
progress.time = types.SimpleNamespace(monotonic=lambda: 5.0)
progress.QUIET_FOR_S = progress.AT_MOST_EVERY_S = {quiet_s}
if {without_rich}:
    find_spec = importlib.util.find_spec
    importlib.util.find_spec = lambda name: None if name == "rich" else find_spec(name)
bar = progress.progress("lab", {whole})
bar.at(7, "a failure")
bar.print("for good")
bar.at(8, "x" * 200)
bar.close()
"""


def at_terminal(code: str, columns: int = 60, **environment: str) -> str:
    """The output of a program on a terminal of its own with this many columns."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execve(  # noqa: S606
            sys.executable,
            [sys.executable, "-W", "error", "-c", code],
            {**os.environ, "TERM": "xterm", "COLUMNS": "", **environment},
        )
    output = b""
    try:
        while data := os.read(terminal, 65536):
            output += data
    except OSError:  # the program has ended
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, output
    return output.decode()


def work(*, whole: int | None = 20, without_rich: bool = False, quiet_s: float = 0) -> str:
    return WORK.format(whole=whole, without_rich=without_rich, quiet_s=quiet_s)


def test_without_rich_it_is_a_line_that_is_overwritten():
    cut = f"lab: 8 of 20, 0 s: {'x' * 200}"[:59]
    shown = f"{ERASE}lab: 7 of 20, 0 s: a failure{ERASE}for good\r\n{ERASE}{cut}{ERASE}"
    assert at_terminal(work(without_rich=True)) == shown
    assert at_terminal(work(whole=None, without_rich=True)).startswith(f"{ERASE}lab: 0 s: a failure{ERASE}")


def plain(shown: str) -> list[str]:
    """The successive contents of the line, without colours."""
    return [re.sub(r"\x1b\[[0-9;]*m", "", each).strip() for each in shown.split(ERASE)]


def test_with_rich_it_is_a_bar_that_fits_into_the_line():
    shown = at_terminal(work())
    assert "\x1b[" in shown.replace(ERASE, "")
    first, second = "━" * 8 + "╺" + "━" * 15, "━" * 9 + "╸" + "━" * 14
    assert plain(shown) == [
        *("", f"lab {first} 7 of 20, 0 s a failure"),
        "for good",
        *(f"lab {second} 8 of 20, 0 s {'x' * 16}…", ""),
    ]
    assert max(len(line) for line in plain(shown)) == 59


def test_a_bar_of_unknown_length_shows_no_amount():
    assert plain(at_terminal(work(whole=None)))[1] == f"lab {'━' * 24} 0 s a failure"


def test_no_color_is_honoured():
    shown = at_terminal(work(), NO_COLOR="1").replace(ERASE, "")
    codes = {code for part in shown.split("\x1b[")[1:] for code in part.partition("m")[0].split(";")}
    assert codes <= {"0", "1", "2"}  # bold and dim are no colours


def test_work_that_is_done_soon_is_not_drawn():
    assert at_terminal(work(quiet_s=1000)) == "for good\r\n"


@pytest.mark.parametrize("without_rich", [False, True])
def test_without_a_terminal_nothing_is_drawn(without_rich):
    code = work(without_rich=without_rich)
    assert at_terminal(code, TERM="dumb") == "for good\r\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert (done.stdout, done.stderr) == ("for good\n", "")


COMMAND = """
import sys
from switchover.agent.cli import progress
from switchover.agent.cli.main import main
progress.QUIET_FOR_S = progress.AT_MOST_EVERY_S = 0
sys.exit(main({arguments}))
"""


def test_a_lab_says_how_many_runs_are_done():
    arguments = ["lab", "manual", "--simulated", "--repeat", "2"]
    shown = at_terminal(COMMAND.format(arguments=arguments), columns=90)
    bars = [line for line in plain(shown) if line.startswith("lab ")]
    assert [bar.partition(" s ")[2] for bar in bars] == ["Manual switchover (1 of 2)", "Manual switchover (2 of 2)"]
    assert [bar.split()[2:5] for bar in bars] == [["1", "of", "2,"], ["2", "of", "2,"]]
    assert shown.count("Manual switchover (1 of 2): an operator asks") == 1


@pytest.mark.skipif(importlib.util.find_spec("numpy") is None, reason="verify needs numpy")
def test_a_verification_says_how_far_it_is(tmp_path):
    file = Path(tmp_path) / "switchover.toml"
    members = [(name, tmp_path / name, ("true",), ("true",), ("true",)) for name in (A1, A2)]
    hosts = ["198.51.100.1", "198.51.100.2"]
    file.write_text(configuration_text(tmp_path, LabSettings(), ["198.51.100.10/24"], hosts, members))
    shown = at_terminal(COMMAND.format(arguments=["verify", str(file), "--faults", "0"]), columns=120)
    bars = [line for line in plain(shown) if line.startswith("exploring ")]
    assert len(bars) > 3
    assert " states, " in bars[0]
    assert bars[-1].partition(" transitions, ")[2].startswith("0 left to explore, ")
    assert "always      holds " in shown
