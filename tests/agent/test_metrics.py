"""The metrics: they follow the conventions of Prometheus, and describe a solution and its switchovers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.page_stage import PageStage
from switchover.agent.controller.counts import Counts
from switchover.agent.page import metrics
from switchover.fsm import ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP, Mode

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(params=["sip", "voicemail"])
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PageStage]:
    with PageStage(tmp_path, request.param) as stage:
        yield stage


def samples(stage: PageStage) -> Samples:
    """Every sample by its name and labels."""
    text = stage.ask("GET", "/metrics").body
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(measured: Samples, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one name, by the values of their labels in the order of the labels' names."""
    return {tuple(value for _, value in labels): value for (each, labels), value in measured.items() if each == name}


def lit(measured: Samples, name: str) -> set[tuple[str, ...]]:
    """The labels of the samples of a state that are 1."""
    return {labels for labels, value in of(measured, name).items() if value == 1.0}


def test_names_types_and_units_follow_the_conventions(stage):
    answer = stage.ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.body))
    assert len({family.name for family in families}) == len(families) > 10
    table = re.findall(r"^    (switchover_\w+) ", metrics.__doc__ or "", re.MULTILINE)
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert {name for name in names if not name.endswith("_created")} == set(table)
    for family in families:
        assert re.fullmatch(r"switchover_[a-z_]+[a-z]", family.name)
        assert family.documentation
        assert not re.search(r"_(ms|milliseconds|minutes|percent)", family.name)


def test_the_metrics_of_a_healthy_solution(stage):
    measured = samples(stage)
    pairs = [pair.name for pair in stage.agent.solution.topology.pairs]
    assert lit(measured, "switchover_link_state") == {("host1", "connected"), ("host2", "connected")}
    assert lit(measured, "switchover_pair_state") == {(name, "1", "redundant") for name in pairs}
    assert lit(measured, "switchover_vip_state") == {("1", "held")}
    assert lit(measured, "switchover_placement_state") == {("1", "together")}
    assert of(measured, "switchover_vip_held") == {("host1",): 1.0, ("host2",): 0.0}
    assert of(measured, "switchover_redundancy") == {(): 1.0}
    assert of(measured, "switchover_commands_pending") == {(): 0.0}
    assert of(measured, "switchover_journal_written") == {(): 1.0}
    assert of(measured, "switchover_journal_events_missing") == {(): 0.0}
    assert {state for _, _, state in lit(measured, "switchover_application_state")} == {"up"}
    assert {name[-1] for name, _ in lit(measured, "switchover_application_primary")} == {"1"}
    info = {"hosts": "host1,host2", "solution": "lab", "vip": "198.51.100.10/24,2001:db8::10/64"}
    assert lit(measured, "switchover_solution_info") == {tuple(info.values())}
    assert set(of(measured, "switchover_host_heard_age_seconds")) == {("host1",), ("host2",)}


def test_a_state_has_a_sample_for_each_possible_state(stage):
    measured, topology = samples(stage), stage.agent.solution.topology
    applications = 2 * len(topology.components)
    counts = {
        "link": 2 * len(LINK.all_states),
        "pair": len(topology.pairs) * len(PAIR.all_states),
        "vip": len(VIP.all_states),
        "placement": len(PLACEMENT.all_states),
        "alarm": len(topology.alarms) * len(ALARM.all_states),
        "application": applications * len(APPLICATION.all_states),
    }
    assert {name: len(of(measured, f"switchover_{name}_state")) for name in counts} == counts


def test_a_switchover_is_counted_and_its_phases_are_measured(stage):
    before = samples(stage)
    assert stage.switch("host2").status == 200
    stage.until(lambda: stage.agent.solution.state.vip == "held_2" and stage.agent.incidents[-1].is_over)
    measured, incident = samples(stage), stage.agent.incidents[-1]
    pairs = stage.agent.solution.topology.pairs
    assert lit(measured, "switchover_pair_state") == {(pair.name, "2", "redundant") for pair in pairs}
    assert lit(measured, "switchover_vip_state") == {("2", "held")}
    totals = of(measured, "switchover_commands_total")
    for command, times in (("promote", len(pairs)), ("demote", len(pairs)), ("enable_vip", 1), ("disable_vip", 1)):
        first = of(before, "switchover_commands_total").get((command, "succeeded"), 0.0)
        assert (command, totals[command, "succeeded"] - first) == (command, float(times))
    asked = of(measured, "switchover_events_total")["switchover_requested",]
    assert asked == sum("requested" in each.text for each in incident.handled) > 0
    assert of(measured, "switchover_incidents_total") == {("yes",): 2.0}
    took = {phase.name: phase.at_ms for phase in incident.phases if phase.at_ms is not None}
    assert {"decided", "promoted", "VIP up"} <= took.keys()
    counts = [of(each, "switchover_phase_seconds_count") for each in (measured, before)]
    sums = [of(each, "switchover_phase_seconds_sum") for each in (measured, before)]
    for name, at_ms in took.items():
        assert counts[0][name,] - counts[1].get((name,), 0.0) == 1.0
        assert sums[0][name,] - sums[1].get((name,), 0.0) == pytest.approx(at_ms / 1000)


def test_a_lost_host_is_shown_and_its_modes_are_unknown(stage):
    stage.run(stage.stage.lose(2))
    stage.until(lambda: stage.agent.solution.state.links[1] == "lost" and stage.agent.incidents[-1].is_over)
    measured = samples(stage)
    assert lit(measured, "switchover_link_state") == {("host1", "connected"), ("host2", "lost")}
    assert of(measured, "switchover_vip_held") == {("host1",): 1.0}
    assert {host for _, host in of(measured, "switchover_application_primary")} == {"host1"}
    assert of(measured, "switchover_redundancy") == {(): 0.0}
    assert of(measured, "switchover_incidents_total") == {("yes",): 1.0, ("no",): 1.0}
    ages = of(measured, "switchover_host_heard_age_seconds")
    assert ages["host2",] > ages["host1",]


def test_an_incident_that_goes_on_is_shown(stage):
    stage.run(stage.stage.lose(1))
    stage.until(lambda: not stage.agent.incidents[-1].is_over)
    assert of(samples(stage), "switchover_incident_open") == {(): 1.0}
    stage.until(lambda: stage.agent.incidents[-1].is_over)
    assert of(samples(stage), "switchover_incident_open") == {(): 0.0}


def test_a_failed_command_is_counted_as_failed(stage):
    name = stage.agent.solution.topology.pairs[0].applications[1]

    async def die_and_switch() -> None:
        stage.stage._host_of(name).modes[name] = Mode.DOWN  # it has not been reported yet
        stage.agent.switch(name)

    stage.run(die_and_switch())
    stage.until(lambda: any("failed promote" in each.text for each in stage.agent.incidents[-1].handled))
    assert of(samples(stage), "switchover_commands_total")["promote", "failed"] >= 1.0


def test_an_error_while_counting_does_not_stop_the_agent(stage, monkeypatch, caplog):
    monkeypatch.setattr(Counts, "_measure", lambda *_: 1 / 0)
    assert stage.switch("host2").status == 200
    stage.until(lambda: stage.agent.solution.state.vip == "held_2")
    stage.until(lambda: stage.agent.incidents[-1].is_over)
    assert "what listens to the agent failed; the agent goes on" in caplog.text
