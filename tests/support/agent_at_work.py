"""An agent in this process, its operator server, and hosts that carry out commands at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import define, field
from switchover.agent.configuration.settings import Configuration, PairKind
from switchover.agent.controller.agent import Agent
from switchover.agent.controller.operator_socket import OperatorServer
from switchover.agent.history.writer import Journal
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    Event,
    HostCommand,
    HostConnected,
    HostReport,
    Mode,
    Start,
    Stop,
)

PATIENCE_S = 60

H1 = "host1"


@define(eq=False)
class WillingHost:
    """A connection to a host that carries out commands at once, as long as it is willing."""

    name: str
    modes: dict[str, Mode]
    deliver: Callable[[Event], None]
    is_willing: bool = True
    commands: list[HostCommand] = field(factory=list)
    heard_at: float | None = None

    def start(self) -> None:
        self._soon(HostConnected(self.name, HostReport(self.modes, vip_held=self.name == H1)))

    async def close(self) -> None:
        self.deliver = lambda _: None

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        self.commands.append(command)
        if self.is_willing:
            if isinstance(command, Start | Stop):
                mode = self.modes[command.application] if isinstance(command, Start) else Mode.DOWN
                self._soon(ApplicationReported(command.application, mode))
            self._soon(CommandSucceeded(command.id))

    def _soon(self, event: Event) -> None:
        asyncio.get_running_loop().call_soon(lambda: self.deliver(event))


@asynccontextmanager
async def agent_at_work(
    settings: Configuration, open_journal: Callable[[Path], Journal] = Journal
) -> AsyncIterator[tuple[Agent, dict[str, WillingHost]]]:
    """The agent, in the state prior to switchover of [S1] and [S2], and the connections to its hosts by their names."""
    hosts: dict[str, WillingHost] = {}

    def connect(name: str, deliver: Callable[[Event], None]) -> WillingHost:
        hosts[name] = WillingHost(name, _modes_on(name, settings), deliver)
        return hosts[name]

    journal = open_journal(settings.agent.journal)
    agent = Agent(settings, journal, connect)
    operators = OperatorServer(agent)
    await operators.start()
    agent.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while agent.solution.state.vip != "held_1" or agent.solution.state.pending:
                await asyncio.sleep(0.01)
        yield agent, hosts
    finally:
        await operators.close()
        await agent.close()
        journal.close()


def _modes_on(host: str, settings: Configuration) -> dict[str, Mode]:
    redundant = Mode.PRIMARY if host == H1 else Mode.BACKUP
    return {
        member.application: redundant if pair.kind is PairKind.REDUNDANT else Mode.UP
        for pair in settings.pairs
        for member in pair.members
        if member.host == host
    }
