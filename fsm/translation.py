"""From events to triggers: what an event says is noted in the state, and which machines are told of it.

No decision is taken here: an event that names what is not there, or speaks for a host that is not connected, is
refused, and everything else is for the tables.
"""

from attrs import frozen

from .alarms import HAPPENINGS, Happening, event_id
from .commands import (
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
    overtakes,
    target_of,
)
from .errors import CoreError
from .events import (
    ApplicationReported,
    CommandFailed,
    CommandResult,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    StartRequested,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    VipReported,
)
from .state import SolutionState
from .timers import TimerKind, kind_of, subject_of
from .topology import Topology

LINK_TRIGGERS = {
    HostConnected: "connected",
    HostFellSilent: "fell_silent",
    HostHeard: "heard",
    HostLost: "lost",
    HostLeft: "left",
}

_IN_SIGHT = ("connected", "silent")

_RESULTS = {CommandFailed: "failed", CommandTimedOut: "timed_out", CommandUnclear: "unclear"}


@frozen
class Trigger:
    """A trigger for one machine: `machine` is its name for us, `index` says whose it is (a link, pair, alarm, ...)."""

    machine: str
    index: int
    name: str


Translated = tuple[SolutionState, tuple[Trigger, ...]]
"""The state with what was noted, and the triggers that follow, in order."""


def translate(topology: Topology, state: SolutionState, event: Event) -> Translated:
    """What an event changes of what is known, and whom it is told; `CoreError` if it is refused."""
    match event:
        case HostConnected() | HostFellSilent() | HostHeard() | HostLost() | HostLeft():
            side = topology.side_of(event.host)
            trigger = Trigger("link", side - 1, LINK_TRIGGERS[type(event)])
            if not isinstance(event, HostConnected):
                return state, (trigger,)
            noted, told = _note_report(topology, state, side, event.report)
            return noted, (trigger, *told)
        case ApplicationReported():
            pair, side = topology.find(event.application)
            _must_be_connected(topology, state, side)
            return observe_mode(topology, state, event.application, event.mode)
        case VipReported():
            side = topology.side_of(event.host)
            _must_be_connected(topology, state, side)
            return observe_vip(state, side, event.held)
        case CommandSucceeded() | CommandFailed() | CommandTimedOut() | CommandUnclear():
            return _result(topology, state, event)
        case TimerFired():
            return state, (_timer(topology, event.timer),)
        case SwitchoverRequested():
            pair, side = topology.find_redundant(event.application)
            return state, (Trigger("pair", pair, f"side{side}_requested"),)
        case StartRequested() | StopRequested():
            what = "start_requested" if isinstance(event, StartRequested) else "stop_requested"
            return state, (Trigger("application", topology.number_of(event.application), what),)
        case LogMessageReceived():
            return state, (_message(topology, event_id(event.event_id), event.application),)


def observe_mode(topology: Topology, state: SolutionState, application: str, mode: Mode) -> Translated:
    """An application was seen to be in this mode."""
    pair, side = topology.find(application)
    _must_fit(topology, pair, application, mode)
    told = tell_application(state, topology.number_of(application), "down" if mode is Mode.DOWN else "up")
    if pair >= len(topology.pairs):
        return state, told
    return state.with_mode(pair, side, mode), (*told, Trigger("pair", pair, f"side{side}_{mode}"))


def tell_application(state: SolutionState, number: int, condition: str) -> tuple[Trigger, ...]:
    """An application is `up`, `down`, `lost` or `blinded`: its machine is told, if that is news to it."""
    known = "unknown" if condition == "blinded" else condition
    return () if state.applications[number] == known else (Trigger("application", number, condition),)


def tell_applications(topology: Topology, state: SolutionState, side: int, condition: str) -> tuple[Trigger, ...]:
    """As `tell_application`, for every application on the host of this side."""
    numbers = range(side - 1, 2 * len(topology.components), 2)
    return tuple(trigger for number in numbers for trigger in tell_application(state, number, condition))


def observe_vip(state: SolutionState, side: int, held: bool) -> Translated:
    """The VIP was seen to be on the host of this side, or not to be there."""
    return state.with_vip_held(side, held), (Trigger("vip", 0, f"side{side}_{'held' if held else 'free'}"),)


def _note_report(topology: Topology, state: SolutionState, side: int, report: HostReport) -> Translated:
    """Everything that a host reports when it connects; `CoreError` unless it tells of all of its applications.

    Its applications are told at once; its pairs and the VIP when the link has taken it in.
    """
    components = topology.components
    expected = {pair.applications[side - 1] for pair in components}
    if set(report.modes) != expected:
        raise CoreError(f"a report of {topology.hosts[side - 1]} must tell of {', '.join(sorted(expected))}")
    told: list[Trigger] = []
    for index, pair in enumerate(components):
        name = pair.applications[side - 1]
        mode = report.modes[name]
        _must_fit(topology, index, name, mode)
        if index < len(topology.pairs):
            state = state.with_mode(index, side, mode, report.primary_for_ms.get(name, 0))
        told += tell_application(state, 2 * index + side - 1, "down" if mode is Mode.DOWN else "up")
    return state.with_vip_held(side, report.vip_held), tuple(told)


