"""What becomes of a command: from its result to triggers.

Rules of this module (numbered through the room, see `handling`):

5. A result without a pending command changes nothing. The command's host was lost since, and its commands were
   forgotten (rule 14), or the result came twice.
6. A result from a host that is not in sight changes nothing, and the command stays pending. What became of it is known
   when the host connects again and reports (rule 21), or is given up.
7. The result of a command that was overtaken triggers nothing: the last command about the same target decides.
   Otherwise the result of an older switchover would be taken for the newer one's. `commands.OVERTAKEN_BY`
   says which commands overtake which.
8. A VIP script that was overtaken and succeeded still says where the VIP is. It was seen there, and the VIP's machine
   compares what was seen with what it knows.
9. A start or stop triggers nothing, whatever becomes of it, and neither does an announcement that was made. No machine
   waits for it: how an application then runs, its host reports, and a failure stands in the journal.
10. A VIP script that timed out, was unclear or was not confirmed is no failure. It may have been done or be done yet:
    the interface is looked at, while a script that failed is run again. Promotions and demotions have a trigger for
    each, but for their tables one that was not confirmed is unclear.
11. A look that succeeded triggers only that it was done. What was seen, the host has reported as an event before.
"""

from typing import assert_never

from ..commands import (
    AnnounceVip,
    ApplicationCommand,
    Demote,
    DisableVip,
    EnableVip,
    HostCommand,
    LookAt,
    LookAtVip,
    Promote,
    Start,
    Stop,
    VipScript,
    overtakes,
    target_of,
)
from ..events import (
    CommandFailed,
    CommandResult,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CommandUnconfirmed,
    Failure,
)
from ..machines.link import IN_SIGHT
from ..state import SolutionState
from ..tables.triggers import PairTrigger, Trigger, VipTrigger
from ..topology import Topology
from .reports import Translated, observe_mode

_Names = dict[type[Failure], PairTrigger | VipTrigger]


def _alike(name: PairTrigger | VipTrigger) -> _Names:
    return {CommandFailed: name, CommandTimedOut: name, CommandUnclear: name, CommandUnconfirmed: name}


_FAILURES: dict[type[HostCommand], _Names] = {
    Promote: {
        CommandFailed: PairTrigger.THIS_PROMOTION_FAILED,
        CommandTimedOut: PairTrigger.THIS_PROMOTION_TIMED_OUT,
        CommandUnclear: PairTrigger.THIS_PROMOTION_UNCLEAR,
        CommandUnconfirmed: PairTrigger.THIS_PROMOTION_UNCLEAR,
    },
    Demote: {
        CommandFailed: PairTrigger.THIS_DEMOTION_FAILED,
        CommandTimedOut: PairTrigger.THIS_DEMOTION_TIMED_OUT,
        CommandUnclear: PairTrigger.THIS_DEMOTION_UNCLEAR,
        CommandUnconfirmed: PairTrigger.THIS_DEMOTION_UNCLEAR,
    },
    LookAt: _alike(PairTrigger.THIS_LOOK_FAILED),
    EnableVip: _alike(VipTrigger.THIS_SCRIPT_UNCLEAR) | {CommandFailed: VipTrigger.THIS_ENABLE_FAILED},  # rule 10
    DisableVip: _alike(VipTrigger.THIS_SCRIPT_UNCLEAR) | {CommandFailed: VipTrigger.THIS_DISABLE_FAILED},  # rule 10
    LookAtVip: _alike(VipTrigger.THIS_LOOK_FAILED),
    AnnounceVip: _alike(VipTrigger.THIS_ANNOUNCE_FAILED),
    Start: {},  # rule 9
    Stop: {},  # rule 9
}


def translate_result(topology: Topology, state: SolutionState, event: CommandResult) -> Translated:
    """The state with what a command's result says, and the triggers that follow from it."""
    command = state.pending_by_id(event.id)
    if command is None:
        return state, ()  # rule 5
    if state.links[topology.side_of(command.host) - 1] not in IN_SIGHT:
        return state, ()  # rule 6
    state = state.without_command(command)
    if any(overtakes(later, command) for later in state.pending_for(target_of(command))):
        if isinstance(event, CommandSucceeded) and isinstance(command, VipScript):
            state = state.with_vip_held(topology.side_of(command.host), command.held)  # rule 8
        return state, ()  # rule 7
    match event:
        case CommandSucceeded():
            return _success(topology, state, command)
        case CommandFailed() | CommandTimedOut() | CommandUnclear() | CommandUnconfirmed():
            return state, failure(topology, command, type(event))
        case _:
            assert_never(event)


def failure(topology: Topology, command: HostCommand, how: type[Failure] = CommandFailed) -> tuple[Trigger, ...]:
    """The triggers that follow when a command has failed or timed out, or if its outcome is not clear."""
    name = _FAILURES[type(command)].get(how)
    return () if name is None else (_about(topology, command, name),)


def _success(topology: Topology, state: SolutionState, command: HostCommand) -> Translated:
    match command:
        case Promote() | Demote():
            return observe_mode(topology, state, command.application, command.mode)
        case EnableVip() | DisableVip():
            name = VipTrigger.THIS_ENABLED if command.held else VipTrigger.THIS_RELEASED
            return state.with_vip_held(topology.side_of(command.host), command.held), (_about(topology, command, name),)
        case LookAt():
            return state, (_about(topology, command, PairTrigger.THIS_LOOKED),)  # rule 11
        case LookAtVip():
            return state, (_about(topology, command, VipTrigger.THIS_LOOKED),)  # rule 11
        case AnnounceVip() | Start() | Stop():
            return state, ()  # rule 9
        case _:
            assert_never(command)


def _about(topology: Topology, command: HostCommand, name: PairTrigger | VipTrigger) -> Trigger:
    """A trigger of the machine that a command is about, on the command's side."""
    if isinstance(command, ApplicationCommand):
        pair, side = topology.find(command.application)
        return Trigger(name, pair, side)
    return Trigger(name, side=topology.side_of(command.host))
