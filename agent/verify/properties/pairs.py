"""What breaks a rule about pairs: what they say, which side they make primary, and whom they obey."""

from ....fsm import (
    PAIR,
    PLACEMENT,
    Demote,
    HostConnected,
    LogMessageReceived,
    LookAt,
    Mode,
    Promote,
    SwitchoverRequested,
    event_id,
)
from ....fsm.alarms import HAPPENINGS, Happening
from ....fsm.facts import better_side
from ..model.core import Leaf, TabulatedCore
from ..model.watched import Result

_REPORTED = {
    "redundant": (Mode.PRIMARY, Mode.BACKUP),
    "no_redundancy": (Mode.PRIMARY, Mode.DOWN),
    "peer_lost": (Mode.PRIMARY, None),
    "split_brain": (Mode.PRIMARY, Mode.PRIMARY),
    "demoting": (Mode.BACKUP, Mode.PRIMARY),
    "promoting": (Mode.BACKUP, Mode.BACKUP),
    "both_backup": (Mode.BACKUP, Mode.BACKUP),
    "taking_over": (Mode.BACKUP, Mode.DOWN),
    "taking_over_lost": (Mode.BACKUP, None),
    "cut_off": (Mode.DOWN, None),
    "first_seen_primary": (Mode.PRIMARY, None),
    "first_seen_backup": (Mode.BACKUP, None),
    "first_seen_down": (Mode.DOWN, None),
    "out_of_service": (Mode.DOWN, Mode.DOWN),
    "out_of_sight": (None, None),
}
"""What the hosts have reported, *this* and *other*, when a pair is in a state, as the list in `pair` says."""


def errs(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """The state of a pair says something else than what the hosts have reported of it."""
    for index in range(len(core.topology.pairs)):
        pair = core.read(after, "pair", index)
        name, side = (pair.state[:-2], int(pair.state[-1])) if pair.state[-1] in "12" else (pair.state, 1)
        if _REPORTED[name] != (pair.modes[side - 1], pair.modes[2 - side]):
            return True
    return False


def wants_otherwise(leaf: Leaf) -> bool:
    """A pair promotes a side that it does not want as primary, or demotes the one that it wants; or all pairs do so."""
    for step in leaf.steps:
        if step.machine == PLACEMENT.name:
            gathered = [f"gathering_{output.side}" for output in step.decision.outputs if output.verb == "gather"]
            if gathered and gathered != [step.decision.destination]:
                return True
        if step.machine == PAIR.name:
            wanted = (step.decision.destination or "")[-1:]
            for output in step.decision.outputs:
                is_wanted = str(output.side) == wanted
                if output.verb == ("demote" if is_wanted else "promote"):
                    return True
    return False


def refuses(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """It is asked for while the pair is redundant, to a side that is no worse, and the pair does not switch."""
    asked = _asked_for(core, leaf)
    if asked is None:
        return False
    pair, side = asked
    if core.read(before, "pair", pair).state != f"redundant_{3 - side}":
        return False
    is_worse = better_side(core.topology, core.state_of(before)) == 3 - side
    return not is_worse and core.read(after, "pair", pair).state != f"demoting_{side}"


def _asked_for(core: TabulatedCore, leaf: Leaf) -> tuple[int, int] | None:
    """The redundant pair and the side that an operator, or a message, says is to be primary."""
    match leaf.told[0]:
        case SwitchoverRequested(application):
            return core.topology.find_redundant(application)
        case LogMessageReceived(message, application):
            if application in core.topology.outside or HAPPENINGS[event_id(message)] is not Happening.PRIMARY:
                return None
            pair, side = core.topology.find(application)
            return (pair, side) if pair < len(core.topology.pairs) else None
        case _:
            return None


def breaks_a_tie_otherwise(core: TabulatedCore, before: int, _after: int, leaf: Leaf) -> bool:
    """Both are primary, or both backup, when both are seen again: and it is not the VIP's only holder that wins."""
    said = leaf.told[0]
    if not isinstance(said, HostConnected):
        return False
    for step in leaf.steps:
        target = step.decision.destination or ""
        if step.decision.source.startswith("first_seen") and target.startswith(("split_brain", "both_backup")):
            second = 3 - int(step.decision.source[-1])
            held = {second: said.report.vip_held, 3 - second: core.read(before, "held", 2 - second)}
            holders = [side for side, holds in held.items() if holds]
            if int(target[-1]) != (holders[0] if len(holders) == 1 else 1):
                return True
    return False


def same_turn(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """One of two backups could not be promoted, or was looked at and is one still; it is not the other's turn."""
    said = leaf.told[-1]
    command, how = (said.command, said.how) if isinstance(said, Result) else (None, "")
    if not isinstance(command, Promote | LookAt) or how != ("failed" if isinstance(command, Promote) else "done"):
        return False
    pair, side = core.topology.find(command.application)
    tried = f"both_backup_{side}", f"promoting_{side}"
    told = core.read(after, "told", (command.host, command.application))
    is_again = core.read(before, "pair", pair).state in tried and core.read(after, "pair", pair).state in tried
    return is_again and not any(isinstance(each, Promote) for each in told)


def switches_back(leaf: Leaf) -> bool:
    """A pair is moved from where it was taking over: `strays` looks whether it may be."""
    return any(step.machine == PAIR.name and step.decision.source.startswith("taking_over") for step in leaf.steps)


def strays(core: TabulatedCore, before: int, _after: int, leaf: Leaf) -> bool:
    """A lost primary is taken back while its successor is being promoted and not demoted: both will be primary."""
    pairs = {pair.name: pair for pair in core.topology.pairs}
    for step in leaf.steps:
        source, target = step.decision.source, step.decision.destination or ""
        if step.machine == PAIR.name and source.startswith("taking_over") and target.startswith("redundant"):
            successor, old = int(source[-1]), int(target[-1])
            thing = core.topology.hosts[successor - 1], pairs[step.subject].applications[successor - 1]
            told = [each for each in core.read(before, "told", thing) if isinstance(each, Promote)]
            said = leaf.told[0]
            is_answered = isinstance(said, Result) and said.command in told
            is_undone = any(isinstance(each, Demote) and each.application == thing[1] for each in leaf.commands)
            if successor != old and told and not is_answered and not is_undone:
                return True
    return False
