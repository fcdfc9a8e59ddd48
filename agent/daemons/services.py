"""The two daemons that move the VIP: the agent with its links, and the LCA of a host with its drivers."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import ParamSpec

from ...drivers.control.mlcmd import Mlcmd
from ...drivers.errors import DriverError
from ...drivers.link.agent_end import HostLink
from ...drivers.link.keys import AGENT, load_identity, load_public
from ...drivers.link.lca_end import REPORT_MS, LcaLink
from ...drivers.link.silence import LinkTiming
from ...drivers.vip.address_templates import NETSH, SUBINTERFACE, TemplateAddresses
from ...drivers.vip.addresses import NetlinkAddresses, VirtualIp
from ...fsm import Event
from ..configuration.settings import AddressesBy, Configuration, Host
from ..controller.agent import Agent, HostConnection
from ..controller.log_messages import MessageSources
from ..controller.mlcmd_connection import MlcmdConnection, controlled_on
from ..controller.operator_socket import OperatorServer
from ..controller.status import status
from ..explain.status_text import as_text
from ..history.writer import Journal
from ..host.lca import Lca
from .logs import flush
from .priority import be_punctual
from .service_manager import ServiceManager
from .signals import stop_requests

P = ParamSpec("P")


def _log_written(run: Callable[P, Awaitable[None]]) -> Callable[P, Coroutine[None, None, None]]:
    """A daemon whose log is written when it ends, before the reason is printed."""

    @functools.wraps(run)
    async def wrapped(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            await run(*arguments, **options)
        finally:
            flush()

    return wrapped


@_log_written
async def run_agent(configuration: Configuration, ready: Callable[[], None], *, observe: bool = False) -> None:
    """Run the agent until SIGTERM or SIGINT; `ready` is called when it answers operators.

    With `observe` it gives no command, and journals what it would have done.
    Raises `DriverError` or `OperatorError` if it cannot start. It starts without a journal.
    """
    stop = stop_requests()
    manager = ServiceManager()
    keys = configuration.agent.keys
    identity = load_identity(keys, AGENT)
    timing = LinkTiming(configuration.solution.detection_ms)
    hosts = {host.name: host for host in configuration.hosts}
    public_keys = {name: load_public(keys, name) for name in hosts}

    def link(name: str, deliver: Callable[[Event], None]) -> HostConnection:
        host = hosts[name]
        return HostLink(name, str(host.address), host.port, identity, public_keys[name], timing, deliver)

    together: list[MlcmdConnection] = []

    def connect(name: str, deliver: Callable[[Event], None]) -> HostConnection:
        controlled, own = controlled_on(name, configuration), functools.partial(link, name)
        if not controlled or configuration.mlcmd is None:
            return own(deliver)
        mlcmd, deadline_ms = Mlcmd(configuration.mlcmd), configuration.solution.command_deadline_ms
        return MlcmdConnection(mlcmd, controlled, deadline_ms, own, deliver, together)

    be_punctual()
    kept = configuration.agent
    journal = Journal(kept.journal, keep_days=kept.journal_keep_days, most_mb=kept.journal_max_mb)
    agent = Agent(configuration, journal, connect, observe=observe)
    operators = OperatorServer(agent)
    messages = MessageSources(agent)
    try:
        await operators.start()
        agent.start()
        messages.start()
        ready()
        manager.ready(_in_one_line(agent))
        agent.listeners.append(manager.follow(lambda: _in_one_line(agent)))
        await stop.wait()
        manager.stopping()
    finally:
        await messages.close()
        await operators.close()
        await agent.close()
        journal.close()


@_log_written
async def run_lca(configuration: Configuration, name: str, ready: Callable[[], None], *, observe: bool = False) -> None:
    """Run the LCA of the host of this name until SIGTERM or SIGINT; `ready` is called when it is reachable.

    With `observe` it reports, and touches neither the VIP nor the applications.

    Raises `DriverError` if it cannot start.
    """
    stop = stop_requests()
    manager = ServiceManager()
    host = _host(configuration.hosts, name)
    keys = configuration.agent.keys
    lca = Lca(configuration, host, _virtual_ip(configuration, host), observe=observe)
    link = LcaLink(
        name,
        str(host.address),
        host.port,
        load_identity(keys, name),
        load_public(keys, AGENT),
        lca.report,
        lca.execute,
        solicit=lambda agent: lca.solicit(agent, str(host.address)),
        report_ms=max(REPORT_MS, 2 * configuration.solution.command_deadline_ms),  # its looks have that deadline
    )
    be_punctual()
    released = False
    try:
        link.start()  # before anything is touched: a second LCA of this host ends here, and takes no VIP down
        await _serve(lca, link, manager, ready, stop)
        released = True
    finally:
        await link.close(goodbye=released)


async def _serve(
    lca: Lca, link: LcaLink, manager: ServiceManager, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    try:
        lca.connect(link)
        await lca.start()
        ready()
        manager.ready("the agent can reach this host")
        await stop.wait()
        manager.stopping()
    finally:
        await lca.close()


def _in_one_line(agent: Agent) -> str:
    """The first line of `switchover status`, then the VIP and the hosts: what `systemctl status` shows."""
    now = status(agent)
    whole, *_ = as_text(now).splitlines()
    hosts = ", ".join(f"{host['name']} {host['link']}" for host in now["hosts"])
    return f"{whole}; VIP {now['vip']['state']}; {hosts}"


def _host(hosts: Iterable[Host], name: str) -> Host:
    by_name = {host.name: host for host in hosts}
    if name not in by_name:
        raise DriverError(f"no host is named {name!r} in the configuration; known are {', '.join(by_name)}")
    return by_name[name]


def _virtual_ip(configuration: Configuration, host: Host) -> VirtualIp:
    addresses = [str(address) for address in configuration.vip.addresses]
    deadline_ms = configuration.solution.command_deadline_ms
    if configuration.vip.addresses_by is AddressesBy.IP:
        # The half, so that a command whose call hangs can say what it waited for.
        return NetlinkAddresses(host.interface, addresses, deadline_ms // 2)
    template = SUBINTERFACE if configuration.vip.addresses_by is AddressesBy.SUBINTERFACE else NETSH
    return TemplateAddresses(host.interface, addresses, template, deadline_ms)
