# ruff: noqa: E501 - a mutant is a line
"""The score of the checker itself: which mutants there are, and that a sample of them is noticed, and by what.

The whole score takes its time: `switchover verify --mutants`.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve
from switchover.agent.verify.documented import unseen
from switchover.agent.verify.mutants.equivalent import EXPLAINED, Explained
from switchover.agent.verify.mutants.score import OWN_CHECK, Killing, Report, fits, run
from switchover.agent.verify.mutants.spoilt import TABLES, all_mutants
from switchover.agent.verify.mutants.trials import (
    documented_cells,
    explore_real,
    judge,
    refused,
    takeover,
    undocumented,
)
from switchover.fsm import ReactionPolicy, VipOrder, voicemail_topology
from switchover.fsm.documented.voicemail import WIRINGS
from switchover.fsm.handling import MACHINES
from switchover.fsm.tables.table import Row

TOGETHER, ENABLE_FIRST = "takeover, together, 1 fault", "takeover, enable-first, 1 fault"
LITERAL = "takeover, together, literal, 1 fault"


def test_every_table_has_so_many_mutants():
    """Pinned, so that the score is looked at again when a table changes."""
    counts = Counter(mutant.machine for mutant in all_mutants().values())
    assert counts == {"link": 37, "application": 24, "pair": 340, "alarm": 19, "placement": 52, "vip": 389}


@pytest.mark.parametrize("machine", TABLES)
def test_every_row_that_does_something_is_spoilt(machine):
    table = getattr(MACHINES, machine)
    rows = {at: row for at, row in enumerate(table.rows) if isinstance(row, Row)}
    does = {at for at, row in rows.items() if row.outputs or row.destination not in ("=", row.source)}
    assert does <= {at for mutant in all_mutants().values() if mutant.machine == machine for at in mutant.rows}


def test_every_command_of_every_row_is_dropped_once():
    dropped = Counter(
        mutant.machine for name, mutant in all_mutants().items() if " dropped: " in name or " left out: " in name
    )
    commands = {
        machine: sum(
            len(row.outputs.split(";"))
            for row in getattr(MACHINES, machine).rows
            if isinstance(row, Row) and row.outputs
        )
        for machine in TABLES
    }
    assert dropped == {machine: count for machine, count in commands.items() if count}


def test_no_mutant_is_the_real_table():
    for mutant in list(all_mutants().values())[::25]:
        if not refused(mutant.name):
            assert set(mutant.table().every_decision()) != set(getattr(MACHINES, mutant.machine).every_decision())


# What notices them: a sample.


@pytest.mark.parametrize("mutant", [
    "link: connected, fell_silent: row taken out",
    "pair: demoting, other_backup: stays",
    "alarm: active, over (once): row taken out",
])  # fmt: skip
def test_the_own_check_of_a_table_refuses_a_state_that_is_never_reached(mutant):
    assert refused(mutant)


@pytest.mark.parametrize("mutant", [
    "link: connected silent unknown, lost left (peer_in_sight): row taken out",
    "vip: held, other_enable_asked other_enable_ordered (together): command dropped: enable other",
    "vip: enabling_owed, this_enabled: row taken out",
])  # fmt: skip
def test_documented_workflows_are_not_seen_any_more(mutant):
    assert undocumented(mutant)


@pytest.mark.parametrize(("mutant", "trial", "by"), [
    ("vip: absent, this_enable_asked this_enable_ordered: moves to the other side", TOGETHER, "VIP with the SIP server"),
    ("pair: demoting, this_unreachable: command dropped: promote other", TOGETHER, "never undone"),
    ("vip: releasing, other_free other_released: stays", TOGETHER, "possible"),
    ("vip: absent, other_held other_enabled: moves to the other side", TOGETHER, "scripts once"),
    ("vip: enabling_owed enabling, other_held other_enabled (other_is_demoted): row taken out", TOGETHER, "two holders"),
    ("vip: absent, this_enable_asked this_enable_ordered: command dropped: enable this", TOGETHER, "VIP at rest"),
    ("vip: held, other_enable_asked other_enable_ordered: guards exchanged: disable_first, enable_first", ENABLE_FIRST, "VIP order"),
    ("application: up, lost: command dropped: log_failed", TOGETHER, "alarms notified"),
    ("alarm: clear rearmed, detected: stays", TOGETHER, "alarms end"),
    ("vip: moving, other_free other_released: announcement left out: announce this", TOGETHER, "announced"),
    ("vip: owed, other_free other_released: announcement left out: announce this", TOGETHER, "announced again"),
    ("link: doubtful, peer_heard: stays", TOGETHER, "doubtful with reason"),
    ("link: silent, connected: row taken out", TOGETHER, "doubtful with reason"),
    ("pair: no_redundancy, other_backup: moves to the other side", TOGETHER, "primary at rest"),
    ("placement: together, other_together: row taken out", TOGETHER, "states match reports"),
    ("pair: first_seen_backup, other_backup: guards exchanged: this_outranks, other_outranks", TOGETHER, "tie-break"),
    ("vip: off, this_enable_asked this_enable_ordered: stays", TOGETHER, "the latest request counts"),
])  # fmt: skip
def test_a_property_is_broken(mutant, trial, by):
    assert judge(mutant, trial) == by


def test_a_mutant_whose_row_never_decides_changes_nothing():
    """Why mutants are tried only where their rows decide something."""
    cells = explore_real(TOGETHER).cells
    idle = next(mutant for name, mutant in all_mutants().items() if not mutant.cells() & cells and not refused(name))
    assert judge(idle.name, TOGETHER) == ""


# What is explained.


def test_every_explanation_is_of_mutants_that_there_are():
    assert [each.pattern for each in EXPLAINED if not any(fits(each, name) for name in all_mutants())] == []
    assert len({each.pattern for each in EXPLAINED}) == len(EXPLAINED)


# The documented workflows as a property.


@pytest.mark.parametrize("order", VipOrder)
def test_the_real_tables_show_every_documented_workflow_and_scenario(order):
    assert unseen(takeover(order)) == []
    assert unseen(voicemail_topology(vip_order=order)) == []
    assert len(documented_cells()) > 100


def test_a_topology_is_documented_by_its_wiring_whatever_its_names():
    topology = voicemail_topology()
    renamed = evolve(
        topology,
        pairs=tuple(evolve(pair, name=f"pair {pair.name}") for pair in topology.pairs),
        alarms=tuple(evolve(alarm, name=f"alarm {alarm.name}") for alarm in reversed(topology.alarms)),
        outside=(),
    )
    spoilt = all_mutants()["pair: redundant, this_down: command dropped: promote other"]
    assert unseen(renamed) == []
    assert len(unseen(renamed, evolve(MACHINES, pair=spoilt.table()))) > 10


@pytest.mark.parametrize("topology", [
    *(voicemail_topology(wiring) for wiring in WIRINGS[1:]),
    voicemail_topology(reactions=ReactionPolicy.LITERAL),
    evolve(takeover(VipOrder.TOGETHER), alarms=()),
])  # fmt: skip
def test_what_is_not_documented_is_not_asked_for(topology):
    spoilt = all_mutants()["pair: redundant, this_down: command dropped: promote other"]
    assert unseen(topology, evolve(MACHINES, pair=spoilt.table())) == []


def test_a_report_tells_what_survived_and_why_the_rest_may():
    explained, survivor, unreached = EXPLAINED[0], "pair: a: stays", "vip: b: stays"
    report = Report(
        killed={"link: c: stays": Killing("possible", TOGETHER)},
        survived=[survivor, unreached],
        equivalent={"vip: d: commands swapped: e, f": explained},
        unreached=frozenset({unreached}),
    )
    text = report.as_text()
    assert not report.is_complete
    assert [line.split() for line in text.splitlines()[1:8]][-1] == ["all", "4", "1", "1", "2"]
    assert f"  {survivor}\n" in text
    assert f"  {unreached}  (never decides)\n" in text
    assert f"equivalent: {explained.reason}" in text
    assert "     1  possible" in text


def test_a_run_kills_explains_and_tells_what_is_left():
    """The whole machinery, for three mutants and without processes."""
    killed, equal = "link: connected, fell_silent: row taken out", "pair: split_brain, this_down: commands swapped: *"
    names = [name for name in all_mutants() if name == killed or fits(Explained(equal, ""), name)]
    with ThreadPoolExecutor(1) as pool:
        report = run(pool, names, trials=(TOGETHER,))
    assert report.killed == {killed: Killing(OWN_CHECK, OWN_CHECK)}
    assert list(report.equivalent) == names[1:]
    assert report.survived == []
