"""The world written a second time, plainly, to judge the explorer by and to play traces.

Here the real `Solution` is told real events, and gives real commands with real ids: no tables made of it, no numbers,
no arrays. Of the explorer's parts it takes `HostModel`, which says what a host can do and what is said of it; how the
core is told that, which id a result has, how timers run, when two worlds are the same, the clients' ARP cache, the
budget and the faults that concern no single host are written anew. It is slow and plain. If it counts other worlds than
the explorer, one of them is wrong. What is wrong in `HostModel` itself, it cannot tell.

Two worlds are the same if they go on alike. Hence of the core's state the commands under way stand in an order of the
things that they are about, and are numbered anew in that order (a thing's own commands stay in the order given). A
command that a host still has and of which the core wants to know nothing any more is number 0.
"""

import difflib
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
from ..properties.always import AT_REST, HEALED
from .trace import (
    AGENT,
    OUTSIDE,
    Trace,
    TraceError,
    TraceStep,
    digest,
    told_step,
)

_SLOW_TIMES = 2
"""A timer waits until nothing quicker is under way if it takes this many times as long as the core's other timers."""


@frozen(cache_hash=True)
class PlainWorld:
    """A state of the world in its canonical form.

    `timers` are names and milliseconds, in the order of their start, the slow ones last. `ids` are those of the
    commands that each host has received or will receive: ids take no part in comparisons of commands. `arp` is the side
    that the clients send to (0: none yet); `budget`, how many faults are left.
    """

    core: SolutionState
    timers: tuple[tuple[str, int], ...]
    hosts: tuple[Host, Host]
    ids: tuple[tuple[int, ...], ...]
    arp: int
    budget: int


@frozen
class PlainStep:
    """A step: its words, who makes it, and all that comes of it."""

    text: str
    by: str
    world: PlainWorld
    is_fault: bool = False
    announces: bool = False
    told: tuple[Event, ...] = ()
    decisions: tuple[Step, ...] = ()
    commands: tuple[Command, ...] = ()
    error: str = ""


class PlainModel:
    """The steps of the world of a topology, under these kinds of faults."""

    def __init__(self, topology: Topology, faults: frozenset[Fault], slow_ms: int = 0) -> None:
        self.topology, self._faults = topology, faults
        self._models = HostModel(topology, 1, faults), HostModel(topology, 2, faults)
        self._slow_ms = slow_ms or _SLOW_TIMES * max(topology.settle_ms, topology.retry_ms, topology.drain_ms)

    def start(self) -> PlainWorld:
        """A cold start without faults: the hosts are up, and the agent has just been started."""
        hosts = self._models[0].start(), self._models[1].start()
        return self._canonical(PlainWorld(initial_state(self.topology), (), hosts, (), 0, 0))

    def successors(self, world: PlainWorld) -> Iterator[tuple[str, PlainWorld]]:
        """Every step from a world, in words, and the world after it."""
        return ((step.text, step.world) for step in self.steps(world))

    def steps(self, world: PlainWorld) -> Iterator[PlainStep]:
        """Every step from a world."""
        yield from self._host_steps(world)
        for timer in self._due(world):
            yield self._told(PlainStep(f"the time is over: {timer}", AGENT, world, told=(TimerFired(timer),)))
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
                    events = tuple(_event(said) if isinstance(said, Result) else said for said in move.told)
                    yield self._told(PlainStep(move.text, model.name, after, move.fault, move.announces, events))

    def _due(self, world: PlainWorld) -> Iterator[str]:
        """The timers that can fire next: none that was started earlier and is no longer is still running."""
        quick = [timer for timer in world.timers if timer[1] < self._slow_ms]
        waits = bool(quick) or not all(host.is_quiet for host in world.hosts)
        running = quick if waits else world.timers
        for at, (name, after_ms) in enumerate(running):
            if all(after_ms < earlier for _, earlier in running[:at]):
                yield name

    def _faults_of_no_host(self, world: PlainWorld) -> Iterator[PlainStep]:
        """Faults that concern no single host; the world has paid for them already."""
        if Fault.OPERATOR in self._faults:
            for name in (name for pair in self.topology.pairs for name in pair.applications):
                text = f"an operator asks for {name} to be primary"
                yield self._told(PlainStep(text, OUTSIDE, world, True, told=(SwitchoverRequested(name),)))
        if Fault.ALARM in self._faults:
            for message, name in self.topology.detecting:
                text = f"the message {message} about {name} comes from outside"
                yield self._told(PlainStep(text, OUTSIDE, world, True, told=(LogMessageReceived(message, name),)))
        if Fault.AGENT in self._faults:
            first, second = (evolve(host, link="new", wire=_emptied(host.wire)) for host in world.hosts)
            forgotten = evolve(world, core=initial_state(self.topology), timers=(), hosts=(first, second))
            yield PlainStep("the agent crashes and is started again", AGENT, self._canonical(forgotten), True)
        if Fault.PARTITION in self._faults and all(host.net == "fine" for host in world.hosts):
            first, second = (evolve(host, net="parted") for host in world.hosts)
            parted = self._canonical(evolve(world, hosts=(first, second)))
            yield PlainStep("the network parts the agent from both hosts", AGENT, parted, True)

    # The core is told.

    def _told(self, step: PlainStep) -> PlainStep:
        """The step when the core was told of it, and the hosts have got what it then commands."""
        solution = Solution(self.topology, step.world.core)
        decisions: list[Step] = []
        commands: list[Command] = []
        error = ""
        try:
            for event in step.told:
                commands += solution.handle(event)
                decisions += solution.steps
        except CoreError as refused:
            error = str(refused)
        world = evolve(step.world, core=solution.state, timers=_restarted(step.world.timers, step.told, commands))
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
    """The result of the very command that a host carried out: it is told with that one's id."""
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
    running: tuple[tuple[str, int], ...], told: tuple[Event, ...], commands: Iterable[Command]
) -> tuple[tuple[str, int], ...]:
    """The timers when what fired is over, and what was started has begun, anew if it was running."""
    over = {event.timer for event in told if isinstance(event, TimerFired)}
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


