"""The state space: which steps are possible in each world, from tables that grow on demand.

The states of the core and of the hosts are numbered as they are met (`core`, `side`), so a world is a key of five
fields (`keys`), and a step is a few look-ups in tables (`stepping`): what a host can do next, what the core then does,
and how this changes the hosts. Where an entry is missing, the core itself runs, or the model of a host.

Timers run in the order of their start and for their full duration: a timer that was started earlier and is not longer
than another one fires before it. A *slow* timer (an alarm's cancel timeout: seconds, where others take milliseconds)
fires only when nothing quicker is under way.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ....fsm import (
    Event,
    HostCommand,
    LogMessageReceived,
    SwitchoverRequested,
    TimerFired,
    Topology,
)
from ....fsm.handling import MACHINES, Machines
from ..arrays import stepping
from ..arrays.keys import World, unpack
from ..arrays.sets import Column, Keys, Numbers, RowSet, TooLargeError
from ..arrays.stepping import (
    AGENT_BITS,
    BUDGET_MASK,
    CoreTables,
    Faults,
    HostTables,
    StepBuffers,
)
from ..model.core import Leaf, TabulatedCore
from ..model.host import Fault, HostModel
from ..model.side import Side
from ..model.watched import Result
from ..properties.always import STEP_RULES, StepRule


@frozen
class Steps:
    """Steps from worlds with the keys `before`: for each, the row of that world, and the key of the world after it.

    `handling` is the number of what the core did in the step (-1: it had no event to handle); `by` says who made the
    step, and `detail` is the number of the host's move, or of the event (`stepping`).
    """

    before: Keys
    rows: NDArray[np.int32]
    keys: Keys
    handling: NDArray[np.int32]
    by: NDArray[np.int8]
    detail: NDArray[np.int32]

    @property
    def is_fault(self) -> NDArray[np.bool_]:
        """Which of them cost one fault of the budget."""
        budget = np.uint64(BUDGET_MASK)
        return (self.keys & budget) < (self.before & budget)[self.rows]


class Space:
    """The steps from worlds, computed for a whole frontier at a time."""

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
        self._batches_of_leaf = (Column(np.int32), Column(np.int32))
        self._timer_first, self._timer_count = Column(np.int32), Column(np.int32)
        self._timer_event, self._timer_slow = Column(np.int32), Column(np.bool_)
        asked = np.array([self.core.event((event,)) for event in self._requests()], np.int32)
        self._common = Faults(asked, self.core.initial, Fault.AGENT in faults, Fault.PARTITION in faults)

    def _begin(self) -> None:
        """Forget everything about the core's states."""
        self._timers_of = Column(np.int32)
        self._agents, self._codes = Column(np.int32), Column(np.int64)
        self._leaf, self._broken, self._is_broken = Column(np.int32), Column(np.uint64), False
        self._arrange()

    def change(self, machines: Machines, leaves: Numbers) -> None:
        """Start over with other tables, which differ only in the rows that decided these leaves of the core."""
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
        """The memory that the tables take, in bytes."""
        columns = (self._timers_of, self._agents, self._codes, self._leaf, self._broken)
        return sum(each.nbytes for each in self._handlings) + sum(column.bytes for column in columns) + self.core.bytes

    def start(self, budget: int) -> World:
        """The initial world: both hosts run in backup mode, neither holds the VIP, the agent has just started."""
        numbers = [side.number(side.model.start()) for side in self.sides]
        return World(self.core.initial, (numbers[0], numbers[1]), 0, budget)

    # Steps.

    def steps_from(self, key: int) -> Iterator[tuple[str, Leaf | None, int]]:
        """All steps from one world: the text of each, what the core does in it, and the key of the world after it."""
        steps = self.steps(np.array([key], np.uint64))
        for by, detail, handling, after in zip(
            steps.by.tolist(), steps.detail.tolist(), steps.handling.tolist(), steps.keys.tolist(), strict=True
        ):
            yield self._text(by, detail), self.core.leaves[self._leaf.all[handling]] if handling >= 0 else None, after

    def _text(self, by: int, detail: int) -> str:
        if by in (stepping.SIDE_1, stepping.SIDE_2):
            return self.sides[by - stepping.SIDE_1].texts[detail]
        if by == stepping.CRASH:
            return "the agent crashes and is started again"
        if by == stepping.NETWORK:
            return "the network parts the agent from both hosts"
        return describe_cause(self.core.events[detail][0])

    def steps(self, keys: Keys) -> Steps:
        """All steps from these worlds, in a fixed order."""
        self._update_timers()
        room = self._room(keys)
        if room == stepping.UNKNOWN:
            for side, hosts in zip(self.sides, unpack(keys)[1], strict=True):
                side.expand(hosts)
            room = self._room(keys)
        steps = StepBuffers(
            rows=np.empty(room, np.int32),
            keys=np.empty(room, np.uint64),
            handling=np.empty(room, np.int32),
            by=np.empty(room, np.int8),
            detail=np.empty(room, np.int32),
        )
        end = self._fill(keys, steps, np.empty(room, np.int64))
        return Steps(keys, steps.rows[:end], steps.keys[:end], steps.handling[:end], steps.by[:end], steps.detail[:end])

    def _room(self, keys: Keys) -> int:
        return stepping.room(keys, *self._host_tables(), self._core_tables(), len(self._common.asked) + 2)

    def _fill(self, keys: Keys, steps: StepBuffers, missing: Numbers) -> int:
        """Write the steps into the buffers, adding missing entries to the tables as needed. Returns their number."""
        while True:
            tables = *self._host_tables(), self._core_tables()
            count, lacking = stepping.steps(keys, *tables, self._common, steps, missing)
            if not lacking:
                return count
            self._add_missing(np.unique(missing[:lacking]))

    def _host_tables(self) -> tuple[HostTables, HostTables]:
        one, two = (side.tables(len(self.commands[n])) for n, side in enumerate(self.sides))
        return one, two

    def _core_tables(self) -> CoreTables:
        return CoreTables(
            self._timers_of.all,
            self._timer_first.all,
            self._timer_count.all,
            self._timer_event.all,
            self._timer_slow.all,
            *self._handlings,
        )

    def _add_missing(self, missing: Numbers) -> None:
        kinds, numbers = missing >> stepping.KIND_AT, missing >> stepping.NUMBER_AT
        numbers &= (1 << (stepping.KIND_AT - stepping.NUMBER_AT)) - 1
        which = missing & ((1 << stepping.NUMBER_AT) - 1)
        unhandled = kinds == stepping.UNHANDLED
        if unhandled.any():
            self._handle(numbers[unhandled], which[unhandled])
        unreceived: list[list[int]] = np.stack((kinds, numbers, which), 1)[~unhandled].tolist()
        for kind, host, batch in unreceived:
            side = kind - stepping.UNRECEIVED
            self.sides[side].receive(host, batch, self.commands[side][batch])

    def _update_timers(self) -> None:
        """Bring the tables of timers up to date: the running ones of each state, and the event of each timer."""
        self._timers_of.extend(self.core.timings(len(self._timers_of)))
        known = self.core.values[self.core.timers_at]
        for running in known[len(self._timer_first) :]:
            due = self.due(running)
            self._timer_first.append(len(self._timer_event))
            self._timer_count.append(len(due))
            for name, is_slow in due:
                self._timer_event.append(self.core.event((TimerFired(name),)))
                self._timer_slow.append(is_slow)

    def due(self, running: tuple[str, ...]) -> list[tuple[str, bool]]:
        """The running timers that can fire next, each with whether it is slow: a slow one waits until all is quiet."""
        times = [self.core.after_ms[name] for name in running]
        due = [name for at, name in enumerate(running) if not any(earlier <= times[at] for earlier in times[:at])]
        quick = [name for name in due if not self.core.is_slow(name)]
        return [(name, self.core.is_slow(name)) for name in quick or due]

    # The core.

    def _handle(self, agents: Numbers, events: Numbers) -> None:
        """Let the core handle events in states where it has not done so yet, and keep the results."""
        after, leaves = self.core.handle(agents, events)
        if len(self.core) >> AGENT_BITS:
            raise TooLargeError(f"more than {1 << AGENT_BITS} states of the core")
        for leaf in self.core.leaves[len(self._concerns) :]:
            self._concerns.append(sum(rule.concerns(leaf) << at for at, rule in enumerate(self.rules)))
            for number, host in enumerate(self.topology.hosts):
                commands = tuple(command for command in leaf.commands if command.host == host)
                self._batches_of_leaf[number].append(self._batch(number, commands))
        broken = self._judge(agents, after, leaves)
        self._is_broken |= bool(broken.any())
        batches = (of_leaf.all[leaves].astype(np.int64) for of_leaf in self._batches_of_leaf)
        codes = events | (after << stepping.AFTER_AT)
        for at, batch in zip(stepping.BATCH_AT, batches, strict=True):
            codes |= batch << at
        columns = (self._agents, self._codes, self._leaf, self._broken)
        for column, values in zip(columns, (agents, codes, leaves, broken), strict=True):
            column.extend(values)
        self._arrange()

    def _arrange(self) -> None:
        """Group the results by the state of the core again."""
        size = len(self._codes)
        self._handlings = np.zeros(len(self.core) + 1, np.int32), np.empty(size, np.int64), np.empty(size, np.int32)
        stepping.arrange(self._agents.all, self._codes.all, *self._handlings)

    def broken(self, steps: Steps) -> NDArray[np.uint64] | None:
        """The step rules that each step breaks, one bit per rule; None if no rule was ever broken."""
        if not self._is_broken:
            return None
        return np.where(steps.handling >= 0, self._broken.all[steps.handling], np.uint64(0))

    def _judge(self, before: Numbers, after: Numbers, leaves: Numbers) -> NDArray[np.uint64]:
        """The step rules that each of these steps of the core breaks, one bit per rule."""
        concerns = self._concerns.all[leaves]
        broken = np.zeros(len(leaves), np.uint64)
        for at in range(len(self.rules)):
            rows = np.flatnonzero(concerns & np.uint64(1 << at))
            if len(rows):
                wrong = self._broken_rows(at, before[rows], after[rows], leaves[rows])
                broken[rows[wrong]] |= np.uint64(1 << at)
        return broken

    def _broken_rows(self, at: int, before: Numbers, after: Numbers, leaves: Numbers) -> NDArray[np.bool_]:
        """Which rows break a rule. Steps with the same leaf and the same cells that the rule reads are judged once."""
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
            if number > stepping.EVENT_MASK:
                raise TooLargeError(f"more than {stepping.EVENT_MASK} batches of commands to one host")
            self.commands[side].append(commands)
        return number


def describe_cause(event: Event | Result) -> str:
    """The text of a step that no host makes: a timer, a request, or a message from outside."""
    match event:
        case TimerFired():
            return f"the time is over: {event.timer}"
        case SwitchoverRequested():
            return f"an operator asks for {event.application} to be primary"
        case LogMessageReceived():
            return f"the message {event.event_id} about {event.application} comes from outside"
        case _:
            raise AssertionError(event)
