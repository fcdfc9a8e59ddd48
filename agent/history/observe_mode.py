"""The state of an observing agent: it gives no command, so no result ever comes.

A command that it would have given is journalled and then dropped (`without_pending`). The machines are then in the
state after the command, and advance when the hosts report that somebody else did it. If nobody does it within the time
that a command may take, the agent gives it up (`as_reported`); otherwise an old request would hide the next one. All
decisions are still those of the tables: here a state is only derived from what the hosts reported.
"""

import itertools

from attrs import evolve

from ...fsm import Mode, PairState, SolutionState, TimerFired, Topology
from ...fsm.facts import joint_view
from ...fsm.machines import pair, placement, vip

NOBODY_DID_IT = TimerFired("observe")
"""The event at which a withheld command is given up: a timer of the agent, which the core never gets."""

TEXT = "nobody did what was withheld: the states are taken from what the hosts report"


def without_pending(state: SolutionState) -> SolutionState:
    """This state without pending commands."""
    return evolve(state, pending=())


def as_reported(topology: Topology, state: SolutionState) -> SolutionState:
    """This state, with every machine that is not at rest in the state that the hosts' reports alone suggest.

    Where the reports are ambiguous (no primary, or two; two holders) the machine stays: the hosts are in disorder.
    """
    reported = state
    for index, each in enumerate(state.pairs):
        if not each.state.startswith((*pair.AT_REST, "first_seen")):
            reported = reported.with_pair(index, evolve(each, state=_pair(each, state.links)))
    if not state.vip.startswith(vip.AT_REST):
        reported = reported.with_vip(_vip(state))
    if not state.placement.startswith(placement.AT_REST):
        reported = reported.with_placement(_placement(reported))
    return state if reported == state else reported.with_view(joint_view(topology, reported))


def _pair(pair_state: PairState, links: tuple[str, str]) -> str:
    primaries = [side for side in (1, 2) if pair_state.modes[side - 1] is Mode.PRIMARY]
    if len(primaries) != 1:
        return pair_state.state
    (side,) = primaries
    match pair_state.modes[2 - side], links[2 - side]:
        case Mode.BACKUP, _:
            return f"redundant_{side}"
        case Mode.DOWN, _:
            return f"no_redundancy_{side}"
        case None, "lost":
            return f"peer_lost_{side}"
        case _:
            return pair_state.state


def _vip(state: SolutionState) -> str:
    """The state at rest that fits the reports of both hosts; if none does, the present one."""
    for name, side in itertools.product(("held", "owed", "absent"), (1, 2)):
        if (state.vip_held[side - 1], state.vip_held[2 - side]) == vip.HELD[name]:
            return f"{name}_{side}"
    return "off" if state.vip_held == vip.HELD["off"] else state.vip


def _placement(state: SolutionState) -> str:
    """The state at rest that fits where the primaries are."""
    sides = {each.state[-1] for each in state.pairs if each.state.startswith(pair.HAS_PRIMARY)}
    return f"together_{min(sides)}" if len(sides) == 1 else "apart" if sides else "unplaced"
