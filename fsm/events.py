"""Events: facts that the outside world tells the core, named in the past tense.

An event is a value: it can be compared, journalled and replayed. Time is no exception; a timer that ran out is
`TimerFired`. Whatever an event says is taken as true at the moment it is handled; the tables decide what follows.
"""

import enum
from collections.abc import Mapping

from attrs import field, frozen


class Mode(enum.StrEnum):
    """The condition of one application as its host reports it ([S2] 'State Prior to Switchover').

    An application of a redundant pair is primary, backup or down; one that is only monitored is up or down.
    """

    PRIMARY = "primary"
    BACKUP = "backup"
    UP = "up"
    DOWN = "down"


@frozen
class HostReport:
    """What a host really looks like at the moment it connects: the core adopts it before it commands anything.

    `modes` maps each application of the host to its mode; `primary_for_ms` tells how long an application has been
    primary, in milliseconds since it was promoted (0 where that is not known); `vip_held` says whether the whole
    Virtual IP, every address of it, is on the host's interface.
    """

    modes: Mapping[str, Mode]
    vip_held: bool
    primary_for_ms: Mapping[str, int] = field(factory=dict[str, int])


@frozen
class HostConnected:
    """The connection to a host's LCA stands (again), and this is the host's report."""

    host: str
    report: HostReport


@frozen
class HostFellSilent:
    """Nothing was heard from a connected host for half the detection time."""

    host: str


@frozen
class HostHeard:
    """A host that had fallen silent was heard again on the same connection."""

    host: str


@frozen
class HostLost:
    """Nothing was heard from a host for the whole detection time: the connection is given up."""

    host: str


@frozen
class HostLeft:
    """A host's LCA said goodbye: it has released the VIP and is stopping."""

    host: str


@frozen
class ApplicationReported:
    """A host reports that an application's mode changed by itself: it failed, or it is up again."""

    application: str
    mode: Mode


@frozen
class VipReported:
    """A host reports that the Virtual IP appeared on its interface, or vanished from it, without a command."""

    host: str
    held: bool


@frozen
class CommandSucceeded:
    """A host carried out the command with this id, and its post-condition was seen to hold."""

    id: int


@frozen
class CommandFailed:
    """A host could not carry out the command with this id: it said so, e.g. by an exit status that is not 0."""

    id: int
    reason: str


@frozen
class CommandTimedOut:
    """Nothing was heard of the command with this id within its deadline: it may be done, or be done yet."""

    id: int
    reason: str


@frozen
class CommandUnclear:
    """The command with this id was carried out, but what came of it could not be read."""

    id: int
    reason: str


@frozen
class TimerFired:
    """The timer that a `StartTimer` command started ran out."""

    timer: str


@frozen
class SwitchoverRequested:
    """An operator asks that this application be the primary of its pair."""

    application: str


@frozen
class StartRequested:
    """An operator asks that this application be started."""

    application: str


@frozen
class StopRequested:
    """An operator asks that this application be stopped."""

    application: str


@frozen
class LogMessageReceived:
    """A log message about an application came in from outside, e.g. from a Genesys site's SCS."""

    event_id: str
    application: str


CommandResult = CommandSucceeded | CommandFailed | CommandTimedOut | CommandUnclear
"""What becomes of a command."""

Event = (
    HostConnected
    | HostFellSilent
    | HostHeard
    | HostLost
    | HostLeft
    | ApplicationReported
    | VipReported
    | CommandSucceeded
    | CommandFailed
    | CommandTimedOut
    | CommandUnclear
    | TimerFired
    | SwitchoverRequested
    | StartRequested
    | StopRequested
    | LogMessageReceived
)
