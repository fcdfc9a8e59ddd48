"""`switchover verify`, `replay` and `export`: what an operator or a program is told of an exploration."""

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
from ..verify.traces.plain import replay
from ..verify.traces.text import as_sequence_diagram, as_text
from ..verify.traces.trace import TraceError, trace_of
from .progress import progress

HOLDS, BROKEN, BAD_INPUT, NOT_EXHAUSTED = 0, 1, 2, 3


@frozen
class Report:
    """What became of a verification: the exploration, and the verdicts on all properties; None: not judged."""

    found: Exploration
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
        return HOLDS if self.found.is_exhausted else NOT_EXHAUSTED


def verify(configured: Topology, bounds: Bounds, machines: Machines = MACHINES) -> Report:
    """Explore a configuration's worlds and judge all properties."""
    found = _explore(configured, bounds, machines)
    missing = tuple(unseen(configured, machines))
    verdicts = (*found.verdicts, Verdict(DOCUMENTED, not missing))
    judged = {verdict.property for verdict in verdicts}
    not_judged = tuple(prop for prop in (*HEALED, AT_REST, REACHABLE) if prop not in judged)
    return Report(found, verdicts, not_judged, missing)


def _exploring(found: Exploration, frontier: int) -> str:
    """What is said of an exploration that is under way."""
    worlds, transitions = len(found.worlds), found.transitions
    return f"{worlds:,} states, {transitions:,} transitions, {frontier:,} to go on from, {found.bytes / GIB:.2f} GiB"


def _explore(configured: Topology, bounds: Bounds, machines: Machines = MACHINES) -> Exploration:
    """Explore, and show whoever waits at a terminal how far it is."""
    bar = progress("exploring")
    try:
        return explore(
            configured, bounds, lambda found, frontier: bar.at(0, _exploring(found, frontier)), machines=machines
        )
    finally:
        bar.close()


def _try_mutants(jobs: int) -> int:
    """The score of the checker itself, trial by trial."""
    from ..verify.mutants.score import mutants_command
    from ..verify.mutants.trials import TRIALS

    bar = progress("mutants", len(TRIALS) + 2)  # and the tables' own check, and what is documented
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
    """`switchover verify CONFIG`, or with `--mutants` the score of the checker itself."""
    if options.mutants:
        return _try_mutants(options.jobs)
    configuration, warnings = check(options.file)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    bounds = _bounds(options, configuration)
    if not options.json:
        print(_opening(configuration.solution.name, bounds), flush=True)
    report = verify(configuration.topology(), bounds)
    traces = {verdict.property: trace_of(report.found, verdict) for verdict in report.broken if verdict.world >= 0}
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
        print("\n--save DIRECTORY keeps each trace for `switchover replay`, and its sequence diagram", file=sys.stderr)
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
    found = report.found
    size = f"{len(found.worlds):,} states, {found.transitions:,} transitions, {found.depth} steps deep"
    spent = f"{found.seconds:.1f} s and {found.bytes / GIB:.2f} GiB"
    end = f"exhausted in {spent}" if found.is_exhausted else f"NOT EXHAUSTED: {found.reason} (after {spent})"
    lines = [f"{size}: {end}", ""]
    for verdict in report.verdicts:
        verdict_text = "holds " if verdict.holds else "BROKEN"
        lines.append(f"{verdict.property.kind:10}  {verdict_text}  {verdict.property.text}")
    lines += [f"{prop.kind:10}  ?       {prop.text}" for prop in report.not_judged]
    lines += [f"            not seen: {text}" for text in report.unseen]
    fired, rows = _rows_fired(found)
    lines += ["", _window(found), f"rows of the tables that fired: {fired} of {rows}"]
    return "\n".join(lines)


def _window(found: Exploration) -> str:
    """In which states of the Virtual IP's machine two hosts in sight held the VIP: the window of its order."""
    states: Counter[str] = Counter()
    for state, worlds in found.windows.items():
        states[state.rpartition("_")[0]] += worlds
    order = found.space.topology.vip_order
    if not states:
        return f"order {order}: two hosts in sight never held the VIP"
    listed = ", ".join(f"{state} ({worlds:,})" for state, worlds in states.most_common())
    return f"order {order}: two hosts in sight held the VIP while it was {listed}"


def _rows_fired(found: Exploration) -> tuple[int, int]:
    """How many decisions that move, of all machines, were taken at least once, and how many there are."""
    tables = (MACHINES.link, MACHINES.application, MACHINES.pair, MACHINES.alarm, MACHINES.placement, MACHINES.vip)
    every = {(t.name, d.source, d.trigger, d.guard) for t in tables for d in t.every_decision() if d.destination}
    fired = {
        (step.machine, step.decision.source, step.decision.trigger, step.decision.guard)
        for leaf in found.space.core.leaves
        for step in leaf.steps
    }
    return len(every & fired), len(every)


def _as_json(report: Report) -> dict[str, Any]:
    found = report.found
    fired, rows = _rows_fired(found)
    return {
        "states": len(found.worlds),
        "transitions": found.transitions,
        "seconds": round(found.seconds, 3),
        "exhausted": found.is_exhausted,
        "reason": found.reason,
        "bytes": found.bytes,
        "faults": found.bounds.faults,
        "kinds": sorted(found.bounds.kinds),
        "rows": {"fired": fired, "of": rows},
        "two_holders": found.windows,
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
    return [step.text for step in trace_of(report.found, verdict).steps]


def _save(directory: Path, prop: Property, trace: Any) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / prop.name.replace(" ", "-")
    save(trace, path.with_suffix(".json"))
    story = f"# {prop.text}\n\n```mermaid\n{as_sequence_diagram(trace)}\n```\n\n```text\n{as_text(trace)}\n```\n"
    path.with_suffix(".md").write_text(story, encoding="utf-8")
    print(f"{path}.json and {path}.md written", file=sys.stderr)


def run_replay(options: argparse.Namespace) -> int:
    """`switchover replay TRACE`: play a saved trace through the very core that runs."""
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
    """`switchover export CONFIG --promela`: write the compiled model for SPIN."""
    configuration, _ = check(options.file)
    found = _explore(configuration.topology(), _bounds(options, configuration))
    if not found.is_exhausted:
        print(f"switchover: not exhausted: {found.reason}", file=sys.stderr)
        return NOT_EXHAUSTED
    text = promela(found)
    if options.output == "-":
        print(text, end="")
    else:
        Path(options.output).write_text(text, encoding="utf-8")
        print(f"{options.output} written: {len(found.worlds):,} states, {found.transitions:,} transitions")
    return HOLDS
