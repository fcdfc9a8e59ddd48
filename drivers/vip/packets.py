"""Packet sockets (packet(7)): send and receive whole Ethernet frames on one interface."""

import ctypes
import socket
import struct
from typing import Any, Protocol

from ..errors import DriverError

SO_ATTACH_FILTER = 26
"""The socket option that attaches a BPF program (socket(7)); Python has no name for it."""

Instruction = tuple[int, int, int, int]
"""One instruction of classic BPF: code, jump if true, jump if false, operand (linux/filter.h)."""


def packet_socket(interface: str, ethertype: int = 0, bpf: tuple[Instruction, ...] = ()) -> socket.socket:
    """A non-blocking socket that sends frames, and receives those of an Ethernet type that pass a BPF program.

    With type 0 nothing is received. Raises `DriverError` if there is no such interface, or if the process may not open
    such a socket (CAP_NET_RAW).
    """
    try:
        # Type 0 until it is bound: otherwise it receives frames of all interfaces before the program is attached.
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    except OSError as error:
        what = "; run this as root, or with CAP_NET_RAW" if isinstance(error, PermissionError) else ""
        raise DriverError(f"a packet socket cannot be opened: {error.strerror}{what}") from error
    try:
        if bpf:
            _attach(link, bpf)
        link.bind((interface, ethertype))
    except OSError as error:
        link.close()
        raise DriverError(f"interface {interface} cannot be used: {error.strerror}") from error
    return link


class _Named(Protocol):
    def getsockname(self) -> Any: ...


def mac_of(link: "_Named") -> str:
    """The current MAC address of a packet socket's interface; empty if the interface or the socket is gone.

    It is part of the socket's own name, which the kernel returns in 1 us.
    """
    return _name_of(link)[1]


def interface_of(link: "_Named") -> str:
    """The current name of a packet socket's interface; empty if the interface or the socket is gone."""
    return _name_of(link)[0]


def _name_of(link: "_Named") -> tuple[str, str]:
    try:
        interface, _, _, _, mac = link.getsockname()
    except OSError:  # it is closed
        return "", ""
    return interface, bytes(mac).hex(":")


def _attach(link: socket.socket, bpf: tuple[Instruction, ...]) -> None:
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in bpf)
    buffer = ctypes.create_string_buffer(code, len(code))
    link.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(bpf), ctypes.addressof(buffer)))
