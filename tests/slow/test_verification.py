"""The explorer's verdicts: the documented configurations hold, and each pitfall is found as a counterexample."""

import attrs
import pytest
from support.topologies import TAKEOVER, VOICEMAIL
from switchover.agent.cli.verify import verify
from switchover.agent.verify.exploring.explorer import Bounds, explore
from switchover.agent.verify.traces.text import as_sequence_diagram, as_text
from switchover.agent.verify.traces.trace import trace_of
from switchover.fsm import VIP, ReactionPolicy, Table, VipOrder, voicemail_topology
from switchover.fsm.alarms import disable_here, enable_here, to_primary
from switchover.fsm.handling import Machines
from switchover.fsm.tables.table import Row

pytestmark = pytest.mark.no_cover  # to count lines doubles the time, and other tests reach the same ones

SOLUTIONS = {"takeover": TAKEOVER, "voicemail": VOICEMAIL}


def broken(topology, faults=1, machines=None):
    """The names of the properties that do not hold, each with the steps of its shortest trace."""
    found = explore(topology, Bounds(faults), machines=machines or Machines())
    assert found.is_exhausted
    return {
        verdict.property.name: trace_of(found, verdict, machines or Machines())
        for verdict in found.verdicts
        if not verdict.holds
    }


def texts(trace):
    return [step.text for step in trace.steps]


# The two documents' configurations. How many states there are is pinned: another number is another model.

COUNTS = {
    ("takeover", 0, "together"): (50, 96),
    ("takeover", 1, "together"): (518, 1112),
    ("takeover", 2, "together"): (37936, 121037),
    ("takeover", 2, "disable-first"): (31489, 98270),
    ("takeover", 2, "enable-first"): (44519, 143217),
    ("voicemail", 0, "enable-first"): (225, 484),
    ("voicemail", 1, "enable-first"): (10968, 26383),
    ("voicemail", 1, "together"): (9720, 23563),
    ("voicemail", 1, "disable-first"): (7276, 16172),
}


@pytest.mark.parametrize(("name", "faults", "order"), COUNTS)
def test_every_property_holds_for_both_documents(name, faults, order):
    topology = attrs.evolve(SOLUTIONS[name], vip_order=VipOrder(order))
    report = verify(topology, Bounds(faults))
    assert [verdict.property.name for verdict in report.broken] == []
    assert (report.exploration.is_exhausted, report.not_judged, report.unseen) == (True, (), ())
    assert (len(report.exploration.worlds), report.exploration.transitions) == COUNTS[name, faults, order]


# What [S1] warns of, and what else operators get wrong: each is found, by the shortest way.


def test_vip_scripts_linked_to_monitored_components_move_the_vip_to_a_backup():
    found = broken(voicemail_topology("vip-on-monitored"))
    assert list(found) == ["never for a backup"]
    assert texts(found["never for a backup"]) in ([f"{name} fails"] for name in ("RM_1", "RM_2", "MCP_1", "MCP_2"))


def test_vip_scripts_linked_to_monitored_components_run_for_a_backup_failure():
    """The very pitfall of [S1]'s key note, with reactions as an SCS has them."""
    found = broken(voicemail_topology("vip-on-monitored", reactions=ReactionPolicy.LITERAL))
    (failure,) = texts(found["backups move nothing"])
    assert failure.endswith(" fails")
    assert "=> enable_vip" in as_text(found["backups move nothing"])


def test_vip_scripts_linked_to_the_vm_server_leave_the_sip_server_without_the_vip():
    found = broken(voicemail_topology("vip-on-vm-server"))
    trace = found["VIP with the SIP server"]
    assert "promote VM_SIP_Server_" in texts(trace)[-1]  # it is primary, and its VIP waits for the VM Server
    assert "never for a backup" in found


def test_a_latched_alarm_leaves_the_vip_where_it_is():
    found = broken(attrs.evolve(TAKEOVER, reactions=ReactionPolicy.LITERAL), faults=2)
    assert "latched: no reaction, its cancel timeout restarts" in as_text(found["one holder"])
    assert {"one holder", "clients served", "healthy again"} <= found.keys()


def wired(topology, change):
    """The topology with other alarm conditions: `change` gives what stands in place of each."""
    return attrs.evolve(topology, alarms=tuple(new for alarm in topology.alarms if (new := change(alarm))))


def test_a_reaction_that_names_the_wrong_side():
    away = (disable_here("host1"), enable_here("host2"))
    wrong = wired(TAKEOVER, lambda a: attrs.evolve(a, reactions=away) if a.name == "SIP_Server_1 primary" else a)
    found = broken(wrong)
    assert {"right side", "never for a backup", "one holder", "clients served", "healthy again"} <= found.keys()


def test_a_reaction_for_the_wrong_side_is_detected_even_if_the_placement_mends_it():
    """All pairs are bound to one side, so RM's wrong reaction does not keep the solution from moving."""
    here = (to_primary("VM_SIP_Server_1"),)
    wrong = wired(VOICEMAIL, lambda a: attrs.evolve(a, reactions=here) if a.application == "RM_1" else a)
    found = broken(wrong)
    assert set(found) == {"right side", "mirrored"}
    assert texts(found["right side"]) == ["RM_1 fails"]


@pytest.mark.parametrize("side", [1, 2])
def test_a_missing_mirror_reaction(side):
    found = broken(wired(TAKEOVER, lambda a: None if a.name == f"SIP_Server_{side} primary" else a))
    assert {"mirrored", "one holder", "clients served", "healthy again"} <= found.keys()
    voicemail = broken(wired(VOICEMAIL, lambda a: None if a.application == f"RM_{side}" else a))
    assert {name: texts(trace) for name, trace in voicemail.items()} == {"mirrored": [f"RM_{side} fails"]}


def test_the_ip_conflict_when_a_whole_host_returns():
    """[S1]'s wiring alone has nothing that takes the VIP from a host that returns with it."""
    found = broken(wired(VOICEMAIL, lambda a: None if a.name.endswith(" backup") else a))
    assert set(found) == {"one holder", "healthy again"}
    assert "VIP: conflict_" in as_text(found["one holder"])


def test_a_vip_that_is_kept_without_being_announced_again_after_a_split_brain():
    rows = tuple(
        attrs.evolve(row, outputs="")
        if isinstance(row, Row)
        and row.source in ("releasing", "held", "owed")
        and row.trigger.startswith("other_")
        and row.outputs == "announce this"
        else row
        for row in VIP.rows
    )
    assert rows != VIP.rows
    silent = Table(VIP.name, VIP.states, VIP.initial, VIP.triggers, VIP.outputs, rows, VIP.guards)
    found = broken(TAKEOVER, faults=2, machines=Machines(vip=silent))
    assert {"clients served", "healthy again"} <= found.keys()
    assert "sequenceDiagram" in as_sequence_diagram(found["clients served"])


# Bounds.


def test_a_bound_that_is_met_ends_the_exploration_and_says_so():
    found = explore(VOICEMAIL, Bounds(2, bytes=30 << 20))
    assert (found.is_exhausted, found.reason) == (False, "0.0 GiB of memory are not enough")
    assert all(verdict.property.kind == "always" for verdict in found.verdicts)
    assert len(found.worlds) > 1000
