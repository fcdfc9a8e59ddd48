"""The chain of causes and effects in an incident: event, guard, row, command, result, observed state, with times.

An event is followed by what changed on the hosts and by the decisions that it led to; each decision is followed by its
commands. Decisions that changed nothing and that nobody asked for are left out, and so are alarm conditions that end;
the journal has them.
"""

from collections.abc import Iterator

from attrs import frozen

from ...fsm import (
    ActivateAlarm,
    Command,
    CommandResult,
    HostCommand,
    Output,
    SolutionState,
    StartTimer,
    Step,
    Topology,
    TriggerReaction,
    WriteLog,
)
from ...fsm.commands import ApplicationCommand
from ...fsm.machines.alarm import ALARM
from ...fsm.machines.application import APPLICATION
from ...fsm.machines.pair import PAIR
from ...fsm.machines.vip import VIP
from ...fsm.timers import TimerKind
from .incidents import Incident, moves
from .journal import Handled
from .observe_mode import NOBODY_DID_IT
from .wording import event_in_words, guard_in_words, trigger_in_words

EVENT, RESULT, OBSERVED, DECISION, COMMAND = "event", "result", "observed", "decision", "command"


@frozen
class ChainLink:
    """One link of the chain; `at_ms` counts from the incident's first event.

    `kind`      `text`                                       other attributes
    event       what happened                                -
    result      the result of a command                      `command`, and `took_ms` since it was given
    observed    what changed on the hosts                    -
    decision    the machine, its old state and its new one   `reason`, `cite`, `guard`; `moved` is False if it stayed
    command     what was sent, written or started            `result` and `took_ms`, if a host answered it
    """

    at_ms: float
    kind: str
    text: str
    reason: str = ""
    guard: str = ""
    cite: str = ""
    command: str = ""
    result: str = ""
    took_ms: float | None = None
    moved: bool = True


def chain(incident: Incident) -> tuple[ChainLink, ...]:
    """The chain of an incident, in order."""
    refusals = set(incident.refusals)
    return tuple(link for handled in incident.handled for link in _links(incident, handled, refusals))


def observed(topology: Topology, before: SolutionState, after: SolutionState) -> list[str]:
    """What is known of the hosts after an event and was different before."""
    hosts, redundant = topology.hosts, 2 * len(topology.pairs)
    modes = [(_modes(before)[n], _modes(after)[n], name) for n, name in enumerate(topology.applications[:redundant])]
    others = zip(before.applications, after.applications, topology.applications, strict=True)
    changes = [f"{name} {now or 'unknown'}" for old, now, name in [*modes, *list(others)[redundant:]] if now != old]
    places = {True: "VIP on", False: "VIP not on", None: "VIP unknown on"}
    held = zip(before.vip_held, after.vip_held, hosts, strict=True)
    return [*changes, *(f"{places[now]} {host}" for old, now, host in held if now is not old)]


def _given_up(handled: Handled) -> list[str]:
    """What an observing agent gives up, because nobody did what it would have done."""
    if handled.event != NOBODY_DID_IT:
        return []
    before, after = handled.before, handled.after
    names = [pair.name for pair in handled.topology.pairs]
    states = [*zip(names, before.pairs, after.pairs, strict=True)]
    moved = [(name, old.state, new.state) for name, old, new in states]
    moved += [("VIP", before.vip, after.vip), ("solution", before.placement, after.placement)]
    return [f"{name} {old} -> {new}" for name, old, new in moved if old != new]


def _modes(state: SolutionState) -> list[str | None]:
    return [mode for pair in state.pairs for mode in pair.modes]


def _links(incident: Incident, handled: Handled, refusals: set[str]) -> Iterator[ChainLink]:
    """What one event led to. The first decision answers the event, so it is shown even if nothing moved."""
    at_ms, before, after, topology = incident.at_ms(handled), handled.before, handled.after, handled.topology
    yield _event(incident, handled)
    if changes := [*observed(topology, before, after), *_given_up(handled)]:
        yield ChainLink(at_ms, OBSERVED, "; ".join(changes))
    commands = [command for command in handled.commands if not _is_idle(command)]
    for number, step in enumerate(handled.steps):
        given = [command for command in commands if gives(topology, step, command)]
        commands = [command for command in commands if not any(command is each for each in given)]
        is_refusal = f"{step.subject}: {step.decision.reason}" in refusals
        is_shown = moves(step) if step.machine != ALARM.name else bool(step.decision.outputs)
        if number == 0 or is_shown or given or is_refusal:
            yield _decision(at_ms, handled, step)
        yield from (_command(incident, handled, command) for command in given)
    yield from (_command(incident, handled, command) for command in commands)


