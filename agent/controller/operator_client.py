"""The client of the agent's socket: one line of JSON out, one line back. Imports nothing of the agent itself."""

import json
import socket
import time
from pathlib import Path
from typing import Any

Reply = dict[str, Any]

CONNECT_AGAIN_S = 0.01
"""How long after the agent's queue was full connecting is tried again, in seconds."""


class OperatorError(Exception):
    """The agent cannot be reached, or does not answer; the text says what to do."""


def ask(path: Path, request: Reply, timeout_s: float = 10.0) -> Reply:
    """Send one request to the agent behind this socket and return its reply. Raises `OperatorError`.

    `timeout_s` limits the wait for a place in the agent's queue, and then each wait for the agent, in seconds.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            _connect(connection, path, time.monotonic() + timeout_s)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answer:
                line = answer.readline()
        if not line:
            raise OperatorError(f"the agent at {path} closed the connection without an answer; its log says why")
        return json.loads(line)
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from error


def _connect(connection: socket.socket, path: Path, until: float) -> None:
    """Connect; while the agent's queue is full, try again until this time of `time.monotonic`. Raises `OSError`."""
    while True:
        try:
            connection.connect(str(path))
        except BlockingIOError:  # EAGAIN: a socket with a timeout is not queued up (unix(7))
            if time.monotonic() >= until:
                raise
            time.sleep(CONNECT_AGAIN_S)
        else:
            return


def unreachable(path: Path, error: Exception) -> OperatorError:
    """The error that says why the agent behind this socket does not answer, and what to do."""
    if isinstance(error, PermissionError):
        return OperatorError(f"you may not ask the agent at {path}: do it as root, or as the agent's user")
    reason = getattr(error, "strerror", None) or error
    return OperatorError(f"no agent answers at {path} ({reason}); is `switchover agent` running here?")
