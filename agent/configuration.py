"""The configuration: one TOML file for the agent and for the LCA of both hosts (`example_text` explains every key).

The classes mirror the file, a class for each table and an attribute for each key, so what is written here is what may
stand there. What one value may be is part of its type (`Rule`); what values must agree on is checked by `_findings`.
"""

import enum
import ipaddress
import re
from collections.abc import Iterable, Iterator
from importlib import resources
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Annotated

from attrs import field, fields, frozen

from ..drivers.schedule import AnnounceSchedule
from ..fsm.alarms import LOG_MESSAGES, Alarm, documented_alarms, event_id
from ..fsm.errors import CoreError
from ..fsm.topology import Pair, Topology, VipOrder
from .toml_source import (
    ConfigurationError,
    Fault,
    Position,
    Problem,
    Rule,
    Structurer,
    TomlPath,
    UnfitError,
    label,
    read_toml,
    shown,
    suggestion,
)

__all__ = ["Configuration", "ConfigurationError", "Position", "Problem", "example_text", "load"]

_NAME = re.compile(r"[A-Za-z0-9_.-]([A-Za-z0-9_. -]{0,62}[A-Za-z0-9_.-])?")
_INTERFACE = re.compile(r"[^\s/]{1,15}")
_SOCKET_BYTES = 107  # what sockaddr_un.sun_path holds besides its closing zero byte (unix(7))


def _between(low: int, high: int, unit: str = "") -> Rule:
    def read(value: int) -> int:
        if not low <= value <= high:
            raise ValueError
        return value

    return Rule(int, f"an integer from {low} to {high}{unit and f' {unit}'}", read)


def _read_name(text: str) -> str:
    if not _NAME.fullmatch(text):
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
Word = Annotated[str, Rule(str, "a string that is not empty", _read_word)]
Argv = tuple[Word, ...]
AbsolutePath = Annotated[Path, Rule(str, "an absolute path such as '/run/sip.pid'", _read_path)]
SocketPath = Annotated[Path, Rule(str, "an absolute path such as '/run/switchover/agent.sock'", _read_socket)]
EventId = Annotated[str, Rule(str, "an event id such as '00-5150'", _read_event)]
HostAddress = Annotated[
    IPv4Address | IPv6Address, Rule(str, "an IP address such as '198.51.100.11'", _read_host_address)
]
VipAddress = Annotated[
    IPv4Interface | IPv6Interface,
    Rule(str, "an IP address with its prefix length such as '198.51.100.10/24'", _read_vip_address),
]


class AddressesBy(enum.StrEnum):
    """What puts the VIP on an interface: `ip`, or the older ways that sites know, `ifconfig eth0:1` and `netsh`."""

    IP = "ip"
    SUBINTERFACE = "subinterface"
    NETSH = "netsh"


@frozen
class SolutionSettings:
    """`[solution]`: its name, and its times in milliseconds.

    `detection_ms`: a host that was not heard for so long is lost. `settle_ms`, `retry_ms`: see `Topology`.
    `command_deadline_ms`: how long a control command or a VIP script may take before it counts as failed.
    """

    name: Name
    detection_ms: Annotated[int, _between(30, 60_000, "ms")] = 300
    settle_ms: Annotated[int, _between(10, 60_000, "ms")] = 1000
    retry_ms: Annotated[int, _between(10, 60_000, "ms")] = 1000
    command_deadline_ms: Annotated[int, _between(10, 60_000, "ms")] = 2000


@frozen
class AgentSettings:
    """`[agent]`: the journal, the socket for operators' commands, and the directory of the keys, as absolute paths."""

    journal: AbsolutePath = Path("/var/lib/switchover/journal.sqlite")
    socket: SocketPath = Path("/run/switchover/agent.sock")
    keys: AbsolutePath = Path("/etc/switchover/keys")


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

    name: Name
    address: HostAddress
    port: Annotated[int, _between(1024, 65_535)] = 4999
    interface: Word = "eth0"


@frozen
class Member:
    """`[[pairs.members]]`: an application on a host, where its process id is written, and its control commands.

    A command is a program and its arguments; no shell reads it. `status` prints `primary` or `backup`; without it an
    application that runs counts as backup until `to_primary` has made it primary.
    """

    application: Name
    host: Name
    pidfile: AbsolutePath
    to_primary: Argv
    to_backup: Argv
    status: Argv | None = None


