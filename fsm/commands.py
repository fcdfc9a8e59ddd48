"""Commands: what the core asks the outside world to do, named in the imperative.

A command is a value and does nothing by itself. Those that a host carries out have an `id`, by which the result comes
back as `CommandSucceeded` or `CommandFailed`; ids rise and are never used twice, so that the late result of an older
switchover cannot be taken for a newer one's. The id takes no part in comparisons: two commands are equal when they
ask for the same.

Everything that others say about a command is read from its class:

- `output` is its name in the rows of the tables.
- `verb` is its name where a person types or reads it; its record begins with it.
- `record` is its one line in logs, in the journal and in the marks of the documented workflows. It never changes.
- `words` is the same line for people, with what the record leaves out. Both are made from the templates `in_record` and
  `in_words`, in which `it` is the command; without the second, they are the same.
- `doing` and `effect` are its labels in pictures: while it is pending, and when it is done. Empty: none is shown.
- `mode`, of a command for an application, is the mode that it leads to (a redundant application that is started is `up`
  in backup mode); `held`, of one for the VIP, is whether its host holds the VIP afterwards. None: it changes nothing.
- Its JSON, on the wire and in the journal, is its attributes and its class's name as `type`.
"""

from collections.abc import Mapping
from typing import ClassVar

from attrs import field, frozen

from .events import Mode
from .timers import TimerKind, kind_of, subject_of


class _Command:
    """What all commands have."""

    __slots__ = ()

    verb: ClassVar[str]
    in_record: ClassVar[str]
    in_words: ClassVar[str] = ""

    @property
    def record(self) -> str:
        """Its line in logs and in the journal."""
        return self.in_record.format(it=self)

    @property
    def words(self) -> str:
        """Its line for people."""
        return (self.in_words or self.in_record).format(it=self)


@frozen
class _OnApplication(_Command):
    """What all commands for one application have."""

    host: str
    application: str
    id: int = field(default=0, eq=False)

    output: ClassVar[str]
    doing: ClassVar[str] = ""
    effect: ClassVar[str] = ""
    in_record = "{it.verb} {it.application}"


@frozen
class _OnVip(_Command):
    """What all commands for the Virtual IP have."""

    host: str
    id: int = field(default=0, eq=False)

    output: ClassVar[str]
    doing: ClassVar[str] = ""
    effect: ClassVar[str] = ""
    in_record = "{it.verb} {it.host}"


@frozen
class Promote(_OnApplication):
    """Instruct an application, through its host's LCA, to go into primary mode."""

    output = verb = "promote"
    doing, effect = "to primary", "primary mode"
    mode: ClassVar[Mode] = Mode.PRIMARY


@frozen
class Demote(_OnApplication):
    """Instruct an application, through its host's LCA, to go into backup mode."""

    output = verb = "demote"
    doing, effect = "to backup", "backup mode"
    mode: ClassVar[Mode] = Mode.BACKUP


@frozen
class Start(_OnApplication):
    """Start an application that is down; a redundant one comes up in backup mode."""

    output = verb = "start"
    doing, effect = "starting", "start"
    mode: ClassVar[Mode] = Mode.UP


@frozen
class Stop(_OnApplication):
    """Stop an application."""

    output = verb = "stop"
    doing, effect = "stopping", "stop"
    mode: ClassVar[Mode] = Mode.DOWN


@frozen
class LookAt(_OnApplication):
    """Read the mode of an application and report it: the result of an earlier command is not known."""

    output = "look"
    verb = "look at"
    mode: ClassVar[None] = None


@frozen
class EnableVip(_OnVip):
    """Put every address of the Virtual IP on the host's interface, see that it is there, and announce it."""

    output = "enable"
    verb = "enable_vip"
    doing, effect = "enabling", "the VIP is on"
    held: ClassVar[bool] = True


@frozen
class DisableVip(_OnVip):
    """Take every address of the Virtual IP off the host's interface and see that it is gone."""

    output = "disable"
    verb = "disable_vip"
    doing, effect = "disabling", "the VIP is off"
    held: ClassVar[bool] = False


