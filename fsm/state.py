"""The state of a solution, as a value: readable, comparable, hashable, and enough to go on from."""

from typing import TypeVar

from attrs import evolve, field, frozen

from .commands import HostCommand, Target, target_of
from .events import Mode
from .machines.alarm import ALARM
from .machines.application import APPLICATION
from .machines.link import LINK
from .machines.pair import PAIR
from .machines.placement import PLACEMENT
from .machines.vip import VIP
from .topology import Topology

Value = TypeVar("Value")


@frozen
class PairState:
    """A redundant pair: the state of its machine, and the modes that the hosts reported (None: not heard)."""

    state: str = PAIR.initial
    modes: tuple[Mode | None, Mode | None] = (None, None)
    primary_for_ms: tuple[int, int] = (0, 0)


@frozen
class SolutionState:
    """Everything that the core remembers.

    `links`, `pairs`, `applications` (in the order of `Topology.applications`), `alarms`, `vip` and `placement` are the
    states of the machines. `view` is the joint view that triggered the placement last. `vip_held` is what the hosts
    reported of the VIP (None: not heard); `pending` are the commands without a result yet. `next_id` numbers the next
    command and takes no part in comparisons.
    """

    links: tuple[str, str]
    pairs: tuple[PairState, ...]
    applications: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    vip: str = VIP.initial
    placement: str = PLACEMENT.initial
    view: str = ""
    vip_held: tuple[bool | None, bool | None] = (None, None)
    pending: tuple[HostCommand, ...] = ()
    next_id: int = field(default=1, eq=False)

    def with_link(self, side: int, link: str) -> "SolutionState":
        """This state with another state of the link of a side (1 or 2)."""
        return evolve(self, links=put(self.links, side - 1, link))

    def with_application(self, number: int, application: str) -> "SolutionState":
        """This state with another state of an application."""
        return evolve(self, applications=put(self.applications, number, application))

    def with_alarm(self, index: int, alarm: str) -> "SolutionState":
        """This state with another state of an alarm condition."""
        return evolve(self, alarms=put(self.alarms, index, alarm))

    def with_vip(self, vip: str) -> "SolutionState":
        """This state with another state of the Virtual IP."""
        return evolve(self, vip=vip)

    def with_placement(self, placement: str) -> "SolutionState":
        """This state with another state of the placement."""
        return evolve(self, placement=placement)

    def with_view(self, view: str) -> "SolutionState":
        """This state with the joint view that triggered the placement last; empty: any view triggers it."""
        return evolve(self, view=view)

    def with_pair(self, index: int, pair: PairState) -> "SolutionState":
        """This state with another state of a pair."""
        return evolve(self, pairs=put(self.pairs, index, pair))

    def with_mode(self, index: int, side: int, mode: Mode | None, primary_for_ms: int = 0) -> "SolutionState":
        """This state with what was reported of one application of a pair."""
        old = self.pairs[index]
        new = evolve(
            old,
            modes=put(old.modes, side - 1, mode),
            primary_for_ms=put(old.primary_for_ms, side - 1, primary_for_ms),
        )
        return self.with_pair(index, new)

    def with_vip_held(self, side: int, held: bool | None) -> "SolutionState":
        """This state with what was reported of the VIP on the host of a side (1 or 2)."""
        return evolve(self, vip_held=put(self.vip_held, side - 1, held))

    def pending_for(self, target: Target) -> tuple[HostCommand, ...]:
        """The commands without a result yet that are about this target, in the order in which they were given."""
        return tuple(command for command in self.pending if target_of(command) == target)

    def pending_by_id(self, number: int) -> HostCommand | None:
        """The command without a result yet that has this id, if there is one."""
        return next((command for command in self.pending if command.id == number), None)

    def with_command(self, command: HostCommand) -> tuple["SolutionState", HostCommand]:
        """This state with one more command without a result, and that command with its id."""
        numbered = evolve(command, id=self.next_id)
        return evolve(self, pending=(*self.pending, numbered), next_id=self.next_id + 1), numbered

    def without_command(self, command: HostCommand) -> "SolutionState":
        """This state when a command has its result."""
        return evolve(self, pending=tuple(other for other in self.pending if other is not command))


def put(values: tuple[Value, ...], index: int, value: Value) -> tuple[Value, ...]:
    """The tuple with another value at an index."""
    return (*values[:index], value, *values[index + 1 :])


def initial_state(topology: Topology) -> SolutionState:
    """The state before anything was heard of the hosts."""
    return SolutionState(
        links=(LINK.initial, LINK.initial),
        pairs=tuple(PairState() for _ in topology.pairs),
        applications=tuple(APPLICATION.initial for _ in topology.applications),
        alarms=tuple(ALARM.initial for _ in topology.alarms),
    )
