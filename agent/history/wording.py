"""Events, guards and triggers as sentences for people.

The records of events and commands, which the journal keeps, are short and stable; what stands here may be improved.
"""

from collections.abc import Mapping

from ...fsm import Event, SolutionState, Topology
from ...fsm.events import CommandResult
from ...fsm.facts import components_up

_GUARDS: Mapping[str, str] = {
    "peer_in_sight": "the other host is heard",
    "peer_silent": "the other host is silent too",
    "peer_out_of_sight": "the other host is not heard either",
    "promotion_runs": "its promotion is under way",
    "promotion_overtaken": "its promotion is under way, and the other host has become the better one",
    "promotion_failed": "no promotion of it is under way any more",
    "together": "the VIP's order is together",
    "disable_first": "the VIP's order is disable-first",
    "enable_first": "the VIP's order is enable-first",
    "once": "alarms react once per incident",
    "literal": "alarms react as those of an SCS do",
    "_is_better": "{host} is the better one: {runs}",
    "_is_no_better": "{host} is no better: {runs}",
    "_is_worse": "{host} is worse: {runs}",
    "_is_no_worse": "{host} is no worse: {runs}",
    "_outranks": "{host} {rank}",
    "_is_demoted": "the component that the VIP follows is being demoted on {host}",
    "_is_primary": "the component that the VIP follows is primary on {host} alone",
    "_is_nothing": "the component that the VIP follows is not primary on {host} alone",
    "_serves": "the component that the VIP follows is primary on {host}",
    "_serves_not": "the component that the VIP follows is not primary on {host}",
}
"""What each guard means. One about a side stands without it; {host} is the host of that side."""


def guard_in_words(topology: Topology, state: SolutionState, guard: str) -> str:
    """Which condition let a row fire, with the facts of `state` behind it; empty for a row without a guard.

    `state` is the one after the event: no decision changes what the hosts reported.
    """
    if not guard.startswith("side"):
        return _GUARDS.get(guard, guard)
    side = int(guard[4])
    runs, rank = what_is_missing(topology, state) or "everything is up on both hosts", _rank(state, side)
    return _GUARDS[guard[5:]].format(host=topology.hosts[side - 1], runs=runs, rank=rank)


def what_is_missing(topology: Topology, state: SolutionState) -> str:
    """What does not run, on which host: this makes one host better than the other. Empty if everything runs."""
    names = [pair.name for pair in topology.components]
    missing = [
        f"{name} is not up on {host}"
        for side, host in enumerate(topology.hosts, start=1)
        for name in names
        if name not in components_up(topology, state, side)
    ]
    return ", ".join(missing)


def _rank(state: SolutionState, side: int) -> str:
    """Why a side won a tie (see `facts.pair_facts`)."""
    if state.vip_held[side - 1] and not state.vip_held[2 - side]:
        return "holds the VIP, and the other one does not"
    longest = any(pair.primary_for_ms[side - 1] > pair.primary_for_ms[2 - side] for pair in state.pairs)
    return "has been primary for longer" if longest else "is the first of two equals"


def trigger_in_words(topology: Topology, trigger: str) -> str:
    """A trigger, with the name of the host in place of its side.

    >>> from switchover.fsm import voicemail_topology
    >>> trigger_in_words(voicemail_topology(), "side2_disable_asked")
    'disable_asked (host2)'
    """
    side, _, what = trigger.partition("_")
    return f"{what} ({topology.hosts[int(side[4:]) - 1]})" if side in ("side1", "side2") else trigger


def event_in_words(event: Event, before: SolutionState) -> str:
    """An event; `before` is the state in which it came, with the pending commands, one of which it may answer."""
    if not isinstance(event, CommandResult):
        return event.words
    command = before.pending_by_id(event.id)
    return event.words_of(f"command {event.id}" if command is None else command.words)
