"""The reference of the configuration, in Markdown, made of the settings classes: `docs/configuration.md`.

`python -m switchover.agent.configuration.reference` prints it. Types, limits, choices and defaults are read off the
classes; meanings and examples are in `explained`. A key without an explanation, or the other way round, is a KeyError.
"""

import enum
import json
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin

from attrs import NOTHING, Attribute, fields, frozen, has

from .explained import TABLES, Explained
from .load import TYPES
from .settings import Configuration
from .toml_structure import choices, rules

_UNITS = {"_ms": "ms", "_s": "s"}


@frozen
class Key:
    """A key of the file: its attribute, and the type as which it is read."""

    name: str
    attribute: "Attribute[Any]"
    type: Any
    explained: Explained

    @property
    def unit(self) -> str:
        """The unit of the value, which is the last part of the key's name; empty if it has none."""
        return next((unit for ending, unit in _UNITS.items() if self.name.endswith(ending)), "")

    @property
    def limits(self) -> tuple[int, int] | None:
        """The lowest and the highest value that are allowed; None for what is no integer."""
        return next((rule.limits for rule in rules(self.type)), None) or self.explained.limits


def tables(cls: Any = Configuration, path: tuple[str, ...] = ()) -> Iterator[tuple[str, type, list[Key]]]:
    """The tables of the file, each with its name, its class and its keys, those within it right behind it."""
    found: list[Key] = []
    nested: list[tuple[str, type]] = []
    name = ".".join(path)
    for attribute in fields(cls):
        wanted = _without_none(TYPES.get(cls, {}).get(attribute.name, attribute.type))
        inner = get_args(wanted)[0] if get_origin(wanted) is tuple else wanted
        if has(inner):
            nested.append((attribute.name, inner))
        else:
            found.append(Key(attribute.name, attribute, wanted, TABLES[name].keys[attribute.name]))
    if path:
        yield name, cls, found
    for key, inner in nested:
        yield from tables(inner, (*path, key))


def reference() -> str:
    """The tables of the reference, each under a heading."""
    made = {name: list(_section(name, keys)) for name, _, keys in tables()}
    return "\n".join(line for name in TABLES for line in made[name])


def _section(name: str, keys: list[Key]) -> Iterator[str]:
    arrays = ("hosts", "pairs", "pairs.members", "alarms")
    yield f"## {f'[[{name}]]' if name in arrays else name if name in _INLINE else f'[{name}]'}"
    yield ""
    yield TABLES[name].meaning
    yield ""
    yield "| key | type and unit | range | default | example | meaning |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for key in keys:
        cells = (
            f"`{key.name}`",
            _type(key),
            _range(key),
            _default(key),
            f"`{key.explained.example}`",
            key.explained.meaning,
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


_INLINE = ("pairs.members.ocf", "alarms.reactions")


def _type(key: Key) -> str:
    inner = get_args(key.type)[0] if get_origin(key.type) is tuple else key.type
    toml = next((rule.toml for rule in rules(inner)), int if inner is int else str)
    word = {int: "integer", str: "string"}[toml]
    word = f"array of {word}s" if inner is not key.type else word
    return f"{word}, {key.unit}" if key.unit else word


def _range(key: Key) -> str:
    inner = get_args(key.type)[0] if get_origin(key.type) is tuple else key.type
    if key.explained.form:
        return key.explained.form
    if key.limits:
        return "{} to {}".format(*key.limits)
    if known := choices(inner):
        return ", ".join(f"`{choice}`" for choice in known)
    description = next((rule.description for rule in rules(inner)), "any string")
    return description.partition(" such as ")[0].replace("a string that is ", "")


def _default(key: Key) -> str:
    default: object = key.attribute.default
    if default is NOTHING:
        return "required"
    return "none" if default in (None, "", ()) else f"`{_toml(default)}`"


def _toml(value: object) -> str:
    match value:
        case tuple():
            return f"[{', '.join(_toml(item) for item in cast(tuple[object, ...], value))}]"
        case enum.StrEnum() | Path() | str():
            return json.dumps(str(value))
        case int():
            return str(value)
        case _:
            return json.dumps(str(value))


def _without_none(cls: Any) -> Any:
    if get_origin(cls) in (Union, UnionType):
        found = [each for each in get_args(cls) if each is not NoneType]
        return found[0] if len(found) == 1 else cls
    return cls


if __name__ == "__main__":
    print(reference(), end="")
