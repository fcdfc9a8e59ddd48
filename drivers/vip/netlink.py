"""Addresses by rtnetlink(7): the kernel's own interface for adding, removing and listing them, without any command.

A request is one system call; when it returns, the kernel has carried it out, and the answer can be read at once. That
takes about 20 us, but blocks while another program changes the kernel's network configuration: call it from a thread.
"""

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator

from ..errors import DriverError

Address = ipaddress.IPv4Interface | ipaddress.IPv6Interface
"""An address with the length of its network prefix, e.g. 198.51.100.10/24."""

# linux/rtnetlink.h and linux/netlink.h: types of messages
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
NLMSG_ERROR, NLMSG_DONE = 2, 3
# flags of a request: it is one, answer with an acknowledgement, list everything, replace or create
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_CREATE = 0x1, 0x4, 0x300, 0x100, 0x400
# flags of an answer: the list changed while it was read, the request is not repeated, attributes follow
NLM_F_DUMP_INTR, NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x10, 0x100, 0x200
# linux/if_addr.h: attributes of an address, and its flags
IFA_ADDRESS, IFA_LOCAL, IFA_CACHEINFO, IFA_FLAGS = 1, 2, 6, 8
IFA_F_NODAD, IFA_F_NOPREFIXROUTE = 0x02, 0x200
FOREVER = 0xFFFFFFFF
# linux/netlink.h: socket options, and the attribute of an error that holds the kernel's explanation
SOL_NETLINK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 270, 11, 12
NLMSGERR_ATTR_MSG = 1

# linux/sockios.h and linux/if.h: the request for an interface's number, and how long a name is with its final zero
SIOCGIFINDEX, IFNAMSIZ = 0x8933, 16

INTERFACE = struct.Struct("=16si20x")
"""The name of an interface, and its number (struct ifreq)."""
HEADER = struct.Struct("=IHHII")
"""Every message: length, type, flags, sequence number, port (struct nlmsghdr)."""
ADDRESS = struct.Struct("=BBBBI")
"""A message about an address: family, prefix length, flags, scope, number of the interface (struct ifaddrmsg)."""
ATTRIBUTE = struct.Struct("=HH")
"""An attribute: length with this header, type (struct rtattr)."""
ERROR = struct.Struct("=i")
"""The last message of an answer: 0, or minus the number of the error."""

KERNEL = 0
"""The kernel's port number, as the sender of an answer."""

ANSWER_S = 1
"""Seconds after which a missing answer is an error; the kernel drops answers when it has no memory for them."""

LOOKS = 10
"""How often a list is read if it changes while it is read."""


class RefusedError(DriverError):
    """The kernel refused a request; the message gives the kernel's reason."""


class NoInterfaceError(RefusedError):
    """There is no interface of that name."""


