"""The one exception of the drivers."""


class DriverError(Exception):
    """A driver could not do what it was asked."""
