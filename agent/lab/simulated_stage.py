"""The simulated stage: the same agent code and core, against hosts, a network and a client that are only simulated.

It shows what the agent does, anywhere; its times are the simulation's own and say nothing about real hosts. A message
takes `LINK_MS`, a control command `CONTROL_MS`, a VIP script `SCRIPT_MS`.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVarTuple

from attrs import evolve

from ...fsm import (
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLost,
    HostReport,
    Mode,
    Promote,
)
from ..agent import Agent
from ..configuration import load
from ..journal import Journal
from ..operator import Reply, answer
from .client import Request, summarise
from .network import ADDRESSES, HOSTS, PREFIXES, VIP, Cut
from .observers import AddressEvent, holders, no_holder_ms, two_holders_ms
from .settings import LabSettings, configuration_text
from .stage import Measured

Arguments = TypeVarTuple("Arguments")

LINK_MS, CONTROL_MS, SCRIPT_MS, RECONNECT_MS = 0.2, 3.0, 0.5, 30.0
FRAMES = 10
"""What one announcement sends: five gratuitous ARP frames of each form."""


class SimulatedHost:
    """A host with its LCA and SIP Server, and the agent's connection to it (`HostConnection`)."""

    def __init__(self, name: str, application: str, detection_ms: int, world: "SimulatedStage") -> None:
        self.name = name
        self.application = application
        self.mode = Mode.BACKUP
        self.vip_held = False
        self.reachable = True
        self.deliver: Callable[[Event], None] = lambda _: None
        self._detection_ms = detection_ms
        self._world = world
        self._connection = 0  # counts connections: what belongs to an older one arrives nowhere
        self._connected = self._silent = False

    def start(self) -> None:
        """See `HostConnection`."""
        self._later(LINK_MS, self._connect)

    async def close(self) -> None:
        """See `HostConnection`."""
        self._connection += 1

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        """See `HostConnection`."""
        work_ms = CONTROL_MS if isinstance(command, Promote | Demote) else SCRIPT_MS
        self._later(LINK_MS + work_ms, self._carry_out, command)

    def crash(self) -> None:
        """The SIP Server dies."""
        self.mode = Mode.DOWN
        self._later(LINK_MS, self._tell, ApplicationReported(self.application, Mode.DOWN))

    def start_server(self) -> None:
        """The SIP Server starts, in backup mode."""
        self.mode = Mode.BACKUP
        self._later(LINK_MS, self._tell, ApplicationReported(self.application, Mode.BACKUP))

    def set_reachable(self, reachable: bool) -> None:
        """The network fails, or works again."""
        self.reachable = reachable
        if not reachable:
            self._later(self._detection_ms / 2, self._fall_silent)
            self._later(self._detection_ms, self._lose)
        elif self._connected:
            self._later(LINK_MS, self._hear)
        else:
            self._later(RECONNECT_MS, self._connect)

    def _connect(self) -> None:
        if self.reachable and not self._connected:
            self._connected, self._silent = True, False
            self.deliver(HostConnected(self.name, HostReport({self.application: self.mode}, self.vip_held)))

    def _fall_silent(self) -> None:
        if not self.reachable and self._connected:
            self._silent = True
            self.deliver(HostFellSilent(self.name))

    def _hear(self) -> None:
        if self._silent:
            self._silent = False
            self.deliver(HostHeard(self.name))

    def _lose(self) -> None:
        if not self.reachable and self._connected:
            self._connected, self._silent = False, False
            self._connection += 1
            self.deliver(HostLost(self.name))

    def _carry_out(self, command: HostCommand) -> None:
        if not self.reachable:
            return
        result: Event = CommandSucceeded(command.id)
        match command:
            case Promote() | Demote():
                if self.mode is Mode.DOWN:
                    result = CommandFailed(command.id, f"{self.application} is down")
                else:
                    self.mode = Mode.PRIMARY if isinstance(command, Promote) else Mode.BACKUP
            case EnableVip():
                self._set_vip(held=True)
                self._world.announced(self.name)
            case DisableVip():
                self._set_vip(held=False)
            case AnnounceVip():
                self._world.announced(self.name)
        self._later(LINK_MS, self._tell, result)

    def _set_vip(self, held: bool) -> None:
        self.vip_held = held
        now = time.monotonic()
        self._world.events += [AddressEvent(now, self.name, address, held) for address in VIP]

    def _tell(self, event: Event) -> None:
        if self.reachable and self._connected:
            self.deliver(event)

    def _later(self, after_ms: float, what: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        connection = self._connection
        asyncio.get_running_loop().call_later(
            after_ms / 1000, lambda: what(*arguments) if connection == self._connection else None
        )


class SimulatedStage:
    """See `Stage`. The journal and the configuration are real files in `directory`."""

    def __init__(self, directory: Path, settings: LabSettings) -> None:
        file = directory / "switchover.toml"
        file.write_text(_configuration_text(directory, settings))
        self.configuration = load(file)
        self.topology = self.configuration.topology()
        self.journal = self.configuration.agent.journal
        self.events: list[AddressEvent] = []
        self._hosts = [
            SimulatedHost(name, application, settings.detection_ms, self)
            for name, application in zip(HOSTS, self.topology.pairs[0].applications, strict=True)
        ]
        self._cuts: list[Cut] = []
        self._arp: str | None = None
        self._announcements: list[float] = []
        self._requests: list[Request] = []
        self._client: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the agent."""
        self._journal = Journal(self.journal)
        self._agent = Agent(self.configuration, self._journal, self._connect)
        self._agent.start()

    async def close(self) -> None:
        """Stop the agent and the client."""
        if self._client is not None:
            self._client.cancel()
        await self._agent.close()
        self._journal.close()

    def announced(self, host: str) -> None:
        """A host has announced the VIP; if it can be reached, the client has heard it."""
        if self._host(host).reachable:
            self._arp = host
            self._announcements += [time.monotonic()] * FRAMES

    async def ask(self, request: Reply) -> Reply:
        """Ask the agent, without a socket."""
        return answer(self._agent, request)

    async def crash_server(self, side: int) -> float:
        """The SIP Server of this side dies."""
        self._hosts[side - 1].crash()
        return time.monotonic()

    async def start_server(self, side: int) -> None:
        """The SIP Server of this side starts."""
        self._hosts[side - 1].start_server()

    async def cut(self, side: int) -> float:
        """The host of this side cannot be reached any more."""
        now = time.monotonic()
        self._cuts.append(Cut(HOSTS[side - 1], now))
        self._hosts[side - 1].set_reachable(False)
        return now

    async def heal(self, side: int) -> float:
        """The host of this side can be reached again."""
        now = time.monotonic()
        self._cuts = [evolve(cut, end=min(cut.end, now)) if cut.host == HOSTS[side - 1] else cut for cut in self._cuts]
        self._hosts[side - 1].set_reachable(True)
        return now

    async def begin(self) -> None:
        """Start a client that asks about every millisecond."""
        self._requests = []
        self._client = asyncio.create_task(self._ask_again_and_again())

    async def measure(self, since: float) -> Measured:
        """End the client and sum up."""
        if self._client is not None:
            self._client.cancel()
        now = time.monotonic()
        summary, window = summarise(self._requests), (since, now)
        return Measured(
            outage_ms=summary.outage_ms,
            lost=summary.lost,
            two_holders_ms=two_holders_ms(self.events, self._cuts, window),
            no_holder_ms=no_holder_ms(self.events, self._cuts, window),
            gratuitous_arps=sum(since <= moment <= now for moment in self._announcements),
            arp_cache=self._arp,
            answered_by=summary.last_server,
            holders=frozenset[str]().union(*(holders(self.events, self._cuts, now, address) for address in VIP)),
        )

    def _connect(self, name: str, deliver: Callable[[Event], None]) -> SimulatedHost:
        host = self._host(name)
        host.deliver = deliver
        return host

    def _host(self, name: str) -> SimulatedHost:
        return self._hosts[HOSTS.index(name)]

    async def _ask_again_and_again(self) -> None:
        while True:
            self._requests.append(self._ask(time.monotonic_ns()))
            await asyncio.sleep(0.001)

    def _ask(self, now_ns: int) -> Request:
        host = self._host(self._arp) if self._arp else None
        if host is None or not (host.reachable and host.vip_held and host.mode is not Mode.DOWN):
            return Request(now_ns, None, None)
        return Request(now_ns, now_ns, host.application)


def _configuration_text(directory: Path, settings: LabSettings) -> str:
    """The lab's configuration; its control commands are not run."""
    members = [
        (f"SIP_Server_{side}", directory / f"{side}.pid", ("to-primary",), ("to-backup",), ("status",))
        for side in (1, 2)
    ]
    addresses = [f"{address}/{prefix}" for address, prefix in zip(VIP, PREFIXES, strict=True)]
    return configuration_text(directory, settings, addresses, [ADDRESSES[host][0] for host in HOSTS], members)
