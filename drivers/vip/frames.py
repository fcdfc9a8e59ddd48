"""The ARP and neighbour discovery frames of a Virtual IP, as bytes ready to be sent.

Scapy takes about 0.3 ms to build a frame, so frames are cached: they are built before they are needed, and again only
when the interface's MAC address has changed, as with a bond that fails over.
"""

import functools
import ipaddress

# Scapy's documentation imports `scapy.all`, which loads every protocol and takes four times as long.
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from .schedule import Form

BROADCAST = "ff:ff:ff:ff:ff:ff"
NOT_KNOWN = "00:00:00:00:00:00"


@functools.lru_cache(maxsize=16)
def announcement(mac: str, addresses: tuple[str, ...], forms: tuple[Form, ...], router: bool) -> tuple[bytes, ...]:
    """One frame of each form for every IPv4 address, and one unsolicited neighbour advertisement for every IPv6 one.

    `router` says whether this host forwards IPv6: a router that advertises itself as a host is dropped from its
    neighbours' lists of default routers (RFC 4861 section 7.2.5).
    """
    frames: list[bytes] = []
    for address in addresses:
        if ipaddress.ip_address(address).version == 6:
            frames.append(bytes(_advertisement(mac, address, router)))
        else:
            frames.extend(bytes(_gratuitous_arp(mac, address, form)) for form in forms)
    return tuple(frames)


@functools.lru_cache(maxsize=64)
def solicitation(mac: str, target_ip: str, own_ip: str) -> bytes:
    """The question from `own_ip` who has `target_ip`: a broadcast ARP request or a neighbour solicitation.

    Raises `ValueError` if the two are not of the same family.
    """
    target, own = ipaddress.ip_address(target_ip), ipaddress.ip_address(own_ip)
    if target.version != own.version:
        raise ValueError(f"{own_ip} cannot ask for {target_ip}: one is IPv4, the other IPv6")
    if target.version == 4:
        arp = ARP(op="who-has", hwsrc=mac, psrc=own_ip, hwdst=NOT_KNOWN, pdst=target_ip)
        return bytes(Ether(src=mac, dst=BROADCAST) / arp)
    # The solicited-node multicast address ends in the last three bytes of the target (RFC 4291 section 2.7.1).
    tail = target.packed[-3:]
    group = ipaddress.IPv6Address(ipaddress.IPv6Address("ff02::1:ff00:0").packed[:13] + tail)
    ethernet = Ether(src=mac, dst="33:33:ff:" + tail.hex(":"))
    ip = IPv6(src=own_ip, dst=str(group), hlim=255)
    return bytes(ethernet / ip / ICMPv6ND_NS(tgt=target_ip) / ICMPv6NDOptSrcLLAddr(lladdr=mac))


def _gratuitous_arp(mac: str, address: str, form: Form) -> Packet:
    """Sender and target are the same address.

    A request leaves the target's MAC address open (an ARP announcement, RFC 5227 section 2.3); a reply repeats the
    sender's there (RFC 5944 section 4.6).
    """
    if form == "request":
        arp = ARP(op="who-has", hwsrc=mac, psrc=address, hwdst=NOT_KNOWN, pdst=address)
    else:
        arp = ARP(op="is-at", hwsrc=mac, psrc=address, hwdst=mac, pdst=address)
    return Ether(src=mac, dst=BROADCAST) / arp


def _advertisement(mac: str, address: str, router: bool) -> Packet:
    """To all nodes: the override flag replaces what they have cached (RFC 4861 section 7.2.6, RFC 9131)."""
    ip = IPv6(src=address, dst="ff02::1", hlim=255)
    advertisement = ICMPv6ND_NA(R=int(router), S=0, O=1, tgt=address)
    return Ether(src=mac, dst="33:33:00:00:00:01") / ip / advertisement / ICMPv6NDOptDstLLAddr(lladdr=mac)
