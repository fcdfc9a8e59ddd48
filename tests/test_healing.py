"""Whatever happens, once the faults stop the solution heals: one primary, one backup, the VIP at the primary alone.

A small world (two hosts with one application each, ordered links, commands and reports that take their time, scripts
that fail) is driven at random, from a seed, with the core in charge. This samples what a full exploration would cover.
"""

import random
from collections import deque

import pytest
from attrs import define, field
from switchover.fsm import (
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
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
    VipReported,
    documented_alarms,
)

HOSTS = ("host1", "host2")
SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))


@define(eq=False)
class Host:
    name: str
    application: str
    mode: Mode = Mode.BACKUP
    vip: bool = False
    reachable: bool = True
    link: str = "down"  # down, up or silent: what the agent's driver has told
    inbox: deque = field(factory=deque)
    outbox: deque = field(factory=deque)

    def report(self) -> HostReport:
        return HostReport({self.application: self.mode}, self.vip, {self.application: 0})

    def carry_out(self, command, fail: bool) -> None:
        impossible = isinstance(command, Promote | Demote) and self.mode is Mode.DOWN
        if fail or impossible:
            self.outbox.append(CommandFailed(command.id, "it failed"))
            return
        match command:
            case Promote():
                self.mode = Mode.PRIMARY
            case Demote():
                self.mode = Mode.BACKUP
            case EnableVip():
                self.vip = True
            case DisableVip():
                self.vip = False
        self.outbox.append(CommandSucceeded(command.id))


@define(eq=False)
class World:
    order: VipOrder
    chance: random.Random
    hosts: list[Host] = field(factory=lambda: [Host(h, a) for h, a in zip(HOSTS, SIP.applications, strict=True)])
    timers: set[str] = field(factory=set)
    story: list[str] = field(factory=list)
    announced_by: str = ""
    solution: Solution = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.solution = Solution(Topology(HOSTS, (SIP,), documented_alarms(SIP.applications, HOSTS), self.order))

    def tell(self, event: Event) -> None:
        self.story.append(f"{event}")
        for command in self.solution.handle(event):
            self.story.append(f"    {command}")
            if isinstance(command, StartTimer):
                self.timers.add(command.timer)
            elif isinstance(command, Promote | Demote | EnableVip | DisableVip | AnnounceVip):
                self.hosts[HOSTS.index(command.host)].inbox.append(command)

    def ordinary_steps(self):
        """What can happen next without a fault: messages arrive, commands are carried out, links and timers work."""
        for host in self.hosts:
            if host.link != "down" and host.reachable and host.outbox:
                yield lambda host=host: self.tell(host.outbox.popleft())
            if host.inbox and (host.reachable or host.link == "down"):
                yield lambda host=host: self.carry_out(host, fail=False)
            if not host.reachable and host.link == "up":
                yield lambda host=host: self.set_link(host, "silent", HostFellSilent(host.name))
            if not host.reachable and host.link == "silent":
                yield lambda host=host: self.lose(host)
            if host.reachable and host.link == "silent":
                yield lambda host=host: self.set_link(host, "up", HostHeard(host.name))
            if host.reachable and host.link == "down":
                yield lambda host=host: self.connect(host)
        for timer in self.timers:
            yield lambda timer=timer: (self.timers.discard(timer), self.tell(TimerFired(timer)))

    def faults(self):
        """What the outside world may do at any moment."""
        for host in self.hosts:
            if host.mode is not Mode.DOWN:
                yield lambda host=host: self.change_mode(host, Mode.DOWN)
            else:
                yield lambda host=host: self.change_mode(host, Mode.BACKUP)
            yield lambda host=host: setattr(host, "reachable", not host.reachable)
            yield lambda host=host: self.tell(SwitchoverRequested(host.application))
            yield lambda host=host: self.change_vip(host)
            if host.inbox and host.reachable:
                yield lambda host=host: self.carry_out(host, fail=True)

    def carry_out(self, host: Host, fail: bool) -> None:
        command = host.inbox.popleft()
        self.story.append(f"  {host.name} {'fails' if fail else 'does'} {command}")
        if isinstance(command, EnableVip | AnnounceVip) and not fail and host.reachable:
            self.announced_by = host.name
        host.carry_out(command, fail)

    def set_link(self, host: Host, link: str, event: Event) -> None:
        host.link = link
        self.tell(event)

    def lose(self, host: Host) -> None:
        host.inbox.clear()  # what waits in a dropped connection is never carried out
        host.outbox.clear()
        self.set_link(host, "down", HostLost(host.name))

    def connect(self, host: Host) -> None:
        host.outbox.clear()
        self.set_link(host, "up", HostConnected(host.name, host.report()))

    def change_mode(self, host: Host, mode: Mode) -> None:
        host.mode = mode
        self.story.append(f"  {host.application} is {mode}")
        host.outbox.append(ApplicationReported(host.application, mode))

    def change_vip(self, host: Host) -> None:
        host.vip = not host.vip
        self.story.append(f"  the VIP on {host.name}: {host.vip}")
        host.outbox.append(VipReported(host.name, host.vip))

    def heal(self) -> None:
        """The faults stop: every network works, every application runs, and all goes on until nothing is left to do."""
        self.story.append("the faults stop")
        for host in self.hosts:
            host.reachable = True
            if host.mode is Mode.DOWN:
                self.change_mode(host, Mode.BACKUP)
        for _ in range(1000):
            steps = list(self.ordinary_steps())
            if not steps:
                return
            self.chance.choice(steps)()
        raise AssertionError("it never comes to rest")


@pytest.mark.parametrize("order", VipOrder)
@pytest.mark.parametrize("seed", range(400))
def test_once_the_faults_stop_the_solution_heals(seed, order):
    chance = random.Random(seed)  # noqa: S311  # reproducible, not secret
    world = World(order, chance)
    try:
        for _ in range(60):
            steps = list(world.faults() if chance.random() < 0.25 else world.ordinary_steps())
            if steps:
                chance.choice(steps)()
        world.heal()
        state = world.solution.state
        side = state.pairs[0].state[-1]
        assert (state.links, state.pairs[0].state, state.vip, state.pending) == (
            ("connected", "connected"),
            f"redundant_{side}",
            f"held_{side}",
            (),
        )
        here, there = world.hosts[int(side) - 1], world.hosts[2 - int(side)]
        assert (here.mode, there.mode, here.vip, there.vip) == (Mode.PRIMARY, Mode.BACKUP, True, False)
        assert world.announced_by == here.name
    except BaseException:
        print("\n".join(world.story[-80:]))
        raise
