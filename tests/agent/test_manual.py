"""The manual page: groff and man accept it, and it contains every command and option."""

# ruff: noqa: S603  # the commands are our own

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from switchover.agent.cli.main import _parser, main
from switchover.agent.cli.manual import EXAMPLES, page
from switchover.agent.cli.usage import Usage, usage_of
from switchover.agent.configuration.settings import AgentSettings, ScsLogSettings

USAGE = usage_of(_parser())
PAGE = page(USAGE)


def tool(name: str) -> str:
    """A program's path."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def test_groff_finds_no_fault():
    argv = [tool("groff"), "-man", "-Tutf8", "-ww", "-z"]
    done = subprocess.run(argv, input=PAGE, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(scope="module")
def shown() -> str:
    """The page as `man` shows it, in lines that are long enough for no word to be broken."""
    environment = {**os.environ, "MANWIDTH": "400", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    argv = [tool("man"), "--warnings", "--local-file", "-"]
    done = subprocess.run(argv, input=PAGE, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)


def test_the_page_has_the_sections_of_a_manual_page(shown):
    assert re.findall(r"^[A-Z][A-Z ]+$", shown, re.MULTILINE) == [
        *("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "FILES", "ENVIRONMENT"),
        *("EXIT STATUS", "EXAMPLES", "SEE ALSO", "SOURCES"),
    ]


def test_every_command_every_option_and_every_example_is_shown_as_it_is_typed(shown):
    assert re.findall(r"^   switchover ([\w-]+)$", shown, re.MULTILINE) == [command.name for command in USAGE.commands]
    parts = re.split(r"^   switchover [\w-]+\n", shown, flags=re.MULTILINE)[1:]
    for command, part in zip(USAGE.commands, parts, strict=True):
        lines = [line.strip() for line in part.splitlines()]
        assert command.description in lines
        assert command.example in lines
        for argument in command.arguments:
            if "--help" not in argument.flags:
                assert argument.help in part
                assert argument.synopsis in lines[0]


def typed() -> Iterator[str]:
    """Every command line that the page shows."""
    yield from (line for _, lines in EXAMPLES for line in lines)
    yield from (command.example for command in USAGE.commands)


def test_the_commands_of_the_examples_are_valid():
    ours = [words for words in (shlex.split(line, comments=True) for line in typed()) if words[0] == "switchover"]
    assert len(ours) > len(USAGE.commands)
    for words in ours:
        arguments = words[1 : words.index(">")] if ">" in words else words[1:]
        assert callable(_parser().parse_args(arguments).run)


def test_every_file_with_a_default_is_mentioned(shown):
    defaults = [*AgentSettings().__getstate__().values(), ScsLogSettings.__attrs_attrs__.bookmark.default]
    paths = [str(path) for path in defaults if str(path).startswith("/")]
    assert len(paths) >= 5
    assert [path for path in paths if not re.search(rf"^ +{re.escape(path)}$", shown, re.MULTILINE)] == []


def test_roff_requests_in_the_text_are_shown_literally():
    odd = Usage("odd", ".TH is no 'request'; C:\\new --flag", (), "example: echo '\\fB-x'\n\nexit status: 0 always")
    text = page(Usage("switchover", "", (), "", (odd,)))
    argv = [tool("groff"), "-man", "-Tascii", "-P-c"]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=True)
    lines = [line.strip() for line in re.sub(r".\x08", "", done.stdout).splitlines()]
    assert ".TH is no 'request'; C:\\new --flag" in lines
    assert "echo '\\fB-x'" in lines
    assert "Exit status: 0 always." in lines


def test_the_command_writes_the_page_when_output_is_not_a_terminal(capsys):
    assert main(["manual"]) == 0
    assert capsys.readouterr().out == PAGE
