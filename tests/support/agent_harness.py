"""A harness for an agent with its operator server: requests go through its real Unix socket."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from attrs import define, evolve
from switchover.agent.configuration.examples import example_text
from switchover.agent.configuration.load import load
from switchover.agent.configuration.settings import Configuration
from switchover.agent.controller.agent import Agent
from switchover.agent.controller.operator_client import ask
from switchover.agent.history.journal import read
from switchover.agent.lab.settings import LabSettings, configuration_text

from support.agent_at_work import WillingHost, agent_at_work

H1, H2 = "host1", "host2"
A1, A2 = "SIP_Server_1", "SIP_Server_2"


@define(eq=False)
class AgentHarness:
    agent: Agent
    hosts: dict[str, WillingHost]
    path: Path

    @property
    def journal(self) -> Path:
        """The journal's file, once everything so far is written."""
        assert self.agent.journal.flush()
        return self.agent.configuration.agent.journal

    async def ask(self, **request: object) -> dict[str, Any]:
        return await asyncio.to_thread(ask, self.path, request)

    async def send_bytes(self, data: bytes, end: bool = False) -> bytes:
        """Send raw bytes and return all that comes back until the server hangs up."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(data)
        if end:
            writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()

    def texts_of(self, kind: str) -> list[str]:
        return [entry.text for _, entry in read(self.journal) if entry.kind == kind]


def configuration(directory: Path) -> Configuration:
    members = [(name, directory / f"{name}.pid", ("true",), ("true",), ("true",)) for name in (A1, A2)]
    file = directory / "switchover.toml"
    hosts = ["198.51.100.11", "198.51.100.12"]
    file.write_text(configuration_text(directory, LabSettings(), ["198.51.100.10/24"], hosts, members))
    return with_long_alarms(load(file))


def voicemail(directory: Path) -> Configuration:
    """The example, in a directory."""
    file = directory / "switchover.toml"
    paths = {"journal": "journal.sqlite", "socket": "agent.sock", "keys": "keys", "spool": "spool"}
    lines = ["[agent]", *(f"{key} = {json.dumps(str(directory / name))}" for key, name in paths.items())]
    file.write_text("\n".join([example_text("voicemail"), *lines]))
    return with_long_alarms(load(file))


def with_long_alarms(settings: Configuration) -> Configuration:
    """No alarm ends by itself during the test."""
    alarms = (evolve(alarm, cancel_timeout_ms=600_000) for alarm in settings.topology().alarms)
    return evolve(settings, alarms=tuple(alarms))


def play_in(
    directory: Path,
    scenario: Callable[[AgentHarness], Coroutine[Any, Any, None]],
    configured: Callable[[Path], Configuration] = configuration,
) -> None:
    """Run a scenario with an agent whose hosts are connected, and its operators' server."""

    async def run() -> None:
        settings = configured(directory)
        async with agent_at_work(settings) as (agent, hosts):
            await scenario(AgentHarness(agent, hosts, settings.agent.socket))

    asyncio.run(asyncio.wait_for(run(), 60))
