"""The scenarios of [S1], from both sides: every documented step happens in order, and each VIP script runs once."""

import itertools
from collections import Counter

import pytest
from attrs import evolve
from switchover.agent.explain.ideal_hosts import IdealHosts, prior_to_switchover
from switchover.fsm import (
    CommandSucceeded,
    ReactionPolicy,
    Solution,
    SwitchoverRequested,
    TimerFired,
    Topology,
    VipOrder,
    describe_command,
    voicemail_topology,
)
from switchover.fsm.documented.scenarios import SCENARIOS, parts
from switchover.fsm.documented.voicemail import WIRINGS
from switchover.fsm.documented.workflows import recognise, states_of

VERBS = ("promote", "demote", "look", "enable_vip", "disable_vip", "announce_vip", "log", "alarm", "reaction")
CASES = list(itertools.product(SCENARIOS.values(), (1, 2)))
NAMES = [f"{scenario.name}-{old}" for scenario, old in CASES]


def play(name: str, old: int, topology: Topology | None = None) -> IdealHosts:
    world = prior_to_switchover(Solution(topology or voicemail_topology()), old)
    for act in SCENARIOS[name].acts:
        world.act(act.format(**parts(world.solution.topology, old)))
    return world


@pytest.mark.parametrize("order", [VipOrder.ENABLE_FIRST, VipOrder.TOGETHER])
@pytest.mark.parametrize(("scenario", "old"), CASES, ids=NAMES)
def test_every_documented_step_happens_and_the_end_state_is_reached(scenario, old, order):
    world = play(scenario.name, old, voicemail_topology(vip_order=order))
    names = parts(world.solution.topology, old)
    steps = list(recognise(scenario, names, world.records))
    assert [step.text for step in steps if step.position is None] == []
    assert {end.format(**names) for end in scenario.ends} <= states_of(world.solution.topology, world.solution.state)
    assert world.solution.state.pending == ()


@pytest.mark.parametrize(("scenario", "old"), CASES, ids=NAMES)
def test_the_steps_happen_in_the_documented_order(scenario, old):
    """The steps begin in order; a slow step of a host may end after the next one has begun."""
    world = play(scenario.name, old)
    names = parts(world.solution.topology, old)
    begins = [
        min(next(i for i, record in enumerate(world.records) if record.startswith(mark)) for mark in step.marks)
        for step in recognise(scenario, names, world.records)
        if step.marks
    ]
    assert begins == sorted(begins)


@pytest.mark.parametrize("order", VipOrder)
@pytest.mark.parametrize(("scenario", "old"), CASES, ids=NAMES)
def test_each_vip_script_runs_once_per_switchover_and_never_for_a_backup_failure(scenario, old, order):
    world = play(scenario.name, old, voicemail_topology(vip_order=order))
    names = parts(world.solution.topology, old)
    assert world.scripts() == sorted(script.format(**names) for script in scenario.scripts)


SUPPLEMENTED = ("log 00-5150", "log 00-5151")
"""What the SCS says of every change of mode ([S2]); and 5151's alarm condition is needed here, too."""


@pytest.mark.parametrize(("scenario", "old"), CASES, ids=NAMES)
def test_nothing_but_the_documented_steps_is_done(scenario, old):
    world = play(scenario.name, old)
    names = parts(world.solution.topology, old)
    given = Counter(record for record in world.records if record.split()[0] in VERBS)
    documented = {mark.format(**names) for step in scenario.steps for mark in step.marks}
    beyond = {text.format(**names) for text in scenario.beyond}
    follow_ups = {  # the other half of each mutual reaction asks for what is done already, or pending
        f"alarm {names['sip_new']} primary",
        f"alarm {names['vm_new']} primary",
        f"reaction of {names['vm_new']} primary: to_primary {names['sip_new']}",
        f"reaction of {names['sip_new']} primary: to_primary {names['vm_new']}",
        f"reaction of {names['sip_new']} primary: disable_vip {names['old_host']}",
        f"alarm {names['sip_old']} backup",
        f"reaction of {names['sip_old']} backup: disable_vip {names['old_host']}",
    }
    if scenario.name == "host":
        for name in (names["rm_old"], names["mcp_old"]):
            for alarm in (f"{name} found terminated", f"{name} terminated"):
                follow_ups |= {f"alarm {alarm}", f"reaction of {alarm}: to_primary {names['sip_new']}"}
    extra = {text for text in given if not text.startswith(SUPPLEMENTED)} - documented - beyond - follow_ups
    assert extra == set()
    assert max(given.values(), default=1) == 1


