"""`switchover lca`: the daemon on each host, between the agent and the drivers of this host.

It releases the VIP when it starts, watches the applications and the interface, carries out the agent's commands and
reports their results. It decides nothing; only an application that is in the wanted mode already is left alone.

Commands for one target (the VIP, or one application) are carried out one after the other, in the order in which they
came. Commands for different targets do not wait for one another.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from ...drivers.errors import DriverError, failure
from ...drivers.link.wire import HostEvent
from ...drivers.vip.addresses import AddressWatch, VirtualIp
from ...drivers.vip.announce import Announcer
from ...drivers.vip.claims import ClaimWatch
from ...fsm import (
    AnnounceVip,
    CommandSucceeded,
    DisableVip,
    EnableVip,
    HostCommand,
    HostReport,
    LookAt,
    LookAtVip,
    VipReported,
)
from ...fsm.commands import ApplicationCommand
from ...fsm.events import CommandResult, CommandTimedOut
from ...fsm.records import describe_command
from ..configuration.settings import Configuration, Host
from .applications import Application

T = TypeVar("T")

LOG = logging.getLogger("switchover.lca")


class AgentConnection(Protocol):
    """What the LCA needs of its link to the agent."""

    def send(self, event: HostEvent) -> None:
        """Send an event to the agent, if one is connected; otherwise the next connection's report contains it."""
        ...


