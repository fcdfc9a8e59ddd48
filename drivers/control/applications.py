"""How an application is controlled and asked how it is: by commands of its own, or by an OCF agent (see `ocf`)."""

import enum
from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import frozen

from ...fsm.events import Mode
from ..errors import DriverError, UnreadableError
from . import programs as control


class Action(enum.StrEnum):
    """What can be done to an application, by the names of the keys that configure a command for it."""

    START = "start"
    STOP = "stop"
    PROMOTE = "to_primary"
    DEMOTE = "to_backup"


class ApplicationControl(Protocol):
    """Acts on one application of this host, and looks at it; each within so many milliseconds."""

    async def act(self, action: Action, deadline_ms: int) -> None:
        """Have it done; what came of it, a look shows.

        Raises `ExitStatusError` if it failed, `TimedOutError` if it did not end within the deadline, and `DriverError`
        if nothing can be run.
        """
        ...

    async def look(self, deadline_ms: int) -> Mode:
        """The mode that the application is in.

        Raises `ExitStatusError` if the application does not work, `UnreadableError` if the answer cannot be understood,
        `TimedOutError` if it did not come within the deadline, and `DriverError` if nothing can be run.
        """
        ...


@frozen
class CommandControl:
    """Control by commands, each a program and its arguments.

    With `tells_mode` the last line that `status` prints is the mode, `primary` or `backup`. Without, only its exit
    status counts, and an application that runs is in the mode `running`.
    """

    application: str
    commands: Mapping[Action, Sequence[str] | None]
    status: Sequence[str] | None
    tells_mode: bool
    running: Mode

    async def act(self, action: Action, deadline_ms: int) -> None:
        """See `ApplicationControl`; an action without a command is a `DriverError` that says what to configure."""
        command = self.commands.get(action)
        if command is None:
            what = f"{self.application} has no command for it: add {action} to its member in the configuration, or ocf"
            raise DriverError(what)
        await control.check(command, deadline_ms)

    async def look(self, deadline_ms: int) -> Mode:
        """See `ApplicationControl`; an exit status other than 0 says that the application does not work."""
        if self.status is None:
            raise UnreadableError(f"{self.application} has no status command")
        completed, asked = await control.run(self.status, deadline_ms), control.command_line(self.status)
        if completed.status < 0:
            raise UnreadableError(f"{asked} was killed by signal {-completed.status}")
        control.require_success(self.status, completed)
        if not self.tells_mode:
            return self.running
        said = control.last_line(completed.output)
        if said not in (Mode.PRIMARY, Mode.BACKUP):
            raise UnreadableError(f"{asked} should say {Mode.PRIMARY} or {Mode.BACKUP}, and says {said[:200]!r}")
        return Mode(said)
