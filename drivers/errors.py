"""The drivers' errors: one base class, a class for each failure that callers tell apart, and the results
of commands that they stand for.
"""

from ..fsm.events import CommandFailed, CommandTimedOut, CommandUnclear


class DriverError(Exception):
    """A driver could not carry out a request."""


class ExitStatusError(DriverError):
    """A command ended with an exit status other than 0, or by a signal."""


class TimedOutError(DriverError):
    """A request was not carried out within its deadline."""


class UnreadableError(DriverError):
    """A command's output cannot be understood."""


def failure(command_id: int, error: DriverError) -> CommandFailed | CommandTimedOut | CommandUnclear:
    """The result of the command with this id when a driver ended it with this error.

    >>> failure(7, TimedOutError("mlcmd did not end within 2000 ms"))
    CommandTimedOut(id=7, reason='mlcmd did not end within 2000 ms')
    """
    match error:
        case TimedOutError():
            return CommandTimedOut(command_id, str(error))
        case UnreadableError():
            return CommandUnclear(command_id, str(error))
        case _:
            return CommandFailed(command_id, str(error))
