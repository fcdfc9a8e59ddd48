"""`switchover status --watch`: the overview in a terminal, live; the same as on the page.

The agent is asked twice a second. Its answer counts for `STALE_S` seconds; after that everything is unknown, and the
age of the last answer stands above. Without colours (`NO_COLOR`) the marks say the same.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..configuration.load import load
from ..configuration.settings import Configuration
from ..controller.operator_client import OperatorError, ask
from .meanings import UNKNOWN, Fact, Mark
from .overview import Line, Overview, age, overview

_DONE, _BAD_INPUT = 0, 2

EVERY_S = 0.5
STALE_S = 3.0
WITHIN_S = 2.0
"""How long to wait for an answer of the agent, in seconds."""

SHOWN = 6
"""How many incidents are shown."""

MARKS: Mapping[Mark, tuple[str, str]] = {
    Mark.FINE: ("✓", "green"),
    Mark.MOVING: ("→", "bold blue"),
    Mark.TROUBLE: ("!", "bold reverse red"),
    Mark.UNKNOWN: ("?", "dim"),
}
"""How each mark is shown: a sign, and a style for where there are colours."""

_INDENT = " " * 4
"""As wide as a mark, to stand above one."""


@frozen
class Answer:
    """The agent's last answer and its time, in seconds of `time.monotonic`; `trouble` is why it does not answer now."""

    seen: Overview | None = None
    incidents: tuple[dict[str, Any], ...] = ()
    at: float = 0.0
    trouble: str = ""


def run_watch(options: argparse.Namespace) -> int:
    """Show the overview until Ctrl-C; returns the exit status."""
    console = Console()
    if not console.is_terminal:
        print("switchover: --watch needs a terminal; without one use `switchover status`", file=sys.stderr)
        return _BAD_INPUT
    with contextlib.suppress(KeyboardInterrupt):
        _watch(load(options.config), console)
    return _DONE


def _watch(configuration: Configuration, console: Console) -> None:
    answer = Answer()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            answer = asked(configuration, answer)
            live.update(picture(answer, time.monotonic()), refresh=True)
            time.sleep(EVERY_S)


def asked(configuration: Configuration, before: Answer) -> Answer:
    """The agent's answer; if it does not answer, the one before, with the reason."""
    try:
        status = ask(configuration.agent.socket, {"do": "status", "incidents": SHOWN}, WITHIN_S)["status"]
    except OperatorError as error:
        return evolve(before, trouble=str(error))
    seen = overview(status, configuration.solution.detection_ms)
    return Answer(seen, tuple(status.get("incidents", ())), time.monotonic())


def picture(answer: Answer, now: float) -> RenderableType:
    """What to show of an answer at this time."""
    if answer.seen is None:
        return _fact(Fact("the agent does not answer", Mark.UNKNOWN)) + Text(f"\n{answer.trouble}", "dim")
    is_stale = now - answer.at > STALE_S
    seen = _forgotten(answer.seen) if is_stale else answer.seen
    parts: list[RenderableType] = [_heading(answer, seen, now), Text(), _table(seen), Text()]
    parts += [_named("redundancy", seen.redundancy), _named("placement", seen.placement)]
    if not is_stale:
        parts += [Text(f"! {seen.journal}", "bold")] if seen.journal else []
        parts += [Text(f"pending: {command}") for command in seen.pending]
        parts += [Text(f"alarm active: {alarm}") for alarm in seen.alarms]
    return Group(*parts, Text(), *_incidents(answer.incidents, is_stale), Text("Ctrl-C ends this", "dim"))


def _forgotten(seen: Overview) -> Overview:
    """The same overview with everything unknown."""

    def forget(line: Line) -> Line:
        first, second = (evolve(UNKNOWN, about=cell.about) for cell in line.cells)
        return evolve(line, fact=UNKNOWN, cells=(first, second), state="")

    lines = tuple(forget(line) for line in seen.lines)
    return evolve(seen, whole=UNKNOWN, redundancy=UNKNOWN, placement=UNKNOWN, lines=lines)


def _heading(answer: Answer, seen: Overview, now: float) -> Text:
    name = Text(f"{seen.solution}{' (observing only)' if seen.is_observing else ''}  ", "bold")
    heard = f"\nthe agent was {age((now - answer.at) * 1000)}"
    if answer.trouble:
        return name + _fact(Fact("the agent does not answer", Mark.UNKNOWN)) + Text(f"{heard}; {answer.trouble}")
    return name + _fact(seen.whole) + Text(heard, "dim")


def _table(seen: Overview) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("")
    table.add_column("")
    for host in seen.hosts:
        table.add_column(Text(f"{_INDENT}{host.name}\n") + Text(f"{_INDENT}{age(host.heard_ms_ago)}", "dim"))
    for line in seen.lines:
        name = Text(line.name, "bold") + (Text(f"\n{line.detail}", "dim") if line.detail else Text())
        table.add_row(name, _fact(line.fact), *map(_fact, line.cells))
    return table


def _fact(fact: Fact) -> Text:
    sign, style = MARKS[fact.mark]
    about = Text(f" {fact.about}", "dim") if fact.about else Text()
    return Text(f" {sign} ", style) + Text(f" {fact.words}", "bold" if fact.mark is Mark.TROUBLE else "") + about


def _named(name: str, fact: Fact) -> Text:
    return Text(f"{name:<12}", "bold") + _fact(fact)


def _incidents(incidents: tuple[dict[str, Any], ...], is_stale: bool) -> list[Text]:
    if not incidents:
        return []
    lines = [Text("incidents, the latest first", "bold")]
    for incident in incidents:
        going_on = "" if incident["is_over"] else "  unknown whether it goes on" if is_stale else "  GOING ON"
        head = Text(f"{incident['id']:>7}  {incident['began']}", "dim")
        lines += [head + Text(f"{going_on}  {incident['cause']}"), Text(f"{'':9}{incident['outcome']}", "bold")]
    return lines
