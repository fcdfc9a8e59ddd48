"""An agent that only observes: it follows events, sends no command, and journals the commands it would have given."""

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve
from support.topologies import TAKEOVER
from switchover.agent.configuration.load import load
from switchover.agent.controller.agent import OBSERVING, Agent
from switchover.agent.controller.operator_socket import answer
from switchover.agent.explain.status_text import as_text
from switchover.agent.history.causal_chain import chain
from switchover.agent.history.incidents import incidents, is_at_rest
from switchover.agent.history.journal import read, replay
from switchover.agent.history.observe_mode import as_reported, without_pending
from switchover.agent.history.writer import Journal
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.agent.simulation import virtual_time
from switchover.fsm import (
    PAIR,
    PLACEMENT,
    VIP,
    ApplicationReported,
    Event,
    HostCommand,
    HostConnected,
    HostLost,
    HostReport,
    Mode,
    PairState,
    Promote,
    SolutionState,
    VipReported,
)
from switchover.fsm.facts import joint_view

H1, H2 = "host1", "host2"
A1, A2 = "SIP_Server_1", "SIP_Server_2"
DEADLINE_MS = 2000


@define(eq=False)
class Watched:
    """The connection to a host that is switched from outside."""

    deliver: Callable[[Event], None]
    heard_at: float | None = None

    def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        raise AssertionError(f"an observer has sent a command: {command}")


@define(eq=False)
class ObserverHarness:
    agent: Agent
    hosts: dict[str, Watched]

    @property
    def path(self) -> Path:
        """The journal's file, once everything so far is written."""
        assert self.agent.journal.flush()
        return self.agent.configuration.agent.journal

    def connect(self) -> None:
        """[S2] State prior to switchover."""
        self.hosts[H1].deliver(HostConnected(H1, HostReport({A1: Mode.PRIMARY}, vip_held=True)))
        self.hosts[H2].deliver(HostConnected(H2, HostReport({A2: Mode.BACKUP}, vip_held=False)))

    def texts_of(self, *kinds: str) -> list[str]:
        return [entry.text for _, entry in read(self.path) if entry.kind in kinds]


def configuration(directory: Path) -> Path:
    members = [(name, directory / f"{name}.pid", ("true",), ("true",), ("true",)) for name in (A1, A2)]
    file = directory / "switchover.toml"
    addresses = ["127.0.0.1", "127.0.0.2"]
    file.write_text(configuration_text(directory, LabSettings(), ["127.0.0.10/24"], addresses, members))
    return file


@pytest.fixture
def observing(tmp_path: Path) -> Callable[[Callable[[ObserverHarness], Coroutine[Any, Any, None]]], None]:
    """Runs a scenario with an observing agent, in virtual time; its journal must replay to the state at its end."""
    settings = load(configuration(tmp_path))

    async def with_agent(scenario: Callable[[ObserverHarness], Coroutine[Any, Any, None]]) -> SolutionState:
        hosts: dict[str, Watched] = {}

        def connect(name: str, deliver: Callable[[Event], None]) -> Watched:
            hosts[name] = Watched(deliver)
            return hosts[name]

        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual_time.VirtualLoop)
        journal = Journal(settings.agent.journal)
        agent = Agent(settings, journal, connect, observe=True, clock=loop.clock)
        agent.start()
        try:
            await scenario(ObserverHarness(agent, hosts))
        finally:
            await agent.close()
            journal.close()
        return agent.solution.state

    def run(scenario: Callable[[ObserverHarness], Coroutine[Any, Any, None]]) -> None:
        state = virtual_time.run(with_agent(scenario))
        assert list(replay(settings.agent.journal))[-1].after == state

    return run


