"""What an agent that only observes makes of the state: it tells hosts nothing, so no result will ever come.

What it would have told a host is journalled and then forgotten (`without_pending`): the machines are where they are
after giving a command, and advance on what the hosts report, because another hand did it. If nobody does it within the
time that a command may take, what was wished for is given up (`as_reported`); otherwise an old wish would hide the next
one. What moves itself in the core is the tables' business; here a state is only read off what the hosts reported.
"""

from attrs import evolve

from ..fsm import Mode, PairState, SolutionState, TimerFired, Topology
from ..fsm.facts import joint_view

NOBODY_DID_IT = TimerFired("observe")
"""What stands for that moment among the events; it is the agent's own timer, and the core never hears of it."""

TEXT = "nobody did what was withheld: the states are taken from what the hosts report"

_WISHING_PAIR = ("demoting_", "promoting_", "split_brain_", "no_brain_", "taking_over_")
_SETTLED_VIP = ("held_", "owed_", "absent_", "off", "out_of_sight")
_WISHING_PLACEMENT = ("gathering_", "waiting_")


def without_pending(state: SolutionState) -> SolutionState:
    """This state, with no command under way."""
    return evolve(state, pending=())


def as_reported(topology: Topology, state: SolutionState) -> SolutionState:
    """This state, with every machine that waits for something where the hosts' reports alone would have it.

    Where those leave it open (no primary, or two; two holders) it stays: what is wrong there is wrong on the hosts.
    """
    found = state
    for index, pair in enumerate(state.pairs):
        if pair.state.startswith(_WISHING_PAIR):
            found = found.with_pair(index, evolve(pair, state=_pair(pair, state.links)))
    if not state.vip.startswith(_SETTLED_VIP):
        found = found.with_vip(_vip(state))
    if state.placement.startswith(_WISHING_PLACEMENT):
        found = found.with_placement(_placement(found))
    return state if found == state else found.with_view(joint_view(topology, found))


def _pair(pair: PairState, links: tuple[str, str]) -> str:
    primaries = [side for side in (1, 2) if pair.modes[side - 1] is Mode.PRIMARY]
    if len(primaries) != 1:
        return pair.state
    (side,) = primaries
    match pair.modes[2 - side], links[2 - side]:
        case Mode.BACKUP, _:
            return f"redundant_{side}"
        case Mode.DOWN, _:
            return f"no_redundancy_{side}"
        case None, "lost":
            return f"peer_lost_{side}"
        case _:
            return pair.state


def _vip(state: SolutionState) -> str:
    match state.vip_held:
        case (True, False):
            return "held_1"
        case (False, True):
            return "held_2"
        case (False, False):
            return "off"
        case (True | False as here, None):
            return "owed_1" if here else "absent_1"
        case (None, True | False as here):
            return "owed_2" if here else "absent_2"
        case _:
            return state.vip


def _placement(state: SolutionState) -> str:
    """Where the primaries are, if all are where they are to be."""
    sides = {
        pair.state[-1] for pair in state.pairs if pair.state.startswith(("redundant_", "no_redundancy_", "peer_lost_"))
    }
    return f"together_{min(sides)}" if len(sides) == 1 else "apart" if sides else "unplaced"
