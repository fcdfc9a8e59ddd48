"""The one console command, `switchover`: what is typed, and the exit status that comes back.

Heavy modules are imported by the commands that need them, so that `switchover event`, which an alarm reaction runs,
and `switchover status` answer at once.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..drivers.errors import DriverError
from .configuration import Configuration, ConfigurationError, example_text, load
from .journal import JournalError
from .operator import OperatorError, ask

DEFAULT_CONFIGURATION = "/etc/switchover/switchover.toml"

DONE, NOT_SO, BAD_INPUT, UNREACHABLE = 0, 1, 2, 3

SWITCH_WITHIN_S = 10.0
"""How long `switchover switch` waits for a switchover to be done."""

EXIT_STATUS = """\
exit status: 0 done, or all is as it should be; 1 refused, failed, or not as it should be;
2 bad usage or bad configuration; 3 the agent cannot be reached"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status. Errors that a person can mend are one line on standard error each."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except ConfigurationError as error:
        print("\n".join(str(problem) for problem in error.problems), file=sys.stderr)
        return BAD_INPUT
    except OperatorError as error:
        print(f"switchover: {error}", file=sys.stderr)
        return UNREACHABLE
    except (DriverError, JournalError) as error:
        print(f"switchover: {error}", file=sys.stderr)
        return NOT_SO
    except KeyboardInterrupt:
        return 130  # as shells report a program that was ended by Ctrl-C
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has seen enough
        return NOT_SO


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="switchover",
        description="Move a telephony solution and its Virtual IP between two hosts, once, for the right reason.",
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str, example: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=f"example: {example}\n\n{EXIT_STATUS}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
        return command

    def configured(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
        command.add_argument(
            "-c", "--config", default=DEFAULT_CONFIGURATION, metavar="FILE", help="default: %(default)s"
        )
        return command

    init = add("init", _init, "write a commented example configuration", "switchover init switchover.toml")
    init.add_argument("file", nargs="?", default="switchover.toml", help="default: %(default)s; never overwritten")
    check = add("check", _check, "check a configuration", "switchover check switchover.toml")
    check.add_argument("file", nargs="?", default=DEFAULT_CONFIGURATION, help="default: %(default)s")
    configured(add("keys", _keys, "make the keys of the agent and of every host", "switchover keys -c switchover.toml"))
    agent = configured(add("agent", _agent, "run the SCS-side agent", "switchover agent -c switchover.toml"))
    lca = configured(add("lca", _lca, "run the LCA of a host", "switchover lca host1 -c switchover.toml"))
    lca.add_argument("host", help="the host's name in the configuration")
    for daemon in (agent, lca):
        daemon.add_argument("--quiet", action="store_true", help="log warnings only")
    status = configured(add("status", _status, "show the solution as the agent knows it", "switchover status --json"))
    status.add_argument("--json", action="store_true", help="for programs")
    switch = configured(
        add("switch", _switch, "make an application, or all of a host's, primary", "switchover switch host2")
    )
    switch.add_argument("to", help="an application, or a host")
    event = configured(
        add("event", _event, "pass a log message on to the agent", "switchover event 00-5150 SIP_Server_2")
    )
    event.add_argument("id", help="the log message's event id")
    event.add_argument("application", help="the application that it is about")
    diagram = add("diagram", _diagram, "write the machines' diagrams and tables", "switchover diagram diagrams")
    diagram.add_argument("directory", help="made if it does not exist; a page for each machine is written to it")
    lab = add(
        "lab",
        _lab,
        "watch the documented workflows happen on hosts made of network namespaces",
        "switchover lab failure reconnection --order enable-first",
    )
    lab.add_argument("workflows", nargs="*", metavar="WORKFLOW", help="manual, failure, disconnected or reconnection")
    lab.add_argument("--json", action="store_true", help="for programs: one object a workflow")
    lab.add_argument("--simulated", action="store_true", help="simulated hosts; needs neither Linux nor root")
    lab.add_argument("--order", default="together", choices=("together", "disable-first", "enable-first"))
    lab.add_argument("--detection-ms", type=int, default=100, metavar="MS", help="30 to 60000, default %(default)s")
    lab.add_argument("--repeat", type=int, default=1, metavar="N", help="run each workflow so often, default 1")
    lab.add_argument("--keep-logs", metavar="DIRECTORY", help="copy the daemons' logs and the journal there")
    return parser


def _init(options: argparse.Namespace) -> int:
    try:
        with Path(options.file).open("x", encoding="utf-8") as file:
            file.write(example_text())
    except OSError as error:
        print(f"switchover: {options.file} is not written: {error.strerror}", file=sys.stderr)
        return NOT_SO
    print(f"{options.file} written: edit it, then run `switchover check {options.file}`")
    return DONE


def _check(options: argparse.Namespace) -> int:
    configuration = load(options.file)
    names = " and ".join(host.name for host in configuration.hosts)
    print(f"{options.file}: in order; solution {configuration.solution.name} on {names}")
    return DONE


def _keys(options: argparse.Namespace) -> int:
    from ..drivers.keys import make_keys

    configuration = load(options.config)
    directory = configuration.agent.keys
    make_keys(directory, [host.name for host in configuration.hosts])
    print(f"keys written to {directory}; a host needs its own NAME.key_secret and agent.key, the agent all the rest")
    return DONE


def _agent(options: argparse.Namespace) -> int:
    from .services import run_agent

    configuration = _begin(options)
    try:
        asyncio.run(run_agent(configuration, lambda: logging.getLogger("switchover").info("the agent is ready")))
    except OperatorError as error:  # its own socket, not another agent's that was to be reached
        print(f"switchover: {error}", file=sys.stderr)
        return NOT_SO
    return DONE


def _lca(options: argparse.Namespace) -> int:
    from .services import run_lca

    configuration = _begin(options)
    asyncio.run(run_lca(configuration, options.host, lambda: logging.getLogger("switchover").info("the LCA is ready")))
    return DONE


def _begin(options: argparse.Namespace) -> Configuration:
    configuration = load(options.config)
    # Only our own loggers: `transitions` logs a dozen lines a step, which cost the agent 5 ms a takeover.
    logging.getLogger("switchover").setLevel(logging.WARNING if options.quiet else logging.INFO)
    logging.basicConfig(
        format="%(asctime)s.%(msecs)03d %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    return configuration


def _status(options: argparse.Namespace) -> int:
    status = ask(load(options.config).agent.socket, {"do": "status"})["status"]
    print(json.dumps(status, indent=2) if options.json else _as_text(status))
    return DONE if _is_whole(status) else NOT_SO


def _is_whole(status: dict[str, Any]) -> bool:
    """Whether every pair has a primary and a backup, and one host holds the VIP."""
    pairs = all(pair["state"].startswith("redundant_") for pair in status["pairs"])
    return pairs and status["vip"]["state"].startswith("held_")


def _as_text(status: dict[str, Any]) -> str:
    def known(value: object, words: str) -> str:
        return "unknown" if value is None else words

    lines = [f"solution {status['solution']}: {'as it should be' if _is_whole(status) else 'NOT as it should be'}"]
    for host in status["hosts"]:
        vip = known(host["vip_held"], "has the VIP" if host["vip_held"] else "has not the VIP")
        lines.append(f"  host {host['name']:<20} {host['link']:<10} {vip}")
    for pair in status["pairs"]:
        lines.append(f"  pair {pair['name']:<20} {pair['state']}")
        lines += [
            f"    {found['name']:<23} {known(found['mode'], str(found['mode'])):<10} on {found['host']}"
            for found in pair["applications"]
        ]
    lines.append(f"  VIP  {', '.join(status['vip']['addresses']):<20} {status['vip']['state']}")
    lines += [f"  under way: {command}" for command in status["pending"]]
    return "\n".join(lines)


def _switch(options: argparse.Namespace) -> int:
    """Ask for it, and wait until it is so: an operator wants to know what became of it."""
    socket = load(options.config).agent.socket
    outcome = _told(ask(socket, {"do": "switch", "to": options.to}))
    deadline = time.monotonic() + SWITCH_WITHIN_S
    while outcome == DONE:
        status = ask(socket, {"do": "status"})["status"]
        if _is_primary(status, options.to) and status["vip"]["state"].startswith(("held_", "owed_")):
            print(_as_text(status))
            return DONE
        if time.monotonic() > deadline:
            print(f"switchover: not done within {SWITCH_WITHIN_S:g} s\n{_as_text(status)}", file=sys.stderr)
            return NOT_SO
        time.sleep(0.05)
    return outcome


def _is_primary(status: dict[str, Any], name: str) -> bool:
    """Whether the application of this name is primary, or every application of the host of this name."""
    found = [a for pair in status["pairs"] for a in pair["applications"] if name in (a["name"], a["host"])]
    return all(application["mode"] == "primary" for application in found)


def _event(options: argparse.Namespace) -> int:
    request = {"do": "event", "id": options.id, "application": options.application}
    return _told(ask(load(options.config).agent.socket, request))


def _told(reply: dict[str, Any]) -> int:
    print(reply["text"], file=sys.stdout if reply["ok"] else sys.stderr)
    return DONE if reply["ok"] else NOT_SO


def _diagram(options: argparse.Namespace) -> int:
    from ..fsm import LINK, PAIR, VIP
    from ..fsm.diagram import page

    directory = Path(options.directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, table in (("host-link", LINK), ("component-pair", PAIR), ("virtual-ip", VIP)):
            (directory / f"{name}.md").write_text(page(table), encoding="utf-8")
    except OSError as error:
        print(f"switchover: {directory} cannot be written: {error.strerror}", file=sys.stderr)
        return NOT_SO
    print(f"three pages written to {directory}")
    return DONE


def _lab(options: argparse.Namespace) -> int:
    from .lab.command import run_lab

    return run_lab(options)
