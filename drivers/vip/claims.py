"""Claims by others: frames which say that an address of the Virtual IP belongs to another MAC address.

Two hosts that both hold the Virtual IP notice each other this way, even while the controller hears neither.
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable, Sequence

from ..errors import DriverError
from .addresses import parse_addresses
from .kernel import LINUX, Kernel, PacketSocket
from .packets import Instruction, mac_of

LOG = logging.getLogger(__name__)

CLAIMS_PER_SECOND = 10
"""How many claims are read within one second; the rest of that second, none is."""

REOPEN_AFTER_S = 1.0
"""How long to wait after an interface failed before listening again, in seconds."""

ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0806, 0x86DD
ICMPV6, NEIGHBOUR_ADVERTISEMENT = 58, 136

LOAD_WORD, LOAD_BYTE, JUMP_IF_EQUAL, GIVE_BACK = 0x20, 0x30, 0x15, 0x06
TAKE: Instruction = (GIVE_BACK, 0, 0, 0xFFFF)
DROP: Instruction = (GIVE_BACK, 0, 0, 0)


class ClaimWatch:
    """Calls `on_claim(mac)` when another MAC address claims one of the addresses, on this interface.

    Every ARP request or reply claims its sender's address (RFC 5227 section 2.4); a neighbour advertisement claims its
    target (RFC 4862 section 5.4.4). Claims are reported whether or not this host holds the Virtual IP, so the other
    host's announcements count too. No more than `CLAIMS_PER_SECOND` are reported.
    """

    def __init__(
        self, interface: str, addresses: Sequence[str], on_claim: Callable[[str], None], kernel: Kernel = LINUX
    ) -> None:
        self._kernel = kernel
        self._interface = interface
        self._filters = _filters([address.ip for address in parse_addresses(addresses)])
        self._on_claim = on_claim
        self._links: list[PacketSocket] = []
        self._read_this_second = 0
        self._has_warned = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Listen from now on. Raises `DriverError` if there is no such interface. Needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        try:
            for ethertype, bpf in self._filters.items():
                self._links.append(self._kernel.packet_socket(self._interface, ethertype, bpf))
        except DriverError:
            self._shut()
            raise
        self._listen()

    def close(self) -> None:
        """Stop listening; there are no more calls."""
        self._shut()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _shut(self) -> None:
        for link in self._links:
            self._loop.remove_reader(link)
            link.close()
        self._links = []

    def _listen(self) -> None:
        """Begin a second in which up to `CLAIMS_PER_SECOND` claims are read."""
        self._timer = None
        self._read_this_second = 0
        for link in self._links:
            self._loop.add_reader(link, self._receive, link)

    def _receive(self, link: PacketSocket) -> None:
        try:
            frame = link.recv(128)
        except BlockingIOError:
            return
        except OSError as error:
            self._give_up_for_now(error)
            return
        self._count()
        mac = _sender(frame)
        if mac != mac_of(link):
            self._on_claim(mac)

    def _count(self) -> None:
        """Pause until the second is over when enough was read: a flood of claims must not occupy this host."""
        self._read_this_second += 1
        if self._timer is None:
            self._timer = self._loop.call_later(1, self._listen)
        if self._read_this_second >= CLAIMS_PER_SECOND:
            for link in self._links:
                self._loop.remove_reader(link)

    def _give_up_for_now(self, error: OSError) -> None:
        if not self._has_warned:  # once, not for each failed attempt
            self._has_warned = True
            LOG.warning(
                "cannot listen on %s for claims of the Virtual IP: %s; trying again every second",
                self._interface,
                error.strerror,
            )
        self._reopen_later()

    def _reopen_later(self) -> None:
        self.close()
        self._timer = self._loop.call_later(REOPEN_AFTER_S, self._reopen)

    def _reopen(self) -> None:
        try:
            self.start()
        except DriverError:
            self._reopen_later()  # the interface is still missing; the log says so already
            return
        if any(link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for link in self._links):
            self._reopen_later()  # it is there, but down
            return
        self._has_warned = False
        LOG.warning("listening on %s for claims of the Virtual IP again", self._interface)


def _sender(frame: bytes) -> str:
    """The MAC address that claims: the ARP's sender, or the source of the frame with the advertisement."""
    is_arp = frame[12:14] == ETHERTYPE_ARP.to_bytes(2)
    return (frame[22:28] if is_arp else frame[6:12]).hex(":")


def _filters(
    addresses: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> dict[int, tuple[Instruction, ...]]:
    """For each Ethernet type that is needed, a BPF program that passes only claims of the addresses.

    So the kernel wakes this process for a claim, and not for every telephone call on the interface.
    """
    arp = [instruction for one in addresses if one.version == 4 for instruction in _take_if(28, one.packed)]
    neighbour = [instruction for one in addresses if one.version == 6 for instruction in _take_if(62, one.packed)]
    is_advertisement = [*_drop_unless(20, ICMPV6), *_drop_unless(54, NEIGHBOUR_ADVERTISEMENT)]
    filters: dict[int, tuple[Instruction, ...]] = {}
    if arp:
        filters[ETHERTYPE_ARP] = (*arp, DROP)
    if neighbour:
        filters[ETHERTYPE_IPV6] = (*is_advertisement, *neighbour, DROP)
    return filters


def _drop_unless(offset: int, value: int) -> list[Instruction]:
    """Drop the frame unless this byte has the value."""
    return [(LOAD_BYTE, 0, 0, offset), (JUMP_IF_EQUAL, 1, 0, value), DROP]


def _take_if(offset: int, value: bytes) -> list[Instruction]:
    """Take the frame if it has these bytes there, compared four at a time; otherwise continue after this block."""
    program: list[Instruction] = []
    for at in range(0, len(value), 4):
        # After this comparison come two instructions for each remaining word, and `TAKE`.
        to_the_end = (len(value) - at - 4) // 4 * 2 + 1
        program.append((LOAD_WORD, 0, 0, offset + at))
        program.append((JUMP_IF_EQUAL, 0, to_the_end, int.from_bytes(value[at : at + 4])))
    return [*program, TAKE]
