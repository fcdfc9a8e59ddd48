"""An agent with modes read and changed through mlcmd: its start, switchovers and takeovers."""

import asyncio
import functools
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from support.mlcmd_site import (
    A1,
    A2,
    AMPLE_MS,
    H1,
    H2,
    SHORT_MS,
    SWITCHOVER,
    B,
    D,
    Eventually,
    Site,
    no_child_is_left,
    site_of,
)
from switchover.agent.configuration.load import load
from switchover.agent.controller.agent import Agent
from switchover.agent.controller.mlcmd_connection import MlcmdConnection, controlled_on
from switchover.agent.controller.operator_socket import status
from switchover.agent.history.journal import read
from switchover.agent.history.writer import Journal
from switchover.drivers.control.mlcmd import Mlcmd
from switchover.fsm import (
    AnnounceVip,
    ApplicationReported,
    CommandSucceeded,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostLeft,
    HostLost,
    HostReport,
    Mode,
)

HEAD = """
[solution]
name = "SIP solution"
settle_ms = 100
retry_ms = 50
command_deadline_ms = {deadline_ms}
[agent]
journal = "{directory}/journal.sqlite"
socket = "{directory}/agent.sock"
keys = "{directory}/keys"
[mlcmd]
cshost = "config.example"
csport = 2020
csuser = "an operator"
csappname = "default"
program = {program}
password_file = "{directory}/password"
[vip]
addresses = ["198.51.100.10/24"]
[[hosts]]
name = "host1"
address = "198.51.100.11"
[[hosts]]
name = "host2"
address = "198.51.100.12"
[[pairs]]
name = "SIP Server"
"""
MEMBER = """
[[pairs.members]]
application = "SIP_Server_{number}"
host = "host{number}"
pidfile = "{directory}/{number}.pid"
mlcmd = "10{number}"
"""


@define(eq=False)
class Lca:
    """A host that reports all its applications as backup, and runs VIP scripts at once."""

    name: str
    deliver: Callable[[Event], None]
    modes: Mapping[str, Mode]
    vip_held: bool = False
    scripts: list[str] = field(factory=list)
    heard_at: float | None = None

    def start(self) -> None:
        report = HostReport(self.modes, self.vip_held)
        asyncio.get_running_loop().call_soon(self.deliver, HostConnected(self.name, report))

    async def close(self) -> None:
        pass

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        assert isinstance(command, EnableVip | DisableVip | AnnounceVip)
        self.scripts.append(type(command).__name__)
        asyncio.get_running_loop().call_soon(self.deliver, CommandSucceeded(command.id))


@define(eq=False)
class MlcmdAgentHarness:
    """An agent with both hosts, and mlcmd for the pair."""

    site: Site
    agent: Agent
    hosts: dict[str, Lca]
    eventually: Eventually

    def state(self) -> tuple[str, str, tuple]:
        state = self.agent.solution.state
        return state.pairs[0].state, state.vip, state.pending

    async def come_to_rest(self, pair: str, vip: str) -> None:
        await self.eventually(lambda: self.state() == (pair, vip, ()))

    def visible(self) -> list[bytes]:
        """All that operators can see: the files of the journal, and the status."""
        files = [path.read_bytes() for path in self.site.directory.glob("journal.sqlite*")]
        return [*files, json.dumps(status(self.agent)).encode()]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return site_of(tmp_path, monkeypatch)


