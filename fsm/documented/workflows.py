"""Documented workflows as data, and how they are recognised in the records of a run.

Here are the four workflows of [S2], *SIP Server HA Deployment Guide, IP Address Takeover HA Workflows*; `scenarios` has
those of [S1]. Each documented step has marks, by which it is recognised among the records of a run (`records`). In
them, *old* is the side that is primary before the workflow, and *new* the other side. A step without a mark happens
outside the core. Commands that the core gives beyond the documented steps are listed too (`beyond`).
"""

from collections.abc import Iterator, Sequence

from attrs import frozen

from ..state import SolutionState
from ..topology import Topology


@frozen
class WorkflowStep:
    """One documented step: its number as printed (0: it has none), its text, and the records that show it."""

    number: int
    text: str
    marks: tuple[str, ...] = ()


@frozen
class Workflow:
    """A documented workflow.

    `acts` are the events from outside, in order: `fail` or `start` an application, `switch` to it, `lose` a host or let
    it `return`, or send a `message`. `ends` are the states of pairs and of the VIP at the end. `scripts` are the
    VIP scripts that run, once each; no other script runs.
    """

    name: str
    title: str
    acts: tuple[str, ...]
    steps: tuple[WorkflowStep, ...]
    ends: tuple[str, ...]
    scripts: tuple[str, ...] = ("disable_vip {old_host}", "enable_vip {new_host}")
    beyond: tuple[str, ...] = ()


@frozen
class SeenStep:
    """A step of one run: `marks` are concrete, `position` is that of the record that completed it, None if not seen."""

    number: int
    text: str
    marks: tuple[str, ...]
    position: int | None


