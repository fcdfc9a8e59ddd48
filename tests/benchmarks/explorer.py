"""How fast the explorer is, and how fast SPIN is on the same model. Needs spin and gcc; on demand, on a quiet machine.

    .venv/bin/python tests/benchmarks/explorer.py [sip|voicemail [FAULTS [ROUNDS]]]

All on one core, one after the other; processor time, the middle of all rounds. *explore*: `explore` as a whole, from
nothing to the verdicts; it makes the tables of hosts and core as it goes. *search*: the same worlds once more, by the
same functions, where all tables are known already; nothing is judged. *SPIN*: its search, without a property; it has
been given the tables, and its verifier compiled, before its time counts. So *search* and *SPIN* do the same work; what
SPIN needs first is printed below the table.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from switchover.agent.verify.arrays.keys import unpack
from switchover.agent.verify.arrays.sets import KeySet
from switchover.agent.verify.exploring.explorer import CHUNK, GIB, Bounds, Exploration, explore
from switchover.agent.verify.promela.model import promela
from switchover.agent.verify.promela.spin import BUILD, read_report, search
from switchover.fsm import Pair, Topology, documented_alarms
from switchover.fsm.documented.voicemail import voicemail_topology

GOAL = 5.0
HOSTS = ("host1", "host2")
PAIR = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
TOPOLOGIES: dict[str, Callable[[], Topology]] = {
    "sip": lambda: Topology(HOSTS, (PAIR,), documented_alarms(PAIR.applications, HOSTS)),
    "voicemail": voicemail_topology,
}
SEARCH = BUILD[:2]  # the verifier for cycles is not measured


def explored(topology: Topology, faults: int) -> tuple[Exploration, float]:
    begin = time.process_time()
    exploration = explore(topology, Bounds(faults, bytes=16 * GIB))
    if not exploration.is_exhausted:
        sys.exit(f"explorer.py: {exploration.reason}: take fewer faults")
    return exploration, time.process_time() - begin


def searched(exploration: Exploration) -> float:
    """Seconds for all worlds once more, where the tables are known."""
    space, keys, budgets = exploration.space, exploration.worlds.keys.all, unpack(exploration.worlds.keys.all)[3]
    is_root = (budgets == exploration.bounds.faults) & (budgets[exploration.parents.all] == 0)
    begin = time.process_time()
    worlds, steps = KeySet((2 * len(keys)).bit_length()), 0  # SPIN knows the size in advance, too
    for roots in (keys[:1], keys[is_root]):
        worlds.add(roots)
        start = len(worlds) - len(roots) if len(worlds) > 1 else 0
        while start < len(worlds):
            end = min(len(worlds), start + CHUNK)
            steps += len(worlds.add(space.steps(worlds.keys.all[start:end]).keys)[0])
            start = end
    seconds = time.process_time() - begin
    assert (len(worlds), steps) == (len(exploration.worlds), exploration.transitions)
    return seconds


def run(command: tuple[str, ...], directory: Path) -> str:
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout  # noqa: S603


def measured_by_spin(exploration: Exploration, directory: Path) -> float:
    """Seconds of SPIN's verifier; the few hundredths in which it starts are among them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = read_report(run(search(exploration), directory))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if report.states != len(exploration.worlds):
        sys.exit(f"explorer.py: SPIN finds {report.states} worlds, not {len(exploration.worlds)}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def prepared(exploration: Exploration, directory: Path) -> str:
    begin = time.perf_counter()
    (directory / "model.pml").write_text(promela(exploration))
    written = time.perf_counter()
    for command in SEARCH:
        run(command, directory)
    return f"{written - begin:.1f} s to write the tables, {time.perf_counter() - written:.1f} s to compile its verifier"


def measure(name: str, faults: int, rounds: int, directory: Path) -> None:
    topology = TOPOLOGIES[name]()
    times: dict[str, list[float]] = {"explore": [], "search": [], "SPIN": []}
    for number in range(rounds):
        exploration, seconds = explored(topology, faults)
        if not number:
            before = prepared(exploration, directory)
        times["explore"].append(seconds)
        times["search"].append(searched(exploration))
        times["SPIN"].append(measured_by_spin(exploration, directory))
    worlds, steps = len(exploration.worlds), exploration.transitions
    print(f"{name}, {faults} faults: {worlds} worlds, {steps} steps; {rounds} rounds on one core")
    print(f"\n{'':<10} {'seconds':>8} {'worst':>8} {'worlds/s':>10} {'steps/s':>10} {'SPIN is 1':>10}")
    middles = {way: statistics.median(values) for way, values in times.items()}
    for way, middle in middles.items():
        ratio = middles["SPIN"] / middle
        rates = f"{worlds / middle:10.0f} {steps / middle:10.0f} {ratio:10.3f}"
        print(f"{way:<10} {middle:8.2f} {max(times[way]):8.2f} {rates}")
    print(f"\nthe goal is {GOAL:g} times SPIN; SPIN needs first: {before}")


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "sip"
    faults, rounds = (int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((2, 3), (3, 3)))
    missing = [tool for tool in ("spin", "gcc") if not shutil.which(tool)]
    if name not in TOPOLOGIES or missing:
        sys.exit(f"explorer.py: not installed: {', '.join(missing)}" if missing else f"one of {', '.join(TOPOLOGIES)}")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # child processes inherit it
    with tempfile.TemporaryDirectory() as directory:
        measure(name, faults, rounds, Path(directory))


if __name__ == "__main__":
    main()
