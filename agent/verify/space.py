"""The world as numbers: core, two hosts, clients' ARP cache and what is left of the fault budget in one 64-bit key.

The core's states and the hosts are numbered as they are met (`core`, `side`), so that a world is a key of five fields,
and a step of the world is a few look-ups in tables: what a host can do next, what the core then does, what that makes
of the hosts. Whole frontiers are taken through the tables at once.

Timers run in the order in which they were started and for as long as they are told to: of two timers the one that was
started first and is no longer fires first. A *slow* timer (an alarm's cancel timeout, seconds against milliseconds)
fires only when nothing is under way that takes less.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from attrs import define, frozen
from numpy.typing import NDArray

from ...fsm import Event, HostCommand, LogMessageReceived, SwitchoverRequested, TimerFired, Topology
from ...fsm.handling import MACHINES, Machines
from .arrays import Column, Keys, KeySet, Numbers, RowSet, TooLargeError
from .core import Leaf, TabulatedCore, spread
from .host import BUDGET_AT_MOST, Fault, HostModel
from .properties import STEP_RULES, StepRule
from .side import HOST_BITS, Side
from .watched import Result

_AGENT_BITS, _ARP_BITS, _BUDGET_BITS = 26, 2, BUDGET_AT_MOST.bit_length()
_EVENT_BITS = 12
_BUDGET_AT = 0
_ARP_AT = _BUDGET_BITS
_HOST_AT = (_ARP_AT + _ARP_BITS, _ARP_AT + _ARP_BITS + HOST_BITS)
_AGENT_AT = _HOST_AT[1] + HOST_BITS


@frozen
class World:
    """One state of the world, as numbers: the core, the hosts on sides 1 and 2, the side that the clients send to."""

    agent: int
    hosts: tuple[int, int]
    arp: int
    budget: int


@define
class Batch:
    """Steps from the worlds of a frontier: of each, the row it starts from, the world after it, and what it was.

    `source` says where the step comes from, and `what` is its number there: a step of the host on side 1 or 2, an event
    that the core is told without a host's doing (0), the agent's crash (3), or the loss of its network (4).
    """

    source: int
    what: Numbers
    rows: Numbers
    agents: Numbers
    hosts: list[Numbers]
    arps: Numbers
    budgets: Numbers
    is_fault: NDArray[np.bool_]
    leaves: Numbers
    broken: NDArray[np.uint64]


class Space:
    """The steps of the world, for whole frontiers at once."""

    def __init__(
        self,
        topology: Topology,
        faults: frozenset[Fault],
        rules: tuple[StepRule, ...] = STEP_RULES,
        machines: Machines = MACHINES,
        slow_ms: int = 0,
    ) -> None:
        self.topology, self.faults, self.rules = topology, faults, rules
        self.core = TabulatedCore(topology, machines, slow_ms)
        self.sides = tuple(Side(HostModel(topology, side, faults), self.core.event) for side in (1, 2))
        self.commands: list[list[tuple[HostCommand, ...]]] = [[()], [()]]
        self._batch_numbers: list[dict[tuple[HostCommand, ...], int]] = [{(): 0}, {(): 0}]
        self._begin()
        self._concerns = Column(np.uint64)
        self._judged: dict[int, tuple[RowSet, Column]] = {}
        self._batches = (Column(np.int64), Column(np.int64))
        self._timer_first, self._timer_count = Column(np.int64), Column(np.int64)
        self._timer_event, self._timer_slow = Column(np.int64), Column(np.bool_)
        self._asked = np.array([self.core.event((event,)) for event in self._requests()], np.int64)

    def _begin(self) -> None:
        """Nothing is known of the core's states."""
        self._told = KeySet()
        self._after, self._leaf, self._broken = Column(np.int32), Column(np.int32), Column(np.uint64)
        self._timers_of = Column(np.int64)

    def change(self, machines: Machines, leaves: Numbers) -> None:
        """Begin again with other tables, which differ only in what decided these leaves of the core."""
        self.core.change(machines, leaves)
        self._begin()

    def _requests(self) -> Iterable[Any]:
        if Fault.OPERATOR in self.faults:
            for pair in self.topology.pairs:
                yield from (SwitchoverRequested(name) for name in pair.applications)
        if Fault.ALARM in self.faults:
            yield from (LogMessageReceived(*message) for message in self.topology.detecting)

    @property
    def bytes(self) -> int:
        """How much memory the tables take."""
        return self._told.bytes + self._after.bytes + self._leaf.bytes + self.core.bytes

    # Keys.

    def pack(self, batch: Batch) -> Keys:
        """The keys of the worlds after the steps."""
        key = (
            (batch.agents << _AGENT_AT)
            | (batch.hosts[0] << _HOST_AT[0])
            | (batch.hosts[1] << _HOST_AT[1])
            | (batch.arps << _ARP_AT)
            | batch.budgets
        )
        return key.astype(np.uint64)

    def unpack(self, keys: Keys) -> tuple[Numbers, list[Numbers], Numbers, Numbers]:
        """Agents, hosts, ARP caches and budgets of the worlds with these keys."""
        signed = keys.astype(np.int64)
        hosts = [(signed >> at) & ((1 << HOST_BITS) - 1) for at in _HOST_AT]
        return signed >> _AGENT_AT, hosts, (signed >> _ARP_AT) & 3, signed & BUDGET_AT_MOST

    def key(self, world: World) -> int:
        """The key of one world."""
        hosts = (world.hosts[0] << _HOST_AT[0]) | (world.hosts[1] << _HOST_AT[1])
        return (world.agent << _AGENT_AT) | hosts | (world.arp << _ARP_AT) | world.budget

    def world(self, key: int) -> World:
        """The world with this key."""
        agents, hosts, arps, budgets = self.unpack(np.array([key], np.uint64))
        return World(int(agents[0]), (int(hosts[0][0]), int(hosts[1][0])), int(arps[0]), int(budgets[0]))

    def start(self, budget: int) -> World:
        """Both hosts are up and in backup mode, nobody has the VIP, and the agent has just been started."""
        numbers = [side.number(side.model.start()) for side in self.sides]
        return World(self.core.initial, (numbers[0], numbers[1]), 0, budget)

    # Steps.

    def steps_from(self, key: int) -> Iterator[tuple[str, Leaf | None, int]]:
        """All steps from one world: what each is in words, what the core does in it, and the key of the world after."""
        for batch in self.steps(np.array([key], np.uint64)):
            for what, leaf, after in zip(
                batch.what.tolist(), batch.leaves.tolist(), self.pack(batch).tolist(), strict=True
            ):
                yield self._text(batch.source, what), self.core.leaves[leaf] if leaf >= 0 else None, after

    def _text(self, source: int, what: int) -> str:
        match source:
            case 1 | 2:
                return self.sides[source - 1].texts[what]
            case 3:
                return "the agent crashes and is started again"
            case 4:
                return "the network parts the agent from both hosts"
            case _:
                return describe_cause(self.core.events[what][0])

    def steps(self, keys: Keys) -> list[Batch]:
        """All steps from these worlds, in a fixed order."""
        agents, hosts, arps, budgets = self.unpack(keys)
        found = [self._host_steps(number, agents, hosts, arps, budgets) for number in (0, 1)]
        found.append(self._timer_steps(agents, hosts, arps, budgets))
        with_budget = np.flatnonzero(budgets)
        if len(with_budget):
            rest = (agents[with_budget], [each[with_budget] for each in hosts], arps[with_budget], budgets[with_budget])
            found += [self._relabelled(batch, with_budget) for batch in self._common_faults(*rest)]
        return [batch for batch in found if len(batch.rows)]

    @staticmethod
    def _relabelled(batch: Batch, rows: Numbers) -> Batch:
        batch.rows = rows[batch.rows]
        return batch

    def _host_steps(self, number: int, agents: Numbers, hosts: list[Numbers], arps: Numbers, budgets: Numbers) -> Batch:
        side = self.sides[number]
        side.expand(hosts[number])
        rows, moves = spread(side.first.all[hosts[number]], side.count.all[hosts[number]])
        is_fault = side.fault.all[moves]
        allowed = ~is_fault | (budgets[rows] > 0)
        rows, moves, is_fault = rows[allowed], moves[allowed], is_fault[allowed]
        after = [each[rows] for each in hosts]
        after[number] = side.after.all[moves]
        arp = np.where(side.announces.all[moves], number + 1, arps[rows])
        batch = Batch(
            number + 1, moves, rows, agents[rows], after, arp, budgets[rows] - is_fault, is_fault, *_no_core(rows)
        )
        return self._tell(batch, side.event.all[moves])

    def _timer_steps(self, agents: Numbers, hosts: list[Numbers], arps: Numbers, budgets: Numbers) -> Batch:
        timers = self._timers(agents)
        rows, which = spread(self._timer_first.all[timers], self._timer_count.all[timers])
        is_slow = self._timer_slow.all[which]
        is_quiet = self.sides[0].is_quiet.all[hosts[0]] & self.sides[1].is_quiet.all[hosts[1]]
        due = ~is_slow | is_quiet[rows]
        rows, which = rows[due], which[due]
        after = [each[rows] for each in hosts]
        events, no_fault = self._timer_event.all[which], np.zeros(len(rows), np.bool_)
        batch = Batch(0, events, rows, agents[rows], after, arps[rows], budgets[rows], no_fault, *_no_core(rows))
        return self._tell(batch, events)

    def _timers(self, agents: Numbers) -> Numbers:
        """The numbers of the agents' rows of timers, seeing to it that the events of each are known."""
        self._timers_of.extend(self.core.timings(len(self._timers_of)))
        known = self.core.values[self.core.timers_at]
        for running in known[len(self._timer_first) :]:
            due = self.due(running)
            self._timer_first.append(len(self._timer_event))
            self._timer_count.append(len(due))
            for name, is_slow in due:
                self._timer_event.append(self.core.event((TimerFired(name),)))
                self._timer_slow.append(is_slow)
        return self._timers_of.all[agents]

    def due(self, running: tuple[str, ...]) -> list[tuple[str, bool]]:
        """Which of the running timers can fire next, and whether that one is slow, and so waits for quiet."""
        times = [self.core.after_ms[name] for name in running]
        due = [name for at, name in enumerate(running) if not any(earlier <= times[at] for earlier in times[:at])]
        quick = [name for name in due if not self.core.is_slow(name)]
        return [(name, self.core.is_slow(name)) for name in quick or due]

    def _common_faults(self, agents: Numbers, hosts: list[Numbers], arps: Numbers, budgets: Numbers) -> Iterable[Batch]:
        """What an operator asks, messages that come, the agent's crash, and the loss of its own network."""
        size = len(agents)
        if len(self._asked):
            rows, asked = np.repeat(np.arange(size), len(self._asked)), np.tile(self._asked, size)
            after = [each[rows] for each in hosts]
            yield self._tell(_faulty(0, asked, rows, agents[rows], after, arps, budgets), asked)
        rows = np.arange(size)
        if Fault.AGENT in self.faults:
            forgotten = [side.forgotten.all[each] for side, each in zip(self.sides, hosts, strict=True)]
            yield _faulty(3, rows, rows, np.full(size, self.core.initial), forgotten, arps, budgets)
        if Fault.PARTITION in self.faults:
            parted = [side.parted.all[each] for side, each in zip(self.sides, hosts, strict=True)]
            rows = np.flatnonzero((parted[0] >= 0) & (parted[1] >= 0))
            yield _faulty(4, rows, rows, agents[rows], [each[rows] for each in parted], arps, budgets)

    def _tell(self, batch: Batch, events: Numbers) -> Batch:
        """Tell the core what was said in the steps (-1: nothing), and the hosts what the core then commands."""
        told = np.flatnonzero(events >= 0)
        if not len(told):
            return batch
        found = self._follow(batch.agents[told], events[told])
        batch.agents[told] = self._after.all[found]
        batch.leaves[told] = leaves = self._leaf.all[found]
        batch.broken[told] = self._broken.all[found]
        for number, side in enumerate(self.sides):
            batches = self._batches[number].all[leaves]
            batch.hosts[number][told] = side.receive(batch.hosts[number][told], batches, self.commands[number])
        return batch

    def _follow(self, agents: Numbers, events: Numbers) -> Numbers:
        """Where it stands what follows when these agents are told these events."""
        keys = ((agents << _EVENT_BITS) | events).astype(np.uint64)
        found, is_new = self._told.add(keys)
        after, leaves = self.core.handle(agents[is_new], events[is_new])
        if len(self.core) >> _AGENT_BITS:
            raise TooLargeError(f"more than {1 << _AGENT_BITS} states of the core")
        self._after.extend(after)
        self._leaf.extend(leaves)
        for leaf in self.core.leaves[len(self._batches[0]) :]:
            self._concerns.append(sum(rule.concerns(leaf) << at for at, rule in enumerate(self.rules)))
            for number, host in enumerate(self.topology.hosts):
                commands = tuple(command for command in leaf.commands if command.host == host)
                self._batches[number].append(self._batch(number, commands))
        self._broken.extend(self._judge(agents[is_new], after, leaves))
        return found

    def _judge(self, before: Numbers, after: Numbers, leaves: Numbers) -> NDArray[np.uint64]:
        """Which of the rules for steps of the core are broken, a bit for each."""
        concerns = self._concerns.all[leaves]
        broken = np.zeros(len(leaves), np.uint64)
        for at in range(len(self.rules)):
            rows = np.flatnonzero(concerns & np.uint64(1 << at))
            if len(rows):
                wrong = self._broken_rows(at, before[rows], after[rows], leaves[rows])
                broken[rows[wrong]] |= np.uint64(1 << at)
        return broken

    def _broken_rows(self, at: int, before: Numbers, after: Numbers, leaves: Numbers) -> NDArray[np.bool_]:
        """Where a rule is broken. It is asked once for all steps that are alike in what it looks at."""
        rule = self.rules[at]
        read = np.concatenate(
            (
                leaves[:, None],
                self.core.cells_of(before, self._cells_of_kinds(rule.before)),
                self.core.cells_of(after, self._cells_of_kinds(rule.after)),
            ),
            axis=1,
        )
        judged, verdicts = self._judged.setdefault(at, (RowSet(read.shape[1]), Column(np.bool_)))
        numbers, is_new = judged.add(read.astype(np.uint32))
        for row in np.flatnonzero(is_new).tolist():
            leaf = self.core.leaves[int(leaves[row])]
            verdicts.append(rule.is_broken(self.core, int(before[row]), int(after[row]), leaf))
        return verdicts.all[numbers]

    def _cells_of_kinds(self, kinds: tuple[str, ...]) -> list[int]:
        cells = (*self.core.cells, ("timers", 0))
        return [position for position, (kind, _) in enumerate(cells) if kind in kinds]

    def _batch(self, side: int, commands: tuple[HostCommand, ...]) -> int:
        number = self._batch_numbers[side].get(commands)
        if number is None:
            number = self._batch_numbers[side][commands] = len(self.commands[side])
            self.commands[side].append(commands)
        return number


def _no_core(rows: Numbers) -> tuple[Numbers, NDArray[np.uint64]]:
    """No leaf, and no rule that is broken: the core was not told anything yet."""
    return np.full(len(rows), -1), np.zeros(len(rows), np.uint64)


def _faulty(
    source: int, what: Numbers, rows: Numbers, agents: Numbers, hosts: list[Numbers], arps: Numbers, budgets: Numbers
) -> Batch:
    is_fault = np.ones(len(rows), np.bool_)
    return Batch(source, what, rows, agents, hosts, arps[rows], budgets[rows] - 1, is_fault, *_no_core(rows))


def describe_cause(event: Event | Result) -> str:
    """In words, what makes the core be told this without a host's doing."""
    match event:
        case TimerFired():
            return f"the time is over: {event.timer}"
        case SwitchoverRequested():
            return f"an operator asks for {event.application} to be primary"
        case LogMessageReceived():
            return f"the message {event.event_id} about {event.application} comes from outside"
        case _:
            raise AssertionError(event)
