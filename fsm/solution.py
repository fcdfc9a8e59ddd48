"""The step function: `Solution.handle(event) -> commands`. It has no other effect."""

from attrs import Factory, define, field

from .commands import Command
from .events import Event
from .handling import MACHINES, Machines, Step, handle_event
from .state import SolutionState, initial_state
from .topology import Topology


@define(eq=False)
class Solution:
    """The core: a topology, and a state that events change.

    Solutions share no mutable state: each may be used in a thread of its own. Two threads must not use one solution at
    the same time.

    `state` is a value: read it, store it, or give a stored one to a new `Solution` to go on from there.
    `steps` are the decisions that the last event led to, in order. `machines` are the tables that decide; others than
    the real ones serve to test the verification.

    >>> from switchover.fsm import *
    >>> pair = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
    >>> alarms = documented_alarms(pair.applications, ("host1", "host2"))
    >>> solution = Solution(Topology(("host1", "host2"), (pair,), alarms))
    >>> for host, mode in ("host1", Mode.PRIMARY), ("host2", Mode.BACKUP):
    ...     report = HostReport({f"SIP_Server_{host[-1]}": mode}, vip_held=mode is Mode.PRIMARY)
    ...     commands = solution.handle(HostConnected(host, report))
    >>> [command.application for command in solution.handle(ApplicationReported("SIP_Server_1", Mode.DOWN))]
    ['SIP_Server_2']
    """

    topology: Topology
    state: SolutionState = Factory(lambda self: initial_state(self.topology), takes_self=True)
    machines: Machines = MACHINES
    steps: tuple[Step, ...] = field(default=(), init=False)

    def __attrs_post_init__(self) -> None:
        self.machines.check()  # now, so that the first event need not wait for it

    def handle(self, event: Event) -> tuple[Command, ...]:
        """Handle one event and return the commands that follow from it, in the order in which they must be given.

        Raises `CoreError` if the event names something that is not in the topology, is a report of a host that is not
        connected, or is impossible in the present state. An event that is refused changes nothing.
        """
        work = handle_event(self.topology, self.state, event, self.machines)
        self.state, self.steps = work.state, tuple(work.steps)
        return tuple(work.commands)
