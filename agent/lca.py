"""`switchover lca`: the resident daemon on each host, between the agent and this host's drivers.

It starts with the VIP down, watches the applications' processes and the interface, carries out what the agent tells it
and says what came of it. It decides nothing: an application that is asked for the mode that it has is left alone, and
that is all.

Commands for one thing (the VIP, or one application) are carried out one after the other, in the order in which they
came; commands for different things do not wait for one another.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Mapping
from typing import Protocol

from ..drivers import control
from ..drivers.addresses import AddressWatch, VirtualIp
from ..drivers.announce import Announcer
from ..drivers.claims import ClaimWatch
from ..drivers.errors import DriverError
from ..drivers.processes import ProcessWatch
from ..drivers.wire import HostEvent
from ..fsm import (
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    Demote,
    DisableVip,
    EnableVip,
    HostCommand,
    HostReport,
    Mode,
    Promote,
    VipReported,
)
from ..fsm.records import describe_command
from .settings import Configuration, Host

LOG = logging.getLogger("switchover.lca")


class AgentConnection(Protocol):
    """What the LCA needs of its link to the agent."""

    def send(self, event: HostEvent) -> None:
        """Tell the agent, if one is connected; what happens meanwhile is in the next connection's report."""
        ...


class Lca:
    """One host: its Virtual IP and its applications, as the agent sees and moves them."""

    def __init__(self, configuration: Configuration, host: Host, addresses: VirtualIp) -> None:
        vip = [str(address) for address in configuration.vip.addresses]
        self._host = host.name
        self._members = {member.application: member for member in configuration.members_on(host.name)}
        self._deadline_ms = configuration.solution.command_deadline_ms
        self._addresses = addresses
        self._announcer = Announcer(host.interface, vip, configuration.vip.announce)
        self._claims = ClaimWatch(host.interface, vip, self._claimed)
        self._agent: AgentConnection | None = None
        self._modes: dict[str, Mode] = {}
        self._primary_since: dict[str, float] = {}
        self._vip_held = False
        self._processes = {
            name: ProcessWatch(name, member.pidfile, functools.partial(self._process_changed, name))
            for name, member in self._members.items()
        }
        self._address_watch = AddressWatch(addresses, self._vip_changed)
        self._lanes: Mapping[str, asyncio.Lock] = {name: asyncio.Lock() for name in ("VIP", *self._members)}
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = asyncio.Event()
        self._closing = False

    async def start(self) -> None:
        """Take the VIP down, look at the applications, and watch both. Raises `DriverError`."""
        await self._addresses.start()
        await self._addresses.disable()
        self._announcer.start()
        self._claims.start()
        await self._address_watch.start()
        for name, process in self._processes.items():
            process.start()
            mode = await self._look_at(name, Mode.BACKUP) if process.running else Mode.DOWN
            self._set_mode(name, mode if process.running else Mode.DOWN)  # it may have died while it was looked at
        self._started.set()

    async def close(self) -> None:
        """Release the VIP and stop watching; the applications stay as they are, and what is ordered now is refused."""
        self._closing = True
        for process in self._processes.values():
            process.close()
        self._claims.close()
        await self._address_watch.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._announcer.close()
        try:
            await self._addresses.disable()
        finally:
            await self._addresses.close()

    def solicit(self, agent: str, own: str) -> None:
        """Ask the network who has the agent's address, from this host's own: see `LcaLink`."""
        self._announcer.solicit(agent, own)

    def connect(self, agent: AgentConnection) -> None:
        """From now on, tell this agent what happens."""
        self._agent = agent

    async def report(self) -> HostReport:
        """What this host really looks like now; an agent that comes while the LCA starts waits for it."""
        await self._started.wait()
        for name in self._members:
            async with self._lanes[name]:
                await self._look_again(name)
        async with self._lanes["VIP"]:
            self._set_vip(held=await self._is_vip_here())
        now = time.monotonic()
        since = {name: round((now - moment) * 1000) for name, moment in self._primary_since.items()}
        return HostReport(modes=dict(self._modes), vip_held=self._vip_held, primary_for_ms=since)

    async def _is_vip_here(self) -> bool:
        """Whether the VIP is here. A part of it is taken away: no other host may be given what this one has of it."""
        if await self._addresses.held():
            return True
        try:
            await self._addresses.disable()
        except DriverError as error:
            LOG.warning("a part of the VIP is here, and stays: %s", error)
            return True
        return False

    def execute(self, command: HostCommand, deadline_ms: int) -> None:
        """Carry out a command within so many milliseconds, and tell the agent what came of it."""
        lane = command.application if isinstance(command, Promote | Demote) else "VIP"
        self._spawn(self._answer(command, lane, deadline_ms))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, command: HostCommand, lane: str, deadline_ms: int) -> None:
        text = describe_command(command)
        try:
            if self._closing:
                raise DriverError(f"{self._host} is stopping")
            if command.host != self._host or lane not in self._lanes:
                raise DriverError(f"{self._host} has no {lane}: the agent's configuration is another one")
            async with asyncio.timeout(deadline_ms / 1000), self._lanes[lane]:
                await self._carry_out(command, deadline_ms)
        except TimeoutError:
            result = CommandFailed(command.id, f"not done within {deadline_ms} ms")
        except DriverError as error:
            result = CommandFailed(command.id, str(error))
        else:
            result = CommandSucceeded(command.id)
        self._tell(result)
        LOG.info("%s: %s", text, "done" if isinstance(result, CommandSucceeded) else result.reason)

    async def _carry_out(self, command: HostCommand, deadline_ms: int) -> None:
        match command:
            case Promote():
                await self._change_mode(command.application, Mode.PRIMARY, deadline_ms)
            case Demote():
                await self._change_mode(command.application, Mode.BACKUP, deadline_ms)
            case EnableVip():
                await self._enable_vip()
            case DisableVip():
                self._announcer.stop()
                await self._addresses.disable()
                self._set_vip(held=False)
            case AnnounceVip():
                if not self._vip_held:
                    raise DriverError("the VIP is not here")
                self._announcer.announce()

    async def _enable_vip(self) -> None:
        """The whole VIP or a failure; of a part, what is here is announced, and so is served meanwhile."""
        try:
            await self._addresses.enable()
        except DriverError:
            self._announcer.announce(only=await self._addresses.present())
            raise
        self._announcer.announce()
        self._set_vip(held=True)

    def _set_vip(self, *, held: bool) -> None:
        self._vip_held = held
        self._address_watch.expect(held)

    async def _change_mode(self, name: str, mode: Mode, deadline_ms: int) -> None:
        if self._modes[name] is Mode.DOWN:
            raise DriverError(f"{name} is down")
        if self._modes[name] is mode:
            await self._look_again(name)  # another hand may have changed it
        if self._modes[name] is not mode:
            member = self._members[name]
            await control.check(member.to_primary if mode is Mode.PRIMARY else member.to_backup, deadline_ms)
            await self._see_that_it_is(name, mode, deadline_ms)
            self._set_mode(name, mode)
            if mode is Mode.PRIMARY:
                self._primary_since[name] = time.monotonic()

    async def _see_that_it_is(self, name: str, mode: Mode, deadline_ms: int) -> None:
        """Look at what the command brought about: some control programs fail with exit status 0."""
        status = self._members[name].status
        if status is not None and (found := control.last_line(await control.check(status, deadline_ms))) != mode:
            raise DriverError(f"{name} was told to be {mode} and says {found!r}")
        if not self._processes[name].running:
            raise DriverError(f"{name} went down")

    def _set_mode(self, name: str, mode: Mode) -> None:
        self._modes[name] = mode
        if mode is not Mode.PRIMARY:
            self._primary_since.pop(name, None)

    async def _look_at(self, name: str, otherwise: Mode) -> Mode:
        """The mode of an application that runs, as its status command prints it; `otherwise` if none says it."""
        status = self._members[name].status
        if status is None:
            return otherwise
        try:
            return Mode(control.last_line(await control.check(status, self._deadline_ms)))
        except (DriverError, ValueError) as error:
            LOG.warning("the status of %s is not known, taken for %s: %s", name, otherwise, error)
            return otherwise

    async def _look_again(self, name: str) -> None:
        """Take in the mode that an application really is in, unless it is down."""
        if self._modes[name] is not Mode.DOWN:
            mode = await self._look_at(name, self._modes[name])
            if self._processes[name].running:
                self._set_mode(name, mode)

    def _process_changed(self, name: str, running: bool) -> None:
        if running:
            self._spawn(self._came_up(name))
        else:
            self._set_mode(name, Mode.DOWN)
            self._tell(ApplicationReported(name, Mode.DOWN))

    async def _came_up(self, name: str) -> None:
        async with self._lanes[name]:
            mode = await self._look_at(name, Mode.BACKUP)  # that is how an application starts
            if self._processes[name].running:
                self._set_mode(name, mode)
                self._tell(ApplicationReported(name, mode))

    def _vip_changed(self, _held: bool) -> None:
        """The kernel says that the VIP came or went; whose hand it was is known when no command is under way."""
        self._spawn(self._look_at_the_vip())

    async def _look_at_the_vip(self) -> None:
        async with self._lanes["VIP"]:
            held = await self._addresses.held()
        if held != self._vip_held:
            self._vip_held = held
            LOG.warning("the VIP was %s by another hand", "enabled" if held else "disabled")
            self._tell(VipReported(self._host, held))

    def _claimed(self, mac: str) -> None:
        if self._vip_held:
            LOG.warning("%s claims the VIP, which is here: two hosts hold it", mac)

    def _tell(self, event: HostEvent) -> None:
        if self._agent is not None:
            self._agent.send(event)
