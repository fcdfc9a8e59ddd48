"""A simulated host's kernel: its interface with addresses and a carrier, packet sockets, processes and pidfiles.

It stands behind the drivers' own protocols (`Kernel`, `Processes`), so the drivers themselves are real. One interface
carries the VIP. It can be set down, lose its carrier, vanish, and come back with another number and no VIP.
"""

import asyncio
import errno
import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ....drivers.control.processes import PidFile
from ....drivers.errors import DriverError
from ....drivers.vip.claims import ETHERTYPE_ARP, ETHERTYPE_IPV6
from ....drivers.vip.kernel_thread import KernelThread
from ....drivers.vip.netlink import Address, NoInterfaceError, RefusedError
from ....drivers.vip.packets import Instruction
from .processes import WorldLoop

T = TypeVar("T")

_QUEUE = 100  # frames that a packet socket keeps


class Segment(Protocol):
    """The network segment of the VIP."""

    def broadcast(self, host: str, frame: bytes) -> None:
        """A host has sent a frame to all."""
        ...


class SimulatedKernel:
    """The kernel of a host (a `Kernel`). `changed` is called when anything changed that clients can notice."""

    def __init__(
        self, loop: WorldLoop, host: str, interface: str, mac: str, segment: Segment, changed: Callable[[], None]
    ) -> None:
        self.host, self.interface, self.mac = host, interface, mac
        self.addresses: list[Address] = []
        self.is_there = self.is_up = self.has_carrier = True
        self.refuses = False
        """Whether it refuses every change of addresses."""
        self.number = 1
        self.loop = loop
        self.segment = segment
        self._changed = changed
        self._watches: list[_Changes] = []
        self._sockets: list[_Packets] = []

    @property
    def works(self) -> bool:
        """Whether frames come in and go out."""
        return self.is_there and self.is_up and self.has_carrier

    # The drivers' protocol

    def address_table(self) -> "_Table":
        """See `Kernel`."""
        return _Table(self)

    def thread(self, name: str, deadline_ms: int) -> KernelThread:
        """See `Kernel`."""
        return _Thread(self.loop, name, deadline_ms)

    def network_changes(self) -> "_Changes":
        """See `Kernel`."""
        watch = _Changes(self.loop)
        self._watches.append(watch)
        return watch

    def packet_socket(self, interface: str, ethertype: int = 0, bpf: tuple[Instruction, ...] = (), /) -> "_Packets":
        """See `Kernel`."""
        if not self.is_there:
            raise DriverError(f"interface {interface} cannot be used: {os.strerror(errno.ENODEV)}")
        link = _Packets(self, ethertype, {instruction[3] for instruction in bpf})
        self._sockets.append(link)
        return link

    def keep_secondary_addresses(self, interface: str) -> None:
        """See `Kernel`."""
        if not self.is_there:
            raise DriverError(f"there is no interface {interface} with IPv4; which interface does this host have?")

    def forwards_ipv6(self, interface: str) -> bool:
        """See `Kernel`."""
        return False

    def add(self, interface: str, address: Address) -> None:
        """See `AddressTable`."""
        self.require(interface)
        if self.refuses:
            raise RefusedError(os.strerror(errno.ENOBUFS))
        if address not in self.addresses:
            self.addresses.append(address)
            self.report()

    def remove(self, interface: str, address: Address) -> None:
        """See `AddressTable`."""
        self.require(interface)
        if self.refuses:
            raise RefusedError(os.strerror(errno.ENOBUFS))
        if address not in self.addresses:
            raise RefusedError(os.strerror(errno.EADDRNOTAVAIL))
        self.addresses.remove(address)
        self.report()

    def require(self, interface: str) -> None:
        """Raises `NoInterfaceError` if the interface is gone."""
        if not self.is_there:
            raise NoInterfaceError(f"there is no interface {interface}")

    # What happens to it

    def report(self) -> None:
        """Its addresses changed: those that watch them are told."""
        for watch in self._watches:
            watch.take()
        self._changed()

    def lose(self, addresses: list[Address]) -> None:
        """Somebody else removes these addresses."""
        if addresses:
            self.addresses = [address for address in self.addresses if address not in addresses]
            self.report()

    def set_interface(self, *, there: bool | None = None, up: bool | None = None, carrier: bool | None = None) -> None:
        """The interface vanishes or is made again, is set down or up, loses its carrier or has it again."""
        if there is not None and there is not self.is_there:
            self.is_there = there
            self.number += there
            for link in self._sockets:
                link.fail(errno.ENETDOWN)
            if not there and self.addresses:
                self.addresses = []
            self.report()
        if up is not None and up is not self.is_up:
            self.is_up = up
            if not up:
                for link in self._sockets:
                    link.fail(errno.ENETDOWN)
        if carrier is not None:
            self.has_carrier = carrier
        self.report()

    def boot(self) -> None:
        """The machine starts: no process, no address of the VIP, the interface as it should be."""
        self.addresses, self._watches, self._sockets = [], [], []
        self.is_there = self.is_up = self.has_carrier = True
        self._changed()

    def receive(self, frame: bytes) -> None:
        """A frame has arrived from the segment."""
        if self.works:
            for link in self._sockets:
                link.take(frame)


