"""Once the faults stop, the solution heals: every primary is on one host, and the VIP only there.

A small world (two hosts with their applications, ordered links, commands and reports that take their time, scripts
that fail) is driven at random, from a seed, with the core in charge. This samples what a full exploration would cover.
"""

import random
from collections import deque

import pytest
from attrs import define, evolve, field
from support.topologies import HOSTS, TAKEOVER, VOICEMAIL
from switchover.fsm import (
    LOG_MESSAGES,
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLost,
    HostReport,
    LogMessageReceived,
    LookAt,
    LookAtVip,
    Mode,
    Promote,
    Solution,
    StartTimer,
    SwitchoverRequested,
    TimerFired,
    Topology,
    VipOrder,
    VipReported,
)

pytestmark = pytest.mark.no_cover  # counting lines doubles the time, and other tests cover the same lines

SOLUTIONS = {"sip": TAKEOVER, "voicemail": VOICEMAIL}


@define(eq=False)
class Host:
    name: str
    modes: dict[str, Mode]
    monitored: frozenset[str]
    vip: bool = False
    reachable: bool = True
    link: str = "down"  # down, up or silent, as the agent's driver has reported it
    inbox: deque = field(factory=deque)
    outbox: deque = field(factory=deque)

    def report(self) -> HostReport:
        return HostReport(dict(self.modes), self.vip, dict.fromkeys(self.modes, 0))

    def runs(self, application: str) -> Mode:
        """The mode in which an application starts."""
        return Mode.UP if application in self.monitored else Mode.BACKUP

    def carry_out(self, command, how: type[CommandFailed | CommandTimedOut | CommandUnclear] | None) -> None:
        """Carry out a command and report success, or report `how`. Nothing is done if `how` is `CommandFailed`."""
        impossible = isinstance(command, Promote | Demote) and self.modes[command.application] is Mode.DOWN
        if how is CommandFailed or impossible:
            self.outbox.append(CommandFailed(command.id, "it failed"))
            return
        match command:
            case Promote():
                self.modes[command.application] = Mode.PRIMARY
            case Demote():
                self.modes[command.application] = Mode.BACKUP
            case LookAt():
                self.outbox.append(ApplicationReported(command.application, self.modes[command.application]))
            case LookAtVip():
                self.outbox.append(VipReported(self.name, self.vip))
            case EnableVip():
                self.vip = True
            case DisableVip():
                self.vip = False
        self.outbox.append(how(command.id, "it may be done") if how else CommandSucceeded(command.id))


