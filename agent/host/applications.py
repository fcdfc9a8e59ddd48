"""The applications of a host: how its LCA watches and controls them.

An application with a pidfile is watched through its process: its death is seen at once. Any other is polled every
`look_every_ms` through its `status` command or its OCF agent. It is down as soon as the answer says so (an exit status
other than 0), so a failure is seen up to that much later.

An answer that does not come in time, or that cannot be read, changes nothing: the last known mode stays. Known
weakness: an application without a pidfile whose `status` hangs keeps its last known mode for as long as it hangs.

A change of the mode whose program ends with exit status 0, but whose effect cannot be seen in time, is unconfirmed:
what the exit status says counts as the mode until a look is answered, and what that sees is reported in any case.

Looks and commands do not wait for one another, so that no takeover waits for a slow `status`, and no report for a slow
start. What a look finds does not count if a command began or ended meanwhile: the mode is then looked at again after
the command. A mode that changed without a command is reported to the agent.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field

from ...drivers.control.applications import Action, ApplicationControl, CommandControl
from ...drivers.control.ocf import OcfControl
from ...drivers.control.processes import LOOK_AGAIN_MS, ProcessWatch
from ...drivers.control.programs import Run
from ...drivers.errors import DriverError, ExitStatusError, TimedOutError, UnconfirmedError, UnreadableError
from ...fsm import (
    ApplicationReported,
    Demote,
    LookAt,
    Mode,
    Promote,
    Start,
    Stop,
)
from ...fsm.commands import ApplicationCommand
from ..configuration.settings import Member, PairKind
from .system import System

LOG = logging.getLogger("switchover.lca")


class Application:
    """One application: its last known mode, and the means to change it.

    An application of a redundant pair is primary, backup or down; one of a monitored pair is up or down. Where the
    agent changes the mode through mlcmd, a running application counts as backup here; the agent asks mlcmd itself.

    `report` gets the changes that no command caused. `spawn` runs a coroutine in the background. `deadline_ms` limits
    each look, in milliseconds. Commands are carried out one at a time, in the order in which they came; only `LookAt`
    does not wait for one that starts or stops the application.
    """

    def __init__(
        self,
        member: Member,
        kind: PairKind,
        deadline_ms: int,
        report: Callable[[ApplicationReported], None],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        system: System,
    ) -> None:
        self.name = member.application
        self.mode = Mode.DOWN
        self._lane = asyncio.Lock()
        self._act: _Act | None = None
        self._acts = self._looks_begun = self._newest_look = 0  # `_acts`: how often one began or ended
        self._owes_report = self._owes_look = self._is_unconfirmed = False
        self._member = member
        self._deadline_ms = deadline_ms
        self._report = report
        self._spawn = spawn
        self._running = Mode.UP if kind is PairKind.MONITORED else Mode.BACKUP
        self._unchangeable = _why_unchangeable(member, kind)
        tells_mode = not self._unchangeable
        self._control = _control_of(member, tells_mode, self._running, system.run)
        self._process = (
            ProcessWatch(self.name, member.pidfile, self._process_changed, system.processes) if member.pidfile else None
        )
        # With a pidfile, only the mode is asked for, and only if there is a command or an agent to ask.
        self._asked = self._process is None or (tells_mode and (member.status is not None or member.ocf is not None))
        self._reported = Mode.DOWN
        self._warned = ""
        self._primary_since: float | None = None
        self._looks: asyncio.Task[None] | None = None
        self._closed = False

    # Looking

    async def start(self) -> None:
        """Find out its mode and start watching it."""
        if self._process is not None:
            self._process.start()
        await self.look_for_report()
        self._resume_looks()

    def close(self) -> None:
        """Stop watching; the application stays as it is."""
        self._closed = True
        self._pause_looks()
        if self._process is not None:
            self._process.close()

    async def look_for_report(self) -> None:
        """Find out its mode, for the report of the host that the agent will get.

        While it is being started or stopped, which may take long, the mode that is known is reported, and the mode is
        reported again after that. A change of its mode is waited for: it has the same short deadline as a look.
        """
        while self._act is None or not self._act.is_long:
            if self._act is not None:
                await self._act.over.wait()
            elif await self._look():
                self._reported = self.mode
                return
        self._owes_report = True

    async def look_at_rest(self) -> None:
        """Look whether the mode is still what it was last reported to be, unless it is polled anyway."""
        if self._process is not None and self._process.running and self._asked:
            await self._look_and_report()

    def primary_for_ms(self) -> int | None:
        """How long it has been primary, in milliseconds since it was promoted; None if this LCA did not promote it."""
        if self._primary_since is None:
            return None
        return round((asyncio.get_running_loop().time() - self._primary_since) * 1000)

    def _pause_looks(self) -> None:
        """Stop polling, even in the middle of a look: something more urgent is to be done."""
        if self._looks is not None:
            self._looks.cancel()
            self._looks = None

    def _resume_looks(self) -> None:
        """Start polling (again), if this application is watched that way."""
        if self._process is None and self._looks is None and not self._closed:
            self._looks = self._spawn(self._look_regularly())

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._member.look_every_ms / 1000)
            await self._look_and_report()

    async def _look_and_report(self) -> None:
        """Report the mode if it changed. During a command nothing is done: its end reports the mode."""
        if self._act is not None:
            self._owes_look = True
        elif await self._look():
            self._report_mode()

    async def _look(self) -> bool:
        """As `_look_once`, but if the mode cannot be found out, keep the last known one and log a warning."""
        acts = self._acts
        try:
            return await self._look_once(self._deadline_ms)
        except Exception as error:  # whatever it is, watching goes on
            if acts != self._acts:
                self._owes_look = True
                return False
            if self.mode is Mode.DOWN and self._process is not None and self._process.running:
                self._set_mode(self._running)
            reason = str(error) if isinstance(error, DriverError) else f"a fault of this program, {error!r}"
            self._warn(f"the mode of {self.name} cannot be read, so it still counts as {self.mode}: {reason}")
            return True

    async def _look_once(self, deadline_ms: int) -> bool:
        """Find out its mode. Returns False, and keeps the last known mode, if a command began or ended meanwhile.

        Of looks that overlap, the one that began last counts. Raises `DriverError` if the mode cannot be found out.
        """
        acts, self._looks_begun = self._acts, self._looks_begun + 1
        number = self._looks_begun
        mode = await self._find(deadline_ms)
        if acts != self._acts:
            self._owes_look = True
            return False
        if number > self._newest_look:
            self._newest_look = number
            self._set_mode(mode)
        return True

    async def _find(self, deadline_ms: int) -> Mode:
        """Its real mode. Raises `DriverError` if that cannot be found out."""
        if self._is_dead():
            return Mode.DOWN
        if not self._asked:
            return self._running if self.mode is Mode.DOWN else self.mode
        try:
            mode = await self._ask(deadline_ms)
        except UnreadableError:
            if not self._is_dead():
                raise
            return Mode.DOWN
        return Mode.DOWN if self._is_dead() else mode

    async def _ask(self, deadline_ms: int) -> Mode:
        """The mode that it says it is in. "Down" while its process runs is a contradiction and counts as no answer."""
        try:
            mode = await self._control.look(deadline_ms)
        except ExitStatusError as error:
            if self._process is not None:
                raise UnreadableError(str(error)) from error
            self._warn(f"{self.name} counts as down: {error}")
            return Mode.DOWN
        if mode is Mode.DOWN and self._process is not None:
            raise UnreadableError(f"the process of {self.name} runs, but its resource agent says that it does not")
        self._warned = ""
        return mode

    def _is_dead(self) -> bool:
        return self._process is not None and not self._process.running

    def _warn(self, what: str) -> None:
        """Log why its mode is unclear; the same text again only after a good answer."""
        if what != self._warned:
            self._warned = what
            LOG.warning("%s", what)

    def _process_changed(self, running: bool) -> None:
        if running:
            self._spawn(self._look_and_report())
        else:
            self._set_mode(Mode.DOWN)
            self._report_mode(always=True)

    def _set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self._owes_report |= self._is_unconfirmed
        self._is_unconfirmed = False
        if mode is not Mode.PRIMARY:
            self._primary_since = None

    def _report_mode(self, *, always: bool = False) -> None:
        """Report the mode if it changed, or in any case if `always` or if that is owed; not one that was never seen."""
        is_due = always or self._owes_report or self.mode is not self._reported
        if is_due and not self._is_unconfirmed:
            self._reported = self.mode
            self._owes_report = False
            self._report(ApplicationReported(self.name, self.mode))

    # Commands

    async def carry_out(self, command: ApplicationCommand, deadline_ms: int) -> None:
        """Carry out a command and return when its outcome is seen, within `deadline_ms` milliseconds.

        Raises `DriverError` if it failed, `TimedOutError` if it was not done in time, `UnconfirmedError` if its program
        succeeded and its effect was not seen in time, and `UnreadableError` if the result is not known. However it
        ends, a mode that does not follow from the command's success is reported before this returns or raises.
        """
        act = _Act(is_long=isinstance(command, Start | Stop))
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                if isinstance(command, LookAt):
                    await self._look_as_commanded(deadline_ms)
                else:
                    await self._act_in_turn(command, act, deadline_ms)
        except (TimeoutError, TimedOutError, UnreadableError) as error:
            if isinstance(error, TimeoutError):
                error = TimedOutError(f"not done within {deadline_ms} ms")
            if act.led_to is None or self.mode is Mode.DOWN:
                raise error from None
            self._assume(act.led_to)
            raise UnconfirmedError(f"exit status 0, but its effect was not seen: {error}") from error

    async def _act_in_turn(self, command: Promote | Demote | Start | Stop, act: "_Act", deadline_ms: int) -> None:
        self._pause_looks()
        try:
            async with self._lane:
                await self._act_on(command, act, deadline_ms)
        finally:
            self._resume_looks()

    async def _act_on(self, command: Promote | Demote | Start | Stop, act: "_Act", deadline_ms: int) -> None:
        self._act = act
        self._acts += 1
        self._owes_look = False
        try:
            await self._do(command, act, deadline_ms)
            self._owes_look = False  # it has just looked
        finally:
            self._act = None
            self._acts += 1
            act.over.set()
            self._report_mode()
            if self._owes_look and not self._closed:
                self._spawn(self._look_and_report())

    async def _look_as_commanded(self, deadline_ms: int) -> None:
        """Look while it is being started or stopped, which may take long, but not while its mode is being changed."""
        while True:
            if self._act is not None and not self._act.is_long:
                await self._act.over.wait()
            elif await self._look_once(deadline_ms):
                self._report_mode(always=True)
                return

    def _assume(self, mode: Mode) -> None:
        """Nobody has seen this mode: an exit status says so."""
        self._set_mode(mode)
        self._is_unconfirmed = True
        if mode is Mode.PRIMARY:
            self._primary_since = asyncio.get_running_loop().time()

    async def _do(self, command: Promote | Demote | Start | Stop, act: "_Act", deadline_ms: int) -> None:
        match command:
            case Promote() | Demote():
                await self._change_mode(command.mode, act, deadline_ms)
            case Start():
                await self._start_or_stop(Action.START, deadline_ms)
            case Stop():
                await self._start_or_stop(Action.STOP, deadline_ms)

    async def _change_mode(self, mode: Mode, act: "_Act", deadline_ms: int) -> None:
        if self._unchangeable:
            raise DriverError(self._unchangeable)
        if self.mode is Mode.DOWN:
            raise DriverError(f"{self.name} is down")
        if self.mode is mode:
            await self._look()  # somebody else may have changed it
        if self.mode is not mode or self._is_unconfirmed:
            await self._control.act(Action.PROMOTE if mode is Mode.PRIMARY else Action.DEMOTE, deadline_ms)
            act.led_to = mode
            await self._confirm(mode, deadline_ms)
            self._set_mode(mode)
            if mode is Mode.PRIMARY:
                self._primary_since = asyncio.get_running_loop().time()
        self._reported, self._owes_report = mode, False

    async def _confirm(self, wanted: Mode, deadline_ms: int) -> None:
        """Check the mode after a command: some control programs fail with exit status 0."""
        if self._asked:
            mode = await self._find(deadline_ms)
        else:  # nothing to ask: the exit status has to be trusted
            mode = Mode.DOWN if self._is_dead() else wanted
        if mode is Mode.DOWN:
            self._set_mode(mode)
            raise DriverError(f"{self.name} went down")
        if mode is not wanted:
            raise DriverError(f"{self.name} should be {wanted} after the command, but says '{mode}'")

    async def _start_or_stop(self, action: Action, deadline_ms: int) -> None:
        """Start or stop it unless that is done already, and wait until its mode shows it."""
        wanted_down = action is Action.STOP
        await self._look()
        if (self.mode is Mode.DOWN) is wanted_down:
            return
        await self._control.act(action, deadline_ms)
        await self._look()
        while (self.mode is Mode.DOWN) is not wanted_down:
            await asyncio.sleep(LOOK_AGAIN_MS / 1000)
            await self._look()


@define(eq=False)
class _Act:
    """A command that is being carried out.

    `is_long`: it starts or stops the application. `led_to`: the mode that it leads to, by its program's exit status.
    """

    is_long: bool
    led_to: Mode | None = None
    over: asyncio.Event = field(factory=asyncio.Event)


def _why_unchangeable(member: Member, kind: PairKind) -> str:
    if kind is PairKind.MONITORED:
        return f"{member.application} is only monitored: it has no mode to change"
    if member.mlcmd is not None:
        return f"the mode of {member.application} is changed through mlcmd, not on its host"
    return ""


def _control_of(member: Member, tells_mode: bool, running: Mode, run: Run) -> ApplicationControl:
    if member.ocf is not None:
        return OcfControl(member.ocf, member.application, tells_mode, member.look_every_ms, run)
    commands = {
        Action.START: member.start,
        Action.STOP: member.stop,
        Action.PROMOTE: member.to_primary,
        Action.DEMOTE: member.to_backup,
    }
    return CommandControl(member.application, commands, member.status, tells_mode, running, run)
