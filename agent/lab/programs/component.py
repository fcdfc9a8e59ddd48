"""A minimal component of a solution for the lab: a named process that is up, and may have a mode.

    component.py serve NAME RUN_DIRECTORY                   run until SIGTERM, starting in backup mode
    component.py run NAME RUN_DIRECTORY                     the same for a component without modes: it is only up
    component.py mode RUN_DIRECTORY [primary|backup]        change the mode if one is given; print the mode, or `up`

It keeps a pidfile and a Unix socket for commands in its directory. A plain `Component` does nothing else; the VM Server
and the Resource Manager of the voicemail lab are such. `responder.py` and `media.py` are components that speak SIP.

It uses only the standard library and few imports: started by `program`, a mode command takes about 20 ms.
"""

import os
import select
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable

MODES = ("primary", "backup")
UP = "up"
"""Stands for the mode of a component that has none."""
CONTROL_SOCKET = "control"
PIDFILE = "pid"

_HERE = os.path.dirname(os.path.abspath(__file__))
# Without `site`, installed packages cannot be imported: so this folder is imported under its own name, `programs`. The
# folder above it comes last on the path, so that nothing in it can hide the standard library.
_START = """\
import sys
sys.path.append(sys.argv[1])
from importlib import import_module
import_module(sys.argv[2]).main(sys.argv[3:])
"""


def program(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line that runs `main(arguments)` of a module in this folder that only needs the standard library.

    >>> program("component", "mode", "/run/x")[-3:]
    ('programs.component', 'mode', '/run/x')
    """
    folder, name = os.path.split(_HERE)
    return (sys.executable, "-I", "-S", "-c", _START, folder, f"{name}.{module}", *arguments)


class Component:
    """The process, with a Unix socket for commands. With `modes` it starts in backup mode; without, it is `up`."""

    def __init__(self, name: str, directory: str, *, modes: bool = True) -> None:
        self.name = name
        self.mode = "backup" if modes else UP
        self._handlers: dict[socket.socket, Callable[[socket.socket], None]] = {
            _control(os.path.join(directory, CONTROL_SOCKET)): self._obey
        }
        with open(os.path.join(directory, PIDFILE), "w") as pidfile:
            pidfile.write(f"{os.getpid()}\n")

    def serve(self) -> None:
        """Serve until a signal ends the process."""
        while True:
            for ready in select.select(tuple(self._handlers), (), (), self.tick())[0]:
                try:
                    self._handlers[ready](ready)
                except OSError as error:  # the peer or the route to it is gone; the peer will notice
                    print(error, file=sys.stderr)

    def tick(self) -> float | None:
        """Do what is due now; returns the seconds until the next thing is due, None for never."""
        return None

    def _obey(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(1.0)
            wanted = connection.recv(64).decode("ascii", "replace").strip()
            if wanted in MODES and self.mode in MODES:
                self.mode = wanted
            connection.sendall(f"{self.mode}\n".encode())


class NetworkComponent(Component, ABC):
    """A component that also serves sockets of its own, the `listeners`."""

    def __init__(self, name: str, directory: str, listeners: tuple[socket.socket, ...], *, modes: bool = True) -> None:
        super().__init__(name, directory, modes=modes)
        self._handlers = {**dict.fromkeys(listeners, self.take), **self._handlers}

    @abstractmethod
    def take(self, listener: socket.socket) -> None:
        """Handle what one of the listeners has received."""


def bound(address: str, port: int = 5060) -> socket.socket:
    """A UDP socket on an IPv4 or IPv6 address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_DGRAM)
    listener.bind((address, port))
    return listener


def _control(path: str) -> socket.socket:
    if os.path.exists(path):  # a component that was killed left it behind
        os.unlink(path)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.bind(path)
    control.listen()
    return control


def command(directory: str, mode: str = "") -> str:
    """Ask the component that runs in a directory to change to a mode ("": no change), and return its mode.

    Raises `OSError` if no component listens there, or it does not answer within two seconds.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(2.0)
        control.connect(os.path.join(directory, CONTROL_SOCKET))
        control.sendall(f"{mode}\n".encode())
        return control.recv(64).decode("ascii").strip()


def is_mode_command(arguments: list[str]) -> bool:
    """Whether these arguments, which follow the word `mode`, are a directory and optionally a mode."""
    return len(arguments) == 1 or (len(arguments) == 2 and arguments[1] in MODES)


def mode_command(arguments: list[str], kind: str = "component") -> None:
    """Carry out `mode DIRECTORY [MODE]`. Exits with 1 and one line if nobody answers, or the mode does not change."""
    directory, *wanted = arguments
    try:
        mode = command(directory, *wanted)
    except OSError as error:
        sys.exit(f"no {kind} answers in {directory}: {error}")
    if wanted and wanted != [mode]:
        sys.exit(f"the {kind} in {directory} stays {mode}")
    print(mode)


def main(arguments: list[str]) -> None:
    """The command line. Exits with 1 and one line if no component answers, or the arguments are wrong."""
    match arguments:
        case ["serve" | "run" as action, name, directory]:
            Component(name, directory, modes=action == "serve").serve()
        case ["mode", *rest] if is_mode_command(rest):
            mode_command(rest)
        case _:
            sys.exit("usage: component.py serve|run NAME RUN_DIRECTORY | mode RUN_DIRECTORY [primary|backup]")
