"""What exploration found in the core, each as the way that led to it: the world must heal now, whatever comes next.

A story uses the words of a trace. It begins where a cold start has come to rest with host1 as primary. When it
has been played, no more faults come, and every way on is followed to its end.
"""

import attrs
import pytest
from support.topologies import HOSTS, TAKEOVER, VOICEMAIL
from switchover.agent.verify.model.host import DEFAULT_FAULTS
from switchover.agent.verify.traces.plain import PlainModel
from switchover.fsm import CommandSucceeded, Demote, EnableVip, Mode, VipOrder
from switchover.fsm.facts import better_side

TOGETHER, DISABLE_FIRST, ENABLE_FIRST = (attrs.evolve(TAKEOVER, vip_order=order) for order in VipOrder)

CUT = ("the network parts the agent from both hosts",)


def lost(host):
    return f"{host} is not heard", f"the connection to {host} is lost"


def back(host):
    return f"the network of {host} is healed", f"the agent connects to {host}"


def restarted(host, how=""):
    return f"{host} loses its power", f"{host} is back{how}", f"the agent connects to {host}"


TAKEN_OVER = ("SIP_Server_1 fails", "host2: promote SIP_Server_2 is carried out")
RESTARTED = (
    "the agent crashes and is started again",
    "the agent connects to host2",
    "the time is over: settle SIP Server",
)

SETTLED = {
    (f"{state}_{side}", f"side{side}_{what}")
    for what, states in (("backup", ("redundant", "no_redundancy", "peer_lost")), ("released", ("held", "owed")))
    for state in states
    for side in (1, 2)
}

# Each was a counterexample of three faults at most; behind it what went wrong.
STORIES = {
    "the VIP was put back on a host whose SIP server was in backup mode": (TOGETHER, restarted("host1")),
    "a VIP that could not be enabled was tried again after its SIP server was primary no more": (
        TOGETHER,
        (*TAKEN_OVER, *restarted("host2"), "the time is over: retry VIP"),
    ),
    "a VIP waiting for its release was enabled after its SIP server had failed": (
        DISABLE_FIRST,
        (*TAKEN_OVER, "SIP_Server_2 fails", "SIP_Server_2 is up again", "host1: disable_vip host1 is carried out"),
    ),
    "the demotion of a switchover that was given up took the primary away": (
        TOGETHER,
        (
            "an operator asks for SIP_Server_2 to be primary",
            "SIP_Server_2 fails",
            "host1: demote SIP_Server_1 is carried out",
        ),
    ),
    "the demotion of a split brain's loser was carried out after the winner had failed": (
        TOGETHER,
        (
            *RESTARTED,
            "host2: promote SIP_Server_2 is carried out",
            "the agent connects to host1",
            "SIP_Server_2 fails",
            "host1: demote SIP_Server_1 is carried out",
        ),
    ),
    "the failure of an older demotion was taken for the newer one's": (
        TOGETHER,
        (
            *CUT,
            *lost("host1"),
            "host2 is not heard",
            *back("host1"),
            "the connection to host2 is lost",
            *back("host2"),
            "an operator asks for SIP_Server_2 to be primary",
            "host1: demote SIP_Server_1 fails",
            "host1: promote SIP_Server_1 is carried out",
        ),
    ),
    "a pair stayed in a split brain because nobody was asked again to go into backup mode": (
        TOGETHER,
        (
            *RESTARTED,
            "the agent connects to host1",
            "SIP_Server_2 fails",
            "SIP_Server_2 is up again",
            "host2: promote SIP_Server_2 is carried out",
            "host2: demote SIP_Server_2 fails",
            "host1: demote SIP_Server_1 is carried out",
        ),
    ),
    "a winner whose host returned was not promoted again": (
        TOGETHER,
        (
            *RESTARTED,
            "host2: promote SIP_Server_2 is carried out",
            "host2 loses its power",
            "host2 is back",
            "the agent connects to host1",
            "host1: demote SIP_Server_1 fails",
            "the agent connects to host2",
            "the time is over: retry SIP Server",
        ),
    ),
    "a primary that was to be primary again, and could not, was believed to be": (
        TOGETHER,
        (
            *CUT,
            *lost("host1"),
            "host2 is not heard",
            *back("host1"),
            "the connection to host2 is lost",
            "host1: demote SIP_Server_1 is not answered in time; it is carried out",
            "host1: promote SIP_Server_1 fails",
        ),
    ),
    "a VIP that was found on its host was not announced": (
        TOGETHER,
        (
            *TAKEN_OVER,
            "host2: enable_vip host2 fails",
            "host1: disable_vip host1 is carried out",
            "host2: announce_vip host2 fails",
            *restarted("host2", ", with its VIP still configured"),
        ),
    ),
    "a VIP waited for a release that nobody was asked for": (
        DISABLE_FIRST,
        (
            *TAKEN_OVER,
            "SIP_Server_2 fails",
            "SIP_Server_2 is up again",
            "host1: disable_vip host1 fails",
            "host2: promote SIP_Server_2 is carried out",
        ),
    ),
    "an old holder's announcement came after the new one's": (
        DISABLE_FIRST,
        (
            *RESTARTED,
            "host2: promote SIP_Server_2 is carried out",
            "host2 loses its power just after it announced the VIP",
            "host2 is back, with its VIP still configured",
            "the agent connects to host2",
            "the agent connects to host1",
            "host2: promote SIP_Server_2 is carried out",
            "SIP_Server_2 fails",
        ),
    ),
    "an old primary went into backup mode for a successor on a host that had less": (
        VOICEMAIL,
        (
            "the agent crashes and is started again",
            "the agent connects to host2",
            "the time is over: settle VM SIP Server",
            "VM_Server_2 fails",
            "the agent connects to host1",
        ),
    ),
    "the VIP was enabled for a server whose promotion was under way although an old primary had been taken back": (
        VOICEMAIL,
        (
            "the agent crashes and is started again",
            "the agent connects to host2",
            "the time is over: settle VM SIP Server",
            "VM_Server_2 fails",
            "the agent connects to host1",
            "VM_SIP_Server_1 fails",
        ),
    ),
}


