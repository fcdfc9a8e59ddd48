"""Soliciting an agent that is not heard, so that its MAC address is known when the network is back.

After a long cut both kernels have dropped each other's MAC address and ask for it only once a second (Linux,
`retrans_time_ms`). More frequent ARP requests or neighbour solicitations fill both caches as soon as the network is
back, because the host that is asked also learns the address of the one that asks (RFC 826).
"""

import asyncio
from collections.abc import Callable

from ..errors import DriverError
from .session import LOGGER

_EVERY_S = 0.05


class Solicitor:
    """Calls `solicit` with the agent's address every 50 ms, from `start` to `stop`."""

    def __init__(self, solicit: Callable[[str], None]) -> None:
        self._solicit = solicit
        self._timer: asyncio.TimerHandle | None = None

    def start(self, agent_address: str) -> None:
        """Solicit this address until `stop`."""
        self.stop()
        self._call(asyncio.get_running_loop(), agent_address)

    def stop(self) -> None:
        """Stop soliciting."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _call(self, loop: asyncio.AbstractEventLoop, agent_address: str) -> None:
        self._timer = loop.call_later(_EVERY_S, self._call, loop, agent_address)
        try:
            self._solicit(agent_address)
        except DriverError as error:
            LOGGER.debug("cannot solicit %s, trying again: %s", agent_address, error)
