"""Announcements: tells the neighbours that the Virtual IP now belongs to this host's MAC address.

A neighbour that has the other host's MAC address in its cache keeps sending to the wrong host, for minutes (Linux,
Windows) or hours (some routers: 4 h). A gratuitous ARP updates every cache that has an entry; some accept it as a
request, some as a reply, so both are sent. Frames are built in advance and the socket stays open, so a takeover waits
only until the kernel has taken the frames.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence

from ..errors import DriverError
from .addresses import parse_addresses
from .frames import announcement, solicitation
from .kernel import LINUX, Kernel, PacketSocket
from .packets import interface_of, mac_of
from .schedule import AnnounceSchedule

LOG = logging.getLogger(__name__)


class Announcer:
    """Announces the Virtual IP's addresses from one interface. Needs a running event loop when it announces."""

    def __init__(
        self, interface: str, addresses: Sequence[str], schedule: AnnounceSchedule, kernel: Kernel = LINUX
    ) -> None:
        self._kernel = kernel
        self._interface = interface
        self._addresses = tuple(str(address.ip) for address in parse_addresses(addresses))
        self._schedule = schedule
        self._socket: PacketSocket | None = None
        self._to_come: list[asyncio.TimerHandle] = []
        self._announced = self._addresses

    def start(self) -> None:
        """Open the socket and build the frames. Raises `DriverError` if there is no such interface."""
        self._frames(self._live_socket())

    def mac(self) -> str:
        """The current MAC address of the interface. Raises `DriverError` if there is no such interface."""
        return mac_of(self._live_socket())

    def close(self) -> None:
        """Stop announcing and close the socket."""
        self.stop()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def announce(self, only: Collection[str] | None = None) -> None:
        """Begin an announcement: the first frames have been sent when this returns, timers send the others.

        An announcement that is still going on starts again. Raises `DriverError` if the interface is gone or down.
        """
        self.stop()
        self._announced = tuple(address for address in self._addresses if only is None or address in only)
        delays = self._schedule.delays_ms()
        later = sorted(set(delays) - {0})
        loop = asyncio.get_running_loop()
        self._to_come = [loop.call_later(delay / 1000, self._send_again, delays.count(delay)) for delay in later]
        self._send_rounds(delays.count(0))

    def stop(self) -> None:
        """Cancel the rest of an announcement, because the addresses are no longer here."""
        for timer in self._to_come:
            timer.cancel()
        self._to_come = []

    def retain(self, present: Collection[str]) -> None:
        """Leave addresses that are no longer here out of the rest of an announcement; stop if none is left."""
        self._announced = tuple(address for address in self._announced if address in present)
        if not self._announced:
            self.stop()

    def solicit(self, target_ip: str, own_ip: str) -> None:
        """Ask the network who has `target_ip`, from this host's own address `own_ip` (not from the Virtual IP).

        Raises `DriverError` as `announce` does, and `ValueError` if one address is IPv4 and the other is IPv6.
        """
        link = self._live_socket()
        self._send(link, [solicitation(mac_of(link), target_ip, own_ip)])

    def _send_rounds(self, rounds: int) -> None:
        link = self._live_socket()
        self._send(link, self._frames(link) * rounds)

    def _send_again(self, rounds: int) -> None:
        try:
            self._send_rounds(rounds)
        except DriverError as error:
            LOG.warning("the Virtual IP cannot be announced again: %s", error)

    def _frames(self, link: PacketSocket) -> tuple[bytes, ...]:
        return announcement(
            mac_of(link), self._announced, self._schedule.forms, self._kernel.forwards_ipv6(self._interface)
        )

    def _live_socket(self) -> PacketSocket:
        """The socket, opened again if its interface was removed or renamed: it would send nothing, or elsewhere.

        The old socket is closed only when there is a new one.
        """
        old = self._socket
        if old is not None and interface_of(old) == self._interface:
            return old
        self._socket = new = self._kernel.packet_socket(self._interface)
        if old is not None:
            old.close()
            LOG.warning("interface %s was made anew; the Virtual IP is announced from the new one", self._interface)
        return new

    def _send(self, link: PacketSocket, frames: Sequence[bytes]) -> None:
        try:
            for frame in frames:
                link.send(frame)
        except OSError as error:
            raise DriverError(f"nothing can be sent from {self._interface}: {error.strerror}") from error