@frozen
class PairSettings:
    """`[[pairs]]`: a redundant pair, its members in the order of the file."""

    name: Name
    members: tuple[Member, ...]


@frozen
class Configuration:
    """The whole file. `load` makes one; without alarms the first pair is wired as the documents say."""

    solution: SolutionSettings
    vip: VipSettings
    hosts: tuple[Host, ...]
    pairs: tuple[PairSettings, ...]
    agent: AgentSettings = AgentSettings()
    alarms: tuple[Alarm, ...] | None = None

    def topology(self) -> Topology:
        """The part that the core works on: applications in the order of the hosts."""
        first, second = (host.name for host in self.hosts)
        pairs = tuple(Pair(pair.name, _applications(pair, (first, second))) for pair in self.pairs)
        return Topology(
            hosts=(first, second),
            pairs=pairs,
            alarms=self.alarms or documented_alarms(pairs[0].applications, (first, second)),
            vip_order=self.vip.order,
            settle_ms=self.solution.settle_ms,
            retry_ms=self.solution.retry_ms,
            drain_ms=self.vip.drain_ms,
        )

    def members_on(self, host: str) -> tuple[Member, ...]:
        """The applications that run on the host with this name, in the order of the file."""
        return tuple(member for pair in self.pairs for member in pair.members if member.host == host)


def _applications(pair: PairSettings, hosts: tuple[str, str]) -> tuple[str, str]:
    by_host = {member.host: member.application for member in pair.members}
    return by_host[hosts[0]], by_host[hosts[1]]


_STRUCTURER = Structurer({Alarm: {"name": Name, "detect": EventId}})


def load(path: str | Path) -> Configuration:
    """The configuration in the TOML file at `path`; `ConfigurationError` tells everything that is wrong with it.

    What sections must agree on is checked among those that are sound in themselves, so that a problem between two
    sections may only come to light once the problems within them are solved.
    """
    source = read_toml(path)
    configuration, faults = _STRUCTURER.structure(source.values, Configuration)
    unsound = {fault.path[0] for fault in faults}
    shared = {section.name for section in fields(_Sections)} - unsound
    sections, _ = _STRUCTURER.structure(
        {name: source.values[name] for name in shared & source.values.keys()}, _Sections
    )
    faults += _findings(sections or _Sections())
    if faults or not configuration:
        raise ConfigurationError(source.problem(fault) for fault in faults)
    return configuration


def example_text() -> str:
    """The commented example of a configuration, as `switchover init` writes it."""
    return resources.files(__name__.rpartition(".")[0]).joinpath("example.toml").read_text(encoding="utf-8")


@frozen
class _Sections:
    """The sections that must agree with each other; empty where one is unsound or not there."""

    vip: VipSettings | None = None
    hosts: tuple[Host, ...] = ()
    pairs: tuple[PairSettings, ...] = ()
    alarms: tuple[Alarm, ...] = ()

    def host_names(self) -> list[str]:
        """The names that others may refer to; empty while the hosts themselves are in doubt."""
        names = [host.name for host in self.hosts]
        return names if len(set(names)) == len(names) == 2 else []

    def members(self) -> Iterator[tuple[TomlPath, Member]]:
        """All members of all pairs, each with its path."""
        for index, pair in enumerate(self.pairs):
            for number, member in enumerate(pair.members):
                yield ("pairs", index, "members", number), member


def _findings(sections: _Sections) -> Iterator[Fault]:
    """What does not fit together. A check is left out where a section that it needs is empty."""
    hosts, pairs, alarms, members = sections.hosts, sections.pairs, sections.alarms, list(sections.members())
    yield from _repeated("host", ((("hosts", i, "name"), host.name) for i, host in enumerate(hosts)))
    yield from _repeated("pair", ((("pairs", i, "name"), pair.name) for i, pair in enumerate(pairs)))
    yield from _repeated("application", (((*path, "application"), member.application) for path, member in members))
    yield from _repeated("alarm", ((("alarms", i, "name"), alarm.name) for i, alarm in enumerate(alarms)))
    yield from _host_findings(hosts)
    if sections.vip:
        yield from _vip_findings(sections.vip, hosts)
    for index, pair in enumerate(pairs):
        yield from _pair_findings(("pairs", index, "members"), pair)
    yield from _member_findings(members, sections.host_names())
    for index, alarm in enumerate(alarms):
        yield from _alarm_findings(("alarms", index), alarm, sections)


