"""Traces: from what the explorer finds broken to a story, a diagram, a file, and a replay through the running core."""

import json
import re
from functools import cache

import pytest
from attrs import evolve
from support.topologies import HOSTS, TAKEOVER
from switchover.agent.verify.exploring.explorer import Bounds, explore
from switchover.agent.verify.model.host import Fault
from switchover.agent.verify.properties.always import AT_REST
from switchover.agent.verify.traces.file import load, save
from switchover.agent.verify.traces.replay import replay
from switchover.agent.verify.traces.text import as_sequence_diagram, as_text
from switchover.agent.verify.traces.trace import COLD_START, TraceError, trace_of
from switchover.fsm import ReactionPolicy, VipOrder, voicemail_topology
from switchover.fsm.handling import MACHINES, Machines
from switchover.fsm.tables.table import Row

BROKEN = {
    "VIP scripts linked to RM and MCP": (voicemail_topology("vip-on-monitored"), 1),
    "VIP scripts linked to the VM Server": (voicemail_topology("vip-on-vm-server"), 1),
    "voicemail literal": (voicemail_topology(reactions=ReactionPolicy.LITERAL), 1),
    "takeover literal": (evolve(TAKEOVER, reactions=ReactionPolicy.LITERAL), 2),
    "takeover literal, enable-first": (
        evolve(TAKEOVER, vip_order=VipOrder.ENABLE_FIRST, reactions=ReactionPolicy.LITERAL),
        2,
    ),
    "takeover without alarms": (evolve(TAKEOVER, alarms=()), 1),
}


@cache
def traces(case):
    """A trace of every property that is broken."""
    topology, faults = BROKEN[case]
    found = explore(topology, Bounds(faults))
    return [trace_of(found, verdict) for verdict in found.verdicts if not verdict.holds]


def of_a_fault(case="VIP scripts linked to RM and MCP"):
    """A trace that begins with the healthy state at rest, and has a fault."""
    return next(trace for trace in traces(case) if trace.start and any(step.is_fault for step in trace.steps))


def with_step(trace, number, **changes):
    steps = [evolve(step, **changes) if at == number else step for at, step in enumerate(trace.steps)]
    return evolve(trace, steps=tuple(steps))


@pytest.mark.parametrize("case", BROKEN)
def test_replay_reproduces_every_trace(case):
    """The real core, given the same events, decides the same, and the world ends as the explorer says."""
    assert traces(case)
    for trace in traces(case):
        played = replay(trace)
        assert played.difference == ""
        assert played.is_reproduced
        assert played.steps == (*trace.opening, *trace.steps)
        assert set(played.records) >= {command.text for step in trace.steps for command in step.commands}


@pytest.mark.parametrize("case", BROKEN)
def test_a_trace_survives_a_file(case, tmp_path):
    for trace in traces(case):
        save(trace, tmp_path / "trace.json")
        assert load(tmp_path / "trace.json") == trace


@pytest.mark.parametrize("case", BROKEN)
def test_the_text_tells_what_happens_and_why(case):
    """The property, each step, each fault, each row with its reason and citation, each command, and the end."""
    for trace in traces(case):
        text = as_text(trace)
        assert trace.broken.text in text
        assert f"at the start {trace.start or COLD_START}" in text
        for step in trace.steps:
            assert f". {step.text}{' [fault]' if step.is_fault else ''}\n" in text
            for row in step.decisions:
                moved = f"{row.subject} {row.source} -> {row.destination}: {row.reason} ({row.cite})"
                assert f"      {moved}\n" in text
            assert all(f"      => {command.text}\n" in text for command in step.commands)
        assert all(f"{name}: {what}\n" in text for name, what in trace.ending.items())


def test_an_uneventful_start_is_told_in_one_line():
    trace = of_a_fault()
    lines = as_text(trace).splitlines()
    assert "at the start host1 is primary and holds the VIP; nothing is under way" in lines
    assert f"  1. {trace.steps[0].text} [fault]" in lines
    assert not any(step.is_fault for step in trace.opening)


def test_log_messages_alarms_and_reactions_are_told():
    text = as_text(of_a_fault())
    for record in (
        "log 00-5091 RM_1",
        "alarm RM_1 found terminated",
        "reaction of RM_1 found terminated: enable_vip host2",
    ):
        assert f"=> {record}\n" in text
    assert "([S1] RM-1 fails)" in text


ARROW = re.compile(r"(\w+)->>(\w+): [^#;]+")
NOTE = re.compile(r"Note over (\w+)(?:,(\w+))?: [^#;]+")
DECLARED = re.compile(r"(?:actor|participant) (\w+) as [^#;]+")


@pytest.mark.parametrize("case", BROKEN)
def test_the_diagram_is_well_formed(case):
    """Every line is a declaration, an arrow or a note; everyone in it is declared, once and before."""
    for trace in traces(case):
        first, *lines = as_sequence_diagram(trace).splitlines()
        assert first == "sequenceDiagram"
        declared = []
        for line in map(str.strip, lines):
            if found := DECLARED.fullmatch(line):
                assert found[1] not in declared
                declared.append(found[1])
            else:
                found = ARROW.fullmatch(line) or NOTE.fullmatch(line)
                assert found, line
                assert {name for name in found.groups() if name} <= set(declared), line
        assert declared == ["O", "A", "H1", "H2", "C"]


def test_the_diagram_shows_faults_messages_commands_and_announcements():
    found = traces("takeover literal, enable-first")
    trace = next(trace for trace in found if any(step.announces for step in trace.steps))
    lines = [line.strip() for line in as_sequence_diagram(trace).splitlines()]
    side = {name: f"H{number}" for number, name in enumerate(HOSTS, start=1)}
    for step in trace.steps:
        if step.announces:
            assert f"{side[step.by]}->>C: announces the VIP" in lines
        if step.by in HOSTS:
            assert f"{side[step.by]}->>A: {step.events[0]}" in lines if step.events else True
            assert f"Note over {side[step.by]}: fault: {step.text}" in lines if step.is_fault else True
        assert all(f"A->>{side[each.host]}: {each.text}" in lines for each in step.commands if each.host)


