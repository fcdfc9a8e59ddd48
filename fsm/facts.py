"""The guards of the tables, evaluated: which of them are true of a state. Pure functions, no decisions."""

from .alarms import ReactionKind
from .commands import Promote
from .events import Mode
from .state import PairState, SolutionState
from .topology import Topology, VipOrder

_ORDERS = {
    VipOrder.TOGETHER: "together",
    VipOrder.DISABLE_FIRST: "disable_first",
    VipOrder.ENABLE_FIRST: "enable_first",
}


def link_facts(state: SolutionState, side: int) -> frozenset[str]:
    """What the link of this side must know of its peer."""
    peer = state.links[2 - side]
    return frozenset({{"connected": "peer_in_sight", "silent": "peer_silent"}.get(peer, "peer_out_of_sight")})


def pair_facts(state: SolutionState, pair: PairState, applications: tuple[str, str]) -> frozenset[str]:
    """Whether a promotion is under way, and which side wins a tie.

    That is the VIP's only holder, else the longest primary, else the first.
    """
    promoted = {command.application for command in state.pending if isinstance(command, Promote)}
    promotion = "promotion_runs" if promoted & set(applications) else "promotion_failed"
    holders = [side for side in (1, 2) if state.vip_held[side - 1]]
    longest = 2 if pair.primary_for_ms[1] > pair.primary_for_ms[0] else 1
    return frozenset({promotion, f"side{holders[0] if len(holders) == 1 else longest}_outranks"})


def vip_facts(topology: Topology, state: SolutionState) -> frozenset[str]:
    """The configured order, and on which side the pair that the VIP follows is being demoted, or is primary."""
    pair = state.pairs[pair_of_the_vip(topology)]
    demoted = {"split_brain_1": 2, "split_brain_2": 1}.get(pair.state)
    order = _ORDERS[topology.vip_order]
    if demoted:
        return frozenset({order, f"side{demoted}_is_demoted"})
    primaries = [side for side in (1, 2) if pair.modes[side - 1] is Mode.PRIMARY]
    return frozenset({order, *(f"side{side}_is_{'primary' if primaries == [side] else 'nothing'}" for side in (1, 2))})


def pair_of_the_vip(topology: Topology) -> int:
    """The index of the pair that the VIP follows: the one whose alarms enable it, or the first if none does."""
    for alarm in topology.alarms:
        if any(reaction.do is ReactionKind.ENABLE_VIP for reaction in alarm.reactions):
            return next(index for index, pair in enumerate(topology.pairs) if alarm.application in pair.applications)
    return 0
