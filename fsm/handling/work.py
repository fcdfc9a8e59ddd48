"""The work on one event: what is still to be done, what it has led to so far, and how commands are given.

Rules of this module (numbered through the room, see `handling`):

12. Nothing is given to a host that is lost or was never heard, because no result could come. The machines learn of its
    loss in the same event, and the host reports its real state when it connects.
13. A command that is pending is not given again, so that no script runs twice for one switchover. It is given again
    if a command that changes something about the same target was given since, because the newest decides (rule 7).
14. The pending commands of a host whose connection is gone are forgotten, and those that this event was about to give
    are not given. No result of them can come.
"""

from collections import deque
from collections.abc import Callable

from attrs import define, field, frozen

from ..alarms import Alarm, Reaction
from ..commands import ChangingCommand, Command, HostCommand, target_of
from ..machines.alarm import ALARM
from ..machines.application import APPLICATION
from ..machines.link import LINK, UNREACHABLE
from ..machines.pair import PAIR
from ..machines.placement import PLACEMENT
from ..machines.vip import VIP
from ..state import SolutionState
from ..tables.table import Decision, Table
from ..tables.triggers import PairTrigger, Trigger
from ..timers import TimerKind
from ..topology import Topology
from .timing import start_timer


@frozen
class Step:
    """One decision: the name of the machine, its subject (a host, a pair, `VIP`, ...), and the row that fired."""

    machine: str
    subject: str
    decision: Decision

    @property
    def moved(self) -> bool:
        """Whether a row fired, as opposed to a decision to ignore."""
        return self.decision.destination is not None


@frozen
class Machines:
    """The tables that decide. Others than the real ones serve to test whether the verification notices them."""

    link: Table = LINK
    application: Table = APPLICATION
    pair: Table = PAIR
    alarm: Table = ALARM
    placement: Table = PLACEMENT
    vip: Table = VIP

    def check(self) -> None:
        """Expand and check every table and build its machine, if that is still to do; `CoreError` if one is wrong."""
        for table in (self.link, self.application, self.pair, self.alarm, self.placement, self.vip):
            table.checked()


MACHINES = Machines()


@frozen
class DueReaction:
    """A reaction of an active alarm, which is still to be triggered."""

    alarm: Alarm
    reaction: Reaction


@frozen
class Unanswered:
    """A command that was pending on a connection that has been replaced by a new one."""

    command: HostCommand


Task = Trigger | DueReaction | Unanswered
"""What waits in the queue."""


@define(eq=False)
class Work:
    """The work on one event. It owns the new state until the event has been handled.

    `message` is the event id of the log message that is being handled; empty if the event is none. `has_view_changed`,
    `has_vip_changed` and `alarms_to_look_at` say what of the joint state may have changed since it was looked at.
    """

    topology: Topology
    state: SolutionState
    machines: Machines = MACHINES
    message: str = ""
    commands: list[Command] = field(factory=list[Command])
    steps: list[Step] = field(factory=list[Step])
    queue: deque[Task] = field(factory=deque[Task])
    alarms_to_look_at: set[int] = field(factory=set[int])
    has_view_changed: bool = False
    has_vip_changed: bool = False

    def decide(
        self,
        table: Table,
        subject: str,
        state: str,
        trigger: Trigger,
        facts: Callable[[str], frozenset[str]] = lambda _: frozenset(),
    ) -> Decision:
        """What the table decides. The facts are worked out only where the rows have guards."""
        name = str(trigger)
        guard = table.guard_of(state, name)
        decision = table.step(state, name, facts(guard) if guard else ())
        self.steps.append(Step(table.name, subject, decision))
        return decision

    def mark_changed(self, application: str) -> None:
        """Mark an application as perhaps changed: its alarms and the joint view are to be looked at (rule 16)."""
        self.alarms_to_look_at.update(self.topology.alarms_about.get(application, ()))
        self.has_view_changed = True

    def trigger_pairs(self, name: PairTrigger, side: int | None = None) -> None:
        """Trigger every redundant pair."""
        self.queue.extend(Trigger(name, index, side) for index in range(len(self.topology.pairs)))

    def give(self, command: HostCommand) -> None:
        """Give a command its id and send it, unless its host is unreachable (rule 12) or it is pending (rule 13)."""
        if self.state.links[self.topology.side_of(command.host) - 1] in UNREACHABLE:
            return  # rule 12
        pending = self.state.pending_for(target_of(command))
        changing = [position for position, earlier in enumerate(pending) if isinstance(earlier, ChangingCommand)]
        if command in pending[changing[-1] if changing else 0 :]:
            return  # rule 13
        self.state, numbered = self.state.with_command(command)
        self.commands.append(numbered)

    def forget_commands(self, side: int) -> list[HostCommand]:
        """Forget the commands of the host of a side (rule 14), and return those that were pending."""
        host = self.topology.hosts[side - 1]
        names = (*(pair.applications[side - 1] for pair in self.topology.components), "VIP")
        forgotten = [command for name in names for command in self.state.pending_for((host, name))]
        for command in forgotten:
            self.state = self.state.without_command(command)
        self.commands = [each for each in self.commands if not isinstance(each, HostCommand) or each.host != host]
        return forgotten

    def start_timer(self, kind: TimerKind, subject: str = "") -> None:
        """Start a timer, or start it anew if it runs."""
        self.commands.append(start_timer(self.topology, kind, subject))
