"""`switchover simulate`: a script of faults on simulated hosts and a virtual clock, with the lab's report.

Agent, core, journal and configuration are real. Hosts, network and client are simulated (`stage`), and time is virtual
(`virtual_time`).
"""

import argparse
import asyncio
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import evolve, frozen

from ...fsm import ReactionPolicy
from ..configuration.load import load
from ..configuration.settings import Configuration
from ..controller.clock import Clock
from ..explain.plan import PlanError
from ..explain.why import as_json
from ..history.incidents import Incident, incidents, is_at_rest, is_served
from ..history.journal import last_entry, read
from ..lab.report import Outcome, summary_lines, title
from ..lab.verdict import scripts_in
from .host import CONTROL_MS, LINK_MS, SCRIPT_MS
from .scenario import Act, ScenarioError, fault_of, read_scenario
from .stage import SimulatedSolution
from .virtual_time import VirtualLoop, run

_DONE, _NOT_SO, _BAD_INPUT = 0, 1, 2

PATIENCE_S = 15.0
"""How long the solution may take to come to rest, before the script and after it, in virtual seconds."""

_LOOK_EVERY_S, _AFTER_S = 0.05, 0.7

_WIDTH = 118

_ACTS = {
    "fail": "{} fails",
    "start": "{} is started",
    "lose": "{} is lost",
    "return": "{} returns",
    "switch": "an operator asks for {}",
    "message": "the SCS logs {}",
}


class SimulationError(Exception):
    """The simulation cannot start; the text says why."""


@frozen
class Simulated:
    """The result of a script: its acts, the incidents that they led to, and the measurements.

    `began_ns` is the beginning of the script, in the journal's monotonic time.
    """

    acts: tuple[Act, ...]
    incidents: tuple[Incident, ...]
    outcome: Outcome
    began_ns: int

    def after_ms(self, incident: Incident) -> float:
        """When an incident began, in ms after the beginning of the script."""
        return (incident.handled[0].mono_ns - self.began_ns) / 1e6

    def as_json(self) -> dict[str, Any]:
        """The result for programs; times in milliseconds."""
        return self.outcome.as_json() | {
            "acts": [{"at_ms": act.at_ms, "act": act.words} for act in self.acts],
            "incidents": [as_json(incident) | {"at_ms": self.after_ms(incident)} for incident in self.incidents],
        }


def run_simulate(options: argparse.Namespace) -> int:
    """Play the script; returns the exit status, 0 if clients are served at the end and all is at rest."""
    configuration = load(options.file)
    try:
        acts = read_scenario(Path(options.scenario), configuration.topology())
        result = _simulate_in(configuration, Path(options.scenario).name, acts, options.journal)
    except (ScenarioError, PlanError) as error:
        print(f"switchover: {error}", file=sys.stderr)
        return _BAD_INPUT
    except SimulationError as error:
        print(f"switchover: {error}", file=sys.stderr)
        return _NOT_SO
    print(json.dumps(result.as_json(), indent=2) if options.json else as_text(configuration, result))
    return _DONE if result.outcome.ok else _NOT_SO


def _simulate_in(configuration: Configuration, name: str, acts: Sequence[Act], journal: str | None) -> Simulated:
    """Play with the journal in a new file of this name, or in a temporary one. Raises `SimulationError`."""
    if journal is not None:
        if Path(journal).exists():
            raise SimulationError(f"the journal {journal} exists already: name a new file")
        return simulate(configuration, name, acts, Path(journal).absolute())
    with TemporaryDirectory(prefix="switchover-simulation-") as directory:
        return simulate(configuration, name, acts, Path(directory) / "journal.sqlite")


def simulate(configuration: Configuration, name: str, acts: Sequence[Act], journal: Path) -> Simulated:
    """Play the acts of the script `name` and write this journal. Raises `SimulationError`."""
    return run(_play(evolve(configuration, agent=evolve(configuration.agent, journal=journal)), name, tuple(acts)))


async def _play(configuration: Configuration, name: str, acts: tuple[Act, ...]) -> Simulated:
    loop = asyncio.get_running_loop()
    simulation = _Simulation(configuration, loop.clock if isinstance(loop, VirtualLoop) else Clock())
    await simulation.start()
    try:
        await simulation.prepare()
        began, first = loop.time(), last_entry(simulation.journal)
        await simulation.begin()
        for act in acts:
            await asyncio.sleep(began + act.at_ms / 1000 - loop.time())
            await simulation.act(act)
        await simulation.come_to_rest()
        measured = await simulation.measure(began)
        wrong = tuple(simulation.wrong(len(measured.holders)))
    finally:
        await simulation.close()
    entries = [entry for _, entry in read(simulation.journal, first)]
    outcome = Outcome(name, name, (), measured, scripts_in(simulation.topology, entries), wrong)
    new = tuple(incident for incident in incidents(simulation.journal) if incident.id > first)
    return Simulated(acts, new, outcome, round(began * 1e9))