def after(topology, story):
    """The model, and the world after the story, which begins where a cold start came to rest on side 1."""
    model = PlainModel(topology, DEFAULT_FAULTS)
    world = next(end for end in endings(model, model.start()) if end.core.vip == "held_1")
    world = attrs.evolve(world, budget=3)
    for text in story:
        step = next(step for step in model.steps(world) if step.text == text)
        assert_sound(model.topology, step)
        world = step.world
    return model, attrs.evolve(world, budget=0)


def assert_sound(topology, step):
    """No VIP for a backup, no switch to a worse host, and nothing that is settled is undone by a command of before."""
    core = step.world.core
    for command in step.commands:
        if isinstance(command, Demote):
            pair, side = topology.find(command.application)
            assert core.pairs[pair].state != f"demoting_{3 - side}" or better_side(topology, core) != side
    enabled = [HOSTS.index(command.host) for command in step.commands if isinstance(command, EnableVip)]
    assert [side for side in enabled if core.pairs[0].modes[side] is Mode.BACKUP] == []
    if [type(event) for event in step.events] == [CommandSucceeded]:
        fired = {(each.decision.source, each.decision.trigger) for each in step.decisions}
        assert fired & SETTLED == set()


def endings(model, start):
    """Every world in which nothing goes on any more, on every way from a world without a fault left."""
    seen, frontier = {start}, [start]
    while frontier:
        world = frontier.pop()
        steps = list(model.steps(world))
        for step in steps:
            assert_sound(model.topology, step)
        following = {step.world for step in steps}
        if not following:
            yield world
        frontier += following - seen
        seen |= following


@pytest.mark.parametrize("name", STORIES)
def test_the_world_heals(name):
    topology, story = STORIES[name]
    model, world = after(topology, story)
    for end in endings(model, world):
        side = end.core.vip[-1]
        here, there = end.hosts[int(side) - 1], end.hosts[2 - int(side)]
        pairs = [pair.state for pair in end.core.pairs]
        assert (end.core.vip, pairs) == (f"held_{side}", [f"redundant_{side}"] * len(pairs))
        assert (here.holds_vip, there.holds_vip, end.arp) == (True, False, int(side))
        assert (end.core.pending, end.timers) == ((), ())
        assert here.modes[: len(pairs)] == ("primary",) * len(pairs)
        assert there.modes[: len(pairs)] == ("backup",) * len(pairs)
