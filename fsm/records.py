"""Records: one line of text for each event, decision and command, for logs, journals and the marks of workflows.

The texts of commands and events stand with their classes. They are stable: the documented workflows (`workflows`) are
recognised by them.
"""

from collections.abc import Iterable

from .commands import Command, HostCommand
from .events import CommandResult, Event
from .handling import Step


def describe_command(command: Command) -> str:
    """The record of a command.

    >>> from switchover.fsm import Promote
    >>> describe_command(Promote("host2", "SIP_Server_2"))
    'promote SIP_Server_2'
    """
    return command.record


def describe_event(event: Event, pending: Iterable[HostCommand] = ()) -> str:
    """The record of an event; `pending` are the commands that were pending when it came, one of which a result names.

    >>> from switchover.fsm import CommandSucceeded, Promote
    >>> describe_event(CommandSucceeded(7), [Promote("host2", "SIP_Server_2", id=7)])
    'done promote SIP_Server_2'
    """
    if not isinstance(event, CommandResult):
        return event.record
    return event.record_of(_name(event.id, pending))


def describe_step(step: Step) -> str:
    """The record of a decision: what moved, or what was ignored and why."""
    decision = step.decision
    if decision.destination is None:
        return f"{step.subject} stays {decision.source} on {decision.trigger}: {decision.reason}"
    return f"{step.subject} {decision.source} -> {decision.destination}: {decision.reason}"


def _name(number: int, pending: Iterable[HostCommand]) -> str:
    return next((command.record for command in pending if command.id == number), f"command {number}")
