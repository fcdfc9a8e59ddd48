"""Calling for an agent that is not heard, one layer below the link.

After a long cut both kernels have given up on each other's MAC address and ask for it once a second only (Linux,
`retrans_time_ms`). An ordinary ARP request or neighbour solicitation, asked at a faster pace, fills both caches as soon
as the network is back, because whoever is asked also learns the asker (RFC 826).
"""

import asyncio
from collections.abc import Callable

from ..errors import DriverError
from .session import LOGGER

_EVERY_S = 0.05


class Solicitor:
    """Calls `solicit` with the agent's address at once and every 50 ms, from `start` to `stop`."""

    def __init__(self, solicit: Callable[[str], None]) -> None:
        self._solicit = solicit
        self._timer: asyncio.TimerHandle | None = None

    def start(self, agent_address: str) -> None:
        """Solicit this address until `stop`."""
        self.stop()
        self._call(asyncio.get_running_loop(), agent_address)

    def stop(self) -> None:
        """The agent is heard again, or need not be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _call(self, loop: asyncio.AbstractEventLoop, agent_address: str) -> None:
        self._timer = loop.call_later(_EVERY_S, self._call, loop, agent_address)
        try:
            self._solicit(agent_address)
        except DriverError as error:
            LOGGER.debug("cannot solicit %s, trying again: %s", agent_address, error)
