"""What the VIP's drivers need of the operating system: its addresses, packet sockets and settings.

`LINUX` is the real one. A simulation has another, so that the drivers run as they are on hosts that do not exist.
"""

import socket
from pathlib import Path
from typing import Any, Protocol

from ..errors import DriverError
from .kernel_thread import KernelThread
from .netlink import Address, Netlink
from .packets import Instruction, packet_socket

RTMGRP_LINK = 0x1
RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV6_IFADDR = 0x100
"""The rtnetlink groups that report changes of interfaces and addresses (rtnetlink(7), linux/rtnetlink.h)."""


class AddressTable(Protocol):
    """The addresses of the interfaces (see `Netlink`). Used from one thread only."""

    def close(self) -> None:
        """Release it; the addresses stay as they are."""
        ...

    def addresses(self, interface: str) -> list[Address]:
        """The interface's addresses. Raises `NoInterfaceError` if there is none of that name."""
        ...

    def add(self, interface: str, address: Address) -> None:
        """Add the address, if it is not there. Raises `RefusedError`."""
        ...

    def remove(self, interface: str, address: Address) -> None:
        """Remove the address, which has this prefix length. Raises `RefusedError`, also if it is not there."""
        ...


class Readable(Protocol):
    """What the event loop can wait for."""

    def fileno(self) -> int:
        """Its number."""
        ...

    def recv(self, size: int, /) -> bytes:
        """What came first. Raises `BlockingIOError` if nothing did, and other `OSError`s."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class PacketSocket(Readable, Protocol):
    """A socket for whole frames on one interface (packet(7))."""

    def send(self, frame: bytes, /) -> int:
        """Send a frame. Raises `OSError` if the interface is down or gone."""
        ...

    def getsockopt(self, level: int, option: int, /) -> int:
        """Of SOL_SOCKET, SO_ERROR: the number of the error that is pending, which is then over; 0 if there is none."""
        ...

    def getsockname(self) -> Any:
        """Its own name, whose fifth part is the interface's MAC address."""
        ...


class Kernel(Protocol):
    """The operating system of one host."""

    def address_table(self) -> AddressTable:
        """The table of addresses."""
        ...

    def network_changes(self) -> Readable:
        """Becomes readable whenever any address or interface of the host changes. Raises `OSError`."""
        ...

    def thread(self, name: str, deadline_ms: int) -> KernelThread:
        """A thread for calls that may hang in the kernel."""
        ...

    def packet_socket(self, interface: str, ethertype: int = 0, bpf: tuple[Instruction, ...] = (), /) -> PacketSocket:
        """See `packets.packet_socket`. Raises `DriverError`."""
        ...

    def keep_secondary_addresses(self, interface: str) -> None:
        """Make sure that removing an IPv4 address removes no other. Raises `DriverError`.

        By default Linux removes a network's *secondary* addresses together with its first one. If the Virtual IP was
        added before the host's own address, a switchover would take the host off the network. `promote_secondaries`
        prevents that (kernel documentation, ip-sysctl). Many distributions set it at boot; otherwise it is set here.
        """
        ...

    def forwards_ipv6(self, interface: str) -> bool:
        """Whether this host is an IPv6 router on the interface; False where IPv6 is off."""
        ...


class Linux:
    """The kernel on which this process runs (a `Kernel`)."""

    def address_table(self) -> Netlink:
        """See `Kernel`."""
        return Netlink()

    def network_changes(self) -> socket.socket:
        """See `Kernel`."""
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        try:
            kernel.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        except OSError:
            kernel.close()
            raise
        return kernel

    def thread(self, name: str, deadline_ms: int) -> KernelThread:
        """See `Kernel`."""
        return KernelThread(name, deadline_ms)

    def packet_socket(self, interface: str, ethertype: int = 0, bpf: tuple[Instruction, ...] = (), /) -> socket.socket:
        """See `Kernel`."""
        return packet_socket(interface, ethertype, bpf)

    def keep_secondary_addresses(self, interface: str) -> None:
        """See `Kernel`."""
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

    def forwards_ipv6(self, interface: str) -> bool:
        """See `Kernel`."""
        try:
            return Path(f"/proc/sys/net/ipv6/conf/{interface}/forwarding").read_text() != "0\n"
        except FileNotFoundError:
            return False


LINUX = Linux()
