"""The lab's observers: what really happens on the hosts and on the wire, measured independently of the agent.

- `AddressObserver` watches each host's kernel add and remove the VIP; with the cuts, this gives the times in which two
  reachable hosts held it, or none.
- `ArpObserver` watches which announcements arrive in the client's namespace: gratuitous ARP and unsolicited neighbour
  advertisements. Run as `python -m switchover.agent.lab.network.observers`, this module is the process that listens.
- `arp_cache` returns whose MAC the client's neighbour cache has for the VIP.

All times are seconds of `time.monotonic`.
"""

import asyncio
import json
import re
import socket
import struct
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from select import select

from attrs import asdict, frozen

from .namespaces import LabError
from .segment import HOSTS, MACS, VIP, Cut, Network, end, run

_READY = "listening"
_ETH_P_ARP, _ETH_P_IPV6, _ICMPV6, _NEIGHBOUR_ADVERTISEMENT = 0x0806, 0x86DD, 58, 136
_SOLICITED = 0x40  # flag of a neighbour advertisement (RFC 4861 section 4.4)
_TARGET_LINK_LAYER_ADDRESS = 2  # option of a neighbour advertisement (RFC 4861 section 4.6.1)
_LINE = re.compile(r"\[(?P<stamp>\S+)\] (?P<deleted>Deleted )?\d+: \S+\s+inet6? (?P<address>[^/\s]+)")


@frozen
class AddressEvent:
    """A host's kernel has added (or confirmed) an address, or removed it; `time` in seconds of `time.monotonic`."""

    time: float
    host: str
    address: str
    added: bool


@frozen
class Announcement:
    """A frame that announces the MAC of an address to the segment; `kind`: `request`, `reply` or `advertisement`."""

    time: float
    kind: str
    address: str
    mac: str


Window = tuple[float, float]


def two_holders_ms(
    events: Sequence[AddressEvent], cuts: Sequence[Cut], window: Window, addresses: Sequence[str] = VIP
) -> float:
    """The time within the window, in ms, in which some address of the VIP was on more than one reachable host."""
    return _total_ms(events, cuts, window, lambda at: any(len(at(address)) > 1 for address in addresses))


def no_holder_ms(
    events: Sequence[AddressEvent], cuts: Sequence[Cut], window: Window, addresses: Sequence[str] = VIP
) -> float:
    """The time within the window, in ms, in which some address of the VIP was on no reachable host."""
    return _total_ms(events, cuts, window, lambda at: any(not at(address) for address in addresses))


def holders(events: Iterable[AddressEvent], cuts: Iterable[Cut], moment: float, address: str) -> set[str]:
    """The reachable hosts that held an address at a moment. The events must be in order of time."""
    held: set[str] = set()
    for event in events:
        if event.time <= moment and event.address == address:
            (held.add if event.added else held.discard)(event.host)
    return held - {cut.host for cut in cuts if cut.start <= moment < cut.end}


def _total_ms(
    events: Sequence[AddressEvent],
    cuts: Sequence[Cut],
    window: Window,
    condition: Callable[[Callable[[str], set[str]]], bool],
) -> float:
    """The total time, in ms, in which `condition` holds; it is given a function from an address to its holders.

    Nothing changes between two neighbouring moments of the sorted list, so each interval is evaluated once.
    """
    begin, finish = window
    changes = {event.time for event in events} | {end for cut in cuts for end in (cut.start, cut.end)}
    moments = [begin, *sorted(moment for moment in changes if begin < moment < finish), finish]
    ordered = sorted(events, key=lambda event: event.time)
    return 1000 * sum(b - a for a, b in pairwise(moments) if condition(partial(holders, ordered, cuts, a)))


class AddressObserver:
    """Runs `ip monitor` on each host; `events` grows while it runs, in the order in which lines arrive."""

    def __init__(self, network: Network, addresses: Sequence[str] = VIP) -> None:
        self.events: list[AddressEvent] = []
        self._network = network
        self._addresses = addresses
        self._monitors: list[Process] = []
        self._readers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start watching; after it returns, no change is missed. Call it before the VIP is on any host."""
        for host in HOSTS:
            argv = ["ip", "-oneline", "-tshort", "monitor", "address"]
            monitor = await self._network.spawn(host, argv, stdout=PIPE, env={"TZ": "UTC"})
            self._monitors.append(monitor)
            self._readers.append(asyncio.create_task(self._read(host, monitor)))
            await _subscribed(monitor)

    async def stop(self) -> None:
        """Stop watching; `events` then contains every earlier change."""
        await asyncio.gather(*(end(monitor) for monitor in self._monitors))
        await asyncio.gather(*self._readers)

    async def _read(self, host: str, monitor: Process) -> None:
        stream = monitor.stdout
        while stream is not None and (line := await stream.readline()):
            event = address_event(host, line.decode(errors="replace"))
            if event is not None and event.address in self._addresses:
                self.events.append(event)


def address_event(host: str, line: str) -> AddressEvent | None:
    """The event in a line of `ip -oneline -tshort monitor address` (in UTC); None if there is none.

    The time stamp is the wall clock when `ip` wrote the line. Its age converts it to the monotonic clock, so it does
    not matter when the line is read. If the wall clock was set in between, the moment of reading is used.
    """
    match = _LINE.match(line)
    if match is None:
        return None
    age = time.time() - datetime.fromisoformat(match["stamp"]).replace(tzinfo=UTC).timestamp()
    moment = time.monotonic() - (age if 0 <= age < 1 else 0.0)
    return AddressEvent(moment, host, match["address"], added=match["deleted"] is None)


async def _subscribed(monitor: Process) -> None:
    """Wait until the kernel lists the monitor's netlink socket with a multicast group. Raises `LabError` after 5 s."""
    table = Path(f"/proc/{monitor.pid}/net/netlink")
    for _ in range(1000):
        with suppress(OSError):
            rows = [line.split() for line in table.read_text().splitlines()[1:]]
            if any(row[2] == str(monitor.pid) and int(row[3], 16) for row in rows):
                return
        await asyncio.sleep(0.005)
    raise LabError("ip monitor did not start watching within 5 s")


