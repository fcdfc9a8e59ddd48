"""A test file as a program: scenarios that need namespaces run in their own process, inside a lab.

Such a file ends in `main(globals(), *sys.argv[1:])`. `FILE enter SCENARIO ARGUMENT...` goes through `namespaces.enter`
and then runs one of the file's functions `scenario_*` inside.
"""

# ruff: noqa: S603  # the commands are our own

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from switchover.agent.lab.network import namespaces
from switchover.agent.lab.network.segment import Network

from . import as_program

Scenario = Callable[..., Awaitable[None]]


def program(scenario: Scenario, *arguments: str) -> list[str]:
    """The command that runs a scenario inside."""
    return as_program.command(inspect.getfile(scenario), "enter", scenario.__name__, *arguments)


def run_inside(scenario: Scenario, *arguments: str) -> None:
    """Run a scenario inside; it must succeed."""
    done = subprocess.run(program(scenario, *arguments), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def main(functions: dict[str, Any], action: str, name: str, *arguments: str) -> None:
    """`enter` the lab to run a scenario, run it there (`inside`), or run a function `outside` of it."""
    try:
        if action == "enter":
            raise SystemExit(namespaces.enter(as_program.command(sys.argv[0], "inside", name, *arguments)))
        if action == "outside":
            functions[name](*arguments)
            return
        with suppress(KeyboardInterrupt):
            asyncio.run(_inside(functions[name], arguments))
    except namespaces.LabError as error:
        print(error, file=sys.stderr)
        raise SystemExit(3) from None


async def _inside(scenario: Scenario, arguments: tuple[str, ...]) -> None:
    namespaces.prepare()
    async with Network() as net:
        await scenario(net, *arguments)
