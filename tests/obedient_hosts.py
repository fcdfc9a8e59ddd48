"""A world for tests in which hosts do what they are told and the drain is over, at once; it records all that passes."""

from attrs import define, field
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    Event,
    HostCommand,
    HostConnected,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    Solution,
    StartTimer,
    SwitchoverRequested,
    TimerFired,
    Topology,
    describe_command,
    describe_event,
    describe_step,
)


@define
class ObedientHosts:
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
            waiting.extend(CommandSucceeded(command.id) for command in commands if isinstance(command, HostCommand))
            timers = [command.timer for command in commands if isinstance(command, StartTimer)]
            waiting.extend(TimerFired(timer) for timer in timers if timer == "drain VIP")

    def act(self, act: str) -> None:
        """What the outside world does, as `Workflow.acts` says it; a host returns as it was when it was lost."""
        verb, _, what = act.partition(" ")
        topology = self.solution.topology
        match verb:
            case "fail":
                self.happen(ApplicationReported(what, Mode.DOWN))
            case "start":
                redundant = topology.find(what)[0] < len(topology.pairs)
                self.happen(ApplicationReported(what, Mode.BACKUP if redundant else Mode.UP))
            case "request":
                self.happen(SwitchoverRequested(what))
            case "lose":
                self.happen(HostLost(what))
            case "return":
                self.happen(HostConnected(what, report(topology, topology.side_of(what), is_primary=True)))
            case "message":
                self.happen(LogMessageReceived(*what.split()))
            case _:
                raise AssertionError(act)

    def scripts(self) -> list[str]:
        """The VIP scripts that were run, each with its host."""
        return sorted(text for text in self.records if text.startswith(("enable_vip", "disable_vip")))


def report(topology: Topology, side: int, is_primary: bool) -> HostReport:
    """What a host reports on which everything runs; a primary one has the VIP."""
    mode = Mode.PRIMARY if is_primary else Mode.BACKUP
    redundant = {pair.applications[side - 1]: mode for pair in topology.pairs}
    return HostReport(redundant | {p.applications[side - 1]: Mode.UP for p in topology.monitored}, is_primary)


def start(topology: Topology, old: int) -> ObedientHosts:
    """The state prior to a switchover: everything runs, and side `old` is primary; no alarm is active any more."""
    world = ObedientHosts(Solution(topology))
    for side, host in enumerate(topology.hosts, start=1):
        world.happen(HostConnected(host, report(topology, side, side == old)))
    world.happen(*(TimerFired(f"cancel {alarm.name}") for alarm in topology.alarms))
    state = world.solution.state
    assert (state.placement, state.vip, state.pending) == (f"together_{old}", f"held_{old}", ())
    world.records.clear()
    return world
