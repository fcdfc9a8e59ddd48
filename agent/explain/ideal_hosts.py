"""Hosts that exist in the mind only, and do at once what they are told: for `plan`, and for the documented workflows.

Time passes only where the core waits for a timer. What the outside world does is told in words, as `Workflow.acts` and
the scripts of a simulation have it:

    fail NAME           an application fails
    start NAME          it is up again, in backup mode if it has one
    switch NAME         an operator asks for an application, or all of a host's, as primary
    lose HOST           a host is lost, with everything on it
    return HOST         it is heard again, as it was when it was lost
    message ID NAME     a log message comes, as an SCS writes it
"""

import heapq
from collections import deque
from collections.abc import Iterator

from attrs import define, field

from ...fsm import (
    ApplicationReported,
    Command,
    CommandSucceeded,
    CoreError,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostLost,
    HostReport,
    LogMessageReceived,
    LookAt,
    LookAtVip,
    Mode,
    Promote,
    Solution,
    SolutionState,
    Start,
    StartTimer,
    Stop,
    SwitchoverRequested,
    TimerFired,
    Topology,
    VipReported,
    describe_command,
    describe_event,
    describe_step,
)
from ..history.incidents import is_at_rest
from ..history.journal import Handled

EVENTS_AT_MOST = 500
"""No event leads to more events than this, unless hosts and core go on for ever."""


@define(eq=False)
class IdealHosts:
    """Both hosts, and the core that commands them; `handled` is all that it has handled, in order.

    `records` tells of it in words, without the first `untold`. `modes` and `vip_held` are what the hosts are, also
    while they are lost: what nobody knows is not among them.
    """

    solution: Solution
    modes: dict[str, Mode]
    vip_held: dict[str, bool]
    handled: list[Handled] = field(factory=list[Handled])
    untold: int = 0
    now_ms: int = 0
    _timers: list[tuple[int, int, str]] = field(factory=list[tuple[int, int, str]])
    _timers_begun: int = 0
    _waiting: deque[Event] = field(factory=deque[Event])

    @property
    def records(self) -> list[str]:
        """The words for what was handled, in order: each event, what was decided, and what was told."""
        return [text for handled in self.handled[self.untold :] for text in _records(handled)]

    def scripts(self) -> list[str]:
        """The VIP scripts that `records` tells of, each with its host, in alphabetical order."""
        return sorted(text for text in self.records if text.startswith(("enable_vip", "disable_vip")))

    def act(self, words: str) -> None:
        """The outside world does something, and all that follows is done. `CoreError` as `happen`."""
        self.happen(*self.events_of(words))

    def events_of(self, words: str) -> Iterator[Event]:
        """What the core is told when the outside world does something, which is done. The words must be good ones."""
        topology = self.solution.topology
        verb, _, what = words.partition(" ")
        match verb:
            case "fail" | "start":
                self.modes[what] = Mode.DOWN if verb == "fail" else running_mode(topology, what)
                yield ApplicationReported(what, self.modes[what])
            case "switch" if what in topology.hosts:
                side = topology.side_of(what)
                yield from (SwitchoverRequested(pair.applications[side - 1]) for pair in topology.pairs)
            case "switch":
                yield SwitchoverRequested(what)
            case "lose":
                yield HostLost(what)
            case "return":
                yield HostConnected(what, self._report_of(what))
            case "message":
                yield LogMessageReceived(*what.split(" ", 1))
            case _:
                raise ValueError(f"{words!r} is nothing that the outside world does")

    def _report_of(self, host: str) -> HostReport:
        topology = self.solution.topology
        side = topology.side_of(host)
        names = [pair.applications[side - 1] for pair in topology.components]
        return HostReport({name: self.modes[name] for name in names}, self.vip_held[host])

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
            self._timers_begun += 1
            heapq.heappush(self._timers, (self.now_ms + command.after_ms, self._timers_begun, command.timer))

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


def hosts_of(topology: Topology, state: SolutionState) -> IdealHosts:
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
    return IdealHosts(Solution(topology, state), known, held)


def prior_to_switchover(solution: Solution, side: int) -> IdealHosts:
    """The state prior to a switchover: everything runs, this side is primary, and no alarm condition is active.

    The way there is untold. `CoreError` if it is not reached, or only by waiting.
    """
    topology = solution.topology
    modes = {name: Mode.UP for pair in topology.monitored for name in pair.applications}
    for pair in topology.pairs:
        for number, name in enumerate(pair.applications, start=1):
            modes[name] = Mode.PRIMARY if number == side else Mode.BACKUP
    held = {host: number == side for number, host in enumerate(topology.hosts, start=1)}
    hosts = IdealHosts(solution, modes, held)
    hosts.happen(*(event for host in topology.hosts for event in hosts.events_of(f"return {host}")))
    hosts.happen(*(TimerFired(f"cancel {alarm.name}") for alarm in topology.alarms))
    state = solution.state
    if (state.placement, state.vip, state.pending, hosts.now_ms) != (f"together_{side}", f"held_{side}", (), 0):
        raise CoreError("the state prior to it is not reached")
    hosts.untold = len(hosts.handled)
    return hosts


def _records(handled: Handled) -> Iterator[str]:
    yield handled.text
    yield from map(describe_step, handled.steps)
    yield from map(describe_command, handled.commands)


def running_mode(topology: Topology, application: str) -> Mode:
    """The mode of an application that has just been started."""
    pair, _ = topology.find(application)
    return Mode.BACKUP if pair < len(topology.pairs) else Mode.UP
