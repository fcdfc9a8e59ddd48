"""The views of every machine: the rows that each takes, and the places of its states."""

from collections.abc import Iterator, Mapping

from ....fsm.tables.table import Row, Table
from .pair_maps import PAIR_VIEWS
from .views import Rows, View, moving
from .vip_maps import VIP_VIEWS

TROUBLE = frozenset(("split_brain", "both_backup", "out_of_service", "cut_off", "conflict"))
"""The states that are highlighted, because a solution in them is in trouble."""

_LINK = (
    View(
        "all",
        "is the host heard?",
        groups={"known": "connected silent unknown"},
        gap=(240, 130),
        map="""
            unknown  connected  silent
            lost     .          doubtful
            .        known      .
        """,
    ),
)

_APPLICATION = (
    View(
        "all",
        "does it run?",
        gap=(250, 90),
        map="""
            up  .        down
            .   unknown  .
            .   lost     .
        """,
    ),
)

_ALARM = (
    View(
        "all",
        "when does a log message trigger its reactions?",
        gap=(260, 120),
        map="""
            clear    active
            rearmed  latched
        """,
    ),
)

_PLACEMENT = (
    View(
        "gathered",
        "the solution is moved to one host",
        takes=(
            Rows(source="together gathering waiting", destination="together ~together gathering ~gathering waiting"),
            Rows(source="waiting", trigger="retry"),
        ),
        gap=(110, 100),
        map="""
            together_1  .  .         .            .
            .           .  .         gathering_2  .
            .           .  .         waiting_2    .
            .           .  unplaced  .            .
        """,
    ),
    View(
        "begun",
        "nothing is decided, or neither host can take it all",
        groups={
            "undecided": "unplaced apart",
            "placed": "together gathering waiting",
            "decided": "together gathering waiting apart",
        },
        map="""
            together_1   .          .
            .            undecided  .
            gathering_1  .          .
            .            unplaced   .
            placed       apart      decided
        """,
    ),
)

VIEWS: Mapping[str, tuple[View, ...]] = {
    "host link": _LINK,
    "application": _APPLICATION,
    "alarm condition": _ALARM,
    "placement": _PLACEMENT,
    "component pair": PAIR_VIEWS,
    "Virtual IP": VIP_VIEWS,
}
"""The views of each machine, by its name; the first is the main one."""


def rows_of(table: Table, view: View) -> Iterator[Row]:
    """The rows that a view shows: those that it takes and no view before it takes."""
    for row in moving(table):
        first = next((each for each in VIEWS[table.name] if any(rows.take(row) for rows in each.takes)), None)
        if first is not None and first.name == view.name:
            yield row
