"""What the tables need to know of the whole: which guards are true, and the joint view of the placement. All pure.

A guard is a name for a fact; what follows from it stands in the tables. What the facts mean are rules of this module
(numbered on from those of `handling`):

28. A promotion of a pair is under way while a promotion or a look at one of its applications has no result: a look
    follows a promotion of which nothing is known. It is overtaken if the other side has become the better one.
29. Of two primaries the only holder of the VIP outranks the other, because calls arrive there; else the one that has
    been primary for longer; else the first side, so that one always does.
30. A side can take all if every redundant pair that runs anywhere runs there. It is better than the other if it is the
    only one that can, or if it has everything that the other has, and more. Nothing moves for less.
31. The VIP follows the redundant pair whose alarms enable it, or the first pair if none does. There is no other sign of
    where the calls go.
32. A side serves if the pair that the VIP follows is primary there and is not the loser of a split brain. The loser is
    being demoted, and the VIP is not to be put where there will be no primary.
33. What was seen of the VIP is compared with its state only where no command for it is without a result. Until then it
    may still change, and the first difference, on the state's own side, is the one that counts.
34. The cause of an alarm is over when its application is no longer in that mode, no longer failed, or not running. Of
    an application outside, or of the mode of one that has none, nothing is known, and it is never over.
35. The joint view is `busy` while one pair is being switched, whatever the others are: it would not last. With
    primaries on both sides and no side better, the others follow the pair that the VIP follows.
"""

from typing import assert_never

from .alarms import HAPPENINGS, Alarm, Happening, ReactionKind, event_id
from .commands import LookAt, Promote
from .events import Mode
from .machines.pair import AT_REST, HAS_PRIMARY
from .machines.vip import HELD
from .state import SolutionState
from .tables.triggers import PlacementTrigger, Trigger, VipTrigger
from .topology import Topology, VipOrder

_ORDERS = {order: order.replace("-", "_") for order in VipOrder}
"""The guards of the VIP's table that name an order."""


def link_facts(state: SolutionState, side: int) -> frozenset[str]:
    """What the link of this side must know of its peer."""
    peer = state.links[2 - side]
    return frozenset({{"connected": "peer_in_sight", "silent": "peer_silent"}.get(peer, "peer_out_of_sight")})


def pair_facts(topology: Topology, state: SolutionState, index: int, guard: str) -> frozenset[str]:
    """Whether a promotion is under way, or which side wins a tie, or how each side compares with the other one.

    Any guard of a group says which of these is asked for (rules 28 to 30).
    """
    if guard.startswith("promotion"):
        targets = zip(topology.hosts, topology.pairs[index].applications, strict=True)
        pending = (command for target in targets for command in state.pending_for(target))
        is_under_way = any(isinstance(command, Promote | LookAt) for command in pending)
        if not is_under_way:
            return frozenset({"promotion_failed"})
        is_overtaken = better_side(topology, state) == 3 - int(state.pairs[index].state[-1])
        return frozenset({"promotion_overtaken" if is_overtaken else "promotion_runs"})
    if guard.endswith("outranks"):
        holders = [side for side in (1, 2) if state.vip_held[side - 1]]
        for_ms = state.pairs[index].primary_for_ms
        longest = 2 if for_ms[1] > for_ms[0] else 1
        return frozenset({f"side{holders[0] if len(holders) == 1 else longest}_outranks"})
    better = better_side(topology, state)
    return frozenset(
        {
            f"side1_is_{'worse' if better == 2 else 'no_worse'}",
            f"side2_is_{'worse' if better == 1 else 'no_worse'}",
            f"side1_is_{'better' if better == 1 else 'no_better'}",
            f"side2_is_{'better' if better == 2 else 'no_better'}",
        }
    )


def vip_facts(topology: Topology, state: SolutionState, guard: str) -> frozenset[str]:
    """The configured order, or on which side the pair that the VIP follows is being demoted, is primary, or serves.

    Any guard of a group says which of these is asked for (rules 31 and 32).
    """
    if guard in _ORDERS.values():
        return frozenset({_ORDERS[topology.vip_order]})
    pair = state.pairs[pair_of_the_vip(topology)]
    demoted = {"split_brain_1": 2, "split_brain_2": 1}.get(pair.state)
    if "_serves" in guard:
        primaries = [side for side in (1, 2) if pair.modes[side - 1] is Mode.PRIMARY and side != demoted]
        return frozenset(f"side{side}_{'serves' if side in primaries else 'serves_not'}" for side in (1, 2))
    if demoted:
        return frozenset({f"side{demoted}_is_demoted"})
    primaries = [side for side in (1, 2) if pair.modes[side - 1] is Mode.PRIMARY]
    return frozenset(f"side{side}_is_{'primary' if primaries == [side] else 'nothing'}" for side in (1, 2))


