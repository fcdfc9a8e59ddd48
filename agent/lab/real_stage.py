"""The real stage: the real agent and LCAs, with real keys, SIP servers and addresses, in network namespaces."""

import asyncio
import shutil
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ...drivers.link.keys import make_keys
from ...fsm import Topology
from ..configuration.load import load
from ..configuration.settings import Configuration
from ..controller import operator_client
from ..controller.operator_client import OperatorError, Reply
from .network.calls import Caller
from .network.client import READY, client_argv, read_requests, summarise
from .network.namespaces import LabError
from .network.observers import (
    AddressObserver,
    ArpObserver,
    arp_cache,
    holders,
    no_holder_ms,
    two_holders_ms,
)
from .network.segment import (
    ADDRESSES,
    HOSTS,
    PREFIXES,
    STATIONS,
    VIP,
    VOICEMAIL_STATIONS,
    Network,
    end,
)
from .programs.application import Application
from .programs.sip_server import KAMAILIO, SipServer, implementations
from .programs.voicemail import premise_sip_server, voicemail_host
from .settings import (
    SCS_LOG,
    LabSettings,
    MemberTexts,
    configuration_text,
    voicemail_text,
)
from .stage import Measured

_START_S = 10.0


class RealStage:
    """See `Stage`. `directory` holds all files of the lab; it must exist, and is not deleted here."""

    def __init__(self, directory: Path, settings: LabSettings) -> None:
        self._directory = directory
        self._is_voicemail = settings.solution == "voicemail"
        self._network = Network(VOICEMAIL_STATIONS if self._is_voicemail else STATIONS)
        self._addresses = AddressObserver(self._network)
        self._arp = ArpObserver(self._network)
        self._applications = {application.name: application for application in self._applications_on_hosts()}
        self._configuration_file = directory / "switchover.toml"
        self._configuration_file.write_text(self._configuration_text(settings))
        self.configuration: Configuration = load(self._configuration_file)
        self.topology: Topology = self.configuration.topology()
        self.journal: Path = self.configuration.agent.journal
        self._requests = directory / "requests.json"
        self._client: Process | None = None
        self._lcas: dict[str, Process] = {}
        self._premise = premise_sip_server(self._network, directory) if self._is_voicemail else None
        self._caller: Caller | None = None

    def _applications_on_hosts(self) -> list[Application]:
        if self._is_voicemail:
            hosts = [voicemail_host(self._network, side, self._directory) for side in (1, 2)]
            return [application for host in hosts for application in host.applications]
        return [
            SipServer(self._network, host, f"SIP_Server_{side}", self._directory / host)
            for side, host in enumerate(HOSTS, start=1)
        ]

    @property
    def implementation(self) -> str:
        """The SIP server that runs on the hosts: `kamailio` or `responder`."""
        return KAMAILIO if self._is_voicemail else implementations()[0]

    async def start(self) -> None:
        """Start everything, the LCAs before the agent. Raises `LabError` if something does not start."""
        await self._network.build()
        await self._addresses.start()
        await self._arp.start()
        premise = [self._premise] if self._premise else []
        await asyncio.gather(*(application.start() for application in (*self._applications.values(), *premise)))
        make_keys(self.configuration.agent.keys, HOSTS)
        (self._directory / SCS_LOG).touch()
        await asyncio.gather(*(self._start_lca(host) for host in HOSTS))
        await self._daemon("scs", "the agent is ready", "agent")

    async def close(self) -> None:
        """Stop everything. What is still left ends with the lab's PID namespace in any case."""
        with suppress(LabError):  # a namespace that was never built cannot be deleted
            await self._network.teardown()

    def keep_logs(self, target: Path) -> None:
        """Copy the daemons' and servers' logs, the configuration and the journal to a directory."""
        target.mkdir(parents=True, exist_ok=True)
        names = ("*.log", "journal.sqlite*", "switchover.toml", "requests.json", "*/log")
        for path in (match for pattern in names for match in self._directory.glob(pattern)):
            name = path.name if path.parent == self._directory else f"{path.parent.name}.log"
            shutil.copyfile(path, target / name)

    async def ask(self, request: Reply) -> Reply:
        """Send a request to the agent over the operators' socket. Raises `LabError` if the agent refuses it."""
        try:
            return operator_client.ask(self.configuration.agent.socket, request)  # blocks, for about a millisecond
        except OperatorError as error:
            raise LabError(str(error)) from error

    async def crash(self, application: str) -> float:
        """Kill every process of the application with SIGKILL."""
        return await self._applications[application].kill()

    async def start_application(self, application: str) -> None:
        """Start an application again; one with a mode starts in backup mode."""
        await self._applications[application].start()

    async def lose(self, side: int) -> float:
        """Block all frames between the host and the bridge; the carrier stays.

        A host of the voicemail solution fails completely: everything on it is killed with SIGKILL, its LCA as well. The
        addresses on its interface stay, the VIP among them.
        """
        host = HOSTS[side - 1]
        lost = await self._network.cut(host)
        if self._is_voicemail:
            self._lcas[host].kill()
            await self._lcas[host].wait()
            for application in self._on(host):
                await application.kill()
        return lost

    async def restore(self, side: int) -> float:
        """Let frames pass again; a host that failed completely also starts its applications and its LCA."""
        host = HOSTS[side - 1]
        back = await self._network.heal(host)
        if self._is_voicemail:
            await asyncio.gather(*(application.start() for application in self._on(host)), self._start_lca(host))
        return back

    async def log_message(self, event_id: str, application: str) -> float:
        """Kill the premise SIP Server, and write the SCS's line about it to the log that the agent follows."""
        if self._premise is None:
            raise LabError("this solution has no application outside the two hosts")
        now = await self._premise.kill()
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        kind, _, number = event_id.partition("-")
        with (self._directory / SCS_LOG).open("a") as log:
            log.write(f"{stamp} Standard premise {application} GCTI-{kind}-{number:0>5} found terminated\n")
        await self._premise.start()
        return now

    def _on(self, host: str) -> list[Application]:
        return [application for application in self._applications.values() if application.host == host]

    async def begin(self) -> None:
        """Start a client that sends a request to the VIP every millisecond, and the callers; wait until both run."""
        self._client = await self._network.spawn("client", client_argv(VIP[0], self._requests), stdout=PIPE)
        stream = self._client.stdout
        if stream is None or (await stream.readline()).decode().strip() != READY:
            raise LabError("the client did not start")
        if self._is_voicemail:
            self._caller = Caller(self._network, self._directory)
            await self._caller.start()

    async def measure(self, since: float) -> Measured:
        """End the client, and combine its results with those of the observers."""
        if self._client is None:
            raise LabError("there is no client: call begin() first")
        cache = await arp_cache(VIP[0])
        await end(self._client)
        now = time.monotonic()
        calls = await self._caller.stop() if self._caller else None
        summary = summarise(read_requests(self._requests))
        events, cuts, window = self._addresses.events, self._network.cuts, (since, now)
        arps = [a for a in self._arp.announcements if since <= a.time <= now and a.kind != "advertisement"]
        return Measured(
            outage_ms=summary.outage_ms,
            lost=summary.lost,
            two_holders_ms=two_holders_ms(events, cuts, window),
            no_holder_ms=no_holder_ms(events, cuts, window),
            gratuitous_arps=len(arps),
            arp_cache=cache,
            answered_by=summary.last_server and summary.last_server.split()[0],
            holders=frozenset[str]().union(*(holders(events, cuts, now, address) for address in VIP)),
            calls=calls,
            first_call_ms=calls and calls.first_success_after_ms(since),
        )

    def _configuration_text(self, settings: LabSettings) -> str:
        addresses = [f"{address}/{prefix}" for address, prefix in zip(VIP, PREFIXES, strict=True)]
        members: dict[str, MemberTexts] = {
            each.name: (
                each.name,
                each.pidfile,
                each.controls.to_primary,
                each.controls.to_backup,
                each.controls.status,
            )
            for each in self._applications.values()
        }
        hosts = [ADDRESSES[host][0] for host in HOSTS]
        if self._is_voicemail:
            return voicemail_text(self._directory, settings, addresses, hosts, members)
        return configuration_text(self._directory, settings, addresses, hosts, list(members.values()))

    async def _start_lca(self, host: str) -> None:
        self._lcas[host] = await self._daemon(host, "the LCA is ready", "lca", host)

    async def _daemon(self, namespace: str, ready: str, *arguments: str) -> Process:
        """Start a daemon of switchover and wait until its log contains the text `ready`."""
        log = self._directory / f"{'-'.join(arguments)}.log"
        argv = [sys.executable, "-m", "switchover.agent", *arguments, "-c", str(self._configuration_file)]
        with log.open("ab") as output:
            before = output.tell()
            process = await self._network.spawn(namespace, argv, stdout=output, stderr=output)
        deadline = time.monotonic() + _START_S
        while ready not in log.read_bytes()[before:].decode(errors="replace"):
            if process.returncode is not None or time.monotonic() > deadline:
                raise LabError(f"`switchover {' '.join(arguments)}` does not start: {_last_line(log)}")
            await asyncio.sleep(0.02)
        return process


def _last_line(log: Path) -> str:
    lines: Sequence[str] = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "its log is empty"
