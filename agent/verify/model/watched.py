"""A state of the core that records what is read of it: it stands in for a `SolutionState` while one event is handled.

It has the same methods, and its values are cells: each link, each pair, each application, each alarm condition, the
Virtual IP, the placement, and the pending commands for each target (an application, or the VIP on a host).
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from attrs import evolve, frozen

from ....fsm import (
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    Event,
    HostCommand,
    Topology,
)
from ....fsm.commands import Target, target_of
from ....fsm.state import PairState, SolutionState, initial_state, put

COMMANDS_AT_MOST = 16
"""The most pending commands that one target can have."""

_NO_ID = 0

_FAILURES = {"failed": CommandFailed, "timed out": CommandTimedOut, "unclear": CommandUnclear}

Cell = tuple[str, Any]
"""The part of a state that is read or written as a unit: its kind, and which one of that kind."""


@frozen
class Result:
    """The result of the oldest pending command of this kind for its target: the world model has no command ids."""

    command: HostCommand
    how: str

    def as_event(self, state: "WatchedState | SolutionState") -> Event:
        """The event that reports it to the core; its id belongs to no command if the core has forgotten the command."""
        target = target_of(self.command)
        pending = state.pending_for(target)
        number = _NO_ID
        if self.command in pending:
            oldest = pending.index(self.command)
            number = state.id_at(target, oldest) if isinstance(state, WatchedState) else pending[oldest].id
        return CommandSucceeded(number) if self.how == "done" else _FAILURES[self.how](number, self.how)


Occurrence = tuple[Event | Result, ...]
"""The events that the core handles in one step: usually one; a look has two, the observation and the result."""


def targets_of(topology: Topology) -> tuple[Target, ...]:
    """All targets of commands: each application, and the VIP on each host."""
    return tuple(
        (host, name)
        for side, host in enumerate(topology.hosts)
        for name in (*(pair.applications[side] for pair in topology.components), "VIP")
    )


def cells_of(topology: Topology) -> Iterator[Cell]:
    """All cells of a topology's core."""
    yield from (("link", side) for side in (0, 1))
    yield from (("pair", index) for index in range(len(topology.pairs)))
    yield from (("application", number) for number in range(len(topology.applications)))
    yield from (("alarm", index) for index in range(len(topology.alarms)))
    yield from (("vip", 0), ("held", 0), ("held", 1), ("placement", 0), ("view", 0))
    yield from (("pending", target) for target in targets_of(topology))


def initial_value(topology: Topology, cell: Cell) -> object:
    """The value of a cell in the initial state, in which nothing is known."""
    state = initial_state(topology)
    kind, index = cell
    match kind:
        case "pending":
            return ()
        case "held":
            return state.vip_held[int(index)]
        case "vip" | "placement" | "view":
            return getattr(state, kind)
        case _:
            row: tuple[object, ...] = getattr(state, f"{kind}s")
            return row[int(index)]


class Cells(Protocol):
    """Where a `WatchedState` gets its values: one row of the table of all states."""

    topology: Topology
    targets: tuple[Target, ...]
    positions: dict[Cell, int]
    values: list[list[Any]]


class _Watched(Sequence[Any]):
    """A row of cells of one kind; every read is recorded."""

    def __init__(self, state: "WatchedState", kind: str, length: int) -> None:
        self._state, self._kind, self._length = state, kind, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._length:
            raise IndexError(index)
        return self._state.read(self._kind, index)


class WatchedState:
    """Stands in for a `SolutionState` while one event is handled, and records all reads and writes."""

    def __init__(self, core: Cells, numbers: Sequence[int]) -> None:
        self._core, self._numbers = core, numbers
        self.path: list[tuple[int, int]] = []
        self.written: dict[int, Any] = {}
        self._known: dict[int, Any] = {}
        topology = core.topology
        self.links = _Watched(self, "link", 2)
        self.pairs = _Watched(self, "pair", len(topology.pairs))
        self.applications = _Watched(self, "application", len(topology.applications))
        self.alarms = _Watched(self, "alarm", len(topology.alarms))
        self.vip_held = _Watched(self, "held", 2)

    def read(self, kind: str, index: Any) -> Any:
        """The value of a cell."""
        cell = self._core.positions[kind, index]
        if cell in self.written:
            return self.written[cell]
        if cell not in self._known:
            number = int(self._numbers[cell])
            self.path.append((cell, number))
            self._known[cell] = self._core.values[cell][number]
        return self._known[cell]

    def _write(self, kind: str, index: Any, value: Any) -> "WatchedState":
        self.written[self._core.positions[kind, index]] = value
        return self

    @property
    def vip(self) -> str:
        return self.read("vip", 0)

    @property
    def placement(self) -> str:
        return self.read("placement", 0)

    @property
    def view(self) -> str:
        return self.read("view", 0)

    def with_link(self, side: int, link: str) -> "WatchedState":
        return self._write("link", side - 1, link)

    def with_application(self, number: int, application: str) -> "WatchedState":
        return self._write("application", number, application)

    def with_alarm(self, index: int, alarm: str) -> "WatchedState":
        return self._write("alarm", index, alarm)

    def with_vip(self, vip: str) -> "WatchedState":
        return self._write("vip", 0, vip)

    def with_placement(self, placement: str) -> "WatchedState":
        return self._write("placement", 0, placement)

    def with_view(self, view: str) -> "WatchedState":
        return self._write("view", 0, view)

    def with_pair(self, index: int, pair: PairState) -> "WatchedState":
        return self._write("pair", index, pair)

    def with_mode(self, index: int, side: int, mode: Any, primary_for_ms: int = 0) -> "WatchedState":
        old = self.pairs[index]
        times = put(old.primary_for_ms, side - 1, primary_for_ms)
        return self.with_pair(index, evolve(old, modes=put(old.modes, side - 1, mode), primary_for_ms=times))

    def with_vip_held(self, side: int, held: bool | None) -> "WatchedState":
        return self._write("held", side - 1, held)

    def pending_for(self, target: Target) -> tuple[HostCommand, ...]:
        return self.read("pending", target)

    def id_at(self, target: Target, position: int) -> int:
        """The id of a pending command: it encodes the command's target and its position there."""
        return 1 + COMMANDS_AT_MOST * self._core.targets.index(target) + position

    def pending_by_id(self, number: int) -> HostCommand | None:
        if number == _NO_ID:
            return None
        index, position = divmod(number - 1, COMMANDS_AT_MOST)
        return self.pending_for(self._core.targets[index])[position]

    def with_command(self, command: HostCommand) -> tuple["WatchedState", HostCommand]:
        target = target_of(command)
        return self._write("pending", target, (*self.read("pending", target), command)), command

    def without_command(self, command: HostCommand) -> "WatchedState":
        target = target_of(command)
        pending = self.read("pending", target)
        oldest = pending.index(command)
        return self._write("pending", target, (*pending[:oldest], *pending[oldest + 1 :]))
