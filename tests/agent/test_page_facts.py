"""The words with which the live page and `status --watch` show a status; stale facts are never shown as fine."""

import itertools
from typing import Any

import pytest
from support.example_status import STATUS, with_hosts
from switchover.agent.explain import meanings
from switchover.agent.explain.meanings import UNKNOWN, Fact, Mark, fact_of
from switchover.agent.explain.overview import Overview, age, overview
from switchover.fsm import APPLICATION, LINK, PAIR, PLACEMENT, VIP

FINE, MOVING, TROUBLE = Mark.FINE, Mark.MOVING, Mark.TROUBLE


@pytest.mark.parametrize(
    ("facts", "table"),
    [(meanings.LINK, LINK), (meanings.PAIR, PAIR), (meanings.VIP, VIP), (meanings.PLACEMENT, PLACEMENT)],
)
def test_every_state_has_its_own_words(facts, table):
    sided = {name.removesuffix("*") for name in table.states.split()}
    assert set(facts) == sided
    assert set(meanings.MODE) >= set(APPLICATION.all_states)
    for state in table.all_states:
        assert "{" not in fact_of(facts, state, ["a", "b"]).words


def in_short(seen: Overview) -> dict[str, Any]:
    """The facts of the overview, as words with their marks."""
    lines = {line.name: [line.fact, *line.cells] for line in seen.lines}
    facts = lines | {"whole": [seen.whole], "redundancy": [seen.redundancy], "placement": [seen.placement]}
    return {name: [f"{fact.mark}: {fact.words}" for fact in row] for name, row in facts.items()}


def test_a_healthy_solution_is_shown_as_fine():
    seen = overview(STATUS, 300)
    assert in_short(seen) == {
        "whole": ["fine: as it should be: every primary is on host1, and every component has a backup"],
        "link to the LCA": ["fine: both hosts are heard", "fine: connected", "fine: connected"],
        "VIP": ["fine: on host1", "fine: holds it", "fine: does not hold it"],
        "SIP Server": ["fine: primary on host1, backup on host2", "fine: primary", "fine: backup"],
        "RM": ["fine: up on both hosts", "fine: up", "fine: up"],
        "redundancy": ["fine: every component has a backup"],
        "placement": ["fine: every primary is on host1"],
    }
    assert [line.state for line in seen.lines] == ["", "held_1", "redundant_1", ""]
    assert (seen.pending, seen.alarms) == (("announce_vip host1",), ("SIP_Server_1 primary",))
    assert [cell.about for cell in seen.lines[2].cells] == ["SIP_Server_1", "SIP_Server_2"]


def test_all_that_depends_on_a_silent_host_is_unknown():
    """The facts of the other host still count, because it is heard."""
    seen = overview(with_hosts(("silent", 301.0), ("connected", 20.0)), 300)
    assert in_short(seen) == {
        "whole": ["unknown: unknown: host1 heard 301 ms ago"],
        "link to the LCA": ["unknown: host1 unknown", "unknown: unknown", "fine: connected"],
        "VIP": ["unknown: unknown", "unknown: unknown", "fine: does not hold it"],
        "SIP Server": ["unknown: unknown", "unknown: unknown", "fine: backup"],
        "RM": ["unknown: unknown", "unknown: unknown", "fine: up"],
        "redundancy": ["unknown: unknown"],
        "placement": ["unknown: unknown"],
    }
    assert [line.state for line in seen.lines] == ["", "", "", ""]


