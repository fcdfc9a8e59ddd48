"""The core, given only the outside happenings, brings about every documented step, in order, and nothing else."""

import itertools
from collections import Counter
from collections.abc import Iterable

import pytest
from attrs import define, field
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    DisableVip,
    EnableVip,
    Event,
    HostConnected,
    HostLost,
    HostReport,
    Mode,
    Pair,
    Promote,
    Solution,
    StartTimer,
    SwitchoverRequested,
    TimerFired,
    Topology,
    VipOrder,
    documented_alarms,
)
from switchover.fsm.commands import AnnounceVip, Demote
from switchover.fsm.records import describe_command, describe_event, describe_step
from switchover.fsm.workflows import WORKFLOWS, Workflow, recognise, roles

HOSTS = ("host1", "host2")
SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
DRAIN = StartTimer("drain VIP", after_ms=20)
HOST_COMMANDS = (Promote, Demote, EnableVip, DisableVip, AnnounceVip)


def make_topology(order: VipOrder = VipOrder.TOGETHER) -> Topology:
    return Topology(HOSTS, (SIP,), documented_alarms(SIP.applications, HOSTS), order)


@define
class ObedientHosts:
    """A world in which hosts do what they are told and the drain is over, at once; it records all that passes."""

    solution: Solution
    records: list[str] = field(factory=list)

    def happen(self, *events: Event) -> None:
        waiting = list(events)
        while waiting:
            event = waiting.pop(0)
            self.records.append(describe_event(event, self.solution.state.pending))
            commands = self.solution.handle(event)
            self.records.extend(describe_step(step) for step in self.solution.steps)
            self.records.extend(describe_command(command) for command in commands)
            waiting.extend(CommandSucceeded(command.id) for command in commands if isinstance(command, HOST_COMMANDS))
            waiting.extend(TimerFired("drain VIP") for command in commands if command == DRAIN)


def start(order: VipOrder, old: int) -> ObedientHosts:
    """[S2] State prior to switchover: one primary, one backup, the VIP at the primary; `old` is the primary's side."""
    world = ObedientHosts(Solution(make_topology(order)))
    for side in (1, 2):
        report = HostReport({SIP.applications[side - 1]: Mode.PRIMARY if side == old else Mode.BACKUP}, side == old)
        world.happen(HostConnected(HOSTS[side - 1], report))
    assert world.solution.state.pairs[0].state == f"redundant_{old}"
    assert world.solution.state.vip == f"held_{old}"
    world.records.clear()
    return world


def happenings(workflow: Workflow, old: int) -> Iterable[Event]:
    """What the outside world does in a workflow; nothing of what the core does."""
    name, host = SIP.applications[old - 1], HOSTS[old - 1]
    match workflow.name:
        case "manual":
            return [SwitchoverRequested(SIP.applications[2 - old])]
        case "failure":
            return [ApplicationReported(name, Mode.DOWN)]
        case "disconnected":
            return [HostLost(host)]
        case _:
            return [HostConnected(host, HostReport({name: Mode.PRIMARY}, vip_held=True))]


def run(workflow: Workflow, order: VipOrder, old: int) -> ObedientHosts:
    world = start(order, old)
    if workflow.name == "reconnection":
        world.happen(*happenings(WORKFLOWS["disconnected"], old))
        world.records.clear()
    world.happen(*happenings(workflow, old))
    return world


CASES = list(itertools.product(WORKFLOWS.values(), VipOrder, (1, 2)))
NAMES = [f"{workflow.name}-{order}-{old}" for workflow, order, old in CASES]


@pytest.mark.parametrize(("workflow", "order", "old"), CASES, ids=NAMES)
def test_every_documented_step_is_brought_about_and_the_end_state_reached(workflow, order, old):
    world = run(workflow, order, old)
    new = 3 - old
    steps = list(recognise(workflow, roles(world.solution.topology, 0, new), world.records))
    assert [step.number for step in steps if step.position is None] == []
    positions = [step.position for step in steps if step.marks]
    assert positions == sorted(positions)
    assert world.solution.state.pairs[0].state == f"{workflow.pair}_{new}"
    assert world.solution.state.vip == f"{workflow.vip}_{new}"
    assert world.solution.state.pending == ()


@pytest.mark.parametrize("old", [1, 2])
@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_in_the_documented_order_no_mark_of_a_step_comes_before_the_step_before_it_is_complete(workflow, old):
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
def test_nothing_but_the_documented_steps_is_done(workflow, order, old):
    """Every command given is a mark of a step, or one that a rule beyond the documents demands; none is given twice."""
    world = run(workflow, order, old)
    parts = roles(world.solution.topology, 0, 3 - old)
    verbs = ("promote", "demote", "enable_vip", "disable_vip", "announce_vip", "log", "alarm", "reaction")
    given = Counter(record for record in world.records if record.split()[0] in verbs)
    marks = [mark.format(**parts) for step in workflow.steps for mark in step.marks]
    documented = Counter(mark for mark in marks if mark.split()[0] in verbs)
    assert documented - given == Counter()
    assert given - documented <= Counter(text.format(**parts) for text in workflow.beyond)


def test_the_order_of_the_scripts_is_the_configured_one():
    def scripts(order: VipOrder) -> list[str]:
        records = run(WORKFLOWS["manual"], order, 1).records
        return [text for text in records if text.split()[0] in ("enable_vip", "disable_vip", "done") and "vip" in text]

    disable, enable = "disable_vip host1", "enable_vip host2"
    assert scripts(VipOrder.TOGETHER)[:2] == [disable, enable]
    assert scripts(VipOrder.DISABLE_FIRST) == [disable, f"done {disable}", enable, f"done {enable}"]
    assert scripts(VipOrder.ENABLE_FIRST)[:4] == [enable, f"done {enable}", disable, f"done {disable}"]
