"""SPIN judges what the explorer has explored: it finds as many worlds and steps, and comes to the same verdicts.

It gets the tables of what a host and the core do, and does the rest itself (`agent/verify/promela/`).
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve, frozen
from support.topologies import TAKEOVER, VOICEMAIL
from switchover.agent.verify.exploring.explorer import Bounds, Exploration, explore
from switchover.agent.verify.promela.model import promela
from switchover.agent.verify.promela.spin import BUILD, PROPERTIES, Report, read_report, search
from switchover.agent.verify.properties.always import AT_REST, HEALED, REACHABLE
from switchover.fsm import ReactionPolicy, Topology, VipOrder
from switchover.fsm.documented.voicemail import voicemail_topology
from switchover.fsm.handling import MACHINES, Machines
from switchover.fsm.tables.table import Ignored, Row

ENABLE_FIRST = evolve(TAKEOVER, vip_order=VipOrder.ENABLE_FIRST)


def without(machine: str, source: str, trigger: str) -> Machines:
    """The tables of the core, but in one of them nothing is done where a row decides."""
    table = getattr(MACHINES, machine)

    def is_meant(row: object) -> bool:
        return isinstance(row, Row) and source in row.source.split() and trigger in row.trigger.split()

    assert any(is_meant(row) for row in table.rows)
    rows = [Ignored(row.source, row.trigger, "taken out") if is_meant(row) else row for row in table.rows]
    return evolve(MACHINES, **{machine: evolve(table, rows=tuple(dict.fromkeys(rows)))})


@frozen
class Case:
    """What is explored, and names of properties that must turn out to be broken."""

    topology: Topology
    faults: int
    machines: Machines = MACHINES
    broken: frozenset[str] = frozenset()


CASES = {
    "takeover, one fault": Case(TAKEOVER, 1),
    "takeover, two faults": Case(TAKEOVER, 2),
    "takeover, enable first": Case(ENABLE_FIRST, 1),
    "voicemail, no fault": Case(VOICEMAIL, 0),
    "voicemail, one fault": Case(VOICEMAIL, 1),
    "alarms of what is not its pair enable the VIP, and reactions are carried out to the letter": Case(
        voicemail_topology("vip-on-monitored", ReactionPolicy.LITERAL),
        1,
        broken=frozenset({"never for a backup", "scripts once", "backups move nothing"}),
    ),
    "a host that is connected again is not taken back": Case(
        TAKEOVER,
        1,
        without("link", "lost", "connected"),
        frozenset({"two holders", "one primary", "one holder", "clients served", "nothing in flight"}),
    ),
    "a failure of the primary goes unnoticed": Case(
        TAKEOVER, 1, without("pair", "redundant", "this_down"), frozenset({"comes to rest"})
    ),
}


def explored(case: Case) -> Exploration:
    found = explore(case.topology, Bounds(case.faults), machines=case.machines)
    assert found.is_exhausted, found.reason
    return found


def restarts(case: Case) -> int:
    """In how many worlds the cold start comes to rest: SPIN takes a step there that the explorer does not count."""
    cold = explored(evolve(case, faults=0))
    return (len(cold.worlds) - len(np.unique(np.concatenate(cold.sources)))) if case.faults else 0


def built(found: Exploration, directory: Path) -> Path:
    """A directory in which SPIN has made verifiers of what was found."""
    missing = [name for name in ("spin", "gcc") if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {' and '.join(missing)}")
    (directory / "model.pml").write_text(promela(found))
    for command in BUILD:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True)  # noqa: S603 - the model's own
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return directory


def report_of(command: tuple[str, ...], directory: Path) -> Report:
    return read_report(subprocess.run(command, cwd=directory, capture_output=True, text=True).stdout)  # noqa: S603


@pytest.mark.parametrize("name", CASES)
def test_spin_finds_the_same_worlds_and_steps_and_comes_to_the_same_verdicts(name: str, tmp_path: Path):
    case = CASES[name]
    found = explored(case)
    directory = built(found, tmp_path)

    counted = report_of(search(found), directory)
    judged = {prop.name: report_of(search(found, prop), directory).errors == 0 for prop in PROPERTIES}

    assert (counted.states, counted.transitions) == (len(found.worlds), 1 + restarts(case) + found.transitions)
    verdicts = {verdict.property: verdict.holds for verdict in found.verdicts}
    assert judged == {prop.name: verdicts[prop] for prop in PROPERTIES}
    assert case.broken <= {prop.name for prop, holds in verdicts.items() if not holds}
    assert case.broken or all(judged.values())


@pytest.mark.parametrize("name", CASES)
def test_spin_judges_every_property_or_the_verdict_follows_from_its_others(name: str):
    verdicts = {verdict.property: verdict.holds for verdict in explored(CASES[name]).verdicts}

    assert set(verdicts) == {*PROPERTIES, REACHABLE}
    assert verdicts[REACHABLE] or not all(verdicts[prop] for prop in (*HEALED, AT_REST))


def test_the_same_exploration_is_written_as_the_same_text():
    found = explored(CASES["takeover, one fault"])

    assert promela(found) == promela(found) == promela(explored(CASES["takeover, one fault"]))


def test_what_was_not_explored_to_the_end_is_not_written():
    found = explore(TAKEOVER, Bounds(1, bytes=1))

    with pytest.raises(ValueError, match=r"explored to the end.*memory"):
        promela(found)


def test_a_verifier_that_did_not_finish_is_an_error():
    with pytest.raises(ValueError, match=r"did not finish(.|\n)*out of memory"):
        read_report("pan: reached -DMEMLIM bound\nout of memory\n")
