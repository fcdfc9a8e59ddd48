"""The page, the questions and the report of an incident, on every workflow and scenario of the lab, simulated."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.page_stage import PageStage
from switchover.agent.cli.main import main
from switchover.agent.explain.why import as_text
from switchover.agent.lab.player import play, playable
from switchover.agent.lab.report import Outcome

PLAYED_S = 60


def played(stage: PageStage, outcomes: AsyncIterator[Outcome]) -> Outcome:
    """What the next scenario comes to; it is played in the agent's loop."""
    return asyncio.run_coroutine_threadsafe(anext(outcomes), stage._loop).result(PLAYED_S)


def states_shown(shown: dict) -> dict[str, str]:
    return {line["name"]: line["state"] for line in shown["lines"] if line["state"]}


def states_known(stage: PageStage) -> dict[str, str]:
    status = stage.status()
    pairs = {pair["name"]: pair["state"] for pair in status["pairs"]}
    return pairs | {"VIP": status["vip"]["state"]}


@pytest.mark.parametrize("solution", ["sip", "voicemail"])
def test_every_scenario_is_shown_told_and_written(solution, tmp_path, capsys):
    with PageStage(tmp_path, solution) as stage:
        outcomes = play(stage.stage, playable(solution), 1, lambda _: None)
        for name in playable(solution):
            known = {each.id for each in stage.agent.incidents}
            assert played(stage, outcomes).ok, name
            shown = stage.events(1)[0]
            assert states_known(stage).items() <= states_shown(shown).items(), name
            is_whole = stage.status()["redundancy"] and states_known(stage)["VIP"].startswith("held")
            assert shown["whole"]["words"].startswith("as it should be" if is_whole else "not as it should be"), name
            new = [each for each in stage.agent.incidents if each.id not in known]
            assert new, name
            shown_as = {each["id"]: (each["cause"], each["outcome"]) for each in shown["incidents"]}
            for each in new:
                assert shown_as[each.id] == (each.cause, each.outcome), name
                assert stage.ask("GET", f"/incidents/{each.id}").body == as_text(each), name
            planned = stage.ask("GET", "/plan?to=host1").json
            assert set(planned) >= {"outcome", "commands"}, (name, planned)
        incidents = [each.id for each in stage.agent.incidents]
    for number in incidents:
        file = tmp_path / f"{number}.html"
        assert main(["report", str(number), "-c", str(tmp_path / "switchover.toml"), "--output", str(file)]) == 0
        assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert main(["why", "--all", "-c", str(tmp_path / "switchover.toml")]) == 0
    listed = capsys.readouterr().out
    assert [number for number in incidents if f"\n{number:7}  " not in f"\n{listed}"] == []
