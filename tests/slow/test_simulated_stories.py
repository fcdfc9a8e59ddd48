"""Stories: short lists of faults in the simulated world, each once the smallest that broke a property, or nearly so."""

from pathlib import Path

import pytest
from switchover.agent.cli import main as cli
from switchover.agent.configuration.load import load
from switchover.agent.simulation.world.faults import KNOWN_TO_FAIL, Fault
from switchover.agent.simulation.world.judge import UNSERVED
from switchover.agent.simulation.world.run import Outcome, simulate

SIP = Path(cli.__file__).parents[1] / "configuration" / "sip.toml"

HOLD = {
    "a hung demotion, and the old primary's host is cut off": [
        Fault(20_000, 8000, "hung-control", "SIP_Server_1", 3000),
        Fault(20_500, 0, "operator", "host2"),
        Fault(21_000, 3000, "cut", "host1"),
    ],
    "the new holder's kernel refuses the VIP for a while": [
        Fault(20_000, 4000, "refusing-kernel", "host2"),
        Fault(20_100, 8000, "power", "host1"),
    ],
    "an LCA that was stopped goes on after its host was taken over": [
        Fault(20_000, 0, "operator", "host2"),
        Fault(20_020, 2000, "lca-stop", "host2"),
        Fault(21_000, 500, "agent-kill", "agent"),
    ],
    "somebody removes the VIP": [Fault(20_000, 0, "vip-removed", "host1")],
    "the backup's interface vanishes and is made again, and then the primary's host dies": [
        Fault(20_000, 1000, "interface-gone", "host2"),
        Fault(30_000, 30_000, "power", "host1"),
    ],
    "an agent restarts, and one status is slow": [
        Fault(20_000, 300, "agent-kill", "agent"),
        Fault(20_000, 20_000, "late-status", "SIP_Server_1", 1600),
    ],
    "a demotion that timed out lands after all": [
        Fault(20_000, 20_000, "late-effect", "SIP_Server_1", 3000),
        Fault(20_100, 0, "operator", "host2"),
    ],
    "a host dies while the journal is slow": [
        Fault(20_000, 50_000, "slow-disk", "agent", 1000),
        Fault(22_000, 40_000, "power", "host1"),
    ],
    "an interface vanishes while the VIP is to be announced": [
        Fault(20_000, 300, "agent-cut", "host1"),
        Fault(20_100, 2500, "interface-gone", "host2"),
    ],
    "an agent restarts, and a host is 15 ms away": [
        Fault(20_000, 40_000, "far", "host1", 15),
        Fault(28_000, 500, "agent-kill", "agent"),
    ],
    "an agent restarts, and a host's kernel is busy": [
        Fault(20_000, 300, "agent-kill", "agent"),
        Fault(20_000, 5000, "hung-kernel", "host1", 5000),
    ],
    "the VIP is removed from a host that is cut off, soon after it was enabled": [
        Fault(20_000, 500, "crash", "SIP_Server_1"),
        Fault(22_000, 30_000, "agent-cut", "host2"),
        Fault(22_500, 0, "vip-removed", "host2"),
    ],
}

FAIL = {
    "a promotion succeeds, and its look is never answered": (
        "late-status",
        UNSERVED,
        [Fault(20_000, 40_000, "late-status", "SIP_Server_2", 3000), Fault(21_000, 20_000, "power", "host1")],
    ),
    "a switchover, and the new holder's kernel is busy": (
        "hung-kernel",
        UNSERVED,
        [Fault(20_000, 20_000, "hung-kernel", "host2", 3600), Fault(20_100, 0, "operator", "host2")],
    ),
    "the holder's interface is gone": ("interface-gone", UNSERVED, [Fault(20_000, 30_000, "interface-gone", "host1")]),
    "the holder's interface is down": ("interface-down", UNSERVED, [Fault(20_000, 30_000, "interface-down", "host1")]),
    "the holder's interface has no carrier": ("no-carrier", UNSERVED, [Fault(20_000, 30_000, "no-carrier", "host1")]),
}
"""For each kind that is known to fail: what is broken, and by which faults."""


def played(faults: list[Fault]) -> Outcome:
    return simulate(load(SIP), 1, faults, 0.5)


@pytest.mark.parametrize("story", HOLD)
def test_all_properties_hold(story):
    assert played(HOLD[story]).violations == ()


@pytest.mark.parametrize("story", FAIL)
def test_a_known_fault_still_shows(story):
    """If this fails, the fault is mended: move the story to `HOLD`; a kind without stories leaves `KNOWN_TO_FAIL`."""
    kind, broken, faults = FAIL[story]
    assert kind in KNOWN_TO_FAIL
    assert broken in {violation.property for violation in played(faults).violations}


def test_every_kind_that_is_known_to_fail_has_a_story():
    assert {kind for kind, _, _ in FAIL.values()} == KNOWN_TO_FAIL.keys()