@pytest.mark.parametrize(("name", "part", "pair"), [
    ("backup-vm-sip-server", "sip", "VM SIP Server"), ("backup-vm-server", "vm", "VM Server"),
    ("backup-rm", "rm", ""), ("backup-mcp", "mcp", ""),
])  # fmt: skip
@pytest.mark.parametrize("old", [1, 2])
def test_a_failure_on_the_backup_host_costs_redundancy_and_moves_nothing(name, part, pair, old):
    world = prior_to_switchover(Solution(voicemail_topology()), old)
    before, topology = world.solution.state, world.solution.topology
    fail, again = (act.format(**parts(topology, old)) for act in SCENARIOS[name].acts)
    world.act(fail)
    during = states_of(topology, world.solution.state)
    assert (f"{pair} no_redundancy_{old}" if pair else f"{parts(topology, old)[f'{part}_new']} down") in during
    assert world.solution.state.pending == ()
    world.act(again)
    world.happen(*(TimerFired(f"cancel {alarm.name}") for alarm in topology.alarms))
    assert world.solution.state == before
    assert [text for text in world.records if text.split()[0] in ("promote", "demote", *world.scripts())] == []


@pytest.mark.parametrize("old", [1, 2])
def test_a_host_that_returns_whole_as_primary_gives_everything_up(old):
    """[S1] warns of an IP conflict here; the alarm condition of [S2] for the new backup ends it."""
    world = play("host", old)
    names = parts(world.solution.topology, old)
    world.left_out = len(world.handled)
    world.act(f"return {names['old_host']}")
    assert {f"demote {names['sip_old']}", f"demote {names['vm_old']}"} <= set(world.records)
    assert world.scripts() == [f"disable_vip {names['old_host']}"]
    state = world.solution.state
    assert ([pair.state for pair in state.pairs], state.vip) == ([f"redundant_{3 - old}"] * 2, f"held_{3 - old}")
    assert f"announce_vip {names['new_host']}" in world.records


# The key notes of [S1]: the effects of the two other wirings.


@pytest.mark.parametrize("old", [1, 2])
@pytest.mark.parametrize("name", ["backup-rm", "backup-mcp"])
def test_vip_scripts_linked_to_monitored_components_run_needlessly_for_a_backup(name, old):
    def runs(wiring: str, reactions: ReactionPolicy) -> tuple[int, int]:
        """How many VIP scripts the reactions asked for, and how many ran."""
        world = play(name, old, voicemail_topology(wiring, reactions))
        asked = [text for text in world.records if text.startswith("reaction") and "able_vip" in text]
        return len(asked), len(world.scripts())

    assert runs("documented", ReactionPolicy.LITERAL) == (0, 0)
    assert runs("vip-on-monitored", ReactionPolicy.LITERAL) == (4, 2)  # by two alarms; at the second, both are pending
    assert runs("vip-on-monitored", ReactionPolicy.ONCE) == (4, 0)  # a script that has nothing to do is not run


@pytest.mark.parametrize("old", [1, 2])
def test_vip_scripts_linked_to_monitored_components_move_the_vip_alone(old):
    """With the other VM SIP Server down nothing can move; this wiring moves the VIP all the same."""

    def vip_after(wiring: str) -> str:
        world = prior_to_switchover(Solution(voicemail_topology(wiring)), old)
        names = parts(world.solution.topology, old)
        world.act(f"fail {names['sip_new']}")
        world.act(f"fail {names['rm_old']}")
        assert world.solution.state.pairs[0].state == f"no_redundancy_{old}"
        return world.solution.state.vip

    assert vip_after("documented") == f"held_{old}"
    assert vip_after("vip-on-monitored") == f"held_{3 - old}"


