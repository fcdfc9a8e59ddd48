"""Commands fail, results arrive in any order, requests change: the solution still comes to rest."""

from collections import Counter
from collections.abc import Iterator

import pytest
from attrs import define, field
from switchover.fsm import (
    AnnounceVip,
    ApplicationReported,
    Command,
    CommandFailed,
    CommandSucceeded,
    Demote,
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
    SolutionState,
    StartTimer,
    SwitchoverRequested,
    TimerFired,
    Topology,
    VipOrder,
    documented_alarms,
)
from switchover.fsm.records import describe_command

HOSTS = H1, H2 = "host1", "host2"
SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
A1, A2 = SIP.applications
P, B, D = Mode.PRIMARY, Mode.BACKUP, Mode.DOWN
FOR_HOSTS = Promote | Demote | EnableVip | DisableVip | AnnounceVip


def started(order: VipOrder) -> Solution:
    solution = Solution(Topology(HOSTS, (SIP,), documented_alarms(SIP.applications, HOSTS), order))
    solution.handle(HostConnected(H1, HostReport({A1: P}, vip_held=True)))
    solution.handle(HostConnected(H2, HostReport({A2: B}, vip_held=False)))
    (announce,) = solution.state.pending
    solution.handle(CommandSucceeded(announce.id))
    return solution


@define(eq=False)
class World:
    """Hosts that carry out every command at once; those in `failing`, counted from 0, fail.

    Timers run out when nothing else is left to happen, those of the alarms last. `given` lists the commands to hosts
    and the timers, except those of the alarms.
    """

    solution: Solution
    failing: frozenset[int] = frozenset()
    given: list[str] = field(factory=list)
    count: int = 0

    def happen(self, *events: Event) -> None:
        waiting, timers, of_alarms = list(events), [], []
        while queue := waiting or timers or of_alarms:
            for command in self.solution.handle(queue.pop(0)):
                if isinstance(command, StartTimer) and command.timer.startswith("cancel "):
                    of_alarms.append(TimerFired(command.timer))
                elif isinstance(command, StartTimer):
                    timers.append(TimerFired(command.timer))
                    self.given.append(command.timer)
                elif isinstance(command, FOR_HOSTS):
                    waiting.append(self.answer(command))

    def answer(self, command: Command) -> Event:
        fails = self.count in self.failing
        self.count += 1
        assert self.count < 50, "the solution never comes to rest"
        self.given.append(f"{describe_command(command)}{' FAILS' if fails else ''}")
        return CommandFailed(command.id, "exit status 1") if fails else CommandSucceeded(command.id)


def ends(state: SolutionState) -> tuple[str, str, tuple]:
    return state.pairs[0].state, state.vip, state.pending


INCIDENTS = {
    "manual": [SwitchoverRequested(A2)],
    "failure": [ApplicationReported(A1, D)],
    "reconnection": [
        HostLost(H1),
        HostConnected(H1, HostReport({A1: P}, vip_held=True)),
    ],  # once at rest
}


@pytest.mark.parametrize(
    "failing", [(), *((k,) for k in range(8)), (0, 1), (1, 2), (2, 3), (3, 4), (2, 3, 4, 5)], ids=str
)
@pytest.mark.parametrize("incident", INCIDENTS)
@pytest.mark.parametrize("order", VipOrder)
def test_whichever_commands_fail_the_vip_ends_up_at_the_primary(order, incident, failing):
    world = World(started(order), frozenset(failing))
    for event in INCIDENTS[incident]:
        world.happen(event)
    pair, vip, pending = ends(world.solution.state)
    side = pair[-1]
    redundancy = "no_redundancy" if incident == "failure" else "redundant"
    assert (pair, vip, pending) == (f"{redundancy}_{side}", f"held_{side}", ())
    assert side == "2" or incident == "manual", "only a manual switchover may be given up"
    assert world.solution.state.pairs[0].modes[int(side) - 1] is P
    assert world.solution.state.vip_held == (side == "1", side == "2")


