"""A TOML file as attrs classes, and every fault in it with its place in the file.

Three steps. `tomllib` reads the values but forgets where they stood. tree-sitter keeps positions but is lenient about
what is TOML, so it is asked only *where* something stands, never *what* the file says. cattrs structures the values;
the paths in its error groups, looked up among the positions, become lines of the form

    file:line:column: what is wrong; what would be right

Should tree-sitter's grammar ever trip over something legal, the position is that of the nearest enclosing table. It
did not in half a million random mutations that tomllib accepted; on 30 ways to write keys and values it agreed as well.
"""

import difflib
import enum
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import tree_sitter_toml
from attrs import Attribute, fields, frozen, has
from cattrs import AttributeValidationNote, Converter, IterableValidationNote
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override
from tree_sitter import Language, Node, Parser

MAX_BYTES = 1 << 20
"""The largest file that is read: beyond it the path is a mistake (a device, a log), not a configuration."""

T = TypeVar("T")

TomlPath = tuple[str | int, ...]
"""Where a value is in the document: keys, and indexes of arrays from 0, such as `("hosts", 0, "address")`."""


@frozen(order=True)
class Position:
    """A place in a text file; both count from 1, columns in characters."""

    line: int
    column: int


@frozen
class Problem:
    """One thing that is wrong with a file; `str()` of it is the one line to show. No position: it cannot be read."""

    file: str
    position: Position | None
    what: str

    def __str__(self) -> str:
        place = f":{self.position.line}:{self.position.column}" if self.position else ""
        return f"{self.file}{place}: {self.what}"


class ConfigurationError(Exception):
    """A configuration that cannot be used: `problems` holds everything that is wrong with it, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.position or Position(1, 1)))
        super().__init__("\n".join(map(str, self.problems)))


@frozen
class Fault:
    """What is wrong with the value at `path`, or with the key itself (`at_key`)."""

    path: TomlPath
    what: str
    at_key: bool = False


class UnfitError(ValueError):
    """A value that does not fit its key. The text continues a sentence that begins with the key: 'is 5; it must be'."""


@frozen
class TomlSource:
    """What a TOML file says (`values`) and where it says so (`keys` and `places`, the positions of keys and values)."""

    file: str
    values: Mapping[str, Any]
    keys: Mapping[TomlPath, Position]
    places: Mapping[TomlPath, Position]

    def problem(self, fault: Fault) -> Problem:
        """The fault with its place in the file."""
        return Problem(self.file, self.position(fault.path, at_key=fault.at_key), fault.what)

    def position(self, path: TomlPath, *, at_key: bool = False) -> Position:
        """Where the value or key at `path` stands; for what is not in the file, where its enclosing table begins."""
        key = self.keys.get(path)
        place = key if at_key else self.places.get(path, key)  # [a.b] alone makes a table `a` that is only a key there
        if place or not path:
            return place or Position(1, 1)
        return self.position(path[:-1])


def read_toml(path: str | Path) -> TomlSource:
    """The TOML file at `path`. `ConfigurationError` if it cannot be read, is not UTF-8 or not TOML."""
    file = str(path)
    text = _text(file)
    try:
        values = _values(file, text)
        keys, places = _Locator(text).positions()
    except RecursionError:
        raise ConfigurationError([Problem(file, Position(1, 1), "is nested too deeply; flatten it")]) from None
    return TomlSource(file, values, keys, places)


def _text(file: str) -> str:
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        what = f"cannot be read: {reason}; name a TOML file, such as one that 'switchover init' wrote"
        raise ConfigurationError([Problem(file, None, what)]) from None
    if len(data) > MAX_BYTES:
        raise ConfigurationError([Problem(file, None, f"is larger than {MAX_BYTES} bytes; name a TOML file")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        what = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigurationError([Problem(file, _end(before), what)]) from None


def _values(file: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # not only TOMLDecodeError: an integer of 5000 digits is one as well
        raise ConfigurationError([_not_toml(file, text, str(error))]) from None


def _end(text: str) -> Position:
    """The position of whatever follows `text`."""
    return Position(text.count("\n") + 1, len(text) - text.rfind("\n"))


def _not_toml(file: str, text: str, message: str) -> Problem:
    """tomllib's message as a problem: it writes the position in brackets behind the message."""
    what, _, place = message.rpartition(" (at ")
    found = re.fullmatch(r"line (\d+), column (\d+)\)", place)
    if found:
        return Problem(file, Position(int(found[1]), int(found[2])), f"not TOML: {what}")
    if place == "end of document)":
        return Problem(file, _end(text), f"not TOML: {what} at the end of the file")
    return Problem(file, Position(1, 1), f"not TOML: {message}")