def _event(incident: Incident, handled: Handled) -> ChainLink:
    at_ms = incident.at_ms(handled)
    text = event_in_words(handled.event, handled.before) if handled.event != NOBODY_DID_IT else handled.text
    command = handled.before.pending_by_id(handled.event.id) if isinstance(handled.event, CommandResult) else None
    if command is None:
        return ChainLink(at_ms, EVENT, text)
    took_ms = _took_ms(incident, handled, command.id)
    return ChainLink(at_ms, RESULT, text, command=command.words, took_ms=took_ms)


def _decision(at_ms: float, handled: Handled, step: Step) -> ChainLink:
    decision = step.decision
    if decision.destination in (None, decision.source):
        to = f"stays {decision.source} on {trigger_in_words(handled.topology, decision.trigger)}"
    else:
        to = f"{decision.source} -> {decision.destination}"
    guard = guard_in_words(handled.topology, handled.after, decision.guard)
    text = f"{step.subject} {to}"
    return ChainLink(at_ms, DECISION, text, decision.reason, guard, decision.cite, moved=moves(step))


def _command(incident: Incident, handled: Handled, command: Command) -> ChainLink:
    at_ms, text = incident.at_ms(handled), command.words
    if not isinstance(command, HostCommand):
        return ChainLink(at_ms, COMMAND, text, command=text)
    for each in incident.handled:
        if isinstance(each.event, CommandResult) and each.event.id == command.id and each.run == handled.run:
            took_ms = incident.at_ms(each) - at_ms
            return ChainLink(at_ms, COMMAND, text, command=text, result=each.event.words, took_ms=took_ms)
    return ChainLink(at_ms, COMMAND, text, command=text, result=_no_result(incident, handled, command))


def _no_result(incident: Incident, handled: Handled, command: HostCommand) -> str:
    if handled.after.pending_by_id(command.id) is None:
        return "withheld: the agent only observes"
    if incident.after.pending_by_id(command.id) is not None:
        return "no answer yet"
    return "no answer: the host was lost, or started a new session"


def _took_ms(incident: Incident, result: Handled, number: int) -> float | None:
    """The time from a command to its result; None if the command was given before the incident."""
    for each in incident.handled:
        if any(isinstance(command, HostCommand) and command.id == number for command in each.commands):
            return incident.at_ms(result) - incident.at_ms(each)
    return None


def _is_idle(command: Command) -> bool:
    return isinstance(command, StartTimer) and command.kind is TimerKind.CANCEL


def gives(topology: Topology, step: Step, command: Command) -> bool:
    """Whether a command is among the outputs of a decision's row."""
    verbs = {output.verb for output in step.decision.outputs}
    match command:
        case ActivateAlarm() | TriggerReaction():
            return step.machine == ALARM.name and step.subject == command.alarm and "react" in verbs
        case StartTimer():
            is_asked = command.kind is not None and command.kind.output in verbs
            return is_asked and _concerns(topology, step, command.subject)
        case WriteLog():
            return any(verb.startswith("log_") for verb in verbs) and _concerns(topology, step, command.application)
        case _:
            is_of_vip = not isinstance(command, ApplicationCommand)
            subject = "VIP" if is_of_vip else command.application
            asked = {Output(command.output, topology.side_of(command.host)), Output(command.output)}
            return bool(asked & set(step.decision.outputs)) and _concerns(topology, step, subject)


def _concerns(topology: Topology, step: Step, subject: str) -> bool:
    """Whether a decision is about a subject: an application, a pair, `VIP`, a host's VIP, or the solution (empty)."""
    if step.machine == VIP.name:
        return subject == "VIP" or subject in topology.hosts
    if step.machine == PAIR.name:
        applications = next(pair.applications for pair in topology.pairs if pair.name == step.subject)
        return subject in (step.subject, *applications)
    return subject == (step.subject if step.machine in (APPLICATION.name, ALARM.name) else "")
