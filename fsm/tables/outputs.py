"""The outputs of the machines, by the verbs that the tables declare. `handling.moves` turns each into what it asks for:
a command, a timer, or a trigger of another machine.
"""

import enum


class LinkOutput(enum.StrEnum):
    """What a host link's machine asks for: that others hear what became of the host."""

    TELL_REACHED = "tell_reached"
    TELL_HEARD = "tell_heard"
    TELL_LOST = "tell_lost"
    TELL_BLIND = "tell_blind"


class ApplicationOutput(enum.StrEnum):
    """What an application's machine asks for: log messages, alarms, an operator's command."""

    LOG_FAILED = "log_failed"
    LOG_STARTED = "log_started"
    RESTATE_FAILED = "restate_failed"
    REPEAT = "repeat"
    START = "start"
    STOP = "stop"


class PairOutput(enum.StrEnum):
    """What a redundant pair's machine asks for: commands, log messages, alarms, the release of the VIP, timers."""

    PROMOTE = "promote"
    DEMOTE = "demote"
    LOOK = "look"
    START_LOOK = "start_look"
    LOG_PRIMARY = "log_primary"
    LOG_BACKUP = "log_backup"
    RESTATE_PRIMARY = "restate_primary"
    REPEAT = "repeat"
    RELEASE_VIP = "release_vip"
    START_RETRY = "start_retry"
    START_SETTLE = "start_settle"


class AlarmOutput(enum.StrEnum):
    """What an alarm condition's machine asks for: its reactions, and its cancel timer."""

    REACT = "react"
    START_CANCEL = "start_cancel"


class PlacementOutput(enum.StrEnum):
    """What the placement asks for: all pairs on one side, a timer, another look at the joint state."""

    GATHER = "gather"
    START_RETRY = "start_retry"
    LOOK = "look"


class VipOutput(enum.StrEnum):
    """What the Virtual IP's machine asks for: the scripts, a look at an interface, timers."""

    ENABLE = "enable"
    DISABLE = "disable"
    ANNOUNCE = "announce"
    LOOK = "look"
    START_LOOK = "start_look"
    START_RETRY = "start_retry"
    START_ANNOUNCE = "start_announce"
    START_DRAIN = "start_drain"
