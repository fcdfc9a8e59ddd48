"""Two data centres: 40 ms round trip, jitter and 2 % loss, on a real network stack."""

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.far_wire import FarWire
from support.link_ends import (
    CONNECTED,
    ENABLE,
    HEARD,
    LOST,
    PATIENCE_S,
    SILENT,
    Peer,
    Site,
    refusals_in,
    running,
    site_with_keys,
)
from switchover.drivers.link.wire import Heartbeat, Hello
from switchover.fsm.commands import EnableVip
from switchover.fsm.events import HostReport, Mode, VipReported

HEARTBEATS = 40


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with_keys(tmp_path)


@pytest.fixture
def refusals(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    return refusals_in(caplog)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_far_host_stays_connected_and_is_lost_only_by_a_cut(site: Site, apart, eventually, seed: int):
    """Commands and reports arrive once each, and in order, whatever frames are lost."""
    agent_side, host_side = apart
    site.address, site.detection_ms = "198.51.100.2", 2000
    commands = [EnableVip("host1", id=number) for number in range(1, HEARTBEATS + 1)]
    over = threading.Event()

    async def host() -> None:
        lca = site.lca_link(execute=lambda command, _: (site.executed.append(command), lca.send(REPORTED)))
        async with running(lca):
            await eventually(over.is_set)

    async def agent(wire: FarWire) -> None:
        link = site.host_link()
        async with running(link):
            await eventually(lambda: site.events)
            for command in commands:
                link.send(command, 10_000)
                await asyncio.sleep(0.1)
            await eventually(lambda: site.events.count(REPORTED) == len(commands))
            assert notable(site) == [CONNECTED]
            wire.cut()
            await eventually(lambda: LOST in site.events)
            wire.heal()
            await eventually(lambda: site.events[-1] == CONNECTED)
            link.send(ENABLE, 10_000)
            await eventually(lambda: site.events[-1] == REPORTED)
        over.set()

    with (
        FarWire(agent_side, host_side, delay_ms=20, jitter_ms=5, loss=0.02, seed=seed) as wire,
        ThreadPoolExecutor(1) as elsewhere,
    ):
        lca = elsewhere.submit(host_side.run, host())
        try:
            agent_side.run(agent(wire))
        finally:
            over.set()
        lca.result(PATIENCE_S)
    assert site.executed == [*commands, ENABLE]
    assert notable(site) == [CONNECTED, LOST, CONNECTED]


def test_a_host_that_is_too_far_away_for_the_detection_time_is_warned_of(site: Site, eventually, refusals):
    """The answer comes late, by the agent's own clock."""
    site.detection_ms = 1000

    async def scenario() -> None:
        async with Peer(site, "host1", "agent") as lca, running(site.host_link()):
            await lca.receive(Hello)
            await asyncio.sleep(0.15)
            while "at least" not in refusals():
                await lca.send(Heartbeat(hearing=True))
                await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))
    warning = (
        r"host host1: an answer took (\d+) ms, which is more than a tenth of detection_ms \(1000\): .* at least (\d+)$"
    )
    took_ms, advised_ms = re.search(warning, refusals(), re.MULTILINE).groups()
    assert (int(took_ms) > 100, int(advised_ms)) == (True, 10 * int(took_ms))


def test_a_host_that_does_not_answer_is_reported_with_the_limit_of_its_distance(site: Site, eventually, caplog):
    caplog.set_level("INFO", "switchover.link")

    async def scenario() -> None:
        async with running(site.host_link()):
            await eventually(lambda: site.events == [LOST])

    asyncio.run(scenario())
    endpoint = f"tcp://127.0.0.1:{site.port}"
    limit = "farther away than 60 ms, a fifth of detection_ms"
    assert f"host host1 at {endpoint} does not answer: it is down, cut off, or {limit}" in caplog.text


def test_a_report_that_is_too_long_is_an_error_that_names_the_limit(site: Site, eventually, refusals):
    report = HostReport({f"application {number}": Mode.UP for number in range(1000)}, vip_held=False)

    async def report_at_once() -> HostReport:
        return report

    async def scenario() -> None:
        async with running(site.lca_link(report=report_at_once), site.host_link()):
            await eventually(lambda: "at most 16384 are allowed" in refusals())

    asyncio.run(scenario())
    assert "host host1: the report for the agent is too long: " in refusals()


def test_a_report_that_takes_too_long_ends_the_session_with_the_limit(site: Site, eventually, caplog):
    caplog.set_level("INFO", "switchover.link")

    async def never() -> HostReport:
        await asyncio.sleep(PATIENCE_S)
        raise AssertionError

    async def scenario() -> None:
        async with running(site.lca_link(report=never, report_ms=50), site.host_link()):
            await eventually(lambda: "the report of this host took longer than 50 ms" in caplog.text)

    asyncio.run(scenario())
    assert "Traceback" not in caplog.text


REPORTED = VipReported("host1", held=True)


def notable(site: Site) -> list[object]:
    return [event for event in site.events if event not in (SILENT, HEARD, REPORTED)]
