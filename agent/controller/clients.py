"""The connections to the operators' socket: each client has a bounded share of them, and none locks another one out.

A client is a process, named by the kernel (SO_PEERCRED, unix(7)). A new connection always gets a place. If its client
has `SHARE` already, that client's oldest one is closed for it; if all `CLIENTS` places are taken, the oldest one of the
client with the most: one on which no request came, or no reply is read. So a request that is sent at once is served.
"""

import asyncio
import logging
import socket
import struct
import time
from collections import Counter

from attrs import define, frozen

LOG = logging.getLogger("switchover.operator")

CLIENTS = 64
"""How many connections there may be at the same time."""

SHARE = 48
"""How many connections one process may have at the same time."""

FOLLOWING = 4
"""How many of its connections one process may use to follow the agent."""

WARN_EVERY_S = 10.0
"""The shortest time between two warnings about connections that were closed, in seconds."""

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


@frozen
class Client:
    """A process at the other end of a connection, as the kernel names it."""

    pid: int
    uid: int

    def __str__(self) -> str:
        return f"process {self.pid} of user {self.uid}"


@define(eq=False)
class _Connection:
    client: Client
    follows: bool = False


class Clients:
    """Who is connected, each by the task that serves it, in the order in which they came."""

    def __init__(self) -> None:
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._warned_at = float("-inf")
        self._unsaid = 0

    def add(self, task: asyncio.Task[None], client: Client) -> None:
        """This task serves a new connection of the client, until it ends; another one may be closed for it."""
        counts = Counter(each.client for each in self._connections.values() if not each.follows)
        if counts[client] >= SHARE:
            self._close_one(client, f"it has {SHARE} already")
        elif len(self._connections) >= CLIENTS:
            self._close_one(counts.most_common(1)[0][0], f"all {CLIENTS} were in use")
        self._connections[task] = _Connection(client)
        task.add_done_callback(self._forget)

    def may_follow(self, client: Client) -> bool:
        """Whether the client may use one more of its connections to follow the agent."""
        return sum(each.follows and each.client == client for each in self._connections.values()) < FOLLOWING

    def follows(self, task: asyncio.Task[None] | None) -> None:
        """The connection that this task serves is used to follow the agent, and keeps its place."""
        if task in self._connections:
            self._connections[task].follows = True

    async def close(self) -> None:
        """Close all connections."""
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def warn(self, text: str) -> None:
        """Log why a connection was closed; at most once per `WARN_EVERY_S`, then with how many others there were."""
        if time.monotonic() - self._warned_at < WARN_EVERY_S:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} others were closed since the last warning)" if self._unsaid else ""
        LOG.warning("%s%s", text, more)
        self._warned_at, self._unsaid = time.monotonic(), 0

    def _close_one(self, client: Client, reason: str) -> None:
        """Close the client's oldest connection that does not follow the agent."""
        task = next(task for task, each in self._connections.items() if each.client == client and not each.follows)
        self._forget(task)
        task.cancel()
        self.warn(f"{client}: its oldest connection was closed for a new one, because {reason}")

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task, None)


def client_of(writer: asyncio.StreamWriter) -> Client:
    """The process that made this connection."""
    connection: socket.socket = writer.get_extra_info("socket")
    pid, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return Client(pid, uid)
