"""What may stand in the configuration: a class for each table of the file, an attribute for each key.

What one value may be is part of its type (`Rule`); what values must agree on is checked in `configuration`.
"""

import enum
import ipaddress
import re
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Annotated

from attrs import field, frozen

from ...drivers.control.mlcmd import MlcmdSettings
from ...drivers.control.ocf import OcfAgent
from ...drivers.link.keys import AGENT, FILE_NAME
from ...drivers.vip.schedule import AnnounceSchedule
from ...fsm.alarms import (
    LOG_MESSAGES,
    Alarm,
    ReactionPolicy,
    documented_alarms,
    event_id,
)
from ...fsm.errors import CoreError
from ...fsm.topology import Pair, Topology, VipOrder
from .toml_structure import Rule, UnfitError, shown

_NAME = re.compile(r"[A-Za-z0-9_.-]([A-Za-z0-9_. -]{0,62}[A-Za-z0-9_.-])?")
_LOOPBACK = IPv4Address("127.0.0.1")
_SOCKET_BYTES = 107  # what sockaddr_un.sun_path holds besides its closing zero byte (unix(7))


def _between(low: int, high: int, unit: str = "") -> Rule:
    def read(value: int) -> int:
        if not low <= value <= high:
            raise ValueError
        return value

    return Rule(int, f"an integer from {low} to {high}{unit and f' {unit}'}", read, (low, high))


def _read_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError
    return text


def _read_component(text: str) -> str:
    if text == "VIP":
        raise UnfitError("is 'VIP', which is what the Virtual IP is called; choose another")
    return _read_name(text)


def _read_host_name(text: str) -> str:
    """A host's name names its key files too (`keys`)."""
    if text == AGENT:
        raise UnfitError(f"is {AGENT!r}, which is the name of the agent's own keys; choose another name")
    if not FILE_NAME.fullmatch(text):
        raise ValueError
    return text