def _two(path: TomlPath, table: str, count: int, owner: str) -> Iterator[Fault]:
    """The fault of too many is at the third, of too few at the first."""
    if count != 2:
        yield Fault((*path, 2 if count > 2 else 0), f"the number of [[{table}]] is {count}; {owner} has exactly two")


def _repeated(kind: str, names: Iterable[tuple[TomlPath, str]]) -> Iterator[Fault]:
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            yield Fault(path, f"{label(path)} is {name!r}, as for another {kind}; each {kind} needs a name of its own")
        seen.add(name)


def _unknown(path: TomlPath, kind: str, name: str, known: list[str]) -> Iterator[Fault]:
    if known and name not in known:
        yield Fault(path, f"{label(path)} is {shown(name)}, an unknown {kind}; {suggestion(name, known)}")


def _host_findings(hosts: tuple[Host, ...]) -> Iterator[Fault]:
    if hosts:
        yield from _two(("hosts",), "hosts", len(hosts), "a solution")
    for index, host in enumerate(hosts[1:], start=1):
        if (host.address, host.port) == (hosts[0].address, hosts[0].port):
            what = f"address and port are those of host {hosts[0].name!r}; each LCA needs its own"
            yield Fault(("hosts", index, "address"), what)


def _vip_findings(vip: VipSettings, hosts: tuple[Host, ...]) -> Iterator[Fault]:
    seen: set[IPv4Address | IPv6Address] = set()
    for index, address in enumerate(vip.addresses):
        path = ("vip", "addresses", index)
        if address.ip in seen:
            yield Fault(path, f"{label(path)} repeats {address.ip}; name each address once")
        seen.add(address.ip)
        yield from _subnet_findings(path, address, hosts)
    for index, host in enumerate(hosts):
        if vip.addresses_by is not AddressesBy.NETSH and not _INTERFACE.fullmatch(host.interface):
            what = (
                f"interface is {shown(host.interface)}; a Linux interface has 1 to 15 characters, no blank and no slash"
            )
            yield Fault(("hosts", index, "interface"), what)


def _subnet_findings(path: TomlPath, vip: IPv4Interface | IPv6Interface, hosts: tuple[Host, ...]) -> Iterator[Fault]:
    """A VIP can move only within a subnet that both hosts are on. Hosts of the other IP family say nothing about it."""
    family = [(index, host) for index, host in enumerate(hosts) if host.address.version == vip.version]
    outside = [(index, host) for index, host in family if host.address not in vip.network]
    for _, host in family:
        if host.address == vip.ip:
            yield Fault(
                path, f"{label(path)} is {vip.ip}, which is {host.name!r} itself; the VIP needs its own address"
            )
    if len(outside) == len(family) > 0:
        where = ", ".join(str(host.address) for _, host in family)
        yield Fault(path, f"{label(path)} is in the subnet {vip.network}; it must be in that of the hosts ({where})")
    else:
        for index, host in outside:
            what = f"address is {host.address}; it must be in the subnet of the VIP, {vip.network}"
            yield Fault(("hosts", index, "address"), what)


def _pair_findings(path: TomlPath, pair: PairSettings) -> Iterator[Fault]:
    yield from _two(path, "pairs.members", len(pair.members), "a pair")
    taken: set[str] = set()
    for number, member in enumerate(pair.members):
        if member.host in taken:
            what = f"host is {member.host!r}, as for another member of the pair; each runs on a host of its own"
            yield Fault((*path, number, "host"), what)
        taken.add(member.host)


def _member_findings(members: Iterable[tuple[TomlPath, Member]], hosts: list[str]) -> Iterator[Fault]:
    """Two applications with one pidfile would be watched as one process."""
    watched: dict[tuple[str, Path], str] = {}
    for path, member in members:
        yield from _unknown((*path, "host"), "host", member.host, hosts)
        other = watched.setdefault((member.host, member.pidfile), member.application)
        if other != member.application:
            yield Fault((*path, "pidfile"), f"pidfile is that of {other!r}; each application of a host needs its own")


def _alarm_findings(path: TomlPath, alarm: Alarm, sections: _Sections) -> Iterator[Fault]:
    applications = [member.application for _, member in sections.members()]
    yield from _unknown((*path, "application"), "application", alarm.application, applications)
    for number, reaction in enumerate(alarm.reactions):
        yield from _unknown((*path, "reactions", number, "host"), "host", reaction.host, sections.host_names())
