"""The core as decision trees: the live `Solution` handles each distinct case once; afterwards the result is looked up.

A state of the core is a row of small numbers, one for each of its cells (`watched`). The live core handles an event on
a state that records which cells are read. The cells read, in order, are a path in the decision tree of that event; the
outcome (the cells written, the commands, the timers, the rows that fired) is the leaf. Another state with the same
values in those cells reaches the same leaf, whatever its other cells hold. So the machines' tables run live, once for
each distinction that they make, and no part of the core is written twice.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from ....fsm import (
    ActivateAlarm,
    CoreError,
    HostCommand,
    StartTimer,
    Step,
    TimerFired,
    Topology,
    TriggerReaction,
    WriteLog,
)
from ....fsm.commands import Command
from ....fsm.handling import MACHINES, Machines, handle_event
from ....fsm.state import SolutionState, initial_state
from ..arrays.sets import Column, Numbers, Rows, RowSet, TooLargeError
from .trees import GAP, VALUE_BITS, Trees
from .watched import (
    Occurrence,
    Result,
    WatchedState,
    cells_of,
    initial_value,
    targets_of,
)

_UNKNOWN = -1


def slow_by_default_ms(topology: Topology) -> int:
    """The duration, in ms, from which a timer counts as slow: twice the longest of settle, retry and drain."""
    return 2 * max(topology.settle_ms, topology.retry_ms, topology.drain_ms)


@frozen
class Leaf:
    """What the core does on an occurrence in all states that agree on the cells it reads."""

    occurrence: Occurrence
    writes: tuple[tuple[int, int], ...]
    commands: tuple[HostCommand, ...]
    timers: tuple[str, ...]
    steps: tuple[Step, ...]
    records: tuple[WriteLog | ActivateAlarm | TriggerReaction, ...] = ()
    error: str = ""


class TabulatedCore:
    """The core of one topology. States and leaves are numbered in the order in which they are reached."""

    def __init__(self, topology: Topology, machines: Machines = MACHINES, slow_ms: int = 0) -> None:
        self.topology = topology
        self._machines = machines
        self.targets = targets_of(topology)
        self.cells = tuple(cells_of(topology))
        self.positions = {cell: position for position, cell in enumerate(self.cells)}
        self.timers_at = len(self.cells)
        self.values: list[list[Any]] = [[] for _ in range(self.timers_at + 1)]
        self._value_numbers: list[dict[Any, int]] = [{} for _ in range(self.timers_at + 1)]
        self.after_ms: dict[str, int] = {}
        self._slow_ms = slow_ms or slow_by_default_ms(topology)

        self.events: list[Occurrence] = []
        self._event_numbers: dict[Occurrence, int] = {}
        self._trees = Trees(self.values)

        self.leaves: list[Leaf] = []
        self._write_first, self._write_count = Column(np.int64), Column(np.int64)
        self._write_cell, self._write_value = Column(np.int64), Column(np.uint32)
        self._leaf_timing = Column(np.int64)
        self._timings: dict[tuple[str, tuple[str, ...]], int] = {("", ()): 0}
        self._elapsed = np.full((64, 64), _UNKNOWN, np.int64)

        start = [self.value(at, initial_value(topology, cell)) for at, cell in enumerate(self.cells)]
        self._start = np.array([[*start, self.value(self.timers_at, ())]], np.uint32)
        self._begin()

    def _begin(self) -> None:
        """Forget all states but the initial one."""
        self._states = RowSet(self.timers_at + 1)
        self._states.add(self._start)
        self.initial = 0

    def __len__(self) -> int:
        return len(self._states)

    @property
    def bytes(self) -> int:
        """The memory that the states and trees take, in bytes (leaves are estimated)."""
        return self._states.bytes + self._trees.bytes + 4000 * len(self.leaves)

    # Numbers.

    def value(self, cell: int, value: Any) -> int:
        """The number of a value of a cell."""
        numbers = self._value_numbers[cell]
        number = numbers.get(value)
        if number is None:
            number = numbers[value] = len(numbers)
            self.values[cell].append(value)
            if number >> VALUE_BITS:
                raise TooLargeError(f"more than {1 << VALUE_BITS} values of {(*self.cells, 'the timers')[cell]}")
        return number

    def event(self, occurrence: Occurrence) -> int:
        """The number of an occurrence."""
        number = self._event_numbers.get(occurrence)
        if number is None:
            number = self._event_numbers[occurrence] = len(self.events)
            self.events.append(occurrence)
            self._trees.plant()
        return number

    def timings(self, first: int) -> Numbers:
        """For each state from `first` on, the number of its set of running timers."""
        return self._states.all[first:, self.timers_at].astype(np.int64)

    def read(self, state: int, kind: str, index: Any = 0) -> Any:
        """The value of a cell in a numbered state."""
        cell = self.positions[kind, index]
        return self.values[cell][self._states.all[state, cell]]

    def cells_of(self, states: Numbers, cells: Sequence[int]) -> Rows:
        """The values of these cells in these states, as numbers."""
        return self._states.all[states[:, None], np.array(cells, np.int64)]

    def column(self, kind: str, index: Any = 0) -> tuple[NDArray[np.uint32], list[Any]]:
        """A cell of every state, as numbers, and the values that the numbers stand for."""
        cell = self.positions[kind, index]
        return self._states.all[:, cell], self.values[cell]

    def timers(self, state: int) -> tuple[str, ...]:
        """The running timers of a numbered state, in the order in which they were started."""
        return self.values[self.timers_at][self._states.all[state, self.timers_at]]

    # Other tables.

    def change(self, machines: Machines, leaves: Numbers) -> None:
        """Start over with other tables, which differ only in the rows that decided `leaves`: those are forgotten."""
        self._machines = machines
        self._begin()
        self._trees.forget(leaves, len(self.leaves))

    # Steps.

    def handle(self, states: Numbers, events: Numbers) -> tuple[Numbers, Numbers]:
        """Handle numbered events in numbered states: the next states, and the leaves reached."""
        leaves = self._find(states, events)
        rows = self._states.all[states]
        which, writes = spread(self._write_first.all[leaves], self._write_count.all[leaves])
        rows[which, self._write_cell.all[writes]] = self._write_value.all[writes]
        rows[:, self.timers_at] = self._elapse(rows[:, self.timers_at], self._leaf_timing.all[leaves])
        return self._states.add(rows)[0], leaves

    def _find(self, states: Numbers, events: Numbers) -> Numbers:
        """The leaves of these states in the trees of these events; where one is missing, the core runs."""
        leaves = np.full(len(states), GAP, np.int64)
        todo = np.arange(len(states))
        while len(todo):
            leaves[todo], branches = self._trees.walk(self._states.all, states[todo], events[todo])
            is_gap = leaves[todo] == GAP
            todo, branches = todo[is_gap], branches[is_gap]
            for row in todo[np.unique(branches, return_index=True)[1]]:
                self._grow(int(states[row]), int(events[row]))
        return leaves

    def _grow(self, state: int, event: int) -> None:
        """Run the core, and add the cells that it read and the resulting leaf to the event's tree."""
        watched = WatchedState(self, self._states.all[state].tolist())
        leaf = self._add_leaf(self._run(watched, self.events[event]))
        if not self._trees.add(event, watched.path, leaf):
            raise CoreError(f"the core is not deterministic on {self.events[event]}")

    def _run(self, watched: WatchedState, occurrence: Occurrence) -> Leaf:
        commands: list[Command] = []
        steps: list[Step] = []
        state: Any = watched
        for item in occurrence:
            event = item.as_event(watched) if isinstance(item, Result) else item
            try:
                work = handle_event(self.topology, state, event, self._machines)
            except CoreError as error:
                return Leaf(occurrence, (), (), (), (), error=str(error))
            commands += work.commands
            steps += work.steps
        for command in commands:
            if isinstance(command, StartTimer):
                self.after_ms[command.timer] = command.after_ms
        return Leaf(
            occurrence,
            tuple((cell, self.value(cell, value)) for cell, value in sorted(watched.written.items())),
            tuple(command for command in commands if isinstance(command, HostCommand)),
            tuple(command.timer for command in commands if isinstance(command, StartTimer)),
            tuple(steps),
            tuple(command for command in commands if isinstance(command, WriteLog | ActivateAlarm | TriggerReaction)),
        )

    def _add_leaf(self, leaf: Leaf) -> int:
        self._write_first.append(len(self._write_cell))
        self._write_count.append(len(leaf.writes))
        self._write_cell.extend(np.array([cell for cell, _ in leaf.writes], np.int64))
        self._write_value.extend(np.array([value for _, value in leaf.writes], np.uint32))
        fired = leaf.occurrence[0].timer if isinstance(leaf.occurrence[0], TimerFired) else ""
        self._leaf_timing.append(self._timings.setdefault((fired, leaf.timers), len(self._timings)))
        self.leaves.append(leaf)
        return len(self.leaves) - 1

    def _elapse(self, running: NDArray[np.uint32], timings: Numbers) -> NDArray[Any]:
        """The running timers after one has fired and others were started."""
        rows, columns = self._elapsed.shape
        if len(self.values[-1]) > rows or len(self._timings) > columns:
            size = max(rows, 2 * len(self.values[-1])), max(columns, 2 * len(self._timings))
            grown = np.full(size, _UNKNOWN, np.int64)
            grown[:rows, :columns] = self._elapsed
            self._elapsed = grown
        after = self._elapsed[running, timings]
        unknown = after < 0
        if unknown.any():
            names = list(self._timings)
            pairs: list[tuple[int, int]] = np.unique(np.stack((running[unknown], timings[unknown]), 1), axis=0).tolist()
            for now, timing in pairs:
                timers = self._restarted(self.values[-1][now], *names[timing])
                self._elapsed[now, timing] = self.value(self.timers_at, timers)
            after = self._elapsed[running, timings]
        return after

    def _restarted(self, running: tuple[str, ...], fired: str, started: tuple[str, ...]) -> tuple[str, ...]:
        """The running timers in the order of their start; slow ones come last, because they wait for the others."""
        last = tuple(reversed(dict.fromkeys(reversed(started))))
        timers = (*(name for name in running if name != fired and name not in last), *last)
        return tuple(sorted(timers, key=self.is_slow))

    def is_slow(self, timer: str) -> bool:
        """Whether a timer waits for everything else under way. It must have been started at least once."""
        return self.after_ms[timer] >= self._slow_ms

    def state_of(self, state: int) -> SolutionState:
        """A numbered state as the core's own `SolutionState`; the ids of pending commands are assigned anew."""

        def row(kind: str, length: int) -> tuple[Any, ...]:
            return tuple(self.read(state, kind, index) for index in range(length))

        initial = initial_state(self.topology)
        pending = [command for target in self.targets for command in self.read(state, "pending", target)]
        return SolutionState(
            links=(self.read(state, "link", 0), self.read(state, "link", 1)),
            pairs=row("pair", len(initial.pairs)),
            applications=row("application", len(initial.applications)),
            alarms=row("alarm", len(initial.alarms)),
            vip=self.read(state, "vip"),
            placement=self.read(state, "placement"),
            view=self.read(state, "view"),
            vip_held=(self.read(state, "held", 0), self.read(state, "held", 1)),
            pending=tuple(evolve(command, id=number) for number, command in enumerate(pending, start=1)),
            next_id=len(pending) + 1,
        )


def spread(first: Numbers, count: Numbers) -> tuple[Numbers, Numbers]:
    """The row and the position of every entry, where each row has `count` entries from `first` on."""
    rows = np.repeat(np.arange(len(first)), count)
    offsets = np.cumsum(count) - count
    return rows, np.repeat(first - offsets, count) + np.arange(len(rows))
