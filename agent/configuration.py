"""The configuration: one TOML file for the agent and for the LCA of both hosts (`example_text` explains every key).

`settings` says what may stand in the file; here it is read, and what its sections must agree on is checked.
"""

import re
from collections.abc import Iterable, Iterator
from importlib import resources
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path

from attrs import fields, frozen

from ..fsm.alarms import Alarm
from .settings import AddressesBy, Configuration, EventId, Host, Member, Name, PairSettings, VipSettings
from .toml_source import ConfigurationError, Fault, Position, Problem, TomlPath, read_toml
from .toml_structure import Structurer, label, shown, suggestion

__all__ = ["Configuration", "ConfigurationError", "Position", "Problem", "example_text", "load"]

_INTERFACE = re.compile(r"[^\s/]{1,15}")

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
    yield from _taken((("pairs", i, "name"), pair.name) for i, pair in enumerate(pairs))
    yield from _taken(((*path, "application"), member.application) for path, member in members)
    yield from _host_findings(hosts)
    if sections.vip:
        yield from _vip_findings(sections.vip, hosts)
    for index, pair in enumerate(pairs):
        yield from _pair_findings(("pairs", index, "members"), pair)
    yield from _member_findings(members, sections.host_names())
    for index, alarm in enumerate(alarms):
        yield from _alarm_findings(("alarms", index), alarm, sections)


def _taken(names: Iterable[tuple[TomlPath, str]]) -> Iterator[Fault]:
    """The Virtual IP has a name too, in commands, timers and journals (see `Topology`)."""
    for path, name in names:
        if name == "VIP":
            yield Fault(path, f"{label(path)} is 'VIP', which is what the Virtual IP is called; choose another")


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
