"""Every incident of the lab, on simulated hosts, has a sound report that cites the steps of its own workflow."""

import asyncio
from pathlib import Path

import pytest
from support.read_report import assert_sound, read_page
from switchover.agent.history.incidents import incidents
from switchover.agent.lab.player import play, playable
from switchover.agent.lab.settings import LabSettings
from switchover.agent.report import analysis
from switchover.agent.report.document import Site, document
from switchover.agent.simulation.stage import SimulatedStage


async def played(directory: Path, solution: str) -> list[bool]:
    directory.mkdir()
    stage = SimulatedStage(directory, LabSettings(solution=solution, detection_ms=200))
    await stage.start()
    try:
        return [outcome.ok async for outcome in play(stage, list(playable(solution)), 1, lambda _: None)]
    finally:
        await stage.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """The journals of an agent that went through every scenario, of either solution."""
    directory = tmp_path_factory.mktemp("lab")

    async def scenario() -> list[list[bool]]:
        return await asyncio.gather(*(played(directory / solution, solution) for solution in ("sip", "voicemail")))

    sip, voicemail = asyncio.run(scenario())
    assert (set(sip), len(sip), set(voicemail), len(voicemail)) == ({True}, 4, {True}, 17)
    return directory


@pytest.mark.parametrize("solution", ["sip", "voicemail"])
def test_every_incident_of_the_lab_has_a_sound_report(lab, solution):
    found = list(incidents(lab / solution / "journal.sqlite"))
    assert len(found) > 5
    for incident in found:
        text = document(incident, Site("lab", ("198.51.100.10",), 200), [])
        assert_sound(text)
        assert text == document(incident, Site("lab", ("198.51.100.10",), 200), [])
        phases, chain, states = read_page(text).tables
        assert [row[0] for row in phases[1:]] == [each.name for each in analysis.timed_phases(incident)]
        assert sum(each.duration_ms for each in analysis.timed_phases(incident)) == pytest.approx(
            analysis.timed_phases(incident)[-1].at_ms
        )
        assert len(chain) > len(incident.handled)
        assert any(row[1] == "changed" for row in states) == (incident.before != incident.after)


def reported(lab: Path, solution: str) -> list[tuple[str, list[str]]]:
    """Of each incident that moved the VIP: its cause, and the workflows and scenarios of the rows that decided."""
    moved = [each for each in incidents(lab / solution / "journal.sqlite") if each.moves]
    return [
        (each.cause, sorted({row.cite.partition(",")[0] for row in analysis.deciding_rows(each) if "[S" in row.cite}))
        for each in moved
    ]


def test_the_reports_of_the_four_workflows_cite_their_own_steps(lab):
    _, manual, failure, disconnected = reported(lab, "sip")
    asked = "an operator asks for SIP_Server_2 as primary"
    assert manual == (asked, ["[S2] manual"])
    assert failure == ("SIP_Server_2: it failed", ["[S2] failure", "[S2] manual"])
    assert disconnected == ("SIP_Server_1: its host is lost, and the application with it", ["[S2] disconnected"])
    (*_, reconnection) = incidents(lab / "sip" / "journal.sqlite")
    assert reconnection.moves == []
    assert [each.cite for each in analysis.deciding_rows(reconnection)] == [
        "[S2] reconnection, steps 2-3",
        "[S2] reconnection, steps 7-8",
    ]
