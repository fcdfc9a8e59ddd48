"""An LCA whose applications do nothing, and what its host and a neighbour see of the Virtual IP."""

import json
import socket
import time
from pathlib import Path

from switchover.agent.configuration.load import Configuration
from switchover.agent.lab.network.observers import announcement_in

from support.lca_at_work import A1, A2, VIP, configuration_of

BARE = ("198.51.100.10", "2001:db8::10")


def configuration(directory: Path) -> Configuration:
    members = [(name, directory / f"{name}.pid", ("false",), ("false",), ("false",)) for name in (A1, A2)]
    return configuration_of(directory, *members)


def held(namespace) -> set[str]:
    """The addresses of the VIP that are on eth0."""
    shown = json.loads(namespace.ip("-json addr show dev eth0"))
    present = {f"{entry['local']}/{entry['prefixlen']}" for link in shown for entry in link.get("addr_info", [])}
    return present & set(VIP)


def change(namespace, action: str, *addresses: str) -> None:
    """Change addresses of the VIP from outside."""
    for address in addresses or VIP:
        namespace.ip(f"addr {action} {address} dev eth0{' nodad' if action == 'add' and ':' in address else ''}")


class AnnouncementListener:
    """Receives the announcements of the VIP on a namespace's eth0."""

    def __init__(self, namespace) -> None:
        self._socket = namespace.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind(("eth0", 3))
        self._socket.setblocking(False)

    def take(self) -> list[tuple[str, str, str]]:
        """Kind, address and MAC of each announcement since the last call."""
        announced = []
        while True:
            try:
                frame, (_, _, direction, *_) = self._socket.recvfrom(2000)
            except BlockingIOError:
                return announced
            claim = announcement_in(frame, time.monotonic(), BARE) if direction != socket.PACKET_OUTGOING else None
            announced += [(claim.kind, claim.address, claim.mac)] if claim else []

    def close(self) -> None:
        self._socket.close()


def mac_of(namespace) -> str:
    return json.loads(namespace.ip("-json link show dev eth0"))[0]["address"]


def announcements_of(mac: str) -> list[tuple[str, str, str]]:
    """What `AnnouncementListener.take` returns of one round of announcements from this MAC address, sorted."""
    return [("advertisement", BARE[1], mac), ("reply", BARE[0], mac), ("request", BARE[0], mac)]


def lay_cable(host, neighbour) -> None:
    """Lay a new cable, after the old one was removed together with its interfaces."""
    host.ip(f"link add eth0 type veth peer name eth0 netns {neighbour.thread_id}")
    for end in (host, neighbour):
        end.ip("link set eth0 up addrgenmode none")
