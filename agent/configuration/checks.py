"""Checks across the sections of a configuration: contradictions are errors, risky settings are warnings."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path

from attrs import frozen

from ...drivers.control.ocf import PARAMETER
from ...fsm.alarms import Alarm, Reaction, ReactionKind, ReactionPolicy
from .settings import (
    AddressesBy,
    Configuration,
    Host,
    Member,
    PageSettings,
    PairKind,
    PairSettings,
    SolutionSettings,
    VipSettings,
)
from .toml_source import Fault, TomlPath
from .toml_structure import label, shown, suggestion

LATCHED_MS = 5000
"""The longest harmless cancel timeout, in ms: an alarm that stays active longer may block its own next reaction."""

_LONGEST_MS, _MARGIN_MS = 60_000, 500
"""The longest `settle_ms`, and by how much more than another time it should be, in ms."""

_INTERFACE = re.compile(r"[^\s/]{1,15}")


@frozen
class Sections:
    """The sections that must agree with each other; a section that is missing or has errors is empty here."""

    solution: SolutionSettings | None = None
    vip: VipSettings | None = None
    hosts: tuple[Host, ...] = ()
    pairs: tuple[PairSettings, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    page: PageSettings | None = None

    def host_names(self) -> list[str]:
        """The two hosts' names, for references to them; empty if the hosts themselves are wrong."""
        names = [host.name for host in self.hosts]
        return names if len(set(names)) == len(names) == 2 else []

    def members(self) -> Iterator[tuple[TomlPath, Member]]:
        """All members of all pairs, each with its path."""
        for index, pair in enumerate(self.pairs):
            for number, member in enumerate(pair.members):
                yield ("pairs", index, "members", number), member

    def applications(self, kinds: Iterable[PairKind] = PairKind) -> list[str]:
        """The names of the applications of all pairs of these kinds."""
        return [member.application for pair in self.pairs if pair.kind in kinds for member in pair.members]

    def outside(self) -> list[tuple[TomlPath, str]]:
        """The names of the applications on neither host, each with its path."""
        names = self.solution.outside if self.solution else ()
        return [(("solution", "outside", number), name) for number, name in enumerate(names)]


def mistakes(sections: Sections, with_mlcmd: bool) -> Iterator[Fault]:
    """All contradictions between sections. A check is skipped if a section that it needs is empty.

    `with_mlcmd`: the file has the table [mlcmd], whether or not it has errors.
    """
    hosts, pairs, alarms, members = sections.hosts, sections.pairs, sections.alarms, list(sections.members())
    yield from _repeated("host", ((("hosts", i, "name"), host.name) for i, host in enumerate(hosts)))
    yield from _repeated("pair", ((("pairs", i, "name"), pair.name) for i, pair in enumerate(pairs)))
    yield from _repeated("application", (((*path, "application"), member.application) for path, member in members))
    yield from _repeated("application", sections.outside())
    yield from _repeated("alarm", ((("alarms", i, "name"), alarm.name) for i, alarm in enumerate(alarms)))
    yield from _host_mistakes(hosts)
    if sections.vip:
        yield from _vip_mistakes(sections.vip, hosts)
    if sections.page:
        yield from _page_mistakes(sections.page)
    for index, pair in enumerate(pairs):
        yield from _pair_mistakes(("pairs", index, "members"), pair)
        for number, member in enumerate(pair.members):
            path = ("pairs", index, "members", number)
            yield from _control_mistakes(path, member, pair.kind)
            yield from _watch_mistakes(path, member)
            if pair.kind is PairKind.REDUNDANT and member.mlcmd is not None and not with_mlcmd:
                yield Fault((*path, "mlcmd"), "mlcmd needs the table [mlcmd], which says how to call it; add it")
    if pairs and not sections.applications((PairKind.REDUNDANT,)):
        yield Fault(("pairs", 0), "every pair is monitored; a solution needs at least one redundant pair")
    yield from _outside_mistakes(sections)
    yield from _member_mistakes(members, sections.host_names())
    for index, alarm in enumerate(alarms):
        yield from _alarm_mistakes(("alarms", index), alarm, sections)


def _two(path: TomlPath, table: str, count: int, owner: str) -> Iterator[Fault]:
    """Exactly two items: too many are reported at the third, too few at the first."""
    if count != 2:
        yield Fault((*path, 2 if count > 2 else 0), f"the number of [[{table}]] is {count}; {owner} has exactly two")


