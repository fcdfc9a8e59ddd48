"""The applications of a host, as its LCA sees and moves them.

An application with a pidfile is watched by its process: its death is seen at once. Any other is asked how it is, every
`look_every_ms`, by its `status` command or its OCF agent; then it is down as soon as the answer says so (an exit status
other than 0), and its failure is seen as late as that.

An answer that does not come in time, or that cannot be read, says nothing: what was known stays. Known weakness: an
application without a pidfile whose `status` hangs counts as it did before, for as long as it hangs.

Regular looks give way: one that is under way when a command comes is ended, so that no takeover waits for a slow
`status`. What is found by a look, and was not brought about by the agent, is told it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from ...drivers.control.applications import Action, ApplicationControl, CommandControl
from ...drivers.control.ocf import OcfControl
from ...drivers.control.processes import LOOK_AGAIN_MS, ProcessWatch
from ...drivers.errors import DriverError, ExitStatusError, UnreadableError
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

LOG = logging.getLogger("switchover.lca")


class Application:
    """One application: its mode, as far as was seen, and how that is changed.

    One of a redundant pair is primary, backup or down, and one of a monitored pair up or down. Where the agent controls
    the mode by mlcmd, whatever runs is said to be backup here, and the agent knows better.

    `tell` gets what happens by itself, `spawn` runs what has to be waited for; `deadline_ms` bounds each look. Looks
    and commands are carried out one after the other, commands in the order in which they came.
    """

    def __init__(
        self,
        member: Member,
        kind: PairKind,
        deadline_ms: int,
        tell: Callable[[ApplicationReported], None],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self.name = member.application
        self.mode = Mode.DOWN
        self._lane = asyncio.Lock()
        self._member = member
        self._deadline_ms = deadline_ms
        self._tell = tell
        self._spawn = spawn
        self._running = Mode.UP if kind is PairKind.MONITORED else Mode.BACKUP
        self._unchangeable = _why_unchangeable(member, kind)
        tells_mode = not self._unchangeable
        self._control = _control_of(member, tells_mode, self._running)
        self._process = ProcessWatch(self.name, member.pidfile, self._process_changed) if member.pidfile else None
        # With a pidfile, only the mode is asked for, and only if there is something to ask.
        self._asked = self._process is None or (tells_mode and (member.status is not None or member.ocf is not None))
        self._told = Mode.DOWN
        self._warned = ""
        self._primary_since: float | None = None
        self._looks: asyncio.Task[None] | None = None
        self._closed = False

    # Looking

    async def start(self) -> None:
        """Look at it, and watch it from now on."""
        if self._process is not None:
            self._process.start()
        await self._look()
        self._told = self.mode
        self._resume_looks()

    def close(self) -> None:
        """Stop watching; the application stays as it is."""
        self._closed = True
        self._pause_looks()
        if self._process is not None:
            self._process.close()

    async def look_for_report(self) -> None:
        """Take in the mode that it really is in; the agent is told it by the host's report."""
        async with self._lane:
            await self._look()
            self._told = self.mode

    def primary_for_ms(self) -> int | None:
        """How long it has been primary, in milliseconds since it was promoted; None if it was not promoted here."""
        return None if self._primary_since is None else round((time.monotonic() - self._primary_since) * 1000)

    def _pause_looks(self) -> None:
        """End a regular look that is under way: something more urgent is to be done."""
        if self._looks is not None:
            self._looks.cancel()
            self._looks = None

    def _resume_looks(self) -> None:
        """Look regularly (again), if that is how this application is watched."""
        if self._process is None and self._looks is None and not self._closed:
            self._looks = self._spawn(self._look_regularly())

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._member.look_every_ms / 1000)
            await self._look_and_say()

    async def _look_and_say(self) -> None:
        async with self._lane:
            await self._look()
            self._say()

    async def _look(self) -> None:
        """Take in the mode that it really is in, or else keep what is known."""
        try:
            self._set_mode(await self._find(self._deadline_ms))
        except DriverError as error:
            if self.mode is Mode.DOWN and self._process is not None and self._process.running:
                self._set_mode(self._running)
            self._warn(f"the status of {self.name} is not known, taken for {self.mode}: {error}")

    async def _find(self, deadline_ms: int) -> Mode:
        """The mode that it really is in. Raises `DriverError` if that cannot be found out."""
        if self._is_dead():
            return Mode.DOWN
        if not self._asked:
            return self._running if self.mode is Mode.DOWN else self.mode
        try:
            found = await self._ask(deadline_ms)
        except UnreadableError:
            if not self._is_dead():
                raise
            return Mode.DOWN
        return Mode.DOWN if self._is_dead() else found

    async def _ask(self, deadline_ms: int) -> Mode:
        """What it says itself. That it does not work while its process runs makes no sense, and counts as no answer."""
        try:
            found = await self._control.look(deadline_ms)
        except ExitStatusError as error:
            if self._process is not None:
                raise UnreadableError(str(error)) from error
            self._warn(f"{self.name} is taken for down: {error}")
            return Mode.DOWN
        if found is Mode.DOWN and self._process is not None:
            raise UnreadableError(f"the process of {self.name} runs, and its agent says that it does not")
        self._warned = ""
        return found

    def _is_dead(self) -> bool:
        return self._process is not None and not self._process.running

    def _warn(self, what: str) -> None:
        """Log what is wrong with looking at it, once until it is another thing or well again."""
        if what != self._warned:
            self._warned = what
            LOG.warning("%s", what)

    def _process_changed(self, running: bool) -> None:
        if running:
            self._spawn(self._look_and_say())
        else:
            self._set_mode(Mode.DOWN)
            self._say(always=True)

    def _set_mode(self, mode: Mode) -> None:
        self.mode = mode
        if mode is not Mode.PRIMARY:
            self._primary_since = None

    def _say(self, *, always: bool = False) -> None:
        """Tell the mode that it is in, if that is news or is to be told anyway."""
        if always or self.mode is not self._told:
            self._told = self.mode
            self._tell(ApplicationReported(self.name, self.mode))

    # Commands

    async def carry_out(self, command: ApplicationCommand, deadline_ms: int) -> None:
        """Have the command done, within so many milliseconds; it is done when its outcome is seen.

        Raises `DriverError` if it failed, `TimedOutError` if a program did not end in time, and `UnreadableError` if it
        is not known what came of it. The caller's own timeout bounds the whole. However it ends, a mode that it was
        found in, and that does not follow from the command's success, is told first.
        """
        self._pause_looks()
        try:
            async with self._lane:
                await self._do(command, deadline_ms)
        finally:
            self._say()
            self._resume_looks()

    async def _do(self, command: ApplicationCommand, deadline_ms: int) -> None:
        match command:
            case Promote() | Demote():
                await self._change_mode(command.mode, deadline_ms)
            case Start():
                await self._start_or_stop(Action.START, deadline_ms)
            case Stop():
                await self._start_or_stop(Action.STOP, deadline_ms)
            case LookAt():
                self._set_mode(await self._find(deadline_ms))
                self._say(always=True)

    async def _change_mode(self, mode: Mode, deadline_ms: int) -> None:
        if self._unchangeable:
            raise DriverError(self._unchangeable)
        if self.mode is Mode.DOWN:
            raise DriverError(f"{self.name} is down")
        if self.mode is mode:
            await self._look()  # another hand may have changed it
        if self.mode is not mode:
            await self._control.act(Action.PROMOTE if mode is Mode.PRIMARY else Action.DEMOTE, deadline_ms)
            await self._see_that_it_is(mode, deadline_ms)
            self._set_mode(mode)
            if mode is Mode.PRIMARY:
                self._primary_since = time.monotonic()
        self._told = mode

    async def _see_that_it_is(self, mode: Mode, deadline_ms: int) -> None:
        """Look at what the command brought about: some control programs fail with exit status 0."""
        if self._asked:
            found = await self._find(deadline_ms)
        else:  # the exit status has to be believed
            found = Mode.DOWN if self._is_dead() else mode
        if found is Mode.DOWN:
            self._set_mode(found)
            raise DriverError(f"{self.name} went down")
        if found is not mode:
            raise DriverError(f"{self.name} was told to be {mode} and says '{found}'")

    async def _start_or_stop(self, action: Action, deadline_ms: int) -> None:
        """Start or stop it, unless it is so already, and wait until it is seen to be so."""
        wanted_down = action is Action.STOP
        await self._look()
        if (self.mode is Mode.DOWN) is wanted_down:
            return
        await self._control.act(action, deadline_ms)
        await self._look()
        while (self.mode is Mode.DOWN) is not wanted_down:
            await asyncio.sleep(LOOK_AGAIN_MS / 1000)
            await self._look()


def _why_unchangeable(member: Member, kind: PairKind) -> str:
    if kind is PairKind.MONITORED:
        return f"{member.application} is monitored only: it has no mode that could be changed"
    if member.mlcmd is not None:
        return f"the mode of {member.application} is changed by mlcmd, and not by its host"
    return ""


def _control_of(member: Member, tells_mode: bool, running: Mode) -> ApplicationControl:
    if member.ocf is not None:
        return OcfControl(member.ocf, member.application, tells_mode, member.look_every_ms)
    commands = {
        Action.START: member.start,
        Action.STOP: member.stop,
        Action.PROMOTE: member.to_primary,
        Action.DEMOTE: member.to_backup,
    }
    return CommandControl(member.application, commands, member.status, tells_mode, running)
