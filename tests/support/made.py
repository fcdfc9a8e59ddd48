"""The parts of documents that functions make: between `<!-- made by: NAME -->` and `<!-- end -->`."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import get_args

from attrs import fields
from switchover.agent.cli import main as cli
from switchover.agent.cli.usage import usage_of
from switchover.agent.configuration.reference import reference
from switchover.agent.simulation.world.faults import KINDS, KNOWN_TO_FAIL
from switchover.fsm import Command, Event

ROOT = Path(__file__).parents[2]
FLOORS = ("agent", "drivers", "fsm")

_TABLES = (Path("fsm/machines"), Path("fsm/tables"))
_DOORS = ("__init__", "__main__")
"""What only hands on what others have, at the top of a floor."""

_PART = re.compile(r"(<!-- made by: (?P<name>\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def make(text: str) -> str:
    """A document with all of these parts regenerated."""
    return _PART.sub(lambda part: f"{part[1]}\n{MAKERS[part['name']]().strip()}\n\n{part[3]}", text)


def folders() -> Iterator[Path]:
    """Every room, relative to the root: each floor, and below it the folders that have an `__init__`."""
    for floor in FLOORS:
        for file in sorted((ROOT / floor).rglob("__init__.py")):
            yield file.parent.relative_to(ROOT)


def sentence(folder: Path) -> str:
    """The purpose of a room: the first sentence of its `__init__` docstring."""
    text = ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text(encoding="utf-8")))
    assert text, f"{folder} says nothing of itself"
    first, *_ = text.partition("\n\n")
    return " ".join(first.split())


def rooms() -> str:
    """A table of all rooms, with their sentences."""
    lines = ["| room | what lives there |", "| --- | --- |"]
    for folder in folders():
        depth = len(folder.parts) - 1
        lines.append(f"| {'&nbsp;' * 4 * depth}`{folder.name}/` | {sentence(folder)} |")
    return "\n".join(lines)


def room_of(folder: Path) -> str:
    """The room in the picture: a folder right below a floor, or the floor itself."""
    return "/".join(folder.parts[:2])


def imports() -> Mapping[str, set[str]]:
    """Which rooms each room imports, whatever the depth at which a module stands.

    What the tables take from the core's top (errors, events) is not shown: it would be a way back.
    """
    imported: dict[str, set[str]] = {room_of(folder): set() for folder in folders()}
    for floor in FLOORS:
        for file in sorted((ROOT / floor).rglob("*.py")):
            folder = file.parent.relative_to(ROOT)
            if folder == Path(floor) and file.stem in _DOORS:
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.level:
                    hidden = {room_of(folder), *(["fsm"] if folder in _TABLES else [])}
                    imported[room_of(folder)] |= set(_imported(folder, node)) - hidden
    return imported


def _imported(folder: Path, node: ast.ImportFrom) -> Iterator[str]:
    base = Path(*folder.parts[: len(folder.parts) - node.level + 1], *(node.module or "").split("."))
    for place in [base / name.name for name in node.names] if (ROOT / base).is_dir() else [base]:
        while not (ROOT / place).is_dir():
            place = place.parent
        yield room_of(place)


_NOT_SHOWN = {"agent", "drivers"}
"""Floors that have hardly a module of their own."""


def picture() -> str:
    """The rooms and the directions of their imports, as Mermaid: an arrow is left out where a longer path shows it."""
    edges = imports()
    lines = ["```mermaid", "flowchart TD"]
    for floor in FLOORS:
        lines.append(f"    subgraph {floor}_floor [{floor}/]")
        for room in edges:
            if room.split("/")[0] == floor and (room != floor or floor == "fsm"):
                lines.append(f"        {_id(room)}[{room.rpartition('/')[2]}]")
        lines.append("    end")
    for room, others in edges.items():
        for other in sorted(others):
            if "/" not in room + other or {room, other} & _NOT_SHOWN:
                continue
            if not any(other in _below(edges, third) for third in others - {other, *_NOT_SHOWN}):
                lines.append(f"    {_id(room)} --> {_id(other)}")
    return "\n".join([*lines, "```"])


def _below(edges: Mapping[str, set[str]], room: str, seen: frozenset[str] = frozenset()) -> set[str]:
    if room in seen:
        return set()
    return edges[room].union(*(_below(edges, other, seen | {room}) for other in edges[room]))


def _id(room: str) -> str:
    return room.replace("/", "_") if "/" in room else f"{room}_itself"


def commands() -> str:
    """A table of the commands, as the parser defines them."""
    lines = ["| command | what it does | example |", "| --- | --- | --- |"]
    for command in usage_of(cli._parser()).commands:
        lines.append(f"| `switchover {command.name}` | {command.description.rstrip('.')} | `{command.example}` |")
    return "\n".join(lines)


def api(union: object) -> str:
    """A table of the classes in a union: events, or commands."""
    lines = ["| class | attributes | meaning |", "| --- | --- | --- |"]
    for cls in get_args(union):
        attributes = ", ".join(f"`{attribute.name}`" for attribute in fields(cls))
        first, *_ = (cls.__doc__ or "").partition("\n\n")
        lines.append(f"| `{cls.__name__}` | {attributes} | {' '.join(first.split())} |")
    return "\n".join(lines)


def simulated_faults(*, known: bool) -> str:
    """A table of the kinds of fault of the simulated world: those that show known faults, or all others."""
    shows = (" known fault |", " --- |") if known else ("", "")
    lines = [f"| kind | of each | an hour | what happens |{shows[0]}", f"| --- | --- | --- | --- |{shows[1]}"]
    for name, kind in KINDS.items():
        if (name in KNOWN_TO_FAIL) is known:
            size = f" ({kind.size[0]:g} to {kind.size[1]:g})" if any(kind.size) else ""
            lasts = f", for {kind.shortest_ms:,} to {kind.longest_ms:,} ms" if kind.longest_ms else ""
            shown = f" {KNOWN_TO_FAIL[name]} |" if known else ""
            lines.append(f"| `{name}` | {kind.where} | {kind.per_hour:g} | {kind.words}{size}{lasts} |{shown}")
    return "\n".join(lines)


MAKERS: Mapping[str, Callable[[], str]] = {
    "configuration": reference,
    "rooms": rooms,
    "imports": picture,
    "commands": commands,
    "core_events": lambda: api(Event),
    "simulated_faults": lambda: simulated_faults(known=False),
    "known_simulated_faults": lambda: simulated_faults(known=True),
    "core_commands": lambda: api(Command),
}
