"""Log messages, and the alarm conditions that turn them into reactions. All of it is data.

[S2] wires the Virtual IP to the SIP Servers' modes: the message that a SIP Server changed to primary mode runs both VIP
control scripts, the message that it changed to backup mode runs the script that disables the VIP on its host. That
wiring is the default (`documented_alarms`); a user's configuration may say otherwise.
"""

import enum
import re

from attrs import frozen

from .errors import CoreError

CHANGED_TO_PRIMARY = "00-5150"
"""Written when an application changed to primary mode ([S2] every workflow that promotes)."""

CHANGED_TO_BACKUP = "00-5151"
"""Written when an application changed to backup mode ([S2] manual switchover, step 4; reconnection, step 4)."""

LOG_MESSAGES = {
    CHANGED_TO_PRIMARY: "changed to primary mode",
    CHANGED_TO_BACKUP: "changed to backup mode",
}

_NOTATION = re.compile(r"(?:(?P<type>\d{2})-)?0*(?P<number>\d{4,5})", re.ASCII)


def event_id(text: str) -> str:
    """The event id in the documents' notation, from any notation that sites use.

    Logs write five digits, the documents four, people often leave the type out:

    >>> event_id("5150"), event_id("00-05150"), event_id("00-5150")
    ('00-5150', '00-5150', '00-5150')

    Raises `CoreError` if the text is no event id, or one that nothing here knows.
    """
    match = _NOTATION.fullmatch(text)
    known = f"{match['type'] or '00'}-{match['number']}" if match else ""
    if known not in LOG_MESSAGES:
        raise CoreError(f"unknown event id {text!r}; known are {', '.join(LOG_MESSAGES)}")
    return known


class ReactionKind(enum.StrEnum):
    """What a reaction runs: one of the VIP control scripts, on the host that the reaction names."""

    ENABLE_VIP = "enable_vip"
    DISABLE_VIP = "disable_vip"


@frozen
class Reaction:
    """One reaction of an alarm condition: a VIP control script and the host to launch it on."""

    do: ReactionKind
    host: str


@frozen
class Alarm:
    """An alarm condition: the log message `detect`, if it is about `application`, triggers the reactions in order."""

    name: str
    detect: str
    application: str
    reactions: tuple[Reaction, ...]


def documented_alarms(applications: tuple[str, str], hosts: tuple[str, str]) -> tuple[Alarm, ...]:
    """The wiring of [S2] for one pair of SIP Servers; `applications[i]` runs on `hosts[i]`."""
    alarms: list[Alarm] = []
    for this, other in ((0, 1), (1, 0)):
        disable_there = Reaction(ReactionKind.DISABLE_VIP, hosts[other])
        enable_here = Reaction(ReactionKind.ENABLE_VIP, hosts[this])
        disable_here = Reaction(ReactionKind.DISABLE_VIP, hosts[this])
        name = applications[this]
        alarms.append(Alarm(f"{name} primary", CHANGED_TO_PRIMARY, name, (disable_there, enable_here)))
        alarms.append(Alarm(f"{name} backup", CHANGED_TO_BACKUP, name, (disable_here,)))
    return tuple(alarms)
