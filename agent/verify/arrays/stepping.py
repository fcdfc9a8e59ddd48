"""The inner loop of the search: all steps from given worlds, by the tables of the hosts and the core.

numba compiles cached code again when this file changes, but not when another one does. So all constants that the code
contains are defined here, including the layout of a world's key (`keys`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .machine_code import compiled
from .sets import Keys

AGENT_BITS, HOST_BITS, _ARP_BITS, _BUDGET_BITS = 26, 15, 2, 3
ARP_AT = _BUDGET_BITS
HOST_1_AT = ARP_AT + _ARP_BITS
HOST_2_AT = HOST_1_AT + HOST_BITS
AGENT_AT = HOST_2_AT + HOST_BITS
HOST_MASK, ARP_MASK, BUDGET_MASK = (1 << HOST_BITS) - 1, (1 << _ARP_BITS) - 1, (1 << _BUDGET_BITS) - 1

_BLOCK, _ONE = 256, np.uint64(1)

Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]

AGENT, SIDE_1, SIDE_2, CRASH, NETWORK = range(5)
"""Who makes a step: the agent (a timer or a request), the host of a side, a crash of the agent, or the network."""

UNHANDLED, UNRECEIVED = 0, 1
"""Kinds of missing entries: what the core does on an event; how the host on side 1 takes a batch (side 2: plus one)."""

AFTER_AT, BATCH_AT, EVENT_MASK = 36, (12, 24), (1 << 12) - 1
"""The bits of a code: the event first, then the batches of commands to hosts 1 and 2, then the next state."""

UNKNOWN = -1
"""Stands for the number of a host's moves while these have not been computed."""

NUMBER_AT, KIND_AT = 12, 40
"""The bits of a missing entry: the event or batch first, then the core's or host's number, then the kind."""


class HostTables(NamedTuple):
    """The moves of the hosts of one side, by number: see `side.Side`."""

    first: Ints
    amount: Ints
    after: Ints
    event: Ints
    announces: Flags
    fault: Flags
    forgotten: Ints
    parted: Ints
    is_quiet: Flags
    received: Ints


class CoreTables(NamedTuple):
    """What the core does: the timers of each state, and the result for each state and event handled so far.

    The results of a state stand in `codes` from its `begin` to that of the next state; `numbers` are their numbers.
    """

    timers: Ints
    timer_first: Ints
    timer_count: Ints
    timer_event: Ints
    timer_slow: Flags
    begin: Ints
    codes: NDArray[np.int64]
    numbers: Ints


class Faults(NamedTuple):
    """The faults that belong to no host: events from outside, and the agent's crash and loss of its network."""

    asked: Ints
    initial: int
    crashes: bool
    parts: bool


class StepBuffers(NamedTuple):
    """Room for steps: see `space.Steps`. Until the core has run, `handling` holds the number of the event."""

    rows: Ints
    keys: Keys
    handling: Ints
    by: NDArray[np.int8]
    detail: Ints


@compiled
def arrange(  # pragma: no cover
    agents: Ints, codes: NDArray[np.int64], begin: Ints, arranged: NDArray[np.int64], numbers: Ints
) -> None:
    """Group the codes by the state of the core: a counting sort. `begin` has one entry more than there are states."""
    begin[:] = 0
    for agent in agents:
        begin[agent + 1] += 1
    for agent in range(1, len(begin)):
        begin[agent] += begin[agent - 1]
    for number in range(len(agents) - 1, -1, -1):
        place = begin[agents[number] + 1] - 1
        begin[agents[number] + 1] = place
        arranged[place], numbers[place] = codes[number], number
    for agent in range(len(begin) - 1):
        begin[agent] = begin[agent + 1]
    begin[-1] = len(agents)


@compiled
def room(keys: Keys, one: HostTables, two: HostTables, core: CoreTables, common: int) -> int:  # pragma: no cover
    """An upper bound for the number of steps, `common` of them faults of no host; `UNKNOWN` if moves are missing."""
    total = 0
    for key in keys:
        world = np.int64(key)
        here, there = one.amount[(world >> HOST_1_AT) & HOST_MASK], two.amount[(world >> HOST_2_AT) & HOST_MASK]
        if here == UNKNOWN or there == UNKNOWN:
            return UNKNOWN
        total += here + there + core.timer_count[core.timers[world >> AGENT_AT]]
        if world & BUDGET_MASK:
            total += common
    return total