# What is not right.


def test_what_holds_has_no_trace():
    found = explore(TAKEOVER, Bounds(0))
    with pytest.raises(TraceError, match="holds: there is no trace of a violation"):
        trace_of(found, found.verdicts[0])


def test_a_step_that_is_not_possible_is_refused():
    trace = with_step(of_a_fault(), 0, text="RM_7 fails")
    with pytest.raises(TraceError, match=r"step 1 is not possible there: 'RM_7 fails'; for one, 'RM_. fails' is"):
        replay(trace)


def test_a_fault_beyond_the_budget_is_refused():
    with pytest.raises(TraceError, match="step 1 is not possible there"):
        replay(evolve(of_a_fault(), budget=0))


def test_a_step_left_out_is_noticed():
    trace = next(trace for trace in traces("takeover literal") if len(trace.steps) > 3)
    with pytest.raises(TraceError, match="is not possible there"):
        replay(evolve(trace, steps=trace.steps[1:]))


def test_an_opening_left_out_is_noticed():
    assert of_a_fault().opening
    assert not replay(evolve(of_a_fault(), opening=())).is_reproduced


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (
            {"events": ("reported RM_1 up",)},
            "step 1: the agent receives reported RM_1 down, where the trace says reported RM_1 up",
        ),
        ({"decisions": ()}, r"step 1: it decides .*, where the trace says nothing"),
        ({"commands": ()}, r"step 1: it commands .*, where the trace says nothing"),
        ({"error": "no"}, "step 1: it refuses nothing, where the trace says no"),
        ({"by": "host2"}, "step 1: its cause is another than the trace says"),
    ],
)
def test_a_step_that_was_tampered_with_is_not_reproduced(changes, difference):
    played = replay(with_step(of_a_fault(), 0, **changes))
    assert not played.is_reproduced
    assert re.fullmatch(difference, played.difference)


def test_another_ending_is_not_reproduced():
    trace = of_a_fault()
    played = replay(evolve(trace, ending={**trace.ending, "clients": "send to nobody"}))
    assert played.difference == "at the end, clients: send to host1, where the trace says send to nobody"


def test_an_ending_that_does_not_show_the_property_broken_is_not_reproduced():
    """What never heals must have ended; what goes on for ever must have come back to where it was."""
    healing = next(trace for trace in traces("takeover literal") if trace.broken.name == "one holder")
    early = next(trace for trace in traces("takeover literal") if trace.broken.name == "scripts once")
    assert "too early" in replay(evolve(early, broken=healing.broken)).difference
    assert "the steps are no cycle" in replay(evolve(healing, broken=AT_REST)).difference


def test_a_trace_of_other_tables_is_not_reproduced_by_those_that_run():
    """A trace is replayed through the present tables: the trace of a flaw that has been mended breaks nothing."""
    rows = [
        evolve(row, outputs="") if isinstance(row, Row) and "promote" in row.outputs else row
        for row in MACHINES.pair.rows
    ]
    machines = Machines(pair=evolve(MACHINES.pair, rows=tuple(rows)))
    found = explore(TAKEOVER, Bounds(1), machines=machines)
    verdict = next(verdict for verdict in found.verdicts if not verdict.holds)
    played = replay(trace_of(found, verdict, machines))
    assert re.fullmatch(r"step \d+: it commands .*promote SIP_Server_.*", played.difference)
    with pytest.raises(TraceError, match="the exploration used other tables"):
        trace_of(found, verdict)


def without(key):
    return lambda data: {name: value for name, value in data.items() if name != key}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (without("topology"), "it is missing @ trace.topology"),
        (lambda data: {**data, "more": 1}, r"Extra fields in .*: more @ trace"),
        (lambda data: {**data, "budget": "1"}, "'1' is not of type int @ trace.budget"),
        (lambda data: {**data, "kinds": ["flood"]}, r"'flood' is not a valid Fault @ trace.kinds\[0\]"),
        (lambda data: {**data, "topology": {**data["topology"], "retry_ms": 0}}, r".*must be above 0 @ trace.topology"),
        (lambda data: [data], "expected an object of names and values"),
        (lambda data: {**data, "steps": [7]}, r".* @ trace.steps\[0\]"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(change, problem, tmp_path):
    path = tmp_path / "trace.json"
    save(of_a_fault(), path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(TraceError) as refused:
        load(path)
    assert re.fullmatch(re.escape(f"{path} is not a trace of this version: ") + problem, str(refused.value))


@pytest.mark.parametrize("content", ["{", "\n\nnonsense", "\xff"])
def test_a_file_that_is_no_json_is_refused(content, tmp_path):
    path = tmp_path / "trace.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(TraceError, match=re.escape(f"{path} is not JSON: ")) as refused:
        load(path)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(TraceError, match="cannot be read: No such file or directory"):
        load(tmp_path / "nothing.json")
    with pytest.raises(TraceError, match="cannot be written: No such file or directory"):
        save(of_a_fault(), tmp_path / "nowhere" / "trace.json")


def test_the_kinds_of_faults_are_kept():
    topology, faults = BROKEN["voicemail literal"]
    found = explore(topology, Bounds(faults, frozenset({Fault.CRASH, Fault.OPERATOR})), stop_early=True)
    verdict = next(verdict for verdict in found.verdicts if not verdict.holds)
    assert trace_of(found, verdict).kinds == (Fault.CRASH, Fault.OPERATOR)
