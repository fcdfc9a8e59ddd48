"""Given only the events from outside, the core makes every documented step happen, in order, and nothing else."""

import itertools
from collections import Counter

import pytest
from attrs import evolve
from support.topologies import HOSTS, TAKEOVER
from switchover.agent.explain.ideal_hosts import IdealHosts, prior_to_switchover
from switchover.fsm import Solution, VipOrder
from switchover.fsm.documented.workflows import WORKFLOWS, Workflow, recognise, roles, states_of


def run(workflow: Workflow, order: VipOrder, old: int) -> IdealHosts:
    world = prior_to_switchover(Solution(evolve(TAKEOVER, vip_order=order)), old)
    if workflow.name == "reconnection":
        world.act(f"lose {HOSTS[old - 1]}")
        world.left_out = len(world.handled)
    for act in workflow.acts:
        world.act(act.format(**roles(world.solution.topology, 0, 3 - old)))
    return world


CASES = list(itertools.product(WORKFLOWS.values(), VipOrder, (1, 2)))
NAMES = [f"{workflow.name}-{order}-{old}" for workflow, order, old in CASES]


@pytest.mark.parametrize(("workflow", "order", "old"), CASES, ids=NAMES)
def test_every_documented_step_happens_and_the_end_state_is_reached(workflow, order, old):
    world = run(workflow, order, old)
    new = 3 - old
    steps = list(recognise(workflow, roles(world.solution.topology, 0, new), world.records))
    assert [step.number for step in steps if step.position is None] == []
    positions = [step.position for step in steps if step.marks]
    assert positions == sorted(positions)
    topology = world.solution.topology
    ends = {end.format(**roles(topology, 0, new)) for end in workflow.ends}
    assert ends <= states_of(topology, world.solution.state)
    assert world.solution.state.pending == ()


@pytest.mark.parametrize("old", [1, 2])
@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_each_step_is_complete_before_the_next_one_begins(workflow, old):
    world = run(workflow, VipOrder.TOGETHER, old)
    marks = [
        (index, step.number)
        for step in recognise(workflow, roles(world.solution.topology, 0, 3 - old), world.records)
        for mark in step.marks
        for index, record in enumerate(world.records)
        if record.startswith(mark)
    ]
    assert [number for _, number in sorted(marks)] == sorted(number for _, number in marks)


@pytest.mark.parametrize(("workflow", "order", "old"), CASES, ids=NAMES)
def test_nothing_happens_but_the_documented_steps(workflow, order, old):
    """Every command given belongs to a documented step or to a rule beyond the documents; none is given twice."""
    world = run(workflow, order, old)
    parts = roles(world.solution.topology, 0, 3 - old)
    verbs = ("promote", "demote", "enable_vip", "disable_vip", "announce_vip", "log", "alarm", "reaction")
    given = Counter(record for record in world.records if record.split()[0] in verbs)
    marks = [mark.format(**parts) for step in workflow.steps for mark in step.marks]
    documented = Counter(mark for mark in marks if mark.split()[0] in verbs)
    assert documented - given == Counter()
    assert given - documented <= Counter(text.format(**parts) for text in workflow.beyond)
    scripts = {text: count for text, count in given.items() if text.startswith(("enable_vip", "disable_vip"))}
    assert scripts == Counter(text.format(**parts) for text in workflow.scripts)


def test_the_order_of_the_scripts_is_the_configured_one():
    def scripts(order: VipOrder) -> list[str]:
        records = run(WORKFLOWS["manual"], order, 1).records
        return [text for text in records if text.split()[0] in ("enable_vip", "disable_vip", "done") and "vip" in text]

    disable, enable = "disable_vip host1", "enable_vip host2"
    assert scripts(VipOrder.TOGETHER)[:2] == [disable, enable]
    assert scripts(VipOrder.DISABLE_FIRST) == [disable, f"done {disable}", enable, f"done {enable}"]
    assert scripts(VipOrder.ENABLE_FIRST)[:4] == [enable, f"done {enable}", disable, f"done {disable}"]
