"""Packet sockets (packet(7)): whole Ethernet frames out of one interface and into it."""

import ctypes
import socket
import struct

from ..errors import DriverError

SO_ATTACH_FILTER = 26
"""The socket option that gives a socket a BPF program (socket(7)); Python has no name for it."""

Instruction = tuple[int, int, int, int]
"""One instruction of classic BPF: code, jump if true, jump if false, operand (linux/filter.h)."""


def packet_socket(interface: str, ethertype: int = 0, bpf: tuple[Instruction, ...] = ()) -> socket.socket:
    """A socket that never blocks, for sending frames and for receiving those of a type that a BPF program lets pass.

    With type 0 nothing is received. Raises `DriverError` if there is no such interface, or no right to open such a
    socket (CAP_NET_RAW).
    """
    try:
        # Type 0 until it is bound: otherwise frames of every interface come in before the program is in place.
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


def mac_of(link: socket.socket) -> str:
    """The MAC address of a packet socket's interface at this moment; empty if the interface is gone.

    The kernel tells it with the socket's own name, in 1 us.
    """
    return bytes(link.getsockname()[4]).hex(":")


def _attach(link: socket.socket, bpf: tuple[Instruction, ...]) -> None:
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in bpf)
    buffer = ctypes.create_string_buffer(code, len(code))
    link.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(bpf), ctypes.addressof(buffer)))