def steps(text: str) -> tuple[WorkflowStep, ...]:
    """The steps in a text: a number (`-`: it has none) and the step's text, followed by its marks, one per line.

    >>> steps("1  the primary fails \\n 2  its host's LCA reports it \\n reported {old} down")[1]
    WorkflowStep(number=2, text="its host's LCA reports it", marks=('reported {old} down',))
    """
    parsed: list[tuple[int, str, list[str]]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        number, _, rest = line.partition("  ")
        if rest:
            parsed.append((0 if number == "-" else int(number), rest, []))
        else:
            parsed[-1][2].append(line)
    return tuple(WorkflowStep(number, rest, tuple(marks)) for number, rest, marks in parsed)


MANUAL = Workflow(
    "manual",
    "Manual switchover",
    acts=("switch {new}",),
    ends=("{pair} redundant_{side}", "VIP held_{side}"),
    beyond=("announce_vip {new_host}",),
    steps=steps("""
        1  an operator asks for the switchover
               requested {new}
        2  the primary is told to go into backup mode
               demote {old}
        3  the backup is told to go into primary mode
               promote {new}
        4  00-5150 is logged for the new primary, 00-5151 for the new backup
               log 00-5150 {new}
               log 00-5151 {old}
        5  the alarm conditions become active
               alarm {new} primary
               alarm {old} backup
        6  their reactions ask for the VIP control scripts
               reaction of {new} primary: disable_vip {old_host}
               reaction of {new} primary: enable_vip {new_host}
               reaction of {old} backup: disable_vip {old_host}
        7  the hosts' LCAs are told to run the scripts
               disable_vip {old_host}
               enable_vip {new_host}
        8  the VIP is disabled on the old host and enabled on the new one
               done disable_vip {old_host}
               done enable_vip {new_host}
    """),
)

FAILURE = Workflow(
    "failure",
    "Primary server failure",
    acts=("fail {old}",),
    ends=("{pair} no_redundancy_{side}", "VIP held_{side}"),
    beyond=("announce_vip {new_host}",),
    steps=steps("""
        1  the primary fails
        2  its host's LCA detects that and reports it
               reported {old} down
        3  the backup is told to go into primary mode
               promote {new}
        4  00-5150 is logged for the new primary
               log 00-5150 {new}
        5  the alarm condition becomes active
               alarm {new} primary
        6  its reactions ask for the VIP control scripts
               reaction of {new} primary: disable_vip {old_host}
               reaction of {new} primary: enable_vip {new_host}
        7  the hosts' LCAs are told to run the scripts
               disable_vip {old_host}
               enable_vip {new_host}
        8  the VIP is disabled on the old host and enabled on the new one
               done disable_vip {old_host}
               done enable_vip {new_host}
    """),
)

DISCONNECTED = Workflow(
    "disconnected",
    "Primary server disconnected",
    acts=("lose {old_host}",),
    ends=("{pair} peer_lost_{side}", "VIP owed_{side}"),
    scripts=("enable_vip {new_host}",),
    steps=steps("""
        1  the connection to the primary's host is lost
               lost {old_host}
        2  the backup is told to go into primary mode
               promote {new}
        3  00-5150 is logged for the new primary
               log 00-5150 {new}
        4  the alarm condition becomes active
               alarm {new} primary
        5  its reactions ask for the VIP control scripts
               reaction of {new} primary: disable_vip {old_host}
               reaction of {new} primary: enable_vip {new_host}
        6  the LCA in reach is told to run its script; the other script cannot run
               enable_vip {new_host}
    """),
)

RECONNECTION = Workflow(
    "reconnection",
    "Reconnection and split-brain recovery",
    acts=("return {old_host}",),
    ends=("{pair} redundant_{side}", "VIP held_{side}"),
    scripts=("disable_vip {old_host}",),
    beyond=("announce_vip {new_host}",),
    steps=steps("""
        1  the connection to the lost host is restored
               connected {old_host}
        2  both servers are found to be primary
               {pair} peer_lost_{side} -> split_brain_{side}
        3  the one that was just restored is told to go into backup mode
               demote {old}
        4  00-5151 is logged for it
               log 00-5151 {old}
        5  the alarm condition becomes active
               alarm {old} backup
        6  its reaction asks for the VIP control script
               reaction of {old} backup: disable_vip {old_host}
        7  the restored host's LCA is told to run the script
               disable_vip {old_host}
        8  the VIP is disabled on the restored host
               done disable_vip {old_host}
    """),
)

WORKFLOWS = {workflow.name: workflow for workflow in (MANUAL, FAILURE, DISCONNECTED, RECONNECTION)}


def roles(topology: Topology, pair: int, new: int) -> dict[str, str]:
    """The names by role (pair, applications, hosts) in a workflow that ends with side `new` (1 or 2) as primary."""
    chosen, hosts = topology.pairs[pair], topology.hosts
    return {
        "pair": chosen.name,
        "side": str(new),
        "new": chosen.applications[new - 1],
        "old": chosen.applications[2 - new],
        "new_host": hosts[new - 1],
        "old_host": hosts[2 - new],
    }


def states_of(topology: Topology, state: SolutionState) -> set[str]:
    """The states of the pairs, of single applications and of the VIP, in the words of `Workflow.ends`."""
    pairs = {f"{pair.name} {each.state}" for pair, each in zip(topology.pairs, state.pairs, strict=True)}
    applications = {f"{name} {each}" for name, each in zip(topology.applications, state.applications, strict=True)}
    return {*pairs, *applications, f"VIP {state.vip}"}


def recognise(workflow: Workflow, parts: dict[str, str], records: Sequence[str]) -> Iterator[SeenStep]:
    """Find each step of a workflow among the texts of a run's records.

    A mark is found where a record begins with it. A step is seen when all of its marks have been found after the
    position at which the first mark of the step before it was found.
    """
    start = 0
    for step in workflow.steps:
        marks = tuple(mark.format(**parts) for mark in step.marks)
        positions = [_find(mark, records, start) for mark in marks]
        known = [position for position in positions if position is not None]
        seen = len(known) == len(marks)
        yield SeenStep(step.number, step.text, marks, max(known, default=0) if seen else None)
        start = min(known, default=start)


def _find(mark: str, records: Sequence[str], start: int) -> int | None:
    return next((position for position in range(start, len(records)) if records[position].startswith(mark)), None)
