"""The one exception type of the core."""


class CoreError(Exception):
    """A table that is wrong, a solution that is put together wrongly, or an event that no row decides.

    An event that is refused has changed nothing.
    """
