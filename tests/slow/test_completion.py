"""What the shells complete: real shells at a real terminal, with the scripts that `switchover completion` writes."""

# ruff: noqa: S603  # the commands are our own

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from switchover.agent.cli.completion import SHELLS, names
from switchover.agent.cli.main import _parser, main
from switchover.agent.cli.usage import usage_of
from switchover.agent.configuration.examples import example_text

PATIENCE_S = 60
COMMANDS = [command.name for command in usage_of(_parser()).commands]


def shell_or_skip(name: str) -> str:
    """The shell's path."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A directory with the scripts, a configuration, and a `switchover` that notes what it is run with."""
    home = tmp_path_factory.mktemp("home")
    usage = usage_of(_parser())
    for name, script in SHELLS.items():
        (home / name).write_text(script(usage))
    (home / "site.toml").write_text(example_text("voicemail").replace("RM_1", "RM 1"))
    program = home / "bin" / "switchover"
    program.parent.mkdir()
    real = shlex.join([sys.executable, "-m", "switchover.agent"])
    note = f"printf '%s\\n' \"$@\" end > {home}/new && mv {home}/new {home}/run"
    program.write_text(f'#!/bin/sh\n[ "$1" = completion ] && exec {real} "$@"\n{note}\n')
    program.chmod(0o755)
    return home


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", "TERM": "dumb", "PS1": "> "}


def at_terminal(home: Path, argv: list[str], setup: str, keys: str) -> list[str]:
    """Type into an interactive shell, and press Enter: the arguments with which `switchover` was run then."""
    (home / "run").unlink(missing_ok=True)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execve(argv[0], argv, environment(home))  # noqa: S606
    said = b""
    try:
        give_up = time.monotonic() + PATIENCE_S

        def read_until(done: Callable[[], bool]) -> None:
            nonlocal said
            while not done():
                assert time.monotonic() < give_up, said
                if select.select([terminal], [], [], 0.05)[0]:
                    said += os.read(terminal, 65536)

        os.write(terminal, f"{setup}; echo set''up\n".encode())
        read_until(lambda: b"setup\r\n" in said)
        os.write(terminal, keys.encode())
        before = len(said)
        read_until(lambda: len(said) > before)  # it has begun to read: what is typed now, it completes in order
        os.write(terminal, b"\n")
        read_until((home / "run").exists)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return (home / "run").read_text().splitlines()[:-1]


BASH = (["--norc", "--noprofile", "-i"], "bind 'set bell-style none'; source ./bash")
ZSH = (["-f", "-i"], "unsetopt beep; autoload -U compinit; compinit -u -D; source ./zsh")

TYPED = [
    ("switchover sw\t", ["switch"]),
    ("switchover lab --ord\tena\t", ["lab", "--order", "enable-first"]),
    ("switchover -c\b\blab vo\trev\b\b\bmc\t", ["lab", "voicemail", "mcp"]),
    ("switchover switch -c si\tho\t2", ["switch", "-c", "site.toml", "host2"]),
    ("switchover start --config site.toml RM\\ \t", ["start", "--config", "site.toml", "RM 1"]),
    ("switchover lca --qui\t--log-f\tj\t", ["lca", "--quiet", "--log-format", "json"]),
    ("switchover event 00-5150 -c site.toml Prem\t", ["event", "00-5150", "-c", "site.toml", "Premise_SIP_Server"]),
    ("switchover check si\t", ["check", "site.toml"]),
]


@pytest.mark.parametrize(("keys", "arguments"), TYPED, ids=[keys.strip() for keys, _ in TYPED])
@pytest.mark.parametrize(("shell", "how"), [("bash", BASH), ("zsh", ZSH)])
def test_bash_and_zsh_complete_what_is_typed(home, shell, how, keys, arguments):
    options, setup = how
    assert at_terminal(home, [shell_or_skip(shell), *options], setup, keys) == arguments


def bash_offers(home: Path, *words: str) -> list[str]:
    """What bash would offer for the last one of these words."""
    line = shlex.join(words)
    script = f"source ./bash; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _switchover; "
    script += 'for word in "${COMPREPLY[@]}"; do printf "%s\\n" "$word"; done'
    done = subprocess.run(
        [shell_or_skip("bash"), "--norc", "-c", script],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def fish_offers(home: Path, *words: str) -> list[str]:
    script = f"source ./fish; complete -C {shlex.quote(' '.join(words))}"
    done = subprocess.run(
        [shell_or_skip("fish"), "--no-config", "-c", script],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("offers", [bash_offers, fish_offers])
def test_every_command_and_every_option_is_offered(home, offers):
    assert set(offers(home, "switchover", "")) - {"--help"} == set(COMMANDS)
    for command in usage_of(_parser()).commands:
        flags = {flag for argument in command.arguments for flag in argument.flags if flag.startswith("--")}
        assert set(offers(home, "switchover", command.name, "--")) == flags


HOSTS = ["host1", "host2"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["lca", "-c", "site.toml", ""], HOSTS),
        (["lca", "-c", "missing.toml", ""], []),
        (["stop", "-c", "site.toml", "MCP"], ["MCP_1", "MCP_2"]),
        (["switch", "-c", "site.toml", "VM_Se"], ["VM_Server_1", "VM_Server_2"]),
        (["switch", "-c", "site.toml", "MCP"], []),
        (["completion", "f"], ["fish"]),
        (["units", "--user", ""], []),
        (["init", "v"], ["voicemail"]),
        (["agent", "--log-format", ""], ["json", "text"]),
    ],
    ids=str,
)
def test_bash_and_fish_offer_the_same(home, words, offered):
    assert sorted(bash_offers(home, "switchover", *words)) == offered
    assert sorted(fish_offers(home, "switchover", *words)) == offered


def test_the_names_are_the_configuration_s(tmp_path, capsys):
    file = tmp_path / "site.toml"
    assert names("hosts", file) == ()
    file.write_text(example_text("sip"))
    assert names("hosts", file) == ("host1", "host2")
    assert names("applications", file) == ("SIP_Server_1", "SIP_Server_2")
    assert names("switchable", file) == ("host1", "host2", "SIP_Server_1", "SIP_Server_2")
    assert main(["completion", "hosts", "-c", str(file)]) == 0
    assert capsys.readouterr().out == "host1\nhost2\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_writes_the_script(shell, capsys):
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == SHELLS[shell](usage_of(_parser()))
