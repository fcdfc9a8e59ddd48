"""What each state means to an operator: a line of words, and how it stands with the solution then.

A state that belongs to a side names hosts: {this} is the one in the state's name, {other} the other one.
"""

import enum
from collections.abc import Mapping, Sequence

from attrs import frozen


class Mark(enum.StrEnum):
    """How it stands. `UNKNOWN` is everything that was not heard lately: never taken for fine."""

    FINE = "fine"
    MOVING = "moving"
    TROUBLE = "trouble"
    UNKNOWN = "unknown"


@frozen
class Fact:
    """Something that is shown: the words, how it stands, and whom it is about, if there are several."""

    words: str
    mark: Mark
    about: str = ""


_FINE, _MOVING, _TROUBLE, _UNKNOWN = Mark

LINK: Mapping[str, Fact] = {
    "unknown": Fact("not heard of yet", _UNKNOWN),
    "connected": Fact("connected", _FINE),
    "silent": Fact("silent for half the detection time", _TROUBLE),
    "doubtful": Fact("silent, as the other host is", _UNKNOWN),
    "lost": Fact("lost", _TROUBLE),
}

PAIR: Mapping[str, Fact] = {
    "redundant": Fact("primary on {this}, backup on {other}", _FINE),
    "no_redundancy": Fact("no redundancy: primary on {this}, down on {other}", _TROUBLE),
    "peer_lost": Fact("no redundancy: primary on {this}, {other} is lost", _TROUBLE),
    "split_brain": Fact("split brain: primary on both; {other} is to go into backup mode", _TROUBLE),
    "demoting": Fact("switching to {this}: {other} goes into backup mode", _MOVING),
    "promoting": Fact("switching to {this}: it goes into primary mode", _MOVING),
    "both_backup": Fact("backup on both: {this} goes into primary mode", _MOVING),
    "taking_over": Fact("{this} takes over: down on {other}", _MOVING),
    "taking_over_lost": Fact("{this} takes over: {other} is lost", _MOVING),
    "cut_off": Fact("out of service: down on {this}, {other} is lost", _TROUBLE),
    "first_seen_primary": Fact("primary on {this}; {other} is waited for", _MOVING),
    "first_seen_backup": Fact("backup on {this}; {other} is waited for", _MOVING),
    "first_seen_down": Fact("down on {this}; {other} is waited for", _MOVING),
    "out_of_service": Fact("out of service: down on both hosts", _TROUBLE),
    "out_of_sight": Fact("neither host is heard", _UNKNOWN),
}

VIP: Mapping[str, Fact] = {
    "held": Fact("on {this}", _FINE),
    "owed": Fact("on {this}; {other} is lost and may have it too", _TROUBLE),
    "enabling": Fact("{this} is being given it", _MOVING),
    "enabling_owed": Fact("{this} is being given it; {other} is lost and may have it", _MOVING),
    "moving": Fact("moves from {other} to {this}", _MOVING),
    "clearing": Fact("leaves {other}, then comes to {this}", _MOVING),
    "sharing": Fact("{this} is being given it; {other} still has it", _MOVING),
    "covering": Fact("{this} is being given it; {other} has it until then", _MOVING),
    "draining": Fact("on {this}; {other} answers what it has received", _MOVING),
    "conflict": Fact("on both hosts; {other} is to release it", _TROUBLE),
    "releasing": Fact("on {this}; {other} is releasing it", _MOVING),
    "leaving": Fact("leaves {this}", _MOVING),
    "leaving_owed": Fact("leaves {this}; {other} is lost and may have it", _MOVING),
    "absent": Fact("not on {this}; {other} is lost and may have it", _TROUBLE),
    "off": Fact("on neither host", _TROUBLE),
    "out_of_sight": Fact("neither host is heard", _UNKNOWN),
}

PLACEMENT: Mapping[str, Fact] = {
    "together": Fact("every primary is on {this}", _FINE),
    "gathering": Fact("everything is being brought to {this}", _MOVING),
    "waiting": Fact("an attempt to bring everything to {this} failed; it is tried again", _TROUBLE),
    "apart": Fact("the primaries are on both hosts, and neither can take all", _TROUBLE),
    "unplaced": Fact("no pair has a primary", _TROUBLE),
}

MODE: Mapping[str | None, Fact] = {
    "primary": Fact("primary", _FINE),
    "backup": Fact("backup", _FINE),
    "up": Fact("up", _FINE),
    "down": Fact("down", _TROUBLE),
    "lost": Fact("unknown", _UNKNOWN),
    "unknown": Fact("unknown", _UNKNOWN),
    None: Fact("unknown", _UNKNOWN),
}
"""Of an application; None, and two states of what is only monitored: its host does not tell it."""

UNKNOWN = Fact("unknown", _UNKNOWN)


def name_of(state: str) -> str:
    """A state without its side: `redundant_1` is `redundant`.

    >>> name_of("redundant_1"), name_of("out_of_service")
    ('redundant', 'out_of_service')
    """
    return state[:-2] if state.endswith(("_1", "_2")) else state


def fact_of(facts: Mapping[str, Fact], state: str, hosts: Sequence[str]) -> Fact:
    """What a state means, with the hosts' names in it.

    >>> fact_of(PAIR, "peer_lost_2", ["host1", "host2"]).words
    'no redundancy: primary on host2, host1 is lost'
    """
    fact = facts[name_of(state)]
    this = state.endswith("_2")
    return Fact(fact.words.format(this=hosts[this], other=hosts[not this]), fact.mark)
