"""What each state means to an operator: a phrase, and whether it is fine.

In the phrase of a state that belongs to a side, {this} is the host of that side and {other} is the other one.
"""

import enum
from collections.abc import Mapping, Sequence

from attrs import frozen


class Mark(enum.StrEnum):
    """Whether something is fine. What was not heard lately is `UNKNOWN`, never fine."""

    FINE = "fine"
    MOVING = "moving"
    TROUBLE = "trouble"
    UNKNOWN = "unknown"


@frozen
class Fact:
    """Something to show: the phrase, whether it is fine, and the application concerned, where there are several."""

    words: str
    mark: Mark
    about: str = ""


_FINE, _MOVING, _TROUBLE, _UNKNOWN = Mark

LINK: Mapping[str, Fact] = {
    "unknown": Fact("not heard of yet", _UNKNOWN),
    "connected": Fact("connected", _FINE),
    "silent": Fact("silent for half the detection time", _TROUBLE),
    "doubtful": Fact("silent, and so is the other host", _UNKNOWN),
    "lost": Fact("lost", _TROUBLE),
}

PAIR: Mapping[str, Fact] = {
    "redundant": Fact("primary on {this}, backup on {other}", _FINE),
    "no_redundancy": Fact("no redundancy: primary on {this}, down on {other}", _TROUBLE),
    "peer_lost": Fact("no redundancy: primary on {this}, {other} is lost", _TROUBLE),
    "split_brain": Fact("split brain: primary on both; {other} is being demoted", _TROUBLE),
    "demoting": Fact("switching to {this}: {other} is being demoted", _MOVING),
    "promoting": Fact("switching to {this}: it is being promoted", _MOVING),
    "both_backup": Fact("backup on both: {this} is being promoted", _MOVING),
    "taking_over": Fact("{this} takes over: down on {other}", _MOVING),
    "taking_over_lost": Fact("{this} takes over: {other} is lost", _MOVING),
    "cut_off": Fact("out of service: down on {this}, {other} is lost", _TROUBLE),
    "first_seen_primary": Fact("primary on {this}; waiting for {other}", _MOVING),
    "first_seen_backup": Fact("backup on {this}; waiting for {other}", _MOVING),
    "first_seen_down": Fact("down on {this}; waiting for {other}", _MOVING),
    "out_of_service": Fact("out of service: down on both hosts", _TROUBLE),
    "out_of_sight": Fact("neither host is heard", _UNKNOWN),
}

VIP: Mapping[str, Fact] = {
    "held": Fact("on {this}", _FINE),
    "owed": Fact("on {this}; {other} is lost and may hold it too", _TROUBLE),
    "enabling": Fact("being enabled on {this}", _MOVING),
    "enabling_owed": Fact("being enabled on {this}; {other} is lost and may hold it", _MOVING),
    "moving": Fact("moves from {other} to {this}", _MOVING),
    "clearing": Fact("being released by {other}, then enabled on {this}", _MOVING),
    "sharing": Fact("being enabled on {this}; {other} still holds it", _MOVING),
    "covering": Fact("being enabled on {this}; {other} holds it until then", _MOVING),
    "draining": Fact("on {this}; {other} still answers what it has received", _MOVING),
    "conflict": Fact("on both hosts; {other} must release it", _TROUBLE),
    "releasing": Fact("on {this}; {other} is releasing it", _MOVING),
    "leaving": Fact("being released by {this}", _MOVING),
    "leaving_owed": Fact("being released by {this}; {other} is lost and may hold it", _MOVING),
    "absent": Fact("not on {this}; {other} is lost and may hold it", _TROUBLE),
    "off": Fact("on neither host", _TROUBLE),
    "out_of_sight": Fact("neither host is heard", _UNKNOWN),
}

PLACEMENT: Mapping[str, Fact] = {
    "together": Fact("every primary is on {this}", _FINE),
    "gathering": Fact("all primaries are being moved to {this}", _MOVING),
    "waiting": Fact("moving all primaries to {this} failed; waiting to try again", _TROUBLE),
    "apart": Fact("the primaries are on both hosts, and neither host can run all of them", _TROUBLE),
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
"""The mode of an application, or the state of a monitored one; None: its host is not heard."""

UNKNOWN = Fact("unknown", _UNKNOWN)


def name_of(state: str) -> str:
    """The name of a state without its side.

    >>> name_of("redundant_1"), name_of("out_of_service")
    ('redundant', 'out_of_service')
    """
    return state[:-2] if state.endswith(("_1", "_2")) else state


def fact_of(facts: Mapping[str, Fact], state: str, hosts: Sequence[str]) -> Fact:
    """What a state means, with the names of the hosts.

    >>> fact_of(PAIR, "peer_lost_2", ["host1", "host2"]).words
    'no redundancy: primary on host2, host1 is lost'
    """
    fact = facts[name_of(state)]
    this = state.endswith("_2")
    return Fact(fact.words.format(this=hosts[this], other=hosts[not this]), fact.mark)
