"""What the core takes in and gives out, in one line of text each: for logs, journals, and to recognise workflows.

The texts are stable: the documented workflows (`workflows`) are recognised by them.
"""

from collections.abc import Iterable

from .commands import (
    ActivateAlarm,
    AnnounceVip,
    Command,
    Demote,
    DisableVip,
    EnableVip,
    HostCommand,
    LookAt,
    LookAtVip,
    Promote,
    Start,
    StartTimer,
    Stop,
    TriggerReaction,
    WriteLog,
)
from .events import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
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
from .handling import Step


def describe_command(command: Command) -> str:
    """The text of a command.

    >>> describe_command(Promote("host2", "SIP_Server_2"))
    'promote SIP_Server_2'
    """
    match command:
        case Promote():
            return f"promote {command.application}"
        case Demote():
            return f"demote {command.application}"
        case Start():
            return f"start {command.application}"
        case Stop():
            return f"stop {command.application}"
        case LookAt():
            return f"look at {command.application}"
        case LookAtVip():
            return f"look at vip {command.host}"
        case EnableVip():
            return f"enable_vip {command.host}"
        case DisableVip():
            return f"disable_vip {command.host}"
        case AnnounceVip():
            return f"announce_vip {command.host}"
        case WriteLog():
            return f"log {command.event_id} {command.application}"
        case ActivateAlarm():
            return f"alarm {command.alarm}"
        case TriggerReaction():
            return f"reaction of {command.alarm}: {command.reaction} {command.target}"
        case StartTimer():
            return f"start timer {command.timer}: {command.after_ms} ms"


def describe_event(event: Event, pending: Iterable[HostCommand] = ()) -> str:
    """The text of an event; `pending` are the commands that were under way when it came, to name a result's.

    >>> describe_event(CommandSucceeded(7), [Promote("host2", "SIP_Server_2", id=7)])
    'done promote SIP_Server_2'
    """
    match event:
        case HostConnected():
            return f"connected {event.host}"
        case HostFellSilent():
            return f"silent {event.host}"
        case HostHeard():
            return f"heard {event.host}"
        case HostLost():
            return f"lost {event.host}"
        case HostLeft():
            return f"left {event.host}"
        case ApplicationReported():
            return f"reported {event.application} {event.mode}"
        case VipReported():
            return f"reported vip {'held' if event.held else 'free'} {event.host}"
        case CommandSucceeded():
            return f"done {_name(event.id, pending)}"
        case CommandFailed():
            return f"failed {_name(event.id, pending)}: {event.reason}"
        case CommandTimedOut():
            return f"timed out {_name(event.id, pending)}: {event.reason}"
        case CommandUnclear():
            return f"unclear {_name(event.id, pending)}: {event.reason}"
        case StartRequested():
            return f"start requested {event.application}"
        case StopRequested():
            return f"stop requested {event.application}"
        case TimerFired():
            return f"timer {event.timer}"
        case SwitchoverRequested():
            return f"requested {event.application}"
        case LogMessageReceived():
            return f"received {event.event_id} {event.application}"


def describe_step(step: Step) -> str:
    """The text of a decision: what moved, or what was ignored and why."""
    decision = step.decision
    if decision.destination is None:
        return f"{step.subject} stays {decision.source} on {decision.trigger}: {decision.reason}"
    return f"{step.subject} {decision.source} -> {decision.destination}: {decision.reason}"


def _name(number: int, pending: Iterable[HostCommand]) -> str:
    return next((describe_command(command) for command in pending if command.id == number), f"command {number}")