class Netlink:
    """A socket to the kernel's table of addresses, opened at the first request. Use it from one thread only.

    Each request gets the interface's name, because an interface that is removed and made again has another number.
    """

    def __init__(self) -> None:
        self._kernel: socket.socket | None = None
        self._sequence = 0

    def close(self) -> None:
        """Close the socket; the addresses stay as they are."""
        kernel, self._kernel = self._kernel, None
        if kernel is not None:
            kernel.close()

    def addresses(self, interface: str) -> list[Address]:
        """The interface's addresses. Raises `NoInterfaceError` if there is none of that name."""
        body = ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, self._number(interface))
        for _ in range(LOOKS):
            answers, changed = self._request(RTM_GETADDR, NLM_F_DUMP, body)
            if not changed:
                return [_address(answer) for answer in answers]
        raise RefusedError(f"the addresses of {interface} changed {LOOKS} times while they were read")

    def add(self, interface: str, address: Address) -> None:
        """Add the address, if it is not there. Raises `RefusedError`.

        IPv4: the host's own address in the same network comes first, so this one is a *secondary* address: it brings
        no route, takes none away, and is not chosen as the source of the host's own traffic. It must not be added with
        `noprefixroute`: should it ever come before the host's own address, then no route to the network would exist.

        IPv6 has no secondary addresses. A preferred lifetime of 0 (deprecated, RFC 4862 section 5.5.4) makes the
        address the last choice as a source. Network managers add the network's route themselves; without
        `noprefixroute` the kernel would add another and leave it behind. `nodad` saves the second of duplicate address
        detection, in which the address does not work yet.
        """
        body = self._about(interface, address) + _attribute(IFA_ADDRESS, address.packed)
        if address.version == 6:
            body += _attribute(IFA_CACHEINFO, struct.pack("=IIII", 0, FOREVER, 0, 0))
            body += _attribute(IFA_FLAGS, struct.pack("=I", IFA_F_NODAD | IFA_F_NOPREFIXROUTE))
        self._request(RTM_NEWADDR, NLM_F_ACK | NLM_F_REPLACE | NLM_F_CREATE, body)

    def remove(self, interface: str, address: Address) -> None:
        """Remove the address, which has this prefix length. Raises `RefusedError`, also if it is not there.

        The other end of a point-to-point address is not compared: another program may have added the address so.
        """
        self._request(RTM_DELADDR, NLM_F_ACK, self._about(interface, address))

    def _about(self, interface: str, address: Address) -> bytes:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        body = ADDRESS.pack(family, address.network.prefixlen, 0, 0, self._number(interface))
        return body + _attribute(IFA_LOCAL, address.packed)

    def _number(self, interface: str) -> int:
        """The interface's number. Raises `NoInterfaceError` only if the kernel says that there is none of that name.

        `if_nametoindex` says so also when this process has no file descriptor left; then an address that is still there
        would count as removed.
        """
        import fcntl  # here, because Windows has no such module, and `switchover check` is to work there

        name = interface.encode()
        if len(name) >= IFNAMSIZ:
            raise NoInterfaceError(f"there is no interface {interface}")
        try:
            self._kernel = kernel = self._kernel or _connect()
            answer = fcntl.ioctl(kernel, SIOCGIFINDEX, INTERFACE.pack(name, 0))
        except OSError as error:
            if error.errno == errno.ENODEV:
                raise NoInterfaceError(f"there is no interface {interface}") from None
            raise RefusedError(f"the number of interface {interface} cannot be read: {error.strerror}") from error
        return int(INTERFACE.unpack(answer)[1])

    def _request(self, kind: int, flags: int, body: bytes) -> tuple[list[bytes], bool]:
        """Send a request; return what the kernel lists in its answer, and whether that changed in the meantime."""
        try:
            self._kernel = kernel = self._kernel or _connect()
            self._sequence = (self._sequence + 1) & 0xFFFFFFFF
            kernel.send(HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, self._sequence, 0) + body)
            listed: list[bytes] = []
            changed = False
            while True:
                data, (port, _) = kernel.recvfrom(65536)
                if port != KERNEL:
                    continue  # from another program with CAP_NET_ADMIN
                for answer_kind, answer_flags, sequence, answer in _messages(data):
                    if sequence != self._sequence:
                        continue
                    changed = changed or bool(answer_flags & NLM_F_DUMP_INTR)
                    if answer_kind in (NLMSG_ERROR, NLMSG_DONE):
                        _raise_refusal(answer_kind, answer_flags, answer)
                        return listed, changed
                    listed.append(answer)
        except OSError as error:
            self.close()  # so the rest of this answer is not taken for the next one
            late = isinstance(error, BlockingIOError)
            reason = f"the kernel did not answer within {ANSWER_S} s" if late else error.strerror
            raise RefusedError(f"rtnetlink failed: {reason}") from error


def _connect() -> socket.socket:
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    try:
        kernel.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)  # errors come with an explanation
        kernel.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)  # lists are of one interface; since Linux 4.20
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", ANSWER_S, 0))
    except BaseException:
        kernel.close()
        raise
    return kernel


def _attribute(kind: int, value: bytes) -> bytes:
    """An attribute whose value is a multiple of four bytes long, as all of these are."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, flags, sequence number and body of each message that was received."""
    at = 0
    while at < len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, at)
        yield kind, flags, sequence, data[at + HEADER.size : at + length]
        at += -length % 4 + length


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        found[kind] = data[at + ATTRIBUTE.size : at + length]
        at += -length % 4 + length
    return found


def _address(answer: bytes) -> Address:
    """The address in a listed message: the host's end of it, where it has two (point to point)."""
    _, prefix_length, _, _, _ = ADDRESS.unpack_from(answer)
    attributes = _attributes(answer[ADDRESS.size :])
    return ipaddress.ip_interface((attributes.get(IFA_LOCAL) or attributes[IFA_ADDRESS], prefix_length))


def _raise_refusal(kind: int, flags: int, answer: bytes) -> None:
    """Raise `RefusedError` if the last message of an answer is an error, with the kernel's explanation if any."""
    number = -ERROR.unpack_from(answer)[0]
    if not number:
        return
    said = os.strerror(number)
    if number == errno.EPERM:
        said += "; run this as root, or with CAP_NET_ADMIN"
    if flags & NLM_F_ACK_TLVS:
        # Behind the number stands, for an error, the request: its header alone, or all of it.
        request = 0
        if kind == NLMSG_ERROR:
            request = HEADER.size if flags & NLM_F_CAPPED else int(HEADER.unpack_from(answer, 4)[0])
        explanation = _attributes(answer[4 + request + -request % 4 :]).get(NLMSGERR_ATTR_MSG)
        if explanation:
            said += f" ({explanation.rstrip(bytes(1)).decode(errors='replace').rstrip('.')})"
    raise NoInterfaceError(said) if number == errno.ENODEV else RefusedError(said)