class Lca:
    """The Virtual IP and the applications of one host.

    With `observe` it reports both and touches neither: it refuses every command that would change something.
    """

    def __init__(
        self, configuration: Configuration, host: Host, addresses: VirtualIp, *, observe: bool = False
    ) -> None:
        vip = [str(address) for address in configuration.vip.addresses]
        self._host = host.name
        self._addresses = addresses
        self._observes = observe
        self._announcer = Announcer(host.interface, vip, configuration.vip.announce)
        self._claims = ClaimWatch(host.interface, vip, self._claimed)
        self._agent: AgentConnection | None = None
        self._vip_held = False
        self._is_disputed = False
        self._owes_announcement = False
        self._vip_lane = asyncio.Lock()
        self._address_watch = AddressWatch(addresses, self._vip_changed)
        deadline_ms = configuration.solution.command_deadline_ms
        self._applications = {
            member.application: Application(member, pair.kind, deadline_ms, self._send, self._spawn)
            for pair in configuration.pairs
            for member in pair.members
            if member.host == host.name
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = asyncio.Event()
        self._closing = False

    async def start(self) -> None:
        """Release the VIP, find out the modes of the applications, and start watching. Raises `DriverError`."""
        await self._addresses.start()
        if not self._observes:
            await self._addresses.disable()
        self._announcer.start()
        self._claims.start()
        await self._address_watch.start()
        for application in self._applications.values():
            await application.start()
        self._started.set()

    async def close(self) -> None:
        """Release the VIP and stop watching. The applications stay as they are; commands that come now are refused."""
        self._closing = True
        for application in self._applications.values():
            application.close()
        self._claims.close()
        await self._address_watch.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._announcer.close()
        try:
            if not self._observes:
                await self._addresses.disable()
        finally:
            await self._addresses.close()

    def solicit(self, agent: str, own: str) -> None:
        """Ask the network, from this host's own address, who has the agent's address (see `LcaLink`)."""
        self._announcer.solicit(agent, own)

    def connect(self, agent: AgentConnection) -> None:
        """Send events to this agent from now on."""
        self._agent = agent

    async def report(self) -> HostReport:
        """The real state of this host. An agent that connects while the LCA is starting waits for it."""
        await self._started.wait()
        for application in self._applications.values():
            await application.look_for_report()
        async with self._vip_lane:
            self._set_vip(held=await self._is_vip_here())
        modes = {name: application.mode for name, application in self._applications.items()}
        times = {name: application.primary_for_ms() for name, application in self._applications.items()}
        since = {name: time for name, time in times.items() if time is not None}
        return HostReport(modes=modes, vip_held=self._vip_held, primary_for_ms=since)

    async def _is_vip_here(self) -> bool:
        """Whether this host holds the whole VIP. A part of it is removed, so that another host can hold the whole."""
        if await self._addresses.held():
            return True
        if self._observes:
            return bool(await self._addresses.present())
        try:
            await self._addresses.disable()
        except DriverError as error:
            LOG.warning("this host holds only a part of the VIP, which cannot be removed: %s", error)
            return True
        return False

    def execute(self, command: HostCommand, deadline_ms: int) -> None:
        """Carry out a command within `deadline_ms` milliseconds and send its result to the agent."""
        self._spawn(self._answer(command, deadline_ms))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, command: HostCommand, deadline_ms: int) -> None:
        text = describe_command(command)
        result = await self._result(command, deadline_ms)
        self._send(result)
        LOG.info("%s: %s", text, "done" if isinstance(result, CommandSucceeded) else result.reason)

    async def _result(self, command: HostCommand, deadline_ms: int) -> CommandResult:
        try:
            if self._closing:
                raise DriverError(f"the LCA of {self._host} is stopping")
            if self._observes and not isinstance(command, LookAt | LookAtVip):
                raise DriverError(f"{self._host} is only observed")
            async with asyncio.timeout(deadline_ms / 1000):
                if isinstance(command, ApplicationCommand):
                    application = self._here(command, command.application, self._applications.get(command.application))
                    await application.carry_out(command, deadline_ms)
                else:
                    async with self._here(command, "VIP", self._vip_lane):
                        await self._carry_out(command)
        except TimeoutError:
            return CommandTimedOut(command.id, f"not done within {deadline_ms} ms")
        except DriverError as error:
            return failure(command.id, error)
        return CommandSucceeded(command.id)

    def _here(self, command: HostCommand, name: str, target: T | None) -> T:
        if command.host != self._host or target is None:
            raise DriverError(f"{self._host} has no {name}: the agent and this host have different configurations")
        return target

    async def _carry_out(self, command: EnableVip | DisableVip | AnnounceVip | LookAtVip) -> None:
        match command:
            case EnableVip():
                await self._enable_vip()
            case DisableVip():
                self._announcer.stop()
                self._owes_announcement = False
                await self._addresses.disable()
                self._set_vip(held=False)
            case LookAtVip():
                held = await self._is_vip_here()
                self._announce_if_owed(held)
                self._set_vip(held=held)
                self._send(VipReported(self._host, held))
            case AnnounceVip():
                if not self._vip_held:
                    raise DriverError("this host does not hold the VIP")
                self._announcer.announce()
                self._owes_announcement = False

    async def _enable_vip(self) -> None:
        """Enable the whole VIP or fail. The addresses that did come up are announced, so that they serve meanwhile."""
        self._owes_announcement = True
        try:
            await self._addresses.enable()
        except DriverError:
            self._announcer.announce(only=await self._addresses.present())
            raise
        self._announce_if_owed(True)
        self._set_vip(held=True)

    def _announce_if_owed(self, held: bool) -> None:
        """Announce the VIP if a deadline interrupted the enabling after its addresses were up."""
        if held and self._owes_announcement:
            self._announcer.announce()
            self._owes_announcement = False

    def _set_vip(self, *, held: bool) -> None:
        self._vip_held = held
        self._is_disputed &= held
        self._address_watch.expect(held)

    def _vip_changed(self, _held: bool) -> None:
        """The kernel reports that the VIP came or went; who did it is clear once no command is running."""
        self._spawn(self._look_at_the_vip())

    async def _look_at_the_vip(self) -> None:
        async with self._vip_lane:
            held = await self._addresses.held()
        if held != self._vip_held:
            self._vip_held = held
            LOG.warning("somebody else %s the VIP on this host", "enabled" if held else "disabled")
            self._send(VipReported(self._host, held))

    def _claimed(self, mac: str) -> None:
        """Another host claims the VIP while this one holds it: logged once, since such frames come in bursts."""
        if self._vip_held and not self._is_disputed:
            self._is_disputed = True
            LOG.warning("two hosts hold the VIP: this one does, and %s claims it too", mac)

    def _send(self, event: HostEvent) -> None:
        if self._agent is not None:
            self._agent.send(event)
