"""The reached part of an exploration, as rows of numbers for the tables of the Promela model."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ....fsm import LogMessageReceived, Mode, SwitchoverRequested, TimerFired
from ..arrays.keys import unpack
from ..arrays.sets import Numbers
from ..exploring.explorer import Exploration
from ..model.core import Leaf, spread
from ..model.host import Fault, Host
from ..properties.always import STEP_RULES, is_left_behind, knows_of_two


@frozen
class Part:
    """The hosts of one side: the rows of the model's tables, and the arrays from which all steps are computed."""

    hosts: list[tuple[int, ...]]
    moves: list[tuple[int, ...]]
    first: Numbers
    counts: NDArray[Any]
    after: Numbers
    event: Numbers


class Tables:
    """The reached hosts, states of the core and their steps, as rows of numbers for the model's tables."""

    def __init__(self, exploration: Exploration) -> None:
        self.exploration, self.space, self.core = exploration, exploration.space, exploration.space.core
        self.agents, self.hosts, self.arps, self.budgets = unpack(exploration.worlds.keys.all)
        self.asked = [self.core.event((event,)) for event in self._requests()]
        self.parts = tuple(self._part(side) for side in (0, 1))
        self.agent_rows, self.timings, self.timers = self._agents()
        self.handled, self.received = self._handled()
        self.roots = self._roots()

    def _requests(self) -> Iterator[Any]:
        topology, kinds = self.space.topology, self.space.faults
        if Fault.OPERATOR in kinds:
            yield from (SwitchoverRequested(name) for pair in topology.pairs for name in pair.applications)
        if Fault.ALARM in kinds:
            yield from (LogMessageReceived(*message) for message in topology.detecting)

    def _roots(self) -> list[tuple[int, ...]]:
        """The worlds in which the cold start comes to rest: each is the parent of a world with the whole budget."""
        budgets, parents = self.budgets, self.exploration.parents.all.astype(np.int64)
        budget = self.exploration.bounds.faults
        rows = parents[(budgets == budget) & (budgets[parents] == 0)] if budget else parents[:0]
        columns = (self.agents, *self.hosts, self.arps)
        return [tuple(int(column[row]) for column in columns) for row in rows]

    # Hosts.

    def _part(self, number: int) -> Part:
        side = self.space.sides[number]
        size = int(self.hosts[number].max()) + 1
        hosts: list[tuple[int, ...]] = [(0,) * 10] * size
        moves: list[tuple[int, ...]] = []
        for at in _distinct(self.hosts[number]):
            host = side.values[at]
            first, free = len(moves), 0
            for move in sorted(side.model.moves(host), key=lambda move: move.fault):
                event = self.core.event(move.occurrence) if move.occurrence else -1
                moves.append((side.number(move.host), event, move.announces))
                free += not move.fault
            hosts[at] = (first, free, len(moves) - first, *self._faults(number, host), *self._facts(host))
        columns, rows = np.array(moves, np.int64), np.array(hosts, np.int64)
        return Part(hosts, moves, rows[:, 0], rows[:, 1:3], columns[:, 0], columns[:, 1])

    def _faults(self, number: int, host: Host) -> tuple[int, int]:
        """The host after a crash of the agent, and after the network separates it from the agent; -1 if impossible."""
        side, kinds = self.space.sides[number], self.space.faults
        parted = side.model.parted(host)
        return (
            side.number(side.model.forgotten(host)) if Fault.AGENT in kinds else -1,
            side.number(parted) if Fault.PARTITION in kinds and parted is not None else -1,
        )

    def _facts(self, host: Host) -> tuple[bool, ...]:
        redundant = host.modes[: len(self.space.topology.pairs)]
        return (
            host.is_quiet,
            host.holds_vip and host.net == "fine" and host.link == "up",
            host.holds_vip,
            all(mode is Mode.PRIMARY for mode in redundant),
            all(mode is Mode.BACKUP for mode in redundant),
        )

    # The core.

    def _agents(self) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]], list[tuple[int, ...]]]:
        """The states of the core with their facts, the sets of running timers, and the timers that can fire of each."""
        rows: list[tuple[int, ...]] = [(0,) * 7] * (int(self.agents.max()) + 1)
        timings: list[tuple[int, ...]] = []
        timers: list[tuple[int, ...]] = []
        known: dict[tuple[str, ...], int] = {}
        for agent in _distinct(self.agents):
            running = self.core.timers(agent)
            if running not in known:
                known[running] = len(timings)
                due = self.space.due(running)
                timings.append((len(timers), len(due), any(is_slow for _, is_slow in due)))
                timers += ((self.core.event((TimerFired(name),)),) for name, _ in due)
            rows[agent] = known[running], *self._beliefs(agent)
        return rows, timings, timers

    def _beliefs(self, agent: int) -> tuple[int, ...]:
        """The facts about a state of the core, in the order of the fields of `Agent` in the model.

        The side of the first pair, whether all pairs are there, whether the VIP is, whether nothing is under way,
        whether at most one host holds the VIP as far as the core knows, and whether the VIP was left behind.
        """
        core, topology = self.core, self.space.topology
        pairs = {core.read(agent, "pair", index).state for index in range(len(topology.pairs))}
        side, vip = core.read(agent, "pair", 0).state[-1], core.read(agent, "vip")
        scripts = [core.read(agent, "pending", (host, "VIP")) for host in topology.hosts]
        return (
            int(side) if side in "12" else 0,
            pairs == {f"redundant_{side}"} and core.read(agent, "placement") == f"together_{side}",
            vip == f"held_{side}",
            not core.timers(agent) and not any(core.read(agent, "pending", target) for target in core.targets),
            not knows_of_two(vip) and not any(scripts),
            is_left_behind(core.read(agent, "pair", 0).state, vip),
        )

    def _occurrences(self) -> Iterator[tuple[Numbers, Numbers, list[Numbers]]]:
        """All occurrences: states of the core, the events, and the hosts after their own part of the step."""
        has_budget = (self.budgets > 0).astype(np.int64)
        for side, part in enumerate(self.parts):
            hosts = self.hosts[side]
            rows, moves = spread(part.first[hosts], part.counts[hosts, has_budget])
            rows, moves = rows[part.event[moves] >= 0], moves[part.event[moves] >= 0]
            after = [each[rows] for each in self.hosts]
            after[side] = part.after[moves]
            yield self.agents[rows], part.event[moves], after
        timings, timers = np.array(self.timings), np.array(self.timers or [(0,)])[:, 0]
        timing = np.array(self.agent_rows)[self.agents, 0]
        is_quiet = [np.array(part.hosts)[each, 5] > 0 for part, each in zip(self.parts, self.hosts, strict=True)]
        is_due = (timings[timing, 2] == 0) | (is_quiet[0] & is_quiet[1])
        rows, which = spread(timings[timing, 0], np.where(is_due, timings[timing, 1], 0))
        yield self.agents[rows], timers[which], [each[rows] for each in self.hosts]
        for event in self.asked:
            rows = np.flatnonzero(has_budget)
            yield self.agents[rows], np.full(len(rows), event), [each[rows] for each in self.hosts]

    def _handled(self) -> tuple[list[tuple[int, ...]], list[list[tuple[int, ...]]]]:
        """What the core does on each occurrence, and how its commands change the hosts."""
        occurrences = list(self._occurrences())
        size = len(self.core.events)
        pairs = np.unique(np.concatenate([agents * size + events for agents, events, _ in occurrences]))
        before = pairs // size
        after, leaves = self.core.handle(before, pairs % size)
        batches, numbers = self._batches(leaves)
        columns = (before, pairs % size, after, self._breaks(before, after, leaves), *numbers)
        handled = [tuple(row) for row in np.stack(columns, 1).tolist()]
        received: list[list[tuple[int, ...]]] = [[], []]
        for side, sent in enumerate(numbers):
            count = len(batches[side])
            sendings = [
                hosts[side] * count + sent[np.searchsorted(pairs, agents * size + events)]
                for agents, events, hosts in occurrences
            ]
            world = self.space.sides[side]
            for host, batch in (divmod(each, count) for each in _distinct(np.concatenate(sendings))):
                if batch:
                    host_after = world.number(world.model.receive(world.values[host], batches[side][batch]))
                    received[side].append((host, batch, host_after))
        return handled, received

    def _batches(self, leaves: Numbers) -> tuple[list[list[tuple[Any, ...]]], list[Numbers]]:
        """For each side, the batches of commands in these leaves, and the number of each leaf's batch (0: none)."""
        batches: list[list[tuple[Any, ...]]] = []
        numbers: list[Numbers] = []
        for host in self.space.topology.hosts:
            known: dict[tuple[Any, ...], int] = {(): 0}
            of_leaf = {
                leaf: known.setdefault(_commands_to(host, self.core.leaves[leaf]), len(known))
                for leaf in _distinct(leaves)
            }
            batches.append(list(known))
            numbers.append(np.array([of_leaf[leaf] for leaf in map(int, leaves)], np.int64))
        return batches, numbers

    def _breaks(self, before: Numbers, after: Numbers, leaves: Numbers) -> Numbers:
        """The step rules that each step breaks, one bit per rule."""
        concerned: dict[int, list[int]] = {}
        for number in _distinct(leaves):
            leaf = self.core.leaves[number]
            concerned[number] = [at for at, rule in enumerate(STEP_RULES) if rule.concerns(leaf)]
        breaks = np.zeros(len(leaves), np.int64)
        for row, number in enumerate(map(int, leaves)):
            for at in concerned[number]:
                if STEP_RULES[at].is_broken(self.core, int(before[row]), int(after[row]), self.core.leaves[number]):
                    breaks[row] |= 1 << at
        return breaks


def _distinct(numbers: Numbers) -> list[int]:
    return [int(number) for number in np.unique(numbers)]


def _commands_to(host: str, leaf: Leaf) -> tuple[Any, ...]:
    return tuple(command for command in leaf.commands if command.host == host)
