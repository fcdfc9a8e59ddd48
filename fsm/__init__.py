"""The core of `switchover`: explicit state machines, pure. No I/O, no clock, no thread, no logging, no randomness.

Embed it: make a `Topology`, give it to a `Solution`, tell it what happens, do what it says.
"""

from .alarms import (
    CHANGED_TO_BACKUP,
    CHANGED_TO_PRIMARY,
    LOG_MESSAGES,
    Alarm,
    Reaction,
    ReactionKind,
    documented_alarms,
    event_id,
)
from .commands import (
    ActivateAlarm,
    AnnounceVip,
    Command,
    Demote,
    DisableVip,
    EnableVip,
    HostCommand,
    Promote,
    StartTimer,
    TriggerReaction,
    WriteLog,
)
from .errors import CoreError
from .events import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    SwitchoverRequested,
    TimerFired,
    VipReported,
)
from .handling import Step
from .link import LINK
from .pair import PAIR
from .solution import Solution
from .state import PairState, SolutionState
from .table import Decision, ImpossibleTriggerError, Output, Table
from .topology import Pair, Topology, VipOrder
from .vip import VIP

__all__ = [
    "CHANGED_TO_BACKUP",
    "CHANGED_TO_PRIMARY",
    "LINK",
    "LOG_MESSAGES",
    "PAIR",
    "VIP",
    "ActivateAlarm",
    "Alarm",
    "AnnounceVip",
    "ApplicationReported",
    "Command",
    "CommandFailed",
    "CommandSucceeded",
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
    "Mode",
    "Output",
    "Pair",
    "PairState",
    "Promote",
    "Reaction",
    "ReactionKind",
    "Solution",
    "SolutionState",
    "StartTimer",
    "Step",
    "SwitchoverRequested",
    "Table",
    "TimerFired",
    "Topology",
    "TriggerReaction",
    "VipOrder",
    "VipReported",
    "WriteLog",
    "documented_alarms",
    "event_id",
]
