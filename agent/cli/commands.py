"""What the short commands do; each gets what was typed and returns the exit status.

Heavy modules are imported by the commands that need them, so that `switchover event`, which an alarm reaction runs,
and `switchover status` answer at once.
"""

import argparse
import asyncio
import functools
import importlib
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...drivers.scs.spool import put
from ...fsm import CoreError, event_id
from ...fsm.documented.voicemail import WIRINGS
from ..configuration.examples import EXAMPLES, example_text
from ..configuration.load import check as check_configuration
from ..configuration.load import load
from ..controller.operator_client import OperatorError, ask
from ..daemons.start import begin
from ..explain.status_text import as_text, does_run, is_primary, is_whole

DONE, NOT_SO, BAD_INPUT, UNREACHABLE = 0, 1, 2, 3

EVENT_WITHIN_S = 1.0
"""How long `switchover event` waits for the agent before it leaves the message in the spool."""

SWITCH_WITHIN_S = 10.0
"""How long `switchover switch` waits for a switchover to be done."""


def init(options: argparse.Namespace) -> int:
    """Write an example; a file that is there already is left alone."""
    example, name = options.example, options.file or "switchover.toml"
    if options.file is None and Path(example).suffix:  # "switchover init here.toml"
        example, name = EXAMPLES[0], example
    if example not in EXAMPLES:
        print(f"switchover: unknown example {example!r}; known are {', '.join(EXAMPLES)}", file=sys.stderr)
        return BAD_INPUT
    if options.wiring and example != "voicemail":
        print(f"switchover: --wiring is for voicemail, and not for {example}", file=sys.stderr)
        return BAD_INPUT
    try:
        with Path(name).open("x", encoding="utf-8") as file:
            file.write(example_text(example, options.wiring or WIRINGS[0]))
    except OSError as error:
        print(f"switchover: {name} is not written: {error.strerror}", file=sys.stderr)
        return NOT_SO
    print(f"{name} written: edit it, then run `switchover check {name}`")
    return DONE


def check(options: argparse.Namespace) -> int:
    """Say whether a configuration is in order, and what is doubtful in it."""
    configuration, warnings = check_configuration(options.file)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    names = " and ".join(host.name for host in configuration.hosts)
    print(f"{options.file}: in order; solution {configuration.solution.name} on {names}")
    return DONE


def keys(options: argparse.Namespace) -> int:
    """Make the keys of the agent and of every host."""
    from ...drivers.link.keys import make_keys

    configuration = load(options.config)
    directory = configuration.agent.keys
    make_keys(directory, [host.name for host in configuration.hosts])
    print(f"keys written to {directory}; a host needs its own NAME.key_secret and agent.key, the agent all the rest")
    return DONE


def agent(options: argparse.Namespace) -> int:
    """Run the agent until it is told to end."""
    from ..daemons.services import run_agent

    configuration = begin(options)
    try:
        ready = functools.partial(logging.getLogger("switchover").info, "the agent is ready")
        asyncio.run(run_agent(configuration, ready, observe=options.observe))
    except OperatorError as error:  # its own socket, not another agent's that was to be reached
        print(f"switchover: {error}", file=sys.stderr)
        return NOT_SO
    return DONE


def lca(options: argparse.Namespace) -> int:
    """Run the LCA of a host until it is told to end."""
    from ..daemons.services import run_lca

    configuration = begin(options)
    ready = functools.partial(logging.getLogger("switchover").info, "the LCA is ready")
    asyncio.run(run_lca(configuration, options.host, ready, observe=options.observe))
    return DONE


def status(options: argparse.Namespace) -> int:
    """Show the solution once, or live."""
    if options.watch:
        return lazily("explain.watch", "run_watch", "terminal")(options)
    found = ask(load(options.config).agent.socket, {"do": "status"})["status"]
    print(json.dumps(found, indent=2) if options.json else as_text(found))
    return DONE if is_whole(found) else NOT_SO


def switch(options: argparse.Namespace) -> int:
    """Ask for it, and wait until it is so: an operator wants to know what became of it."""
    socket = load(options.config).agent.socket
    outcome = _told(ask(socket, {"do": "switch", "to": options.to}))
    deadline = time.monotonic() + SWITCH_WITHIN_S
    while outcome == DONE:
        found = ask(socket, {"do": "status"})["status"]
        if is_primary(found, options.to) and found["vip"]["state"].startswith(("held_", "owed_")):
            print(as_text(found))
            return DONE
        if time.monotonic() > deadline:
            print(f"switchover: not done within {SWITCH_WITHIN_S:g} s\n{as_text(found)}", file=sys.stderr)
            return NOT_SO
        time.sleep(0.05)
    return outcome


def start(options: argparse.Namespace) -> int:
    """Start an application."""
    return _start_or_stop(options, "start", True)


def stop(options: argparse.Namespace) -> int:
    """Stop an application."""
    return _start_or_stop(options, "stop", False)


def _start_or_stop(options: argparse.Namespace, what: str, runs: bool) -> int:
    """Ask for it, and wait for as long as its host is at it."""
    socket, application = load(options.config).agent.socket, options.application
    outcome = _told(ask(socket, {"do": what, "application": application}))
    while outcome == DONE:
        found = ask(socket, {"do": "status"})["status"]
        if does_run(found, application) is runs:
            return DONE
        if f"{what} {application}" not in found["pending"]:
            print(f"switchover: {what} {application} failed; the agent's log says why", file=sys.stderr)
            return NOT_SO
        time.sleep(0.05)
    return outcome


def event(options: argparse.Namespace) -> int:
    """An alarm reaction of the SCS runs this: it returns at once, and what the agent cannot hear now waits for it."""
    configuration = load(options.config)
    known = configuration.topology().applications
    if options.application not in known:
        print(f"switchover: unknown application {options.application!r}; known are {', '.join(known)}", file=sys.stderr)
        return BAD_INPUT
    try:
        message = event_id(options.id)
    except CoreError as error:
        print(f"switchover: {error}", file=sys.stderr)
        return BAD_INPUT
    request = {"do": "event", "id": message, "application": options.application}
    try:
        return _told(ask(configuration.agent.socket, request, EVENT_WITHIN_S))
    except OperatorError as error:
        put(configuration.agent.spool, message, options.application)
        print(f"the message waits in {configuration.agent.spool}: {error}")
        return DONE


def _told(reply: dict[str, Any]) -> int:
    print(reply["text"], file=sys.stdout if reply["ok"] else sys.stderr)
    return DONE if reply["ok"] else NOT_SO


def lazily(module: str, function: str, extra: str = "") -> Callable[[argparse.Namespace], int]:
    """A command of another module, which is imported when it is run; of an extra, if that is not installed."""

    def run(options: argparse.Namespace) -> int:
        try:
            found = importlib.import_module(f"...{module}", __name__)
        except ModuleNotFoundError as error:
            if not extra or (error.name or "").startswith("switchover"):
                raise
            needs = f"this needs {error.name}: pip install 'switchover[{extra}]'"
            print(f"switchover: {needs}", file=sys.stderr)
            return BAD_INPUT
        return getattr(found, function)(options)

    return run
