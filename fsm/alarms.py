"""Log messages, and the alarm conditions that turn them into reactions. All of it is data.

[S2] wires the Virtual IP to the SIP Servers' modes: the message that a SIP Server changed to primary mode runs both VIP
control scripts, the message that it changed to backup mode runs the script that disables the VIP on its host
(`documented_alarms`). [S1] wires a whole voicemail solution together (`voicemail.voicemail_alarms`). A user's
configuration may say otherwise.
"""

import enum
import re

from attrs import field, frozen

from .errors import CoreError


class Happening(enum.StrEnum):
    """What a log message says about its application."""

    PRIMARY = "primary"
    BACKUP = "backup"
    FAILED = "failed"
    STARTED = "started"


CHANGED_TO_PRIMARY = "00-5150"
"""Written by the SCS when an application changed to primary mode ([S2] every workflow that promotes)."""

CHANGED_TO_BACKUP = "00-5151"
"""Written by the SCS when an application changed to backup mode ([S2] manual, step 4; reconnection, step 4)."""

HOT_STANDBY_PRIMARY = "00-4563"
"""Written by the application that becomes primary, after a failure as after a manual switchover ([S1])."""

HOT_STANDBY_BACKUP = "00-4561"
"""Written by the application that becomes backup."""

FOUND_TERMINATED = "00-5091"
"""Written by the SCS when it finds an application terminated ([S1]: Resource Manager and Media Control Platform)."""

TERMINATED = "00-5064"
"""Written about an application that terminated for a reason of its own ([S1]: the same applications)."""

FOUND_STARTED = "00-5090"
"""Written by the SCS when it finds an application started."""

LOG_MESSAGES = {
    CHANGED_TO_PRIMARY: "changed to primary mode",
    HOT_STANDBY_PRIMARY: "hot standby: primary mode activated",
    CHANGED_TO_BACKUP: "changed to backup mode",
    HOT_STANDBY_BACKUP: "hot standby: backup mode activated",
    FOUND_TERMINATED: "found terminated",
    TERMINATED: "terminated for a reason of its own",
    FOUND_STARTED: "found started",
}

HAPPENINGS = {
    CHANGED_TO_PRIMARY: Happening.PRIMARY,
    HOT_STANDBY_PRIMARY: Happening.PRIMARY,
    CHANGED_TO_BACKUP: Happening.BACKUP,
    HOT_STANDBY_BACKUP: Happening.BACKUP,
    FOUND_TERMINATED: Happening.FAILED,
    TERMINATED: Happening.FAILED,
    FOUND_STARTED: Happening.STARTED,
}

WRITTEN_ALWAYS = (CHANGED_TO_PRIMARY, CHANGED_TO_BACKUP)
"""The core writes these two always, as the SCS does in [S2]; the others only if an alarm condition waits for them."""

_NOTATION = re.compile(r"(?:(?P<type>\d{2})-)?0*(?P<number>\d{4,5})", re.ASCII)


def event_id(text: str) -> str:
    """The event id in the documents' notation, from any notation in use.

    Logs write five digits, the documents four, and people often leave out the type:

    >>> event_id("5150"), event_id("00-05150"), event_id("00-5150"), event_id("4563")
    ('00-5150', '00-5150', '00-5150', '00-4563')

    Raises `CoreError` if the text is not an event id, or is none of `LOG_MESSAGES`.
    """
    match = _NOTATION.fullmatch(text)
    known = f"{match['type'] or '00'}-{match['number']}" if match else ""
    if known not in LOG_MESSAGES:
        raise CoreError(f"unknown event id {text!r}; known are {', '.join(LOG_MESSAGES)}")
    return known


class ReactionKind(enum.StrEnum):
    """What a reaction runs: a VIP control script on a host, or the MLCMD that switches an application to primary."""

    ENABLE_VIP = "enable_vip"
    DISABLE_VIP = "disable_vip"
    TO_PRIMARY = "to_primary"


@frozen
class Reaction:
    """One reaction of an alarm condition.

    `enable_vip` and `disable_vip` name the `host` to launch the script on, `to_primary` names the `application` that is
    switched to primary mode.
    """

    do: ReactionKind
    host: str = ""
    application: str = ""

    @property
    def target(self) -> str:
        """The host or the application that the reaction concerns."""
        return self.application if self.do is ReactionKind.TO_PRIMARY else self.host


@frozen
class Alarm:
    """An alarm condition: the log message `detect`, if it is about `application`, triggers the reactions in order.

    The alarm stays active until the message `cancel` about the same application comes (empty: there is no such
    message), or until `cancel_timeout_ms` (milliseconds, 1 or more) have passed since it was last detected. Beware of
    long timeouts: an SCS does not react again while the alarm is still active. With the 48 hours of the predefined
    conditions, the reactions do not run when the solution is switched back. Operators set five seconds.
    """

    name: str
    detect: str
    application: str
    reactions: tuple[Reaction, ...]
    cancel: str = ""
    cancel_timeout_ms: int = field(default=5000)


class ReactionPolicy(enum.StrEnum):
    """How alarm conditions react.

    `once`: once per incident, even if the alarm is still active, and a script that has nothing to do is not run.
    `literal`: as an SCS does: not while the alarm is still active, and every reaction runs its script. It is for
    comparison and verification only.
    """

    ONCE = "once"
    LITERAL = "literal"


def enable_here(host: str) -> Reaction:
    """The reaction that launches the script which enables the VIP on a host."""
    return Reaction(ReactionKind.ENABLE_VIP, host=host)


def disable_here(host: str) -> Reaction:
    """The reaction that launches the script which disables the VIP on a host."""
    return Reaction(ReactionKind.DISABLE_VIP, host=host)


def to_primary(application: str) -> Reaction:
    """The reaction that switches an application to primary mode."""
    return Reaction(ReactionKind.TO_PRIMARY, application=application)


def documented_alarms(applications: tuple[str, str], hosts: tuple[str, str]) -> tuple[Alarm, ...]:
    """The wiring of [S2] for one pair of SIP Servers; `applications[i]` runs on `hosts[i]`."""
    alarms: list[Alarm] = []
    for this, other in ((0, 1), (1, 0)):
        name = applications[this]
        move_here = (disable_here(hosts[other]), enable_here(hosts[this]))
        alarms.append(Alarm(f"{name} primary", CHANGED_TO_PRIMARY, name, move_here))
        alarms.append(Alarm(f"{name} backup", CHANGED_TO_BACKUP, name, (disable_here(hosts[this]),)))
    return tuple(alarms)
