"""Rules about pairs: their states, the side that they make primary, and the requests that they follow.

Each public function returns True if its rule is broken, except `leaves_taking_over`, which selects steps.
"""

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
"""For each state of a pair, the modes that its hosts have reported, *this* and *other*, as listed in `pair`."""


def contradicts_reports(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """The state of a pair contradicts what the hosts have reported of it."""
    for index in range(len(core.topology.pairs)):
        pair = core.read(after, "pair", index)
        name, side = (pair.state[:-2], int(pair.state[-1])) if pair.state[-1] in "12" else (pair.state, 1)
        if _REPORTED[name] != (pair.modes[side - 1], pair.modes[2 - side]):
            return True
    return False


def promotes_unwanted_side(leaf: Leaf) -> bool:
    """A pair promotes a side that it does not want as primary, or demotes the one it wants.

    Or the placement gathers the pairs on another side than the one that its state names.
    """
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


def request_refused(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """A redundant pair does not switch although it is asked to, and the side asked for is no worse."""
    asked = _asked_for(core, leaf)
    if asked is None:
        return False
    pair, side = asked
    if core.read(before, "pair", pair).state != f"redundant_{3 - side}":
        return False
    is_worse = better_side(core.topology, core.state_of(before)) == 3 - side
    return not is_worse and core.read(after, "pair", pair).state != f"demoting_{side}"


def _asked_for(core: TabulatedCore, leaf: Leaf) -> tuple[int, int] | None:
    """The redundant pair, and the side that an operator or a message asks to be primary; None if there is none."""
    match leaf.occurrence[0]:
        case SwitchoverRequested(application):
            return core.topology.find_redundant(application)
        case LogMessageReceived(message, application):
            if application in core.topology.outside or HAPPENINGS[event_id(message)] is not Happening.PRIMARY:
                return None
            pair, side = core.topology.find(application)
            return (pair, side) if pair < len(core.topology.pairs) else None
        case _:
            return None


def wrong_tie_break(core: TabulatedCore, before: int, _after: int, leaf: Leaf) -> bool:
    """Both sides are primary, or both backup, when both are in sight again, and the VIP's only holder does not win."""
    event = leaf.occurrence[0]
    if not isinstance(event, HostConnected):
        return False
    for step in leaf.steps:
        target = step.decision.destination or ""
        if step.decision.source.startswith("first_seen") and target.startswith(("split_brain", "both_backup")):
            second = 3 - int(step.decision.source[-1])
            held = {second: event.report.vip_held, 3 - second: core.read(before, "held", 2 - second)}
            holders = [side for side, holds in held.items() if holds]
            if int(target[-1]) != (holders[0] if len(holders) == 1 else 1):
                return True
    return False


def same_backup_tried_again(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """One of two backups could not be promoted, or a look shows it still in backup, and the other is not tried next."""
    event = leaf.occurrence[-1]
    command, how = (event.command, event.how) if isinstance(event, Result) else (None, "")
    if not isinstance(command, Promote | LookAt) or how != ("failed" if isinstance(command, Promote) else "done"):
        return False
    pair, side = core.topology.find(command.application)
    tried = f"both_backup_{side}", f"promoting_{side}"
    pending = core.read(after, "pending", (command.host, command.application))
    is_again = core.read(before, "pair", pair).state in tried and core.read(after, "pair", pair).state in tried
    return is_again and not any(isinstance(each, Promote) for each in pending)


def leaves_taking_over(leaf: Leaf) -> bool:
    """A pair leaves the state in which it was taking over: `stray_promotion` judges whether it may."""
    return any(step.machine == PAIR.name and step.decision.source.startswith("taking_over") for step in leaf.steps)


def stray_promotion(core: TabulatedCore, before: int, _after: int, leaf: Leaf) -> bool:
    """A lost primary is taken back while its successor is being promoted and not demoted: both will be primary."""
    pairs = {pair.name: pair for pair in core.topology.pairs}
    for step in leaf.steps:
        source, target = step.decision.source, step.decision.destination or ""
        if step.machine == PAIR.name and source.startswith("taking_over") and target.startswith("redundant"):
            successor, old = int(source[-1]), int(target[-1])
            host, name = core.topology.hosts[successor - 1], pairs[step.subject].applications[successor - 1]
            pending = [each for each in core.read(before, "pending", (host, name)) if isinstance(each, Promote)]
            event = leaf.occurrence[0]
            is_answered = isinstance(event, Result) and event.command in pending
            is_undone = any(isinstance(each, Demote) and each.application == name for each in leaf.commands)
            if successor != old and pending and not is_answered and not is_undone:
                return True
    return False
