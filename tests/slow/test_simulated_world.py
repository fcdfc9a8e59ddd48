"""`switchover simulate --seeds`: the real agent and LCAs in a simulated world, under faults by chance."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve
from switchover.agent.cli import main as cli
from switchover.agent.configuration.load import load
from switchover.agent.host.lca import Lca
from switchover.agent.simulation.world.faults import DEFAULT, KINDS, Fault, plan
from switchover.agent.simulation.world.judge import (
    AT_THE_END,
    FALSELY_ANNOUNCED,
    NEEDLESS,
    TWICE,
    TWO_HOLDERS,
    UNCAUGHT,
    UNSERVED,
    Judge,
)
from switchover.agent.simulation.world.run import simulate
from switchover.agent.simulation.world.shrink import shrink
from switchover.drivers.vip.addresses import NetlinkAddresses
from switchover.drivers.vip.announce import Announcer

EXAMPLES = Path(cli.__file__).parents[1] / "configuration"

SEEDS = range(1, 13)

MINUTES = 2.0


def example(name: str):
    return load(EXAMPLES / f"{name}.toml")


@pytest.mark.parametrize("name", ["sip", "voicemail"])
def test_all_properties_hold_under_faults_by_chance(name):
    configuration = example(name)
    broken = {
        seed: outcome.violations
        for seed in SEEDS
        if (outcome := simulate(configuration, seed, plan(configuration, seed, MINUTES, DEFAULT), MINUTES)).violations
    }
    assert broken == {}


def test_the_same_seed_gives_the_same_record_in_any_process():
    """Whatever the order of sets is, and whatever ran before."""
    program = (
        "import hashlib; from pathlib import Path; from switchover.agent.configuration.load import load;"
        "from switchover.agent.simulation.world.faults import KINDS, plan;"
        "from switchover.agent.simulation.world.run import simulate;"
        f"configuration = load(Path({str(EXAMPLES / 'voicemail.toml')!r}));"
        "outcome = simulate(configuration, 3, plan(configuration, 3, 1.0, tuple(KINDS)), 1.0);"
        "print(hashlib.sha256(chr(10).join(outcome.record).encode()).hexdigest())"
    )
    records = {
        subprocess.run(  # noqa: S603  # our own
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(records) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_fault_happens_and_ends(kind):
    configuration = example("sip")
    where = {"host": "host1", "application": "SIP_Server_1", "solution": "agent"}[KINDS[kind].where]
    size = sum(KINDS[kind].size) / 2
    record = simulate(configuration, 1, [Fault(1000, 1500, kind, where, size)], 0.1).record
    assert [line.split()[1:3] for line in record if f" {kind} " in line] == [["fault:", kind], ["over:", kind]]


def _nothing(*_args, **_kwargs):
    pass


async def _nothing_soon(*_args, **_kwargs):
    pass


def _raise(*_args, **_kwargs):
    raise ValueError("planted")


OPERATOR = Fault(20_000, 0, "operator", "host2")
CUT = Fault(20_000, 3000, "cut", "host1")


@pytest.mark.parametrize(
    ("broken", "target", "name", "planted", "fault"),
    [
        (NEEDLESS, Judge, "asked", _nothing, OPERATOR),  # nobody asked, as far as the judge knows
        (TWO_HOLDERS, NetlinkAddresses, "disable", _nothing_soon, OPERATOR),
        (UNSERVED, Announcer, "announce", _nothing, CUT),
        (FALSELY_ANNOUNCED, NetlinkAddresses, "enable", _nothing_soon, OPERATOR),
        (UNCAUGHT, Lca, "solicit", _raise, CUT),
        (TWICE, Judge, "_forget", _nothing, CUT),
        (AT_THE_END, NetlinkAddresses, "disable", _nothing_soon, OPERATOR),
    ],
)
def test_every_property_can_be_broken(monkeypatch, broken, target, name, planted, fault):
    monkeypatch.setattr(target, name, planted)
    again = [evolve(fault, at_ms=23_500, where="host2" if fault is CUT else "host1"), evolve(fault, at_ms=40_000)]
    outcome = simulate(example("sip"), 1, [fault, *again], 1.0)
    assert broken in {violation.property for violation in outcome.violations}


def test_a_failure_is_shrunk_to_the_faults_that_are_enough(monkeypatch):
    monkeypatch.setattr(Announcer, "announce", _nothing)
    configuration = example("sip")
    faults = [Fault(at_ms, 500, "slow-status", "SIP_Server_2", 100) for at_ms in range(1000, 60_000, 5000)]
    outcome = shrink(configuration, simulate(configuration, 1, sorted([*faults, CUT], key=lambda f: f.at_ms), 1.0), 1.0)
    assert outcome.faults == (CUT,)
    assert outcome.violations[0].property == UNSERVED


def test_a_failure_is_printed_and_kept_with_its_seed(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(Announcer, "announce", _nothing)
    arguments = ["--seeds", "1", "--first-seed", "2", "--minutes", "1", "--records", str(tmp_path)]
    assert cli.main(["simulate", str(EXAMPLES / "sip.toml"), *arguments]) == 1
    printed = capsys.readouterr().out
    assert "seed 2 failed; these " in printed
    assert "VIOLATED: clients unserved" in printed
    assert "1 seeds, " in printed
    assert "the whole record:" in (tmp_path / "seed-2.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "name a script of faults, or a number of seeds: --seeds N"),
        (["faults.txt", "--seeds", "1"], "name a script of faults, or a number of seeds: --seeds N"),
        (["--seeds", "1", "--with", "plague"], "'plague' is no kind of fault; known are crash, power,"),
    ],
)
def test_a_wrong_command_line_is_refused(capsys, arguments, error):
    assert cli.main(["simulate", str(EXAMPLES / "sip.toml"), *arguments]) == 2
    assert error in capsys.readouterr().err
