"""Frames as the lab's hosts send them when they announce an address."""

import struct
from ipaddress import ip_address

from switchover.agent.lab.network.segment import MACS, VIP

V6 = VIP[1]


def arp(operation: int, sender: str, target: str, mac: str = MACS["host1"]) -> bytes:
    """A frame of ARP: a request (1) or a reply (2)."""
    raw = bytes.fromhex(mac.replace(":", ""))
    payload = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    payload += raw + ip_address(sender).packed + bytes(6) + ip_address(target).packed
    return b"\xff" * 6 + raw + b"\x08\x06" + payload


def advertisement(target: str, flags: int, option: bool = True, mac: str = MACS["host1"]) -> bytes:
    """A neighbour advertisement of ICMPv6 (RFC 4861 section 4.4)."""
    raw = bytes.fromhex(mac.replace(":", ""))
    message = struct.pack("!BBHB3x", 136, 0, 0, flags) + ip_address(target).packed
    message += b"\x02\x01" + raw if option else b""
    header = struct.pack("!IHBB", 0x60000000, len(message), 58, 255) + ip_address(V6).packed
    return bytes.fromhex("333300000001") + raw + b"\x86\xdd" + header + ip_address("ff02::1").packed + message