# Traces, played again.


@frozen
class Replay:
    """What came of playing a trace: the steps that were played, and what was other than in the trace (or nothing)."""

    steps: tuple[TraceStep, ...]
    difference: str = ""

    @property
    def is_reproduced(self) -> bool:
        """Whether the core decided and commanded the same all the way, and the world is the same at the end."""
        return not self.difference

    @property
    def records(self) -> tuple[str, ...]:
        """What the core was told, decided and gave out, in the words of `records` in `switchover.fsm`."""
        return tuple(record for step in self.steps for record in _records(step))


def replay(trace: Trace) -> Replay:
    """Play a trace through the very core that runs, as far as it goes as the trace says.

    It is reproduced if the core is told, decides and commands the same in each step, and the world at the end is the
    same. `TraceError` if a step is not possible although everything before it went as the trace says.
    """
    model = PlainModel(trace.topology, frozenset(trace.kinds), trace.slow_ms)
    played: list[TraceStep] = []
    worlds = [model.start()]
    for number, expected in enumerate((*trace.opening, *trace.steps)):
        if number == len(trace.opening):
            worlds.append(evolve(worlds[-1], budget=trace.budget))
        world, step = _played(model, worlds[-1], expected, _place(trace, number))
        worlds.append(world)
        played.append(step)
        if step != expected:
            return Replay(tuple(played), f"{_place(trace, number)}: {_other(expected, step)}")
    return Replay(tuple(played), _wrong_ending(trace, model, worlds))


def _place(trace: Trace, number: int) -> str:
    """Which step that is, numbered as in the trace's text."""
    if not trace.start:
        return f"step {number + 1}"
    opening = len(trace.opening)
    return f"step {number - opening + 1}" if number >= opening else f"step {number + 1} of the cold start"


def _played(model: PlainModel, world: PlainWorld, expected: TraceStep, place: str) -> tuple[PlainWorld, TraceStep]:
    """The world after the step with these words, and that step as it is told; best the one that was expected."""
    steps = [step for step in model.steps(world) if (step.text, step.is_fault) == (expected.text, expected.is_fault)]
    if not steps:
        close = difflib.get_close_matches(expected.text, [step.text for step in model.steps(world)], n=1, cutoff=0)
        possible = f"for one, {close[0]!r} is" if close else "nothing is"
        raise TraceError(f"{place} is not possible there: {expected.text!r}; {possible}")
    found = [(step.world, _as_told(step, world)) for step in steps]
    return next((each for each in found if each[1] == expected), found[0])


def _as_told(step: PlainStep, before: PlainWorld) -> TraceStep:
    happening = TraceStep(step.text, step.by, step.is_fault, step.announces)
    return told_step(happening, step.told, before.core.pending, step.decisions, step.commands, step.error)


def _other(expected: TraceStep, step: TraceStep) -> str:
    for what, before, now in (
        ("it is told", expected.told, step.told),
        ("it decides", expected.decisions, step.decisions),
        ("it commands", [each.text for each in expected.commands], [each.text for each in step.commands]),
        ("it refuses", [expected.error], [step.error]),
    ):
        if list(before) != list(now):
            return f"{what} {_shown(now)}, where the trace says {_shown(before)}"
    return "the trace calls it something else"


def _shown(found: Iterable[object]) -> str:
    return "; ".join(map(str, found)) or "nothing"


def _records(step: TraceStep) -> Iterator[str]:
    yield from step.told
    yield from (f"{found.subject} {found.source} -> {found.destination}: {found.reason}" for found in step.decisions)
    yield from (command.text for command in step.commands)


def _wrong_ending(trace: Trace, model: PlainModel, worlds: list[PlainWorld]) -> str:
    """What at the end is not as the trace says, or not such that the property is broken there."""
    end = worlds[-1]
    timers = (name for name, _ in end.timers)
    found = digest(trace.topology, end.core, timers, end.hosts, end.arp)
    for name in (*found, *trace.ending):
        if found.get(name) != trace.ending.get(name):
            return f"at the end, {name}: {found.get(name)}, where the trace says {trace.ending.get(name)}"
    if trace.broken in HEALED and not all(step.is_fault for step in model.steps(end)):
        return "at the end something goes on: it is too early to say that nothing heals it"
    if trace.broken == AT_REST and end not in worlds[:-1]:
        return "at the end nothing has come back: it does not go on in a circle"
    return ""
