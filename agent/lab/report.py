"""What a played workflow comes to, for people and for programs."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from ...fsm.workflows import WORKFLOWS
from .stage import Measured


@frozen
class PlayedStep:
    """A documented step, and when it was seen: in milliseconds after the outside world acted, or None if never."""

    number: int
    text: str
    at_ms: float | None


@frozen
class Outcome:
    """One run of one workflow. `wrong` says what of the end state was not as documented, a line each."""

    workflow: str
    steps: tuple[PlayedStep, ...]
    measured: Measured
    wrong: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every documented step and the end state were seen."""
        return not self.wrong and all(step.at_ms is not None for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """The outcome for programs; times in milliseconds."""
        measured = self.measured
        return {
            "workflow": self.workflow,
            "ok": self.ok,
            "steps": [{"step": step.number, "text": step.text, "at_ms": _rounded(step.at_ms)} for step in self.steps],
            "outage_ms": _rounded(measured.outage_ms),
            "lost": measured.lost,
            "two_holders_ms": _rounded(measured.two_holders_ms),
            "no_holder_ms": _rounded(measured.no_holder_ms),
            "gratuitous_arps": measured.gratuitous_arps,
            "arp_cache": measured.arp_cache,
        }


def title(workflow: str) -> str:
    """The headline of a workflow's part of the report."""
    return f"{WORKFLOWS[workflow].title}\n{'-' * len(WORKFLOWS[workflow].title)}"


def step_line(step: PlayedStep) -> str:
    """One documented step as a line of the report."""
    at = "not seen" if step.at_ms is None else f"{step.at_ms:.1f} ms"
    return f"{at:>12}  {step.number}. {step.text}"


def summary_lines(outcome: Outcome) -> list[str]:
    """What was measured in a run, and what was wrong with it."""
    measured = outcome.measured
    return [
        f"{'client':>12}  outage {measured.outage_ms:.1f} ms, {measured.lost} requests lost,"
        f" answered at the end by {measured.answered_by or 'nobody'}",
        f"{'VIP':>12}  two reachable holders for {measured.two_holders_ms:.1f} ms,"
        f" none for {measured.no_holder_ms:.1f} ms",
        f"{'ARP':>12}  {measured.gratuitous_arps} gratuitous frames reached the client,"
        f" whose cache points at {measured.arp_cache or 'nothing'}",
        *(f"{'WRONG':>12}  {line}" for line in outcome.wrong),
        f"{'ok' if outcome.ok else 'NOT OK':>12}",
    ]


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """One line a workflow: medians over its runs, with the worst in brackets where there are several."""
    heads = ("workflow", "runs", "ok", "outage ms", "lost", "two holders ms", "no holder ms", "GARPs")
    rows = [_row(name, [outcome for outcome in outcomes if outcome.workflow == name]) for name in _names(outcomes)]
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (heads, *rows)]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _names(outcomes: Iterable[Outcome]) -> list[str]:
    return list(dict.fromkeys(outcome.workflow for outcome in outcomes))


def _row(name: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    measured = [outcome.measured for outcome in outcomes]
    return (
        name,
        str(len(outcomes)),
        str(sum(outcome.ok for outcome in outcomes)),
        _median([m.outage_ms for m in measured]),
        _median([float(m.lost) for m in measured]),
        _median([m.two_holders_ms for m in measured]),
        _median([m.no_holder_ms for m in measured]),
        _median([float(m.gratuitous_arps) for m in measured]),
    )


def _median(values: Sequence[float]) -> str:
    middle = f"{statistics.median(values):.1f}".removesuffix(".0")
    return middle if len(values) == 1 else f"{middle} [{max(values):.1f}]"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
