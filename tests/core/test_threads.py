"""Solutions in several threads: each decides what it would decide alone."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import asdict, evolve
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    Event,
    HostCommand,
    HostConnected,
    HostReport,
    Mode,
    Pair,
    Solution,
    SwitchoverRequested,
    Topology,
    documented_alarms,
)
from switchover.fsm.handling import MACHINES, Machines

PAIR = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
HOSTS = ("host1", "host2")
TOPOLOGY = Topology(HOSTS, (PAIR,), documented_alarms(PAIR.applications, HOSTS))

ROUNDS = 10
"""In each, both threads find tables that have decided nothing yet."""
RUNS = 20

Played = tuple[list[object], object]


@contextmanager
def threads_switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def play(primary: int, machines: Machines) -> Played:
    """A manual switchover and then a failure, with the application of one side primary at first."""
    solution = Solution(TOPOLOGY, machines=machines)
    old, new = PAIR.applications[primary - 1], PAIR.applications[2 - primary]
    waiting: list[Event] = [
        *(
            HostConnected(host, HostReport({name: Mode.PRIMARY if name == old else Mode.BACKUP}, vip_held=name == old))
            for host, name in zip(HOSTS, PAIR.applications, strict=True)
        ),
        SwitchoverRequested(new),
    ]
    written: list[object] = []
    while waiting:
        commands = solution.handle(waiting.pop(0))
        written += [*commands, *solution.steps]
        waiting += [CommandSucceeded(command.id) for command in commands if isinstance(command, HostCommand)]
    written += solution.handle(ApplicationReported(new, Mode.DOWN))
    return written, solution.state


def test_two_solutions_in_two_threads_give_what_they_give_in_one():
    expected = {primary: play(primary, MACHINES) for primary in (1, 2)}
    differences: list[object] = []

    def run(primary: int, machines: Machines) -> None:
        for _ in range(RUNS):
            try:
                if (played := play(primary, machines)) != expected[primary]:
                    differences.append(played)
            except Exception as error:  # any error is one that does not occur in a single thread
                differences.append(error)

    with threads_switch_often():
        for _ in range(ROUNDS):
            machines = Machines(**{name: evolve(table) for name, table in asdict(MACHINES, recurse=False).items()})
            threads = [threading.Thread(target=run, args=(primary, machines)) for primary in (1, 2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert differences == []
