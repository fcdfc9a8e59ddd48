"""The state diagrams of the page: each is drawn once, by a process of its own, so that the page goes on meanwhile.

Placing the labels takes seconds. `python -m switchover.agent.page.drawn TABLE VIEW` writes one to standard output.
"""

import asyncio
import os
import re
import sys
from collections.abc import Mapping

from ...fsm import PAIR, VIP
from ...fsm.tables.table import Table
from ..explain.meanings import name_of
from ..pictures.states.svg import state_svg, views
from ..pictures.states.views import View
from .helpers import Helpers

MACHINES: Mapping[str, Table] = {"pair": PAIR, "VIP": VIP}
"""The machines that are shown, by the kind of line in the overview."""

_NICE = 19


class Drawings:
    """The pictures that were drawn so far. One is drawn at a time, and each only once."""

    def __init__(self, helpers: Helpers) -> None:
        self._drawn: dict[tuple[str, str], str] = {}
        self._helpers = helpers
        self._turn = asyncio.Lock()

    async def draw(self, machine: str, view: str) -> str | None:
        """A view of a machine as SVG without a style of its own; None, and a line in the log, if it fails."""
        async with self._turn:
            if (machine, view) not in self._drawn:
                svg = await self._helpers.run(__name__, machine, view)
                if svg is None:
                    return None
                self._drawn[machine, view] = svg
            return self._drawn[machine, view]


def drawn_views(machine: str) -> tuple[View, ...]:
    """The views of a machine that have a map of states, the main one first."""
    return tuple(view for view in views(MACHINES[machine]) if view.map) if machine in MACHINES else ()


def catalogue() -> dict[str, list[dict[str, object]]]:
    """For each machine its views, with the states that each shows."""
    return {
        machine: [
            {"name": view.name, "title": view.title, "states": sorted(_states_in(table, view))}
            for view in drawn_views(machine)
        ]
        for machine, table in MACHINES.items()
    }


def _states_in(table: Table, view: View) -> set[str]:
    """The states of a view's map, and their mirror images."""
    bare = {name_of(word) for word in view.placement}
    return {state for state in table.all_states if name_of(state) in bare}


def _main(machine: str, name: str) -> None:
    os.nice(_NICE)
    view = next(each for each in drawn_views(machine) if each.name == name)
    print(re.sub(r"<style>.*?</style>", "", state_svg(MACHINES[machine], view), flags=re.DOTALL), end="")


if __name__ == "__main__":
    _main(*sys.argv[1:])
