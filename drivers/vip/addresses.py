"""The Virtual IP's addresses on this host's interface: added, removed, listed and watched.

`NetlinkAddresses` talks to the Linux kernel: adding two addresses and seeing them there takes 0.24 ms, and needs no
process that could die or hang. Where there is no such kernel, `TemplateAddresses` (in `address_templates`) does the
same with commands.

An address counts as present whatever its prefix length, because the host answers ARP for it all the same.
"""

import asyncio
import contextlib
import errno
import functools
import ipaddress
import logging
import re
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from ..errors import DriverError
from .netlink import Address, Netlink, NoInterfaceError, RefusedError

RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV6_IFADDR = 0x100
"""The rtnetlink groups that report changes of addresses (rtnetlink(7), linux/rtnetlink.h)."""

Request = Callable[[], None]
"""One request of the kernel: to add an address, or to remove one. Raises `RefusedError`."""

LOG = logging.getLogger(__name__)


class VirtualIp(Protocol):
    """The Virtual IP on a host, by any means."""

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

    The host should have an address of its own in each network of the Virtual IP. Raises `ValueError` for an invalid
    interface name or address.
    """

    def __init__(self, interface: str, addresses: Sequence[str]) -> None:
        if not re.fullmatch(r"[^\s/]{1,15}", interface):  # the kernel allows no other name
            raise ValueError(f"{interface!r} cannot be the name of an interface")
        self._interface = interface
        self._addresses = parse_addresses(addresses)
        self._thread: ThreadPoolExecutor | None = None
        self._netlink = Netlink()

    async def start(self) -> None:
        """Open the socket to the kernel. Raises `DriverError` if it cannot, or if there is no such interface."""
        _keep_secondary_addresses(self._interface)
        await self.held()

    async def close(self) -> None:
        """Close the socket to the kernel; the addresses stay as they are."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._netlink.close)
            thread.shutdown(wait=False)

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
        configuration, and the links of this process must not fall silent meanwhile. When a call is cancelled, the
        thread finishes the current request and makes no other.
        """
        self._thread = self._thread or ThreadPoolExecutor(max_workers=1, thread_name_prefix="addresses")
        given_up = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, requests, given_up)
        except asyncio.CancelledError:
            given_up.set()
            raise

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
        return [functools.partial(self._netlink.remove, self._interface, address) for address in ours]

    def _ours(self, present: Sequence[Address]) -> list[Address]:
        """Those of the present addresses that belong to the Virtual IP, whatever their prefix length."""
        return [address for address in present if address.ip in _bare(self._addresses)]


def _no_requests() -> list[Request]:
    """For `_change`, to read the addresses only."""
    return []


def _bare(addresses: Sequence[Address]) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses without the lengths of their prefixes."""
    return {address.ip for address in addresses}


def _keep_secondary_addresses(interface: str) -> None:
    """Make sure that removing an IPv4 address removes no other.

    By default Linux removes a network's *secondary* addresses together with its first one. If the Virtual IP was added
    before the host's own address, a switchover would take the host off the network. `promote_secondaries` prevents that
    (kernel documentation, ip-sysctl). Many distributions set it at boot; otherwise it is set here.
    """
    settings = Path("/proc/sys/net/ipv4/conf")
    try:
        if "1" in {(settings / name / "promote_secondaries").read_text().strip() for name in ("all", interface)}:
            return
        (settings / interface / "promote_secondaries").write_text("1")
    except FileNotFoundError:
        raise DriverError(
            f"there is no interface {interface} with IPv4; which interface does this host have?"
        ) from None
    except OSError as error:
        raise DriverError(
            f"net.ipv4.conf.{interface}.promote_secondaries must be 1 and cannot be set from here: {error.strerror}"
        ) from error


class AddressWatch:
    """Calls `on_change(held)` whenever the whole Virtual IP has appeared on the interface, or is no longer whole.

    It listens to the kernel (rtnetlink) and checks the Virtual IP whenever any address of the host changes; one check
    may serve for several changes. Changes made by this process are reported too, unless it announces them (`expect`). A
    check that fails is logged; the next change causes the next check.
    """

    def __init__(self, addresses: VirtualIp, on_change: Callable[[bool], None]) -> None:
        self._addresses = addresses
        self._on_change = on_change
        self._kernel: socket.socket | None = None
        self._look: asyncio.Task[None] | None = None
        self._changed = False

    async def start(self) -> None:
        """Watch from now on; the state at the start causes no call. Raises `DriverError` if it cannot be read."""
        self._loop = asyncio.get_running_loop()
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        try:
            kernel.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
            self._held = await self._addresses.held()
        except BaseException:
            kernel.close()
            raise
        self._kernel = kernel
        self._loop.add_reader(kernel, self._drain, kernel)

    def expect(self, held: bool) -> None:
        """Announce a change that is made on purpose: from now on, what differs from it is reported.

        Without this, an address that vanishes before the first check after it was added would never be missed, because
        that check would find what the one before had found.
        """
        self._held = held

    async def close(self) -> None:
        """Stop watching, if it was started; there are no more calls."""
        if self._kernel is not None:
            self._loop.remove_reader(self._kernel)
            self._kernel.close()
            self._kernel = None
        self._on_change = _ignore
        if self._look is not None:
            await self._look

    def _drain(self, kernel: socket.socket) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                while kernel.recv(65536):
                    pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more changes than fit into the buffer: check all the same
                raise
        self._changed = True
        if self._look is None or self._look.done():
            self._look = self._loop.create_task(self._look_again())

    async def _look_again(self) -> None:
        while self._changed:
            self._changed = False
            try:
                held = await self._addresses.held()
            except DriverError as error:
                LOG.warning("the state of the Virtual IP cannot be read: %s", error)
                return
            if held != self._held:
                self._held = held
                self._on_change(held)


def _ignore(held: bool) -> None:
    """Called by a closed watch."""
