"""The Virtual IP by commands: any that add, remove and show addresses.

A command is a list of arguments in which `{interface}`, `{address}`, `{prefix}` (its length), `{netmask}` (IPv4) and
`{label}` (1 for the first address, 2 for the second) are filled in; there is no shell.
"""

import contextlib
import ipaddress
import re
import string
from collections.abc import Sequence

from attrs import Attribute, field, frozen

from ..control.programs import last_line, run
from ..errors import DriverError
from .addresses import parse_addresses
from .netlink import Address

FIELDS = frozenset({"interface", "address", "prefix", "netmask", "label"})

SHOW_LIMIT = 1 << 20
"""How many bytes of a show command's output are read: enough for thousands of interfaces."""

Command = tuple[str, ...]


def _known_fields(_: object, attribute: "Attribute[Command]", command: Command) -> None:
    if not command:
        raise ValueError(f"the command to {attribute.name} an address is empty")
    for argument in command:
        for _text, name, specification, conversion in string.Formatter().parse(argument):
            if name is not None and (name not in FIELDS or specification or conversion):
                known = ", ".join(sorted(FIELDS))
                raise ValueError(f"the command to {attribute.name} an address: no field {{{name}}}; known are {known}")


@frozen
class AddressCommands:
    """How addresses of one IP version are added, removed and shown. Raises `ValueError` for an unknown field."""

    add: Command = field(converter=tuple, validator=_known_fields)
    remove: Command = field(converter=tuple, validator=_known_fields)
    show: Command = field(converter=tuple, validator=_known_fields)


@frozen
class AddressTemplate:
    """The commands of one system: for IPv4, and for IPv6 if it supports that."""

    ipv4: AddressCommands
    ipv6: AddressCommands | None = None


# Not kept over a reboot, after which the other host may hold it; and not used as a source of own traffic.
_NETSH_OPTIONS = ("store=active", "skipassource=true")

NETSH = AddressTemplate(
    ipv4=AddressCommands(
        add=(
            *("netsh", "interface", "ipv4", "add", "address"),
            *("name={interface}", "address={address}", "mask={netmask}", *_NETSH_OPTIONS),
        ),
        remove=(
            *("netsh", "interface", "ipv4", "delete", "address"),
            *("name={interface}", "address={address}", "store=active"),
        ),
        show=("netsh", "interface", "ipv4", "show", "addresses", "name={interface}"),
    ),
    ipv6=AddressCommands(
        add=(
            *("netsh", "interface", "ipv6", "add", "address"),
            *("interface={interface}", "address={address}/{prefix}", *_NETSH_OPTIONS),
        ),
        remove=(
            *("netsh", "interface", "ipv6", "delete", "address"),
            *("interface={interface}", "address={address}", "store=active"),
        ),
        show=("netsh", "interface", "ipv6", "show", "addresses", "interface={interface}"),
    ),
)
"""Windows. Written from its documentation, and never tried on Windows."""

SUBINTERFACE = AddressTemplate(
    ipv4=AddressCommands(
        add=("ifconfig", "{interface}:{label}", "{address}", "netmask", "{netmask}", "up"),
        remove=("ifconfig", "{interface}:{label}", "down"),
        show=("ifconfig", "-a"),
    ),
    ipv6=AddressCommands(
        add=("ifconfig", "{interface}", "inet6", "add", "{address}/{prefix}"),
        remove=("ifconfig", "{interface}", "inet6", "del", "{address}/{prefix}"),
        show=("ifconfig", "-a"),
    ),
)
"""A logical sub-interface such as eth0:1, enabled and disabled with `ifconfig`. Tried with net-tools on Linux, where
`ifconfig` does not show a second address that `ip` added without a label; never on Solaris, where sub-interfaces have
to be plumbed first and IPv6 has its own syntax."""


