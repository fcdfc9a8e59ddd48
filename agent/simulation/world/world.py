"""The world of one run: the machines, and the real programs on them, put together as their services do."""

import asyncio
import random
from collections.abc import Callable

from attrs import define

from ....drivers.errors import DriverError
from ....drivers.link.agent_end import HostLink
from ....drivers.link.keys import Identity
from ....drivers.link.lca_end import REPORT_MS, LcaLink
from ....drivers.link.silence import LinkTiming
from ....drivers.vip.addresses import NetlinkAddresses
from ....fsm import Event
from ...configuration.settings import Configuration, Host
from ...controller.agent import Agent, HostConnection
from ...controller.clock import Clock
from ...history.incidents import Incident
from ...history.journal import Handled
from ...host.lca import Lca
from ...host.system import System
from .applications import HostApplications, SimulatedApplication
from .disk import JournalOnDisk
from .kernel import SimulatedKernel, SimulatedProcesses, claimed_address
from .network import Network
from .processes import Process, WorldLoop
from .transport import SimulatedTransport

AGENT, CLIENT = "agent", "client"
"""The names of the machines beside the hosts."""

_WALL_NS = 946_684_800_000_000_000  # the first second of the year 2000
_SUPERVISED_S = 1.0  # how soon a program that cannot start is started again
_KEYS = {AGENT: Identity(b"agent", b"")}


