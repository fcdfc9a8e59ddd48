"""What a run of a workflow came to: which documented steps were seen when, and what was not as documented.

Steps are found in the agent's journal, by the marks that the workflow's data names; what else was seen comes from the
agent's status and, separately, from the observers.
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

_RAN = ("done", "failed", "unclear")
_SCRIPTS: tuple[str, ...] = (EnableVip.verb, DisableVip.verb)


@frozen
class Run:
    """One run: by which name it was asked for, from which side (1 or 2) it goes, and when the fault was (monotonic)."""

    name: str
    title: str
    workflow: Workflow
    topology: Topology
    old: int
    began: float = 0.0

    @property
    def roles(self) -> dict[str, str]:
        """Who plays which part."""
        if self.workflow.name in SCENARIOS:
            return parts(self.topology, self.old)
        return roles(self.topology, 0, 3 - self.old)

    @property
    def ends(self) -> set[str]:
        """The states at the end, in the words of `Workflow.ends`."""
        return {end.format(**self.roles) for end in self.workflow.ends}

    def after_ms(self, moment_ns: int) -> float:
        """How long after the fault a moment of the journal was, in milliseconds."""
        return moment_ns / 1e6 - self.began * 1e3


def judge(run: Run, measured: Measured, entries: Sequence[Entry], states: set[str]) -> Outcome:
    """The outcome of a run: `entries` are all that the journal has of it, `states` those of the agent at its end."""
    scripts = scripts_in(run.topology, entries)
    wrong = (*_wrong_states(run, states), *_wrong_measures(run, measured), *_wrong_scripts(run, scripts))
    return Outcome(run.name, run.title, _steps(run, entries), measured, scripts, wrong)


def scripts_in(topology: Topology, entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    """How often each VIP script ran on each host, by the results that the hosts reported."""
    ran = {host: dict.fromkeys(_SCRIPTS, 0) for host in topology.hosts}
    for entry in entries:
        what, _, script = entry.text.partition(" ")
        name, _, host = script.partition(":")[0].partition(" ")
        if entry.kind == EVENT and what in _RAN and name in _SCRIPTS:
            ran[host][name] += 1
    return ran


def _steps(run: Run, entries: Sequence[Entry]) -> tuple[PlayedStep, ...]:
    def at_ms(position: int | None, marks: tuple[str, ...]) -> float | None:
        if not marks:
            return 0.0  # the outside world's own act
        return None if position is None else run.after_ms(entries[position].mono_ns)

    found = recognise(run.workflow, run.roles, [entry.text for entry in entries])
    return tuple(PlayedStep(step.number, step.text, at_ms(step.position, step.marks)) for step in found)


def _wrong_states(run: Run, states: set[str]) -> list[str]:
    """Each state at the end that is another one than documented."""
    found = dict(state.rsplit(" ", 1) for state in states)
    wanted = dict(state.rsplit(" ", 1) for state in run.ends)
    return [
        f"{'the ' if what == 'VIP' else ''}{what} is {found.get(what, 'unknown')}, not {wanted[what]}"
        for what in sorted(wanted)
        if found.get(what) != wanted[what]
    ]


def _wrong_measures(run: Run, measured: Measured) -> list[str]:
    """Each thing that the observers saw otherwise. The SIP Servers, who answer, are either solution's first pair."""
    side = 3 - run.old if run.workflow.scripts else run.old
    host, name = run.topology.hosts[side - 1], run.topology.pairs[0].applications[side - 1]
    found = (measured.holders, measured.arp_cache, measured.answered_by)
    wanted = (frozenset({host}), host, name)
    names = ("the VIP's holder among the reachable hosts", "the client's ARP cache", "the last answer's sender")
    wrong = [f"{n} is {_plain(f)}, not {_plain(w)}" for n, f, w in zip(names, found, wanted, strict=True) if f != w]
    if measured.calls is not None and measured.calls.failed:
        wrong.append(f"{measured.calls.failed} of {measured.calls.attempted} calls failed")
    return wrong


def _wrong_scripts(run: Run, scripts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Each documented script runs once, and no other."""
    wanted = Counter(script.format(**run.roles) for script in run.workflow.scripts)
    ran = {f"{name} {host}": count for host, found in scripts.items() for name, count in found.items()}
    return [
        f"{script.replace(' ', ' on ')} ran {_times(count)}, documented is {_times(wanted[script])}"
        for script, count in sorted(ran.items())
        if count != wanted[script]
    ]


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _plain(value: frozenset[str] | str | None) -> str:
    return ", ".join(sorted(value)) or "nobody" if isinstance(value, frozenset) else value or "nobody"
