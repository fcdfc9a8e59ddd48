"""A score for the checker itself: every table is spoilt in every small way, and it must be noticed each time.

A mutant is *killed* if the table's own check refuses it, if a property is broken that holds of the real tables, or if
a documented workflow is no longer seen. What survives shows a property that is missing, a flaw of the table, or a row
that never decides; it is mended, or explained in `equivalent`. What no exploration reaches is told as such.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

from attrs import define, field, frozen

from .equivalent import EXPLAINED, Explained
from .spoilt import TABLES, Cell, all_mutants
from .trials import (
    QUICK,
    TRIALS,
    documented_cells,
    explore_real,
    judge,
    refused,
    undocumented,
)

OWN_CHECK = "the table's own check"
DOCUMENTED = "documented workflows"


@frozen
class Killing:
    """What noticed a mutant: a property, or `OWN_CHECK`, `DOCUMENTED` or `trials.ENDLESS`; and in which trial."""

    by: str
    trial: str


@define
class Report:
    """What became of every mutant, in the order of the tables. Each is in exactly one of the three."""

    killed: dict[str, Killing] = field(factory=dict[str, Killing])
    survived: list[str] = field(factory=list[str])
    equivalent: dict[str, Explained] = field(factory=dict[str, Explained])
    unreached: frozenset[str] = frozenset()
    """Those that no trial reaches: their rows never decided anything."""
    stale: tuple[str, ...] = ()
    """Patterns of explanations that fit nothing that survived."""

    @property
    def is_complete(self) -> bool:
        """Whether every mutant is killed or explained, and every explanation needed."""
        return not self.survived and not self.stale

    def as_text(self) -> str:
        """The report for people: numbers for each table and each property, then whatever was not killed."""
        lines = [*self._numbers(), "", *self._killers()]
        if self.survived:
            lines += ["", "survived:", *(f"  {name}{self._remark(name)}" for name in self.survived)]
        for explained in dict.fromkeys(self.equivalent.values()):
            names = [name for name, why in self.equivalent.items() if why is explained]
            what = "out of the model" if explained.is_outside else "equivalent"
            lines += ["", f"{what}: {explained.reason}", *(f"  {name}" for name in names)]
        lines += [f"stale explanation: {pattern}" for pattern in self.stale]
        return "\n".join(lines)

    def _numbers(self) -> Iterator[str]:
        yield f"{'table':<12} {'mutants':>8} {'killed':>8} {'explained':>10} {'survived':>9}"
        for table in (*TABLES, ""):
            counts = [sum(name.startswith(table) for name in names) for names in (self.killed, self.equivalent)]
            left = sum(name.startswith(table) for name in self.survived)
            total = sum(counts) + left
            yield f"{table or 'all':<12} {total:>8} {counts[0]:>8} {counts[1]:>10} {left:>9}"

    def _killers(self) -> Iterator[str]:
        yield "killed by:"
        for by, count in Counter(killing.by for killing in self.killed.values()).most_common():
            yield f"{count:>6}  {by}"

    def _remark(self, name: str) -> str:
        return "  (never decides)" if name in self.unreached else ""


Progress = Callable[[str], None]
"""Told, after each trial, what it came to."""


def mutants_command(jobs: int, progress: Progress = lambda _: None) -> Report:
    """Try every mutant, `jobs` at a time, and report what became of each."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        return run(pool, tuple(all_mutants()), progress)


def run(
    pool: Executor, names: Sequence[str], progress: Progress = lambda _: None, trials: Sequence[str] = tuple(TRIALS)
) -> Report:
    """Try the mutants of these names: each trial those that survived the ones before it."""
    report, reached = Report(), documented_cells()
    _note(report, names, OWN_CHECK, pool.map(refused, names, chunksize=8), progress)
    for number, trial in enumerate(trials):
        if number == QUICK:
            left = _left(report, names, documented_cells())
            _note(report, left, DOCUMENTED, pool.map(undocumented, left, chunksize=8), progress)
        real = pool.submit(explore_real, trial).result()
        reached |= real.cells
        left = _left(report, names, real.cells)
        if TRIALS[trial].is_dear:
            left = [name for name in left if not explanation(name)]
        results = pool.map(judge, left, [trial] * len(left))
        _note(report, left, trial, results, progress)
    _explain(report, names)
    report.unreached = frozenset(name for name in names if not all_mutants()[name].cells() & reached)
    return report


def _left(report: Report, names: Sequence[str], cells: frozenset[Cell]) -> list[str]:
    """Those that live, and whose rows decide something there."""
    return [name for name in names if name not in report.killed and all_mutants()[name].cells() & cells]


def _note(report: Report, names: Sequence[str], trial: str, results: Iterable[str | bool], progress: Progress) -> None:
    """Take down the killed ones: `results` tell by which property, or just that it was so."""
    before = len(report.killed)
    for name, by in zip(names, results, strict=True):
        if by:
            report.killed[name] = Killing(by if isinstance(by, str) else trial, trial)
    progress(f"{trial}: {len(names)} mutants tried, {len(report.killed) - before} killed")


def _explain(report: Report, names: Sequence[str]) -> None:
    for name in names:
        if name not in report.killed:
            explained = explanation(name)
            if explained:
                report.equivalent[name] = explained
            else:
                report.survived.append(name)
    needed = {explained.pattern for explained in report.equivalent.values()}
    report.stale = tuple(each.pattern for each in EXPLAINED if each.pattern not in needed)


def explanation(mutant: str) -> Explained | None:
    """Why a mutant of this name may survive, if that is known."""
    return next((each for each in EXPLAINED if fits(each, mutant)), None)


def fits(explained: Explained, mutant: str) -> bool:
    """Whether an explanation is about the mutant of this name."""
    return re.fullmatch(".*".join(map(re.escape, explained.pattern.split("*"))), mutant) is not None