@define(eq=False)
class SimulatedMachine:
    """A host: what is really so on it."""

    settings: Host
    kernel: SimulatedKernel
    processes: SimulatedProcesses
    applications: HostApplications
    is_on: bool = True
    lca: Process | None = None
    program: tuple[Lca, LcaLink] | None = None
    is_stopping: bool = False
    """Whether its LCA was asked to stop, and releases the VIP."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name


class World:
    """Hosts, network, client, disk, and the programs. `record` gets a line for all that happens."""

    def __init__(
        self, loop: WorldLoop, configuration: Configuration, chance: random.Random, record: Callable[[str], None]
    ) -> None:
        self.loop, self.configuration, self.record = loop, configuration, record
        self.topology = configuration.topology()
        self.vip = configuration.vip.addresses
        self.began_s = loop.world_s
        addresses = {host.name: str(host.address) for host in configuration.hosts}
        self.network = Network(loop, chance, addresses | {AGENT: "198.51.100.251", CLIENT: "198.51.100.252"})
        self.journal = JournalOnDisk(loop)
        self.arp: dict[bytes, str] = {}
        """The client's cache: which host it sends to for each address of the VIP. Its entries never expire."""
        self.unheard = set[str]()
        """The hosts whose announcements do not reach the client."""
        self.changed: list[Callable[[], None]] = []
        self.announced: list[Callable[[str, bytes], None]] = []
        self.handled: list[Callable[[Handled], None]] = []
        self.failures: list[str] = []
        """Exceptions that no program caught."""
        self.rates: dict[str, float] = {}
        """How fast the clock of each machine goes."""
        self.agent: Agent | None = None
        self.agent_process: Process | None = None
        self.all_processes: list[Process] = []
        self.machines = {host.name: self._machine(number, host) for number, host in enumerate(configuration.hosts, 1)}
        self._agents = 0
        loop.set_exception_handler(self._failed)

    def _machine(self, number: int, host: Host) -> SimulatedMachine:
        processes = SimulatedProcesses(self.loop)
        kernel = SimulatedKernel(
            self.loop, host.name, host.interface, f"02:00:00:00:00:{number:02x}", self, self.notice
        )
        applications = HostApplications(self.loop, self.configuration, host.name, processes, self._mode_changed)
        return SimulatedMachine(host, kernel, processes, applications)

    @property
    def now_ms(self) -> float:
        """The time since the beginning, in ms."""
        return (self.loop.world_s - self.began_s) * 1000

    def application(self, name: str) -> SimulatedApplication:
        """The application of this name."""
        return next(m.applications.by_name[name] for m in self.machines.values() if name in m.applications.by_name)

    def notice(self) -> None:
        """Something changed in the world."""
        for listener in self.changed:
            listener()

    # The programs

    def start_all(self) -> None:
        """Applications, LCAs and the agent start."""
        for machine in self.machines.values():
            for application in machine.applications.by_name.values():
                machine.applications.start(application)
            self.start_lca(machine.name)
        self.start_agent()

    def start_lca(self, host: str) -> None:
        """The LCA of a host starts, unless it runs or the host is off."""
        machine = self.machines[host]
        if machine.is_on and (machine.lca is None or not machine.lca.is_alive):
            machine.is_stopping = False
            machine.lca = process = self._process(f"lca of {host}", host)
            self.loop.spawn(process, self._run_lca(machine, process))

    def _process(self, name: str, machine: str) -> Process:
        process = Process(name, machine, self.rates.get(machine, 1.0))
        self.all_processes.append(process)
        return process

    async def _run_lca(self, machine: SimulatedMachine, process: Process) -> None:
        """As `daemons.services.run_lca` does."""
        host, deadline_ms = machine.settings, self.configuration.solution.command_deadline_ms
        system = System(machine.kernel, machine.processes, machine.applications.run)
        vip = NetlinkAddresses(host.interface, [str(address) for address in self.vip], deadline_ms // 2, machine.kernel)
        lca = Lca(self.configuration, host, vip, system=system)
        link = LcaLink(
            host.name,
            str(host.address),
            host.port,
            Identity(host.name.encode(), b""),
            b"agent",
            lca.report,
            lca.execute,
            solicit=lambda agent: lca.solicit(agent, str(host.address)),
            report_ms=max(REPORT_MS, 2 * deadline_ms),
            transport=SimulatedTransport(self.network, process),
        )
        machine.program = lca, link
        try:
            link.start()
            lca.connect(link)
            await lca.start()
        except DriverError as error:
            self.record(f"{process.name} cannot start: {error}")
            self.kill(process)
            self.loop.outside(_SUPERVISED_S, self.start_lca, host.name)

    async def _stop_lca(self, machine: SimulatedMachine, process: Process) -> None:
        if machine.program is None:
            return
        lca, link = machine.program
        released = False
        try:
            await lca.close()
            released = True
        except DriverError as error:
            self.record(f"{process.name} cannot release the VIP: {error}")
        finally:
            await link.close(goodbye=released)
        self.kill(process)

    def stop_lca(self, host: str) -> None:
        """The LCA of a host is asked to stop."""
        machine = self.machines[host]
        if machine.lca is not None and machine.lca.is_alive:
            machine.is_stopping = True
            self.loop.spawn(machine.lca, self._stop_lca(machine, machine.lca))

    def start_agent(self) -> None:
        """The agent starts, unless it runs."""
        if self.agent_process is None or not self.agent_process.is_alive:
            self.agent_process = process = self._process("agent", AGENT)
            self._agents += 1
            self.loop.call_in(process, self._run_agent, process)

    def _run_agent(self, process: Process) -> None:
        """As `daemons.services.run_agent` does."""
        timing = LinkTiming(self.configuration.solution.detection_ms)
        hosts = {host.name: host for host in self.configuration.hosts}
        name_of_agent = f"agent {self._agents}"

        def link(name: str, deliver: Callable[[Event], None]) -> HostConnection:
            host, transport = hosts[name], SimulatedTransport(self.network, process)
            address, key = str(host.address), name.encode()
            return HostLink(name, address, host.port, _KEYS[AGENT], key, timing, deliver, transport, name_of_agent)

        def mono_ns() -> int:
            return round(self.loop.time() * 1e9)

        self.agent = Agent(self.configuration, self.journal, link, clock=Clock(lambda: _WALL_NS + mono_ns(), mono_ns))
        self.agent.listeners.append(self._heard)
        self.agent.start()

    def kill(self, process: Process | None) -> None:
        """A process is gone at once; the kernel closes what it had open."""
        if process is not None and process.is_alive:
            process.is_alive = False
            self.network.end_of(process)
            if process is self.agent_process:
                self.agent = None
            self.notice()

    def ask(self, what: Callable[[Agent], object]) -> None:
        """An operator asks the agent, if it runs and is not stopped."""
        process, agent = self.agent_process, self.agent
        if agent is not None and process is not None and process.ready_at <= self.loop.world_s:
            self.loop.call_in(process, what, agent)

    # Machines

    def power_off(self, host: str) -> None:
        """A host loses its power."""
        machine = self.machines[host]
        if machine.is_on:
            machine.is_on = False
            self.network.power_off(host)
            if machine.lca is not None:
                machine.lca.is_alive = False
            for application in machine.applications.by_name.values():
                machine.applications.end(application)
            machine.kernel.boot()
            machine.processes.boot()
            self.notice()

    def power_on(self, host: str) -> None:
        """A host starts, its applications and its LCA with it."""
        machine = self.machines[host]
        if not machine.is_on:
            machine.is_on = True
            self.network.down.discard(host)
            for application in machine.applications.by_name.values():
                machine.applications.start(application)
            self.start_lca(host)
            self.notice()

    def broadcast(self, host: str, frame: bytes) -> None:
        """A host sends a frame to all of the segment."""
        claimed = claimed_address(frame)
        if claimed is None:
            return
        is_ours = claimed in {address.packed for address in self.vip}
        if is_ours and host not in self.unheard and self.network.passes((host, CLIENT)):
            self.loop.outside(self.network.delay_s((host, CLIENT)), self._learn, claimed, host)
        if is_ours:
            for listener in self.announced:
                listener(host, claimed)
        for other, machine in self.machines.items():
            if other != host and self.network.passes((host, other)):
                self.loop.outside(self.network.delay_s((host, other)), machine.kernel.receive, frame)

    def _learn(self, address: bytes, host: str) -> None:
        self.arp[address] = host
        self.notice()

    # What is recorded

    def _mode_changed(self, application: SimulatedApplication) -> None:
        self.record(f"{application.host}: {application.name} is {application.mode}")
        self.notice()

    def _heard(self, handled: Handled, _incident: Incident | None) -> None:
        self.record(f"agent: {handled.text}")
        for command in handled.commands:
            self.record(f"agent: -> {command.record}")
        for listener in self.handled:
            listener(handled)

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        what = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(context.get("message"))
        self.failures.append(what)
        self.record(f"an exception that nobody caught: {what}")
        self.notice()

    async def end(self) -> None:
        """All programs end."""
        self.changed, self.announced, self.handled = [], [], []
        await self.loop.end(self.all_processes)
