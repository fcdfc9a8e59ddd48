"""`switchover simulate`: a script of faults, or with `--seeds` the real programs under faults by chance."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import asdict

from ..configuration.load import load
from ..configuration.settings import Configuration
from ..simulation.simulate import run_simulate as run_script
from ..simulation.world.faults import DEFAULT, KINDS, plan
from ..simulation.world.run import Outcome, simulate
from ..simulation.world.shrink import shrink
from .progress import Progress, progress

_DONE, _NOT_SO, _BAD_INPUT = 0, 1, 2

_LINES_SHOWN = 30


def run_simulate(options: argparse.Namespace) -> int:
    """Play the script, or run the seeds; returns the exit status."""
    if (options.scenario is None) == (options.seeds is None):
        print("switchover: name a script of faults, or a number of seeds: --seeds N", file=sys.stderr)
        return _BAD_INPUT
    return run_script(options) if options.seeds is None else _run_seeds(options)


def _run_seeds(options: argparse.Namespace) -> int:
    """Run the seeds; returns the exit status: 0 if all properties held in all of them."""
    configuration, kinds, minutes = load(options.file), kinds_of(options.with_kinds, options.without), options.minutes
    if isinstance(kinds, str):
        print(f"switchover: {kinds}", file=sys.stderr)
        return _BAD_INPUT
    began, simulated_s, failed = time.monotonic(), 0.0, list[Outcome]()
    longest_ms = 0.0
    bar = progress("simulate", options.seeds)
    try:
        for number, seed in enumerate(range(options.first_seed, options.first_seed + options.seeds)):
            bar.at(number, f"seed {seed}, {len(failed)} failed")
            outcome = simulate(configuration, seed, plan(configuration, seed, minutes, kinds), minutes)
            simulated_s += outcome.simulated_s
            longest_ms = max(longest_ms, outcome.longest_unserved_ms)
            if outcome.violations:
                failed.append(_shrunk(configuration, outcome, minutes, bar, number))
                if not options.json:
                    bar.print(as_text(failed[-1], len(outcome.faults)))
                if options.records is not None:
                    _keep(Path(options.records), failed[-1])
    finally:
        bar.close()
    took_s = max(time.monotonic() - began, 1e-9)
    if options.json:
        print(json.dumps(_as_json(options.seeds, failed, simulated_s, longest_ms), indent=2))
    else:
        print(
            f"{options.seeds} seeds, {simulated_s / 3600:.1f} simulated hours in {took_s:.0f} s"
            f" ({simulated_s / took_s:.0f} times real time): {len(failed)} failed;"
            f" clients were unserved for {longest_ms:.0f} ms at most"
        )
    return _NOT_SO if failed else _DONE


def _shrunk(configuration: Configuration, outcome: Outcome, minutes: float, bar: Progress, number: int) -> Outcome:
    return shrink(
        configuration, outcome, minutes, lambda run: bar.at(number, f"seed {outcome.seed} shrinks: run {run}")
    )


def kinds_of(with_kinds: Sequence[str], without: Sequence[str]) -> tuple[str, ...] | str:
    """The kinds of fault to use, or what is wrong with what was asked for."""
    for name in (*without, *with_kinds):
        if name not in KINDS:
            return f"{name!r} is no kind of fault; known are {', '.join(KINDS)}"
    chosen = {*DEFAULT, *with_kinds} - set(without)
    return tuple(name for name in KINDS if name in chosen)


def as_text(outcome: Outcome, faults_before: int) -> str:
    """A failure for people: its seed, what did not hold, the faults that are enough, and how it ended."""
    record = outcome.record
    until = next((number for number, line in enumerate(record, 1) if "VIOLATED" in line), len(record))
    shown = record[max(until - _LINES_SHOWN, 0) : until]
    return "\n".join(
        [
            f"seed {outcome.seed} failed; these {len(outcome.faults)} of {faults_before} faults are enough:",
            *(f"  {fault}" for fault in outcome.faults),
            *(f"  {each.at_ms:>8.0f} ms  {each.property}: {each.what}" for each in outcome.violations),
            f"the last {len(shown)} lines of its record until then:",
            *(f"  {line}" for line in shown),
        ]
    )


def _keep(directory: Path, outcome: Outcome) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    text = "\n".join([as_text(outcome, len(outcome.faults)), "", "the whole record:", *outcome.record])
    (directory / f"seed-{outcome.seed}.txt").write_text(text + "\n", encoding="utf-8")


def _as_json(seeds: int, failed: Sequence[Outcome], simulated_s: float, longest_ms: float) -> dict[str, Any]:
    return {
        "seeds": seeds,
        "simulated_s": round(simulated_s, 3),
        "longest_unserved_ms": round(longest_ms, 3),
        "failed": [
            {
                "seed": each.seed,
                "faults": [asdict(fault) for fault in each.faults],
                "violations": [asdict(violation) for violation in each.violations],
                "record": list(each.record),
            }
            for each in failed
        ],
    }
