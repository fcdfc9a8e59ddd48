"""The lanes of an incident's timeline: conditions and their durations, as the agent knew them.

A lane has one subject (a host's connection, an application, the VIP on a host, the clients) and consists of stretches,
each from the moment of one handled event to that of another. Moments less than a tenth of a millisecond apart count as
one, because the picture cannot be read more precisely.
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
    """How a stretch is drawn; all looks can be distinguished without colour."""

    FULL = "full"
    LIGHT = "light"
    UNDER_WAY = "under-way"
    CROSSED = "crossed"
    UNKNOWN = "unknown"
    BARE = "bare"


@frozen
class Stretch:
    """A condition and its begin and end, in ms after the first event; None: it began earlier, or has not ended."""

    text: str
    look: Look
    begin_ms: float | None
    end_ms: float | None


@frozen
class Lane:
    """All stretches of one subject, in order, without gaps; `host` is empty for the clients."""

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
    """The lanes of both hosts, followed by the clients' lane."""
    topology, moments = incident.topology, _moments(incident)
    hosts = [lane for side in (1, 2) for lane in _host_lanes(topology, side, moments)]
    return (*hosts, Lane("", "clients", _stretches(moments, lambda state: _clients(topology, state))))


def service(incident: Incident, condition: str) -> tuple[Stretch, ...]:
    """When clients were `unserved`, or `in doubt`, as far as the agent knew; with exact times, not as drawn."""
    exact: Moments = [(None, incident.before), *((incident.at_ms(each), each.after) for each in incident.handled)]
    stretches = _stretches(exact, lambda state: _clients(incident.topology, state))
    return tuple(each for each in stretches if each.text == condition)


def instants_of(incident: Incident) -> list[float]:
    """The moments of the handled events, in ms after the first event, without duplicates."""
    return [at_ms for at_ms, _ in _moments(incident) if at_ms is not None]


def instant(at_ms: float) -> float:
    """A moment rounded to the picture's precision, 0.1 ms."""
    return round(at_ms, 1)


Moments = list[tuple[float | None, SolutionState]]


def _moments(incident: Incident) -> Moments:
    """The state after each moment, preceded by the state before all of them (with None in place of a moment)."""
    after = {instant(incident.at_ms(each)): each.after for each in incident.handled}
    return [(None, incident.before), *after.items()]


def _stretches(moments: Moments, show: Callable[[SolutionState], Shown]) -> tuple[Stretch, ...]:
    shown = [(at_ms, show(state)) for at_ms, state in moments]
    begins = [(condition, next(group)[0]) for condition, group in itertools.groupby(shown, key=lambda each: each[1])]
    ends = [*(begin for _, begin in begins[1:]), None]
    return tuple(Stretch(*condition, begin, end) for (condition, begin), end in zip(begins, ends, strict=True))


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
    ordered = _ordered(state, (topology.hosts[side - 1], topology.components[index].applications[side - 1]))
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
    """Whether the clients are served. If the serving host is silent this is in doubt: it may serve, or be gone."""
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
