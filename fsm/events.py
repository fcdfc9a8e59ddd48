"""Events: facts that reach the core from outside, named in the past tense.

An event is a value: it can be compared, journalled and replayed. Time is no exception; a timer that ran out is
`TimerFired`. What an event says counts as true when it is handled; the tables decide what follows.

Everything that others say about an event is read from its class:

- `record` is its one line in logs, in the journal and in the marks of the documented workflows. It never changes.
- `words` is the same for people, as a sentence.
- Its JSON, on the wire and in the journal, is its attributes and its class's name as `type`.

An event has its texts as templates: `in_record` and `in_words`, in which `it` is the event. A result knows its command
only by the id, so `record_of` and `words_of` take the text of the command.
"""

import enum
from collections.abc import Mapping
from typing import ClassVar

from attrs import field, frozen

from .alarms import LOG_MESSAGES, event_id
from .timers import TimerKind, kind_of, subject_of


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
    """The real state of a host when it connects; the core adopts it before it commands anything.

    `modes` maps each application of the host to its mode. `vip_held` says whether the whole Virtual IP, every address
    of it, is on the host's interface. `primary_for_ms` says how long an application has been primary, in milliseconds
    since its promotion; one that is missing counts as 0.
    """

    modes: Mapping[str, Mode]
    vip_held: bool
    primary_for_ms: Mapping[str, int] = field(factory=dict[str, int])


class _Event:
    """What all events have but results."""

    __slots__ = ()

    in_record: ClassVar[str]
    in_words: ClassVar[str]

    @property
    def record(self) -> str:
        """Its line in logs and in the journal."""
        return self.in_record.format(it=self)

    @property
    def words(self) -> str:
        """What happened, for people."""
        return self.in_words.format(it=self)


class _Result:
    """What all results of commands have."""

    __slots__ = ()

    in_record: ClassVar[str]
    in_words: ClassVar[str]

    @property
    def words(self) -> str:
        """The result, for people."""
        return self.in_words.format(it=self)

    def record_of(self, command: str) -> str:
        """Its line in logs and in the journal, with the record of its command."""
        return self.in_record.format(it=self, command=command)

    def words_of(self, command: str) -> str:
        """What happened, for people, with the words of its command."""
        return f"{command}: {self.words}"


@frozen
class HostConnected(_Event):
    """The connection to a host's LCA is up (again), with the host's report."""

    host: str
    report: HostReport

    in_record = "connected {it.host}"
    in_words = "{it.host} is connected, and reports"


@frozen
class HostFellSilent(_Event):
    """Nothing was heard from a connected host for half the detection time."""

    host: str

    in_record = "silent {it.host}"
    in_words = "{it.host} has fallen silent"


@frozen
class HostHeard(_Event):
    """A host that had fallen silent was heard again on the same connection."""

    host: str

    in_record = "heard {it.host}"
    in_words = "{it.host} is heard again"


@frozen
class HostLost(_Event):
    """Nothing was heard from a host for the whole detection time: its connection is given up."""

    host: str

    in_record = "lost {it.host}"
    in_words = "{it.host} was not heard for the whole detection time"


@frozen
class HostLeft(_Event):
    """A host's LCA said goodbye: it has released the VIP and is stopping."""

    host: str

    in_record = "left {it.host}"
    in_words = "{it.host} says goodbye"


@frozen
class ApplicationReported(_Event):
    """A host reports that an application's mode changed by itself: it failed, or it is up again."""

    application: str
    mode: Mode

    in_record = "reported {it.application} {it.mode}"
    in_words = "{it.application} is reported {it.mode}"


@frozen
class VipReported(_Event):
    """A host reports that the Virtual IP appeared on its interface, or vanished from it, without a command."""

    host: str
    held: bool

    in_record = "reported vip {it.seen} {it.host}"
    in_words = "the VIP is reported {it.seen_in_words} {it.host}"

    @property
    def seen(self) -> str:
        """What the host saw, as a word."""
        return "held" if self.held else "free"

    @property
    def seen_in_words(self) -> str:
        """What the host saw, for people."""
        return "on" if self.held else "gone from"


@frozen
class CommandSucceeded(_Result):
    """A host carried out the command with this id, and its post-condition was seen to hold."""

    id: int

    in_record = "done {command}"
    in_words = "done"


@frozen
class CommandFailed(_Result):
    """A host could not carry out the command with this id, for example because of an exit status other than 0."""

    id: int
    reason: str

    in_record = "failed {command}: {it.reason}"
    in_words = "FAILED: {it.reason}"


@frozen
class CommandTimedOut(_Result):
    """The command with this id was not answered within its deadline: it may have been done, or may still be done."""

    id: int
    reason: str

    in_record = "timed out {command}: {it.reason}"
    in_words = "NOT ANSWERED: {it.reason}"


@frozen
class CommandUnclear(_Result):
    """The command with this id was carried out, but its result could not be read."""

    id: int
    reason: str

    in_record = "unclear {command}: {it.reason}"
    in_words = "UNCLEAR: {it.reason}"


@frozen
class CommandUnconfirmed(_Result):
    """The program of the command with this id ended with exit status 0, but its effect could not be seen in time."""

    id: int
    reason: str

    in_record = "unconfirmed {command}: {it.reason}"
    in_words = "NOT CONFIRMED: {it.reason}"


@frozen
class TimerFired(_Event):
    """A timer that a `StartTimer` command started ran out."""

    timer: str

    in_record = "timer {it.timer}"
    in_words = "the timer {it.timer!r} ran out"

    @property
    def kind(self) -> TimerKind | None:
        """What the timer is for; None if it is not the core's."""
        return kind_of(self.timer)

    @property
    def subject(self) -> str:
        """Whose timer it is."""
        return subject_of(self.timer)


@frozen
class SwitchoverRequested(_Event):
    """An operator asks that this application be the primary of its pair."""

    application: str

    in_record = "requested {it.application}"
    in_words = "an operator asks for {it.application} as primary"


@frozen
class StartRequested(_Event):
    """An operator asks that this application be started."""

    application: str

    in_record = "start requested {it.application}"
    in_words = "an operator asks that {it.application} be started"


@frozen
class StopRequested(_Event):
    """An operator asks that this application be stopped."""

    application: str

    in_record = "stop requested {it.application}"
    in_words = "an operator asks that {it.application} be stopped"


@frozen
class LogMessageReceived(_Event):
    """A log message about an application came from outside, for example from a Genesys SCS."""

    event_id: str
    application: str

    in_record = "received {it.event_id} {it.application}"
    in_words = "message {it.number} comes: {it.application} {it.message}"

    @property
    def number(self) -> str:
        """Its event id in the documents' notation; `CoreError` if it is unknown."""
        return event_id(self.event_id)

    @property
    def message(self) -> str:
        """What the message says of its application; `CoreError` if its event id is unknown."""
        return LOG_MESSAGES[self.number]


Failure = CommandFailed | CommandTimedOut | CommandUnclear | CommandUnconfirmed
"""A result that is not a success."""

CommandResult = CommandSucceeded | Failure
"""The result of a command."""

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
    | CommandUnconfirmed
    | TimerFired
    | SwitchoverRequested
    | StartRequested
    | StopRequested
    | LogMessageReceived
)
