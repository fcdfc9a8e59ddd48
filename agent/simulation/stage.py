"""The simulated stage: the real agent and core with simulated hosts, network and client.

It runs anywhere and shows what the agent does. Its times are assumptions (see `host`) and say nothing about real hosts.
There are no calls here.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from attrs import evolve

from ...fsm import Event, Mode, voicemail_topology
from ...fsm.facts import pair_of_the_vip
from ..configuration.load import load
from ..configuration.settings import Configuration
from ..controller.agent import Agent
from ..controller.clock import CLOCK, Clock
from ..controller.operator_client import Reply
from ..controller.operator_socket import answer
from ..history.writer import Journal
from ..lab.network.client import Request, summarise
from ..lab.network.observers import AddressEvent, holders, no_holder_ms, two_holders_ms
from ..lab.network.segment import ADDRESSES, HOSTS, PREFIXES, VIP, Cut
from ..lab.settings import LabSettings, MemberTexts, configuration_text, voicemail_text
from ..lab.stage import Measured
from .host import SimulatedHost

FRAMES = 10
"""What one announcement sends: five gratuitous ARP frames of each form."""


class SimulatedSolution:
    """The solution of a configuration on simulated hosts, with its agent (see `Stage`).

    The journal is a real file, where the configuration says. All times are those of the running loop; `clock` must
    agree with it.
    """

    def __init__(self, configuration: Configuration, clock: Clock = CLOCK) -> None:
        self.configuration = configuration
        self.topology = configuration.topology()
        self.events: list[AddressEvent] = []
        self._clock = clock
        self._hosts = [
            SimulatedHost(name, self._modes(side), configuration.solution.detection_ms, self)
            for side, name in enumerate(self.topology.hosts)
        ]
        self._servers = self.topology.pairs[pair_of_the_vip(self.topology)].applications
        self._cuts: list[Cut] = []
        self._arp: str | None = None
        self._announcements: list[float] = []
        self._requests: list[Request] = []
        self._client: asyncio.Task[None] | None = None

    def _modes(self, side: int) -> dict[str, Mode]:
        redundant = {pair.applications[side]: Mode.BACKUP for pair in self.topology.pairs}
        return redundant | {pair.applications[side]: Mode.UP for pair in self.topology.monitored}

    @property
    def journal(self) -> Path:
        """The journal's file, once everything so far is written."""
        self._journal.flush()
        return self.configuration.agent.journal

    async def start(self) -> None:
        """Start the agent."""
        self._journal = Journal(self.configuration.agent.journal)
        self._agent = Agent(self.configuration, self._journal, self._connect, clock=self._clock)
        self._agent.start()

    async def close(self) -> None:
        """Stop the agent and the client."""
        if self._client is not None:
            self._client.cancel()
        await self._agent.close()
        self._journal.close()

    def announced(self, host: str) -> None:
        """A host has announced the VIP; the client heard it if the host can be reached."""
        if self._host(host).reachable:
            self._arp = host
            self._announcements += [_now()] * FRAMES

    async def ask(self, request: Reply) -> Reply:
        """Ask the agent, without a socket."""
        return answer(self._agent, request)

    async def crash(self, application: str) -> float:
        """An application dies."""
        self._host_of(application).crash(application)
        return _now()

    async def start_application(self, application: str) -> None:
        """An application starts."""
        self._host_of(application).start_application(application)

    def is_down(self, application: str) -> bool:
        """Whether an application does not run."""
        return self._host_of(application).modes[application] is Mode.DOWN

    def set_failing(self, host: str, command: str, *, fails: bool) -> None:
        """From now on a host cannot carry out the command with this record, or can again."""
        failing = self._host(host).failing
        (failing.add if fails else failing.discard)(command)

    async def lose(self, side: int) -> float:
        """The host of this side cannot be reached any more."""
        now = _now()
        self._cuts.append(Cut(self.topology.hosts[side - 1], now))
        self._hosts[side - 1].set_reachable(False)
        return now

    async def restore(self, side: int) -> float:
        """The host of this side can be reached again."""
        now = _now()
        host = self.topology.hosts[side - 1]
        self._cuts = [evolve(cut, end=min(cut.end, now)) if cut.host == host else cut for cut in self._cuts]
        self._hosts[side - 1].set_reachable(True)
        return now

    async def log_message(self, event_id: str, application: str) -> float:
        """A log message of the SCS reaches the agent."""
        now = _now()
        self._agent.take_log_message(event_id, application)
        return now

    async def begin(self) -> None:
        """Start a client that sends a request about every millisecond."""
        self._requests = []
        self._client = asyncio.create_task(self._ask_continually())

    async def measure(self, since: float) -> Measured:
        """Stop the client and sum up what was measured since this time."""
        if self._client is not None:
            self._client.cancel()
        now = _now()
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
        return self._hosts[self.topology.hosts.index(name)]

    def _host_of(self, application: str) -> SimulatedHost:
        return next(host for host in self._hosts if application in host.modes)

    async def _ask_continually(self) -> None:
        while True:
            self._requests.append(self._ask(round(_now() * 1e9)))
            await asyncio.sleep(0.001)

    def _ask(self, now_ns: int) -> Request:
        host = self._host(self._arp) if self._arp else None
        server = host and next(name for name in host.modes if name in self._servers)
        if host is None or server is None or not host.reachable or not host.vip_held or host.modes[server] is Mode.DOWN:
            return Request(now_ns, None, None)
        return Request(now_ns, now_ns, server)


class SimulatedStage(SimulatedSolution):
    """The lab's own solution; its journal and its configuration are files in `directory`."""

    def __init__(self, directory: Path, settings: LabSettings) -> None:
        file = directory / "switchover.toml"
        file.write_text(_configuration_text(directory, settings))
        super().__init__(load(file))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _configuration_text(directory: Path, settings: LabSettings) -> str:
    """The lab's configuration; its control commands are never run."""

    def member(name: str) -> MemberTexts:
        return name, directory / f"{name}.pid", ("to-primary",), ("to-backup",), ("status",)

    addresses = [f"{address}/{prefix}" for address, prefix in zip(VIP, PREFIXES, strict=True)]
    hosts = [ADDRESSES[host][0] for host in HOSTS]
    if settings.solution == "voicemail":
        names = [name for pair in voicemail_topology().components for name in pair.applications]
        return voicemail_text(directory, settings, addresses, hosts, {name: member(name) for name in names})
    return configuration_text(directory, settings, addresses, hosts, [member(f"SIP_Server_{side}") for side in (1, 2)])
