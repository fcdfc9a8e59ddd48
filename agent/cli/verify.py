"""`switchover verify`, `replay` and `export`: they explore, and report the results as text or JSON."""

import argparse
import itertools
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import frozen

from ...fsm import Topology
from ...fsm.handling import MACHINES, Machines
from ..configuration.load import check
from ..configuration.settings import Configuration
from ..verify.documented import unseen
from ..verify.exploring.explorer import GIB, Bounds, Exploration, Verdict, explore
from ..verify.promela.model import promela
from ..verify.properties.always import AT_REST, DOCUMENTED, HEALED, REACHABLE, Property
from ..verify.traces.file import load, save
from ..verify.traces.replay import replay
from ..verify.traces.text import as_sequence_diagram, as_text
from ..verify.traces.trace import TraceError, trace_of
from .progress import progress

HOLDS, BROKEN, BAD_INPUT, NOT_EXHAUSTED = 0, 1, 2, 3


@frozen
class Report:
    """The result of a verification: the exploration, and the verdicts on the properties.

    `not_judged` are the properties without a verdict; `unseen` are the documented steps that did not occur.
    """

    exploration: Exploration
    verdicts: tuple[Verdict, ...]
    not_judged: tuple[Property, ...]
    unseen: tuple[str, ...]

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """The properties that do not hold."""
        return tuple(verdict for verdict in self.verdicts if not verdict.holds)

    @property
    def status(self) -> int:
        """The exit status of the command."""
        if self.broken:
            return BROKEN
        return HOLDS if self.exploration.is_exhausted else NOT_EXHAUSTED


def verify(configured: Topology, bounds: Bounds, machines: Machines = MACHINES) -> Report:
    """Explore a configuration's worlds and judge all properties."""
    exploration = _explore(configured, bounds, machines)
    missing = tuple(unseen(configured, machines))
    verdicts = (*exploration.verdicts, Verdict(DOCUMENTED, not missing))
    judged = {verdict.property for verdict in verdicts}
    not_judged = tuple(prop for prop in (*HEALED, AT_REST, REACHABLE) if prop not in judged)
    return Report(exploration, verdicts, not_judged, missing)


def _exploring(exploration: Exploration, frontier: int) -> str:
    """The progress of an exploration, as text."""
    worlds, transitions, gib = len(exploration.worlds), exploration.transitions, exploration.bytes / GIB
    return f"{worlds:,} states, {transitions:,} transitions, {frontier:,} left to explore, {gib:.2f} GiB"


def _explore(configured: Topology, bounds: Bounds, machines: Machines = MACHINES) -> Exploration:
    """Explore, and show the progress at a terminal."""
    bar = progress("exploring")
    try:
        return explore(
            configured,
            bounds,
            lambda exploration, frontier: bar.at(0, _exploring(exploration, frontier)),
            machines=machines,
        )
    finally:
        bar.close()


def _try_mutants(jobs: int) -> int:
    """Measure the checker itself: try wrong tables, one by one, and print which the properties detect."""
    from ..verify.mutants.score import mutants_command
    from ..verify.mutants.trials import TRIALS

    bar = progress("mutants", len(TRIALS) + 2)  # two more: the tables' own check, and the documented workflows
    tried = itertools.count(1)

    def say(text: str) -> None:
        bar.print(text, sys.stderr)
        bar.at(next(tried), f"after {text.partition(':')[0]}")

    try:
        report = mutants_command(jobs, say)
    finally:
        bar.close()
    print(report.as_text())
    return HOLDS if report.is_complete else BROKEN


def run_verify(options: argparse.Namespace) -> int:
    """`switchover verify FILE`, or with `--mutants` the score of the checker itself."""
    if options.mutants:
        return _try_mutants(options.jobs)
    configuration, warnings = check(options.file)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    bounds = _bounds(options, configuration)
    if not options.json:
        print(_opening(configuration.solution.name, bounds), flush=True)
    report = verify(configuration.topology(), bounds)
    traces = {
        verdict.property: trace_of(report.exploration, verdict) for verdict in report.broken if verdict.world >= 0
    }
    if options.json:
        print(json.dumps(_as_json(report), indent=2))
    else:
        print(_as_text(report))
        for trace in traces.values():
            print(f"\n{as_text(trace)}")
    for prop, trace in traces.items():
        if options.save:
            _save(Path(options.save), prop, trace)
    if traces and not options.save and not options.json:
        print(
            "\n--save DIRECTORY writes each trace for `switchover replay`, with its sequence diagram", file=sys.stderr
        )
    return report.status


def _bounds(options: argparse.Namespace, configuration: Configuration) -> Bounds:
    solution = configuration.solution
    patience_ms = solution.detection_ms + solution.command_deadline_ms + max(solution.settle_ms, solution.retry_ms)
    return Bounds(options.faults, options.kinds, int(options.memory * GIB), patience_ms, options.strict)


def _opening(name: str, bounds: Bounds) -> str:
    faults = "no faults" if bounds.faults == 0 else f"up to {bounds.faults} fault{'s' * (bounds.faults > 1)}"
    kinds = f" ({', '.join(sorted(bounds.kinds))})" if bounds.faults else ""
    return f"{name}: {faults}{kinds}; at most {bounds.bytes / GIB:g} GiB of memory"