def _repeated(kind: str, names: Iterable[tuple[TomlPath, str]]) -> Iterator[Fault]:
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            yield Fault(
                path, f"{label(path)} is {name!r}, the name of another {kind}; each {kind} needs a name of its own"
            )
        seen.add(name)


def _unknown(path: TomlPath, kind: str, name: str, known: list[str]) -> Iterator[Fault]:
    if known and name not in known:
        yield Fault(path, f"{label(path)} is {shown(name)}, an unknown {kind}; {suggestion(name, known)}")


def _host_mistakes(hosts: tuple[Host, ...]) -> Iterator[Fault]:
    if hosts:
        yield from _two(("hosts",), "hosts", len(hosts), "a solution")
    for index, host in enumerate(hosts[1:], start=1):
        if (host.address, host.port) == (hosts[0].address, hosts[0].port):
            text = f"address and port are those of host {hosts[0].name!r}; each LCA needs its own"
            yield Fault(("hosts", index, "address"), text)


def _vip_mistakes(vip: VipSettings, hosts: tuple[Host, ...]) -> Iterator[Fault]:
    seen: set[IPv4Address | IPv6Address] = set()
    for index, address in enumerate(vip.addresses):
        path = ("vip", "addresses", index)
        if address.ip in seen:
            yield Fault(path, f"{label(path)} repeats {address.ip}; name each address once")
        seen.add(address.ip)
        yield from _subnet_mistakes(path, address, hosts)
    for index, host in enumerate(hosts):
        if vip.addresses_by is not AddressesBy.NETSH and not _INTERFACE.fullmatch(host.interface):
            text = f"interface is {shown(host.interface)}; a Linux interface has 1 to 15 characters, no space, no slash"
            yield Fault(("hosts", index, "interface"), text)


def _subnet_mistakes(path: TomlPath, vip: IPv4Interface | IPv6Interface, hosts: tuple[Host, ...]) -> Iterator[Fault]:
    """A VIP can only move within a subnet that both hosts are in. Hosts of the other IP family are not compared."""
    family = [(index, host) for index, host in enumerate(hosts) if host.address.version == vip.version]
    outside = [(index, host) for index, host in family if host.address not in vip.network]
    for _, host in family:
        if host.address == vip.ip:
            yield Fault(
                path, f"{label(path)} is {vip.ip}, the address of {host.name!r}; the VIP needs an address of its own"
            )
    if len(outside) == len(family) > 0:
        hosts_at = ", ".join(str(host.address) for _, host in family)
        yield Fault(path, f"{label(path)} is in the subnet {vip.network}; it must be in the hosts' subnet ({hosts_at})")
    else:
        for index, host in outside:
            text = f"address is {host.address}; it must be in the subnet of the VIP, {vip.network}"
            yield Fault(("hosts", index, "address"), text)


def _page_mistakes(page: PageSettings) -> Iterator[Fault]:
    """Anyone who reaches the page can order a switchover: beyond loopback it needs a token, and TLS to protect it."""
    needed = {"tls_certificate": page.tls_certificate, "tls_key": page.tls_key, "token_file": page.token_file}
    missing = [name for name, given in needed.items() if given is None]
    if not page.address.is_loopback and missing:
        text = f"address is {page.address}, which is not loopback: that needs TLS and a token; add"
        yield Fault(("page", "address"), f"{text} {' and '.join(missing)}")
    for name, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        if needed[name] and not needed[other] and page.address.is_loopback:
            yield Fault(("page", name), f"{name} needs {other} as well; add it")


def _pair_mistakes(path: TomlPath, pair: PairSettings) -> Iterator[Fault]:
    yield from _two(path, "pairs.members", len(pair.members), "a pair")
    with_mlcmd = [member.mlcmd is not None for member in pair.members]
    if pair.kind is PairKind.REDUNDANT and any(with_mlcmd) and not all(with_mlcmd):
        text = "has no mlcmd, but its peer does; use mlcmd for both members of a pair, or for neither"
        number = with_mlcmd.index(False)
        yield Fault((*path, number, "application"), f"{pair.members[number].application!r} {text}")
    taken: set[str] = set()
    for number, member in enumerate(pair.members):
        if member.host in taken:
            text = f"host is {member.host!r}, as for another member of the pair; members must run on different hosts"
            yield Fault((*path, number, "host"), text)
        taken.add(member.host)


