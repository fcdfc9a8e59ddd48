"""How long the agent takes from an event to its commands, for the events of every voicemail scenario. Run on demand.

    .venv/bin/python tests/benchmarks/decision.py [ROUNDS]

The goal is 1 ms. *core*: `Solution.handle` alone. *agent*: `Agent.post`, from the event until the last command is
handed to the link, or until the end if there is no command; handing the event to the journal's writer is included,
later log lines are not. *in a burst*: the same, as fast as events can be handled, while the writer writes all of them.
*first*: the slowest event of the first round, as after a long quiet time.
"""

import asyncio
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from switchover.agent.configuration.settings import Configuration
from switchover.agent.controller.agent import Agent
from switchover.agent.daemons.priority import SWITCH_S
from switchover.agent.history.writer import Journal
from switchover.agent.lab.settings import LabSettings
from switchover.agent.simulation.stage import SimulatedStage
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    Event,
    HostCommand,
    HostConnected,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    Solution,
    StartTimer,
    SwitchoverRequested,
    TimerFired,
    Topology,
)
from switchover.fsm.documented.scenarios import SCENARIOS, parts
from switchover.fsm.state import SolutionState

GOAL_MS = 1.0

Moment = tuple[SolutionState, Event]
"""An event, and the state in which it finds the core."""


def event_of(act: str, topology: Topology) -> Event:
    """A documented event, as the agent receives it."""
    verb, _, what = act.partition(" ")
    has_modes = any(what in pair.applications for pair in topology.pairs)
    events: dict[str, Callable[[], Event]] = {
        "fail": lambda: ApplicationReported(what, Mode.DOWN),
        "start": lambda: ApplicationReported(what, Mode.BACKUP if has_modes else Mode.UP),
        "switch": lambda: SwitchoverRequested(what),
        "lose": lambda: HostLost(what),
        "message": lambda: LogMessageReceived(*what.split()),
    }
    return events[verb]()


def happen(solution: Solution, *events: Event) -> Iterator[Moment]:
    """Handle the events and all that follow from them; hosts carry out commands at once."""
    waiting = list(events)
    while waiting:
        event = waiting.pop(0)
        yield solution.state, event
        for command in solution.handle(event):
            if isinstance(command, HostCommand):
                waiting.append(CommandSucceeded(command.id))
            elif isinstance(command, StartTimer) and command.timer.startswith("drain"):
                waiting.append(TimerFired(command.timer))


def moments(name: str, topology: Topology) -> list[Moment]:
    """All events of a scenario; before it, the first side is primary."""
    solution = Solution(topology)
    for side, mode in ((1, Mode.PRIMARY), (2, Mode.BACKUP)):
        modes = {pair.applications[side - 1]: mode for pair in topology.pairs}
        modes |= {pair.applications[side - 1]: Mode.UP for pair in topology.monitored}
        list(happen(solution, HostConnected(topology.hosts[side - 1], HostReport(modes, vip_held=side == 1))))
    list(happen(solution, *(TimerFired(f"cancel {alarm.name}") for alarm in topology.alarms)))
    roles = parts(topology, 1)
    return [
        moment for act in SCENARIOS[name].acts for moment in happen(solution, event_of(act.format(**roles), topology))
    ]


class Link:
    """Takes every command, and keeps the time of the last one."""

    last_ns = 0

    def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go."""

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        """The moment up to which the agent's time counts."""
        Link.last_ns = time.perf_counter_ns()


def core_ms(topology: Topology, moment: Moment) -> float:
    solution = Solution(topology, moment[0])
    begin = time.perf_counter_ns()
    solution.handle(moment[1])
    return (time.perf_counter_ns() - begin) / 1e6


def agent_ms(agent: Agent, moment: Moment, *, is_apart: bool) -> float:
    if is_apart:
        agent.journal.flush()
    agent.solution = Solution(agent.solution.topology, moment[0])
    Link.last_ns = 0
    begin = time.perf_counter_ns()
    agent.post(moment[1])
    return ((Link.last_ns or time.perf_counter_ns()) - begin) / 1e6


def line(name: str, rounds: list[list[float]]) -> str:
    """Median, 99th percentile and worst of all rounds, and the worst of the first."""
    values = sorted(value for one_round in rounds for value in one_round)
    numbers = (statistics.median(values), values[int(0.99 * (len(values) - 1))], values[-1], max(rounds[0]))
    return f"{name:<21} {' '.join(f'{number:7.2f}' for number in numbers)}"


async def measure(configuration: Configuration, directory: Path, rounds: int) -> None:
    topology = configuration.topology()
    journal = Journal(directory / "benchmark.sqlite")
    agent = Agent(configuration, journal, lambda _name, _deliver: Link())
    of_scenario = {name: moments(name, topology) for name in SCENARIOS}
    ways: dict[str, Callable[[Moment], float]] = {
        "core": lambda moment: core_ms(topology, moment),
        "agent": lambda moment: agent_ms(agent, moment, is_apart=True),
        "in a burst": lambda moment: agent_ms(agent, moment, is_apart=False),
    }
    print(f"{rounds} rounds; ms from an event to its commands; the goal is {GOAL_MS:g} ms")
    for way, ms in ways.items():
        print(f"\n{way:<21} {'median':>7} {'99 %':>7} {'worst':>7} {'first':>7}")
        measured = {name: [[ms(moment) for moment in of_scenario[name]]] for name in of_scenario}
        for _ in range(rounds - 1):
            for name, events in of_scenario.items():
                measured[name].append([ms(moment) for moment in events])
        for name, times in measured.items():
            print(line(name, times))
        together = [[value for times in measured.values() for value in times[number]] for number in range(rounds)]
        late = [value > GOAL_MS for one_round in together for value in one_round]
        print(f"{line('all', together)}   {100 * sum(late) / len(late):.1f} % of {len(late)} over {GOAL_MS:g} ms")
    await agent.close()
    journal.close()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:  # on the disk, which /tmp may not be
        directory = Path(name)
        sys.setswitchinterval(SWITCH_S)
        logging.basicConfig(filename=directory / "agent.log")
        logging.getLogger("switchover").setLevel(logging.INFO)  # as `switchover agent` logs
        stage = SimulatedStage(directory, LabSettings(order="enable-first", solution="voicemail"))
        asyncio.run(measure(stage.configuration, directory, rounds))


if __name__ == "__main__":
    main()