def _as_text(report: Report) -> str:
    exploration = report.exploration
    size = (
        f"{len(exploration.worlds):,} states, {exploration.transitions:,} transitions, {exploration.depth} steps deep"
    )
    spent = f"{exploration.seconds:.1f} s and {exploration.bytes / GIB:.2f} GiB"
    end = (
        f"exhausted in {spent}" if exploration.is_exhausted else f"NOT EXHAUSTED: {exploration.reason} (after {spent})"
    )
    lines = [f"{size}: {end}", ""]
    for verdict in report.verdicts:
        verdict_text = "holds " if verdict.holds else "BROKEN"
        lines.append(f"{verdict.property.kind:10}  {verdict_text}  {verdict.property.text}")
    lines += [f"{prop.kind:10}  ?       {prop.text}" for prop in report.not_judged]
    lines += [f"            not seen: {text}" for text in report.unseen]
    fired, rows = _rows_fired(exploration)
    lines += ["", _window(exploration), f"rows of the tables that fired: {fired} of {rows}"]
    return "\n".join(lines)


def _window(exploration: Exploration) -> str:
    """The states of the Virtual IP's machine in which two hosts in sight held the VIP: the window of its order."""
    states: Counter[str] = Counter()
    for state, worlds in exploration.windows.items():
        states[state.rpartition("_")[0]] += worlds
    order = exploration.space.topology.vip_order
    if not states:
        return f"order {order}: two hosts in sight never held the VIP"
    listed = ", ".join(f"{state} ({worlds:,})" for state, worlds in states.most_common())
    return f"order {order}: two hosts in sight held the VIP while it was {listed}"


def _rows_fired(exploration: Exploration) -> tuple[int, int]:
    """How many of the decisions that move, in all machines, were taken at least once, and how many there are."""
    tables = (MACHINES.link, MACHINES.application, MACHINES.pair, MACHINES.alarm, MACHINES.placement, MACHINES.vip)
    every = {(t.name, d.source, d.trigger, d.guard) for t in tables for d in t.every_decision() if d.destination}
    fired = {
        (step.machine, step.decision.source, step.decision.trigger, step.decision.guard)
        for leaf in exploration.space.core.leaves
        for step in leaf.steps
    }
    return len(every & fired), len(every)


def _as_json(report: Report) -> dict[str, Any]:
    exploration = report.exploration
    fired, rows = _rows_fired(exploration)
    return {
        "states": len(exploration.worlds),
        "transitions": exploration.transitions,
        "seconds": round(exploration.seconds, 3),
        "exhausted": exploration.is_exhausted,
        "reason": exploration.reason,
        "bytes": exploration.bytes,
        "faults": exploration.bounds.faults,
        "kinds": sorted(exploration.bounds.kinds),
        "rows": {"fired": fired, "of": rows},
        "two_holders": exploration.windows,
        "unseen": list(report.unseen),
        "properties": [
            *(_property(verdict.property, verdict.holds, _steps(report, verdict)) for verdict in report.verdicts),
            *(_property(prop, None, []) for prop in report.not_judged),
        ],
    }


def _property(prop: Property, holds: bool | None, trace: list[str]) -> dict[str, Any]:
    return {"name": prop.name, "kind": prop.kind, "text": prop.text, "holds": holds, "trace": trace}


def _steps(report: Report, verdict: Verdict) -> list[str]:
    if verdict.holds or verdict.world < 0:
        return []
    return [step.text for step in trace_of(report.exploration, verdict).steps]


def _save(directory: Path, prop: Property, trace: Any) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / prop.name.replace(" ", "-")
    save(trace, path.with_suffix(".json"))
    story = f"# {prop.text}\n\n```mermaid\n{as_sequence_diagram(trace)}\n```\n\n```text\n{as_text(trace)}\n```\n"
    path.with_suffix(".md").write_text(story, encoding="utf-8")
    print(f"{path}.json and {path}.md written", file=sys.stderr)


def run_replay(options: argparse.Namespace) -> int:
    """`switchover replay TRACE`: play a saved trace through the core that runs in service."""
    try:
        trace = load(Path(options.trace))
        played = replay(trace)
    except TraceError as error:
        print(f"switchover: {error}", file=sys.stderr)
        return BAD_INPUT
    print("\n".join(played.records))
    if played.is_reproduced:
        print(f"\nbroken as recorded: {trace.broken.text}")
        return HOLDS
    print(f"\nnot as recorded: {played.difference}")
    return BROKEN


def run_export(options: argparse.Namespace) -> int:
    """`switchover export FILE --promela`: write the compiled model for SPIN."""
    configuration, _ = check(options.file)
    exploration = _explore(configuration.topology(), _bounds(options, configuration))
    if not exploration.is_exhausted:
        print(f"switchover: not exhausted, so nothing is exported: {exploration.reason}", file=sys.stderr)
        return NOT_EXHAUSTED
    text = promela(exploration)
    if options.output == "-":
        print(text, end="")
    else:
        Path(options.output).write_text(text, encoding="utf-8")
        print(f"{options.output} written: {len(exploration.worlds):,} states, {exploration.transitions:,} transitions")
    return HOLDS
