"""The documented workflows and scenarios, played: the core, and two hosts that do what they are told."""

import string
from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from ...fsm import (
    AnnounceVip,
    CommandSucceeded,
    EnableVip,
    Pair,
    Solution,
    SolutionState,
    Topology,
    documented_alarms,
)
from ...fsm.documented.scenarios import SCENARIOS, parts
from ...fsm.documented.workflows import (
    DISCONNECTED,
    FAILURE,
    MANUAL,
    RECONNECTION,
    WORKFLOWS,
    Workflow,
    recognise,
    roles,
)
from ...fsm.facts import pair_of_the_vip
from ..explain.ideal_hosts import prior_to_switchover
from ..history.journal import Handled
from .figures import Configuration
from .sequences.messages import Message, messages_of
from .sequences.sequence import DocumentedStep

_HOSTS, _SIP_SERVER = ("host1", "host2"), Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
TAKEOVER = Topology(_HOSTS, (_SIP_SERVER,), documented_alarms(_SIP_SERVER.applications, _HOSTS))
"""The solution of [S2]."""

_FIGURES = (
    (MANUAL, "after a switchover"),
    (FAILURE, "after the primary's failure"),
    (DISCONNECTED, "after the primary's host was disconnected"),
)


@frozen
class Played:
    """A workflow that was played: what the core handled, as messages too, and the solution before and after.

    `steps` are the documented steps among the messages; none, if not all were seen because it is wired otherwise.
    """

    workflow: Workflow
    handled: tuple[Handled, ...]
    messages: tuple[Message, ...]
    steps: tuple[DocumentedStep, ...]
    before: SolutionState
    after: SolutionState
    announced: tuple[str, str]
    """The hosts that announced the VIP last, before it and at the end."""


def workflows_of(topology: Topology) -> tuple[Workflow, ...]:
    """Those of [S1] for a solution like that of [S1]; else those of [S2], and the failure of each other component."""
    if (len(topology.pairs), len(topology.monitored)) == (2, 2):
        return tuple(scenario for scenario in SCENARIOS.values() if topology.outside or scenario.name != "premise")
    others = [pair for n, pair in enumerate(topology.components) if n != pair_of_the_vip(topology)]
    failures = (_failure(f"component-{n}-fails", pair) for n, pair in enumerate(others, start=2))
    return (*WORKFLOWS.values(), *failures)


def _failure(name: str, pair: Pair) -> Workflow:
    """A component fails on the host that serves; no document says what follows."""
    return Workflow(name, f"{pair.name} fails", acts=(f"fail {pair.applications[0]}",), steps=(), ends=())


def play(topology: Topology, workflow: Workflow) -> Played:
    """Play a workflow, the first side being primary before it. `CoreError` if that cannot be brought about."""
    given = _parts(topology, workflow)
    hosts = prior_to_switchover(Solution(topology), 1)
    if workflow is RECONNECTION:
        hosts.act(f"lose {given['old_host']}")
    begin, before = len(hosts.handled), hosts.solution.state
    for act in workflow.acts:
        hosts.act(act.format(**given))
    handled = hosts.handled[begin:]
    messages = messages_of(topology, handled, is_timed=False)
    steps = tuple(_steps(workflow, given, [message.record for message in messages]))
    announced = _announced_by(hosts.handled[:begin]), _announced_by(hosts.handled)
    return Played(workflow, tuple(handled), tuple(messages), steps, before, hosts.solution.state, announced)


def configurations(topology: Topology) -> Iterator[tuple[str, Configuration]]:
    """Those that [S2] shows as figures, each with a name. `CoreError` if one cannot be brought about."""
    for workflow, when in _FIGURES:
        played = play(topology, workflow)
        before, at_the_end = played.announced
        if workflow is MANUAL:
            yield "prior", Configuration("Configuration prior to a switchover", played.before, played.before, before)
        yield workflow.name, Configuration(f"Configuration {when}", played.after, played.before, at_the_end)


def _announced_by(handled: Sequence[Handled]) -> str:
    """The host that announced the VIP last: this is where the clients' ARP caches point."""
    done = (each.before.pending_by_id(each.event.id) for each in handled if isinstance(each.event, CommandSucceeded))
    return next((told.host for told in reversed([*done]) if isinstance(told, EnableVip | AnnounceVip)), "")


def _parts(topology: Topology, workflow: Workflow) -> dict[str, str]:
    if workflow.name in SCENARIOS:
        return parts(topology if topology.outside else evolve(topology, outside=("",)), 1)
    return roles(topology, pair_of_the_vip(topology), 2)


def _steps(workflow: Workflow, given: dict[str, str], records: Sequence[str]) -> Iterator[DocumentedStep]:
    """The documented steps: one without a number gets a letter, one that only the outside world does the first row."""
    seen = list(recognise(workflow, given, records))
    if any(step.position is None for step in seen):
        return
    letters, start = iter(string.ascii_lowercase), 0
    for step in seen:
        rows = [next(r for r in range(start, len(records)) if records[r].startswith(mark)) for mark in step.marks]
        start = min(rows, default=start)
        yield DocumentedStep(str(step.number or next(letters)), step.text, tuple(rows) or (0,))
