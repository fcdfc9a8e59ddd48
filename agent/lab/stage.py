"""Where the workflows are played: on real hosts made of namespaces, or on simulated ones; the player cannot tell."""

from pathlib import Path
from typing import Protocol

from attrs import frozen

from ...fsm import Topology
from ..configuration.settings import Configuration
from ..controller.operator_client import Reply
from .network.calls import Calls


@frozen
class Measured:
    """What was measured between two moments, by eyes other than the agent's.

    `outage_ms` and `lost` are the client's (`client.Summary`); `two_holders_ms` and `no_holder_ms` tell for how long
    two reachable hosts held the VIP, or none; `gratuitous_arps` are the frames that reached the client; `arp_cache` is
    the host to which its ARP cache points at the end, `answered_by` the server whose answer came last, and `holders`
    the reachable hosts that hold the VIP at the end. `calls` are those that SIPp made, and `first_call_ms` is how long
    after the fault the first one that was begun after it was answered; None where no calls are made.
    """

    outage_ms: float
    lost: int
    two_holders_ms: float
    no_holder_ms: float
    gratuitous_arps: int
    arp_cache: str | None
    answered_by: str | None
    holders: frozenset[str]
    calls: Calls | None = None
    first_call_ms: float | None = None


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

    async def crash(self, application: str) -> float:
        """Kill an application, without a chance to say goodbye."""
        ...

    async def start_application(self, application: str) -> None:
        """Start an application again."""
        ...

    async def lose(self, side: int) -> float:
        """Let the host of this side be lost: its network fails silently, or it fails with everything on it."""
        ...

    async def restore(self, side: int) -> float:
        """Let the host of this side return as it is then."""
        ...

    async def say(self, event_id: str, application: str) -> float:
        """Let an application outside fail, and the SCS say so in its log."""
        ...

    async def begin(self) -> None:
        """Let a client begin to ask the VIP, about every millisecond."""
        ...

    async def measure(self, since: float) -> Measured:
        """End that client, and tell what was measured from `since` until now."""
        ...
