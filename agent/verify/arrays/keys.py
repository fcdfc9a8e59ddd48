"""A world packed into one 64-bit number: core, two hosts, the clients' ARP cache, and the remaining fault budget."""

import numpy as np
from attrs import frozen

from .sets import Keys, Numbers
from .stepping import (
    AGENT_AT,
    ARP_AT,
    ARP_MASK,
    BUDGET_MASK,
    HOST_1_AT,
    HOST_2_AT,
    HOST_MASK,
)


@frozen
class World:
    """One state of the world, as numbers.

    `agent`: the state of the core; `hosts`: those of the hosts on sides 1 and 2; `arp`: the side that the clients send
    to (0: none yet); `budget`: the faults left.
    """

    agent: int
    hosts: tuple[int, int]
    arp: int
    budget: int

    @property
    def key(self) -> int:
        """The 64-bit key of the world."""
        hosts = (self.hosts[0] << HOST_1_AT) | (self.hosts[1] << HOST_2_AT)
        return (self.agent << AGENT_AT) | hosts | (self.arp << ARP_AT) | self.budget


def world_of(key: int) -> World:
    """The world that a key stands for."""
    hosts = (key >> HOST_1_AT) & HOST_MASK, (key >> HOST_2_AT) & HOST_MASK
    return World(key >> AGENT_AT, hosts, (key >> ARP_AT) & ARP_MASK, key & BUDGET_MASK)


def unpack(keys: Keys) -> tuple[Numbers, list[Numbers], Numbers, Numbers]:
    """The agents, hosts, ARP caches and budgets of the worlds with these keys, as one array each."""
    signed = keys.astype(np.int64)
    hosts = [(signed >> at) & HOST_MASK for at in (HOST_1_AT, HOST_2_AT)]
    return signed >> AGENT_AT, hosts, (signed >> ARP_AT) & ARP_MASK, signed & BUDGET_MASK
