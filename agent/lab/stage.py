"""The interface between the player and what it plays on: real hosts in namespaces, or simulated ones."""

from pathlib import Path
from typing import Protocol

from attrs import frozen

from ...fsm import Topology
from ..configuration.settings import Configuration
from ..controller.operator_client import Reply
from .network.calls import Calls


@frozen
class Measured:
    """The measurements of a run between two moments, made independently of the agent.

    `outage_ms` and `lost` come from the client (`client.Summary`); `two_holders_ms` and `no_holder_ms` are the times in
    which two reachable hosts held the VIP, or none; `gratuitous_arps` counts the frames that reached the client. At the
    end, `arp_cache` is the host to which the client's ARP cache points, `answered_by` the server of the last answer,
    and `holders` the reachable hosts that hold the VIP. `calls` are SIPp's calls, and `first_call_ms` is the time from
    the fault to the first answer to a call started after it; both are None if no calls are made.
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
    """A running solution with its client, in which faults can be injected. Sides are 1 and 2.

    Methods that inject a fault return its moment, in seconds of `time.monotonic`.
    """

    configuration: Configuration
    topology: Topology

    @property
    def journal(self) -> Path:
        """The agent's journal."""
        ...

    async def start(self) -> None:
        """Start both hosts, the agent and the observers."""
        ...

    async def close(self) -> None:
        """Stop everything."""
        ...

    async def ask(self, request: Reply) -> Reply:
        """Send a request to the agent, as an operator's command does."""
        ...

    async def crash(self, application: str) -> float:
        """Kill an application without warning."""
        ...

    async def start_application(self, application: str) -> None:
        """Start an application again."""
        ...

    async def lose(self, side: int) -> float:
        """Make the host of this side unreachable: its network fails silently, or the whole host fails."""
        ...

    async def restore(self, side: int) -> float:
        """Make the host of this side reachable again, in the state in which it is then."""
        ...

    async def log_message(self, event_id: str, application: str) -> float:
        """Let an application outside the hosts fail, and the SCS log a message about it."""
        ...

    async def begin(self) -> None:
        """Start a client that sends a request to the VIP about every millisecond."""
        ...

    async def measure(self, since: float) -> Measured:
        """Stop the client, and return the measurements from `since` until now."""
        ...
