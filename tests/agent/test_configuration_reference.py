"""The reference of the configuration: every key is explained, every example is accepted, every limit is enforced."""

import tomllib
from typing import Any

import pytest
from switchover.agent.configuration.explained import TABLES
from switchover.agent.configuration.load import TYPES
from switchover.agent.configuration.reference import Key, reference, tables
from switchover.agent.configuration.toml_structure import Structurer

FOUND = {name: (cls, keys) for name, cls, keys in tables()}
INSIDE = {"vip": ("announce",), "pairs": ("members",), "pairs.members": ("ocf",), "alarms": ("reactions",)}
"""What is within a table that has a section of its own, and is an array where there are several."""
ONE_OF_TWO = "password_env"


def value(example: str) -> Any:
    return tomllib.loads(f"x = {example}")["x"]


def examples(table: str) -> dict[str, Any]:
    """A table with the examples of all its keys."""
    table_of_examples = {key.name: value(key.explained.example) for key in FOUND[table][1] if key.name != ONE_OF_TWO}
    for inner in INSIDE.get(table, ()):
        within = examples(f"{table}.{inner}")
        table_of_examples[inner] = [within] if inner in ("members", "reactions") else within
    return table_of_examples


def faults(table: str, values: dict[str, Any]) -> list[str]:
    return [fault.what for fault in Structurer(TYPES).structure(values, FOUND[table][0])[1]]


def test_every_key_and_nothing_else_is_explained() -> None:
    assert {name: {key.name for key in keys} for name, (_, keys) in FOUND.items()} == {
        name: set(table.keys) for name, table in TABLES.items()
    }


@pytest.mark.parametrize("table", TABLES)
def test_the_examples_of_a_table_are_accepted_together(table: str) -> None:
    assert faults(table, examples(table)) == []


def test_either_way_to_give_the_password_is_accepted() -> None:
    given = examples("mlcmd")
    del given["password_file"]
    env = next(key for key in FOUND["mlcmd"][1] if key.name == ONE_OF_TWO)
    assert faults("mlcmd", given | {ONE_OF_TWO: value(env.explained.example)}) == []


LIMITED = [(name, key) for name, (_, keys) in FOUND.items() for key in keys if key.limits]


@pytest.mark.parametrize(("table", "key"), LIMITED, ids=[f"{name}.{key.name}" for name, key in LIMITED])
def test_the_limits_are_accepted_and_values_beyond_them_refused(table: str, key: Key) -> None:
    low, high = key.limits or (0, 0)
    given = examples(table)
    assert [len(faults(table, given | {key.name: n})) for n in (low, high, low - 1, high + 1)] == [0, 0, 1, 1]


def test_every_integer_has_limits() -> None:
    integers = [key for _, keys in FOUND.values() for key in keys if type(value(key.explained.example)) is int]
    assert [key.name for key in integers if not key.limits] == []


def test_a_key_with_a_unit_states_it() -> None:
    lines = reference().splitlines()
    assert "| `detection_ms` | integer, ms | 30 to 60000 | `300` |" in "".join(lines)
    assert "| `spool_max_age_s` | integer, s | 1 to 86400 | `60` |" in "".join(lines)
