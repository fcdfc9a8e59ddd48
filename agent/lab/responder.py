"""A small SIP server for the lab, where Kamailio is not installed; it behaves as `kamailio.cfg` makes Kamailio behave.

    responder.py serve NAME RUN_DIRECTORY ADDRESS...     serve on each address until SIGTERM, in backup mode first
    responder.py mode RUN_DIRECTORY [primary|backup]     change the mode, and print the mode that it is in

It answers every OPTIONS with 200 OK, in either mode (a demoted server drains what still reaches it), any other request
but ACK with 405, and tells its name and mode in the header `Server`. Only the standard library, and no import of this
package, and as few imports as can be: run as a file with `python -I -S`, a mode command then takes about 20 ms.
"""

import os
import select
import socket
import sys

MODES = ("primary", "backup")
CONTROL_SOCKET = "control"
PIDFILE = "pid"

_COPIED = ("via", "from", "to", "call-id", "cseq")  # what an answer repeats of its request (RFC 3261 section 8.2.6)


def answer(request: bytes, server: str) -> bytes | None:
    """The answer to a SIP request; None to what has no answer: ACK, a response, what is not SIP.

    `server` is the value of the header `Server`. Header names are taken in their long form only.

    >>> print(answer(b"OPTIONS sip:a SIP/2.0\\r\\nCSeq: 1 OPTIONS\\r\\n\\r\\n", "S (backup)").decode().splitlines()[:3])
    ['SIP/2.0 200 OK', 'CSeq: 1 OPTIONS', 'Server: S (backup)']
    """
    start, _, rest = request.decode("utf-8", "replace").partition("\r\n")
    method, _, version = start.partition(" ")
    if not version.endswith(" SIP/2.0") or method == "ACK":
        return None
    status = "200 OK" if method == "OPTIONS" else "405 Method Not Allowed"
    headers = [line for line in rest.partition("\r\n\r\n")[0].split("\r\n") if line.split(":")[0].lower() in _COPIED]
    tagged = [f"{line};tag=lab" if line.lower().startswith("to:") and ";tag=" not in line else line for line in headers]
    allow = [] if method == "OPTIONS" else ["Allow: OPTIONS"]
    lines = [f"SIP/2.0 {status}", *tagged, f"Server: {server}", *allow, "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


class Responder:
    """The server: one UDP socket for each address, and a Unix socket for commands."""

    def __init__(self, name: str, directory: str, addresses: list[str], port: int = 5060) -> None:
        self.mode = "backup"
        self._name = name
        self._listeners = [_bound(address, port) for address in addresses]
        self._control = _control(os.path.join(directory, CONTROL_SOCKET))
        with open(os.path.join(directory, PIDFILE), "w") as pidfile:
            pidfile.write(f"{os.getpid()}\n")

    def serve(self) -> None:
        """Serve until a signal ends the process."""
        while True:
            for ready in select.select((*self._listeners, self._control), (), ())[0]:
                try:
                    (self._obey if ready is self._control else self._answer)(ready)
                except OSError as error:  # the asker is gone, or the way back; whoever waits will notice
                    print(error, file=sys.stderr)

    def _answer(self, listener: socket.socket) -> None:
        request, sender = listener.recvfrom(65535)
        reply = answer(request, f"{self._name} ({self.mode})")
        if reply is not None:
            listener.sendto(reply, sender)

    def _obey(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(1.0)
            wanted = connection.recv(64).decode("ascii", "replace").strip()
            self.mode = wanted if wanted in MODES else self.mode
            connection.sendall(f"{self.mode}\n".encode())


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_DGRAM)
    listener.bind((address, port))
    return listener


def _control(path: str) -> socket.socket:
    if os.path.exists(path):  # a server that was killed left it behind
        os.unlink(path)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.bind(path)
    control.listen()
    return control


def command(directory: str, mode: str = "") -> str:
    """Ask the server that runs in a directory for a mode, or with "" for none, and return the mode that it is in.

    `OSError` if no server listens there or it does not answer within two seconds.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(2.0)
        control.connect(os.path.join(directory, CONTROL_SOCKET))
        control.sendall(f"{mode}\n".encode())
        return control.recv(64).decode("ascii").strip()


def main(arguments: list[str]) -> None:
    """The command line. Exits with 1 and one line if no server answers, or if it makes no sense of the arguments."""
    match arguments:
        case ["serve", name, directory, *addresses] if addresses:
            Responder(name, directory, addresses).serve()
        case ["mode", directory, *mode] if mode in ([], *([known] for known in MODES)):
            try:
                print(command(directory, *mode))
            except OSError as error:
                sys.exit(f"no SIP server answers in {directory}: {error}")
        case _:
            sys.exit("usage: responder.py serve NAME RUN_DIRECTORY ADDRESS... | mode RUN_DIRECTORY [primary|backup]")


if __name__ == "__main__":
    main(sys.argv[1:])
