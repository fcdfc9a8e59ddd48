"""A second, plain implementation of the world, to check the explorer and to replay traces (`replay`).

Here the real `Solution` handles real events and returns real commands with real ids: no decision trees, no numbers, no
arrays. The only part shared with the explorer is `HostModel`, which says what a host can do and report. How the core
handles that, which id a result carries, how timers run, when two worlds are the same, the clients' ARP cache, the fault
budget, and the faults that concern no single host are written a second time. It is slow and simple. If it counts other
worlds than the explorer, one of them is wrong. It cannot detect mistakes in `HostModel` itself.

Two worlds are the same if they behave alike from there on. So the core's pending commands are sorted by their targets
and numbered again in that order (the commands of one target keep their order). A command that a host still has, but
that the core has forgotten, is number 0.
"""

from collections.abc import Iterable, Iterator

from attrs import evolve, frozen

from ....fsm import (
    Command,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CoreError,
    Event,
    HostCommand,
    LogMessageReceived,
    Solution,
    SolutionState,
    StartTimer,
    Step,
    SwitchoverRequested,
    TimerFired,
    Topology,
)
from ....fsm.commands import target_of
from ....fsm.state import initial_state
from ..model.host import Fault, Host, HostModel, Lanes
from ..model.watched import Result
from .trace import AGENT, OUTSIDE

_SLOW_TIMES = 2
"""A timer of this many times the core's other timers is slow: it waits until nothing quicker is under way."""


@frozen(cache_hash=True)
class PlainWorld:
    """A state of the world in its canonical form.

    `timers`: names and durations in ms, in the order of their start, slow ones last. `ids`: the ids of the commands
    that each host has received or will receive (commands are compared without their ids). `arp`: the side that the
    clients send to (0: none yet). `budget`: the faults left.
    """

    core: SolutionState
    timers: tuple[tuple[str, int], ...]
    hosts: tuple[Host, Host]
    ids: tuple[tuple[int, ...], ...]
    arp: int
    budget: int


@frozen
class PlainStep:
    """A step: its text, who makes it, and its results."""

    text: str
    by: str
    world: PlainWorld
    is_fault: bool = False
    announces: bool = False
    events: tuple[Event, ...] = ()
    decisions: tuple[Step, ...] = ()
    commands: tuple[Command, ...] = ()
    error: str = ""


