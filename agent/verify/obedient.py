"""Two hosts that do what they are told, at once, and the core that tells them; what passes between them is recorded.

Of the core's timers only the drain is waited for, and that is over at once.
"""

from collections.abc import Iterator

from attrs import define, field

from ...fsm import (
    ApplicationReported,
    Command,
    CommandSucceeded,
    CoreError,
    Event,
    HostCommand,
    HostConnected,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    Solution,
    StartTimer,
    Step,
    SwitchoverRequested,
    TimerFired,
    Topology,
    describe_command,
    describe_event,
    describe_step,
)

EVENTS_AT_MOST = 200
"""No act of the outside world leads to more events than this, unless hosts and core go on for ever."""

_SCRIPTS = ("enable_vip", "disable_vip")


@define
class ObedientHosts:
    """The hosts of a solution. `records` are the words for all that passed, `steps` all decisions, each in order."""

    solution: Solution
    records: list[str] = field(factory=list[str])
    steps: list[Step] = field(factory=list[Step])

    def act(self, act: str) -> None:
        """What the outside world does, as `Workflow.acts` says it; a host returns as it was when it was lost."""
        topology = self.solution.topology
        verb, _, what = act.partition(" ")
        match verb:
            case "fail":
                self.happen(ApplicationReported(what, Mode.DOWN))
            case "start":
                is_redundant = topology.find(what)[0] < len(topology.pairs)
                self.happen(ApplicationReported(what, Mode.BACKUP if is_redundant else Mode.UP))
            case "request":
                self.happen(SwitchoverRequested(what))
            case "lose":
                self.happen(HostLost(what))
            case "return":
                self.happen(HostConnected(what, _report(topology, topology.side_of(what), is_primary=True)))
            case "message":
                self.happen(LogMessageReceived(*what.split(" ", 1)))
            case _:
                raise ValueError(f"{act!r} is nothing that the outside world does: see `Workflow.acts`")

    def happen(self, *events: Event) -> None:
        """Tell the core, in this order, and what follows after it; `CoreError` if it does not end."""
        waiting = list(events)
        for _ in range(EVENTS_AT_MOST):
            if not waiting:
                return
            waiting += self._answers(self._tell(waiting.pop(0)))
        raise CoreError("hosts and core go on for ever")

    def _tell(self, event: Event) -> tuple[Command, ...]:
        self.records.append(describe_event(event, self.solution.state.pending))
        commands = self.solution.handle(event)
        self.steps += self.solution.steps
        self.records += map(describe_step, self.solution.steps)
        self.records += map(describe_command, commands)
        return commands

    def _answers(self, commands: tuple[Command, ...]) -> Iterator[Event]:
        for command in commands:
            if isinstance(command, HostCommand):
                yield CommandSucceeded(command.id)
            elif isinstance(command, StartTimer) and command.timer == "drain VIP":
                yield TimerFired(command.timer)

    def scripts(self) -> list[str]:
        """The VIP scripts that were run, each with its host, in alphabetical order."""
        return sorted(text for text in self.records if text.startswith(_SCRIPTS))


def start(solution: Solution, old: int) -> ObedientHosts:
    """The state prior to a switchover: everything runs, side `old` is primary, and no alarm is active any more.

    Nothing of the way there is on record. `CoreError` if it is not reached.
    """
    hosts, topology = ObedientHosts(solution), solution.topology
    for side, host in enumerate(topology.hosts, start=1):
        hosts.happen(HostConnected(host, _report(topology, side, is_primary=side == old)))
    hosts.happen(*(TimerFired(f"cancel {alarm.name}") for alarm in topology.alarms))
    state = solution.state
    if (state.placement, state.vip, state.pending) != (f"together_{old}", f"held_{old}", ()):
        raise CoreError("the state prior to it is not reached")
    hosts.records.clear()
    return hosts


def _report(topology: Topology, side: int, *, is_primary: bool) -> HostReport:
    """What a host reports on which everything runs; a primary one has the VIP."""
    mode = Mode.PRIMARY if is_primary else Mode.BACKUP
    modes = {pair.applications[side - 1]: mode for pair in topology.pairs}
    return HostReport(modes | {pair.applications[side - 1]: Mode.UP for pair in topology.monitored}, is_primary)
