"""The notation of the tables: what a text means, which texts are refused, and that the tables are easy to read."""

import re
from pathlib import Path

import pytest
from switchover import fsm
from switchover.fsm import ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP, CoreError
from switchover.fsm.machines import alarm, application, link, pair, placement, vip
from switchover.fsm.tables.notation import rows
from switchover.fsm.tables.table import Ignored, Impossible, Row

TABLES = {LINK: link, APPLICATION: application, PAIR: pair, ALARM: alarm, PLACEMENT: placement, VIP: vip}
TEXTS = ("MOVES", "IGNORED", "IMPOSSIBLE")
COLUMNS = 140
WORDS = 10

MOVES = """
# Light.
off: it is dark
    this_on                 -> lit / glow this; hum  [S2] manual 2-3  it is lit
LIT off: it changes
    other_on/up [warm]      -> ~dim                  warmth           the other one is lit
    other_on other_up       stays / hum              [S1] key notes   it hums
    out                     stays                    warmth           nothing happens
"""


def test_rows_that_move_are_read_as_written():
    assert rows("off lit* dim*", MOVES, "", groups={"LIT": "lit dim"}) == (
        Row("off", "this_on", "", "lit", "glow this; hum", "[S2] manual, steps 2-3", "it is lit"),
        Row("lit dim off", "other_on other_up", "warm", "~dim", "", "rule: warmth", "the other one is lit"),
        Row("lit dim off", "other_on other_up", "", "=", "hum", "[S1] key notes", "it hums"),
        Row("lit dim off", "out", "", "=", "", "rule: warmth", "nothing happens"),
    )


@pytest.mark.parametrize(
    ("written", "states"),
    [
        ("*", "*"),
        ("* off", "* off"),
        ("* but dim", "lit glowing"),
        ("* off but BRIGHT", "dim off"),
        ("BRIGHT but glowing", "lit"),
        ("FADED off", "dim off"),
    ],
)
def test_a_group_of_states_can_be_named(written, states):
    groups = {"BRIGHT": "lit glowing", "FADED": "* but BRIGHT"}
    result = rows("off lit* glowing* dim*", "", f"out  in {written}  it is out", f"out  in {written}  dark", groups)
    assert result == (Ignored(states, "out", "it is out"), Impossible(states, "out", "dark"))


@pytest.mark.parametrize(
    ("moves", "ignored", "problem"),
    [
        (
            "  on  -> lit  light  lit",
            "",
            "line 1, 'on  -> lit  light  lit': a row is: trigger .* below the states of its block",
        ),
        ("off:\n  on  lit  light  lit", "", "line 2, .*: a row is"),
        ("off:\n  on [a b]  -> lit  light  lit", "", "line 2, .*: a row is"),
        ("off:\n  on  -> lit  it is lit", "", "line 2, .*: there are 3 columns instead of 4"),
        ("DARK:\n  on  -> lit  light  lit", "", "line 1, 'DARK:': there is no group DARK"),
        ("LOOP:\n  on  -> lit  light  lit", "", "line 1, 'LOOP:': there is no group LOOP, or it contains itself"),
        ("", "on  in POOL  it is lit", "line 1, .*: there is no group POOL, or it contains itself"),
        ("", "on  lit  it is lit", "line 1, .*: states stand after the word `in`"),
        ("", "on  in * but off  it is lit", "line 1, .*: off cannot be left out of *"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_line(moves, ignored, problem):
    with pytest.raises(CoreError, match=problem):
        rows("off lit*", moves, ignored, groups={"LOOP": "off POOL", "POOL": "* but LOOP"})


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_reason_is_short(table):
    assert [row.reason for row in table.rows if len(row.reason.split()) > WORDS] == []


def test_no_line_of_a_table_is_too_wide():
    paths = sorted(Path(fsm.__file__).parent.glob("**/*.py"))
    assert len(paths) > len(TABLES)
    lines = [(path.name, line) for path in paths for line in path.read_text().splitlines()]
    assert [(name, line) for name, line in lines if len(line) > COLUMNS] == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_columns_of_neighbouring_rows_are_aligned(table):
    for text in (getattr(TABLES[table], name, "") for name in TEXTS):
        for block in re.split(r"\n(?:#.*)?\n|\n#.*\n", text):
            lines = [line for line in block.splitlines() if re.search(r"\S {2,}\S", line) and line[0] != "#"]
            starts = {tuple(match.end() for match in re.finditer(r" {2,}(?=\S)", line)) for line in lines}
            assert len(starts) <= 1, block


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_rule_that_a_row_cites_is_in_the_opening_prose(table):
    named = {name.lower() for name in re.findall(r"\*([^*]+)\*", TABLES[table].__doc__ or "")}
    cited = {row.cite.removeprefix("rule: ") for row in table.rows if isinstance(row, Row) if row.cite[0] != "["}
    assert {name.lower() for name in cited} - named == set()
