"""The Virtual IP's addresses on this host's interface: added, removed and listed.

`NetlinkAddresses` talks to the Linux kernel: adding two addresses and seeing them there takes 0.24 ms, and needs no
process that could die or hang. Where there is no such kernel, `TemplateAddresses` (in `address_templates`) does the
same with commands.

An address counts as present whatever its prefix length, because the host answers ARP for it all the same.
"""

import functools
import ipaddress
import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from ..errors import DriverError, TimedOutError
from .kernel import LINUX, Kernel
from .netlink import Address, NoInterfaceError, RefusedError

Request = Callable[[], None]
"""One request of the kernel: to add an address, or to remove one. Raises `RefusedError`."""

LOG = logging.getLogger(__name__)


class VirtualIp(Protocol):
    """The Virtual IP on a host, by any means.

    Every call returns within a time of its own: where the system does not answer, it raises `TimedOutError`, and what
    was asked for may still happen later.
    """

    async def start(self) -> None:
        """Prepare, so that a takeover waits for nothing."""
        ...

    async def close(self) -> None:
        """Release what `start` acquired; the addresses stay as they are."""
        ...

    async def enable(self) -> None:
        """Add all addresses and check that they are on the interface. Raises `DriverError` if they are not."""
        ...

    async def disable(self) -> None:
        """Remove all addresses and check that they are gone. Raises `DriverError` if they are not."""
        ...

    async def held(self) -> bool:
        """Whether all addresses are on the interface."""
        ...

    async def present(self) -> frozenset[str]:
        """Those of the addresses that are on the interface, without their prefix lengths."""
        ...


def parse_addresses(addresses: Sequence[str]) -> tuple[Address, ...]:
    """Parse addresses with their prefix lengths. Raises `ValueError` for an invalid one, and if there are none.

    >>> parse_addresses(["198.51.100.10/24", "2001:db8::10/64"])
    (IPv4Interface('198.51.100.10/24'), IPv6Interface('2001:db8::10/64'))
    """
    if not addresses:
        raise ValueError("a Virtual IP needs at least one address")
    return tuple(ipaddress.ip_interface(address) for address in addresses)


class NetlinkAddresses:
    """The Virtual IP by requests to the Linux kernel. All calls may be repeated and may be cancelled.

    The host should have an address of its own in each network of the Virtual IP. A call that the kernel does not answer
    within `deadline_ms` milliseconds raises `TimedOutError`. Raises `ValueError` for an invalid interface name or
    address.
    """

    def __init__(
        self, interface: str, addresses: Sequence[str], deadline_ms: int = 1000, kernel: Kernel = LINUX
    ) -> None:
        if not re.fullmatch(r"[^\s/]{1,15}", interface):  # the kernel allows no other name
            raise ValueError(f"{interface!r} cannot be the name of an interface")
        self._interface = interface
        self._addresses = parse_addresses(addresses)
        self._kernel = kernel
        self._thread = kernel.thread("addresses", deadline_ms)
        self._netlink = kernel.address_table()

    async def start(self) -> None:
        """Open the socket to the kernel. Raises `DriverError` if it cannot, or if there is no such interface."""
        self._kernel.keep_secondary_addresses(self._interface)
        await self.held()

    async def close(self) -> None:
        """Close the socket to the kernel; the addresses stay as they are."""
        try:
            await self._thread.call(lambda _: self._netlink.close())
        except TimedOutError as error:
            LOG.warning("the socket to the kernel stays open: %s", error)
        self._thread.close()

    async def enable(self) -> None:
        """Add the addresses and check that they are there. Raises `DriverError` if they are not."""
        present, refusal = await self._change(self._additions)
        missing = [str(address) for address in self._addresses if address.ip not in _bare(present)]
        if missing:
            raise DriverError(f"{', '.join(missing)} is not on {self._interface}: {refusal}")

    async def disable(self) -> None:
        """Remove the addresses and check that they are gone. Raises `DriverError` if they are not."""
        present, refusal = await self._change(self._removals)
        if remaining := self._ours(present):
            raise DriverError(f"{', '.join(map(str, remaining))} is still on {self._interface}: {refusal}")

    async def held(self) -> bool:
        """Whether all addresses are on the interface; False also if the interface is gone."""
        present, _ = await self._change(_no_requests)
        return _bare(self._addresses) <= _bare(present)

    async def present(self) -> frozenset[str]:
        """Those of the addresses that are on the interface, without their prefix lengths."""
        present, _ = await self._change(_no_requests)
        return frozenset(str(address.ip) for address in self._ours(present))

    async def _change(self, requests: Callable[[], list[Request]]) -> tuple[Sequence[Address], str]:
        """Make the requests; return the interface's addresses afterwards, and the kernel's last refusal.

        Calls are carried out one after the other in a thread: a request waits while another program changes the network
        configuration, and the links of this process must not fall silent meanwhile. When a call is cancelled or exceeds
        its deadline, the thread finishes the current request and makes no other.
        """
        try:
            return await self._thread.call(functools.partial(self._work, requests))
        except TimedOutError as error:
            reason = "its network configuration may be locked by another program"
            raise TimedOutError(f"the addresses of {self._interface}: {error}; {reason}") from None

    def _work(self, requests: Callable[[], list[Request]], given_up: threading.Event) -> tuple[Sequence[Address], str]:
        refusal = "the kernel reported no error"
        try:
            for request in requests():
                if given_up.is_set():
                    break
                try:
                    request()
                except RefusedError as error:
                    refusal = str(error)
            return self._netlink.addresses(self._interface), refusal
        except NoInterfaceError as error:
            return [], str(error)

    def _additions(self) -> list[Request]:
        return [functools.partial(self._netlink.add, self._interface, address) for address in self._addresses]

    def _removals(self) -> list[Request]:
        ours = self._ours(self._netlink.addresses(self._interface))
        if ours:
            self._protect_other_addresses()
        return [functools.partial(self._netlink.remove, self._interface, address) for address in ours]

    def _protect_other_addresses(self) -> None:
        """An interface that was made anew, or a network manager, may have reset what `start` has set."""
        try:
            self._kernel.keep_secondary_addresses(self._interface)
        except DriverError as error:
            LOG.warning("removing the Virtual IP may remove other addresses: %s", error)

    def _ours(self, present: Sequence[Address]) -> list[Address]:
        """Those of the present addresses that belong to the Virtual IP, whatever their prefix length."""
        return [address for address in present if address.ip in _bare(self._addresses)]


def _no_requests() -> list[Request]:
    """For `_change`, to read the addresses only."""
    return []


def _bare(addresses: Sequence[Address]) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses without the lengths of their prefixes."""
    return {address.ip for address in addresses}
