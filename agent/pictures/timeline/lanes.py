"""What was so, and for how long, in an incident: the lanes of its timeline, as the agent knew it.

A lane is about one thing (a host's connection, an application, the VIP on a host, the clients) and consists of
stretches, each from one moment at which something was handled to another. Moments that are less than a tenth of a
millisecond apart count as one: nobody reads a picture more closely.
"""

import enum
import itertools
from collections.abc import Callable, Iterator

from attrs import frozen

from ....fsm import (
    Mode,
    SolutionState,
    Topology,
)
from ....fsm.facts import pair_of_the_vip
from ...history.incidents import Incident, is_served

_OWED = ("owed_", "enabling_owed_", "leaving_owed_", "absent_")


class Look(enum.StrEnum):
    """How a stretch is drawn: each is told from the others without colour."""

    FULL = "full"
    LIGHT = "light"
    UNDER_WAY = "under-way"
    CROSSED = "crossed"
    UNKNOWN = "unknown"
    BARE = "bare"


@frozen
class Stretch:
    """What was so from one moment to another, in ms after the first event; None: since before, or from then on."""

    text: str
    look: Look
    begin_ms: float | None
    end_ms: float | None


@frozen
class Lane:
    """All stretches of one thing, in order, without gaps; `host` is empty for what is on no host."""

    host: str
    name: str
    stretches: tuple[Stretch, ...]


Shown = tuple[str, Look]
_UNKNOWN: Shown = "not known", Look.UNKNOWN
_LINKS: dict[str, Shown] = {
    "connected": ("connected", Look.LIGHT),
    "silent": ("silent", Look.UNDER_WAY),
    "doubtful": ("silent, in doubt", Look.UNDER_WAY),
    "lost": ("lost", Look.CROSSED),
}
_MODES: dict[Mode | None, Shown] = {
    Mode.PRIMARY: ("primary", Look.FULL),
    Mode.BACKUP: ("backup", Look.LIGHT),
    Mode.DOWN: ("down", Look.CROSSED),
}


def lanes_of(incident: Incident) -> tuple[Lane, ...]:
    """The lanes of both hosts, then the one of the clients."""
    topology, moments = incident.topology, _moments(incident)
    hosts = [lane for side in (1, 2) for lane in _host_lanes(topology, side, moments)]
    return (*hosts, Lane("", "clients", _stretches(moments, lambda state: _clients(topology, state))))


def service(incident: Incident, how: str) -> tuple[Stretch, ...]:
    """When clients were `unserved`, or `in doubt`, as the agent knew it; times as they were, not as they are drawn."""
    exact: Moments = [(None, incident.before), *((incident.at_ms(each), each.after) for each in incident.handled)]
    stretches = _stretches(exact, lambda state: _clients(incident.topology, state))
    return tuple(each for each in stretches if each.text == how)


def instants_of(incident: Incident) -> list[float]:
    """The moments at which something was handled, in ms after the first event, each once."""
    return [at_ms for at_ms, _ in _moments(incident) if at_ms is not None]


def instant(at_ms: float) -> float:
    """The moment as the picture knows it."""
    return round(at_ms, 1)


Moments = list[tuple[float | None, SolutionState]]


def _moments(incident: Incident) -> Moments:
    """The state before, and the one after each moment; None is the time before the first."""
    after = {instant(incident.at_ms(each)): each.after for each in incident.handled}
    return [(None, incident.before), *after.items()]


def _stretches(moments: Moments, show: Callable[[SolutionState], Shown]) -> tuple[Stretch, ...]:
    shown = [(at_ms, show(state)) for at_ms, state in moments]
    begins = [(what, next(group)[0]) for what, group in itertools.groupby(shown, key=lambda each: each[1])]
    ends = [*(begin for _, begin in begins[1:]), None]
    return tuple(Stretch(*what, begin, end) for (what, begin), end in zip(begins, ends, strict=True))


def _host_lanes(topology: Topology, side: int, moments: Moments) -> Iterator[Lane]:
    host = topology.hosts[side - 1]

    def lane(name: str, show: Callable[[SolutionState], Shown]) -> Lane:
        return Lane(host, name, _stretches(moments, show))

    yield lane("connection", lambda state: _LINKS.get(state.links[side - 1], _UNKNOWN))
    for index, pair in enumerate(topology.components):
        name = pair.applications[side - 1]
        yield lane(name, lambda state, index=index: _application(topology, state, index, side))
    yield lane("VIP", lambda state: _vip(topology, state, side))


def _application(topology: Topology, state: SolutionState, index: int, side: int) -> Shown:
    thing = topology.hosts[side - 1], topology.components[index].applications[side - 1]
    ordered = _ordered(state, thing)
    if ordered:
        return ordered, Look.UNDER_WAY
    if index < len(topology.pairs):
        return _MODES.get(state.pairs[index].modes[side - 1], _UNKNOWN)
    runs = state.applications[2 * index + side - 1]
    return {"up": ("up", Look.LIGHT), "down": ("down", Look.CROSSED)}.get(runs, _UNKNOWN)


def _vip(topology: Topology, state: SolutionState, side: int) -> Shown:
    ordered, held = _ordered(state, (topology.hosts[side - 1], "VIP")), state.vip_held[side - 1]
    if ordered:
        return ordered, Look.UNDER_WAY
    if held is None:
        is_owed = state.vip.startswith(_OWED) and not state.vip.endswith(f"_{side}")
        return ("may have it", Look.UNKNOWN) if is_owed else _UNKNOWN
    return ("held", Look.FULL) if held else ("", Look.BARE)


def _ordered(state: SolutionState, target: tuple[str, str]) -> str:
    """What the latest pending command of a target does to it; empty if there is none."""
    return next((command.doing for command in reversed(state.pending_for(target)) if command.doing), "")


def _clients(topology: Topology, state: SolutionState) -> Shown:
    """Served by a host that fell silent is in doubt: perhaps it serves, and perhaps it is gone already."""
    modes, links = state.pairs[pair_of_the_vip(topology)].modes, state.links
    if not is_served(topology, state):
        if "doubtful" in links:
            return "in doubt", Look.UNKNOWN
        return _UNKNOWN if "unknown" in links or set(links) == {"lost"} else ("unserved", Look.CROSSED)
    serving = [
        link == "connected" and held and mode is Mode.PRIMARY
        for link, held, mode in zip(links, state.vip_held, modes, strict=True)
    ]
    return ("served", Look.LIGHT) if any(serving) else ("in doubt", Look.UNKNOWN)
