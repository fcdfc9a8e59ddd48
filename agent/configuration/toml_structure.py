"""Turns TOML values into attrs classes, through cattrs, and reports every fault with its path in the document.

It is strict: TOML has types, so "300" in place of 300 is reported as a mistake and not converted.
"""

import difflib
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

from attrs import Attribute, fields, frozen, has
from cattrs import AttributeValidationNote, Converter, IterableValidationNote
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from .toml_source import Fault, TomlPath

T = TypeVar("T")

_KINDS: dict[type, str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "a string",
    list: "an array",
    dict: "a table",
}


class UnfitError(ValueError):
    """A value does not fit its key. The text continues a sentence that begins with the key: 'is 5; it must be'."""


@frozen
class Rule:
    """How a value is written, for `Annotated`: its TOML type, its description for messages, and its conversion.

    `read` raises `UnfitError`, or any other `ValueError` if the description is enough of an explanation. `limits`: the
    lowest and the highest integer, both allowed; None for values that are not integers.
    """

    toml: type
    description: str
    read: Callable[[Any], object]
    limits: tuple[int, int] | None = None


def shown(value: object) -> str:
    """The value for a message: on one line, and shortened to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown word: the known word that was probably meant, or all known ones.

    >>> suggestion("adress", ["address", "name"]), suggestion("x", ["address", "name"])
    ("did you mean 'address'?", "known are 'address', 'name'")
    """
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(map(repr, names))}"


class Structurer:
    """Makes instances of attrs classes from TOML values: exact types, known keys only, and the `Rule`s of types.

    `types` gives the annotated types for attributes of classes that do not have them themselves. Arrays become tuples
    and must have at least one item. The attributes' validators run as well.
    """

    def __init__(self, types: Mapping[type, Mapping[str, Any]]) -> None:
        self._types = types
        self._converter = converter = Converter(detailed_validation=True, forbid_extra_keys=True)
        converter.register_structure_hook(str, _plain)
        converter.register_structure_hook(int, _plain)
        converter.register_structure_hook(enum.StrEnum, _choice)
        converter.register_structure_hook_factory(has, self._table_hook)
        converter.register_structure_hook_factory(lambda cls: get_origin(cls) is tuple, self._array_hook)
        converter.register_structure_hook_func(lambda cls: get_origin(cls) is Literal, _choice)
        converter.register_structure_hook_func(lambda cls: bool(rules(cls)), _ruled)

    def structure(self, values: object, cls: type[T]) -> tuple[T | None, list[Fault]]:
        """An instance of the class and no faults; or None and every fault in the values."""
        try:
            return self._converter.structure(values, cls), []
        except (BaseValidationError, UnfitError) as error:
            return None, list(_faults(error, ()))

    def _table_hook(self, cls: type) -> Callable[[Any, Any], object]:
        hooks: dict[str, Any] = {a.name: override(struct_hook=self._attribute_hook(cls, a)) for a in fields(cls)}
        known: Callable[[Any, Any], object] = make_dict_structure_fn(cast(Any, cls), self._converter, **hooks)

        def read(value: Any, wanted: Any) -> object:
            _expect(dict, value, "a table")
            return known(value, wanted)

        return read

    def _attribute_hook(self, cls: type, attribute: "Attribute[Any]") -> Callable[[Any, Any], object]:
        """A hook that also runs the attribute's validator, so that each attribute gets an error of its own.

        The validator sees None in place of the instance, which does not exist yet.
        """
        wanted = self._types.get(cls, {}).get(attribute.name, attribute.type)

        def read(value: Any, _: Any) -> object:
            result = self._converter.structure(value, wanted)
            try:
                if attribute.validator:
                    attribute.validator(None, attribute, result)
            except ValueError as error:
                raise UnfitError(f"is {shown(value)}; {_complaint(attribute.name, error)}") from None
            return result

        return read

    def _array_hook(self, cls: Any) -> Callable[[Any, Any], object]:
        item = get_args(cls)[0]

        def read(value: Any, _: Any) -> object:
            _expect(list, value, describe(cls))
            if not value:
                raise UnfitError("is empty; it must have at least one item")
            return tuple(self._converter.structure(value, list[item]))

        return read