@frozen
class AnnounceVip(_OnVip):
    """Announce the Virtual IP again: another host may have left its own address in the neighbours' caches."""

    output = "announce"
    verb = "announce_vip"
    held: ClassVar[None] = None


@frozen
class LookAtVip(_OnVip):
    """Read the host's interface and report whether the VIP is there: the result of a script is not known."""

    output = "look"
    verb = "look at vip"
    held: ClassVar[None] = None


@frozen
class WriteLog(_Command):
    """Write a log message under its event id, where operators and alarm conditions look for it."""

    event_id: str
    application: str
    text: str = field(eq=False)

    verb = "log"
    in_record = "{it.verb} {it.event_id} {it.application}"
    in_words = "{it.verb} {it.event_id} {it.text}"


@frozen
class ActivateAlarm(_Command):
    """Show an alarm condition as active: the event that it waits for came for its application."""

    alarm: str
    event_id: str
    application: str

    verb = "alarm"
    in_record = "{it.verb} {it.alarm}"


@frozen
class TriggerReaction(_Command):
    """Show that an active alarm triggers one of its reactions, e.g. `disable_vip` on a host, its `target`."""

    alarm: str
    reaction: str
    target: str

    verb = "reaction"
    in_record = "{it.verb} of {it.alarm}: {it.reaction} {it.target}"
    in_words = "{it.verb} {it.reaction} {it.target}, of alarm {it.alarm}"


@frozen
class StartTimer(_Command):
    """Send `TimerFired(timer)` after `after_ms` milliseconds; a running timer of that name starts anew."""

    timer: str
    after_ms: int

    verb = "start timer"
    in_record = "{it.verb} {it.timer}: {it.after_ms} ms"

    @property
    def kind(self) -> TimerKind | None:
        """What the timer is for; None if it is not the core's."""
        return kind_of(self.timer)

    @property
    def subject(self) -> str:
        """Whose timer it is."""
        return subject_of(self.timer)


ModeCommand = Promote | Demote
"""What changes the mode of an application."""

ApplicationCommand = ModeCommand | Start | Stop | LookAt
"""What is done to one application."""

VipScript = EnableVip | DisableVip
"""What puts the VIP on a host or takes it off."""

VipCommand = VipScript | AnnounceVip | LookAtVip
"""What is done to the VIP on one host."""

HostCommand = ApplicationCommand | VipCommand
"""What a host's LCA carries out and answers."""

MovingCommand = ModeCommand | VipScript
"""What moves the solution from one host to the other."""

ChangingCommand = MovingCommand | Start | Stop
"""What changes something on a host; announcements and looks do not."""

Command = HostCommand | WriteLog | ActivateAlarm | TriggerReaction | StartTimer

OVERTAKEN_BY: Mapping[type[HostCommand], tuple[type[HostCommand], ...]] = {
    Promote: (Demote,),
    Demote: (Promote,),
    LookAt: (Promote, Demote),
    EnableVip: (DisableVip,),
    DisableVip: (EnableVip,),
    LookAtVip: (EnableVip, DisableVip),
}
"""The later commands for the same target that make the result of a command irrelevant."""

Target = tuple[str, str]
"""What a command acts on: the host, and the application or `VIP`. A host takes the commands for a target in turn."""


def target_of(command: HostCommand) -> Target:
    """What a command acts on.

    >>> target_of(DisableVip("host1")), target_of(Demote("host1", "SIP_Server_1"))
    (('host1', 'VIP'), ('host1', 'SIP_Server_1'))
    """
    return command.host, command.application if isinstance(command, ApplicationCommand) else "VIP"


def overtakes(later: HostCommand, command: HostCommand) -> bool:
    """Whether a later command for the same target makes the result of this one irrelevant.

    The last command decides: the result of an older switchover must not be taken for the newer one's.

    >>> overtakes(Demote("host1", "SIP_Server_1"), Promote("host1", "SIP_Server_1"))
    True
    """
    return isinstance(later, OVERTAKEN_BY.get(type(command), ()))
