"""Whose process is at the other end of a connection on this machine's loopback, as the kernel says (proc(5))."""

import ipaddress
import sys
from pathlib import Path

Endpoint = tuple[str, int]
"""An address and a port."""

_LOCAL, _REMOTE, _UID = 1, 2, 7  # the columns of /proc/self/net/tcp


def uid_of(client: Endpoint, server: Endpoint) -> int | None:
    """The user id of the process whose end of the TCP connection is `client`; None if that is not known."""
    table = Path("/proc/self/net/tcp6" if ":" in client[0] else "/proc/self/net/tcp")  # there with ProcSubset=pid, too
    wanted = [_written(client), _written(server)]
    try:
        rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    except OSError:
        return None  # not on Linux: there is no such table
    return next((int(row[_UID]) for row in rows if [row[_LOCAL], row[_REMOTE]] == wanted), None)


def _written(endpoint: Endpoint) -> str:
    """As the kernel writes it: 32-bit words in its own byte order, in hexadecimal."""
    packed = ipaddress.ip_address(endpoint[0]).packed
    words = (int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
    return f"{''.join(f'{word:08X}' for word in words)}:{endpoint[1]:04X}"
