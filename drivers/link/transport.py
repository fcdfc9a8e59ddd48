"""What a link stands on: connections that carry messages, the machine's clock, and random names.

`curve` has the real one. A simulation has another, so that both ends of a link run as they are on a virtual network.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from .keys import Identity
from .session import RefusalLog
from .silence import LinkTiming


class Frame(Protocol):
    """One part of a message, as it was received."""

    @property
    def bytes(self) -> bytes:
        """What it contains."""
        ...

    def get(self, option: str, /) -> Any:
        """A property of its connection: `User-Id` is the peer's key, `Peer-Address` its address."""
        ...


Frames = Sequence[Frame]

Take = Callable[[Frames], None]
"""Gets the frames of each message that arrives."""


class LinkEnd(Protocol):
    """One end of a connection, or of all connections to one that listens."""

    def read(self) -> None:
        """Read all messages that are queued."""
        ...

    def send(self, *frames: bytes) -> bool:
        """Queue a message. Returns False if there is no connection, or if its queue is full."""
        ...

    def is_ready(self) -> bool:
        """Whether there is a connection that accepts messages."""
        ...

    def close(self) -> None:
        """Close it; queued messages are dropped."""
        ...


class Transport(Protocol):
    """Makes the connections of one end of a link."""

    def dial(
        self,
        endpoint: str,
        identity: Identity,
        host_key: bytes,
        timing: LinkTiming,
        take: Take,
        signalled: Callable[[], None],
        log: RefusalLog,
    ) -> LinkEnd:
        """Dial the endpoint until it answers; `signalled` is called when the connection's state changed."""
        ...

    def listen(self, endpoint: str, identity: Identity, agent_key: bytes, take: Take, log: RefusalLog) -> LinkEnd:
        """Accept the holder of this key. Messages to it begin with its route. Raises `DriverError`."""
        ...

    def clock_ms(self) -> int:
        """Milliseconds from any fixed moment, including the time in which the machine was suspended."""
        ...

    def random_name(self, size: int) -> str:
        """A name of `size` random bytes, in hexadecimal digits."""
        ...

    async def close(self) -> None:
        """Release everything, when all ends are closed."""
        ...
