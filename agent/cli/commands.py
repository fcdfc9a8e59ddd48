"""The short commands: each takes the parsed options and returns the exit status.

Heavy modules are imported only by the commands that need them, so that `switchover status` and `switchover event`,
which alarm reactions run, start fast.
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

DONE, NOT_OK, BAD_INPUT, UNREACHABLE = 0, 1, 2, 3

EVENT_WITHIN_S = 1.0
"""How long `switchover event` waits for the agent before it leaves the message in the spool."""

SWITCH_WITHIN_S = 10.0
"""How long `switchover switch` waits for the switchover to finish."""


def init(options: argparse.Namespace) -> int:
    """Write an example configuration; an existing file is not overwritten."""
    example, name = options.example, options.file or "switchover.toml"
    if options.file is None and Path(example).suffix:  # "switchover init here.toml"
        example, name = EXAMPLES[0], example
    if example not in EXAMPLES:
        print(f"switchover: unknown example {example!r}; known are {', '.join(EXAMPLES)}", file=sys.stderr)
        return BAD_INPUT
    if options.wiring and example != "voicemail":
        print(f"switchover: --wiring is for the example voicemail, not for {example}", file=sys.stderr)
        return BAD_INPUT
    try:
        with Path(name).open("x", encoding="utf-8") as file:
            file.write(example_text(example, options.wiring or WIRINGS[0]))
    except FileExistsError:
        print(f"switchover: {name} exists already and is not overwritten; choose another name", file=sys.stderr)
        return NOT_OK
    except OSError as error:
        print(f"switchover: {name} cannot be written: {error.strerror}", file=sys.stderr)
        return NOT_OK
    print(f"{name} written: edit it, then run `switchover check {name}`")
    return DONE


def check(options: argparse.Namespace) -> int:
    """Report whether a configuration is valid, with warnings on standard error."""
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
    """Run the agent until it is stopped."""
    from ..daemons.services import run_agent

    configuration = begin(options)
    try:
        ready = functools.partial(logging.getLogger("switchover").info, "the agent is ready")
        asyncio.run(run_agent(configuration, ready, observe=options.observe))
    except OperatorError as error:  # the agent cannot open its own socket: exit status 1, not 3
        print(f"switchover: {error}", file=sys.stderr)
        return NOT_OK
    return DONE


def lca(options: argparse.Namespace) -> int:
    """Run the LCA of a host until it is stopped."""
    from ..daemons.services import run_lca

    configuration = begin(options)
    ready = functools.partial(logging.getLogger("switchover").info, "the LCA is ready")
    asyncio.run(run_lca(configuration, options.host, ready, observe=options.observe))
    return DONE


def status(options: argparse.Namespace) -> int:
    """Show the solution once, or live."""
    if options.watch:
        return lazily("explain.watch", "run_watch", "terminal")(options)
    solution = ask(load(options.config).agent.socket, {"do": "status"})["status"]
    print(json.dumps(solution, indent=2) if options.json else as_text(solution))
    return DONE if is_whole(solution) else NOT_OK


def switch(options: argparse.Namespace) -> int:
    """Request a switchover, and wait until it is finished, so that the operator sees the result."""
    socket = load(options.config).agent.socket
    exit_status = _answered(ask(socket, {"do": "switch", "to": options.to}))
    deadline = time.monotonic() + SWITCH_WITHIN_S
    while exit_status == DONE:
        solution = ask(socket, {"do": "status"})["status"]
        if is_primary(solution, options.to) and solution["vip"]["state"].startswith(("held_", "owed_")):
            print(as_text(solution))
            return DONE
        if time.monotonic() > deadline:
            print(f"switchover: not done within {SWITCH_WITHIN_S:g} s\n{as_text(solution)}", file=sys.stderr)
            return NOT_OK
        time.sleep(0.05)
    return exit_status


def start(options: argparse.Namespace) -> int:
    """Start an application, and wait until it runs."""
    return _start_or_stop(options, "start", True)


def stop(options: argparse.Namespace) -> int:
    """Stop an application, and wait until it does not run."""
    return _start_or_stop(options, "stop", False)


def _start_or_stop(options: argparse.Namespace, verb: str, runs: bool) -> int:
    """Request it, and wait until the application is in the wanted state, or the command is no longer pending."""
    socket, application = load(options.config).agent.socket, options.application
    exit_status = _answered(ask(socket, {"do": verb, "application": application}))
    while exit_status == DONE:
        solution = ask(socket, {"do": "status"})["status"]
        if does_run(solution, application) is runs:
            return DONE
        if f"{verb} {application}" not in solution["pending"]:
            print(f"switchover: {verb} {application} failed; the agent's log says why", file=sys.stderr)
            return NOT_OK
        time.sleep(0.05)
    return exit_status


def event(options: argparse.Namespace) -> int:
    """Pass a log message to the agent; if it does not answer at once, leave the message in the spool for it.

    An alarm reaction of the SCS runs this command, so it must return quickly.
    """
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
        return _answered(ask(configuration.agent.socket, request, EVENT_WITHIN_S))
    except OperatorError as error:
        put(configuration.agent.spool, message, options.application)
        print(f"the message waits in {configuration.agent.spool}: {error}")
        return DONE


def _answered(reply: dict[str, Any]) -> int:
    """Print the agent's reply; returns the exit status."""
    print(reply["text"], file=sys.stdout if reply["ok"] else sys.stderr)
    return DONE if reply["ok"] else NOT_OK


def lazily(module: str, function: str, extra: str = "") -> Callable[[argparse.Namespace], int]:
    """A command in a module that is imported when the command is run.

    If the module needs an optional dependency that is not installed, the command names the `extra` to install.
    """

    def run(options: argparse.Namespace) -> int:
        try:
            imported = importlib.import_module(f"...{module}", __name__)
        except ModuleNotFoundError as error:
            if not extra or (error.name or "").startswith("switchover"):
                raise
            hint = f"this needs {error.name}: pip install 'switchover[{extra}]'"
            print(f"switchover: {hint}", file=sys.stderr)
            return BAD_INPUT
        return getattr(imported, function)(options)

    return run
