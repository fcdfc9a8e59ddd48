"""The drivers' errors: one base class, a class for each failure that callers tell apart, and the results
of commands that they stand for.
"""

from ..fsm.events import CommandFailed, CommandTimedOut, CommandUnclear, CommandUnconfirmed, Failure


class DriverError(Exception):
    """A driver could not carry out a request."""


class ExitStatusError(DriverError):
    """A command ended with an exit status other than 0, or by a signal."""


class TimedOutError(DriverError):
    """A request was not carried out within its deadline."""


class UnreadableError(DriverError):
    """A command's output cannot be understood."""


class UnconfirmedError(DriverError):
    """A command's program ended with exit status 0, but its effect could not be seen."""


def failure(command_id: int, error: DriverError) -> Failure:
    """The result of the command with this id when a driver ended it with this error.

    >>> failure(7, TimedOutError("mlcmd did not end within 2000 ms"))
    CommandTimedOut(id=7, reason='mlcmd did not end within 2000 ms')
    """
    match error:
        case TimedOutError():
            return CommandTimedOut(command_id, str(error))
        case UnreadableError():
            return CommandUnclear(command_id, str(error))
        case UnconfirmedError():
            return CommandUnconfirmed(command_id, str(error))
        case _:
            return CommandFailed(command_id, str(error))
