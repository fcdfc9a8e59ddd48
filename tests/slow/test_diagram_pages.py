"""The pages about the machines: Mermaid that a repository's web page draws, and tables with a reason in every line."""

import re

import pytest
from switchover.agent.pictures.states.pages import meanings, mermaid, page
from switchover.fsm import ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP, Table
from switchover.fsm.tables.table import Ignored, Impossible, Row

TABLES = (LINK, APPLICATION, PAIR, ALARM, PLACEMENT, VIP)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_page_has_every_row_in_one_line_of_its_table(table: Table):
    lines = [line for line in page(table).splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    for row in table.rows:
        assert any(f" | {row.reason} |" in line and f" | {row.trigger} | " in line for line in lines)
    heads = sum(any(isinstance(row, kind) for row in table.rows) for kind in (Row, Ignored, Impossible))
    assert len(lines) == len(table.rows) + heads


def test_a_row_in_its_page():
    assert (
        "| redundant | other_requested | other_is_no_worse | demoting (other side) | demote this"
        " | first the primary goes into backup mode | [S2] manual, steps 1-2 |"
    ) in page(PAIR).splitlines()


def test_a_page_begins_with_the_purpose_of_the_machine_and_shows_its_pictures():
    text = page(LINK, [("is the host heard?", "host-link-all.svg")])
    assert text.startswith("# The host link\n\nThe host link: does the SCS side hear this host's LCA?\n")
    assert "## Is the host heard?\n\n![is the host heard?](host-link-all.svg)\n" in text
    assert text.index("![") < text.index("```mermaid") < text.index("## What moves")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_mermaid_is_well_formed(table: Table):
    names = {state.strip("*") for state in table.states.split()}
    head, direction, *lines = mermaid(table)
    assert (head, direction.strip()) == ("stateDiagram-v2", "direction TB")
    for line in lines:
        start = re.fullmatch(r"    \[\*\] --> (\w+)", line)
        edge = re.fullmatch(r"    (\w+) --> (\w+) : ([^:;\n]+)", line)
        inside = re.fullmatch(r"    (\w+) : ([^:;\n]+)", line)
        found = start or edge or inside
        assert found, line
        assert set(found.groups()[: 2 if edge else 1]) <= names


def test_the_mermaid_of_a_small_machine_in_full():
    assert list(mermaid(ALARM)) == [
        "stateDiagram-v2",
        "    direction TB",
        "    [*] --> clear",
        "    active : active",
        "    latched : latched",
        "    clear --> active : detected<br/>/ react, start_cancel<br/>restated<br/>/ react, start_cancel",
        "    rearmed --> active : detected<br/>/ react, start_cancel<br/>restated<br/>/ react, start_cancel",
        "    active : detected / start_cancel",
        "    active : restated [once] / react",
        "    active : restated [literal]",
        "    active --> rearmed : over<br/>[once]",
        "    active --> latched : over<br/>[literal]",
        "    latched : detected / start_cancel",
        "    latched : restated",
        "    active --> clear : cancelled<br/>timed_out",
        "    rearmed --> clear : cancelled<br/>timed_out",
        "    latched --> clear : cancelled<br/>timed_out",
    ]


@pytest.mark.parametrize("table", [PAIR, VIP], ids=lambda table: table.name)
def test_the_mermaid_of_a_large_machine_has_the_moves_that_the_documents_describe(table: Table):
    cited = [
        row
        for row in table.rows
        if isinstance(row, Row) and row.cite.startswith("[S") and row.destination not in ("=", row.source)
    ]
    expected = {(source, row.destination.removeprefix("~")) for row in cited for source in row.source.split()}
    edges = [re.match(r"    (\w+) --> (\w+) :", line) for line in mermaid(table)]
    assert {edge.groups() for edge in edges if edge} == expected


def test_what_a_state_means_is_read_from_where_it_is_written():
    assert meanings(PAIR)["split_brain"] == ("primary", "primary, being demoted")
    assert meanings(VIP)["clearing"] == ("enables it next", "is disabling it")
    assert meanings(VIP)["off"] == ("neither holds it",)
    assert meanings(PLACEMENT) == {}
    assert set(meanings(VIP)) == {state.strip("*") for state in VIP.states.split()}


def test_states_that_a_row_leaves_out_are_named_where_they_are_fewer():
    lines = [line.split(" | ")[:2] for line in page(PAIR).splitlines()]
    assert ["| every state but split_brain, out_of_service, out_of_sight", "other_demotion_unclear"] in lines
    assert ["| every state but out_of_sight", "blinded"] in lines
    assert ["| every state with a side", "this_demotion_failed"] in lines
    assert ["| redundant, no_redundancy, peer_lost", "this_logged_primary"] in lines
