"""Commands: what the core asks the outside world to do, named in the imperative.

A command is a value and does nothing by itself. Those that a host carries out have an `id`, by which the result comes
back as `CommandSucceeded` or `CommandFailed`; ids rise and are never used twice, so that the late result of an older
switchover cannot be taken for a newer one's. The id takes no part in comparisons: two commands are equal when they
ask for the same thing.
"""

from attrs import field, frozen


@frozen
class Promote:
    """Instruct an application, through its host's LCA, to go into primary mode."""

    host: str
    application: str
    id: int = field(default=0, eq=False)


@frozen
class Demote:
    """Instruct an application, through its host's LCA, to go into backup mode."""

    host: str
    application: str
    id: int = field(default=0, eq=False)


@frozen
class Start:
    """Start an application that is down."""

    host: str
    application: str
    id: int = field(default=0, eq=False)


@frozen
class Stop:
    """Stop an application."""

    host: str
    application: str
    id: int = field(default=0, eq=False)


@frozen
class LookAt:
    """Look at an application and report its mode: it is not known what became of an earlier command."""

    host: str
    application: str
    id: int = field(default=0, eq=False)


@frozen
class EnableVip:
    """Put every address of the Virtual IP on the host's interface, see that it is there, and announce it."""

    host: str
    id: int = field(default=0, eq=False)


@frozen
class DisableVip:
    """Take every address of the Virtual IP off the host's interface and see that it is gone."""

    host: str
    id: int = field(default=0, eq=False)


@frozen
class AnnounceVip:
    """Announce the Virtual IP again: another host may have left its own address in the neighbours' caches."""

    host: str
    id: int = field(default=0, eq=False)


@frozen
class LookAtVip:
    """Look at the host's interface and report whether the VIP is there: what became of a script is not known."""

    host: str
    id: int = field(default=0, eq=False)


@frozen
class WriteLog:
    """Write a log message under its event id, where operators and alarm conditions look for it."""

    event_id: str
    application: str
    text: str = field(eq=False)


@frozen
class ActivateAlarm:
    """Show an alarm condition as active: its detect event has come for its application."""

    alarm: str
    event_id: str
    application: str


@frozen
class TriggerReaction:
    """Show that an active alarm triggers one of its reactions, e.g. `disable_vip` on a host, its `target`."""

    alarm: str
    reaction: str
    target: str


@frozen
class StartTimer:
    """Send `TimerFired(timer)` after so many milliseconds; a timer of that name that runs starts anew."""

    timer: str
    after_ms: int


ApplicationCommand = Promote | Demote | Start | Stop | LookAt
"""What concerns one application."""

HostCommand = ApplicationCommand | EnableVip | DisableVip | AnnounceVip | LookAtVip
"""What a host's LCA carries out and answers."""

Command = HostCommand | WriteLog | ActivateAlarm | TriggerReaction | StartTimer

Target = tuple[str, str]
"""What a command is about: the host, and the application or `VIP`. A host does such commands one after the other."""


def target_of(command: HostCommand) -> Target:
    """What a command is about.

    >>> target_of(DisableVip("host1")), target_of(Demote("host1", "SIP_Server_1"))
    (('host1', 'VIP'), ('host1', 'SIP_Server_1'))
    """
    return command.host, command.application if isinstance(command, ApplicationCommand) else "VIP"
