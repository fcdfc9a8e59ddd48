"""The simulated applications of a host, and the control commands that act on them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import define, field

from ....drivers.control.applications import Action
from ....drivers.control.programs import Completed, command_line
from ....drivers.errors import DriverError, TimedOutError
from ....fsm import Mode
from ...configuration.settings import Configuration, PairKind
from .kernel import SimulatedProcesses
from .processes import WorldLoop

STATUS_S, CONTROL_S, START_S = 0.02, 0.05, 0.3
"""How long a `status` command, another one, and the start of an application take, in seconds."""


@define
class Trouble:
    """What is wrong with the commands of an application.

    `status_s` and `control_s` come on top of what they take, in seconds. With `lands_late`, a command that was killed
    at its deadline has its effect all the same, `late_s` later.
    """

    status_s: float = 0.0
    control_s: float = 0.0
    fails: bool = False
    lands_late: bool = False
    late_s: float = 1.0


@define(eq=False)
class SimulatedApplication:
    """An application: its true mode, and its commands."""

    name: str
    host: str
    running: Mode
    pidfile: Path | None
    commands: Mapping[tuple[str, ...], Action | None]
    mode: Mode = Mode.DOWN
    pid: int = 0
    trouble: Trouble = field(factory=Trouble)

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self.mode is not Mode.DOWN


class HostApplications:
    """All applications of a host. `changed` is called with each whose mode is another one now."""

    def __init__(
        self,
        loop: WorldLoop,
        configuration: Configuration,
        host: str,
        processes: SimulatedProcesses,
        changed: Callable[[SimulatedApplication], None],
    ) -> None:
        self._loop, self._processes, self._changed = loop, processes, changed
        self.is_late = False
        """Whether what changes now is the late effect of a command that was given up."""
        self.by_name: dict[str, SimulatedApplication] = {}
        for pair in configuration.pairs:
            for member in pair.members:
                if member.host == host:
                    argvs = {
                        member.status: None,
                        member.start: Action.START,
                        member.stop: Action.STOP,
                        member.to_primary: Action.PROMOTE,
                        member.to_backup: Action.DEMOTE,
                    }
                    running = Mode.UP if pair.kind is PairKind.MONITORED else Mode.BACKUP
                    commands = {argv: action for argv, action in argvs.items() if argv is not None}
                    self.by_name[member.application] = SimulatedApplication(
                        member.application, host, running, member.pidfile, commands
                    )

    def start(self, application: SimulatedApplication) -> None:
        """It starts, in backup mode if it has one."""
        if not application.is_up:
            application.pid = self._processes.begin(application.pidfile)
            self._set(application, application.running)

    def end(self, application: SimulatedApplication) -> None:
        """It dies."""
        if application.is_up:
            self._set(application, Mode.DOWN)
            self._processes.end(application.pid)

    async def run(
        self,
        argv: Sequence[str],
        deadline_ms: int,
        environment: Mapping[str, str] | None = None,
        output_limit: int = 0,
        /,
        *,
        leave_running: bool = False,
    ) -> Completed:
        """Run a control command (a `Run`)."""
        words = tuple(argv)
        application = next((each for each in self.by_name.values() if words in each.commands), None)
        if application is None:
            raise DriverError(f"{argv[0]} cannot be run: No such file or directory")
        action, trouble = application.commands[words], application.trouble
        if action is None:
            takes_s = STATUS_S + trouble.status_s
        else:
            takes_s = START_S if action is Action.START else CONTROL_S
            if not (trouble.lands_late and action in (Action.START, Action.STOP)):
                takes_s += trouble.control_s
        try:
            await asyncio.sleep(min(takes_s, deadline_ms / 1000))
            if takes_s > deadline_ms / 1000:
                raise TimedOutError(f"{command_line(argv)} did not end within {deadline_ms} ms")
        except (asyncio.CancelledError, TimedOutError):
            if trouble.lands_late and action is not None:
                self._loop.outside(trouble.late_s, self._act_late, application, action)
            raise
        if action is None:
            return Completed(0, f"{application.mode}\n") if application.is_up else Completed(3, "it does not run\n")
        if trouble.fails:
            return Completed(1, "it is refused\n")
        return Completed(0, "") if self._act(application, action) else Completed(1, "it does not run\n")

    def _act_late(self, application: SimulatedApplication, action: Action) -> None:
        self.is_late = True
        self._act(application, action)
        self.is_late = False

    def _act(self, application: SimulatedApplication, action: Action) -> bool:
        match action:
            case Action.START:
                self.start(application)
            case Action.STOP:
                self.end(application)
            case Action.PROMOTE | Action.DEMOTE if application.is_up:
                self._set(application, Mode.PRIMARY if action is Action.PROMOTE else Mode.BACKUP)
            case _:
                return False
        return True

    def _set(self, application: SimulatedApplication, mode: Mode) -> None:
        if application.mode is not mode:
            application.mode = mode
            self._changed(application)