class _Locator:
    """Collects the positions of all keys and values of a text that tomllib has accepted."""

    def __init__(self, text: str) -> None:
        self._data = text.encode()
        self._lines = self._data.split(b"\n")
        self._keys: dict[TomlPath, Position] = {}
        self._places: dict[TomlPath, Position] = {}
        self._lengths: dict[TomlPath, int] = {}  # how many tables each [[array]] has so far

    def positions(self) -> tuple[dict[TomlPath, Position], dict[TomlPath, Position]]:
        for node in Parser(Language(tree_sitter_toml.language())).parse(self._data).root_node.named_children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in ("table", "table_array_element"):
                self._table(node)
        return self._keys, self._places

    def _table(self, node: Node) -> None:
        header, *pairs = node.named_children
        path = self._key(header, ())
        self._places.setdefault(path, self._place(node))
        if node.type == "table_array_element":
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            path = (*path, index)
            self._places[path] = self._place(node)
        for pair in pairs:
            if pair.type == "pair":
                self._pair(pair, path)

    def _pair(self, node: Node, path: TomlPath) -> None:
        key, value = node.named_children[:2]
        self._value(value, self._key(key, path))

    def _value(self, node: Node, path: TomlPath) -> None:
        self._places.setdefault(path, self._place(node))
        children = [child for child in node.named_children if child.type != "comment"]
        if node.type == "array":
            for index, child in enumerate(children):
                self._value(child, (*path, index))
        elif node.type == "inline_table":
            for child in children:
                self._pair(child, path)

    def _key(self, node: Node, path: TomlPath) -> TomlPath:
        """The path of a key in the table at `path`. What a header names lies in the latest table of an array so far."""
        for part in _parts(node):
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
            path = (*path, _key_name(part))
            self._keys.setdefault(path, self._place(part))
        return path

    def _place(self, node: Node) -> Position:
        row, column = node.start_point
        return Position(row + 1, len(self._lines[row][:column].decode(errors="replace")) + 1)


def _parts(key: Node) -> list[Node]:
    """The parts of a key from left to right: tree-sitter nests a dotted key to the left."""
    nested = [part for part in key.named_children if part.type in ("bare_key", "quoted_key", "dotted_key")]
    return [leaf for part in nested for leaf in _parts(part)] if key.type == "dotted_key" else [key]


def _key_name(key: Node) -> str:
    text = (key.text or b"").decode()
    return next(iter(tomllib.loads(f"{text} = 0"))) if key.type == "quoted_key" else text


# Structuring is strict: TOML says what type a value has, so "300" for 300 is a mistake to report and not to repair.

_KINDS: dict[type, str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "a string",
    list: "an array",
    dict: "a table",
}


@frozen
class Rule:
    """How a value is written, for `Annotated`: its TOML type, what to tell people, and what makes a value of it.

    `read` raises `UnfitError`, or any `ValueError` if the description says it all.
    """

    toml: type
    description: str
    read: Callable[[Any], object]


def shown(value: object) -> str:
    """The value for a message: on one line, and cut short if it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def suggestion(word: str, known: Iterable[str]) -> str:
    """What was probably meant by `word`, or all that is known.

    >>> suggestion("adress", ["address", "name"]), suggestion("x", ["address", "name"])
    ("did you mean 'address'?", "known are 'address', 'name'")
    """
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(map(repr, names))}"


class Structurer:
    """Makes attrs classes of TOML values by cattrs, with exact types, known keys only, and the `Rule`s of types.

    `types` gives attributes of classes that know nothing of TOML the annotated type to read them as.
    Arrays become tuples and have at least one item; a validator of an attribute runs as well.
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
        converter.register_structure_hook_func(lambda cls: bool(_rules(cls)), _ruled)

    def structure(self, values: object, cls: type[T]) -> tuple[T | None, list[Fault]]:
        """An instance of the class; or None, and every fault that keeps the values from being one."""
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
    """What to write for a value of this type."""
    for rule in _rules(cls):
        return rule.description
    if get_origin(cls) is tuple:
        return "an array of tables" if has(get_args(cls)[0]) else f"an array, each item {describe(get_args(cls)[0])}"
    if _choices(cls):
        return f"one of {', '.join(map(repr, _choices(cls)))}"
    return {str: "a string", int: "an integer"}.get(cls, "a table")


def _rules(cls: Any) -> list[Rule]:
    return [note for note in getattr(cls, "__metadata__", ()) if isinstance(note, Rule)]


def _choices(cls: Any) -> dict[Any, object]:
    """What is written for each value of an enumeration or of a `Literal`; empty for other types."""
    if get_origin(cls) is Literal:
        return {choice: choice for choice in get_args(cls)}
    return {str(choice): choice for choice in cls} if isinstance(cls, type) and issubclass(cls, enum.StrEnum) else {}


def _expect(toml: type, value: object, description: str) -> None:
    """Exactly that type, so that true is no integer."""
    if type(value) is not toml:
        raise UnfitError(f"is {_KINDS.get(type(value), 'a date or time')}; it must be {description}")


def _complaint(name: str, error: ValueError) -> str:
    """A validator's message as part of ours: those of attrs are like "'count' must be >= 1: 0"."""
    return str(error).rpartition(":")[0].replace(repr(name), "it") or str(error)


def _plain(value: Any, cls: Any) -> object:
    _expect(cls, value, describe(cls))
    return value


def _choice(value: Any, cls: Any) -> object:
    _expect(str, value, describe(cls))
    choices = _choices(cls)
    if value not in choices:
        raise UnfitError(f"is {shown(value)}; {suggestion(value, choices)}")
    return choices[value]


def _ruled(value: Any, cls: Any) -> object:
    rule, *_ = _rules(cls)
    _expect(rule.toml, value, rule.description)
    try:
        return rule.read(value)
    except UnfitError:
        raise
    except ValueError:
        raise UnfitError(f"is {shown(value)}; it must be {rule.description}") from None


def _faults(error: BaseException, path: TomlPath) -> Iterator[Fault]:
    """The leaves of cattrs' group of errors; the last note of each tells the attribute or index that leads to it."""
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
    """How a message names a value: by its key alone, since the position in the file says the rest."""
    *_, parent, last = ("the file", *path)
    return last if isinstance(last, str) else f"item {last + 1} of {parent}"
