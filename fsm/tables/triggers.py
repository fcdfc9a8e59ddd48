"""The triggers of the machines, by the names that the tables declare. What follows from each, the rows say.

A name that begins with `this_` concerns a side: `PairTrigger.THIS_REQUESTED.on(2)` is `side2_requested`. The other
names concern no side.
"""

import enum
from typing import assert_never

from attrs import frozen

from ..errors import CoreError
from ..events import Mode
from .table import side


class _TriggerName(enum.StrEnum):
    """A trigger of one kind of machine, as its table declares it."""

    def on(self, number: int) -> str:
        """The trigger for a side, 1 or 2, as the expanded table knows it.

        >>> VipTrigger.THIS_HELD.on(2), VipTrigger.RETRY.on(2)
        ('side2_held', 'retry')
        """
        return side(self.value, number)


class LinkTrigger(_TriggerName):
    """What a host link's machine is triggered by: its host, and what becomes of the other host (the peer)."""

    CONNECTED = "connected"
    FELL_SILENT = "fell_silent"
    HEARD = "heard"
    LOST = "lost"
    LEFT = "left"
    PEER_HEARD = "peer_heard"
    PEER_GONE = "peer_gone"


class ApplicationTrigger(_TriggerName):
    """What an application's machine is triggered by: reports, messages from outside, an operator."""

    UP = "up"
    DOWN = "down"
    LOST = "lost"
    BLINDED = "blinded"
    LOGGED_FAILED = "logged_failed"
    LOGGED_OTHER = "logged_other"
    START_REQUESTED = "start_requested"
    STOP_REQUESTED = "stop_requested"


class PairTrigger(_TriggerName):
    """What a redundant pair's machine is triggered by; *this* is the side of the application that is meant."""

    THIS_PRIMARY = "this_primary"
    THIS_BACKUP = "this_backup"
    THIS_DOWN = "this_down"
    THIS_UNREACHABLE = "this_unreachable"
    THIS_PROMOTION_FAILED = "this_promotion_failed"
    THIS_PROMOTION_TIMED_OUT = "this_promotion_timed_out"
    THIS_PROMOTION_UNCLEAR = "this_promotion_unclear"
    THIS_DEMOTION_FAILED = "this_demotion_failed"
    THIS_DEMOTION_TIMED_OUT = "this_demotion_timed_out"
    THIS_DEMOTION_UNCLEAR = "this_demotion_unclear"
    THIS_LOOKED = "this_looked"
    THIS_LOOK_FAILED = "this_look_failed"
    THIS_LOOK_DUE = "this_look_due"
    THIS_REQUESTED = "this_requested"
    THIS_NEEDED = "this_needed"
    THIS_LOGGED_PRIMARY = "this_logged_primary"
    THIS_LOGGED_BACKUP = "this_logged_backup"
    RETRY = "retry"
    SETTLED = "settled"
    BLINDED = "blinded"

    @staticmethod
    def seen(mode: Mode | None) -> "PairTrigger":
        """The trigger when an application of the pair was seen in this mode.

        `CoreError` for `up` and for None, which no host can report of an application of a redundant pair.
        """
        match mode:
            case Mode.PRIMARY:
                return PairTrigger.THIS_PRIMARY
            case Mode.BACKUP:
                return PairTrigger.THIS_BACKUP
            case Mode.DOWN:
                return PairTrigger.THIS_DOWN
            case Mode.UP | None:
                raise CoreError(f"an application of a redundant pair is primary, backup or down, not {mode}")
            case _:
                assert_never(mode)


class AlarmTrigger(_TriggerName):
    """What an alarm condition's machine is triggered by: log messages, the joint state, its timer."""

    DETECTED = "detected"
    RESTATED = "restated"
    OVER = "over"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


class PlacementTrigger(_TriggerName):
    """What the placement is triggered by: the joint view of all pairs (see its table), and its timer."""

    THIS_TOGETHER = "this_together"
    THIS_LACKS = "this_lacks"
    THIS_GATHERS = "this_gathers"
    THIS_EITHER = "this_either"
    NONE = "none"
    BUSY = "busy"
    NOTHING = "nothing"
    RETRY = "retry"


class VipTrigger(_TriggerName):
    """What the Virtual IP's machine is triggered by; *this* is the side of the host that is meant."""

    THIS_HELD = "this_held"
    THIS_ENABLED = "this_enabled"
    THIS_FREE = "this_free"
    THIS_RELEASED = "this_released"
    THIS_UNREACHABLE = "this_unreachable"
    THIS_ENABLE_ASKED = "this_enable_asked"
    THIS_DISABLE_ASKED = "this_disable_asked"
    THIS_ENABLE_ORDERED = "this_enable_ordered"
    THIS_DISABLE_ORDERED = "this_disable_ordered"
    THIS_ENABLE_FAILED = "this_enable_failed"
    THIS_DISABLE_FAILED = "this_disable_failed"
    THIS_ANNOUNCE_FAILED = "this_announce_failed"
    THIS_SCRIPT_UNCLEAR = "this_script_unclear"
    THIS_LOOKED = "this_looked"
    THIS_LOOK_FAILED = "this_look_failed"
    THIS_LOOK_DUE = "this_look_due"
    RETRY = "retry"
    ANNOUNCE_AGAIN = "announce_again"
    DRAINED = "drained"
    BLINDED = "blinded"

    @staticmethod
    def seen(held: bool | None) -> "VipTrigger":
        """The trigger when the VIP was seen on a host, or was seen not to be there."""
        return VipTrigger.THIS_HELD if held else VipTrigger.THIS_FREE


@frozen
class Trigger:
    """A trigger for one machine. The type of its name says of which kind the machine is.

    `index` says which one of its kind: the position of the host, pair, application or alarm in the topology; 0 where
    there is only one. `side` is 1 or 2 where the name concerns a side.
    """

    name: LinkTrigger | ApplicationTrigger | PairTrigger | AlarmTrigger | PlacementTrigger | VipTrigger
    index: int = 0
    side: int | None = None

    def __str__(self) -> str:
        return self.name.value if self.side is None else self.name.on(self.side)
