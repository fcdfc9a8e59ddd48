"""An LCA at work in a network namespace, and the agent's end of its link."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from switchover.agent.configuration.load import Configuration, load
from switchover.agent.host.lca import Lca
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.drivers.link.wire import HostEvent
from switchover.drivers.vip.addresses import NetlinkAddresses
from switchover.fsm import ApplicationReported, HostCommand, VipReported

H1, A1, A2 = "host1", "SIP_Server_1", "SIP_Server_2"
VIP = ("198.51.100.10/24", "2001:db8::10/64")
DEADLINE_MS = 10_000
"""Generous: what is tested is not speed."""


@define(eq=False)
class Agent:
    """The agent's end: it records the events of the LCA, and gives each command its own id."""

    lca: Lca
    on_event: Callable[[HostEvent], None] = lambda _: None
    events: list[HostEvent] = field(factory=list)
    count: int = 0

    def send(self, event: HostEvent) -> None:
        self.events.append(event)
        self.on_event(event)

    def give(self, command: HostCommand, deadline_ms: int = DEADLINE_MS) -> int:
        self.count += 1
        self.lca.execute(evolve(command, id=self.count), deadline_ms)
        return self.count

    async def result(self, command: HostCommand, deadline_ms: int = DEADLINE_MS) -> HostEvent:
        """Give a command and wait for its result."""
        number = self.give(command, deadline_ms)
        async with asyncio.timeout(20):
            while not (results := [event for event in self.events if getattr(event, "id", None) == number]):
                await asyncio.sleep(0.002)
        return results[0]

    def reports(self) -> list[HostEvent]:
        """The events that are not results."""
        return [event for event in self.events if isinstance(event, ApplicationReported | VipReported)]


Scenario = Callable[[Lca, Agent], Coroutine[Any, Any, None]]

Member = tuple[str, Path, tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""An application's name and pidfile, and its commands: to become primary, to become backup, to say its mode."""


def configuration_of(directory: Path, *members: Member) -> Configuration:
    """A pair of these members, on two hosts."""
    file = directory / "switchover.toml"
    hosts = ["198.51.100.1", "198.51.100.2"]
    file.write_text(configuration_text(directory, LabSettings(), VIP, hosts, list(members)))
    return load(file)


def run_with_lca(
    settings: Configuration,
    namespace,
    scenario: Scenario,
    addresses: type[NetlinkAddresses] = NetlinkAddresses,
    *,
    observe: bool = False,
) -> None:
    """Run a scenario in a namespace, with an LCA that has been started and is closed at the end."""

    async def main() -> None:
        lca = Lca(settings, settings.hosts[0], addresses("eth0", VIP), observe=observe)
        agent = Agent(lca)
        try:
            await lca.start()
            lca.connect(agent)
            await scenario(lca, agent)
        finally:
            await lca.close()

    namespace.run(main())