def failure(topology: Topology, command: HostCommand, how: str = "failed") -> tuple[Trigger, ...]:
    """Whom it is told that a command has failed, timed out, or has an unclear result."""
    match command:
        case Promote() | Demote():
            what = "promotion" if isinstance(command, Promote) else "demotion"
            return _about(topology, command, f"{what}_{how}")
        case LookAt() | LookAtVip():
            return _about(topology, command, "look_failed")
        case EnableVip() | DisableVip():
            what = "enable" if isinstance(command, EnableVip) else "disable"
            return _about(topology, command, f"{what}_failed" if how == "failed" else "script_unclear")
        case AnnounceVip():
            return _about(topology, command, "announce_failed")
        case Start() | Stop():
            return ()  # nothing waits for it; the failure is in the journal


def _about(topology: Topology, command: HostCommand, what: str) -> tuple[Trigger, ...]:
    """The machine that a command is about is told what became of it on that side."""
    if isinstance(command, ApplicationCommand):
        pair, side = topology.find(command.application)
        return (Trigger("pair", pair, f"side{side}_{what}"),)
    return (Trigger("vip", 0, f"side{topology.side_of(command.host)}_{what}"),)


def _result(topology: Topology, state: SolutionState, event: CommandResult) -> Translated:
    command = state.pending_by_id(event.id)
    if command is None:
        return state, ()  # of a host that has been lost since, or told twice
    if state.links[topology.side_of(command.host) - 1] not in _IN_SIGHT:
        return state, ()  # its connection is gone: what became of it is known when the host is heard or given up
    state = state.without_command(command)
    if any(overtakes(later, command) for later in state.pending_for(target_of(command))):
        if isinstance(event, CommandSucceeded) and isinstance(command, EnableVip | DisableVip):
            state = state.with_vip_held(topology.side_of(command.host), command.held)
        return state, ()  # what was told since will decide
    if not isinstance(event, CommandSucceeded):
        return state, failure(topology, command, _RESULTS[type(event)])
    match command:
        case Promote() | Demote():
            return observe_mode(topology, state, command.application, command.mode)
        case EnableVip() | DisableVip():
            side, held = topology.side_of(command.host), command.held
            what = "enabled" if held else "released"
            return state.with_vip_held(side, held), (Trigger("vip", 0, f"side{side}_{what}"),)
        case LookAt() | LookAtVip():
            return state, _about(topology, command, "looked")  # what was seen has been reported before
        case AnnounceVip() | Start() | Stop():
            return state, ()  # what an application then does, its host reports


def _timer(topology: Topology, timer: str) -> Trigger:
    kind, subject = kind_of(timer), subject_of(timer)
    pairs = [pair.name for pair in topology.pairs]
    alarms = [alarm.name for alarm in topology.alarms]
    match kind:
        case TimerKind.RETRY | TimerKind.DRAIN | TimerKind.ANNOUNCE if subject == "VIP":
            return Trigger(
                "vip", 0, {TimerKind.DRAIN: "drained", TimerKind.ANNOUNCE: "announce_again"}.get(kind, "retry")
            )
        case TimerKind.RETRY | TimerKind.SETTLE if subject in pairs:
            return Trigger("pair", pairs.index(subject), "retry" if kind is TimerKind.RETRY else "settled")
        case TimerKind.LOOK if subject in topology.applications:
            pair, side = topology.find_redundant(subject)
            return Trigger("pair", pair, f"side{side}_look_due")
        case TimerKind.LOOK if subject in topology.hosts:
            return Trigger("vip", 0, f"side{topology.side_of(subject)}_look_due")
        case TimerKind.GATHER if not subject:
            return Trigger("placement", 0, "retry")
        case TimerKind.CANCEL if subject in alarms:
            return Trigger("alarm", alarms.index(subject), "timed_out")
        case _:
            raise CoreError(f"unknown timer {timer!r}")


def _message(topology: Topology, message: str, application: str) -> Trigger:
    number, happening = topology.number_of(application), HAPPENINGS[message]
    is_redundant = number < 2 * len(topology.pairs)
    if happening in (Happening.PRIMARY, Happening.BACKUP) and is_redundant:
        pair, side = topology.find(application)
        return Trigger("pair", pair, f"side{side}_logged_{happening}")
    return Trigger("application", number, f"logged_{'failed' if happening is Happening.FAILED else 'other'}")


def _must_be_connected(topology: Topology, state: SolutionState, side: int) -> None:
    if state.links[side - 1] not in _IN_SIGHT:
        raise CoreError(f"{topology.hosts[side - 1]} is not connected: what it says now does not count")


def _must_fit(topology: Topology, pair: int, application: str, mode: Mode) -> None:
    modes = (Mode.PRIMARY, Mode.BACKUP, Mode.DOWN) if pair < len(topology.pairs) else (Mode.UP, Mode.DOWN)
    if mode not in modes:
        raise CoreError(f"{application} cannot be {mode}: it is {', '.join(modes[:-1])} or {modes[-1]}")
