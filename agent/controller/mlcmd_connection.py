"""A host's connection on a Genesys site: the LCA reports what runs; mlcmd, on the agent's side, handles the modes.

The LCA watches an application whose member has `mlcmd` like any other, and reports it as backup when it runs. Before
that report reaches the agent, mlcmd is asked for the application's real mode. The agent's commands for such an
application are carried out here, by mlcmd, and never reach the host.

1. A host counts as connected when the modes of its applications are known, and also those on the other host if that one
   is there: an agent that does not know which application is primary must not decide which one becomes it.
2. If mlcmd reports no mode, the last known mode is used, or backup for an application that has just come up, and mlcmd
   is asked again until it answers. If no mode was known, the host does not count as connected yet.
3. Whether an application runs is the host's to say: what mlcmd reports of one that is down does not count.
4. When a host is lost, what is under way for it is ended, and nothing more is reported of it.

Known weakness: a mode that somebody else changes, such as the SCS itself, is not noticed before the next command.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping

from attrs import define, evolve, field, frozen

from ...drivers.control.mlcmd import Mlcmd
from ...drivers.errors import DriverError, TimedOutError, UnreadableError, failure
from ...fsm import (
    ApplicationReported,
    CommandSucceeded,
    Demote,
    Event,
    HostConnected,
    HostLeft,
    HostLost,
    LookAt,
    Mode,
    Promote,
)
from ...fsm.commands import HostCommand
from ..configuration.settings import Configuration
from .agent import HostConnection

LOG = logging.getLogger("switchover.mlcmd")

ASK_AGAIN_S = 1.0
"""How long after a failure mlcmd is asked for a mode again, in seconds."""


@frozen
class Controlled:
    """An application that mlcmd controls, by DBID or name, and its peer on the other host."""

    target: str
    peer: str


@define(eq=False)
class MlcmdConnection:
    """See `HostConnection`. `connect` makes the connection to the host itself, and `deliver` gets the events.

    `deadline_ms` limits each look that is not a command. `together` is one list for all hosts of an agent (see rule 1).
    """

    _mlcmd: Mlcmd
    _controlled: Mapping[str, Controlled]
    _deadline_ms: int
    _connect: Callable[[Callable[[Event], None]], HostConnection]
    _deliver: Callable[[Event], None]
    _together: list["MlcmdConnection"] = field(factory=list["MlcmdConnection"])
    _modes: dict[str, Mode] = field(init=False, factory=dict[str, Mode])  # the last known ones, also of a lost host
    _lanes: Mapping[str, asyncio.Lock] = field(init=False)
    _looks: dict[str, asyncio.Task[None]] = field(init=False, factory=dict[str, asyncio.Task[None]])
    _tasks: set[asyncio.Task[None]] = field(init=False, factory=set[asyncio.Task[None]])
    _arriving: HostConnected | None = field(init=False, default=None)  # not delivered to the agent yet
    _awaited: set[str] = field(init=False, factory=set[str])  # the applications whose modes it waits for
    _waiting: list[Event] = field(init=False, factory=list[Event])  # what the host has reported since then
    _connected: bool | None = field(init=False, default=None)  # as last delivered to the agent; None: nothing yet
    _closed: bool = field(init=False, default=False)
    _connection: HostConnection = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._lanes = {name: asyncio.Lock() for name in self._controlled}
        self._together.append(self)
        self._connection = self._connect(self.hear)

    @property
    def heard_at(self) -> float | None:
        """See `HostConnection`."""
        return self._connection.heard_at

    def start(self) -> None:
        """See `HostConnection`."""
        self._connection.start()

    async def close(self) -> None:
        """See `HostConnection`. No mlcmd is left behind."""
        self._closed, self._connected = True, False
        self._end_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.close()

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        """See `HostConnection`. A command that cannot be sent is left to the connection to the host itself."""
        match command:
            case Promote() | Demote() | LookAt() if self._connected and command.application in self._controlled:
                self._spawn(self._answer(command, deadline_ms))
            case _:
                self._connection.send(command, deadline_ms)

    def hear(self, event: Event) -> None:
        """An event from the host itself."""
        match event:
            case HostConnected(report=report) if not self._closed:
                self._end_all()
                self._arriving, self._awaited = event, self._controlled.keys() & report.modes.keys()
                for name in sorted(self._awaited):
                    self._see(name, report.modes[name], None)
                self._deliver_arrivals()
            case HostLost() | HostLeft():
                self._end_all()
                if self._connected is not False:
                    self._connected = False
                    self._deliver(event)
                self._deliver_arrivals()  # the other host need not wait for this one any more
            case _ if self._arriving is None and not self._connected:
                pass  # for the agent this host is not connected
            case ApplicationReported(application=name, mode=mode) if name in self._controlled:
                self._see(name, mode, Mode.BACKUP)
            case _ if self._arriving is not None:
                self._waiting.append(event)
            case _:
                self._deliver(event)

    def _see(self, name: str, mode: Mode, new: Mode | None) -> None:
        """Its host reports it down, or running: then mlcmd is asked for its mode, which is `new` at first."""
        if name in self._looks:
            self._looks.pop(name).cancel()
        if mode is Mode.DOWN:
            self._take_mode(name, mode)
        else:
            known = self._modes.get(name, Mode.DOWN)
            self._looks[name] = self._spawn(self._look(name, new if known is Mode.DOWN else known))

    async def _look(self, name: str, assumed: Mode | None) -> None:
        """Ask until mlcmd answers and the host counts as connected; if mlcmd fails at first, take what is assumed."""
        is_known = False
        while not is_known or self._arriving is not None:
            try:
                async with self._turn(name, self._deadline_ms) as left_ms:
                    mode = await self._ask(name, left_ms)
                self._take_mode(name, mode)
                is_known = True
            except DriverError as error:
                LOG.warning("%s %s: %s", name, f"is taken for {assumed}" if assumed else "has no known mode", error)
                if assumed is not None:
                    self._take_mode(name, assumed)
            assumed = None
            await asyncio.sleep(ASK_AGAIN_S)

    def _take_mode(self, name: str, mode: Mode) -> None:
        """Report the mode if it changed; before the host is connected, it becomes part of the host's report."""
        known, self._modes[name] = self._modes.get(name), mode
        self._awaited.discard(name)
        if self._arriving is not None:
            self._deliver_arrivals()
        elif mode is not known:
            self._deliver(ApplicationReported(name, mode))

    def _deliver_arrivals(self) -> None:
        if not any(connection._awaited for connection in self._together):
            for connection in self._together:
                connection._deliver_arrival()

    def _deliver_arrival(self) -> None:
        if (event := self._arriving) is not None:
            waiting, self._arriving, self._waiting, self._connected = self._waiting, None, [], True
            modes = {name: self._modes.get(name, mode) for name, mode in event.report.modes.items()}
            for each in (evolve(event, report=evolve(event.report, modes=modes)), *waiting):
                self._deliver(each)

    async def _answer(self, command: Promote | Demote | LookAt, deadline_ms: int) -> None:
        try:
            await self._carry_out(command, deadline_ms)
            self._deliver(CommandSucceeded(command.id))
        except DriverError as error:
            self._deliver(failure(command.id, error))

    async def _carry_out(self, command: Promote | Demote | LookAt, deadline_ms: int) -> None:
        name, controlled = command.application, self._controlled[command.application]
        mode = Mode.PRIMARY if isinstance(command, Promote) else Mode.BACKUP
        async with self._turn(name, deadline_ms) as left_ms:
            match command:
                case LookAt():
                    mode = await self._ask(name, left_ms) if self._modes[name] is not Mode.DOWN else Mode.DOWN
                case _ if self._modes[name] is Mode.DOWN:
                    raise DriverError(f"{name} is down")
                case Promote():
                    await self._mlcmd.to_primary(controlled.target, left_ms)
                case Demote():
                    await self._mlcmd.to_backup(controlled.target, controlled.peer, left_ms)
            if self._modes[name] is Mode.DOWN and mode is not Mode.DOWN:  # even if it is up again
                raise DriverError(f"{name} went down")
        self._modes[name] = mode
        if isinstance(command, LookAt):
            self._deliver(ApplicationReported(name, mode))

    async def _ask(self, name: str, deadline_ms: int) -> Mode:
        mode = await self._mlcmd.mode(self._controlled[name].target, deadline_ms)
        if mode is Mode.DOWN:
            raise UnreadableError(f"mlcmd says that {name} is stopped, and its host says that it runs")
        return mode

    @contextlib.asynccontextmanager
    async def _turn(self, name: str, deadline_ms: int) -> AsyncGenerator[int]:
        """Wait until an application has no other work; yields the time that is left then, in milliseconds."""
        clock = asyncio.get_running_loop().time
        end = clock() + deadline_ms / 1000
        try:
            async with asyncio.timeout_at(end) as patience, self._lanes[name]:
                patience.reschedule(None)  # mlcmd keeps to the time that is left, and reports what it saw by then
                yield max(1, round((end - clock()) * 1000))
        except TimeoutError:
            raise TimedOutError(f"{name} was busy for {deadline_ms} ms") from None
        except DriverError:
            raise
        except Exception as error:  # of any kind: the agent waits for an answer
            LOG.exception("mlcmd failed unexpectedly for %s", name)
            raise UnreadableError(f"{type(error).__name__} in mlcmd's driver: see the agent's log") from error

    def _end_all(self) -> None:
        self._arriving, self._awaited, self._waiting = None, set(), []
        for task in self._tasks:
            task.cancel()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            LOG.error("an answer of mlcmd could not be delivered", exc_info=error)


def controlled_on(host: str, configuration: Configuration) -> dict[str, Controlled]:
    """The applications on a host that mlcmd controls, with their peers."""
    controlled: dict[str, Controlled] = {}
    for pair in configuration.pairs:
        for member, peer in (pair.members, pair.members[::-1]):
            if member.host == host and member.mlcmd is not None and peer.mlcmd is not None:
                controlled[member.application] = Controlled(member.mlcmd, peer.mlcmd)
    return controlled
