"""From an event to triggers: what it says is taken into the state, and the machines that it concerns are triggered.

Nothing is decided here. An event that names what is not in the topology is refused with `CoreError`.

Rules of this module (numbered through the room, see `handling`):

1. A message about the mode of an application that is one of a redundant pair is for the pair; every other message is
   for the application. Only pairs have modes, and only they can compare the message with what both hosts report.
"""

from typing import assert_never

from ..alarms import HAPPENINGS, Happening, event_id
from ..events import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CommandUnconfirmed,
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    LogMessageReceived,
    StartRequested,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    VipReported,
)
from ..state import SolutionState
from ..tables.triggers import ApplicationTrigger, LinkTrigger, PairTrigger, Trigger
from ..topology import Topology
from .reports import Translated, must_be_in_sight, observe_mode, observe_report, observe_vip
from .results import translate_result
from .timing import timer_trigger


def translate(topology: Topology, state: SolutionState, event: Event) -> Translated:
    """The state with what an event says, and the triggers that follow; `CoreError` if the event is refused."""
    match event:
        case HostConnected():
            link = _link(topology, event.host, LinkTrigger.CONNECTED)
            state, triggers = observe_report(topology, state, topology.side_of(event.host), event.report)
            return state, (link, *triggers)
        case HostFellSilent():
            return state, (_link(topology, event.host, LinkTrigger.FELL_SILENT),)
        case HostHeard():
            return state, (_link(topology, event.host, LinkTrigger.HEARD),)
        case HostLost():
            return state, (_link(topology, event.host, LinkTrigger.LOST),)
        case HostLeft():
            return state, (_link(topology, event.host, LinkTrigger.LEFT),)
        case ApplicationReported():
            must_be_in_sight(topology, state, topology.find(event.application)[1])
            return observe_mode(topology, state, event.application, event.mode)
        case VipReported():
            side = topology.side_of(event.host)
            must_be_in_sight(topology, state, side)
            return observe_vip(state, side, event.held)
        case CommandSucceeded() | CommandFailed() | CommandTimedOut() | CommandUnclear() | CommandUnconfirmed():
            return translate_result(topology, state, event)
        case TimerFired():
            return state, (timer_trigger(topology, event.timer),)
        case SwitchoverRequested():
            pair, side = topology.find_redundant(event.application)
            return state, (Trigger(PairTrigger.THIS_REQUESTED, pair, side),)
        case StartRequested():
            return state, (Trigger(ApplicationTrigger.START_REQUESTED, topology.number_of(event.application)),)
        case StopRequested():
            return state, (Trigger(ApplicationTrigger.STOP_REQUESTED, topology.number_of(event.application)),)
        case LogMessageReceived():
            return state, (_message(topology, event_id(event.event_id), event.application),)
        case _:
            assert_never(event)


def _link(topology: Topology, host: str, name: LinkTrigger) -> Trigger:
    return Trigger(name, topology.side_of(host) - 1)


def _message(topology: Topology, message: str, application: str) -> Trigger:
    """What a message from outside triggers (rule 1)."""
    number, happening = topology.number_of(application), HAPPENINGS[message]
    is_redundant = number < 2 * len(topology.pairs)
    match happening:
        case Happening.PRIMARY if is_redundant:
            return Trigger(PairTrigger.THIS_LOGGED_PRIMARY, *topology.find(application))
        case Happening.BACKUP if is_redundant:
            return Trigger(PairTrigger.THIS_LOGGED_BACKUP, *topology.find(application))
        case Happening.FAILED:
            return Trigger(ApplicationTrigger.LOGGED_FAILED, number)
        case Happening.PRIMARY | Happening.BACKUP | Happening.STARTED:
            return Trigger(ApplicationTrigger.LOGGED_OTHER, number)
        case _:
            assert_never(happening)