def _control_mistakes(path: TomlPath, member: Member, kind: PairKind) -> Iterator[Fault]:
    """A redundant application needs exactly one way to change its mode; a monitored one has no mode."""
    own = {"to_primary": member.to_primary, "to_backup": member.to_backup}
    ways = [name for name, given in (*own.items(), ("ocf", member.ocf), ("mlcmd", member.mlcmd)) if given is not None]
    if kind is PairKind.REDUNDANT:
        if ways not in (list(own), ["ocf"], ["mlcmd"]):
            text = "needs to_primary and to_backup, or ocf, or mlcmd, to change its mode"
            yield Fault((*path, "application"), f"{member.application!r} {text}; it has {' and '.join(ways) or 'none'}")
    else:
        for name in ways:
            if name != "ocf":
                yield Fault((*path, name), f"{name} is for redundant pairs; a monitored application has no mode")
    for way, others in (("ocf", ("status", "start", "stop")), ("mlcmd", ("status",))):
        for name in others:
            if way in ways and getattr(member, name) is not None:
                yield Fault((*path, name), f"{name} cannot be combined with {way}, which does the same; remove it")
    for number, parameter in enumerate(member.ocf.parameters if member.ocf else ()):
        if not PARAMETER.fullmatch(parameter):
            text = f"item {number + 1} of parameters is {shown(parameter)}; it must be 'name=value'"
            yield Fault((*path, "ocf", "parameters", number), text)


def _watch_mistakes(path: TomlPath, member: Member) -> Iterator[Fault]:
    """There must be a way to see whether an application runs."""
    if member.pidfile is not None:
        return
    if member.mlcmd is not None:
        yield Fault((*path, "mlcmd"), f"mlcmd needs a pidfile, by which the LCA watches {member.application!r}; add it")
    elif member.ocf is None and member.status is None:
        text = "needs a pidfile, a status command or ocf, to see whether it runs"
        yield Fault((*path, "application"), f"{member.application!r} {text}")


def _outside_mistakes(sections: Sections) -> Iterator[Fault]:
    inside = sections.applications()
    for path, name in sections.outside():
        if name in inside:
            yield Fault(path, f"{label(path)} is {name!r}, a member of a pair; name only applications on neither host")


def _member_mistakes(members: Iterable[tuple[TomlPath, Member]], hosts: list[str]) -> Iterator[Fault]:
    """Each host must exist; and no two applications of a host share a pidfile, or they would be watched as one."""
    watched: dict[tuple[str, Path], str] = {}
    for path, member in members:
        yield from _unknown((*path, "host"), "host", member.host, hosts)
        if member.pidfile is None:
            continue
        other = watched.setdefault((member.host, member.pidfile), member.application)
        if other != member.application:
            yield Fault((*path, "pidfile"), f"pidfile is that of {other!r}; each application of a host needs its own")


def _alarm_mistakes(path: TomlPath, alarm: Alarm, sections: Sections) -> Iterator[Fault]:
    if sections.solution and sections.pairs:
        known = [*sections.applications(), *sections.solution.outside]
        yield from _unknown((*path, "application"), "application", alarm.application, known)
    for number, reaction in enumerate(alarm.reactions):
        yield from _reaction_mistakes((*path, "reactions", number), reaction, sections)


def _reaction_mistakes(path: TomlPath, reaction: Reaction, sections: Sections) -> Iterator[Fault]:
    """A VIP script needs a host and nothing else; a switch to primary needs an application, wherever that runs."""
    wanted, other = ("application", "host") if reaction.do is ReactionKind.TO_PRIMARY else ("host", "application")
    if getattr(reaction, other):
        text = f"does not belong in a reaction with do = {str(reaction.do)!r}; name {wanted} instead"
        yield Fault((*path, other), f"{other} {text}")
    if not reaction.target:
        yield Fault((*path, "do"), f"do is {str(reaction.do)!r}, which needs {wanted}; add it")
    elif wanted == "host":
        yield from _unknown((*path, "host"), "host", reaction.host, sections.host_names())
    else:
        redundant = sections.applications((PairKind.REDUNDANT,))
        kind = "application of a redundant pair"
        yield from _unknown((*path, "application"), kind, reaction.application, redundant)


def _members(configuration: Configuration) -> Iterator[tuple[TomlPath, PairSettings, Member]]:
    for index, pair in enumerate(configuration.pairs):
        for number, member in enumerate(pair.members):
            yield ("pairs", index, "members", number), pair, member


