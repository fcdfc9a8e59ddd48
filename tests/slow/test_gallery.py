"""What is checked in under diagrams/ is what the tables and the core give, and it can be read from its index on."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from attrs import evolve
from switchover.agent.cli.main import main
from switchover.agent.configuration.examples import EXAMPLES, example_text
from switchover.agent.pictures.documents import TAKEOVER
from switchover.agent.pictures.gallery import INDEX, documents, own
from switchover.fsm import (
    ALARM,
    APPLICATION,
    LINK,
    PAIR,
    PLACEMENT,
    VIP,
    Alarm,
    documented_alarms,
    voicemail_topology,
)
from switchover.fsm.alarms import to_primary
from switchover.fsm.documented.scenarios import SCENARIOS
from switchover.fsm.documented.workflows import WORKFLOWS

CHECKED_IN = Path(__file__).parents[2] / "diagrams"
CONFIGURATIONS = {"figure-prior.svg", "figure-manual.svg", "figure-failure.svg", "figure-disconnected.svg"}


def contents(directory: Path) -> dict[str, bytes]:
    """The files of a directory, byte for byte."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "screenshots"}


def links(text: str) -> set[str]:
    """The files that a Markdown page shows or links to."""
    return set(re.findall(r"\]\(([^)#]+)\)", text))


# What is checked in


def test_what_is_checked_in_is_what_is_drawn_and_nothing_else(tmp_path, capsys):
    assert main(["diagram", str(tmp_path)]) == 0
    found = contents(tmp_path)
    assert contents(CHECKED_IN) == found
    assert capsys.readouterr().out == f"{len(found)} files written to {tmp_path}; begin with README.md\n"


def test_another_machine_draws_the_same_bytes(tmp_path):
    """Another order of hashes, another locale, another time zone, another place."""
    strange = {"PYTHONHASHSEED": "4711", "LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Pacific/Chatham"}
    command = [sys.executable, "-m", "switchover.agent", "diagram", "drawn"]
    subprocess.run(command, env=os.environ | strange, cwd=tmp_path, check=True, capture_output=True)  # noqa: S603
    assert contents(tmp_path / "drawn") == contents(CHECKED_IN)


def test_every_page_and_picture_is_reached_from_the_index_and_nothing_is_missing():
    files = documents()
    pages = {name: links(text) for name, text in files.items() if name.endswith(".md")}
    reached, found = {INDEX}, {INDEX}
    while found:
        found = set().union(*(pages.get(name, set()) for name in found)) - reached
        reached |= found
    assert reached == files.keys()


def test_every_row_stands_in_its_machines_page_with_its_reason():
    files = documents()
    for table in (ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP):
        text = files[f"{table.name.lower().replace(' ', '-')}.md"]
        assert [row.reason for row in table.rows if row.reason not in text] == []


def test_every_picture_is_well_formed_and_says_what_it_shows():
    titles = {
        name: ElementTree.fromstring(text).findtext("{http://www.w3.org/2000/svg}title")  # noqa: S314  # our own
        for name, text in documents().items()
        if name.endswith(".svg")
    }
    assert [name for name, title in titles.items() if not title] == []


def test_the_index_shows_everything_from_the_whole_to_its_parts():
    index = documents()[INDEX]
    headings = re.findall(r"^##+ (.*)$", index, re.MULTILINE)
    whole = ("The wiring: messages, alarm conditions, reactions", "The workflows")
    assert headings == [
        "How the machines are coupled",
        "The machines",
        *("1. host link", "2. application", "3. component pair", "4. alarm condition", "5. Virtual IP", "6. placement"),
        "How to read the sequences",
        *("[S2]: IP address takeover", whole[0], "The configurations", whole[1]),
        *(workflow.title for workflow in WORKFLOWS.values()),
        *("[S1]: the voicemail solution", *whole),
        *(scenario.title for scenario in SCENARIOS.values()),
    ]
    shown = links(index)
    assert {f"takeover-{name}" for name in CONFIGURATIONS} < shown
    assert {f"takeover-{name}.svg" for name in WORKFLOWS} < shown
    assert {f"voicemail-{name}.svg" for name in SCENARIOS} < shown


# A solution of one's own


@pytest.mark.parametrize(
    ("example", "drawn"),
    [("sip", {f"{name}.svg" for name in WORKFLOWS}), ("voicemail", {f"{name}.svg" for name in SCENARIOS})],
)
def test_a_solution_of_ones_own_is_drawn_with_wiring_configurations_and_workflows(tmp_path, example, drawn):
    file = tmp_path / "switchover.toml"
    file.write_text(example_text(example))
    assert main(["diagram", str(tmp_path / "drawn"), "-c", str(file)]) == 0
    found = contents(tmp_path / "drawn")
    assert found.keys() == {INDEX, "wiring.svg", "workflows.md", *CONFIGURATIONS, *drawn}
    assert links(found[INDEX].decode()) | links(found["workflows.md"].decode()) == found.keys() - {INDEX}
    assert "Not all documented steps" not in found["workflows.md"].decode()
    assert set(EXAMPLES) == {"sip", "voicemail"}


def test_a_solution_that_is_wired_otherwise_is_drawn_as_it_is():
    alarms = documented_alarms(TAKEOVER.pairs[0].applications, TAKEOVER.hosts)
    files = own("Mine", evolve(TAKEOVER, alarms=tuple(evolve(alarm, name=f"my {alarm.name}") for alarm in alarms)))
    assert files["workflows.md"].count("Not all documented steps occur") == len(WORKFLOWS)
    assert "alarm my SIP_Server_2 primary" in files["failure.svg"]


def test_what_cannot_be_played_is_told_and_the_rest_is_drawn():
    """Each side's alarm asks for the other side: this goes on for ever."""
    first, second = TAKEOVER.pairs[0].applications
    alarms = (Alarm("a", "00-5150", first, (to_primary(second),)), Alarm("b", "00-5150", second, (to_primary(first),)))
    files = own("Mine", evolve(TAKEOVER, alarms=alarms))
    assert files[INDEX].count("It cannot be played: hosts and core are not at rest after 500 events.") == len(WORKFLOWS)
    assert files.keys() == {INDEX, "wiring.svg", "workflows.md"}


def test_a_configuration_that_is_wrong_is_told_and_nothing_is_written(tmp_path, capsys):
    file = tmp_path / "switchover.toml"
    file.write_text("nothing = true\n")
    assert main(["diagram", str(tmp_path / "drawn"), "-c", str(file)]) == 2
    assert f"{file}:1:1: " in capsys.readouterr().err
    assert not (tmp_path / "drawn").exists()


def test_all_wirings_of_the_voicemail_solution_can_be_drawn():
    for wiring in ("vip-on-monitored", "vip-on-vm-server"):
        files = own("Warned of", voicemail_topology(wiring))
        assert {f"{name}.svg" for name in SCENARIOS} < files.keys()
