"""The mutation score of the verification: each table is changed in many small ways, and every change must be noticed.

A mutant is *killed* if the table's own check refuses it, if it breaks a property that holds for the real tables, or if
a documented workflow no longer occurs. A survivor shows a missing property, a flaw of the table, or a row that never
decides; it is fixed, or explained in `equivalent`. Mutants that no exploration reaches are reported as such.
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
    """How a mutant was noticed: by a property, or `OWN_CHECK`, `DOCUMENTED` or `trials.ENDLESS`; and in which trial."""

    by: str
    trial: str


@define
class Report:
    """The result for every mutant, in the order of the tables: killed, survived, or equivalent."""

    killed: dict[str, Killing] = field(factory=dict[str, Killing])
    survived: list[str] = field(factory=list[str])
    equivalent: dict[str, Explained] = field(factory=dict[str, Explained])
    unreached: frozenset[str] = frozenset()
    """The mutants that no trial reaches: their rows never decided anything."""
    stale: tuple[str, ...] = ()
    """Patterns of explanations that match no survivor."""

    @property
    def is_complete(self) -> bool:
        """Whether every mutant is killed or explained, and every explanation needed."""
        return not self.survived and not self.stale

    def as_text(self) -> str:
        """The report as text: the counts for each table and each property, then all mutants that were not killed."""
        lines = [*self._numbers(), "", *self._killers()]
        if self.survived:
            lines += ["", "survived:", *(f"  {name}{self._remark(name)}" for name in self.survived)]
        for explained in dict.fromkeys(self.equivalent.values()):
            names = [name for name, why in self.equivalent.items() if why is explained]
            group = "outside the model" if explained.is_outside else "equivalent"
            lines += ["", f"{group}: {explained.reason}", *(f"  {name}" for name in names)]
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
"""Called after each trial with its result in words."""


def mutants_command(jobs: int, progress: Progress = lambda _: None) -> Report:
    """Try every mutant, `jobs` at a time, and report the result for each."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        return run(pool, tuple(all_mutants()), progress)


def run(
    pool: Executor, names: Sequence[str], progress: Progress = lambda _: None, trials: Sequence[str] = tuple(TRIALS)
) -> Report:
    """Try the mutants with these names; each trial gets the survivors of the trials before it."""
    report, reached = Report(), documented_cells()
    _add_killed(report, names, OWN_CHECK, pool.map(refused, names, chunksize=8), progress)
    for number, trial in enumerate(trials):
        if number == QUICK:
            left = _left(report, names, documented_cells())
            _add_killed(report, left, DOCUMENTED, pool.map(undocumented, left, chunksize=8), progress)
        real = pool.submit(explore_real, trial).result()
        reached |= real.cells
        left = _left(report, names, real.cells)
        if TRIALS[trial].is_expensive:
            left = [name for name in left if not explanation(name)]
        results = pool.map(judge, left, [trial] * len(left))
        _add_killed(report, left, trial, results, progress)
    _explain(report, names)
    report.unreached = frozenset(name for name in names if not all_mutants()[name].cells() & reached)
    return report


def _left(report: Report, names: Sequence[str], cells: frozenset[Cell]) -> list[str]:
    """The mutants that are not killed yet and whose rows decide one of these cells."""
    return [name for name in names if name not in report.killed and all_mutants()[name].cells() & cells]


def _add_killed(
    report: Report, names: Sequence[str], trial: str, results: Iterable[str | bool], progress: Progress
) -> None:
    """Record the killed mutants: a result is the name of the property that killed it, or just True."""
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
    """The explanation why a mutant of this name may survive; None if there is none."""
    return next((each for each in EXPLAINED if fits(each, mutant)), None)


def fits(explained: Explained, mutant: str) -> bool:
    """Whether an explanation's pattern matches the name of a mutant."""
    return re.fullmatch(".*".join(map(re.escape, explained.pattern.split("*"))), mutant) is not None