@pytest.mark.parametrize("old", [1, 2])
def test_vip_scripts_linked_to_the_vm_server_delay_the_vip_of_the_sip_server(old):
    """Counts the control commands that must end one after the other between the new primary and its VIP."""

    def commands_between(wiring: str) -> int:
        world = play("vm-sip-server", old, voicemail_topology(wiring))
        names = parts(world.solution.topology, old)
        primary = world.records.index(f"done promote {names['sip_new']}")
        served = world.records.index(f"enable_vip {names['new_host']}")
        return sum(text.startswith("done ") for text in world.records[primary + 1 : served])

    assert commands_between("documented") == 0
    assert commands_between("vip-on-vm-server") == 2  # the VM Server's demotion, and its peer's promotion


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("old", [1, 2])
def test_a_literal_alarm_that_is_latched_keeps_the_vip_from_moving_again(wiring, old):
    def vip_after_two(reactions: ReactionPolicy) -> str:
        world = prior_to_switchover(Solution(voicemail_topology(wiring, reactions)), old)
        names = parts(world.solution.topology, old)
        for name in (names["sip_new"], names["sip_old"], names["sip_new"]):
            world.act(f"switch {name}")
        return world.solution.state.vip

    assert vip_after_two(ReactionPolicy.ONCE) == f"held_{3 - old}"
    assert vip_after_two(ReactionPolicy.LITERAL) != f"held_{3 - old}"


# The placement gathers the pairs where reactions are not enough.


@pytest.mark.parametrize("old", [1, 2])
def test_separated_pairs_are_gathered_once_one_host_can_take_them_all(old):
    world = prior_to_switchover(Solution(voicemail_topology()), old)
    names = parts(world.solution.topology, old)
    world.act(f"fail {names['sip_new']}")
    world.act(f"fail {names['vm_old']}")
    state = world.solution.state
    assert [pair.state for pair in state.pairs] == [f"no_redundancy_{old}", f"no_redundancy_{3 - old}"]
    assert (state.placement, state.vip) == ("apart", f"held_{old}")
    world.act(f"start {names['sip_new']}")
    state = world.solution.state
    assert [pair.state for pair in state.pairs] == [f"redundant_{3 - old}", f"no_redundancy_{3 - old}"]
    assert (state.placement, state.vip) == (f"together_{3 - old}", f"held_{3 - old}")


@pytest.mark.parametrize("old", [1, 2])
def test_a_failure_on_both_hosts_is_handled_when_one_host_is_whole_again(old):
    world = prior_to_switchover(Solution(voicemail_topology()), old)
    names = parts(world.solution.topology, old)
    world.act(f"fail {names['rm_new']}")
    world.act(f"fail {names['rm_old']}")
    assert world.solution.state.placement == f"together_{old}", "nothing is gained by switching"
    world.act(f"start {names['rm_new']}")
    state = world.solution.state
    assert ([pair.state for pair in state.pairs], state.vip) == ([f"redundant_{3 - old}"] * 2, f"held_{3 - old}")


@pytest.mark.parametrize("old", [1, 2])
@pytest.mark.parametrize("asked", ["sip_new", "vm_new"])
def test_an_operator_cannot_switch_to_a_host_that_lacks_a_component(asked, old):
    world = prior_to_switchover(Solution(voicemail_topology()), old)
    names = parts(world.solution.topology, old)
    world.act(f"fail {names['mcp_new']}")
    before = world.solution.state
    world.act(f"switch {names[asked]}")
    assert world.solution.state == before
    assert world.solution.steps[0].decision.reason == "the other host can serve less: no switch to it"


def test_a_failed_attempt_to_gather_is_repeated_after_the_retry_time():
    world = prior_to_switchover(Solution(evolve(voicemail_topology(), alarms=())), 1)
    solution = world.solution
    solution.handle(SwitchoverRequested("VM_Server_2"))
    for _ in range(2):  # demote, promote
        commands = solution.handle(CommandSucceeded(solution.state.pending[0].id))
    assert solution.state.placement == "gathering_2", "the others follow the pair that was moved"
    assert describe_command(commands[-1]) == "demote VM_SIP_Server_1"
