"""Hosts that exist in the mind only: they do at once what they are told, for `plan`, which asks what would happen if.

They are what the solution's state knows of the real ones. Time passes only where the core waits for a timer.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator

from attrs import define, field

from ..fsm import (
    ApplicationReported,
    Command,
    CommandSucceeded,
    CoreError,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostReport,
    LookAt,
    LookAtVip,
    Mode,
    Promote,
    Solution,
    SolutionState,
    Start,
    StartTimer,
    Stop,
    TimerFired,
    Topology,
    VipReported,
    describe_event,
)
from .incidents import is_at_rest
from .journal import Handled

EVENTS_AT_MOST = 500
"""No event leads to more events than this, unless hosts and core go on for ever."""


@define(eq=False)
class HostsInMind:
    """Both hosts, and the core that commands them; `handled` is all that it has handled, in order.

    `modes` and `vip_held` are what the hosts are, also while they are lost: what nobody knows is not among them.
    """

    solution: Solution
    modes: dict[str, Mode]
    vip_held: dict[str, bool]
    handled: list[Handled] = field(factory=list[Handled])
    now_ms: int = 0
    _timers: list[tuple[int, int, str]] = field(factory=list[tuple[int, int, str]])
    _waiting: deque[Event] = field(factory=deque[Event])

    def happen(self, *events: Event) -> None:
        """Tell the core, in this order, and then what follows, until nothing is under way or nothing would come.

        `CoreError` if an event is refused, or if it does not end.
        """
        self._waiting = deque(events)  # nothing is left of an event that was refused
        for _ in range(EVENTS_AT_MOST):
            event = self._next()
            if event is None:
                return
            self._tell(event)
        raise CoreError("hosts and core go on for ever")

    def _next(self) -> Event | None:
        """What happens next: what waits, else the first timer that runs out, as long as something is under way."""
        if self._waiting:
            return self._waiting.popleft()
        if not self._timers or is_at_rest(self.solution.state):
            return None
        self.now_ms, _, timer = heapq.heappop(self._timers)
        return TimerFired(timer)

    def _tell(self, event: Event) -> None:
        before = self.solution.state
        commands = self.solution.handle(event)
        stamps = len(self.handled) + 1, 0, self.now_ms * 1_000_000, describe_event(event, before.pending)
        steps, after, topology = self.solution.steps, self.solution.state, self.solution.topology
        self.handled.append(Handled(*stamps, event, steps, commands, before, after, topology))
        for command in commands:
            self._take(command)

    def _take(self, command: Command) -> None:
        if isinstance(command, HostCommand):
            self._waiting.extend(self.answers(command))
        elif isinstance(command, StartTimer) and not command.timer.startswith("cancel "):
            self._timers = [timer for timer in self._timers if timer[2] != command.timer]
            heapq.heapify(self._timers)
            heapq.heappush(self._timers, (self.now_ms + command.after_ms, len(self.handled), command.timer))

    def answers(self, command: HostCommand) -> Iterator[Event]:
        """What a host does on a command, and says."""
        match command:
            case Promote() | Demote():
                self.modes[command.application] = Mode.PRIMARY if isinstance(command, Promote) else Mode.BACKUP
            case Start() | Stop():
                self.modes[command.application] = (
                    running_mode(self.solution.topology, command.application)
                    if isinstance(command, Start)
                    else Mode.DOWN
                )
                yield ApplicationReported(command.application, self.modes[command.application])
            case EnableVip() | DisableVip():
                self.vip_held[command.host] = isinstance(command, EnableVip)
            case LookAt() if command.application in self.modes:
                yield ApplicationReported(command.application, self.modes[command.application])
            case LookAtVip() if command.host in self.vip_held:
                yield VipReported(command.host, self.vip_held[command.host])
            case _:
                pass  # an announcement, or a look at what nobody knows
        yield CommandSucceeded(command.id)

    def report_of(self, host: str, absent: Callable[[str], Mode], held: bool) -> HostReport:
        """What a host reports when it connects; what nobody knows is taken from `absent` and `held`."""
        topology = self.solution.topology
        side = topology.hosts.index(host)
        names = [pair.applications[side] for pair in topology.components]
        modes = {name: self.modes.get(name) or absent(name) for name in names}
        return HostReport(modes, self.vip_held.get(host, held))


def hosts_of(topology: Topology, state: SolutionState) -> HostsInMind:
    """The hosts as a state knows them."""
    known = {
        name: mode
        for pair, found in zip(topology.pairs, state.pairs, strict=True)
        for name, mode in zip(pair.applications, found.modes, strict=True)
        if mode is not None
    }
    for name in (name for pair in topology.monitored for name in pair.applications):
        runs = {"up": Mode.UP, "down": Mode.DOWN}.get(state.applications[topology.number_of(name)])
        known |= {} if runs is None else {name: runs}
    held = {host: held for host, held in zip(topology.hosts, state.vip_held, strict=True) if held is not None}
    return HostsInMind(Solution(topology, state), known, held)


def running_mode(topology: Topology, application: str) -> Mode:
    """The mode of an application that has just been started."""
    pair, _ = topology.find(application)
    return Mode.BACKUP if pair < len(topology.pairs) else Mode.UP
