"""The one exception type of the core."""


class CoreError(Exception):
    """A table or a topology is wrong, or an event is refused. An event that is refused has changed nothing."""
