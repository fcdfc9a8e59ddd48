"""Ideal hosts: in memory only, without delay and without faults; for `plan` and for the documented workflows.

They carry out every command at once. Time passes only while the core waits for a timer. What happens outside is written
in the words of `Workflow.acts` and of the scripts of a simulation:

    fail NAME           an application fails
    start NAME          it is up again, in backup mode if it has one
    switch NAME         an operator asks for an application, or for all of a host's, as primary
    lose HOST           a host is lost, with everything on it
    return HOST         it is heard again, as it was when it was lost
    message ID NAME     a log message comes, as an SCS writes it
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from attrs import define, field

from ...fsm import (
    ApplicationReported,
    Command,
    CommandSucceeded,
    CoreError,
    Event,
    HostCommand,
    HostConnected,
    HostLost,
    HostReport,
    LogMessageReceived,
    LookAtVip,
    Mode,
    Solution,
    SolutionState,
    StartTimer,
    SwitchoverRequested,
    TimerFired,
    Topology,
    VipReported,
    describe_command,
    describe_event,
    describe_step,
)
from ...fsm.commands import ApplicationCommand, DisableVip, EnableVip, ModeCommand
from ...fsm.timers import TimerKind
from ..history.incidents import is_at_rest
from ..history.journal import Handled

EVENTS_AT_MOST = 500
"""No event leads to more events than this, unless hosts and core keep each other busy for ever."""


@define(eq=False)
class IdealHosts:
    """Both hosts, and the core that commands them; `handled` are all events that it has handled, in order.

    `records` leaves out the first `left_out` of them. `modes` and `vip_held` are the real state of the hosts, also
    while they are lost; what is not known is not in them.
    """

    solution: Solution
    modes: dict[str, Mode]
    vip_held: dict[str, bool]
    handled: list[Handled] = field(factory=list[Handled])
    left_out: int = 0
    now_ms: int = 0
    _timers: list[tuple[int, int, str]] = field(factory=list[tuple[int, int, str]])
    _timers_begun: int = 0
    _events: deque[Event] = field(factory=deque[Event])

    @property
    def records(self) -> list[str]:
        """The records of each event, its decisions and its commands, in order."""
        return [text for handled in self.handled[self.left_out :] for text in _records(handled)]

    def scripts(self) -> list[str]:
        """The VIP scripts among the `records`, each with its host, in alphabetical order."""
        return sorted(text for text in self.records if text.startswith((EnableVip.verb, DisableVip.verb)))

    def act(self, words: str) -> None:
        """Something happens outside, and everything that follows from it. Raises as `events_of` and `happen`."""
        self.happen(*self.events_of(words))

    def events_of(self, words: str) -> Iterator[Event]:
        """The events by which the core learns what happens outside; the hosts change accordingly.

        Raises `ValueError` for unknown words.
        """
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
                raise ValueError(f"{words!r} is nothing that happens outside")

    def _report_of(self, host: str) -> HostReport:
        topology = self.solution.topology
        side = topology.side_of(host)
        names = [pair.applications[side - 1] for pair in topology.components]
        return HostReport({name: self.modes[name] for name in names}, self.vip_held[host])

    def happen(self, *events: Event) -> None:
        """Handle these events in order, and then what follows, until nothing is pending or nothing would come.

        Raises `CoreError` if an event is refused, or if it does not end.
        """
        self._events = deque(events)  # nothing is left of an event that was refused
        for _ in range(EVENTS_AT_MOST):
            event = self._next()
            if event is None:
                return
            self._handle(event)
        raise CoreError(f"hosts and core are not at rest after {EVENTS_AT_MOST} events")

    def _next(self) -> Event | None:
        """The next event: the oldest in the queue, else the first timer to run out unless all is at rest."""
        if self._events:
            return self._events.popleft()
        if not self._timers or is_at_rest(self.solution.state):
            return None
        self.now_ms, _, timer = heapq.heappop(self._timers)
        return TimerFired(timer)

    def _handle(self, event: Event) -> None:
        before = self.solution.state
        commands = self.solution.handle(event)
        stamps = len(self.handled) + 1, 0, self.now_ms * 1_000_000, describe_event(event, before.pending)
        steps, after, topology = self.solution.steps, self.solution.state, self.solution.topology
        self.handled.append(Handled(*stamps, event, steps, commands, before, after, topology))
        for command in commands:
            self._take(command)

    def _take(self, command: Command) -> None:
        if isinstance(command, HostCommand):
            self._events.extend(self.answers(command))
        elif isinstance(command, StartTimer) and command.kind is not TimerKind.CANCEL:
            self._timers = [timer for timer in self._timers if timer[2] != command.timer]
            heapq.heapify(self._timers)
            self._timers_begun += 1
            heapq.heappush(self._timers, (self.now_ms + command.after_ms, self._timers_begun, command.timer))

    def answers(self, command: HostCommand) -> Iterator[Event]:
        """What a host reports when it carries out a command, the result last."""
        yield from carry_out(command, self.modes, self.vip_held, partial(running_mode, self.solution.topology))
        yield CommandSucceeded(command.id)


def carry_out(
    command: HostCommand, modes: dict[str, Mode], vip_held: dict[str, bool], running: Callable[[str], Mode]
) -> Iterator[Event]:
    """Carry out a command on hosts that are nothing but `modes` and `vip_held`; what its class says it leads to.

    Yields what a host reports besides the result. `running` gives the mode of an application that was just started.
    What is not in `modes` or `vip_held` is not known and not reported.
    """
    if isinstance(command, ApplicationCommand):
        name = command.application
        if command.mode is not None:
            modes[name] = running(name) if command.mode is Mode.UP else command.mode
        if not isinstance(command, ModeCommand) and name in modes:
            yield ApplicationReported(name, modes[name])
        return
    if command.held is not None:
        vip_held[command.host] = command.held
    if isinstance(command, LookAtVip) and command.host in vip_held:
        yield VipReported(command.host, vip_held[command.host])


def hosts_of(topology: Topology, state: SolutionState) -> IdealHosts:
    """Ideal hosts in this state, as far as it is known."""
    known = {
        name: mode
        for pair, pair_state in zip(topology.pairs, state.pairs, strict=True)
        for name, mode in zip(pair.applications, pair_state.modes, strict=True)
        if mode is not None
    }
    for name in (name for pair in topology.monitored for name in pair.applications):
        runs = {"up": Mode.UP, "down": Mode.DOWN}.get(state.applications[topology.number_of(name)])
        known |= {} if runs is None else {name: runs}
    held = {host: held for host, held in zip(topology.hosts, state.vip_held, strict=True) if held is not None}
    return IdealHosts(Solution(topology, state), known, held)


def prior_to_switchover(solution: Solution, side: int) -> IdealHosts:
    """The state prior to a switchover: everything runs, this side is primary, and no alarm condition is active.

    `records` leaves out the way there. Raises `CoreError` if it is not reached, or only by waiting.
    """
    topology = solution.topology
    modes = {name: Mode.UP for pair in topology.monitored for name in pair.applications}
    for pair in topology.pairs:
        for number, name in enumerate(pair.applications, start=1):
            modes[name] = Mode.PRIMARY if number == side else Mode.BACKUP
    held = {host: number == side for number, host in enumerate(topology.hosts, start=1)}
    hosts = IdealHosts(solution, modes, held)
    hosts.happen(*(event for host in topology.hosts for event in hosts.events_of(f"return {host}")))
    hosts.happen(*(TimerFired(TimerKind.CANCEL.of(alarm.name)) for alarm in topology.alarms))
    state = solution.state
    if (state.placement, state.vip, state.pending, hosts.now_ms) != (f"together_{side}", f"held_{side}", (), 0):
        raise CoreError(f"everything on side {side} and nothing pending is not reached: {state}")
    hosts.left_out = len(hosts.handled)
    return hosts


def _records(handled: Handled) -> Iterator[str]:
    yield handled.text
    yield from map(describe_step, handled.steps)
    yield from map(describe_command, handled.commands)


def running_mode(topology: Topology, application: str) -> Mode:
    """The mode of an application that has just been started."""
    pair, _ = topology.find(application)
    return Mode.BACKUP if pair < len(topology.pairs) else Mode.UP
