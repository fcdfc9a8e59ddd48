"""Whatever a file contains: every value has its place, and the file loads or is refused with places in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.configuration_texts import (
    BARE,
    BY_MLCMD,
    EXAMPLE,
    KEYS,
    MLCMD_TABLE,
    SIPS,
    VIP_FORM,
    VOICEMAIL,
    complaints,
    loaded,
)
from switchover.agent.configuration.load import ConfigurationError, Position, Problem, load
from switchover.agent.configuration.toml_source import MAX_BYTES, TomlPath, read_toml


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration") / "x.toml"


WHOLE_FILES: list[tuple[bytes, list[str]]] = [
    (b"", [
        "x.toml:1:1: missing table [solution]; add it",
        "x.toml:1:1: missing table [vip]; add it",
        "x.toml:1:1: missing tables [[hosts]]; add them",
        "x.toml:1:1: missing tables [[pairs]]; add them",
    ]),
    (b"solution = 1\nvip = []\nhosts = 1\npairs = [1]\nalarms = []\n", [
        "x.toml:1:12: solution is an integer; it must be a table",
        "x.toml:2:7: vip is an array; it must be a table",
        "x.toml:3:9: hosts is an integer; it must be an array of tables",
        "x.toml:4:10: item 1 of pairs is an integer; it must be a table",
        "x.toml:5:10: alarms is empty; it must have at least one item",
    ]),
    (b"[vip.announce]\ncuont = 5\n", [
        "x.toml:1:1: missing table [solution]; add it",
        "x.toml:1:1: missing tables [[hosts]]; add them",
        "x.toml:1:1: missing tables [[pairs]]; add them",
        f"x.toml:1:2: missing key 'addresses'; add it: an array, each item {VIP_FORM}",
        "x.toml:2:1: unknown key 'cuont'; did you mean 'count'?",
    ]),
    (b"[solution\nname = 1", ["x.toml:1:10: not TOML: Expected ']' at the end of a table declaration"]),
    (b"[vip]\na = [1,\n", ["x.toml:3:1: not TOML: Invalid value at the end of the file"]),
    (b"[vip]\n[vip]\n", ["x.toml:2:5: not TOML: Cannot declare ('vip',) twice"]),
    (b"# \xc3\xa9\nx = '\xff'\n", ["x.toml:2:6: byte 0xff is not UTF-8; save the file as UTF-8"]),
    (b"x = " + b"[" * 5000, ["x.toml:1:1: is nested too deeply; flatten it"]),
    (b"x." * 5000 + b"x = 1", ["x.toml:1:1: is nested too deeply; flatten it"]),
    (b"x" * (MAX_BYTES + 1), [f"x.toml: is larger than {MAX_BYTES} bytes; name a TOML file"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "lines"), WHOLE_FILES, ids=[repr(data[:20]) for data, _ in WHOLE_FILES])
def test_a_file_that_is_wrong_as_a_whole_is_refused(file: Path, data: bytes, lines: list[str]) -> None:
    """A file that is empty, has another structure, or is not TOML or not text."""
    assert complaints(file, data) == lines


def test_a_number_too_long_for_python_is_a_problem(file: Path) -> None:
    """tomllib raises a plain ValueError for it, without a position."""
    (line,) = complaints(file, b"x = " + b"9" * 5000)
    assert line.startswith("x.toml:1:1: not TOML: Exceeds the limit")


@pytest.mark.parametrize(("name", "reason"), [("none.toml", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_has_no_place(tmp_path: Path, name: str, reason: str) -> None:
    """The error names the file and no line."""
    file = str(tmp_path / name)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    what = f"cannot be read: {reason}; name a TOML file, such as one that 'switchover init' wrote"
    assert caught.value.problems == (Problem(file, None, what),)
    assert str(caught.value) == f"{file}: {what}"


ODD = """# é
"ü" . 'a b' = "é" # é
3.14 = 1
true = [ # [
  2, 'é', { x = 3, "y".z = 4 },
]
"é" = { "ä" = 5 }
[ t . 'u' ]
v = \"\"\"two
lines\"\"\"
[[h]]
n = 5
[[h.i]]
[h.j]
[[h]]
[[h.i]]
k = [[6], [[7]]]
[[h.i]]
k = -8
"""


def values_in(value: Any, path: TomlPath = ()) -> Iterator[tuple[TomlPath, Any]]:
    """Every value in a TOML document, with its path."""
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from values_in(item, (*path, key))


@pytest.mark.parametrize(
    "text",
    [ODD, ODD.replace("\n", "\r\n"), BARE, EXAMPLE, VOICEMAIL],
    ids=["odd", "CR LF", "bare", "example", "voicemail"],
)
def test_every_key_and_value_is_found_at_its_place(file: Path, text: str) -> None:
    """In characters, as an editor counts them; a byte order mark does not count."""
    file.write_bytes(f"\N{BYTE ORDER MARK}{text}".encode())
    source = read_toml(file)
    for path, value in values_in(source.values):
        if path and isinstance(path[-1], str):
            assert re.match(rf"""['"]?{path[-1]}""", rest_at(text, source.position(path, at_key=True)))
        if isinstance(value, str | int):
            assert re.match(rf"""['"]*{str(value).partition(chr(10))[0]}""", rest_at(text, source.position(path)))
        elif path and isinstance(path[-1], int):
            assert rest_at(text, source.position(path))[0] in "[{"


def rest_at(text: str, position: Position) -> str:
    """The rest of the line at a position."""
    return text.split("\n")[position.line - 1][position.column - 1 :]


def lines_shuffled(bare: str) -> st.SearchStrategy[str]:
    """A bare text after a few lines were deleted, copied elsewhere, or had their values swapped."""
    lines = bare.splitlines()
    places = st.integers(0, len(lines) - 1)
    edits = st.lists(st.tuples(st.sampled_from(["delete", "copy", "swap values"]), places, places), max_size=6)
    return edits.map(lambda steps: "\n".join(with_edits(lines, steps)))


def with_edits(lines: list[str], steps: list[tuple[str, int, int]]) -> list[str]:
    lines = list(lines)
    for step, one, other in steps:
        one, other = one % len(lines), other % len(lines)
        if step == "delete":
            del lines[one]
        elif step == "copy":
            lines.insert(other, lines[one])
        else:
            (key_1, is_1, value_1), (key_2, is_2, value_2) = lines[one].partition(" = "), lines[other].partition(" = ")
            lines[one], lines[other] = key_1 + is_1 + value_2, key_2 + is_2 + value_1
    return lines


TOML_WORDS = st.sampled_from(
    ['"', "'", '"""', "[", "]", "[[", "]]", "{", "}", "=", ",", ".", "#", "\n", " ", "\\", "0"]
)
TOML_KEYS = st.sampled_from(sorted(KEYS))


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.lists(TOML_WORDS | TOML_KEYS).map(lambda words: "".join(words).encode())
    | lines_shuffled(BARE).map(str.encode)
    | lines_shuffled(VOICEMAIL).map(str.encode)
    | lines_shuffled(VOICEMAIL.replace(SIPS, BY_MLCMD + MLCMD_TABLE)).map(str.encode)
)
def test_every_file_loads_or_is_refused(file: Path, data: bytes) -> None:
    """The only error is `ConfigurationError`, with places in the file; a file that loads has a topology."""
    lines = data.decode(errors="replace").split("\n")
    for problem in problems_with(file, data):
        assert problem.position
        assert 1 <= problem.position.line <= len(lines)
        assert 1 <= problem.position.column <= len(lines[problem.position.line - 1]) + 1
        assert "\n" not in str(problem)


def problems_with(file: Path, data: bytes) -> tuple[Problem, ...]:
    try:
        loaded(file, data).topology()
    except ConfigurationError as error:
        return error.problems
    return ()
