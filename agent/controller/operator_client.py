"""The client of the agent's socket: one line of JSON out, one line back. Imports nothing of the agent itself."""

import json
import socket
from pathlib import Path
from typing import Any

Reply = dict[str, Any]


class OperatorError(Exception):
    """The agent cannot be reached, or does not answer; the text says what to do."""


def ask(path: Path, request: Reply, timeout_s: float = 10.0) -> Reply:
    """Send one request to the agent behind this socket and return its reply. Raises `OperatorError`."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answer:
                return json.loads(answer.readline())
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from error


def unreachable(path: Path, error: Exception) -> OperatorError:
    """The error that says why the agent behind this socket does not answer, and what to do."""
    if isinstance(error, PermissionError):
        return OperatorError(f"you may not ask the agent at {path}: do it as root, or as the agent's user")
    reason = getattr(error, "strerror", None) or error
    return OperatorError(f"no agent answers at {path} ({reason}); is `switchover agent` running here?")