@define(eq=False)
class World:
    topology: Topology
    chance: random.Random
    hosts: list[Host] = field(init=False)
    timers: dict[str, None] = field(factory=dict)  # in order: the order of a set differs from run to run
    story: list[str] = field(factory=list)
    announced_by: str = ""
    solution: Solution = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.solution = Solution(self.topology)
        monitored = frozenset(name for pair in self.topology.monitored for name in pair.applications)
        self.hosts = []
        for side, name in enumerate(HOSTS):
            applications = [pair.applications[side] for pair in self.topology.components]
            modes = {each: Mode.UP if each in monitored else Mode.BACKUP for each in applications}
            self.hosts.append(Host(name, modes, monitored))

    def handle(self, event: Event) -> None:
        self.story.append(f"{event}")
        for command in self.solution.handle(event):
            self.story.append(f"    {command}")
            if isinstance(command, StartTimer):
                self.timers[command.timer] = None
            elif isinstance(command, HostCommand):
                self.hosts[HOSTS.index(command.host)].inbox.append(command)

    def ordinary_steps(self):
        """What can happen next without a fault: messages arrive, commands are carried out, links and timers work."""
        for host in self.hosts:
            if host.link != "down" and host.reachable and host.outbox:
                yield lambda host=host: self.handle(host.outbox.popleft())
            if host.inbox and (host.reachable or host.link == "down"):
                yield lambda host=host: self.carry_out(host)
            if not host.reachable and host.link == "up":
                yield lambda host=host: self.set_link(host, "silent", HostFellSilent(host.name))
            if not host.reachable and host.link == "silent":
                yield lambda host=host: self.lose(host)
            if host.reachable and host.link == "silent":
                yield lambda host=host: self.set_link(host, "up", HostHeard(host.name))
            if host.reachable and host.link == "down":
                yield lambda host=host: self.connect(host)
        for timer in list(self.timers):
            yield lambda timer=timer: (self.timers.pop(timer), self.handle(TimerFired(timer)))

    def faults(self):
        """What the outside world may do at any moment."""
        yield self.restart_agent
        message, application = self.chance.choice(list(LOG_MESSAGES)), self.chance.choice(self.topology.applications)
        yield lambda: self.handle(LogMessageReceived(message, application))
        for host in self.hosts:
            for application, mode in host.modes.items():
                other = Mode.DOWN if mode is not Mode.DOWN else host.runs(application)
                yield lambda host=host, name=application, mode=other: self.change_mode(host, name, mode)
                if application not in host.monitored:
                    yield lambda name=application: self.handle(SwitchoverRequested(name))
            yield lambda host=host: setattr(host, "reachable", not host.reachable)
            yield lambda host=host: self.change_vip(host)
            if host.inbox and host.reachable:
                for how in (CommandFailed, CommandTimedOut, CommandUnclear):
                    yield lambda host=host, how=how: self.carry_out(host, how)

    def carry_out(self, host: Host, how: type[CommandFailed | CommandTimedOut | CommandUnclear] | None = None) -> None:
        command = host.inbox.popleft()
        self.story.append(f"  {host.name} carries out {command}: {how.__name__ if how else 'CommandSucceeded'}")
        host.carry_out(command, how)
        if isinstance(command, EnableVip | AnnounceVip) and how is not CommandFailed and host.vip and host.reachable:
            self.announced_by = host.name  # a host announces only a VIP that it holds

    def restart_agent(self) -> None:
        """It knows nothing then, and the commands on its connections are lost with them."""
        self.story.append("the agent restarts")
        self.solution = Solution(self.topology)
        self.timers.clear()
        for host in self.hosts:
            host.link = "down"
            host.inbox.clear()
            host.outbox.clear()

    def set_link(self, host: Host, link: str, event: Event) -> None:
        host.link = link
        self.handle(event)

    def lose(self, host: Host) -> None:
        host.inbox.clear()  # commands waiting in a dropped connection are never carried out
        host.outbox.clear()
        self.set_link(host, "down", HostLost(host.name))

    def connect(self, host: Host) -> None:
        host.outbox.clear()
        self.set_link(host, "up", HostConnected(host.name, host.report()))

    def change_mode(self, host: Host, application: str, mode: Mode) -> None:
        host.modes[application] = mode
        self.story.append(f"  {application} is {mode}")
        host.outbox.append(ApplicationReported(application, mode))

    def change_vip(self, host: Host) -> None:
        host.vip = not host.vip
        self.story.append(f"  the VIP on {host.name}: {host.vip}")
        host.outbox.append(VipReported(host.name, host.vip))

    def heal(self) -> None:
        """The faults stop: all networks and applications work, and the hosts go on until nothing is left to do."""
        self.story.append("the faults stop")
        for host in self.hosts:
            host.reachable = True
            for application in [name for name, mode in host.modes.items() if mode is Mode.DOWN]:
                self.change_mode(host, application, host.runs(application))
        for _ in range(1000):
            steps = list(self.ordinary_steps())
            if not steps:
                return
            self.chance.choice(steps)()
        raise AssertionError("it never comes to rest")


@pytest.mark.parametrize("order", VipOrder)
@pytest.mark.parametrize("seed", range(400))
@pytest.mark.parametrize("name", SOLUTIONS)
def test_once_the_faults_stop_the_solution_heals(name, seed, order):
    chance = random.Random(seed)  # noqa: S311  # reproducible, not secret
    world = World(evolve(SOLUTIONS[name], vip_order=order), chance)
    try:
        for _ in range(60):
            steps = list(world.faults() if chance.random() < 0.25 else world.ordinary_steps())
            if steps:
                chance.choice(steps)()
        world.heal()
        assert_healed(world)
    except BaseException:
        print("\n".join(world.story[-120:]))
        raise


def assert_healed(world: World) -> None:
    """All primaries and the VIP are on one host, the core knows it, and nothing is pending."""
    state, topology = world.solution.state, world.topology
    side = state.pairs[0].state[-1]
    here, there = world.hosts[int(side) - 1], world.hosts[2 - int(side)]
    assert (state.links, [pair.state for pair in state.pairs], state.vip, state.placement, state.pending) == (
        ("connected", "connected"),
        [f"redundant_{side}"] * len(topology.pairs),
        f"held_{side}",
        f"together_{side}",
        (),
    )
    assert all(here.modes[pair.applications[int(side) - 1]] is Mode.PRIMARY for pair in topology.pairs)
    assert all(there.modes[pair.applications[2 - int(side)]] is Mode.BACKUP for pair in topology.pairs)
    assert (here.vip, there.vip, world.announced_by) == (True, False, here.name)
