"""What happened and what decided, in words: the core's names for events and guards as sentences for people.

The journal has the short texts of `fsm.records`, which are stable; these are for eyes.
"""

from collections.abc import Mapping

from ...fsm import (
    LOG_MESSAGES,
    ApplicationReported,
    Command,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    LogMessageReceived,
    SolutionState,
    StartRequested,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    Topology,
    TriggerReaction,
    VipReported,
    WriteLog,
    describe_command,
    event_id,
)
from ...fsm.facts import components_up

_GUARDS: Mapping[str, str] = {
    "peer_in_sight": "the other host is heard",
    "peer_silent": "the other host is silent too",
    "peer_out_of_sight": "the other host is not heard either",
    "promotion_runs": "its promotion is under way",
    "promotion_overtaken": "its promotion is under way, and the other host has become the better one",
    "promotion_failed": "no promotion of it is under way any more",
    "together": "the VIP's order is together",
    "disable_first": "the VIP's order is disable-first",
    "enable_first": "the VIP's order is enable-first",
    "once": "alarms react once an incident",
    "literal": "alarms react as an SCS's do",
    "_is_better": "{host} is the better one: {runs}",
    "_is_no_better": "{host} is no better: {runs}",
    "_is_worse": "{host} is worse: {runs}",
    "_is_no_worse": "{host} is no worse: {runs}",
    "_outranks": "{host} {rank}",
    "_is_demoted": "the component that the VIP follows is being demoted on {host}",
    "_is_primary": "the component that the VIP follows is primary on {host} alone",
    "_is_nothing": "the component that the VIP follows is not primary on {host} alone",
    "_serves": "the component that the VIP follows is primary on {host}",
    "_serves_not": "the component that the VIP follows is not primary on {host}",
}
"""A guard that begins with a side is listed without it: {host} is that side's."""


def guard_in_words(topology: Topology, state: SolutionState, guard: str) -> str:
    """What was so, by the guard that let a row fire, and the facts of `state` that made it so; empty if there is none.

    `state` is the one after the event: no decision changes what the hosts reported.
    """
    if not guard.startswith("side"):
        return _GUARDS.get(guard, guard)
    side = int(guard[4])
    runs, rank = what_runs_not(topology, state) or "everything is up on both hosts", _rank(state, side)
    return _GUARDS[guard[5:]].format(host=topology.hosts[side - 1], runs=runs, rank=rank)


def what_runs_not(topology: Topology, state: SolutionState) -> str:
    """What does not run, on either host: that makes one better than the other. Empty if everything runs."""
    names = [pair.name for pair in topology.components]
    missing = [
        f"{name} is not up on {host}"
        for side, host in enumerate(topology.hosts, start=1)
        for name in names
        if name not in components_up(topology, state, side)
    ]
    return ", ".join(missing)


def _rank(state: SolutionState, side: int) -> str:
    """Why a side won a tie: see `facts.pair_facts`."""
    if state.vip_held[side - 1] and not state.vip_held[2 - side]:
        return "has the VIP, and the other one has not"
    longest = any(pair.primary_for_ms[side - 1] > pair.primary_for_ms[2 - side] for pair in state.pairs)
    return "has been primary for longer" if longest else "is the first of two equals"


def trigger_in_words(topology: Topology, trigger: str) -> str:
    """A trigger with the name of the host that its side stands for.

    >>> from switchover.fsm import voicemail_topology
    >>> trigger_in_words(voicemail_topology(), "side2_disable_asked")
    'disable_asked (host2)'
    """
    side, _, what = trigger.partition("_")
    return f"{what} ({topology.hosts[int(side[4:]) - 1]})" if side in ("side1", "side2") else trigger


def command_in_words(command: Command) -> str:
    """A command, with what a log message says and what a reaction is of."""
    match command:
        case WriteLog():
            return f"log {command.event_id} {command.text}"
        case TriggerReaction():
            return f"reaction {command.reaction} {command.target}, of alarm {command.alarm}"
        case _:
            return describe_command(command)


def event_in_words(event: Event, before: SolutionState) -> str:
    """An event; `before` is the state in which it came, with the commands whose results it may tell."""
    match event:
        case HostConnected():
            return f"{event.host} is connected, and reports"
        case HostFellSilent():
            return f"{event.host} has fallen silent"
        case HostHeard():
            return f"{event.host} is heard again"
        case HostLost():
            return f"{event.host} was not heard for the whole detection time"
        case HostLeft():
            return f"{event.host} says goodbye"
        case ApplicationReported():
            return f"{event.application} is reported {event.mode}"
        case VipReported():
            return f"the VIP is reported {'on' if event.held else 'gone from'} {event.host}"
        case CommandSucceeded() | CommandFailed() | CommandTimedOut() | CommandUnclear():
            command = before.pending_by_id(event.id)
            name = f"command {event.id}" if command is None else describe_command(command)
            return f"{name}: {result_in_words(event)}"
        case TimerFired():
            return f"the timer {event.timer!r} ran out"
        case SwitchoverRequested():
            return f"an operator asks for {event.application} as primary"
        case StartRequested() | StopRequested():
            what = "started" if isinstance(event, StartRequested) else "stopped"
            return f"an operator asks that {event.application} be {what}"
        case LogMessageReceived():
            number = event_id(event.event_id)
            return f"message {number} comes: {event.application} {LOG_MESSAGES[number]}"


def result_in_words(event: CommandSucceeded | CommandFailed | CommandTimedOut | CommandUnclear) -> str:
    """What became of a command."""
    match event:
        case CommandSucceeded():
            return "done"
        case CommandFailed():
            return f"FAILED: {event.reason}"
        case CommandTimedOut():
            return f"NOT ANSWERED: {event.reason}"
        case CommandUnclear():
            return f"UNCLEAR: {event.reason}"
