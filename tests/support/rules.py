"""Shared by the tests of the handling rules: states to begin in, and what an event led to."""

from attrs import evolve
from switchover.fsm import (
    Command,
    Event,
    HostCommand,
    HostConnected,
    HostReport,
    Mode,
    Solution,
    SolutionState,
    Topology,
    WriteLog,
)
from switchover.fsm.handling import Work, handle_event

from support.topologies import HOSTS, SIP_SERVER, TAKEOVER, VOICEMAIL

H1, H2 = HOSTS
A1, A2 = SIP_SERVER.applications
P, B, D, U = Mode.PRIMARY, Mode.BACKUP, Mode.DOWN, Mode.UP


def report(topology: Topology, side: int, mode: Mode, held: bool) -> HostConnected:
    """A host connects: its redundant applications are in this mode, its monitored ones are up."""
    modes = {pair.applications[side - 1]: mode for pair in topology.pairs}
    modes |= {pair.applications[side - 1]: Mode.UP for pair in topology.monitored}
    return HostConnected(topology.hosts[side - 1], HostReport(modes, held))


def at_rest(topology: Topology) -> SolutionState:
    """The normal state: everything runs, the first side is primary, and no alarm is active."""
    solution = Solution(topology)
    solution.handle(report(topology, 1, Mode.PRIMARY, held=True))
    solution.handle(report(topology, 2, Mode.BACKUP, held=False))
    return evolve(solution.state, pending=(), alarms=("clear",) * len(topology.alarms))


TAKEOVER_AT_REST, VOICEMAIL_AT_REST = at_rest(TAKEOVER), at_rest(VOICEMAIL)


def handle(state: SolutionState, event: Event, topology: Topology = TAKEOVER) -> Work:
    """Handle an event in a state."""
    return handle_event(topology, state, event)


def with_pending(state: SolutionState, *commands: HostCommand) -> SolutionState:
    """The state with these commands without a result; the ids are 101, 102, ..."""
    return evolve(state, pending=tuple(evolve(command, id=101 + at) for at, command in enumerate(commands)))


def triggers(work: Work) -> list[str]:
    """The decisions, each as `subject: trigger`."""
    return [f"{step.subject}: {step.decision.trigger}" for step in work.steps]


def to_hosts(work: Work) -> list[Command]:
    """The commands to hosts."""
    return [command for command in work.commands if isinstance(command, HostCommand)]


def messages(work: Work) -> list[tuple[str, str]]:
    """The log messages that were written, each with the application that it is about."""
    return [(command.event_id, command.application) for command in work.commands if isinstance(command, WriteLog)]
