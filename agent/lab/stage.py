"""Where the workflows are played: on real hosts made of namespaces, or on simulated ones; the player cannot tell."""

from pathlib import Path
from typing import Protocol

from attrs import frozen

from ...fsm import Topology
from ..operator import Reply
from ..settings import Configuration


@frozen
class Measured:
    """What was measured between two moments, by eyes other than the agent's.

    `outage_ms` and `lost` are the client's (`client.Summary`); `two_holders_ms` and `no_holder_ms` tell for how long
    two reachable hosts held the VIP, or none; `gratuitous_arps` are the frames that reached the client; `arp_cache` is
    the host to which its ARP cache points at the end, `answered_by` the server whose answer came last, and `holders`
    the reachable hosts that hold the VIP at the end.
    """

    outage_ms: float
    lost: int
    two_holders_ms: float
    no_holder_ms: float
    gratuitous_arps: int
    arp_cache: str | None
    answered_by: str | None
    holders: frozenset[str]


class Stage(Protocol):
    """A solution in operation, with its client, whose faults can be injected. Sides are 1 and 2.

    What injects a fault returns the moment at which that happened, in seconds of `time.monotonic`.
    """

    configuration: Configuration
    topology: Topology
    journal: Path

    async def start(self) -> None:
        """Bring up both hosts, the agent and its observers."""
        ...

    async def close(self) -> None:
        """Take everything down again."""
        ...

    async def ask(self, request: Reply) -> Reply:
        """Ask the agent as an operator does."""
        ...

    async def crash_server(self, side: int) -> float:
        """Kill the SIP Server of this side, without a chance to say goodbye."""
        ...

    async def start_server(self, side: int) -> None:
        """Start the SIP Server of this side again."""
        ...

    async def cut(self, side: int) -> float:
        """Let the network of this side's host fail, silently."""
        ...

    async def heal(self, side: int) -> float:
        """Let the network of this side's host work again."""
        ...

    async def begin(self) -> None:
        """Let a client begin to ask the VIP, about every millisecond."""
        ...

    async def measure(self, since: float) -> Measured:
        """End that client, and tell what was measured from `since` until now."""
        ...
