"""What the hosts report, taken into the state, and the triggers that follow.

Rules of this module (numbered through the room, see `handling`):

2. What is reported of a host that is not in sight is refused, and changes nothing. It came over a connection that has
   been given up, and what it says may be older than what the core knows.
3. A host that connects reports each of its applications, or it is refused. The core adopts what it finds before it
   commands anything, and what is left out of a report would go on to count as it was.
4. An application's machine is triggered only by what is new to it. Hosts repeat their reports, and a failure that is
   reported twice is to be logged once.
"""

from ..errors import CoreError
from ..events import HostReport, Mode
from ..machines.link import IN_SIGHT
from ..state import SolutionState
from ..tables.triggers import ApplicationTrigger, PairTrigger, Trigger, VipTrigger
from ..topology import Topology

Translated = tuple[SolutionState, tuple[Trigger, ...]]
"""The state with what an event says, and the triggers that follow, in order."""


def must_be_in_sight(topology: Topology, state: SolutionState, side: int) -> None:
    """Raises `CoreError` if the host of this side is not connected (rule 2)."""
    if state.links[side - 1] not in IN_SIGHT:
        raise CoreError(f"{topology.hosts[side - 1]} is not connected: what it says now does not count")


def observe_mode(topology: Topology, state: SolutionState, application: str, mode: Mode) -> Translated:
    """An application was seen to be in this mode."""
    pair, side = topology.find(application)
    _must_fit(topology, pair, application, mode)
    triggers = _application_triggers(state, topology.number_of(application), _condition(mode))
    if pair >= len(topology.pairs):
        return state, triggers
    return state.with_mode(pair, side, mode), (*triggers, Trigger(PairTrigger.seen(mode), pair, side))


def observe_vip(state: SolutionState, side: int, held: bool) -> Translated:
    """The VIP was seen to be on the host of this side, or not to be there."""
    return state.with_vip_held(side, held), (Trigger(VipTrigger.seen(held), side=side),)


def observe_report(topology: Topology, state: SolutionState, side: int, report: HostReport) -> Translated:
    """What a host reports when it connects; `CoreError` if it leaves out one of its applications (rule 3).

    The triggers are those of its applications. Its pairs and the VIP follow when its link has moved (rule 20).
    """
    components = topology.components
    expected = {pair.applications[side - 1] for pair in components}
    if set(report.modes) != expected:
        raise CoreError(f"a report of {topology.hosts[side - 1]} must name {', '.join(sorted(expected))}")
    triggers: list[Trigger] = []
    for index, pair in enumerate(components):
        name = pair.applications[side - 1]
        mode = report.modes[name]
        _must_fit(topology, index, name, mode)
        if index < len(topology.pairs):
            state = state.with_mode(index, side, mode, report.primary_for_ms.get(name, 0))
        triggers += _application_triggers(state, 2 * index + side - 1, _condition(mode))
    return state.with_vip_held(side, report.vip_held), tuple(triggers)


def out_of_sight(
    topology: Topology, state: SolutionState, side: int, condition: ApplicationTrigger
) -> tuple[Trigger, ...]:
    """The triggers of every application on the host of this side when it is `lost`, or the agent is `blinded`."""
    numbers = range(side - 1, 2 * len(topology.components), 2)
    return tuple(trigger for number in numbers for trigger in _application_triggers(state, number, condition))


def _condition(mode: Mode) -> ApplicationTrigger:
    return ApplicationTrigger.DOWN if mode is Mode.DOWN else ApplicationTrigger.UP


def _application_triggers(state: SolutionState, number: int, condition: ApplicationTrigger) -> tuple[Trigger, ...]:
    """The trigger of an application's machine, if the condition is new to it (rule 4)."""
    known = "unknown" if condition is ApplicationTrigger.BLINDED else condition.value
    return () if state.applications[number] == known else (Trigger(condition, number),)


def _must_fit(topology: Topology, pair: int, application: str, mode: Mode) -> None:
    modes = (Mode.PRIMARY, Mode.BACKUP, Mode.DOWN) if pair < len(topology.pairs) else (Mode.UP, Mode.DOWN)
    if mode not in modes:
        raise CoreError(f"{application} cannot be {mode}: it is {', '.join(modes[:-1])} or {modes[-1]}")
