"""`switchover lca`: the daemon on each host, between the agent and the drivers of this host.

It releases the VIP when it starts, watches the applications and the interface, carries out the agent's commands and
reports their results. It decides nothing; only an application that is in the wanted mode already is left alone.

Commands for one target (the VIP, or one application) are carried out one after the other, in the order in which they
came. Commands for different targets do not wait for one another.

The kernel's and the processes' own messages say when to look. So that nothing is missed for good, the LCA also looks
every `REST_MS`: that costs one request to the kernel, and one `status` command for each running application that has
both a pidfile and such a command.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from ...drivers.errors import DriverError, failure
from ...drivers.link.wire import HostEvent
from ...drivers.vip.addresses import VirtualIp, parse_addresses
from ...drivers.vip.announce import Announcer
from ...drivers.vip.claims import ClaimWatch
from ...drivers.vip.network_watch import NetworkWatch
from ...fsm import (
    AnnounceVip,
    CommandFailed,
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
from .system import System

T = TypeVar("T")

LOG = logging.getLogger("switchover.lca")

REST_MS = 5000
"""How often the VIP and the applications are looked at although nothing seems to have happened, in milliseconds."""

RETRY_MS = 1000
"""How soon a look at the VIP that failed is repeated, in milliseconds."""

_LOOK, _ANNOUNCEMENT = "look", "announcement"


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
        self,
        configuration: Configuration,
        host: Host,
        addresses: VirtualIp,
        *,
        observe: bool = False,
        system: System | None = None,
    ) -> None:
        system = system or System()
        vip = [str(address) for address in configuration.vip.addresses]
        self._host = host.name
        self._addresses = addresses
        self._observes = observe
        self._announcer = Announcer(host.interface, vip, configuration.vip.announce, system.kernel)
        self._claims = ClaimWatch(host.interface, vip, self._claimed, system.kernel)
        self._agent: AgentConnection | None = None
        self._vip_held = False
        self._is_disputed = False
        self._owes_announcement = False
        self._part_stays = False
        self._owes_report = False
        self._vip_addresses = frozenset(str(address.ip) for address in parse_addresses(vip))
        self._mac = ""
        self._vip_lane = asyncio.Lock()
        self._network_changed = asyncio.Event()
        self._network = NetworkWatch(self._network_changed.set, system.kernel)
        self._warned: dict[str, str] = {}
        self._deadline_ms = deadline_ms = configuration.solution.command_deadline_ms
        self._applications = {
            member.application: Application(member, pair.kind, deadline_ms, self._send, self._spawn, system)
            for pair in configuration.pairs
            for member in pair.members
            if member.host == host.name
        }
        self._tasks: set[asyncio.Task[None]] = set()
        self._watches: list[asyncio.Task[None]] = []
        self._started = asyncio.Event()
        self._closing = False

    async def start(self) -> None:
        """Release the VIP, find out the modes of the applications, and start watching. Raises `DriverError`."""
        await self._addresses.start()
        if not self._observes:
            await self._addresses.disable()
        self._announcer.start()
        self._claims.start()
        self._network.start()
        await asyncio.gather(self._look_for_report(), *(each.start() for each in self._applications.values()))
        self._watches = [asyncio.ensure_future(self._watch_vip()), asyncio.ensure_future(self._look_at_rest())]
        self._started.set()

    async def close(self) -> None:
        """Release the VIP and stop watching. The applications stay as they are; commands that come now are refused."""
        self._closing = True
        for application in self._applications.values():
            application.close()
        self._claims.close()
        self._network.close()
        tasks = [*self._watches, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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
        """The real state of this host. An agent that connects while the LCA is starting waits for it.

        All looks are made at the same time, each with the deadline of a command, so that the report takes as long as
        the slowest of them. What cannot be found out is reported as it was last known, and again when it is known.
        """
        await self._started.wait()
        looks = (application.look_for_report() for application in self._applications.values())
        await asyncio.gather(self._look_for_report(), *looks)
        modes = {name: application.mode for name, application in self._applications.items()}
        times = {name: application.primary_for_ms() for name, application in self._applications.items()}
        since = {name: time for name, time in times.items() if time is not None}
        return HostReport(modes=modes, vip_held=self._vip_held, primary_for_ms=since)

    async def _look_for_report(self) -> None:
        try:
            async with asyncio.timeout(self._deadline_ms / 1000), self._vip_lane:
                self._set_vip(held=await self._is_vip_here())
        except (DriverError, TimeoutError) as error:
            self._warn_of_failed_look(error)
            self._owes_report = True
            self._network_changed.set()

    async def _is_vip_here(self) -> bool:
        """Whether this host holds the whole VIP. A part of it is removed, so that another host can hold the whole."""
        present = await self._addresses.present()
        self._part_stays = False
        if self._holds(present) or not present:
            return bool(present)
        try:
            await self._addresses.disable()
        except DriverError as error:
            LOG.warning("this host holds only a part of the VIP, which cannot be removed: %s", error)
            self._part_stays = True
            return True
        return False

    def _holds(self, present: frozenset[str]) -> bool:
        """Whether the VIP counts as held while these of its addresses are here. One that cannot be removed counts."""
        return present == self._vip_addresses or (bool(present) and (self._observes or self._part_stays))

    def execute(self, command: HostCommand, deadline_ms: int) -> None:
        """Carry out a command within `deadline_ms` milliseconds and send its result to the agent."""
        self._spawn(self._answer(command, deadline_ms))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            LOG.error("a task of the LCA ended with a fault of this program: %r", error, exc_info=error)

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
            if isinstance(command, ApplicationCommand):
                application = self._here(command, command.application, self._applications.get(command.application))
                await application.carry_out(command, deadline_ms)
            else:
                async with asyncio.timeout(deadline_ms / 1000), self._here(command, "VIP", self._vip_lane):
                    await self._carry_out(command)
        except TimeoutError:
            return CommandTimedOut(command.id, f"not done within {deadline_ms} ms")
        except DriverError as error:
            return failure(command.id, error)
        except Exception as error:  # whatever it is, the agent must not wait for an answer that never comes
            LOG.exception("%s: a fault of this program", describe_command(command))
            return CommandFailed(command.id, f"a fault of the LCA, which its log explains: {error!r}")
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
        if not held:
            self._announcer.stop()
            self._owes_announcement = False
            self._mac = ""

    async def _watch_vip(self) -> None:
        """Look at the VIP when the kernel reports a change of the network, and at rest; soon again if that fails."""
        pause_ms = REST_MS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_ms / 1000):
                    await self._network_changed.wait()
            self._network_changed.clear()
            try:
                async with asyncio.timeout(self._deadline_ms / 1000), self._vip_lane:
                    self._compare(await self._addresses.present())
                pause_ms = REST_MS
                self._warned.pop(_LOOK, None)
            except Exception as error:  # a watch that ends would miss everything that comes after
                self._warn_of_failed_look(error)
                pause_ms = RETRY_MS

    def _compare(self, present: frozenset[str]) -> None:
        """Report what is not as it was last reported: somebody else did it, or a command after its deadline."""
        held = self._holds(present)
        self._announcer.retain(present)
        if held != self._vip_held:
            LOG.warning(
                "the VIP on this host was %s by somebody else, or by a command after its deadline",
                "enabled" if held else "disabled",
            )
        if held != self._vip_held or self._owes_report:
            self._set_vip(held=held)
            self._owes_report = False
            self._send(VipReported(self._host, held))
        if held:
            self._announce_if_needed()

    def _announce_if_needed(self) -> None:
        try:
            self._announce_if_owed(True)
            self._announce_from_new_mac()
        except DriverError as error:
            self._warn(_ANNOUNCEMENT, f"the VIP is here and cannot be announced: {error}")
        else:
            self._warned.pop(_ANNOUNCEMENT, None)

    def _announce_from_new_mac(self) -> None:
        """Announce the VIP again if its interface has another MAC address, as after a failover of a bond."""
        mac = self._announcer.mac()
        if self._mac and mac != self._mac:
            LOG.warning("the MAC address is %s, it was %s: announcing the VIP again", mac, self._mac)
            self._announcer.announce()
        self._mac = mac

    def _warn_of_failed_look(self, error: Exception) -> None:
        late = f"no answer within {self._deadline_ms} ms"
        reason = str(error) or late if isinstance(error, DriverError | TimeoutError) else repr(error)
        known = "held" if self._vip_held else "not held"
        self._warn(_LOOK, f"the VIP on this host cannot be looked at, so it still counts as {known}: {reason}")

    def _warn(self, topic: str, what: str) -> None:
        """Log it, unless that is what was last logged of this topic."""
        if self._warned.get(topic) != what:
            self._warned[topic] = what
            LOG.warning("%s", what)

    async def _look_at_rest(self) -> None:
        """Ask applications for their modes now and then, although no process has died and no command has come."""
        while True:
            await asyncio.sleep(REST_MS / 1000)
            try:
                await asyncio.gather(*(application.look_at_rest() for application in self._applications.values()))
            except Exception:  # a watch that ends would miss everything that comes after
                LOG.exception("the applications cannot be looked at, which is a fault of this program")

    def _claimed(self, mac: str) -> None:
        """Another host claims the VIP while this one holds it: logged once, since such frames come in bursts."""
        if self._vip_held and not self._is_disputed:
            self._is_disputed = True
            LOG.warning("two hosts hold the VIP: this one does, and %s claims it too", mac)

    def _send(self, event: HostEvent) -> None:
        if self._agent is not None:
            self._agent.send(event)
