"""Control of an application and of its mode: by configured commands, or by an OCF agent (see `ocf`)."""

import enum
from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import frozen

from ...fsm.events import Mode
from ..errors import DriverError, UnreadableError
from . import programs as control


class Action(enum.StrEnum):
    """What can be done to an application; each is also the configuration's key for its command."""

    START = "start"
    STOP = "stop"
    PROMOTE = "to_primary"
    DEMOTE = "to_backup"


class ApplicationControl(Protocol):
    """Acts on one application of this host and looks at its mode, each within a deadline in milliseconds."""

    async def act(self, action: Action, deadline_ms: int) -> None:
        """Do it. Its effect is not checked: `look` shows it.

        Raises `ExitStatusError` if the program failed, `TimedOutError` if it did not end within the deadline, and
        `DriverError` if it cannot be run.
        """
        ...

    async def look(self, deadline_ms: int) -> Mode:
        """The mode that the application is in.

        Raises `ExitStatusError` if the application does not work, `UnreadableError` if the answer is not understood,
        `TimedOutError` if there was no answer within the deadline, and `DriverError` if the program cannot be run.
        """
        ...


@frozen
class CommandControl:
    """Control by commands, each a program with its arguments.

    With `tells_mode` the last line that `status` prints is the mode, `primary` or `backup`. Without it, only the exit
    status counts, and the mode of an application that works is `running`.
    """

    application: str
    commands: Mapping[Action, Sequence[str] | None]
    status: Sequence[str] | None
    tells_mode: bool
    running: Mode
    run: control.Run = control.run

    async def act(self, action: Action, deadline_ms: int) -> None:
        """See `ApplicationControl`. Raises `DriverError` if no command is configured for the action."""
        command = self.commands.get(action)
        if command is None:
            what = f"{self.application} has no command for this: add {action} or ocf to its member in the configuration"
            raise DriverError(what)
        control.require_success(command, await self.run(command, deadline_ms, leave_running=True))

    async def look(self, deadline_ms: int) -> Mode:
        """See `ApplicationControl`. An exit status other than 0 means that the application does not work."""
        if self.status is None:
            raise UnreadableError(f"{self.application} has no status command")
        completed, asked = await self.run(self.status, deadline_ms), control.command_line(self.status)
        if completed.status < 0:
            raise UnreadableError(f"{asked} was killed by signal {-completed.status}")
        control.require_success(self.status, completed)
        if not self.tells_mode:
            return self.running
        said = control.last_line(completed.output)
        if said not in (Mode.PRIMARY, Mode.BACKUP):
            raise UnreadableError(f"{asked} should print {Mode.PRIMARY} or {Mode.BACKUP}, but printed {said[:200]!r}")
        return Mode(said)
