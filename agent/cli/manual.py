"""switchover(1), the manual page, as roff: the commands and options of the parser, and the other sections."""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata

from .usage import Argument, Usage

DESCRIPTION = """\
switchover moves a telephony solution (pairs of components on two hosts, and the Virtual IP that their clients use)
from one host to the other: once, for the right reason. After a network failure it resolves the split brain.

The agent (switchover agent) runs on the SCS side, one per solution, and decides. An LCA (switchover lca) runs on each
of the two hosts: it watches the components, moves the Virtual IP, and carries out the agent's commands. Each decision
is a row of a table, with its reason and its source; the journal records all of them, with their commands and results.

To set it up, run switchover init, check, keys and units, in this order, and let the service manager run the daemons. To
try it on one machine, isolated from its network, run switchover lab."""

FILES = (
    ("/etc/switchover/switchover.toml", "the configuration, the same on the agent's machine and on both hosts"),
    (
        "/etc/switchover/keys",
        "keys: the agent's machine needs agent.key_secret and each HOST.key; a host HOST.key_secret and agent.key",
    ),
    (
        "/var/lib/switchover/journal.sqlite",
        "the journal: every event, decision, command and result; its size and age are limited by `[agent]`",
    ),
    ("/var/lib/switchover/spool", "messages of switchover event that wait for the agent"),
    ("/var/lib/switchover/scs_log.bookmark", "the position up to which the SCS log was read, if the agent follows it"),
    ("/run/switchover/agent.sock", "the socket on which the agent answers operators, who must be its own user or root"),
)

ENVIRONMENT = (
    ("NO_COLOR", "if set and not empty: output without colours"),
    ("JOURNAL_STREAM", "set by systemd: log lines have priorities for its journal, and no times"),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
        "set by systemd: the daemons report to it that they are ready, alive or stopping, and their status",
    ),
    ("the variable that password_env names", "the password of mlcmd, unless it is in a file"),
)

EXIT_STATUS = (
    ("0", "done, or everything is as it should be"),
    ("1", "refused, failed, or not as it should be; or a property does not hold"),
    ("2", "bad usage or bad configuration, or an extra that is not installed"),
    ("3", "the agent cannot be reached; verify and export: not exhausted within the memory limit"),
    ("130", "ended by Ctrl-C"),
)

EXAMPLES = (
    ("Play the documented workflows, isolated from this machine's network:", ("switchover lab",)),
    (
        "Set up the SCS side, as root:",
        ("cd /etc/switchover", "switchover init", "switchover check", "switchover keys"),
    ),
    (
        "Let systemd run it:",
        (
            "switchover units /etc/systemd/system",
            "systemctl daemon-reload",
            "systemctl enable --now switchover-agent           # on the SCS side",
            "systemctl enable --now switchover-lca@host1       # on host1",
        ),
    ),
    ("Show the status, and move everything to host2:", ("switchover status", "switchover switch host2")),
    (
        "Read what the agent logged about incident 262:",
        ("journalctl -u switchover-agent --grep '\\[262\\]'",),
    ),
    (
        "Complete commands in bash, zsh or fish:",
        (
            "switchover completion bash > /usr/share/bash-completion/completions/switchover",
            "switchover completion zsh > /usr/local/share/zsh/site-functions/_switchover",
            "switchover completion fish > ~/.config/fish/completions/switchover.fish",
        ),
    ),
)

SOURCES = (
    ("[S1]", "SIP Voicemail HA Deployment Guide, Solution HA Failure Scenarios"),
    ("[S2]", "SIP Server HA Deployment Guide, IP Address Takeover HA Workflows"),
)


def show(usage: Usage) -> int:
    """Show the page with `man` at a terminal, if it is installed; otherwise print the roff. Returns the exit status."""
    text = page(usage)
    man = shutil.which("man") if sys.stdout.isatty() else None
    if man is None:
        print(text, end="")
        return 0
    return subprocess.run([man, "--local-file", "-"], input=text, text=True, check=False).returncode  # noqa: S603


def page(usage: Usage) -> str:
    """The page, as roff with the macros of man(7)."""
    lines = [
        f'.TH SWITCHOVER 1 "" "switchover {metadata.version("switchover")}" "High availability"',
        *(".nh", ".ad l"),
        *_section("NAME", ["switchover \\- move a telephony solution and its Virtual IP between two hosts"]),
        *_section("SYNOPSIS", [".B switchover", ".I COMMAND", "[\\fIargument\\fR ...]"]),
        *_section("DESCRIPTION", _paragraphs(DESCRIPTION)),
        *_section("COMMANDS", (line for command in usage.commands for line in _command(command, usage))),
        *_section("FILES", _listed(FILES)),
        *_section("ENVIRONMENT", _listed(ENVIRONMENT)),
        *_section("EXIT STATUS", _listed(EXIT_STATUS)),
        *_section("EXAMPLES", (line for text, typed in EXAMPLES for line in _shown(text, typed))),
        *_section("SEE ALSO", _paragraphs("ip(8), systemctl(1), systemd.service(5), journalctl(1)")),
        *_section("SOURCES", _listed(SOURCES)),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f".SH {title}"
    yield from lines


def _command(command: Usage, program: Usage) -> Iterator[str]:
    arguments = [each for each in command.arguments if "--help" not in each.flags]
    ordered = sorted(arguments, key=lambda each: not each.flags)  # options first, as in argparse's usage line
    yield f".SS switchover {command.name}"
    yield " ".join(["\\fBswitchover", f"{command.name}\\fR", *(_escaped(each.synopsis) for each in ordered)])
    yield from _paragraphs(command.description)
    yield from _listed((_heading(each), each.help) for each in ordered)
    if command.example:
        yield from (".PP", "Example:", *_typed([command.example]))
    if command.exit_status != program.exit_status:
        yield from _paragraphs(f"Exit status: {command.exit_status}.")


def _heading(argument: Argument) -> str:
    return " ".join(word for word in (", ".join(argument.flags), argument.value) if word)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield from (".PP", _escaped(paragraph))


def _listed(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in entries:
        yield from (".TP", f"\\fB{_escaped(term)}\\fR", _escaped(text))


def _shown(text: str, typed: Iterable[str]) -> Iterator[str]:
    yield from (".PP", _escaped(text), *_typed(typed))


def _typed(lines: Iterable[str]) -> Iterator[str]:
    """Commands, one per line, indented."""
    yield from (".PP", ".RS 4", ".nf", *(_escaped(line) for line in lines), ".fi", ".RE")


def _escaped(text: str) -> str:
    """Text as roff: escapes backslashes, hyphens, apostrophes, and a dot at the beginning."""
    for plain, roff in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga")):
        text = text.replace(plain, roff)
    return f"\\&{text}" if text.startswith(".") else text
