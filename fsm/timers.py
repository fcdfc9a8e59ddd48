"""Timers: what the core waits for, by name.

A timer is named after its kind and its subject, such as `retry SIP Server` or `cancel RM_1 failed`. There is one timer
of a name: starting it again makes it run anew.
"""

import enum


class TimerKind(enum.StrEnum):
    """What a timer is for. Its subject is a pair, `VIP`, an application, a host or an alarm condition."""

    SETTLE = "settle"
    """How long a pair waits for the second host's report when it hears the first one."""
    RETRY = "retry"
    """When a failed command of a pair or of the VIP is given again."""
    ANNOUNCE = "announce"
    """When a failed announcement of the VIP is made again."""
    LOOK = "look"
    """When an application, or the VIP of a host, is looked at again because the last look failed."""
    DRAIN = "drain"
    """How long the old holder of the VIP may still answer what it has received."""
    GATHER = "gather"
    """When the primaries are gathered on one host again, after an attempt that failed. It has no subject."""
    CANCEL = "cancel"
    """When an active alarm condition is cancelled."""

    def of(self, subject: str = "") -> str:
        """The name of the timer of this kind.

        >>> TimerKind.RETRY.of("VIP"), TimerKind.GATHER.of()
        ('retry VIP', 'gather')
        """
        return f"{self} {subject}" if subject else str(self)

    @property
    def output(self) -> str:
        """What a row says to start one."""
        return "start_retry" if self is TimerKind.GATHER else f"start_{self}"


_KINDS = {str(kind): kind for kind in TimerKind}


def kind_of(timer: str) -> TimerKind | None:
    """The kind of the timer with this name; None if it is no timer of the core.

    >>> kind_of("cancel RM_1 failed"), kind_of("observe")
    (<TimerKind.CANCEL: 'cancel'>, None)
    """
    return _KINDS.get(timer.partition(" ")[0])


def subject_of(timer: str) -> str:
    """Whose timer it is, by its name; empty if it has no subject.

    >>> subject_of("cancel RM_1 failed"), subject_of("gather")
    ('RM_1 failed', '')
    """
    return timer.partition(" ")[2]
