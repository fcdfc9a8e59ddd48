"""Pages about the tables: Markdown tables and Mermaid state diagrams, made from the rows that run in service.

A page describes a machine for *this* side; `(other side)` marks a row whose destination belongs to the other side. The
pictures that a page shows are made elsewhere, from the same rows.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ....fsm.machines import alarm, application, link, pair, placement, vip
from ....fsm.tables.table import Ignored, Impossible, Row, Table

DRAWN_WHOLE = 20
"""A table with more rows than this is drawn in Mermaid only with the rows that the documents describe."""

MERMAID_WIDTH = 24
"""Triggers that together are longer than this, in characters, are written one below the other."""

MODULES = {
    module_table.name: module
    for module, module_table in (
        (link, link.LINK),
        (application, application.APPLICATION),
        (pair, pair.PAIR),
        (alarm, alarm.ALARM),
        (placement, placement.PLACEMENT),
        (vip, vip.VIP),
    )
}
"""The module that describes each machine, by the machine's name."""


def page(table: Table, pictures: Sequence[tuple[str, str]] = ()) -> str:
    """A page about one machine: its purpose, its pictures, and every row with its reason.

    `pictures` are titles and file names, relative to the page, in the order in which they are shown.
    """
    rows = [row for row in table.rows if isinstance(row, Row)]
    lines = [
        f"# The {table.name}",
        "",
        *(MODULES[table.name].__doc__ or "").strip().splitlines(),
        "",
        f"Generated from the table that runs: {len(table.all_states)} states, {len(table.all_triggers)} triggers,"
        f" {len(list(table.every_decision()))} decisions."
        + (" *This* is the side in a state's name." if table.sided else ""),
        *(
            line
            for title, file in pictures
            for line in ("", f"## {title[:1].upper()}{title[1:]}", "", f"![{title}]({file})")
        ),
        "",
        "## As Mermaid",
        "",
        f"{'Every row' if _is_small(table) else 'The rows that the documents describe'}"
        f"{', for one side' if table.sided else ''}.",
        "",
        "```mermaid",
        *mermaid(table),
        "```",
        "",
        "## What moves",
        "",
        *_markdown(
            ("state", "trigger", "guard", "next state", "commands", "reason", "source"),
            (
                (_states(row, table), row.trigger, row.guard, _destination(row), row.outputs, row.reason, row.cite)
                for row in rows
            ),
        ),
        *_section(table, Ignored, "What stays", "is ignored, because"),
        *_section(table, Impossible, "What is impossible", "cannot come, because"),
    ]
    return "\n".join(lines) + "\n"


def meanings(table: Table) -> Mapping[str, tuple[str, ...]]:
    """The meanings of states in a machine's module, by state: for this side and the other side, or for both.

    >>> meanings(pair.PAIR)["no_redundancy"], meanings(pair.PAIR)["out_of_service"], meanings(link.LINK)
    (('primary', 'down'), ('both down',), {})
    """
    lines = (MODULES[table.name].__doc__ or "").splitlines()
    heads = [number for number, line in enumerate(lines) if line.split()[:3] == ["state", "this", "other"]]
    if not heads:
        return {}
    this, other = lines[heads[0]].index("this"), lines[heads[0]].index("other")
    by_state: dict[str, tuple[str, ...]] = {}
    for line in itertools.takewhile(str.strip, lines[heads[0] + 1 :]):
        of_other = re.split(r"  +", line[other:])[0]
        by_state[line[:this].strip()] = tuple(text for text in (line[this:other].strip(), of_other) if text)
    return by_state


def mermaid(table: Table) -> Iterator[str]:
    """The lines of a Mermaid state diagram: one edge for each pair of states, labelled with all rows between them.

    The rows of a small machine that stay in a state are written inside the state.
    """
    yield from ("stateDiagram-v2", "    direction TB")
    if _is_small(table):
        yield f"    [*] --> {table.initial}"
    edges: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        if isinstance(row, Row) and (_is_small(table) or _is_documented_move(row)):
            for source in _sources(row, table):
                target = "" if row.destination in ("=", source) else row.destination
                edges.setdefault((source, target), []).append(_label(row))
    for source in dict.fromkeys(source for source, target in edges if not target):
        yield f"    {source} : {source}"
    for (source, target), labels in edges.items():
        if not target:
            yield from (f"    {source} : {label.replace('<br/>', ' ')}" for label in labels)
        else:
            aside = ["(other side)"] if target.startswith("~") else []
            yield f"    {source} --> {target.removeprefix('~')} : {'<br/>'.join((*dict.fromkeys(labels), *aside))}"


def _is_small(table: Table) -> bool:
    return sum(isinstance(row, Row) for row in table.rows) <= DRAWN_WHOLE


def _is_documented_move(row: Row) -> bool:
    return row.cite.startswith("[S") and row.destination not in ("=", row.source)


def _sources(row: Row | Ignored | Impossible, table: Table) -> Iterator[str]:
    for source in row.source.split():
        yield from table.sided if source == "*" else (source,)


def _label(row: Row) -> str:
    trigger = " or ".join(row.trigger.split())
    if len(trigger) > MERMAID_WIDTH:
        trigger = trigger.replace(" or ", "<br/>or ")
    guard = f"<br/>[{row.guard}]" if row.guard else ""
    outputs = f"<br/>/ {row.outputs.replace(';', ',')}" if row.outputs else ""
    return f"{trigger}{guard}{outputs}"


def _states(row: Row | Ignored | Impossible, table: Table) -> str:
    """The source states of a row, or `every state but ...` if that is shorter."""
    if row.source == "*":
        return "every state with a side"
    sources = set(_sources(row, table))
    every = [name.removesuffix("*") for name in table.states.split()]
    left_out = [name for name in every if name not in sources]
    if 0 < len(left_out) < len(sources) - 1:
        return f"every state but {', '.join(left_out)}"
    return ", ".join(row.source.split())


def _destination(row: Row) -> str:
    if row.destination == "=":
        return "stays"
    name = row.destination.removeprefix("~")
    return f"{name} (other side)" if row.destination.startswith("~") else name


def _section(table: Table, kind: type[Ignored] | type[Impossible], title: str, because: str) -> Iterator[str]:
    rows = [row for row in table.rows if isinstance(row, kind)]
    if rows:
        yield from ("", f"## {title}", "")
        yield from _markdown(
            ("state", "trigger", because), ((_states(row, table), row.trigger, row.reason) for row in rows)
        )


def _markdown(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
