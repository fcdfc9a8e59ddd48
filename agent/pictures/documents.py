"""Plays the documented workflows and scenarios with the core and two ideal hosts, for the pictures."""

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
    """A workflow that was played: the handled events, the same as messages, and the solution before and after.

    `steps` are the documented steps among the messages. It is empty if not all of them occurred, because the solution
    is wired differently.
    """

    workflow: Workflow
    handled: tuple[Handled, ...]
    messages: tuple[Message, ...]
    steps: tuple[DocumentedStep, ...]
    before: SolutionState
    after: SolutionState
    announced: tuple[str, str]
    """The hosts that announced the VIP last: before the workflow, and at its end."""


def workflows_of(topology: Topology) -> tuple[Workflow, ...]:
    """The scenarios of [S1] for a solution like that of [S1]; otherwise the workflows of [S2].

    The latter are followed by the failure of each component that is not in the VIP's pair.
    """
    if (len(topology.pairs), len(topology.monitored)) == (2, 2):
        return tuple(scenario for scenario in SCENARIOS.values() if topology.outside or scenario.name != "premise")
    others = [pair for n, pair in enumerate(topology.components) if n != pair_of_the_vip(topology)]
    failures = (_failure(f"component-{n}-fails", pair) for n, pair in enumerate(others, start=2))
    return (*WORKFLOWS.values(), *failures)


def _failure(name: str, pair: Pair) -> Workflow:
    """The failure of a component on the host that serves; no document describes its steps."""
    return Workflow(name, f"{pair.name} fails", acts=(f"fail {pair.applications[0]}",), steps=(), ends=())


def play(topology: Topology, workflow: Workflow) -> Played:
    """Play a workflow from the state in which the first side is primary.

    Raises `CoreError` if that state cannot be reached.
    """
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
    """The configurations that [S2] shows as figures, each with a name. Raises `CoreError` if one cannot be reached."""
    for workflow, when in _FIGURES:
        played = play(topology, workflow)
        before, at_the_end = played.announced
        if workflow is MANUAL:
            yield "prior", Configuration("Configuration prior to a switchover", played.before, played.before, before)
        yield workflow.name, Configuration(f"Configuration {when}", played.after, played.before, at_the_end)


def _announced_by(handled: Sequence[Handled]) -> str:
    """The host that announced the VIP last: the clients' ARP caches point to it. Empty if there is none."""
    done = (each.before.pending_by_id(each.event.id) for each in handled if isinstance(each.event, CommandSucceeded))
    return next((command.host for command in reversed([*done]) if isinstance(command, EnableVip | AnnounceVip)), "")


def _parts(topology: Topology, workflow: Workflow) -> dict[str, str]:
    if workflow.name in SCENARIOS:
        return parts(topology if topology.outside else evolve(topology, outside=("",)), 1)
    return roles(topology, pair_of_the_vip(topology), 2)


def _steps(workflow: Workflow, given: dict[str, str], records: Sequence[str]) -> Iterator[DocumentedStep]:
    """The documented steps. A step without a number gets a letter; a step without marks belongs to the first row."""
    seen = list(recognise(workflow, given, records))
    if any(step.position is None for step in seen):
        return
    letters, start = iter(string.ascii_lowercase), 0
    for step in seen:
        rows = [next(r for r in range(start, len(records)) if records[r].startswith(mark)) for mark in step.marks]
        start = min(rows, default=start)
        yield DocumentedStep(str(step.number or next(letters)), step.text, tuple(rows) or (0,))
