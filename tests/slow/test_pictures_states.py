"""State diagrams: every row is drawn once, nothing lies on anything else, and the same bytes come out anywhere."""

import itertools
import os
import re
import subprocess
import sys

import pytest
from attrs import evolve
from support.pictures import SVG, overlaps, parsed
from switchover.agent.pictures.drawing.svg import STYLE
from switchover.agent.pictures.states.graph import graph_of, listed, mirror
from switchover.agent.pictures.states.maps import TROUBLE, rows_of
from switchover.agent.pictures.states.svg import layout, state_svg, views
from switchover.agent.pictures.states.views import View, moving
from switchover.fsm import (
    ALARM,
    APPLICATION,
    LINK,
    PAIR,
    PLACEMENT,
    VIP,
    CoreError,
    Decision,
    Table,
)

TABLES = (LINK, APPLICATION, PAIR, ALARM, PLACEMENT, VIP)
VIEWS = [pytest.param(table, view, id=f"{table.name}-{view.name}") for table in TABLES for view in views(table)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_row_that_moves_or_commands_is_in_exactly_one_view(table: Table):
    shown = [row for view in views(table) for row in rows_of(table, view)]
    assert sorted(map(str, shown)) == sorted(map(str, moving(table)))
    assert all(any(True for _ in rows_of(table, view)) for view in views(table))


@pytest.mark.parametrize("table", [PAIR, VIP], ids=lambda table: table.name)
def test_the_main_view_shows_what_the_documents_describe(table: Table):
    cited = [row for row in moving(table) if row.cite.startswith("[S") and row.destination != "="]
    assert set(cited) <= set(rows_of(table, views(table)[0]))


def drawn_in(table: Table, view: View) -> set[tuple[str, str, str, str, str]]:
    """The decisions in a view: from state to state, on a trigger with a guard, with commands; for both sides."""
    nodes, edges = graph_of(table, view) if view.map else (dict(enumerate(listed(table, view))), ())
    found: set[tuple[str, str, str, str, str]] = set()
    for edge in edges:
        for state, label in itertools.product(nodes[edge.source].states, edge.labels):
            found |= {(state, edge.target, *drawn) for drawn in decisions_of(label.triggers, label.commands)}
    for node in nodes.values():
        for state, label in itertools.product(node.states, node.inside):
            found |= {(state, state, *drawn) for drawn in decisions_of(label.triggers, label.commands)}
    return found | {tuple(exchanged(text) for text in drawn) for drawn in found}  # type: ignore[misc]


def decisions_of(lines: tuple[str, ...], commands: str) -> set[tuple[str, str, str]]:
    """Each trigger of a label with each of its guards; `side2_held or enabled` are two triggers."""
    triggers, _, guards = " ".join(lines).partition("[")
    found: set[tuple[str, str, str]] = set()
    stem = ""
    for word in triggers.replace(" or ", " or|").split():
        if word == "or":
            continue
        name = stem + word.removeprefix("or|") if word.startswith("or|") else word.removesuffix("or|")
        stem = name.rpartition("_")[0] + "_"
        found |= {(name, guard.strip(), commands) for guard in guards.removesuffix("]").split(" or ")}
    return found


def exchanged(text: str) -> str:
    """A text with the sides exchanged."""
    return re.sub(r"(?<=side)[12]|(?<=[_ ])[12]\b", lambda found: str(3 - int(found[0])), text)


def decided(decision: Decision) -> tuple[str, str, str, str, str]:
    """A decision in the same words."""
    outputs = "; ".join(f"{output.verb} {output.side}" if output.side else output.verb for output in decision.outputs)
    return (decision.source, str(decision.destination), decision.trigger, decision.guard, outputs)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_pictures_show_exactly_the_decisions_that_do_something(table: Table):
    drawn = set().union(*(drawn_in(table, view) for view in views(table)))
    decisions = {
        decided(decision)
        for decision in table.every_decision()
        if decision.destination is not None and (decision.outputs or decision.destination != decision.source)
    }
    assert drawn == decisions


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_state_has_a_box_in_some_view(table: Table):
    shown = {state for view in views(table) for node in layout(table, view).nodes.values() for state in node.states}
    assert shown == set(table.all_states)


@pytest.mark.parametrize(("table", "view"), VIEWS)
def test_nothing_lies_on_anything_else(table: Table, view: View):
    assert overlaps(layout(table, view)) == []


@pytest.mark.parametrize(("table", "view"), VIEWS)
def test_side_1_is_left_and_side_2_its_mirror_image(table: Table, view: View):
    found = layout(table, view)
    sided = {word: box for word, box in found.boxes.items() if found.has_ghosts and mirror(word) != word}
    for word, box in sided.items():
        assert box.middle[0] + found.boxes[mirror(word)].middle[0] == pytest.approx(2 * found.axis)
        if word.endswith("_1"):
            assert box.middle[0] < found.axis


@pytest.mark.parametrize(("table", "view"), VIEWS)
def test_boxes_name_their_states_and_trouble_stands_out(table: Table, view: View):
    states = {state for node in layout(table, view).nodes.values() for state in node.states}
    boxes = [
        (set(box.get("data-state", "").split()), set(box.get("class", "").split()))
        for box in parsed(state_svg(table, view)).iter(f"{SVG}rect")
        if box.get("data-state")
    ]
    assert {state for shown, _ in boxes for state in shown} == states
    for shown, classes in boxes:
        assert ("trouble" in classes) == all(re.sub(r"_[12]$", "", state) in TROUBLE for state in shown)


@pytest.mark.parametrize(("table", "view"), VIEWS)
def test_a_picture_says_what_it_shows_and_uses_only_styles_that_there_are(table: Table, view: View):
    picture = parsed(state_svg(table, view))
    assert picture.findtext(f"{SVG}title") == f"{table.name}: {view.title}"
    used = {style for part in picture.iter() for style in part.get("class", "").split()}
    assert used <= set(re.findall(r"\.([a-z]+)", STYLE))


def test_the_bytes_do_not_depend_on_the_order_of_sets():
    program = (
        "import hashlib; from switchover.fsm import PAIR; from switchover.agent.pictures.states.svg import *;"
        "print(hashlib.sha256(state_svg(PAIR, views(PAIR)[0]).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(  # noqa: S603  # this Python, and a program of this file
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (1, 2)
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("written", "instead", "problem"),
    [
        ("taking_over_2", ".", "the map of the view 'documented' of the component pair does not show taking_over_2"),
        ("redundant_1", ".", "the map of the view 'documented' of the component pair does not show redundant"),
        (
            "promoting_2",
            "promoted_2 promoting_2",
            "the map of the view 'documented' shows promoted_2, which is no state",
        ),
        ("demoting_2", "demoting_2 .", r"the map of the view 'documented' has lines of \[4, 5\] words"),
    ],
)
def test_a_map_that_does_not_fit_its_rows_is_refused(written: str, instead: str, problem: str):
    main, *_ = views(PAIR)
    broken = evolve(main, map=main.map.replace(written, instead))
    with pytest.raises(CoreError, match=problem):
        graph_of(PAIR, broken)