def vip_surprise(topology: Topology, state: SolutionState) -> Trigger | None:
    """What was seen of the VIP and is not as its state says, as a trigger; None if all is as it says (rule 33)."""
    name, _, this = state.vip.rpartition("_") if state.vip[-1] in "12" else (state.vip, "", "1")
    for side, expected in zip((int(this), 3 - int(this)), HELD.get(name, (None, None)), strict=True):
        seen = state.vip_held[side - 1]
        is_settled = not state.pending_for((topology.hosts[side - 1], "VIP"))
        if expected is not None and seen is not None and seen is not expected and is_settled:
            return Trigger(VipTrigger.seen(seen), side=side)
    return None


def pair_of_the_vip(topology: Topology) -> int:
    """The index of the redundant pair that the VIP follows: whose alarms enable it (rule 31)."""
    for alarm in topology.alarms:
        if any(reaction.do is ReactionKind.ENABLE_VIP for reaction in alarm.reactions):
            for index, pair in enumerate(topology.pairs):
                if alarm.application in pair.applications:
                    return index
    return 0


def components_up(topology: Topology, state: SolutionState, side: int) -> frozenset[str]:
    """The names of the pairs whose application on the side (1 or 2) runs, on a host that is in sight."""
    return frozenset(
        pair.name for index, pair in enumerate(topology.components) if state.applications[2 * index + side - 1] == "up"
    )


def sides_that_can(topology: Topology, state: SolutionState) -> set[int]:
    """The sides that can take all that is left of the solution (rule 30)."""
    first, second = components_up(topology, state, 1), components_up(topology, state, 2)
    needed = {pair.name for pair in topology.pairs} & (first | second)
    return {side for side, up in ((1, first), (2, second)) if up >= needed}


def better_side(topology: Topology, state: SolutionState) -> int | None:
    """The side that is better than the other (rule 30); None if neither is."""
    can = sides_that_can(topology, state)
    if len(can) == 1:
        return min(can)
    first, second = components_up(topology, state, 1), components_up(topology, state, 2)
    return 1 if first > second else 2 if second > first else None


def is_over(topology: Topology, state: SolutionState, alarm: Alarm) -> bool:
    """Whether the cause of an alarm, which its detect event reported, is over (rule 34)."""
    if alarm.application in topology.outside:
        return False
    happening = HAPPENINGS[event_id(alarm.detect)]
    runs = state.applications[topology.number_of(alarm.application)]
    pair, side = topology.find(alarm.application)
    match happening:
        case Happening.PRIMARY | Happening.BACKUP if pair >= len(topology.pairs):
            return False
        case Happening.PRIMARY:
            return state.pairs[pair].modes[side - 1] is not Mode.PRIMARY
        case Happening.BACKUP:
            return state.pairs[pair].modes[side - 1] is not Mode.BACKUP
        case Happening.FAILED:
            return runs not in ("down", "lost")
        case Happening.STARTED:
            return runs != "up"
        case _:
            assert_never(happening)


def joint_view(topology: Topology, state: SolutionState) -> str:
    """The joint view as `SolutionState.view` keeps it: the trigger of the placement, by its name in the table."""
    return str(joint_trigger(topology, state))


def joint_trigger(topology: Topology, state: SolutionState) -> Trigger:
    """The joint view as a trigger of the placement, whose table says what each one means (rule 35)."""
    primaries: dict[str, int] = {}
    for pair, pair_state in zip(topology.pairs, state.pairs, strict=True):
        if pair_state.state.startswith(HAS_PRIMARY):
            primaries[pair.name] = int(pair_state.state[-1])
        elif not pair_state.state.startswith(AT_REST):
            return Trigger(PlacementTrigger.BUSY)
    sides, can, better = set(primaries.values()), sides_that_can(topology, state), better_side(topology, state)
    if not sides:
        return Trigger(PlacementTrigger.NOTHING)
    if len(sides) == 1:
        (side,) = sides
        lacks = 3 - side in can and better == 3 - side
        return Trigger(PlacementTrigger.THIS_LACKS if lacks else PlacementTrigger.THIS_TOGETHER, side=side)
    if not can:
        return Trigger(PlacementTrigger.NONE)
    if better is None:
        followed = topology.pairs[pair_of_the_vip(topology)].name
        return Trigger(PlacementTrigger.THIS_EITHER, side=primaries.get(followed, 1))
    return Trigger(PlacementTrigger.THIS_GATHERS, side=better)
