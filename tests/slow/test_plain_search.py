"""The explorer against an independent judge: a plain breadth-first search over worlds that are values.

Both must find the same worlds and take the same steps. No numbers are pinned: tables may change, the two must agree.
"""

from collections import Counter, deque
from functools import cache

import pytest
from attrs import evolve
from support.topologies import TAKEOVER, VOICEMAIL
from switchover.agent.verify.arrays.keys import world_of
from switchover.agent.verify.exploring.explorer import Bounds, explore
from switchover.agent.verify.model.host import DEFAULT_FAULTS, Fault
from switchover.agent.verify.traces.plain import PlainModel
from switchover.agent.verify.traces.trace import digest
from switchover.fsm import ReactionPolicy, VipOrder, voicemail_topology

EVERY_FAULT = frozenset(Fault)


def quick_alarms(topology):
    """Cancel timeouts that other timers can overtake, and that overtake others."""
    return evolve(topology, alarms=tuple(evolve(alarm, cancel_timeout_ms=500) for alarm in topology.alarms))


CASES = {
    "takeover without faults": (TAKEOVER, 0, DEFAULT_FAULTS),
    **{f"takeover {order}": (evolve(TAKEOVER, vip_order=order), 1, DEFAULT_FAULTS) for order in VipOrder},
    **{f"takeover {order}, every fault": (evolve(TAKEOVER, vip_order=order), 1, EVERY_FAULT) for order in VipOrder},
    "takeover literal": (evolve(TAKEOVER, reactions=ReactionPolicy.LITERAL), 1, EVERY_FAULT),
    "takeover without alarms": (evolve(TAKEOVER, alarms=()), 1, EVERY_FAULT),
    "takeover, quick alarms": (quick_alarms(TAKEOVER), 1, EVERY_FAULT),
    "takeover, slow retries": (evolve(TAKEOVER, settle_ms=10, retry_ms=3000), 1, EVERY_FAULT),
    "takeover, slow drain": (evolve(TAKEOVER, vip_order=VipOrder.ENABLE_FIRST, drain_ms=3000), 1, EVERY_FAULT),
    "voicemail without faults": (VOICEMAIL, 0, DEFAULT_FAULTS),
    "voicemail literal": (voicemail_topology(reactions=ReactionPolicy.LITERAL), 0, DEFAULT_FAULTS),
    "voicemail vip-on-vm-server": (voicemail_topology("vip-on-vm-server"), 0, DEFAULT_FAULTS),
}
LARGE = {
    "takeover, two faults": (TAKEOVER, 2, DEFAULT_FAULTS),
    "voicemail": (VOICEMAIL, 1, DEFAULT_FAULTS),
}


class Search:
    """Breadth first from a cold start, then with the budget from where that comes to rest."""

    def __init__(self, topology, faults, kinds):
        self.model = PlainModel(topology, kinds)
        self.worlds, self.transitions = set(), 0
        at_rest = self.explore([self.model.start()])
        if faults:
            self.explore([evolve(world, budget=faults) for world in at_rest])

    def explore(self, roots):
        """Go on from these worlds until there is nothing new; the worlds in which nothing goes on."""
        at_rest, frontier = [], deque(roots)
        self.worlds.update(roots)
        while frontier:
            world, goes_on = frontier.popleft(), False
            for step in self.model.steps(world):
                self.transitions += 1
                goes_on |= not step.is_fault
                if step.world not in self.worlds:
                    self.worlds.add(step.world)
                    frontier.append(step.world)
            if not goes_on:
                at_rest.append(world)
        return at_rest

    def in_words(self, world):
        """A world in words, to compare."""
        timers = [name for name, _ in world.timers]
        said = digest(self.model.topology, world.core, timers, world.hosts, world.arp)
        return world.budget, *said.values()

    def steps(self):
        """Every step: the worlds before and after it, and its words."""
        in_words = cache(self.in_words)
        return Counter(
            (in_words(world), text, in_words(after))
            for world in self.worlds
            for text, after in self.model.successors(world)
        )


class Explored:
    """What the explorer found, in the same words."""

    def __init__(self, found):
        self.space, self.keys = found.space, found.worlds.keys.all[: len(found.worlds)].tolist()

    def in_words(self, key):
        world, core = world_of(key), self.space.core
        hosts = tuple(side.values[number] for side, number in zip(self.space.sides, world.hosts, strict=True))
        said = digest(self.space.topology, core.state_of(world.agent), core.timers(world.agent), hosts, world.arp)
        return world.budget, *said.values()

    def steps(self):
        in_words = cache(self.in_words)
        return Counter(
            (in_words(key), text, in_words(after)) for key in self.keys for text, _, after in self.space.steps_from(key)
        )


@pytest.mark.parametrize("case", CASES)
def test_both_find_the_same_worlds_and_take_the_same_steps(case):
    """All of them, one by one: the same words lead from the same world to the same world, equally often."""
    topology, faults, kinds = CASES[case]
    found, search = explore(topology, Bounds(faults, kinds)), Search(topology, faults, kinds)
    explored = Explored(found)
    assert found.is_exhausted
    assert Counter(map(search.in_words, search.worlds)) == Counter(map(explored.in_words, explored.keys))
    assert search.steps() == explored.steps()
    assert (len(search.worlds), search.transitions) == (len(found.worlds), found.transitions)


@pytest.mark.no_cover  # to count lines triples the time, and the smaller cases reach the same ones
@pytest.mark.parametrize("case", LARGE)
def test_both_count_the_same(case):
    """Where there are more worlds than is worth telling one by one."""
    topology, faults, kinds = LARGE[case]
    found, search = explore(topology, Bounds(faults, kinds)), Search(topology, faults, kinds)
    assert found.is_exhausted
    assert (len(search.worlds), search.transitions) == (len(found.worlds), found.transitions)
