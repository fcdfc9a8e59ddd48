"""The core of `switchover`: explicit state machines, pure. No I/O, no clock, no thread, no logging, no randomness.

To embed it, make a `Topology` and a `Solution` of it. Give every event to `Solution.handle` and carry out its commands.
"""

from .alarms import (
    CHANGED_TO_BACKUP,
    CHANGED_TO_PRIMARY,
    LOG_MESSAGES,
    Alarm,
    Reaction,
    ReactionKind,
    ReactionPolicy,
    documented_alarms,
    event_id,
)
from .commands import (
    ActivateAlarm,
    AnnounceVip,
    ApplicationCommand,
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
from .documented.voicemail import voicemail_alarms, voicemail_topology
from .errors import CoreError
from .events import (
    ApplicationReported,
    CommandFailed,
    CommandResult,
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
    HostReport,
    LogMessageReceived,
    Mode,
    StartRequested,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    VipReported,
)
from .handling import Step
from .machines.alarm import ALARM
from .machines.application import APPLICATION
from .machines.link import LINK
from .machines.pair import PAIR
from .machines.placement import PLACEMENT
from .machines.vip import VIP
from .records import describe_command, describe_event, describe_step
from .solution import Solution
from .state import PairState, SolutionState
from .tables.table import Decision, ImpossibleTriggerError, Output, Table
from .topology import Pair, Topology, VipOrder

__all__ = [
    "ALARM",
    "APPLICATION",
    "CHANGED_TO_BACKUP",
    "CHANGED_TO_PRIMARY",
    "LINK",
    "LOG_MESSAGES",
    "PAIR",
    "PLACEMENT",
    "VIP",
    "ActivateAlarm",
    "Alarm",
    "AnnounceVip",
    "ApplicationCommand",
    "ApplicationReported",
    "Command",
    "CommandFailed",
    "CommandResult",
    "CommandSucceeded",
    "CommandTimedOut",
    "CommandUnclear",
    "CommandUnconfirmed",
    "CoreError",
    "Decision",
    "Demote",
    "DisableVip",
    "EnableVip",
    "Event",
    "HostCommand",
    "HostConnected",
    "HostFellSilent",
    "HostHeard",
    "HostLeft",
    "HostLost",
    "HostReport",
    "ImpossibleTriggerError",
    "LogMessageReceived",
    "LookAt",
    "LookAtVip",
    "Mode",
    "Output",
    "Pair",
    "PairState",
    "Promote",
    "Reaction",
    "ReactionKind",
    "ReactionPolicy",
    "Solution",
    "SolutionState",
    "Start",
    "StartRequested",
    "StartTimer",
    "Step",
    "Stop",
    "StopRequested",
    "SwitchoverRequested",
    "Table",
    "TimerFired",
    "Topology",
    "TriggerReaction",
    "VipOrder",
    "VipReported",
    "WriteLog",
    "describe_command",
    "describe_event",
    "describe_step",
    "documented_alarms",
    "event_id",
    "voicemail_alarms",
    "voicemail_topology",
]
