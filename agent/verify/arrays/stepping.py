"""The steps of worlds, by the tables of hosts and core: the loop in which a search spends its time.

Machine code that was kept is made anew when this file changes, and not when another does. So all constants that it has
in it stand here, the layout of a world's key (`keys`) among them.
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
"""Who makes a step: the core is told an event without a host's doing, one of the hosts, or the agent's own faults."""

UNTOLD, UNSENT = 0, 1
"""What is missing in the tables: what an agent does on an event; or a host on a batch, on side 1 (side 2: one more)."""

AFTER_AT, BATCH_AT, EVENT_MASK = 36, (12, 24), (1 << 12) - 1
"""Where in a code the state that follows and the batches of commands to the hosts stand; the event is before them."""

UNKNOWN = -1
"""Instead of the number of a host's steps: nobody has asked for them yet."""

NUMBER_AT, KIND_AT = 12, 40
"""Where in the number of what is missing the agent or host, and the kind, stand; the event or batch is before them."""


class HostTables(NamedTuple):
    """What the hosts of one side can do next, by their numbers: see `side.Side`."""

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
    """What the core does: its timers for each state, and what follows where a state is told an event.

    What a state was told stands in `codes` from its `begin` to that of the next one; `numbers` are its numbers.
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
    """What costs a fault and is no host's: events from outside, and the agent's crash and loss of its network."""

    asked: Ints
    initial: int
    crashes: bool
    parts: bool


class Found(NamedTuple):
    """Room for steps: from which row, to which key, by what the core was told (-1: nothing), who made it, and which."""

    rows: Ints
    keys: Keys
    told: Ints
    by: NDArray[np.int8]
    what: Ints


@compiled
def arrange(  # pragma: no cover
    agents: Ints, codes: NDArray[np.int64], begin: Ints, arranged: NDArray[np.int64], numbers: Ints
) -> None:
    """Bring together what each agent was told: `begin` has room for one agent more than there are."""
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
    """At most so many steps there are from these worlds, of which `common` are faults of no host; or `UNKNOWN`."""
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
    found: Found,
    missing: NDArray[np.int64],
) -> tuple[int, int]:
    """All steps from the worlds with these keys: how many, and how much is missing in the tables.

    If anything is, it is told in `missing`, and the steps are of no use.
    """
    rows, after, told, by, what = found.rows, found.keys, found.told, found.by, found.what
    n, m = 0, 0
    for start in range(0, len(keys), _BLOCK):
        begin = n
        # What happens, and which event the core is told (-1: none).
        for row in range(start, min(len(keys), start + _BLOCK)):
            key = np.int64(keys[row])
            agent, arp, budget = key >> AGENT_AT, (key >> ARP_AT) & ARP_MASK, key & BUDGET_MASK
            here, there = (key >> HOST_1_AT) & HOST_MASK, (key >> HOST_2_AT) & HOST_MASK
            for at in range(one.first[here], one.first[here] + one.amount[here]):
                cost = np.int64(one.fault[at])
                if cost <= budget:
                    to = np.int64(1) if one.announces[at] else arp
                    after[n] = _key(agent, np.int64(one.after[at]), there, to, budget - cost)
                    rows[n], told[n], by[n], what[n] = row, one.event[at], SIDE_1, at
                    n += 1
            for at in range(two.first[there], two.first[there] + two.amount[there]):
                cost = np.int64(two.fault[at])
                if cost <= budget:
                    to = np.int64(2) if two.announces[at] else arp
                    after[n] = _key(agent, here, np.int64(two.after[at]), to, budget - cost)
                    rows[n], told[n], by[n], what[n] = row, two.event[at], SIDE_2, at
                    n += 1
            timers = core.timers[agent]
            for at in range(core.timer_first[timers], core.timer_first[timers] + core.timer_count[timers]):
                if not core.timer_slow[at] or (one.is_quiet[here] and two.is_quiet[there]):
                    event, after[n] = core.timer_event[at], keys[row]
                    rows[n], told[n], by[n], what[n] = row, event, AGENT, event
                    n += 1
            if budget:
                for event in faults.asked:
                    rows[n], after[n], told[n], by[n], what[n] = row, keys[row] - _ONE, event, AGENT, event
                    n += 1
                hosts = np.int64(one.forgotten[here]), np.int64(two.forgotten[there])
                if faults.crashes:
                    after[n] = _key(np.int64(faults.initial), hosts[0], hosts[1], arp, budget - 1)
                    rows[n], told[n], by[n], what[n] = row, -1, CRASH, 0
                    n += 1
                hosts = np.int64(one.parted[here]), np.int64(two.parted[there])
                if faults.parts and hosts[0] >= 0 and hosts[1] >= 0:
                    after[n] = _key(agent, hosts[0], hosts[1], arp, budget - 1)
                    rows[n], told[n], by[n], what[n] = row, -1, NETWORK, 0
                    n += 1
        # What the core does on it, and what then becomes of the hosts.
        for at in range(begin, n):
            event = told[at]
            if event < 0:
                continue
            key = np.int64(after[at])
            agent, here, there = key >> AGENT_AT, (key >> HOST_1_AT) & HOST_MASK, (key >> HOST_2_AT) & HOST_MASK
            place, end = core.begin[agent], core.begin[agent + 1]
            while place < end and (core.codes[place] & EVENT_MASK) != event:
                place += 1
            if place == end:
                missing[m] = (UNTOLD << KIND_AT) | (agent << NUMBER_AT) | event
                m += 1
                continue
            code = core.codes[place]
            told[at], hosts = core.numbers[place], (here, there)
            batches = (code >> BATCH_AT[0]) & EVENT_MASK, (code >> BATCH_AT[1]) & EVENT_MASK
            if batches[0]:
                here = np.int64(one.received[here, batches[0]])
            if batches[1]:
                there = np.int64(two.received[there, batches[1]])
            if here < 0 or there < 0:
                side = 0 if here < 0 else 1
                missing[m] = ((UNSENT + side) << KIND_AT) | (hosts[side] << NUMBER_AT) | batches[side]
                m += 1
            else:
                after[at] = _key(np.int64(code >> AFTER_AT), here, there, (key >> ARP_AT) & ARP_MASK, key & BUDGET_MASK)
    return n, m


@compiled
def _key(  # pragma: no cover
    agent: np.int64, here: np.int64, there: np.int64, arp: np.int64, budget: np.int64
) -> np.uint64:
    return np.uint64((agent << AGENT_AT) | (here << HOST_1_AT) | (there << HOST_2_AT) | (arp << ARP_AT) | budget)
