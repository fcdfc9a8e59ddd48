"""After its own restart the agent adopts what the hosts really look like, before it commands anything.

Every combination of modes and VIP that two hosts can report is played, in both orders of connection. The expected
primary comes from `expected_primary`, which does not use the tables: it follows the rules of [S2] and of the design.
"""

import itertools

import pytest
from attrs import define, field
from switchover.fsm import (
    AnnounceVip,
    Command,
    CommandSucceeded,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostConnected,
    HostFellSilent,
    HostLost,
    HostReport,
    Mode,
    Pair,
    Promote,
    Solution,
    StartTimer,
    TimerFired,
    Topology,
    VipOrder,
    documented_alarms,
)

HOSTS = ("host1", "host2")
SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
MODES = P, B, D = Mode.PRIMARY, Mode.BACKUP, Mode.DOWN
SETTLED = TimerFired("settle SIP Server")


@define(eq=False)
class World:
    """Two hosts that carry out every command at once. `two_primaries` counts commands that made a second primary."""

    order: VipOrder
    modes: list[Mode]
    vip: list[bool]
    primary_for_ms: tuple[int, int] = (0, 0)
    given: list[Command] = field(factory=list)
    announced_by: str = ""
    two_primaries: int = 0
    solution: Solution = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.solution = Solution(Topology(HOSTS, (SIP,), documented_alarms(SIP.applications, HOSTS), self.order))

    def report(self, side: int) -> HostConnected:
        name = SIP.applications[side - 1]
        report = HostReport({name: self.modes[side - 1]}, self.vip[side - 1], {name: self.primary_for_ms[side - 1]})
        return HostConnected(HOSTS[side - 1], report)

    def happen(self, *events: Event) -> None:
        waiting = list(events)
        while waiting:
            for command in self.solution.handle(waiting.pop(0)):
                waiting += self.carry_out(command)

    def let_alarms_end(self) -> None:
        """The cancel timeout of every alarm is over."""
        self.happen(*(TimerFired(f"cancel {alarm.name}") for alarm in self.solution.topology.alarms))

    def carry_out(self, command: Command) -> list[Event]:
        self.given.append(command)
        if command == StartTimer("drain VIP", after_ms=20):
            return [TimerFired("drain VIP")]
        if not isinstance(command, Promote | Demote | EnableVip | DisableVip | AnnounceVip):
            return []
        index = HOSTS.index(command.host)
        match command:
            case Promote():
                self.modes[index] = P
                self.two_primaries += self.modes == [P, P]
            case Demote():
                self.modes[index] = B
            case EnableVip():
                self.vip[index], self.announced_by = True, command.host
            case DisableVip():
                self.vip[index] = False
            case AnnounceVip():
                self.announced_by = command.host
        return [CommandSucceeded(command.id)]


def expected_primary(modes: tuple[Mode, Mode], vip: tuple[bool, bool], primary_for_ms: tuple[int, int]) -> int | None:
    """The index of the side that must be primary in the end: the only candidate, or the winner of the tie.

    A primary stays; without one a backup is promoted; of two equal ones the VIP's only holder wins, then the one that
    has been primary for longer, then the first.
    """
    candidates = [index for index in (0, 1) if modes[index] is P] or [i for i in (0, 1) if modes[i] is B]
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    if vip[0] != vip[1]:
        return vip.index(True)
    return 1 if primary_for_ms[1] > primary_for_ms[0] else 0


FOUND = list(itertools.product(itertools.product(MODES, MODES), itertools.product((True, False), repeat=2)))
NAMES = [f"{m1}+{m2}-vip{'1' * v1}{'2' * v2}" for (m1, m2), (v1, v2) in FOUND]


