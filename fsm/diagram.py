"""Pictures and pages of the tables: Mermaid state diagrams and Markdown tables, made from the very rows that run.

A machine is drawn once, for *this* side; `(other side)` marks a row whose destination belongs to the other side.
"""

from collections.abc import Iterable, Iterator

from .table import Ignored, Row, Table

DRAWN_WHOLE = 20
"""A table with more rows than this is drawn with those alone that the documents describe; its page lists them all."""


def page(table: Table) -> str:
    """A page about one machine: its diagram, every row that moves, and every decision to stay, with their reasons."""
    rows = [row for row in table.rows if isinstance(row, Row)]
    stays = [row for row in table.rows if not isinstance(row, Row)]
    lines = [
        f"# The {table.name}",
        "",
        f"Generated from the table that runs: {len(table.all_states)} states, {len(table.all_triggers)} triggers,"
        f" {len(list(table.every_decision()))} decisions. *This* is the side in a state's name.",
        "",
        "The diagram shows every row."
        if _is_small(table)
        else "The diagram shows the rows that the documents describe.",
        "",
        "```mermaid",
        *mermaid(table),
        "```",
        "",
        "## What moves",
        "",
        *_markdown(
            ("state", "trigger", "if", "next state", "outputs", "why", "source"),
            (
                (row.source, row.trigger, row.guard, _destination(row), row.outputs, row.reason, row.cite)
                for row in rows
            ),
        ),
        "",
        "## What stays",
        "",
        *_markdown(
            ("state", "trigger", "decision", "why"),
            ((row.source, row.trigger, _kind(row), row.reason) for row in stays),
        ),
    ]
    return "\n".join(lines) + "\n"


def mermaid(table: Table) -> Iterator[str]:
    """The lines of a Mermaid state diagram: an edge from state to state, labelled with all that leads along it."""
    yield "stateDiagram-v2"
    if _is_small(table):
        yield f"    [*] --> {table.initial}"
    edges: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        if isinstance(row, Row) and (_is_small(table) or row.cite.startswith("[S")):
            for source in _sources(row, table):
                target = source if row.destination == "=" else row.destination.removeprefix("~")
                edges.setdefault((source, target), []).append(_label(row))
    for (source, target), labels in edges.items():
        yield f"    {source} --> {target} : {'<br/>'.join(dict.fromkeys(labels))}"


def _is_small(table: Table) -> bool:
    return sum(isinstance(row, Row) for row in table.rows) <= DRAWN_WHOLE


def _sources(row: Row, table: Table) -> Iterator[str]:
    for source in row.source.split():
        yield from table.sided if source == "*" else (source,)


def _label(row: Row) -> str:
    trigger = " or ".join(row.trigger.split())
    guard = f" [{row.guard}]" if row.guard else ""
    outputs = f" / {row.outputs.replace(';', ',')}" if row.outputs else ""
    return f"{trigger}{guard}{outputs}{' (other side)' if row.destination.startswith('~') else ''}"


def _destination(row: Row) -> str:
    if row.destination == "=":
        return "stays"
    name = row.destination.removeprefix("~")
    return f"{name} (other side)" if row.destination.startswith("~") else name


def _kind(row: object) -> str:
    return "ignored" if isinstance(row, Ignored) else "impossible"


def _markdown(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('*', 'any state with a side') for cell in row)} |"
