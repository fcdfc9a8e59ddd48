"""What the drivers raise: one type to catch, and under it the failures that a caller may want to tell apart."""


class DriverError(Exception):
    """A driver could not do what it was asked."""


class ExitStatusError(DriverError):
    """A command ended, with an exit status other than 0 or by a signal."""


class TimedOutError(DriverError):
    """What was asked was not done within its deadline."""


class UnreadableError(DriverError):
    """A command said something that cannot be understood."""
