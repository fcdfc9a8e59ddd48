"""The Markdown pages around the pictures: an index to read from top to bottom, and a page for each document."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from ...fsm import SolutionState, Topology
from ...fsm.tables.table import Table
from .documents import Played
from .sequences.messages import lifelines_of
from .sequences.sequence import sequence_mermaid


@frozen
class Machine:
    """A machine in the index: the question that it answers, its page, and its pictures (title and file)."""

    table: Table
    question: str
    page: str
    pictures: tuple[tuple[str, str], ...]


@frozen
class Drawn:
    """A solution that was drawn: its name, and the files of its wiring, its configurations and its workflows.

    `refused` contains the titles of the workflows that cannot be played, each with the reason.
    """

    title: str
    topology: Topology
    wiring: str
    figures: tuple[tuple[str, str], ...]
    workflows: tuple[tuple[Played, str], ...]
    page: str
    refused: tuple[tuple[str, str], ...] = ()


_HOW_TO_READ = """\
In a sequence diagram the first host is to the left of the SCS side, the second to its right. A solid arrow is a message
or a command, a dashed one a result; a cross marks a message that does not arrive, or an application that has stopped.
The grey boxes show what the SCS side decides and writes: in bold the machine and its two states, below them the reason
and the source of the row that fired. The documented steps are on the left, each where it begins, with the number from
the document, or a letter if it has none. All parts of a step have its number in a circle, which is black where the step
is complete.
"""

_SYSTEM = """\
A pair of components runs on two hosts, one primary and one backup, and clients use one Virtual IP. On each host an LCA
carries out commands and reports; on the SCS side the core decides. The core consists of six machines. Each is one table
that decides every combination of state and trigger: it moves, it is ignored for a reason, or it is impossible for a
reason. `switchover diagram` generates these pages from the tables that run. The sequences and the configurations show
what the core does when an event occurs, with hosts that carry out every command.

[S1] is the *SIP Voicemail HA Deployment Guide, Solution HA Failure Scenarios*; [S2] is the *SIP Server HA Deployment
Guide, IP Address Takeover HA Workflows*.
"""


_NOT_ALL_SEEN = """\
Not all documented steps occur in the documented order: the solution is wired differently, or its VIP moves in another
order.
"""

_TAKEOVER = """\
One redundant pair, and one Virtual IP that follows it. As documented, both VIP scripts are launched at once.
"""

_VOICEMAIL = """\
Two redundant pairs, two monitored pairs, and one Virtual IP. As documented, the VIP is enabled on one host before it is
disabled on the other. Before each scenario host 1 serves; if host 2 serves, the same happens with the sides exchanged.
"""


def index(coupling: str, machines: Sequence[Machine], takeover: Drawn, voicemail: Drawn) -> str:
    """The index of both documents."""
    return _joined(
        "# What it does, in pictures",
        _SYSTEM,
        "## How the machines are coupled",
        _picture("How the machines are coupled", coupling),
        "## The machines",
        *(part for number, machine in enumerate(machines, start=1) for part in _machine(number, machine)),
        "## How to read the sequences",
        _HOW_TO_READ,
        "## [S2]: IP address takeover",
        _TAKEOVER,
        *_solution(takeover, "###"),
        "## [S1]: the voicemail solution",
        _VOICEMAIL,
        *_solution(voicemail, "###"),
    )


def own_index(drawn: Drawn) -> str:
    """The index of a user's own solution."""
    reading = ("## How to read the sequences", _HOW_TO_READ)
    return _joined(f"# {drawn.title}, in pictures", *reading, *_solution(drawn, "##"))


def workflows_page(heading: str, drawn: Drawn) -> str:
    """The page of a solution's workflows: the outcome, the documented steps, the picture, and the same as Mermaid."""
    parts = (part for played, file in drawn.workflows for part in _workflow(drawn.topology, played, file))
    return _joined(f"# {heading}", _HOW_TO_READ, *parts)


def _machine(number: int, machine: Machine) -> Iterator[str]:
    yield f"### {number}. {machine.table.name}"
    others = len(machine.pictures) - 1
    more = f", with {others} more picture{'s' if others > 1 else ''}" if others else ""
    states, rows = len(machine.table.all_states), len(list(machine.table.every_decision()))
    yield f"{machine.question} {states} states, {rows} decisions: [all of them]({machine.page}){more}."
    yield _picture(*machine.pictures[0])


def _solution(drawn: Drawn, level: str) -> Iterator[str]:
    """The sections about a solution, with headings of this level."""
    yield f"{level} The wiring: messages, alarm conditions, reactions"
    yield _picture("The wiring", drawn.wiring)
    if drawn.figures:
        yield f"{level} The configurations"
        yield from (_picture(*figure) for figure in drawn.figures)
    yield f"{level} The workflows"
    yield f"[Their steps and outcomes, and the same as Mermaid]({drawn.page})"
    for played, file in drawn.workflows:
        yield f"{level}# {played.workflow.title}"
        yield _picture(played.workflow.title, file)
    yield from (f"{level}# {title}\n\nIt cannot be played: {reason}." for title, reason in drawn.refused)


def _workflow(topology: Topology, played: Played, file: str) -> Iterator[str]:
    yield f"## {played.workflow.title}"
    yield _outcome(topology, played.before, played.after)
    if played.steps:
        yield "\n".join(f"- **{step.label}** {step.text}" for step in played.steps)
    elif played.workflow.steps:
        yield _NOT_ALL_SEEN
    yield _picture(played.workflow.title, file)
    mermaid = sequence_mermaid(lifelines_of(topology, played.messages), played.messages, played.steps)
    yield f"<details><summary>The same as Mermaid</summary>\n\n```mermaid\n{mermaid}```\n\n</details>"


def _outcome(topology: Topology, before: SolutionState, after: SolutionState) -> str:
    """A table of the states before and at the end."""
    rows = [
        *((pair.name, before.pairs[n].state, after.pairs[n].state) for n, pair in enumerate(topology.pairs)),
        ("Virtual IP", before.vip, after.vip),
        ("placement", before.placement, after.placement),
    ]
    lines = (f"| {name} | {old} | {'**' + new + '**' if new != old else new} |" for name, old, new in rows)
    return "\n".join(("| machine | before | at the end |", "| --- | --- | --- |", *lines))


def _picture(title: str, file: str) -> str:
    return f"![{title}]({file})"


def _joined(*parts: str) -> str:
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"