def describe(cls: Any) -> str:
    """A description of the values of this type, for messages."""
    for rule in rules(cls):
        return rule.description
    if get_origin(cls) is tuple:
        return "an array of tables" if has(get_args(cls)[0]) else f"an array, each item {describe(get_args(cls)[0])}"
    if choices(cls):
        return f"one of {', '.join(map(repr, choices(cls)))}"
    return {str: "a string", int: "an integer"}.get(cls, "a table")


def rules(cls: Any) -> list[Rule]:
    """The rules that a type is annotated with; at most one has a meaning."""
    return [note for note in getattr(cls, "__metadata__", ()) if isinstance(note, Rule)]


def choices(cls: Any) -> dict[Any, object]:
    """The values of an enumeration or a `Literal` by their spelling; empty for other types."""
    if get_origin(cls) is Literal:
        return {choice: choice for choice in get_args(cls)}
    return {str(choice): choice for choice in cls} if isinstance(cls, type) and issubclass(cls, enum.StrEnum) else {}


def _expect(toml: type, value: object, description: str) -> None:
    """Raise `UnfitError` unless the value has exactly this type (true is not an integer)."""
    if type(value) is not toml:
        raise UnfitError(f"is {_KINDS.get(type(value), 'a date or time')}; it must be {description}")


def _complaint(name: str, error: ValueError) -> str:
    """A validator's message, adapted to ours: attrs writes "'count' must be >= 1: 0"."""
    return str(error).rpartition(":")[0].replace(repr(name), "it") or str(error)


def _plain(value: Any, cls: Any) -> object:
    _expect(cls, value, describe(cls))
    return value


def _choice(value: Any, cls: Any) -> object:
    _expect(str, value, describe(cls))
    known = choices(cls)
    if value not in known:
        raise UnfitError(f"is {shown(value)}; {suggestion(value, known)}")
    return known[value]


def _ruled(value: Any, cls: Any) -> object:
    rule, *_ = rules(cls)
    _expect(rule.toml, value, rule.description)
    try:
        return rule.read(value)
    except UnfitError:
        raise
    except ValueError:
        raise UnfitError(f"is {shown(value)}; it must be {rule.description}") from None


def _faults(error: BaseException, path: TomlPath) -> Iterator[Fault]:
    """The leaves of cattrs' group of errors; the last note of each error names its attribute or index."""
    note: Any = getattr(error, "__notes__", [None])[-1]
    if isinstance(note, AttributeValidationNote):
        path = (*path, note.name)
    elif isinstance(note, IterableValidationNote):
        path = (*path, note.index)
    if isinstance(error, BaseValidationError):
        for nested in error.exceptions:
            yield from _faults(nested, path)
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [attribute.name for attribute in fields(error.cl)]
        for key in error.extra_fields:
            yield Fault((*path, key), f"unknown key {shown(key)}; {suggestion(key, known)}", at_key=True)
    elif isinstance(error, KeyError):
        yield Fault(path, _missing(path, note.type))
    else:
        yield Fault(path, f"{label(path)} {error}")


def _missing(path: TomlPath, cls: Any) -> str:
    table = ".".join(key for key in path if isinstance(key, str))
    if has(cls):
        return f"missing table [{table}]; add it"
    if get_origin(cls) is tuple and has(get_args(cls)[0]):
        return f"missing tables [[{table}]]; add them"
    return f"missing key {path[-1]!r}; add it: {describe(cls)}"


def label(path: TomlPath) -> str:
    """The name of a value in messages: its key alone, because the position in the file gives the rest."""
    *_, parent, last = ("the file", *path)
    return last if isinstance(last, str) else f"item {last + 1} of {parent}"
