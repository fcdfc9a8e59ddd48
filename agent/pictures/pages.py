"""The pages round the pictures, in Markdown: an index to be read from top to bottom, and a page for each document."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from ...fsm import SolutionState, Topology
from ...fsm.table import Table
from .documents import Played
from .sequences.messages import lifelines_of
from .sequences.sequence import sequence_mermaid


@frozen
class Machine:
    """A machine as the index shows it: its question, its page, and its pictures (title and file each)."""

    table: Table
    question: str
    page: str
    pictures: tuple[tuple[str, str], ...]


@frozen
class Drawn:
    """A solution that is drawn: its name, its wiring, its configurations, and what was played, with the files.

    `refused` has the titles of the workflows that the core cannot be brought to play, and why.
    """

    title: str
    topology: Topology
    wiring: str
    figures: tuple[tuple[str, str], ...]
    workflows: tuple[tuple[Played, str], ...]
    page: str
    refused: tuple[tuple[str, str], ...] = ()


_HOW_TO_READ = """\
In a sequence diagram the first host is on the left of the SCS side, the second on its right. A solid arrow is a message
or a command, a dashed one a result; a cross ends what does not arrive, or runs no more. The grey boxes are what the SCS
side decides and writes: in bold the machine and its two states, below it the reason and the source of the row that
fired. On the left stand the documented steps, each where it begins: a number as it is printed, a letter where the
document has none. Whatever belongs to a step bears its number in a circle, which is black where the step is complete.
"""

_SYSTEM = """\
A pair of components runs on two hosts, one primary and one backup, and clients know one Virtual IP. On each host an LCA
carries out commands and reports; on the SCS side the core decides. The core is six machines. Each is one table, in
which every state and every trigger is decided: it moves, it is ignored for a reason, or it is impossible for a reason.
`switchover diagram` makes these pages from the tables that run. The sequences and the configurations are what the core
does when it is told what happens outside, with hosts that do what they are told.

[S1] is the *SIP Voicemail HA Deployment Guide, Solution HA Failure Scenarios*; [S2] is the *SIP Server HA Deployment
Guide, IP Address Takeover HA Workflows*.
"""


_NOT_ALL_SEEN = """\
Not all of the documented steps are seen in the documented order: the solution is wired otherwise, or its VIP moves in
another order.
"""

_TAKEOVER = """\
One redundant pair, and one Virtual IP that follows it. As documented, both VIP scripts are launched at once.
"""

_VOICEMAIL = """\
Two redundant pairs, two that are only monitored, and one Virtual IP. As documented, the VIP is enabled on the one host
before it is disabled on the other. Host 1 serves before each scenario; where host 2 serves, the same happens with the
sides exchanged.
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
    """The index of a solution of one's own."""
    reading = ("## How to read the sequences", _HOW_TO_READ)
    return _joined(f"# {drawn.title}, in pictures", *reading, *_solution(drawn, "##"))


def workflows_page(heading: str, drawn: Drawn) -> str:
    """All workflows of a solution: what happens, the documented steps, the picture, and the same as Mermaid."""
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
    """A table of what was before and what is at the end."""
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