DISABLE, ENABLE, ANNOUNCE = "disable_vip host1", "enable_vip host2", "announce_vip host2"
RETRY, DRAIN = "retry VIP", "drain VIP"
SCRIPTS = {
    ("together", ""): [DISABLE, ENABLE, ANNOUNCE],
    ("together", DISABLE): [f"{DISABLE} FAILS", ENABLE, RETRY, DISABLE, ANNOUNCE],
    # The release is confirmed first, so the VIP is announced: in vain, because host2 does not hold it yet.
    ("together", ENABLE): [DISABLE, f"{ENABLE} FAILS", ANNOUNCE, RETRY, ENABLE],
    ("disable-first", ""): [DISABLE, ENABLE],
    # Service comes first: the release fails, and the VIP is enabled on the new host all the same.
    ("disable-first", DISABLE): [f"{DISABLE} FAILS", ENABLE, RETRY, DISABLE, ANNOUNCE],
    ("disable-first", ENABLE): [DISABLE, f"{ENABLE} FAILS", RETRY, ENABLE],
    ("enable-first", ""): [ENABLE, DRAIN, DISABLE, ANNOUNCE],
    ("enable-first", DISABLE): [ENABLE, DRAIN, f"{DISABLE} FAILS", ANNOUNCE, RETRY, DISABLE, ANNOUNCE],
    # The old holder keeps the VIP until the new one has it.
    ("enable-first", ENABLE): [f"{ENABLE} FAILS", RETRY, ENABLE, DRAIN, DISABLE, ANNOUNCE],
}


@pytest.mark.parametrize(("order", "fails"), SCRIPTS, ids=str)
def test_the_scripts_that_a_manual_switchover_runs_when_one_of_them_fails_once(order, fails):
    undisturbed = World(started(VipOrder(order)))
    undisturbed.happen(SwitchoverRequested(A2))
    modes = [f"demote {A1}", f"promote {A2}"]
    assert undisturbed.given[:2] == modes
    failing = frozenset({[t for t in undisturbed.given if t != DRAIN].index(fails)} if fails else ())
    world = World(started(VipOrder(order)), failing)
    world.happen(SwitchoverRequested(A2))
    assert world.given == [*modes, *SCRIPTS[order, fails]]


def test_a_promotion_that_fails_is_tried_again_after_the_configured_time():
    solution = started(VipOrder.TOGETHER)
    (promote,) = solution.handle(ApplicationReported(A1, D))
    for _ in range(3):
        assert solution.handle(CommandFailed(promote.id, "no licence")) == (StartTimer("retry SIP Server", 1000),)
        assert solution.state.pending == ()
        (promote,) = solution.handle(TimerFired("retry SIP Server"))
        assert promote == Promote(H2, A2)


def test_if_one_backup_cannot_be_promoted_the_other_one_is():
    solution = started(VipOrder.TOGETHER)
    (promote,) = solution.handle(ApplicationReported(A1, B))
    tried = [promote]
    for _ in range(3):
        solution.handle(CommandFailed(promote.id, "no licence"))
        (promote,) = solution.handle(TimerFired("retry SIP Server"))
        tried.append(promote)
    assert tried == [Promote(H1, A1), Promote(H2, A2), Promote(H1, A1), Promote(H2, A2)]


def test_a_loser_that_cannot_be_demoted_loses_the_vip_and_is_demoted_again_later():
    """A weakness that the core admits: there is no fencing."""
    world = World(started(VipOrder.TOGETHER))
    world.happen(HostLost(H1))
    (demote,) = world.solution.handle(HostConnected(H1, HostReport({A1: P}, vip_held=True)))
    failure = world.solution.handle(CommandFailed(demote.id, "it hangs"))
    assert (demote, failure) == (Demote(H1, A1), (StartTimer("retry SIP Server", 1000), DisableVip(H1)))
    assert world.solution.handle(TimerFired("retry SIP Server")) == (Demote(H1, A1),)


# Answers in any order


@define(eq=False)
class Answers:
    """The events still to come from each source, in its own order: the two hosts, and the timers.

    The alarms' timers are left out: they run out long after the last answer.
    """

    solution: Solution
    queues: dict[str, list[Event]] = field(factory=lambda: {H1: [], H2: [], "timers": []})
    given: list[Command] = field(factory=list)

    def handle(self, event: Event) -> None:
        for command in self.solution.handle(event):
            if isinstance(command, StartTimer) and not command.timer.startswith("cancel "):
                self.queues["timers"].append(TimerFired(command.timer))
            elif isinstance(command, FOR_HOSTS):
                self.given.append(command)
                self.queues[command.host].append(CommandSucceeded(command.id))

    def copy(self) -> "Answers":
        queues = {source: list(events) for source, events in self.queues.items()}
        return Answers(Solution(self.solution.topology, self.solution.state), queues, list(self.given))


