"""A small SIP server for the lab, for machines without Kamailio; it behaves like Kamailio with `kamailio.cfg`.

    responder.py serve NAME RUN_DIRECTORY ADDRESS...     serve on each address until SIGTERM, starting in backup mode
    responder.py mode RUN_DIRECTORY [primary|backup]     change the mode if one is given, and print the mode

In either mode it answers every OPTIONS with 200 OK (a demoted server still answers what reaches it), and any other
request but ACK with 405. The header `Server` contains its name and mode. It is a `Component`, and started like one.
"""

import socket
import sys

from .component import NetworkComponent, bound, is_mode_command, mode_command

_COPIED = ("via", "from", "to", "call-id", "cseq")  # headers copied from request to answer (RFC 3261 section 8.2.6)


def answer(request: bytes, server: str) -> bytes | None:
    """The answer to a SIP request; None for an ACK, a response, or a message that is not SIP.

    `server` is the value of the header `Server`.

    >>> print(answer(b"OPTIONS sip:a SIP/2.0\\r\\nCSeq: 1 OPTIONS\\r\\n\\r\\n", "S (backup)").decode().splitlines()[:3])
    ['SIP/2.0 200 OK', 'CSeq: 1 OPTIONS', 'Server: S (backup)']
    """
    method = method_of(request)
    if method is None or method == "ACK":
        return None
    if method == "OPTIONS":
        return reply(request, "200 OK", server)
    return reply(request, "405 Method Not Allowed", server, ["Allow: OPTIONS"])


def method_of(request: bytes) -> str | None:
    """The method of a SIP request; None if the message is not a request.

    >>> method_of(b"BYE sip:a SIP/2.0\\r\\n\\r\\n"), method_of(b"SIP/2.0 200 OK\\r\\n\\r\\n")
    ('BYE', None)
    """
    method, _, version = request.decode("utf-8", "replace").partition("\r\n")[0].partition(" ")
    return method if version.endswith(" SIP/2.0") else None


def header_lines(request: bytes, *names: str) -> list[str]:
    """The header lines with these names (in lower case), in their order. Only long forms of names are recognised."""
    head = request.decode("utf-8", "replace").partition("\r\n\r\n")[0]
    return [line for line in head.split("\r\n")[1:] if line.partition(":")[0].strip().lower() in names]


def reply(
    request: bytes, status: str, server: str, headers: list[str] | None = None, *, tag: str = "lab", body: str = ""
) -> bytes:
    """The response to a request, with additional `headers`; `tag` is added to a To header without a tag."""
    lines = header_lines(request, *_COPIED)
    tagged = [f"{line};tag={tag}" if line.lower().startswith("to:") and ";tag=" not in line else line for line in lines]
    own = [f"Server: {server}", *(headers or []), f"Content-Length: {len(body)}"]
    return "\r\n".join([f"SIP/2.0 {status}", *tagged, *own, "", body]).encode()


class Responder(NetworkComponent):
    """The server: one UDP socket for each address."""

    def __init__(self, name: str, directory: str, addresses: list[str]) -> None:
        super().__init__(name, directory, tuple(bound(address) for address in addresses))

    def take(self, listener: socket.socket) -> None:
        """Answer a request."""
        request, sender = listener.recvfrom(65535)
        response = answer(request, f"{self.name} ({self.mode})")
        if response is not None:
            listener.sendto(response, sender)


def main(arguments: list[str]) -> None:
    """The command line. Exits with 1 and one line if no server answers, or the arguments are wrong."""
    match arguments:
        case ["serve", name, directory, *addresses] if addresses:
            Responder(name, directory, addresses).serve()
        case ["mode", *rest] if is_mode_command(rest):
            mode_command(rest, "SIP server")
        case _:
            sys.exit("usage: responder.py serve NAME RUN_DIRECTORY ADDRESS... | mode RUN_DIRECTORY [primary|backup]")