class PlainModel:
    """The steps of a topology's world, with these kinds of faults."""

    def __init__(self, topology: Topology, faults: frozenset[Fault], slow_ms: int = 0) -> None:
        self.topology, self._faults = topology, faults
        self._models = HostModel(topology, 1, faults), HostModel(topology, 2, faults)
        self._slow_ms = slow_ms or _SLOW_TIMES * max(topology.settle_ms, topology.retry_ms, topology.drain_ms)

    def start(self) -> PlainWorld:
        """The initial world of a cold start without faults: the hosts are up, and the agent has just started."""
        hosts = self._models[0].start(), self._models[1].start()
        return self._canonical(PlainWorld(initial_state(self.topology), (), hosts, (), 0, 0))

    def successors(self, world: PlainWorld) -> Iterator[tuple[str, PlainWorld]]:
        """Every step from a world: its text, and the world after it."""
        return ((step.text, step.world) for step in self.steps(world))

    def steps(self, world: PlainWorld) -> Iterator[PlainStep]:
        """Every step from a world."""
        yield from self._host_steps(world)
        for timer in self._due(world):
            yield self._handled(PlainStep(f"the time is over: {timer}", AGENT, world, events=(TimerFired(timer),)))
        if world.budget:
            yield from self._faults_of_no_host(evolve(world, budget=world.budget - 1))

    def _host_steps(self, world: PlainWorld) -> Iterator[PlainStep]:
        for side, model in enumerate(self._models, start=1):
            for move in model.moves(world.hosts[side - 1]):
                if not move.fault or world.budget:
                    after = evolve(
                        world,
                        hosts=(move.host, world.hosts[1]) if side == 1 else (world.hosts[0], move.host),
                        arp=side if move.announces else world.arp,
                        budget=world.budget - move.fault,
                    )
                    events = tuple(_event(item) if isinstance(item, Result) else item for item in move.occurrence)
                    yield self._handled(PlainStep(move.text, model.name, after, move.fault, move.announces, events))

    def _due(self, world: PlainWorld) -> Iterator[str]:
        """The timers that can fire next: those that are shorter than every running timer started before them."""
        quick = [timer for timer in world.timers if timer[1] < self._slow_ms]
        waits = bool(quick) or not all(host.is_quiet for host in world.hosts)
        running = quick if waits else world.timers
        for at, (name, after_ms) in enumerate(running):
            if all(after_ms < earlier for _, earlier in running[:at]):
                yield name

    def _faults_of_no_host(self, world: PlainWorld) -> Iterator[PlainStep]:
        """The faults that concern no single host; their cost is already deducted from the budget."""
        if Fault.OPERATOR in self._faults:
            for name in (name for pair in self.topology.pairs for name in pair.applications):
                text = f"an operator asks for {name} to be primary"
                yield self._handled(PlainStep(text, OUTSIDE, world, True, events=(SwitchoverRequested(name),)))
        if Fault.ALARM in self._faults:
            for message, name in self.topology.detecting:
                text = f"the message {message} about {name} comes from outside"
                yield self._handled(PlainStep(text, OUTSIDE, world, True, events=(LogMessageReceived(message, name),)))
        if Fault.AGENT in self._faults:
            first, second = (evolve(host, link="new", wire=_emptied(host.wire)) for host in world.hosts)
            forgotten = evolve(world, core=initial_state(self.topology), timers=(), hosts=(first, second))
            yield PlainStep("the agent crashes and is started again", AGENT, self._canonical(forgotten), True)
        if Fault.PARTITION in self._faults and all(host.net == "fine" for host in world.hosts):
            first, second = (evolve(host, net="parted") for host in world.hosts)
            parted = self._canonical(evolve(world, hosts=(first, second)))
            yield PlainStep("the network parts the agent from both hosts", AGENT, parted, True)

    # The core.

    def _handled(self, step: PlainStep) -> PlainStep:
        """The step after the core has handled its events and the hosts have been sent its commands."""
        solution = Solution(self.topology, step.world.core)
        decisions: list[Step] = []
        commands: list[Command] = []
        error = ""
        try:
            for event in step.events:
                commands += solution.handle(event)
                decisions += solution.steps
        except CoreError as refused:
            error = str(refused)
        world = evolve(step.world, core=solution.state, timers=_restarted(step.world.timers, step.events, commands))
        return evolve(
            step,
            world=self._canonical(self._sent(world, commands)),
            decisions=tuple(decisions),
            commands=tuple(commands),
            error=error,
        )

    def _sent(self, world: PlainWorld, commands: Iterable[Command]) -> PlainWorld:
        first, second = world.hosts
        for command in commands:
            if isinstance(command, HostCommand):
                if command.host == self._models[0].name:
                    first = self._models[0].receive(first, (command,))
                else:
                    second = self._models[1].receive(second, (command,))
        return evolve(world, hosts=(first, second))

    # When two worlds are the same.

    def _canonical(self, world: PlainWorld) -> PlainWorld:
        pending = sorted(world.core.pending, key=target_of)
        numbers = {command.id: number for number, command in enumerate(pending, start=1)}
        core = evolve(
            world.core,
            pending=tuple(evolve(command, id=numbers[command.id]) for command in pending),
            next_id=len(pending) + 1,
        )
        first, second = (
            evolve(host, lanes=_renumbered(host.lanes, numbers), wire=_renumbered(host.wire, numbers))
            for host in world.hosts
        )
        lanes = (*first.lanes, *first.wire, *second.lanes, *second.wire)
        timers = tuple(sorted(world.timers, key=lambda timer: timer[1] >= self._slow_ms))
        ids = tuple(tuple(command.id for command in lane) for lane in lanes)
        return PlainWorld(core, timers, (first, second), ids, world.arp, world.budget)


def _event(result: Result) -> Event:
    """The event for the result of the command that a host carried out, with that command's id."""
    number = result.command.id
    match result.how:
        case "done":
            return CommandSucceeded(number)
        case "failed":
            return CommandFailed(number, result.how)
        case "timed out":
            return CommandTimedOut(number, result.how)
        case _:
            return CommandUnclear(number, result.how)


def _restarted(
    running: tuple[tuple[str, int], ...], events: tuple[Event, ...], commands: Iterable[Command]
) -> tuple[tuple[str, int], ...]:
    """The timers after some have fired and others were started; one that was running begins again."""
    over = {event.timer for event in events if isinstance(event, TimerFired)}
    timers = {name: after_ms for name, after_ms in running if name not in over}
    for command in commands:
        if isinstance(command, StartTimer):
            timers.pop(command.timer, None)
            timers[command.timer] = command.after_ms
    return tuple(timers.items())


def _renumbered(lanes: Lanes, numbers: dict[int, int]) -> Lanes:
    return tuple(tuple(evolve(command, id=numbers.get(command.id, 0)) for command in lane) for lane in lanes)


def _emptied(lanes: Lanes) -> Lanes:
    return tuple(() for _ in lanes)