def test_changes_by_others_are_followed_and_withheld_commands_journalled(observing, tmp_path):
    async def scenario(harness: ObserverHarness) -> None:
        harness.connect()
        harness.hosts[H1].deliver(ApplicationReported(A1, Mode.DOWN))
        await asyncio.sleep(0.1)
        harness.hosts[H2].deliver(ApplicationReported(A2, Mode.PRIMARY))
        await asyncio.sleep(0.1)
        harness.hosts[H1].deliver(VipReported(H1, held=False))
        harness.hosts[H2].deliver(VipReported(H2, held=True))
        state = harness.agent.solution.state
        assert (state.pairs[0].state, state.vip, state.placement, state.pending) == (
            "no_redundancy_2",
            "held_2",
            "together_2",
            (),
        )
        assert [text for text in harness.texts_of("command") if text.startswith("withheld: ")] == [
            "withheld: announce_vip host1",
            "withheld: promote SIP_Server_2",
            "withheld: disable_vip host1",
            "withheld: enable_vip host2",
            "withheld: announce_vip host2",
            "withheld: announce_vip host2",
        ]
        assert harness.texts_of("start") == ["the agent starts, observing: nothing is done"]

    observing(scenario)
    last = list(incidents(tmp_path / "journal.sqlite"))[-1]
    assert (last.outcome, last.is_over) == ("SIP Server: host1 -> host2; VIP: host1 -> host2; redundancy lost", True)
    results = [(link.text, link.result) for link in chain(last) if link.result]
    assert results == [
        (text, "withheld: the agent only observes")
        for text in (f"promote {A2}", "disable_vip host1", "enable_vip host2", *["announce_vip host2"] * 2)
    ]


def test_a_lost_host_is_followed_too(observing):
    async def scenario(harness: ObserverHarness) -> None:
        harness.connect()
        harness.hosts[H1].deliver(HostLost(H1))
        harness.hosts[H2].deliver(ApplicationReported(A2, Mode.PRIMARY))
        harness.hosts[H2].deliver(VipReported(H2, held=True))
        state = harness.agent.solution.state
        assert (state.pairs[0].state, state.vip) == ("peer_lost_2", "owed_2")
        report = HostReport({A1: Mode.PRIMARY}, vip_held=True)
        harness.hosts[H1].deliver(HostConnected(H1, report))
        assert harness.agent.solution.state.pairs[0].state == "split_brain_2"
        harness.hosts[H1].deliver(ApplicationReported(A1, Mode.BACKUP))
        harness.hosts[H1].deliver(VipReported(H1, held=False))
        state = harness.agent.solution.state
        assert (state.pairs[0].state, state.vip, state.pending) == ("redundant_2", "held_2", ())

    observing(scenario)


def test_a_withheld_command_is_given_up_after_a_while_and_given_again_later(observing, tmp_path):
    """Otherwise an old request would hide the next one."""

    async def scenario(harness: ObserverHarness) -> None:
        harness.connect()
        settled = harness.agent.solution.state
        for count in (1, 2):
            harness.agent.take_log_message("00-5150", A2)
            assert harness.agent.solution.state.pairs[0].state == "demoting_2"
            await asyncio.sleep((DEADLINE_MS + 1) / 1000)
            assert harness.agent.solution.state == settled
            assert harness.texts_of("command").count("withheld: demote SIP_Server_1") == count
            assert len(harness.texts_of("observed")) == count

    observing(scenario)
    later = list(incidents(tmp_path / "journal.sqlite"))[1:]
    assert [(incident.outcome, incident.is_over) for incident in later] == [("nothing was moved", True)] * 2
    assert [(link.kind, link.text) for link in chain(later[0])][-2:] == [
        ("event", "nobody did what was withheld: the states are taken from what the hosts report"),
        ("observed", "SIP Server demoting_2 -> redundant_1"),
    ]


def test_an_incident_goes_on_while_no_application_is_primary(observing, tmp_path):
    async def scenario(harness: ObserverHarness) -> None:
        harness.connect()
        harness.hosts[H1].deliver(ApplicationReported(A1, Mode.DOWN))
        await asyncio.sleep(60)
        assert harness.agent.solution.state.pairs[0].state == "taking_over_2"
        assert harness.texts_of("observed") == []

    observing(scenario)
    assert not list(incidents(tmp_path / "journal.sqlite"))[-1].is_over


def test_an_operator_is_refused_with_the_reason(observing):
    async def scenario(harness: ObserverHarness) -> None:
        harness.connect()
        before = harness.agent.solution.state
        asked = ({"do": "switch", "to": A2}, {"do": "switch", "to": H2}, {"do": "stop", "application": A2})
        for request in (*asked, {"do": "start", "application": A2}):
            assert answer(harness.agent, request) == {"ok": False, "text": OBSERVING}
        assert harness.agent.solution.state == before
        assert harness.texts_of("refused") == [
            f"{what} SIP_Server_2: {OBSERVING}"
            for what in ("requested", "requested", "stop requested", "start requested")
        ]
        status = answer(harness.agent, {"do": "status"})["status"]
        assert as_text(status).splitlines()[0] == "solution lab: as it should be; observing: nothing is done"

    observing(scenario)


