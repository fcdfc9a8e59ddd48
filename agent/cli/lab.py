"""`switchover lab`: plays workflows, shows them live, and sums up the outcomes."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ..configuration.load import ConfigurationError
from ..lab.network.namespaces import STATE, LabError, enter, is_inside, prepare, why_not
from ..lab.player import play, playable
from ..lab.programs.voicemail import why_no_voicemail
from ..lab.real_stage import RealStage
from ..lab.report import Outcome, step_line, summary_lines, table, title
from ..lab.settings import LabSettings
from ..lab.stage import Stage
from ..simulation.stage import SimulatedStage
from .progress import Progress, progress

_DONE, _NOT_OK, _BAD_INPUT = 0, 1, 2


def run_lab(options: argparse.Namespace) -> int:
    """Run the lab; returns the exit status, which is 0 only if every documented step was seen."""
    solution, names = _wanted(options.workflows)
    if complaint := _why_not_playable(solution, names, options):
        return _refuse(complaint)
    if not (30 <= options.detection_ms <= 60_000 and 1 <= options.repeat <= 1000):
        return _refuse("--detection-ms must be 30 to 60000, --repeat 1 to 1000")
    if options.keep_logs and (complaint := _why_logs_cannot_be_kept(options)):
        return _refuse(f"--keep-logs {options.keep_logs}: {complaint}")
    order = options.order or ("together" if solution == "sip" else "enable-first")
    settings = LabSettings(options.detection_ms, order, solution, options.wiring, options.reactions)
    try:
        if options.simulated:
            with TemporaryDirectory(prefix="switchover-lab-") as directory:
                return asyncio.run(_run(SimulatedStage(Path(directory), settings), names, options))
        if not is_inside():
            return _go_inside(solution)
        return asyncio.run(_run_real(names, settings, options))
    except (LabError, ConfigurationError) as error:
        print(f"switchover lab: {error}", file=sys.stderr)
        return _NOT_OK


def _wanted(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The solution, and the workflows to play with it."""
    solution, names = ("voicemail", words[1:]) if words[:1] == ["voicemail"] else ("sip", words)
    return solution, names or playable(solution)


def _why_not_playable(solution: str, names: Sequence[str], options: argparse.Namespace) -> str | None:
    """The reason why this cannot be played; None if it can."""
    known = playable(solution)
    if unknown := [name for name in names if name not in known]:
        if unknown[0] in playable("voicemail"):
            return f"{unknown[0]} belongs to another solution: `switchover lab voicemail {unknown[0]}`"
        return f"unknown workflow {unknown[0]!r}; known are {', '.join(known)}"
    if solution == "sip" and (options.wiring, options.reactions) != (LabSettings().wiring, LabSettings().reactions):
        return "--wiring and --reactions are for `switchover lab voicemail`"
    return None


def _why_logs_cannot_be_kept(options: argparse.Namespace) -> str | None:
    """The reason why the logs cannot be kept there, before anything is done; None if they can."""
    if options.simulated:
        return "simulated hosts write no logs"
    directory = Path(options.keep_logs).absolute()
    if directory.is_relative_to(STATE.parent):
        return f"the lab has a {STATE.parent} of its own, which vanishes with it"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return str(error.strerror)
    return None


def _refuse(text: str) -> int:
    print(f"switchover lab: {text}", file=sys.stderr)
    return _BAD_INPUT


def _go_inside(solution: str) -> int:
    reason = why_not() or (why_no_voicemail() if solution == "voicemail" else None)
    if reason is not None:
        print(f"switchover lab: {reason}; `switchover lab --simulated` runs anywhere", file=sys.stderr)
        return _NOT_OK
    return enter([sys.executable, "-m", "switchover.agent", *sys.argv[1:]])


async def _run_real(names: Sequence[str], settings: LabSettings, options: argparse.Namespace) -> int:
    stage = RealStage(prepare(), settings)
    try:
        return await _run(stage, names, options)
    finally:
        if options.keep_logs:
            stage.keep_logs(Path(options.keep_logs))


async def _run(stage: Stage, names: Sequence[str], options: argparse.Namespace) -> int:
    outcomes: list[Outcome] = []
    bar = progress("lab", len(names) * options.repeat)
    try:
        await stage.start()
        if not options.json:
            print(*_heading(stage, options), sep="\n", end="\n\n", flush=True)
        async for outcome in play(stage, names, options.repeat, _hide if options.json else bar.print):
            outcomes.append(outcome)
            if not options.json:
                _show(outcome, bar)
            bar.at(len(outcomes), outcome.title)
    finally:
        bar.close()
        await stage.close()
    if options.json:
        print(json.dumps([outcome.as_json() for outcome in outcomes], indent=2))
    else:
        print("\n".join(table(outcomes)))
    return _DONE if all(outcome.ok for outcome in outcomes) else _NOT_OK


def _heading(stage: Stage, options: argparse.Namespace) -> list[str]:
    kind = f"real hosts, {stage.implementation}" if isinstance(stage, RealStage) else "SIMULATED hosts"
    if stage.topology.monitored:
        kind = f"voicemail, wiring {options.wiring}, reactions {stage.topology.reactions}; {kind}"
    order, detection_ms = stage.topology.vip_order, stage.configuration.solution.detection_ms
    return [
        f"switchover lab: {kind}; VIP order {order}; a host silent for {detection_ms} ms is lost",
        "times count from the fault; the time of a step is that of its last event",
    ]


def _hide(_: str) -> None:
    pass


def _show(outcome: Outcome, bar: Progress) -> None:
    """Print the report of one workflow, below its live steps."""
    lines = ["", title(outcome), *(step_line(step) for step in outcome.steps), *summary_lines(outcome)]
    bar.print("\n".join(lines) + "\n")
