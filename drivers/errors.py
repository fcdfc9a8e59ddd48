"""The drivers' errors: one base class, and a class for each failure that callers tell apart."""


class DriverError(Exception):
    """A driver could not carry out a request."""


class ExitStatusError(DriverError):
    """A command ended with an exit status other than 0, or by a signal."""


class TimedOutError(DriverError):
    """A request was not carried out within its deadline."""


class UnreadableError(DriverError):
    """A command's output cannot be understood."""