SETTLED = SolutionState(
    links=("connected", "connected"),
    pairs=(PairState("redundant_1", (Mode.PRIMARY, Mode.BACKUP)),),
    applications=("up", "up"),
    alarms=("clear",) * 4,
    vip="held_1",
    placement="together_1",
    view="side1_together",
    vip_held=(True, False),
)


def test_a_withheld_command_is_not_pending():
    assert without_pending(evolve(SETTLED, pending=(Promote(H2, A2, id=7),))) == SETTLED


@pytest.mark.parametrize("pair", PAIR.all_states)
@pytest.mark.parametrize("placement", PLACEMENT.all_states)
def test_only_a_machine_that_waits_takes_the_state_of_the_hosts(pair, placement):
    before = evolve(SETTLED, pairs=(evolve(SETTLED.pairs[0], state=pair),), placement=placement, view="busy")
    after = as_reported(TAKEOVER, before)
    waits = pair.startswith(("demoting", "promoting", "split_brain", "both_backup", "taking_over"))
    assert after.pairs[0].state == ("redundant_1" if waits else pair)
    if placement.startswith(("gathering", "waiting")):
        assert after.placement == {"1": "together_1", "2": "together_2"}.get(_side(after), "unplaced")
    else:
        assert after.placement == placement
    assert after.view == ("busy" if after == before else joint_view(TAKEOVER, after))
    assert as_reported(TAKEOVER, after) == after


def _side(state: SolutionState) -> str:
    """The side of the primary, if the pair has one."""
    pair = state.pairs[0].state
    return pair[-1] if pair.startswith(("redundant", "no_redundancy", "peer_lost")) else ""


@pytest.mark.parametrize("vip", VIP.all_states)
@pytest.mark.parametrize("held", [*itertools.product((True, False), repeat=2), (True, None), (None, False)])
def test_a_moving_vip_takes_the_place_that_the_hosts_report(vip, held):
    links = tuple("lost" if each is None else "connected" for each in held)
    after = as_reported(TAKEOVER, evolve(SETTLED, vip=vip, vip_held=held, links=links))
    seen = {
        (True, True): vip,
        (True, False): "held_1",
        (False, True): "held_2",
        (False, False): "off",
        (True, None): "owed_1",
        (None, False): "absent_2",
    }[held]
    is_settled = is_at_rest(evolve(SETTLED, vip=vip))
    assert after.vip == (vip if is_settled else seen)


@pytest.mark.parametrize(
    ("modes", "links", "expected"),
    [
        ((Mode.PRIMARY, Mode.BACKUP), ("connected", "connected"), "redundant_1"),
        ((Mode.DOWN, Mode.PRIMARY), ("connected", "connected"), "no_redundancy_2"),
        ((None, Mode.PRIMARY), ("lost", "connected"), "peer_lost_2"),
        ((None, Mode.PRIMARY), ("doubtful", "connected"), "demoting_2"),
        ((Mode.PRIMARY, Mode.PRIMARY), ("connected", "connected"), "demoting_2"),
        ((Mode.BACKUP, Mode.BACKUP), ("connected", "connected"), "demoting_2"),
    ],
)
def test_a_pair_takes_the_side_of_its_only_primary(modes, links, expected):
    before = evolve(SETTLED, pairs=(PairState("demoting_2", modes),), links=links)
    assert as_reported(TAKEOVER, before).pairs[0].state == expected


def test_the_command_line_makes_the_daemon_observe_and_the_status_shows_it(tmp_path):
    file = configuration(tmp_path)
    command = (sys.executable, "-W", "error", "-m", "switchover.agent")
    subprocess.run([*command, "keys", "-c", file], check=True, capture_output=True)  # noqa: S603  # our own
    with subprocess.Popen([*command, "agent", "--observe", "-c", file], stderr=subprocess.PIPE) as agent:  # noqa: S603
        try:
            deadline = time.monotonic() + 30
            while not (tmp_path / "agent.sock").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            status = subprocess.run([*command, "status", "-c", file], capture_output=True, text=True, check=False)  # noqa: S603
            switch = subprocess.run([*command, "switch", A2, "-c", file], capture_output=True, text=True, check=False)  # noqa: S603
        finally:
            agent.terminate()
    assert "observing: nothing is done" in status.stdout.splitlines()[0]
    assert (switch.returncode, switch.stdout, switch.stderr) == (1, "", f"{OBSERVING}{os.linesep}")