class _Table:
    """The table of addresses of a kernel (an `AddressTable`)."""

    def __init__(self, kernel: SimulatedKernel) -> None:
        self._kernel = kernel
        self.add, self.remove = kernel.add, kernel.remove

    def close(self) -> None:
        """See `AddressTable`."""

    def addresses(self, interface: str) -> list[Address]:
        """See `AddressTable`."""
        self._kernel.require(interface)
        return list(self._kernel.addresses)


class _Thread(KernelThread):
    """Calls into the kernel, in the world's time."""

    def __init__(self, loop: WorldLoop, name: str, deadline_ms: int) -> None:
        super().__init__(name, deadline_ms)
        self._loop = loop

    def _begin(self, work: Callable[[threading.Event], T], given_up: threading.Event) -> asyncio.Future[T]:
        return self._loop.run_in_executor(self, work, given_up)


class _Descriptor(ABC):
    """What the loop can wait for."""

    def __init__(self, loop: WorldLoop) -> None:
        self._loop = loop
        self._number = loop.open(self)
        self._is_closed = False

    def require_open(self) -> None:
        """Raises `OSError` if it is closed."""
        if self._is_closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def fileno(self) -> int:
        """See `Readable`."""
        return self._number

    @abstractmethod
    def is_readable(self) -> bool:
        """See `File`."""

    def close(self) -> None:
        """See `Readable`."""
        self._is_closed = True
        self._loop.close_file(self._number)


class _Changes(_Descriptor):
    """A netlink socket that reports changes of addresses."""

    def __init__(self, loop: WorldLoop) -> None:
        self._count = 0
        super().__init__(loop)

    def is_readable(self) -> bool:
        """See `File`."""
        return self._count > 0

    def take(self) -> None:
        """An address changed."""
        self._count += 1
        self._loop.poll(self.fileno())

    def recv(self, _size: int, /) -> bytes:
        """See `Readable`."""
        if not self._count:
            raise BlockingIOError
        self._count -= 1
        return b"change"