@pytest.mark.parametrize("primary_for_ms", [(0, 0), (5, 9), (9, 5)], ids=str)
@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("order", VipOrder)
@pytest.mark.parametrize(("modes", "vip"), FOUND, ids=NAMES)
def test_whatever_both_hosts_report_one_becomes_primary_and_gets_the_vip(modes, vip, order, first, primary_for_ms):
    world = World(order, list(modes), list(vip), primary_for_ms)
    world.happen(world.report(first), world.report(3 - first), SETTLED)
    primary = expected_primary(modes, vip, primary_for_ms)
    state = world.solution.state
    assert (world.two_primaries, state.pending) == (0, ())
    if primary is None:
        assert (world.modes, state.pairs[0].state) == ([D, D], "out_of_service")
        assert world.vip.count(True) <= 1
        return
    other = B if D not in modes else D
    assert world.modes == [P, other][:: 1 if primary == 0 else -1]
    assert world.vip == [primary == 0, primary == 1]
    assert world.announced_by == HOSTS[primary]
    assert state.pairs[0].state == f"{'redundant' if other is B else 'no_redundancy'}_{primary + 1}"
    assert state.vip == f"held_{primary + 1}"


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize(("modes", "vip"), FOUND, ids=NAMES)
def test_a_running_solution_only_has_its_vip_announced_again(modes, vip, first):
    """A running solution is not disturbed by a restart of its controller: no mode and no address changes."""
    world = World(VipOrder.TOGETHER, list(modes), list(vip))
    world.happen(world.report(first), world.report(3 - first), SETTLED)
    changes = [command for command in world.given if isinstance(command, Promote | Demote | EnableVip | DisableVip)]
    sound = any(modes[i] is P and modes[1 - i] is not P and vip[i] and not vip[1 - i] for i in (0, 1))
    nothing_to_save = modes == (D, D) and vip != (True, True)
    assert (changes == []) == (sound or nothing_to_save)


@pytest.mark.parametrize("vip", list(itertools.product((True, False), repeat=2)), ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("why", ["it never came", "it was lost"])
def test_a_host_alone_is_not_promoted_before_the_other_host_is_lost(why, side, mode, vip):
    world = World(VipOrder.TOGETHER, [mode, mode], list(vip))
    world.happen(world.report(side))
    if mode is not P:
        assert [command for command in world.given if not isinstance(command, StartTimer)] == []
    world.happen(SETTLED if why == "it never came" else HostLost(HOSTS[2 - side]))
    here = HOSTS[side - 1]
    pair = {P: "peer_lost", B: "peer_lost", D: "cut_off"}[mode]
    assert world.solution.state.pairs[0].state == f"{pair}_{side}"
    assert world.modes[side - 1] is (D if mode is D else P)
    if mode is not D:
        assert (world.vip[side - 1], world.solution.state.vip) == (True, f"owed_{side}")
    assert {command.host for command in world.given if isinstance(command, Promote | EnableVip)} <= {here}


@pytest.mark.parametrize("vip", list(itertools.product((True, False), repeat=2)), ids=str)
@pytest.mark.parametrize(
    ("modes", "order"), list(itertools.product(itertools.product(MODES, MODES), VipOrder)), ids=str
)
def test_a_host_that_connects_late_takes_nothing_from_the_primary(modes, order, vip):
    """The first host was alone when the settle time was over; the host that connects later becomes the backup."""
    world = World(order, list(modes), list(vip))
    world.happen(world.report(1), SETTLED)
    assert world.two_primaries == (modes == (B, P))  # the lost host may be primary: the agent cannot know it
    world.happen(world.report(2))
    assert (world.two_primaries, world.solution.state.pending) == (modes == (B, P), ())
    if modes != (D, D):
        primary = 0 if modes[0] is not D else 1
        assert [mode is P for mode in world.modes] == [primary == 0, primary == 1]
        assert world.vip == [primary == 0, primary == 1]


@pytest.mark.parametrize("back", [1, 2])
@pytest.mark.parametrize(("modes", "vip"), FOUND, ids=NAMES)
def test_a_blind_agent_adopts_the_hosts_as_it_does_after_a_restart(modes, vip, back):
    world = World(VipOrder.TOGETHER, [P, B], [True, False])
    world.happen(world.report(1), world.report(2))
    world.happen(*(HostFellSilent(host) for host in HOSTS), *(HostLost(host) for host in HOSTS))
    assert world.solution.state.pairs[0].state == world.solution.state.vip == "out_of_sight"
    world.modes, world.vip = list(modes), list(vip)
    restarted = World(VipOrder.TOGETHER, list(modes), list(vip))
    for each in (world, restarted):
        each.happen(each.report(back), each.report(3 - back))
        each.let_alarms_end()
    assert (world.solution.state, world.modes, world.vip) == (restarted.solution.state, restarted.modes, restarted.vip)
