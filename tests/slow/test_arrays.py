"""The numbering of worlds in the exploration: sets of keys and of rows, and keys of worlds."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from switchover.agent.verify.arrays.keys import World, unpack, world_of
from switchover.agent.verify.arrays.sets import HashCollisionError, KeySet, RowSet
from switchover.agent.verify.arrays.stepping import AGENT_BITS, ARP_MASK, BUDGET_MASK, HOST_MASK
from switchover.agent.verify.model.host import BUDGET_AT_MOST

FEW, MANY = st.integers(0, 20), st.integers(0, 2**64 - 2)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.one_of(FEW, MANY), max_size=60), max_size=8), st.integers(1, 4))
def test_keys_are_numbered_in_the_order_in_which_they_come(batches, bits):
    """However full the table becomes, and whichever keys are equal."""
    keys, expected = KeySet(bits), {}
    for batch in batches:
        is_first = [key not in expected and key not in batch[:at] for at, key in enumerate(batch)]
        for key in batch:
            expected.setdefault(key, len(expected))
        numbers, is_new = keys.add(np.array(batch, np.uint64))
        assert numbers.tolist() == [expected[key] for key in batch]
        assert is_new.tolist() == is_first
        assert keys.keys.all.tolist() == list(expected)
    assert len(keys) == len(expected)


def test_a_table_grows_with_its_keys_and_says_beforehand_what_that_takes():
    keys = KeySet()
    wanted = np.random.default_rng(1).integers(0, 2**63, 200_000).astype(np.uint64)
    for batch in np.array_split(wanted, 10):
        promised = keys.bytes_after(len(batch))
        keys.add(batch)
        assert keys.bytes <= promised
    assert keys.add(wanted[::-1])[0].tolist() == list(range(len(wanted)))[::-1]


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.tuples(FEW, FEW, FEW), min_size=1, max_size=40), max_size=6))
def test_rows_are_numbered_likewise(batches):
    rows, expected = RowSet(3), {}
    for batch in batches:
        for row in batch:
            expected.setdefault(row, len(expected))
        assert rows.add(np.array(batch, np.uint32))[0].tolist() == [expected[row] for row in batch]
    assert [tuple(row) for row in rows.all.tolist()] == list(expected)


def test_two_rows_with_one_hash_are_not_taken_for_one(monkeypatch):
    monkeypatch.setattr("switchover.agent.verify.arrays.sets._PRIME", np.uint64(0))
    with pytest.raises(HashCollisionError, match="the same 64-bit hash"):
        RowSet(2).add(np.array([[1, 2], [3, 4]], np.uint32))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.integers(0, 2**AGENT_BITS - 1),
    st.tuples(st.integers(0, HOST_MASK), st.integers(0, HOST_MASK)),
    st.integers(0, ARP_MASK),
    st.integers(0, BUDGET_AT_MOST),
)
def test_a_key_holds_a_world(agent, hosts, arp, budget):
    world = World(agent, hosts, arp, budget)
    assert world_of(world.key) == world
    agents, sides, arps, budgets = unpack(np.array([world.key], np.uint64))
    assert (agents[0], (sides[0][0], sides[1][0]), arps[0], budgets[0]) == (agent, hosts, arp, budget)


def test_a_key_has_room_for_every_budget():
    assert BUDGET_AT_MOST <= BUDGET_MASK


def test_machine_code_that_cannot_be_kept_is_made_each_time():
    code = (
        "import numpy as np; from switchover.agent.verify.arrays.sets import KeySet; "
        "print(KeySet().add(np.array([5, 7, 5], np.uint64))[0].tolist())"
    )
    nowhere = os.environ | {"NUMBA_CACHE_DIR": "/dev/null/nowhere"}
    argv = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(argv, env=nowhere, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1, 0]\n", "")


def test_machine_code_of_another_version_of_this_package_is_made_anew(tmp_path):
    """What that version has left may name a class that is gone."""
    code = (
        "import numpy as np; from switchover.agent.verify.arrays.sets import KeySet; "
        "print(KeySet().add(np.array([5, 7, 5], np.uint64))[0].tolist())"
    )
    cached = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    argv = [sys.executable, "-W", "error", "-c", code]
    for _ in range(2):
        done = subprocess.run(argv, env=cached, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
        assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1, 0]\n", "")
        for index in tmp_path.rglob("*.nbi"):
            version = pickle.dumps(pickle.loads(index.read_bytes()))  # noqa: S301 - numba's own, written just now
            index.write_bytes(version + b"cswitchover.agent.verify.arrays.sets\nGone\n.")