def every_ending(answers: Answers) -> Iterator[Answers]:
    """Play every order in which the answers can arrive; each source keeps its own order."""
    sources = [source for source, events in answers.queues.items() if events]
    if not sources:
        yield answers
    for source in sources:
        branch = answers.copy()
        branch.handle(branch.queues[source].pop(0))
        yield from every_ending(branch)


@pytest.mark.parametrize("order", VipOrder)
@pytest.mark.parametrize("incident", ["manual", "failure"])
def test_in_every_order_of_answers_each_script_runs_once_with_the_same_end(incident, order):
    answers = Answers(started(order))
    answers.handle(*INCIDENTS[incident])
    endings = list(every_ending(answers))
    assert len(endings) >= (2 if order is VipOrder.TOGETHER else 1)
    redundancy = "no_redundancy" if incident == "failure" else "redundant"
    assert {ends(ending.solution.state) for ending in endings} == {(f"{redundancy}_2", "held_2", ())}
    for ending in endings:
        count = Counter(map(describe_command, ending.given))
        assert count.pop(ANNOUNCE, 0) <= 1
        assert count == Counter([*([f"demote {A1}"] if incident == "manual" else []), f"promote {A2}", DISABLE, ENABLE])


@pytest.mark.parametrize("order", VipOrder)
def test_the_latest_request_counts_in_every_order_of_answers(order):
    """The new primary fails while the VIP is on its way to it, and the old one is up again: the VIP turns back."""
    answers = Answers(started(order))
    for event in (ApplicationReported(A1, D), *answers.queues[H2]):
        answers.handle(event)
    answers.handle(answers.queues[H2].pop(0))  # the promotion; the scripts are under way
    assert answers.solution.state.pairs[0].state == "no_redundancy_2"
    under_way = answers.solution.state.vip
    assert under_way in ("moving_2", "clearing_2", "covering_2")
    for event in (ApplicationReported(A1, B), ApplicationReported(A2, D)):
        answers.handle(event)
    endings = list(every_ending(answers))
    assert len(endings) > (0 if order is VipOrder.DISABLE_FIRST else 1)
    for ending in endings:
        assert ends(ending.solution.state) == ("no_redundancy_1", "held_1", ())
        assert ending.solution.state.vip_held == (True, False)
        last = {command.host: command for command in ending.given if isinstance(command, EnableVip | DisableVip)}
        assert (last.get(H1, EnableVip(H1)), last.get(H2, DisableVip(H2))) == (EnableVip(H1), DisableVip(H2))


def test_every_pair_can_switch_the_others_follow_and_the_vip_follows_one_of_them():
    voicemail = Pair("VM Server", ("VM_Server_1", "VM_Server_2"))
    solution = Solution(Topology(HOSTS, (voicemail, SIP), documented_alarms(SIP.applications, HOSTS)))
    for host, mode, vm in ((H1, P, "VM_Server_1"), (H2, B, "VM_Server_2")):
        name = SIP.applications[HOSTS.index(host)]
        solution.handle(HostConnected(host, HostReport({name: mode, vm: mode}, vip_held=mode is P)))
    world = World(solution)
    world.happen(*(CommandSucceeded(command.id) for command in solution.state.pending))
    world.happen(SwitchoverRequested("VM_Server_2"))
    modes = ["demote VM_Server_1", "promote VM_Server_2", f"demote {A1}", f"promote {A2}"]
    assert world.given == [*modes, DISABLE, ENABLE, ANNOUNCE]
    assert [pair.state for pair in solution.state.pairs] == ["redundant_2", "redundant_2"]
    world.happen(SwitchoverRequested(A1))
    assert world.given[7:] == [
        *(f"demote {A2}", f"promote {A1}"),
        *("disable_vip host2", "enable_vip host1", "demote VM_Server_2"),
        *("announce_vip host1", "promote VM_Server_1"),
    ]
    assert [pair.state for pair in solution.state.pairs] == ["redundant_1", "redundant_1"]