class _Simulation(SimulatedSolution):
    """A simulated solution on which a script is played."""

    async def prepare(self) -> None:
        """Wait for the state prior to a switchover; with the policy `literal`, until no alarm is active."""
        await self._until(self._is_whole)
        if not self._is_whole():
            raise SimulationError("the simulated solution never serves clients: run `switchover check` on its file")
        if self.topology.reactions is ReactionPolicy.LITERAL:
            await asyncio.sleep(max(alarm.cancel_timeout_ms for alarm in self.topology.alarms) / 1000 + 1)

    async def come_to_rest(self) -> None:
        """Wait until the agent has noticed everything and the solution is at rest."""
        solution = self.configuration.solution
        await asyncio.sleep((solution.detection_ms + solution.settle_ms) / 1000)
        await self._until(lambda: is_at_rest(self._agent.solution.state))
        await asyncio.sleep(_AFTER_S)

    async def _until(self, is_reached: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not is_reached() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_LOOK_EVERY_S)

    def _is_whole(self) -> bool:
        state = self._agent.solution.state
        return is_at_rest(state) and is_served(self.topology, state)

    async def act(self, act: Act) -> None:
        """Let something happen outside."""
        what, verb = act.what, act.verb
        match verb:
            case "fail":
                await self.crash(what)
            case "start" if self.is_down(what):
                await self.start_application(what)
            case "start":
                pass  # it runs already
            case "lose":
                await self.lose(self.topology.side_of(what))
            case "return":
                await self.restore(self.topology.side_of(what))
            case "switch":
                await self.ask({"do": "switch", "to": what})
            case "message":
                await self.log_message(*what.split(" ", 1))
            case _:
                fault = fault_of(act.words, self.topology)
                self.set_failing(fault.host, fault.command, fails=verb.endswith("-fails"))

    def wrong(self, holders: int) -> Iterator[str]:
        """What is wrong at the end."""
        state = self._agent.solution.state
        if holders != 1:
            yield f"the VIP is on {'no reachable host' if not holders else 'both hosts'}"
        if not is_served(self.topology, state):
            yield "no host in sight holds the VIP and is primary"
        if not is_at_rest(state):
            yield f"not at rest after {PATIENCE_S:g} s"


def as_text(configuration: Configuration, result: Simulated) -> str:
    """The report for people: acts, incidents, and what the client and the observers saw."""
    topology = configuration.topology()
    moments = [(act.at_ms, _act_line(act)) for act in result.acts]
    happened = sorted(
        [*moments, *((result.after_ms(incident), _incident_lines(incident)) for incident in result.incidents)],
        key=lambda moment: moment[0],
    )
    lines = [
        f"switchover simulate: SIMULATED hosts, virtual time; VIP order {topology.vip_order}; a host silent for"
        f" {configuration.solution.detection_ms} ms is lost",
        f"the times are the simulation's own: a message takes {LINK_MS:g} ms, a control command {CONTROL_MS:g} ms,"
        f" a VIP script {SCRIPT_MS:g} ms",
        "times of acts and incidents count from the beginning; of several outages the longest is shown",
        "",
        title(result.outcome),
        *(f"{at_ms:>9.1f} ms  {line}" for at_ms, line in happened),
        *summary_lines(result.outcome),
    ]
    return "\n".join(lines)


def _act_line(act: Act) -> str:
    return _ACTS[act.verb].format(act.what) if act.verb in _ACTS else act.words


def _incident_lines(incident: Incident) -> str:
    """The lines of an incident, to stand beside its time."""
    reached = [f"{name} {at_ms:.1f}" for at_ms, name in incident.ended_phases]
    after = textwrap.wrap(f"after ms {', '.join(reached)}", _WIDTH - 18, subsequent_indent=" " * 9)
    return "\n".join(
        [
            f"  incident {incident.id}: {incident.cause}",
            f"{'':>16}  outcome  {incident.outcome}",
            *(f"{'':>16}  {line}" for line in after),
            *(f"{'':>16}  not done {refusal}" for refusal in incident.refusals),
        ]
    )