def test_a_lost_host_is_shown_as_lost():
    pair = STATUS["pairs"][0] | {"state": "peer_lost_2"}
    monitored = [
        {
            "name": "RM",
            "applications": [a | {"state": s} for a, s in zip(p["applications"], ("lost", "up"), strict=True)],
        }
        for p in STATUS["monitored"]
    ]
    changes = {"pairs": [pair], "monitored": monitored, "redundancy": False, "placement": "together_2"}
    changes["vip"] = STATUS["vip"] | {"state": "owed_2"}
    assert in_short(overview(with_hosts(("lost", 9000.0), ("connected", 20.0), **changes), 300)) == {
        "whole": ["trouble: not as it should be: VIP: on host2; host1 is lost and may hold it too"],
        "link to the LCA": ["trouble: host1 lost", "trouble: lost", "fine: connected"],
        "VIP": ["trouble: on host2; host1 is lost and may hold it too", "unknown: unknown", "fine: does not hold it"],
        "SIP Server": ["trouble: no redundancy: primary on host2, host1 is lost", "unknown: unknown", "fine: backup"],
        "RM": ["trouble: no redundancy: up on host2 only", "unknown: unknown", "fine: up"],
        "redundancy": ["trouble: none"],
        "placement": ["fine: every primary is on host2"],
    }


def test_when_no_host_is_heard_nothing_is_known():
    pair = STATUS["pairs"][0] | {"state": "out_of_sight"}
    changes = {"pairs": [pair], "placement": "unplaced", "vip": STATUS["vip"] | {"state": "out_of_sight"}}
    changes |= {"monitored": [], "redundancy": False}
    facts = in_short(overview(with_hosts(("lost", 9000.0), ("lost", None), **changes), 300))
    assert facts == {
        "whole": ["unknown: unknown: VIP: neither host is heard"],
        "link to the LCA": ["trouble: host1 lost; host2 lost", "trouble: lost", "trouble: lost"],
        "VIP": ["unknown: neither host is heard", "unknown: unknown", "unknown: unknown"],
        "SIP Server": ["unknown: neither host is heard", "unknown: unknown", "unknown: unknown"],
        "redundancy": ["unknown: unknown"],
        "placement": ["unknown: unknown"],
    }


@pytest.mark.parametrize(
    ("states", "fact"),
    [
        (("up", "down"), Fact("no redundancy: up on host1 only", TROUBLE)),
        (("down", "lost"), Fact("out of service: up on neither host", TROUBLE)),
        (("unknown", "up"), UNKNOWN),
    ],
)
def test_a_monitored_pair_is_shown_with_its_failures(states, fact):
    applications = [a | {"state": s} for a, s in zip(STATUS["monitored"][0]["applications"], states, strict=True)]
    seen = overview(STATUS | {"monitored": [{"name": "RM", "applications": applications}]}, 300)
    assert seen.lines[-1].fact == fact
    assert seen.whole.mark is fact.mark


def test_a_stale_fact_is_never_shown_as_fine():
    """For all states of the links and machines, and for all ages."""
    ages = (None, 0.0, 300.0, 300.1)
    hosts = list(itertools.product(LINK.all_states, ages))
    checked = 0
    for first, second in itertools.product(hosts, hosts):
        is_stale = [
            link in ("connected", "silent", "doubtful") and (ms is None or ms > 300) for link, ms in (first, second)
        ]
        if not any(is_stale):
            continue
        for pair, vip in itertools.product(PAIR.all_states[::7], VIP.all_states[::9]):
            changes = {"pairs": [STATUS["pairs"][0] | {"state": pair}], "vip": STATUS["vip"] | {"state": vip}}
            seen = overview(with_hosts(first, second, **changes), 300)
            facts = [seen.whole, seen.redundancy, seen.placement, *(line.fact for line in seen.lines)]
            facts += [cell for line in seen.lines for cell, old in zip(line.cells, is_stale, strict=True) if old]
            assert {fact.mark for fact in facts} <= {Mark.UNKNOWN, Mark.TROUBLE}
            assert seen.whole.mark is Mark.UNKNOWN
            checked += 1
    assert checked > 1000


@pytest.mark.parametrize(
    ("heard_ms_ago", "text"),
    [(None, "never heard"), (0.4, "heard 0 ms ago"), (2449.0, "heard 2.4 s ago"), (125_000.0, "heard 125 s ago")],
)
def test_the_age_of_a_host_in_words(heard_ms_ago, text):
    assert age(heard_ms_ago) == text
