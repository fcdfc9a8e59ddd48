"""What an agent that only observes makes of the state: it tells hosts nothing, so no result will ever come.

What it would have told a host is journalled and then forgotten (`without_pending`): the machines are where they are
after giving a command, and advance on what the hosts report, because another hand did it. If nobody does it within the
time that a command may take, what was wished for is given up (`as_reported`); otherwise an old wish would hide the next
one. What moves itself in the core is the tables' business; here a state is only read off what the hosts reported.
"""

import itertools

from attrs import evolve

from ...fsm import Mode, PairState, SolutionState, TimerFired, Topology
from ...fsm.facts import joint_view
from ...fsm.machines import pair, placement, vip

NOBODY_DID_IT = TimerFired("observe")
"""What stands for that moment among the events; it is the agent's own timer, and the core never hears of it."""

TEXT = "nobody did what was withheld: the states are taken from what the hosts report"


def without_pending(state: SolutionState) -> SolutionState:
    """This state, with no command under way."""
    return evolve(state, pending=())


def as_reported(topology: Topology, state: SolutionState) -> SolutionState:
    """This state, with every machine that waits for something where the hosts' reports alone would have it.

    Where those leave it open (no primary, or two; two holders) it stays: what is wrong there is wrong on the hosts.
    """
    found = state
    for index, each in enumerate(state.pairs):
        if not each.state.startswith((*pair.AT_REST, "first_seen")):
            found = found.with_pair(index, evolve(each, state=_pair(each, state.links)))
    if not state.vip.startswith(vip.AT_REST):
        found = found.with_vip(_vip(state))
    if not state.placement.startswith(placement.AT_REST):
        found = found.with_placement(_placement(found))
    return state if found == state else found.with_view(joint_view(topology, found))


def _pair(found: PairState, links: tuple[str, str]) -> str:
    primaries = [side for side in (1, 2) if found.modes[side - 1] is Mode.PRIMARY]
    if len(primaries) != 1:
        return found.state
    (side,) = primaries
    match found.modes[2 - side], links[2 - side]:
        case Mode.BACKUP, _:
            return f"redundant_{side}"
        case Mode.DOWN, _:
            return f"no_redundancy_{side}"
        case None, "lost":
            return f"peer_lost_{side}"
        case _:
            return found.state


def _vip(state: SolutionState) -> str:
    """The state at rest that says of both hosts what they report; the present one, if none does."""
    for name, side in itertools.product(("held", "owed", "absent"), (1, 2)):
        if (state.vip_held[side - 1], state.vip_held[2 - side]) == vip.HELD[name]:
            return f"{name}_{side}"
    return "off" if state.vip_held == vip.HELD["off"] else state.vip


def _placement(state: SolutionState) -> str:
    """Where the primaries are, if all are where they are to be."""
    sides = {found.state[-1] for found in state.pairs if found.state.startswith(pair.HAS_PRIMARY)}
    return f"together_{min(sides)}" if len(sides) == 1 else "apart" if sides else "unplaced"