class ArpObserver:
    """Listens for announcements in the client's namespace; `announcements` grows while it runs."""

    def __init__(self, network: Network) -> None:
        self.announcements: list[Announcement] = []
        self._network = network
        self._listener: Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start listening; after it returns, no announcement is missed."""
        argv = [sys.executable, "-m", __name__, *VIP]
        self._listener = await self._network.spawn("client", argv, stdout=PIPE)
        stream = self._listener.stdout
        if stream is None or (await stream.readline()).decode().strip() != _READY:
            raise LabError("the listener for announcements did not start")
        self._reader = asyncio.create_task(self._read(stream))

    async def stop(self) -> None:
        """Stop listening; `announcements` then contains all that arrived."""
        if self._listener is not None and self._reader is not None:
            await end(self._listener)
            await self._reader

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.announcements.append(Announcement(**json.loads(line)))


async def arp_cache(address: str = VIP[0]) -> str | None:
    """The station (e.g. `host1`) whose MAC the client's neighbour cache has for an address; an unknown MAC as it is.

    None if the cache has no MAC for it. This only reads the cache and sends nothing.
    """
    output = await run(["ip", "-n", "client", "-json", "neighbour", "show", "to", address, "dev", "eth0"])
    for entry in json.loads(output):
        mac = entry.get("lladdr")
        if mac is not None:
            return next((name for name, own in MACS.items() if own == mac), str(mac))
    return None


def announcement_in(frame: bytes, now: float, addresses: Sequence[str]) -> Announcement | None:
    """The announcement of one of the addresses in an Ethernet frame: gratuitous ARP or an unsolicited NA; or None.

    In a gratuitous ARP request or reply, the sender's address is also the target (RFC 5227 section 2.3).
    """
    if len(frame) < 14:
        return None
    (kind,) = struct.unpack_from("!H", frame, 12)
    fields = _arp(frame) if kind == _ETH_P_ARP else _advertisement(frame) if kind == _ETH_P_IPV6 else None
    if fields is None or fields[1] not in addresses:
        return None
    return Announcement(now, *fields)


def _arp(frame: bytes) -> tuple[str, str, str] | None:
    """The kind, address and MAC of a gratuitous ARP frame; None for any other frame."""
    if len(frame) < 42:
        return None
    operation, mac, sender, _, target = struct.unpack_from("!H6s4s6s4s", frame, 20)
    if operation not in (1, 2) or sender != target:
        return None
    return "request" if operation == 1 else "reply", str(ip_address(sender)), mac.hex(":")


def _advertisement(frame: bytes) -> tuple[str, str, str] | None:
    """The kind, address and MAC of an unsolicited neighbour advertisement (RFC 4861 section 4.4); None otherwise."""
    if len(frame) < 78 or frame[20] != _ICMPV6 or frame[54] != _NEIGHBOUR_ADVERTISEMENT or frame[58] & _SOLICITED:
        return None
    has_option = len(frame) >= 86 and frame[78] == _TARGET_LINK_LAYER_ADDRESS
    mac = frame[80:86] if has_option else frame[6:12]
    return "advertisement", str(ip_address(frame[62:78])), mac.hex(":")


def _listen(addresses: Sequence[str]) -> None:
    """Print a line of JSON for each announcement until the process is ended.

    There is one socket for each protocol, so that the kernel filters out the client's own SIP traffic over IPv4.
    """
    sockets = [
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind)) for kind in (_ETH_P_ARP, _ETH_P_IPV6)
    ]
    print(_READY, flush=True)
    while True:
        for ready in select(sockets, (), ())[0]:
            announcement = announcement_in(ready.recv(65535), time.monotonic(), addresses)
            if announcement is not None:
                print(json.dumps(asdict(announcement)), flush=True)


if __name__ == "__main__":
    _listen(sys.argv[1:])
