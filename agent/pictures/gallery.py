"""`switchover diagram`: writes all pictures and pages of the documented solutions, or of a user's own solution.

Everything is generated from the tables and by running the core; the same tables give the same bytes on any machine.
"""

import argparse
import sys
from pathlib import Path

from ...fsm import (
    ALARM,
    APPLICATION,
    LINK,
    PAIR,
    PLACEMENT,
    VIP,
    CoreError,
    Topology,
    voicemail_topology,
)
from ...fsm.tables.table import Table
from ..configuration.load import load
from .documents import TAKEOVER, Played, configurations, play, workflows_of
from .figures import figure_svg
from .pages import Drawn, Machine, index, own_index, workflows_page
from .sequences.messages import hosts_of, lifelines_of
from .sequences.sequence import sequence_svg
from .states.pages import page
from .states.svg import state_svg, views
from .wiring.coupling import coupling_svg, wiring_svg

INDEX = "README.md"
"""The name of the index page; a repository's web page shows it for the directory."""

_MACHINES: tuple[tuple[Table, str], ...] = (
    (LINK, "Does the SCS side hear this host?"),
    (APPLICATION, "Does this application run?"),
    (PAIR, "Which of two redundant applications is primary?"),
    (ALARM, "When does this alarm condition react?"),
    (VIP, "Where is the Virtual IP?"),
    (PLACEMENT, "Is everything on one host?"),
)

_WRITTEN, _NOT_WRITTEN = 0, 1

Files = dict[str, str]
"""Texts by file name."""


def run_diagram(options: argparse.Namespace) -> int:
    """`switchover diagram`: write the files. Raises `ConfigurationError` if the configuration has mistakes."""
    directory = Path(options.directory)
    files = documents() if options.config is None else own(*_configured(options.config))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_bytes(text.encode())
    except OSError as error:
        print(f"switchover: {directory} cannot be written: {error.strerror}", file=sys.stderr)
        return _NOT_WRITTEN
    print(f"{len(files)} files written to {directory}; begin with {INDEX}")
    return _WRITTEN


def documents() -> Files:
    """The files of the solutions in both documents."""
    files: Files = {"coupling.svg": coupling_svg()}
    machines = [_draw_machine(files, table, question) for table, question in _MACHINES]
    takeover = _draw(files, "IP address takeover", TAKEOVER, "takeover-")
    voicemail = _draw(files, "Voicemail solution", voicemail_topology(), "voicemail-", with_figures=False)
    files[INDEX] = index("coupling.svg", machines, takeover, voicemail)
    files[takeover.page] = workflows_page("The workflows of [S2]", takeover)
    files[voicemail.page] = workflows_page("The scenarios of [S1]", voicemail)
    return files


def own(name: str, topology: Topology) -> Files:
    """The files of a user's own solution."""
    files: Files = {}
    drawn = _draw(files, name, topology)
    files[INDEX] = own_index(drawn)
    files[drawn.page] = workflows_page(f"The workflows of {name}", drawn)
    return files


def _configured(path: str) -> tuple[str, Topology]:
    configuration = load(path)
    return configuration.solution.name, configuration.topology()


def _draw_machine(files: Files, table: Table, question: str) -> Machine:
    name = table.name.lower().replace(" ", "-")
    pictures: list[tuple[str, str]] = []
    for view in views(table):
        file = f"{name}-{view.name}.svg"
        files[file] = state_svg(table, view)
        pictures.append((view.title, file))
    files[f"{name}.md"] = page(table, pictures)
    return Machine(table, question, f"{name}.md", tuple(pictures))


def _draw(files: Files, title: str, topology: Topology, prefix: str = "", *, with_figures: bool = True) -> Drawn:
    files[f"{prefix}wiring.svg"] = wiring_svg(topology)
    drawn: list[tuple[Played, str]] = []
    refused: list[tuple[str, str]] = []
    for workflow in workflows_of(topology):
        file = f"{prefix}{workflow.name}.svg"
        try:
            played = play(topology, workflow)
        except CoreError as error:
            refused.append((workflow.title, str(error)))
            continue
        files[file] = _sequence(topology, played)
        drawn.append((played, file))
    figures = _draw_figures(files, topology, prefix) if with_figures else ()
    page_name = f"{prefix}workflows.md"
    return Drawn(title, topology, f"{prefix}wiring.svg", figures, tuple(drawn), page_name, tuple(refused))


def _sequence(topology: Topology, played: Played) -> str:
    lifelines = lifelines_of(topology, played.messages)
    return sequence_svg(played.workflow.title, lifelines, played.messages, played.steps, hosts_of(topology))


def _draw_figures(files: Files, topology: Topology, prefix: str) -> tuple[tuple[str, str], ...]:
    """The pictures of the configurations; none if one cannot be reached, and then the workflows' page says why."""
    try:
        figures = {f"{prefix}figure-{name}.svg": shown for name, shown in configurations(topology)}
    except CoreError:
        return ()
    files |= {file: figure_svg(topology, shown) for file, shown in figures.items()}
    return tuple((shown.title, file) for file, shown in figures.items())