class _Packets(_Descriptor):
    """A packet socket, bound to the interface as it is now."""

    def __init__(self, kernel: SimulatedKernel, ethertype: int, operands: set[int]) -> None:
        self._kernel, self._ethertype, self._operands = kernel, ethertype, operands
        self._number_of_interface = kernel.number
        self._queue = deque[bytes](maxlen=_QUEUE)
        self._error = errno.ENETDOWN if ethertype and not kernel.is_up else 0
        super().__init__(kernel.loop)

    def is_readable(self) -> bool:
        """See `File`."""
        return bool(self._queue or self._error)

    def _is_bound(self) -> bool:
        return self._kernel.is_there and self._number_of_interface == self._kernel.number

    def getsockname(self) -> Any:
        """See `PacketSocket`."""
        self.require_open()
        if not self._is_bound():
            return "", self._ethertype, 0, 0, b""
        return self._kernel.interface, self._ethertype, 0, 1, bytes.fromhex(self._kernel.mac.replace(":", ""))

    def getsockopt(self, _level: int, _option: int, /) -> int:
        """See `PacketSocket`."""
        number, self._error = self._error, 0
        return number

    def send(self, frame: bytes, /) -> int:
        """See `PacketSocket`."""
        self.require_open()
        if not self._is_bound():
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
        if not self._kernel.is_up:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        if self._kernel.has_carrier:
            self._kernel.segment.broadcast(self._kernel.host, frame)
        return len(frame)

    def recv(self, size: int, /) -> bytes:
        """See `Readable`."""
        if self._error:
            number, self._error = self._error, 0
            raise OSError(number, os.strerror(number))
        if not self._queue:
            raise BlockingIOError
        return self._queue.popleft()[:size]

    def fail(self, number: int) -> None:
        """The interface is gone or down."""
        if self._ethertype:
            self._error = number
            self._loop.poll(self.fileno())

    def take(self, frame: bytes) -> None:
        """A frame has arrived: it is kept if it claims an address that the filter lets pass."""
        claimed = claimed_address(frame)
        if self._ethertype and claimed is not None and self._is_bound():
            words = {int.from_bytes(claimed[at : at + 4]) for at in range(0, len(claimed), 4)}
            if int.from_bytes(frame[12:14]) == self._ethertype and words <= self._operands:
                self._queue.append(frame)
                self._loop.poll(self.fileno())


def claimed_address(frame: bytes) -> bytes | None:
    """The address that the sender of a frame claims: an ARP's sender, or the target of a neighbour advertisement."""
    match int.from_bytes(frame[12:14]):
        case int(kind) if kind == ETHERTYPE_ARP:
            return frame[28:32]
        case int(kind) if kind == ETHERTYPE_IPV6:
            return frame[62:78]
        case _:
            return None


class SimulatedProcesses:
    """The processes of a host and their pidfiles (`Processes`)."""

    def __init__(self, loop: WorldLoop) -> None:
        self._loop = loop
        self._files: dict[Path, PidFile] = {}
        self._living = set[int]()
        self._watched: dict[int, _Pidfd] = {}
        self._count = 100

    def begin(self, pidfile: Path | None) -> int:
        """A process starts, and writes its pidfile; returns its number."""
        self._count += 1
        self._living.add(self._count)
        if pidfile is not None:
            self._files[pidfile] = PidFile(self._count, self._count, round(self._loop.world_s * 1e9))
        return self._count

    def end(self, pid: int) -> None:
        """A process dies; its pidfile stays."""
        self._living.discard(pid)
        for number, pidfd in list(self._watched.items()):
            if pidfd.pid == pid:
                self._loop.poll(number)

    def boot(self) -> None:
        """The machine starts with no process and no pidfile."""
        self._files = {}
        self._living.clear()

    def is_living(self, pid: int) -> bool:
        """Whether this process lives."""
        return pid in self._living

    def read(self, pidfile: Path) -> PidFile | None:
        """See `Processes`."""
        return self._files.get(pidfile)

    def start_of(self, pid: int) -> float | None:
        """See `Processes`."""
        return None

    def open_living(self, pid: int) -> int | None:
        """See `Processes`."""
        if pid not in self._living:
            return None
        pidfd = _Pidfd(self, pid)
        number = self._loop.open(pidfd)
        self._watched[number] = pidfd
        return number

    def close(self, pidfd: int) -> None:
        """See `Processes`."""
        self._watched.pop(pidfd, None)
        self._loop.close_file(pidfd)


class _Pidfd:
    def __init__(self, processes: SimulatedProcesses, pid: int) -> None:
        self._processes, self.pid = processes, pid

    def is_readable(self) -> bool:
        """See `File`."""
        return not self._processes.is_living(self.pid)