def warnings(configuration: Configuration) -> Iterator[Fault]:
    """Settings that are allowed but may go wrong in service.

    One concerns alarms: with the same settings, an SCS does not react to an alarm that is still active from before.
    """
    if configuration.solution.reactions is ReactionPolicy.LITERAL:
        text = "reactions is 'literal': alarms latch and scripts run needlessly, as with an SCS; for comparison only"
        yield Fault(("solution", "reactions"), text)
    yield from _contradicting_times(configuration)
    for path, pair, member in _members(configuration):
        if pair.kind is PairKind.MONITORED and member.pidfile and member.status:
            text = f"status is never used: {member.application!r} is only monitored, and its pidfile shows if it runs"
            yield Fault((*path, "status"), text)
    for index, alarm in enumerate(configuration.alarms or ()):
        if alarm.cancel_timeout_ms > LATCHED_MS:
            cancelled = f"unless {alarm.cancel} comes, which a lost host cannot send" if alarm.cancel else "at least"
            text = (
                f"alarm {alarm.name!r} stays active for {alarm.cancel_timeout_ms / 1000:g} s, {cancelled}: an SCS does"
                f" not react to it again until then, so it may not switch back; {LATCHED_MS} ms are enough"
            )
            yield Fault(("alarms", index, "cancel_timeout_ms"), text)


def _contradicting_times(configuration: Configuration) -> Iterator[Fault]:
    """Times that only work if one is longer than the other. Each warning says what to write instead."""
    times, members = configuration.solution, list(_members(configuration))
    detection, settle, command = (("solution", key) for key in ("detection_ms", "settle_ms", "command_deadline_ms"))
    if times.settle_ms <= times.command_deadline_ms and any(_is_asked(pair, member) for _, pair, member in members):
        text = (
            f"settle_ms is {times.settle_ms}, and a host may take command_deadline_ms, {times.command_deadline_ms} ms,"
            f" to ask its applications for their modes: the agent may decide before that; write"
        )
        yield Fault(
            settle, f"{text} {_longer('settle_ms', 'command_deadline_ms', times.command_deadline_ms)}", other=command
        )
    if times.settle_ms <= times.detection_ms:
        text = (
            f"settle_ms is {times.settle_ms}, and a host is lost only after detection_ms, {times.detection_ms} ms: the"
            f" agent may decide while it cannot know yet whether the other host lives; write"
        )
        yield Fault(settle, f"{text} {_longer('settle_ms', 'detection_ms', times.detection_ms)}", other=detection)
    if times.start_deadline_ms < times.command_deadline_ms and any(_is_started(member) for _, _, member in members):
        text = (
            f"start_deadline_ms is {times.start_deadline_ms}, less than command_deadline_ms,"
            f" {times.command_deadline_ms} ms: a start ends before the look that shows its success; write"
            f" start_deadline_ms = {times.command_deadline_ms} or more"
        )
        yield Fault(("solution", "start_deadline_ms"), text, other=command)
    announce = configuration.vip.announce
    first_ends_ms = (announce.count - 1) * announce.interval_ms
    if announce.again_count and announce.again_after_ms <= first_ends_ms:
        text = (
            f"again_after_ms is {announce.again_after_ms}, but the first announcement takes {first_ends_ms} ms (count"
            f" and interval_ms): the second begins before its end; write again_after_ms = {first_ends_ms + 1} or more"
        )
        yield Fault(("vip", "announce", "again_after_ms"), text, other=("vip", "announce", "interval_ms"))


def _longer(key: str, other: str, other_ms: int) -> str:
    """What to write so that one time is longer than another, within the range that both have."""
    if other_ms + _MARGIN_MS <= _LONGEST_MS:
        return f"{key} = {other_ms + _MARGIN_MS} or more"
    return f"{key} = {_LONGEST_MS} and {other} = {_LONGEST_MS - _MARGIN_MS} or less"


def _is_asked(pair: PairSettings, member: Member) -> bool:
    """Whether a program is run to find out this application's mode."""
    has_program = member.status is not None or member.ocf is not None
    return member.mlcmd is not None or (has_program and (pair.kind is PairKind.REDUNDANT or member.pidfile is None))


def _is_started(member: Member) -> bool:
    return member.start is not None or member.stop is not None or member.ocf is not None