@compiled
def steps(  # pragma: no cover
    keys: Keys,
    one: HostTables,
    two: HostTables,
    core: CoreTables,
    faults: Faults,
    buffers: StepBuffers,
    missing: NDArray[np.int64],
) -> tuple[int, int]:
    """Write all steps from these worlds into the buffers. Returns their number, and that of missing table entries.

    If entries are missing, they are listed in `missing`, and the steps are invalid.
    """
    rows, after, handling, by, detail = buffers.rows, buffers.keys, buffers.handling, buffers.by, buffers.detail
    n, m = 0, 0
    for start in range(0, len(keys), _BLOCK):
        begin = n
        # First what happens, and the event that the core then handles (-1: none).
        for row in range(start, min(len(keys), start + _BLOCK)):
            key = np.int64(keys[row])
            agent, arp, budget = key >> AGENT_AT, (key >> ARP_AT) & ARP_MASK, key & BUDGET_MASK
            here, there = (key >> HOST_1_AT) & HOST_MASK, (key >> HOST_2_AT) & HOST_MASK
            for at in range(one.first[here], one.first[here] + one.amount[here]):
                cost = np.int64(one.fault[at])
                if cost <= budget:
                    to = np.int64(1) if one.announces[at] else arp
                    after[n] = _key(agent, np.int64(one.after[at]), there, to, budget - cost)
                    rows[n], handling[n], by[n], detail[n] = row, one.event[at], SIDE_1, at
                    n += 1
            for at in range(two.first[there], two.first[there] + two.amount[there]):
                cost = np.int64(two.fault[at])
                if cost <= budget:
                    to = np.int64(2) if two.announces[at] else arp
                    after[n] = _key(agent, here, np.int64(two.after[at]), to, budget - cost)
                    rows[n], handling[n], by[n], detail[n] = row, two.event[at], SIDE_2, at
                    n += 1
            timers = core.timers[agent]
            for at in range(core.timer_first[timers], core.timer_first[timers] + core.timer_count[timers]):
                if not core.timer_slow[at] or (one.is_quiet[here] and two.is_quiet[there]):
                    event, after[n] = core.timer_event[at], keys[row]
                    rows[n], handling[n], by[n], detail[n] = row, event, AGENT, event
                    n += 1
            if budget:
                for event in faults.asked:
                    rows[n], after[n], handling[n], by[n], detail[n] = row, keys[row] - _ONE, event, AGENT, event
                    n += 1
                hosts = np.int64(one.forgotten[here]), np.int64(two.forgotten[there])
                if faults.crashes:
                    after[n] = _key(np.int64(faults.initial), hosts[0], hosts[1], arp, budget - 1)
                    rows[n], handling[n], by[n], detail[n] = row, -1, CRASH, 0
                    n += 1
                hosts = np.int64(one.parted[here]), np.int64(two.parted[there])
                if faults.parts and hosts[0] >= 0 and hosts[1] >= 0:
                    after[n] = _key(agent, hosts[0], hosts[1], arp, budget - 1)
                    rows[n], handling[n], by[n], detail[n] = row, -1, NETWORK, 0
                    n += 1
        # Then what the core does on that event, and how its commands change the hosts.
        for at in range(begin, n):
            event = handling[at]
            if event < 0:
                continue
            key = np.int64(after[at])
            agent, here, there = key >> AGENT_AT, (key >> HOST_1_AT) & HOST_MASK, (key >> HOST_2_AT) & HOST_MASK
            place, end = core.begin[agent], core.begin[agent + 1]
            while place < end and (core.codes[place] & EVENT_MASK) != event:
                place += 1
            if place == end:
                missing[m] = (UNHANDLED << KIND_AT) | (agent << NUMBER_AT) | event
                m += 1
                continue
            code = core.codes[place]
            handling[at], hosts = core.numbers[place], (here, there)
            batches = (code >> BATCH_AT[0]) & EVENT_MASK, (code >> BATCH_AT[1]) & EVENT_MASK
            if batches[0]:
                here = np.int64(one.received[here, batches[0]])
            if batches[1]:
                there = np.int64(two.received[there, batches[1]])
            if here < 0 or there < 0:
                side = 0 if here < 0 else 1
                missing[m] = ((UNRECEIVED + side) << KIND_AT) | (hosts[side] << NUMBER_AT) | batches[side]
                m += 1
            else:
                after[at] = _key(np.int64(code >> AFTER_AT), here, there, (key >> ARP_AT) & ARP_MASK, key & BUDGET_MASK)
    return n, m


@compiled
def _key(  # pragma: no cover
    agent: np.int64, here: np.int64, there: np.int64, arp: np.int64, budget: np.int64
) -> np.uint64:
    return np.uint64((agent << AGENT_AT) | (here << HOST_1_AT) | (there << HOST_2_AT) | (arp << ARP_AT) | budget)
