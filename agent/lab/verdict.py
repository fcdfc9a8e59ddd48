"""The verdict on a run of a workflow: when each documented step was seen, and what differs from the documents.

Steps are recognised in the agent's journal by the marks in the workflow's data; the end is judged by the agent's status
and, independently, by the observers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import frozen

from ...fsm import DisableVip, EnableVip, Topology
from ...fsm.documented.scenarios import SCENARIOS, parts
from ...fsm.documented.workflows import Workflow, recognise, roles
from ..history.journal import EVENT, Entry
from .report import Outcome, PlayedStep
from .stage import Measured

_RAN = ("done", "failed", "unclear", "unconfirmed")
_SCRIPTS: tuple[str, ...] = (EnableVip.verb, DisableVip.verb)


@frozen
class Run:
    """One run of a workflow.

    `name`: the name under which it was requested; `old`: the side (1 or 2) that is primary before it; `began`: the
    moment of the first act, in seconds of `time.monotonic`.
    """

    name: str
    title: str
    workflow: Workflow
    topology: Topology
    old: int
    began: float = 0.0

    @property
    def roles(self) -> dict[str, str]:
        """The names that stand for the workflow's roles."""
        if self.workflow.name in SCENARIOS:
            return parts(self.topology, self.old)
        return roles(self.topology, 0, 3 - self.old)

    @property
    def ends(self) -> set[str]:
        """The states at the end, in the words of `Workflow.ends`."""
        return {end.format(**self.roles) for end in self.workflow.ends}

    def after_ms(self, moment_ns: int) -> float:
        """The time from the first act to a moment in the journal, in milliseconds."""
        return moment_ns / 1e6 - self.began * 1e3


def judge(run: Run, measured: Measured, entries: Sequence[Entry], states: set[str]) -> Outcome:
    """The outcome of a run: `entries` are its journal entries, `states` the agent's states at its end."""
    scripts = scripts_in(run.topology, entries)
    wrong = (*_wrong_states(run, states), *_wrong_measures(run, measured), *_wrong_scripts(run, scripts))
    return Outcome(run.name, run.title, _steps(run, entries), measured, scripts, wrong)


def scripts_in(topology: Topology, entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    """How often each VIP script ran on each host, counted by the results that the hosts reported."""
    ran = {host: dict.fromkeys(_SCRIPTS, 0) for host in topology.hosts}
    for entry in entries:
        result, _, script = entry.text.partition(" ")
        name, _, host = script.partition(":")[0].partition(" ")
        if entry.kind == EVENT and result in _RAN and name in _SCRIPTS:
            ran[host][name] += 1
    return ran


def _steps(run: Run, entries: Sequence[Entry]) -> tuple[PlayedStep, ...]:
    def at_ms(position: int | None, marks: tuple[str, ...]) -> float | None:
        if not marks:
            return 0.0  # an act of the outside world
        return None if position is None else run.after_ms(entries[position].mono_ns)

    steps = recognise(run.workflow, run.roles, [entry.text for entry in entries])
    return tuple(PlayedStep(step.number, step.text, at_ms(step.position, step.marks)) for step in steps)


def _wrong_states(run: Run, states: set[str]) -> list[str]:
    """Each state at the end that differs from the documented one."""
    actual = dict(state.rsplit(" ", 1) for state in states)
    expected = dict(state.rsplit(" ", 1) for state in run.ends)
    return [
        f"{'the ' if name == 'VIP' else ''}{name} is {actual.get(name, 'unknown')}, not {expected[name]}"
        for name in sorted(expected)
        if actual.get(name) != expected[name]
    ]


def _wrong_measures(run: Run, measured: Measured) -> list[str]:
    """Each observation that differs from the documents. The SIP Servers, which answer, are the first pair."""
    side = 3 - run.old if run.workflow.scripts else run.old
    host, name = run.topology.hosts[side - 1], run.topology.pairs[0].applications[side - 1]
    actual = (measured.holders, measured.arp_cache, measured.answered_by)
    expected = (frozenset({host}), host, name)
    names = ("the VIP's holder among the reachable hosts", "the client's ARP cache", "the last answer's sender")
    wrong = [f"{n} is {_plain(a)}, not {_plain(e)}" for n, a, e in zip(names, actual, expected, strict=True) if a != e]
    if measured.calls is not None and measured.calls.failed:
        wrong.append(f"{measured.calls.failed} of {measured.calls.attempted} calls failed")
    return wrong


def _wrong_scripts(run: Run, scripts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Each script that did not run as often as documented."""
    expected = Counter(script.format(**run.roles) for script in run.workflow.scripts)
    ran = {f"{name} {host}": count for host, counts in scripts.items() for name, count in counts.items()}
    return [
        f"{script.replace(' ', ' on ')} ran {_times(count)}, documented is {_times(expected[script])}"
        for script, count in sorted(ran.items())
        if count != expected[script]
    ]


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _plain(value: frozenset[str] | str | None) -> str:
    return ", ".join(sorted(value)) or "nobody" if isinstance(value, frozenset) else value or "nobody"
