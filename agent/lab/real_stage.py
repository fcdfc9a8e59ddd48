"""The real stage: the real agent and LCAs, real keys, SIP servers and addresses, in the namespaces of `network`."""

import asyncio
import shutil
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ...drivers.keys import make_keys
from ...fsm import Topology
from .. import operator
from ..configuration import Configuration, load
from ..operator import OperatorError, Reply
from .client import READY, client_argv, read_requests, summarise
from .namespaces import LabError
from .network import ADDRESSES, HOSTS, PREFIXES, VIP, Network, end
from .observers import AddressObserver, ArpObserver, arp_cache, holders, no_holder_ms, two_holders_ms
from .settings import LabSettings, configuration_text
from .sip_server import SipServer
from .stage import Measured

_START_S = 10.0


class RealStage:
    """See `Stage`. `directory` is where all files of the lab are; it must exist, and vanish by itself afterwards."""

    def __init__(self, directory: Path, settings: LabSettings) -> None:
        self._directory = directory
        self._network = Network()
        self._addresses = AddressObserver(self._network)
        self._arp = ArpObserver(self._network)
        self._servers = [
            SipServer(self._network, host, f"SIP_Server_{side}", directory / host)
            for side, host in enumerate(HOSTS, start=1)
        ]
        self._configuration_file = directory / "switchover.toml"
        self._configuration_file.write_text(self._configuration_text(settings))
        self.configuration: Configuration = load(self._configuration_file)
        self.topology: Topology = self.configuration.topology()
        self.journal: Path = self.configuration.agent.journal
        self._requests = directory / "requests.json"
        self._client: Process | None = None

    @property
    def implementation(self) -> str:
        """Which SIP server serves on the hosts."""
        return self._servers[0].implementation

    async def start(self) -> None:
        """Bring everything up, the LCAs before the agent."""
        await self._network.build()
        await self._addresses.start()
        await self._arp.start()
        await asyncio.gather(*(server.start() for server in self._servers))
        make_keys(self.configuration.agent.keys, HOSTS)
        await asyncio.gather(*(self._daemon(host, "the LCA is ready", "lca", host) for host in HOSTS))
        await self._daemon("scs", "the agent is ready", "agent")

    async def close(self) -> None:
        """Take everything down again; what the fence encloses, vanishes with it in any case."""
        with suppress(LabError):  # a namespace that was never built cannot be deleted
            await self._network.teardown()

    def keep_logs(self, target: Path) -> None:
        """Copy the daemons' and servers' logs, the configuration and the journal to a directory."""
        target.mkdir(parents=True, exist_ok=True)
        names = ("*.log", "journal.sqlite*", "switchover.toml", "requests.json", "host?/log")
        for path in (found for pattern in names for found in self._directory.glob(pattern)):
            name = path.name if path.parent == self._directory else f"{path.parent.name}-sip.log"
            shutil.copyfile(path, target / name)

    async def ask(self, request: Reply) -> Reply:
        """Ask the agent as an operator does, through its socket."""
        try:
            return operator.ask(self.configuration.agent.socket, request)  # a millisecond, on this machine
        except OperatorError as error:
            raise LabError(str(error)) from error

    async def crash_server(self, side: int) -> float:
        """kill -9 to every process of the server."""
        return await self._servers[side - 1].kill()

    async def start_server(self, side: int) -> None:
        """Start the server again; it starts in backup mode."""
        await self._servers[side - 1].start()

    async def cut(self, side: int) -> float:
        """No frame passes between the host and the bridge any more; the carrier stays."""
        return await self._network.cut(HOSTS[side - 1])

    async def heal(self, side: int) -> float:
        """Frames pass again."""
        return await self._network.heal(HOSTS[side - 1])

    async def begin(self) -> None:
        """Start a client that asks the VIP every millisecond; returns when it has asked for the first time."""
        self._client = await self._network.spawn("client", client_argv(VIP[0], self._requests), stdout=PIPE)
        stream = self._client.stdout
        if stream is None or (await stream.readline()).decode().strip() != READY:
            raise LabError("the client did not start")

    async def measure(self, since: float) -> Measured:
        """End the client, and put together what it and the observers saw."""
        if self._client is None:
            raise LabError("no client was begun")
        cache = await arp_cache(VIP[0])
        await end(self._client)
        now = time.monotonic()
        summary = summarise(read_requests(self._requests))
        events, cuts, window = self._addresses.events, self._network.cuts, (since, now)
        heard = [a for a in self._arp.announcements if since <= a.time <= now and a.kind != "advertisement"]
        return Measured(
            outage_ms=summary.outage_ms,
            lost=summary.lost,
            two_holders_ms=two_holders_ms(events, cuts, window),
            no_holder_ms=no_holder_ms(events, cuts, window),
            gratuitous_arps=len(heard),
            arp_cache=cache,
            answered_by=summary.last_server and summary.last_server.split()[0],
            holders=frozenset[str]().union(*(holders(events, cuts, now, address) for address in VIP)),
        )

    def _configuration_text(self, settings: LabSettings) -> str:
        addresses = [f"{address}/{prefix}" for address, prefix in zip(VIP, PREFIXES, strict=True)]
        members = [
            (server.name, server.pidfile, server.controls.to_primary, server.controls.to_backup, server.controls.status)
            for server in self._servers
        ]
        return configuration_text(self._directory, settings, addresses, [ADDRESSES[h][0] for h in HOSTS], members)

    async def _daemon(self, namespace: str, ready: str, *arguments: str) -> None:
        """Start one of our own daemons and wait until its log says that it is ready."""
        log = self._directory / f"{'-'.join(arguments)}.log"
        argv = [sys.executable, "-m", "switchover.agent", *arguments, "-c", str(self._configuration_file)]
        with log.open("ab") as output:
            process = await self._network.spawn(namespace, argv, stdout=output, stderr=output)
        deadline = time.monotonic() + _START_S
        while ready not in log.read_text(errors="replace"):
            if process.returncode is not None or time.monotonic() > deadline:
                raise LabError(f"`switchover {' '.join(arguments)}` does not start: {_last_line(log)}")
            await asyncio.sleep(0.02)


def _last_line(log: Path) -> str:
    lines: Sequence[str] = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"
