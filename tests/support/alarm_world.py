"""The hosts of the documents, carrying out commands at once, for the tests of alarm conditions."""

from typing import Any

from attrs import define, evolve, field
from switchover.fsm import (
    ActivateAlarm,
    Command,
    CommandSucceeded,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostReport,
    Mode,
    Pair,
    ReactionPolicy,
    Solution,
    StartTimer,
    TimerFired,
    Topology,
    TriggerReaction,
    documented_alarms,
)

HOSTS = H1, H2 = "host1", "host2"
SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
A1, A2 = SIP.applications
P1, P2 = f"{A1} primary", f"{A2} primary"
ONCE, LITERAL = ReactionPolicy.ONCE, ReactionPolicy.LITERAL
FAR_TOO_LONG = 48 * 3600 * 1000
"""The cancel timeout of the predefined alarm conditions, which nobody waits for."""


def takeover(reactions: ReactionPolicy = ONCE, **changes: Any) -> Topology:
    """The wiring of [S2], with these changes of the alarms for the primary mode."""
    alarms = documented_alarms(SIP.applications, HOSTS)
    changed = tuple(evolve(alarm, **changes) if alarm.name in (P1, P2) else alarm for alarm in alarms)
    return Topology(HOSTS, (SIP,), changed, reactions=reactions)


@define(eq=False)
class World:
    """Hosts that carry out commands at once; the drain is over at once, and no other timer runs out by itself."""

    topology: Topology
    solution: Solution = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.solution = Solution(self.topology)

    def happen(self, *events: Event) -> list[Command]:
        """Handle these events and their results; return all commands in order."""
        waiting, given = list(events), []
        while waiting:
            commands = self.solution.handle(waiting.pop(0))
            given += commands
            waiting += [CommandSucceeded(command.id) for command in commands if isinstance(command, HostCommand)]
            waiting += [TimerFired("drain VIP") for command in commands if command == StartTimer("drain VIP", 20)]
        return given

    def alarm(self, name: str) -> str:
        """The state of an alarm condition."""
        return dict(zip([alarm.name for alarm in self.topology.alarms], self.solution.state.alarms, strict=True))[name]


def reports(topology: Topology) -> list[HostConnected]:
    """Everything runs, and the first host is the primary one."""
    modes = {H1: {}, H2: {}}
    for pair in topology.pairs:
        for host, name, mode in zip(HOSTS, pair.applications, (Mode.PRIMARY, Mode.BACKUP), strict=True):
            modes[host][name] = mode
    for pair in topology.monitored:
        for host, name in zip(HOSTS, pair.applications, strict=True):
            modes[host][name] = Mode.UP
    return [HostConnected(host, HostReport(modes[host], vip_held=host == H1)) for host in HOSTS]


def started(topology: Topology) -> World:
    """The normal state after a long time: the alarms that were activated at the first reports are cancelled."""
    world = World(topology)
    world.happen(*reports(topology))
    world.happen(*(TimerFired(f"cancel {alarm.name}") for alarm in topology.alarms))
    assert set(world.solution.state.alarms) == {"clear"}
    return world


def scripts(commands: list[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, EnableVip | DisableVip)]


def activated(commands: list[Command]) -> list[str]:
    return [command.alarm for command in commands if isinstance(command, ActivateAlarm)]


def reacted(commands: list[Command]) -> list[str]:
    return [command.alarm for command in commands if isinstance(command, TriggerReaction)]