def _read_word(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError
    return text


def _read_path(text: str) -> Path:
    if not text.startswith("/") or "\0" in text:
        raise ValueError
    return Path(text)


def _read_socket(text: str) -> Path:
    if len(text.encode()) > _SOCKET_BYTES:
        raise UnfitError(f"is {len(text.encode())} bytes long; the kernel takes at most {_SOCKET_BYTES} for a socket")
    return _read_path(text)


def _read_event(text: str) -> str:
    try:
        return event_id(text)
    except CoreError:
        known = ", ".join(f"{known!r} ({meaning})" for known, meaning in LOG_MESSAGES.items())
        raise UnfitError(f"is {shown(text)}, an unknown event id; known are {known}") from None


def _read_host_address(text: str) -> IPv4Address | IPv6Address:
    address = ipaddress.ip_address(text)
    _refuse_special(text, address)
    return address


def _read_vip_address(text: str) -> IPv4Interface | IPv6Interface:
    address = ipaddress.ip_interface(text)
    if not text.partition("/")[2].isdecimal():
        example = f"{address.ip}/{24 if address.version == 4 else 64}"
        raise UnfitError(
            f"is {shown(text)}, which has no prefix length; write it behind the address, as in {example!r}"
        )
    _refuse_special(text, address.ip)
    subnet = address.network
    if subnet.num_addresses > 2:  # RFC 3021 and RFC 6164: in a subnet of two, both addresses are hosts
        if address.ip == subnet.network_address:
            raise UnfitError(f"is {text!r}, the address of the subnet itself; it must be an address within {subnet}")
        if address.version == 4 and address.ip == subnet.broadcast_address:
            raise UnfitError(f"is {text!r}, the broadcast address; it must be another address within {subnet}")
    return address


def _refuse_special(text: str, address: IPv4Address | IPv6Address) -> None:
    if address.is_multicast or address.is_unspecified or "%" in text:
        raise UnfitError(f"is {shown(text)}; it must be a unicast address without a zone, such as '198.51.100.10'")


Name = Annotated[str, Rule(str, "1 to 64 letters, digits, '_', '.', '-' and inner spaces", _read_name)]
ComponentName = Annotated[str, Rule(str, "1 to 64 letters, digits, '_', '.', '-' and inner spaces", _read_component)]
HostName = Annotated[
    str, Rule(str, "1 to 64 letters, digits, '_', '.' and '-', beginning with one of the first two", _read_host_name)
]
Word = Annotated[str, Rule(str, "a string that is not empty", _read_word)]
Argv = tuple[Word, ...]
AbsolutePath = Annotated[Path, Rule(str, "an absolute path such as '/run/sip.pid'", _read_path)]
SocketPath = Annotated[Path, Rule(str, "an absolute path such as '/run/switchover/agent.sock'", _read_socket)]
EventId = Annotated[str, Rule(str, "an event id such as '00-5150'", _read_event)]
CancelTimeoutMs = Annotated[int, _between(1, 604_800_000, "ms")]
HostAddress = Annotated[
    IPv4Address | IPv6Address, Rule(str, "an IP address such as '198.51.100.11'", _read_host_address)
]
VipAddress = Annotated[
    IPv4Interface | IPv6Interface,
    Rule(str, "an IP address with its prefix length such as '198.51.100.10/24'", _read_vip_address),
]


class AddressesBy(enum.StrEnum):
    """What puts the VIP on an interface: Linux itself (`ip`), or what older sites use, `ifconfig eth0:1` or `netsh`."""

    IP = "ip"
    SUBINTERFACE = "subinterface"
    NETSH = "netsh"


@frozen
class SolutionSettings:
    """`[solution]`: its name, and its times in milliseconds.

    `outside`, `reactions`: see `Topology`.
    `detection_ms`: a host that was not heard for so long is lost. `settle_ms`, `retry_ms`: see `Topology`; to settle
    takes longer than a host is silent before it is lost, and than it may take to report.
    `command_deadline_ms`: how long a control command or a VIP script may take before it counts as failed;
    `start_deadline_ms`: the same for starting and stopping an application.
    """

    name: Name
    outside: tuple[ComponentName, ...] = ()
    reactions: ReactionPolicy = ReactionPolicy.ONCE
    detection_ms: Annotated[int, _between(30, 60_000, "ms")] = 300
    settle_ms: Annotated[int, _between(10, 60_000, "ms")] = 2500
    retry_ms: Annotated[int, _between(10, 60_000, "ms")] = 1000
    command_deadline_ms: Annotated[int, _between(10, 60_000, "ms")] = 2000
    start_deadline_ms: Annotated[int, _between(10, 600_000, "ms")] = 60_000


@frozen
class AgentSettings:
    """`[agent]`: absolute paths of the journal, the socket for operators' commands, the keys, and the spool.

    The spool keeps the messages of `switchover event` while no agent runs; what is older than `spool_max_age_s`
    seconds when an agent comes is dropped. Of the journal `journal_keep_days` are kept, and at most `journal_max_mb`
    (10**6 bytes).
    """

    journal: AbsolutePath = Path("/var/lib/switchover/journal.sqlite")
    journal_keep_days: Annotated[int, _between(1, 36_500, "days")] = 365
    journal_max_mb: Annotated[int, _between(10, 1_000_000, "MB")] = 1000
    socket: SocketPath = Path("/run/switchover/agent.sock")
    keys: AbsolutePath = Path("/etc/switchover/keys")
    spool: AbsolutePath = Path("/var/lib/switchover/spool")
    spool_max_age_s: Annotated[int, _between(1, 86_400, "s")] = 60


@frozen
class ScsLogSettings:
    """`[scs_log]`: the log file of an SCS to follow, and the file that keeps how far it was read, as absolute paths."""

    file: AbsolutePath
    bookmark: AbsolutePath = Path("/var/lib/switchover/scs_log.bookmark")


@frozen
class PageSettings:
    """`[page]`: where `switchover page` serves the live page.

    `names` are host names by which browsers may ask for it, besides its address. Elsewhere than on loopback it needs
    a certificate with its key (PEM files) and a token (one line in a file that is open to its owner alone).
    """

    address: HostAddress = _LOOPBACK
    port: Annotated[int, _between(1024, 65_535)] = 4900
    names: tuple[HostName, ...] = ()
    tls_certificate: AbsolutePath | None = None
    tls_key: AbsolutePath | None = None
    token_file: AbsolutePath | None = None


@frozen
class VipSettings:
    """`[vip]`: the addresses that move together, in which order they leave and arrive, and by what means.

    `drain_ms`: see `Topology`.
    """

    addresses: tuple[VipAddress, ...]
    order: VipOrder = VipOrder.TOGETHER
    drain_ms: Annotated[int, _between(1, 10_000, "ms")] = 20
    addresses_by: AddressesBy = AddressesBy.IP
    announce: AnnounceSchedule = field(factory=AnnounceSchedule)


@frozen
class Host:
    """`[[hosts]]`: a host, the address and TCP port where its LCA listens, and the interface that carries the VIP."""

    name: HostName
    address: HostAddress
    port: Annotated[int, _between(1024, 65_535)] = 4999
    interface: Word = "eth0"


class PairKind(enum.StrEnum):
    """`redundant`: one application is primary, one is backup. `monitored`: each is up or down, and has no mode."""

    REDUNDANT = "redundant"
    MONITORED = "monitored"


@frozen
class Member:
    """`[[pairs.members]]`: an application on a host, how the LCA sees whether it runs, and how it is controlled.

    It runs if the process in its `pidfile` does; without one, if its `status` command or its OCF resource agent says
    so, asked every `look_every_ms`. A command is a program and its arguments; no shell reads it. `status` prints
    `primary` or `backup` (for an application without a mode its exit status 0 is enough); without it, an application
    that runs counts as backup until `to_primary` has made it primary. `ocf` takes the place of all commands. With
    `mlcmd`, the application's DBID or name, the agent changes its mode through mlcmd.
    """

    application: ComponentName
    host: Name
    pidfile: AbsolutePath | None = None
    to_primary: Argv | None = None
    to_backup: Argv | None = None
    status: Argv | None = None
    start: Argv | None = None
    stop: Argv | None = None
    look_every_ms: Annotated[int, _between(50, 60_000, "ms")] = 1000
    ocf: OcfAgent | None = None
    mlcmd: Word | None = None


@frozen
class PairSettings:
    """`[[pairs]]`: a pair, its members in the order of the file."""

    name: ComponentName
    members: tuple[Member, ...]
    kind: PairKind = PairKind.REDUNDANT


@frozen
class Configuration:
    """The whole file. `load` makes one; without alarms the first redundant pair is wired as [S2] says."""

    solution: SolutionSettings
    vip: VipSettings
    hosts: tuple[Host, ...]
    pairs: tuple[PairSettings, ...]
    agent: AgentSettings = AgentSettings()
    mlcmd: MlcmdSettings | None = None
    scs_log: ScsLogSettings | None = None
    page: PageSettings | None = None
    alarms: tuple[Alarm, ...] | None = None

    def topology(self) -> Topology:
        """The part that the core works on: applications in the order of the hosts."""
        first, second = (host.name for host in self.hosts)
        pairs, monitored = (
            tuple(Pair(pair.name, _applications(pair, (first, second))) for pair in self.pairs if pair.kind is kind)
            for kind in PairKind
        )
        return Topology(
            hosts=(first, second),
            pairs=pairs,
            alarms=self.alarms or documented_alarms(pairs[0].applications, (first, second)),
            vip_order=self.vip.order,
            settle_ms=self.solution.settle_ms,
            retry_ms=self.solution.retry_ms,
            drain_ms=self.vip.drain_ms,
            monitored=monitored,
            outside=self.solution.outside,
            reactions=self.solution.reactions,
        )

    def members_on(self, host: str) -> tuple[Member, ...]:
        """The applications that run on the host with this name, in the order of the file."""
        return tuple(member for pair in self.pairs for member in pair.members if member.host == host)


def _applications(pair: PairSettings, hosts: tuple[str, str]) -> tuple[str, str]:
    by_host = {member.host: member.application for member in pair.members}
    return by_host[hosts[0]], by_host[hosts[1]]