@pytest.fixture
def on_site(site: Site, eventually: Eventually, caplog: pytest.LogCaptureFixture) -> Callable[..., None]:
    """Runs a scenario with an agent of a site whose VIP is on a host; the password appears nowhere."""

    async def with_agent(
        scenario: Callable[[MlcmdAgentHarness], Coroutine[Any, Any, None]], vip: str, deadline_ms: int
    ) -> None:
        values = {"directory": site.directory, "program": json.dumps(site.program), "deadline_ms": deadline_ms}
        file = site.directory / "switchover.toml"
        file.write_text(HEAD.format(**values) + "".join(MEMBER.format(**values, number=number) for number in (1, 2)))
        configuration, hosts = load(file), {}
        together: list[MlcmdConnection] = []

        def link(name: str, deliver: Callable[[Event], None]) -> Lca:
            hosts[name] = Lca(name, deliver, {A1 if name == H1 else A2: B}, name == vip)
            return hosts[name]

        def connect(name: str, deliver: Callable[[Event], None]) -> MlcmdConnection:
            mlcmd, controlled = Mlcmd(configuration.mlcmd), controlled_on(name, configuration)
            return MlcmdConnection(mlcmd, controlled, deadline_ms, functools.partial(link, name), deliver, together)

        upset: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: upset.append(context))
        journal = Journal(configuration.agent.journal)
        harness = MlcmdAgentHarness(site, Agent(configuration, journal, connect), hosts, eventually)
        harness.agent.start()
        try:
            await asyncio.wait_for(scenario(harness), 90)
            visible = harness.visible()
        finally:
            await asyncio.wait_for(harness.agent.close(), 20)
            journal.close()
        await eventually(no_child_is_left)
        assert upset == []
        assert not [text for text in (*visible, *harness.visible(), caplog.text.encode()) if b"xyzzy" in text]
        assert not [entry.text for _, entry in read(configuration.agent.journal) if entry.kind == "refused"]

    caplog.set_level(logging.DEBUG, "switchover")
    return lambda scenario, vip=H1, deadline_ms=AMPLE_MS: asyncio.run(with_agent(scenario, vip, deadline_ms))


ANSWERS = ["succeed", "fail", "echo", "say_bytes", "linger", "die"]


@pytest.mark.parametrize("first", [*ANSWERS, "hang"])
@pytest.mark.parametrize(("primary", "vip"), [(A1, H1), (A2, H2)])
def test_an_agent_that_starts_switches_nothing(on_site, primary: str, vip: str, first: str):
    """Both LCAs report backup, and mlcmd may need some time to report the modes."""

    async def scenario(harness: MlcmdAgentHarness) -> None:
        harness.site.is_primary(primary, status=[first, first, "succeed"])
        side = vip[-1]
        await harness.come_to_rest(f"redundant_{side}", f"held_{side}")
        assert harness.site.operations() == []
        assert {host: lca.scripts for host, lca in harness.hosts.items() if lca.scripts} in ({vip: ["AnnounceVip"]}, {})

    on_site(scenario, vip, SHORT_MS if first == "hang" else AMPLE_MS)


@pytest.mark.parametrize("how", ["succeed", "promise", "linger"])
def test_a_manual_switchover_takes_one_operation(on_site, how: str):
    """The old primary becomes backup when the other one becomes primary."""

    async def scenario(harness: MlcmdAgentHarness) -> None:
        await harness.come_to_rest("redundant_1", "held_1")
        harness.site.is_primary(A1, switchover=[how])
        harness.agent.switch(A2)
        await harness.come_to_rest("redundant_2", "held_2")
        assert harness.site.operations() == [f"{SWITCHOVER} 102"]

    on_site(scenario)


def test_a_primary_that_fails_is_replaced_and_comes_back_as_backup(on_site):
    async def scenario(harness: MlcmdAgentHarness) -> None:
        await harness.come_to_rest("redundant_1", "held_1")
        harness.hosts[H1].deliver(ApplicationReported(A1, D))
        await harness.come_to_rest("no_redundancy_2", "held_2")
        harness.hosts[H1].deliver(ApplicationReported(A1, B))
        await harness.come_to_rest("redundant_2", "held_2")
        assert harness.site.operations() == [f"{SWITCHOVER} 102"]

    on_site(scenario)


