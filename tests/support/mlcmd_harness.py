"""A harness for `MlcmdConnection`: a connection with mlcmd, the host at its far end, and the events delivered."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from switchover.agent.controller.mlcmd_connection import Controlled, MlcmdConnection
from switchover.fsm import (
    Event,
    HostCommand,
    HostConnected,
    HostLost,
    HostReport,
    Mode,
)

from support.mlcmd_site import A1, AMPLE_MS, H1, B, D, Eventually, P, Site, no_child_is_left


@define(eq=False)
class Host:
    """The connection to the host itself; it records the commands sent to it."""

    deliver: Callable[[Event], None]
    sent: list[tuple[HostCommand, int]] = field(factory=list)
    life: list[str] = field(factory=list)

    def start(self) -> None:
        self.life.append("started")

    async def close(self) -> None:
        self.life.append("closed")
        self.deliver(HostLost(H1))
        self.deliver(connected())

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        self.sent.append((command, deadline_ms))


@define(eq=False)
class MlcmdHarness:
    """A connection with mlcmd for `A1`, the host at its far end, and the events that it delivered."""

    site: Site
    connection: MlcmdConnection
    host: Host
    events: list[Event]
    eventually: Eventually

    @classmethod
    def of(cls, site: Site, eventually: Eventually, together: list | None = None, **settings: Any) -> "MlcmdHarness":
        events, hosts = [], []

        def connect(deliver: Callable[[Event], None]) -> Host:
            hosts.append(Host(deliver))
            return hosts[0]

        deadline_ms = settings.pop("deadline_ms", AMPLE_MS)
        own, peer = settings.pop("dbids", ("101", "102"))
        of_list = [together] if together is not None else []
        connection = MlcmdConnection(
            site.mlcmd(**settings), {A1: Controlled(own, peer)}, deadline_ms, connect, events.append, *of_list
        )
        connection.start()
        return cls(site, connection, hosts[0], events, eventually)

    async def connect(self, mode: Mode = P) -> None:
        """Connect the host with A1 in this mode, and forget the events of the connection."""
        self.host.deliver(connected(D if mode is D else B))
        await self.eventually(lambda: self.events)
        assert self.events == [connected(mode)]
        self.events.clear()

    async def expect(self, *events: Event) -> None:
        """Wait for exactly these events, also after mlcmd has finished all its work."""
        await self.eventually(lambda: len(self.events) >= len(events))
        await self.eventually(no_child_is_left)
        await asyncio.sleep(0)
        assert self.events == list(events)

    async def wait_for_run(self, run: str) -> None:
        """Wait until mlcmd has been run with these arguments."""
        await self.eventually(lambda: run in self.site.runs())


def connected(mode: Mode = B, **others: Mode) -> HostConnected:
    return HostConnected(H1, HostReport({A1: mode, **others}, vip_held=False))


async def with_harness(
    site: Site, eventually: Eventually, scenario: Callable[[MlcmdHarness], Coroutine[Any, Any, None]], **settings: Any
) -> None:
    """Run a scenario; at its end mlcmd has ended, nothing more is delivered, and no error was logged."""
    upset: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: upset.append(context))
    harness = MlcmdHarness.of(site, eventually, **settings)
    try:
        await asyncio.wait_for(scenario(harness), 60)
    finally:
        await asyncio.wait_for(harness.connection.close(), 20)
    assert asyncio.all_tasks() == {asyncio.current_task()}  # after this nothing can be delivered
    await eventually(no_child_is_left)
    assert (harness.host.life, upset) == (["started", "closed"], [])