class TemplateAddresses:
    """The Virtual IP through the commands of a template: what `NetlinkAddresses` does, at one process a command.

    Each command has `deadline_ms` milliseconds. Whether it worked is decided by the output of the `show` command
    afterwards, not by its exit status; an address that is printed anywhere counts as present. Raises `ValueError` if
    the template has no commands for one of the addresses.
    """

    def __init__(
        self, interface: str, addresses: Sequence[str], template: AddressTemplate, deadline_ms: int = 2000
    ) -> None:
        self._interface = interface
        self._deadline_ms = deadline_ms
        self._commands: list[tuple[Address, AddressCommands]] = []
        for label, address in enumerate(parse_addresses(addresses), start=1):
            commands = template.ipv4 if address.version == 4 else template.ipv6
            if commands is None:
                raise ValueError(f"{address}: the template has no commands for IPv6")
            self._commands.append((address, render(commands, interface, address, label)))

    async def start(self) -> None:
        """Run the show commands. Raises `DriverError` if they fail."""
        await self._present()

    async def close(self) -> None:
        """Do nothing: commands leave nothing open."""

    async def enable(self) -> None:
        """Add the missing addresses and check that they are there. Raises `DriverError` if they are not."""
        words = ""
        present = await self._present()
        for address, commands in self._commands:
            if address not in present:
                words = await self._words_of(commands.add)
        missing = {address for address, _ in self._commands} - await self._present()
        if missing:
            raise DriverError(f"{_listed(missing)} is not on {self._interface}: {words}")

    async def disable(self) -> None:
        """Remove the present addresses and check that they are gone. Raises `DriverError` if they are not."""
        words = ""
        present = await self._present()
        for address, commands in self._commands:
            if address in present:
                words = await self._words_of(commands.remove)
        if remaining := await self._present():
            raise DriverError(f"{_listed(remaining)} is still on {self._interface}: {words}")

    async def held(self) -> bool:
        """Whether all addresses are shown. Raises `DriverError` if the show command fails."""
        return len(await self._present()) == len(self._commands)

    async def present(self) -> frozenset[str]:
        """Those of the addresses that are shown. Raises `DriverError` if the show command fails."""
        return frozenset(str(address.ip) for address in await self._present())

    async def _present(self) -> set[Address]:
        shown: dict[Command, str] = {}
        for command in {commands.show for _, commands in self._commands}:
            completed = await run(command, self._deadline_ms, output_limit=SHOW_LIMIT)
            if completed.status != 0:
                raise DriverError(f"{' '.join(command)} failed: {last_line(completed.output)}")
            shown[command] = completed.output
        return {address for address, commands in self._commands if address.ip in addresses_in(shown[commands.show])}

    async def _words_of(self, command: Command) -> str:
        return last_line((await run(command, self._deadline_ms)).output)


def render(commands: AddressCommands, interface: str, address: Address, label: int) -> AddressCommands:
    """The commands for one address, with all fields filled in.

    >>> eth0 = render(SUBINTERFACE.ipv4, "eth0", ipaddress.ip_interface("198.51.100.10/24"), label=1)
    >>> eth0.add
    ('ifconfig', 'eth0:1', '198.51.100.10', 'netmask', '255.255.255.0', 'up')
    """
    values = {
        "interface": interface,
        "address": str(address.ip),
        "prefix": str(address.network.prefixlen),
        "netmask": str(address.netmask),
        "label": str(label),
    }

    def fill(command: Command) -> Command:
        return tuple(argument.format(**values) for argument in command)

    return AddressCommands(fill(commands.add), fill(commands.remove), fill(commands.show))


def addresses_in(output: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """All addresses in a command's output, whatever surrounds them.

    >>> addresses_in("inet addr:198.51.100.10  Bcast:198.51.100.255") == {
    ...     ipaddress.ip_address("198.51.100.10"), ipaddress.ip_address("198.51.100.255")}
    True
    """
    found: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    for word in re.findall(r"[0-9]+(?:\.[0-9]+){3}", output) + re.findall(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]+", output):
        with contextlib.suppress(ValueError):  # a MAC address, or a time of day
            found.add(ipaddress.ip_address(word))
    return found


def _listed(addresses: set[Address]) -> str:
    return ", ".join(sorted(map(str, addresses)))