@pytest.mark.parametrize("lost", [ApplicationReported(A1, D), HostLost(H1), HostLeft(H1)])
def test_where_the_scs_has_switched_by_itself_no_operation_is_run(on_site, lost: Event):
    """It is primary already, so the promotion succeeds, and the VIP follows."""

    async def scenario(harness: MlcmdAgentHarness) -> None:
        await harness.come_to_rest("redundant_1", "held_1")
        harness.site.is_primary(A2)
        harness.hosts[H1].deliver(lost)
        pair, vip = ("no_redundancy_2", "held_2") if lost == ApplicationReported(A1, D) else ("peer_lost_2", "owed_2")
        await harness.come_to_rest(pair, vip)
        assert harness.site.operations() == []
        assert "EnableVip" in harness.hosts[H2].scripts

    on_site(scenario)


def test_a_primary_that_returns_is_demoted_or_turns_out_to_be_backup(on_site):
    async def scenario(harness: MlcmdAgentHarness) -> None:
        await harness.come_to_rest("redundant_1", "held_1")
        harness.hosts[H1].deliver(HostLost(H1))
        await harness.come_to_rest("peer_lost_2", "owed_2")
        harness.hosts[H1].vip_held = True
        harness.hosts[H1].start()
        await harness.come_to_rest("redundant_2", "held_2")
        assert harness.site.operations() == [f"{SWITCHOVER} 102"]

    on_site(scenario)


TROUBLE = [{"switchover": [how, "succeed"]} for how in ("fail", "die", "flood_and_fail", "hang", "do_nothing")]
TROUBLE += [{"status": [how, how, "succeed"]} for how in ("fail", "echo", "say_bytes", "flood", "hang")]
TROUBLE += [{"status": ["succeed", how, how, "succeed"]} for how in ("fail", "echo", "hang")]


@pytest.mark.parametrize("behaviour", TROUBLE, ids=json.dumps)
def test_a_takeover_succeeds_whatever_is_wrong_with_mlcmd(on_site, behaviour: dict[str, list[str]]):
    """A failed command is tried again; after an unclear one, the mode is read first."""

    async def scenario(harness: MlcmdAgentHarness) -> None:
        await harness.come_to_rest("redundant_1", "held_1")
        harness.site.is_primary(A1, **behaviour)
        harness.hosts[H1].deliver(ApplicationReported(A1, D))
        await harness.come_to_rest("no_redundancy_2", "held_2")
        assert set(harness.site.operations()) == {f"{SWITCHOVER} 102"}
        assert harness.agent.journal.flush()
        texts = [entry.text for _, entry in read(harness.agent.configuration.agent.journal)]
        is_looked_at = any(text.startswith(("timed out", "unclear")) for text in texts)
        assert ("look at SIP_Server_2" in texts) is is_looked_at

    slow = any(how in ("hang", "do_nothing") for kinds in behaviour.values() for how in kinds)
    on_site(scenario, deadline_ms=SHORT_MS if slow else AMPLE_MS)


@pytest.mark.parametrize("behaviour", TROUBLE, ids=json.dumps)
def test_a_switchover_is_made_or_given_up_whatever_is_wrong_with_mlcmd(on_site, behaviour: dict[str, list[str]]):
    """The VIP is where the primary is, and mlcmd agrees."""

    async def scenario(harness: MlcmdAgentHarness) -> None:
        await harness.come_to_rest("redundant_1", "held_1")
        harness.site.is_primary(A1, **behaviour)
        harness.agent.switch(A2)
        await harness.eventually(lambda: harness.state() in [(f"redundant_{s}", f"held_{s}", ()) for s in (1, 2)])
        pair, _, _ = harness.state()
        applications = json.loads((harness.site.directory / "state.json").read_text())["applications"]
        assert [each["mode"] for each in applications] == (
            ["primary", "backup"] if pair == "redundant_1" else ["backup", "primary"]
        )

    slow = any(how in ("hang", "do_nothing") for kinds in behaviour.values() for how in kinds)
    on_site(scenario, deadline_ms=SHORT_MS if slow else AMPLE_MS)
