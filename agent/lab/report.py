"""The outcome of a played workflow, as text and as JSON."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from .network.calls import Calls
from .stage import Measured


@frozen
class PlayedStep:
    """A documented step, and when it was seen, in ms after the first act; None if it was not seen."""

    number: int
    text: str
    at_ms: float | None


@frozen
class Outcome:
    """One run of one workflow.

    `scripts` counts how often each VIP script ran on each host; `wrong` lists the differences between the end and the
    documents, one line each.
    """

    workflow: str
    title: str
    steps: tuple[PlayedStep, ...]
    measured: Measured
    scripts: Mapping[str, Mapping[str, int]]
    wrong: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every documented step was seen and the end is as documented."""
        return not self.wrong and all(step.at_ms is not None for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """The outcome as JSON values; times in milliseconds."""
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
            "scripts": self.scripts,
            "calls": measured.calls and self._calls(measured.calls),
        }

    def _calls(self, calls: Calls) -> dict[str, Any]:
        return {
            "attempted": calls.attempted,
            "failed": calls.failed,
            "retransmissions": calls.retransmissions,
            "broken": calls.broken,
            "delayed": calls.delayed,
            "first_success_ms": _rounded(self.measured.first_call_ms),
        }


def title(outcome: Outcome) -> str:
    """The headline of a workflow's part of the report."""
    return f"{outcome.title}\n{'-' * len(outcome.title)}"


def step_line(step: PlayedStep) -> str:
    """One documented step as a line of the report."""
    at = "not seen" if step.at_ms is None else f"{step.at_ms:.1f} ms"
    number = f"{step.number}." if step.number else "- "
    return f"{at:>12}  {number} {step.text}"


def summary_lines(outcome: Outcome) -> list[str]:
    """The measurements of a run, and what was wrong with it, as lines of the report."""
    measured = outcome.measured
    return [
        f"{'client':>12}  outage {measured.outage_ms:.1f} ms, {measured.lost} requests lost,"
        f" answered at the end by {measured.answered_by or 'nobody'}",
        f"{'VIP':>12}  two reachable holders for {measured.two_holders_ms:.1f} ms,"
        f" none for {measured.no_holder_ms:.1f} ms",
        f"{'ARP':>12}  {measured.gratuitous_arps} gratuitous frames reached the client,"
        f" whose cache points at {measured.arp_cache or 'nothing'}",
        f"{'scripts':>12}  {_scripts_text(outcome.scripts)}",
        *([f"{'calls':>12}  {_calls_text(measured.calls, measured.first_call_ms)}"] if measured.calls else []),
        *(f"{'WRONG':>12}  {line}" for line in outcome.wrong),
        f"{'ok' if outcome.ok else 'NOT OK':>12}",
    ]


def _scripts_text(scripts: Mapping[str, Mapping[str, int]]) -> str:
    ran = [f"{name} on {host}: {count}" for host, counts in scripts.items() for name, count in counts.items() if count]
    return f"ran {', '.join(ran)}" if ran else "none ran"


def _calls_text(calls: Calls, first_call_ms: float | None) -> str:
    first = (
        "no new one was answered"
        if first_call_ms is None
        else f"the first new one answered after {first_call_ms:.0f} ms"
    )
    return (
        f"{calls.attempted} made, {calls.failed} failed, {calls.broken} broke off;"
        f" {calls.retransmissions} messages sent again; {first}"
    )


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """A table with one line per workflow, and a second table about calls if there were any.

    For several runs it shows medians, with the worst value in brackets; for the counts of calls, the sums.
    """
    groups = {name: [outcome for outcome in outcomes if outcome.workflow == name] for name in _names(outcomes)}
    lines = _columns(_HEADS, [(name, *_cells(runs)) for name, runs in groups.items()])
    calls = [(name, *_call_cells([run.measured for run in runs])) for name, runs in groups.items()]
    with_calls = [row for row in calls if len(row) > 1]
    return [*lines, *(["", *_columns(_CALL_HEADS, with_calls)] if with_calls else [])]


_HEADS = ("workflow", "runs", "ok", "outage ms", "lost", "two holders ms", "no holder ms", "ARP frames", "scripts")
_CALL_HEADS = ("workflow", "calls", "failed", "broken", "sent again", "first call ms")


def _columns(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (heads, *rows)]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _names(outcomes: Iterable[Outcome]) -> list[str]:
    return list(dict.fromkeys(outcome.workflow for outcome in outcomes))


def _cells(runs: Sequence[Outcome]) -> tuple[str, ...]:
    measured = [outcome.measured for outcome in runs]
    return (
        str(len(runs)),
        str(sum(outcome.ok for outcome in runs)),
        _median([m.outage_ms for m in measured]),
        _median([m.lost for m in measured]),
        _median([m.two_holders_ms for m in measured]),
        _median([m.no_holder_ms for m in measured]),
        _median([m.gratuitous_arps for m in measured]),
        _median([sum(n for counts in outcome.scripts.values() for n in counts.values()) for outcome in runs]),
    )


def _call_cells(measured: Sequence[Measured]) -> tuple[str, ...]:
    calls = [m.calls for m in measured if m.calls is not None]
    if not calls:
        return ()
    counts = [(c.attempted, c.failed, c.broken, c.retransmissions) for c in calls]
    first = [m.first_call_ms for m in measured if m.first_call_ms is not None]
    return (*(str(sum(each)) for each in zip(*counts, strict=True)), _median(first) if first else "none")


def _median(values: Sequence[float]) -> str:
    middle = _number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} [{_number(max(values))}]"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
