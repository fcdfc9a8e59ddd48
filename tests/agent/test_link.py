"""The link over real sockets: reports, events, commands and goodbyes between a host and the agent."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.link_ends import (
    CONNECTED,
    DETECTION_MS,
    ENABLE,
    LEFT,
    LOST,
    PATIENCE_S,
    REPORT,
    Peer,
    Site,
    refusals_in,
    running,
    site_with_keys,
)
from support.ports import free_port
from switchover.drivers.errors import DriverError
from switchover.drivers.link.lca_end import LcaLink
from switchover.drivers.link.wire import Goodbye, Hello, Order
from switchover.fsm.commands import EnableVip, HostCommand
from switchover.fsm.events import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    HostReport,
    Mode,
    VipReported,
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with_keys(tmp_path)


@pytest.fixture
def refusals(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    return refusals_in(caplog)


# Reports, commands and events


def test_commands_go_one_way_and_events_the_other(site: Site, eventually):
    """The report comes first, then all events in order; a command comes with its id and its deadline."""
    carried_out = []
    events = [VipReported("host1", held=False), ApplicationReported("sip1", Mode.DOWN), CommandSucceeded(7)]

    async def scenario():
        lca = site.lca_link(execute=lambda command, deadline_ms: carried_out.append((command, command.id, deadline_ms)))
        agent = site.host_link()
        async with running(lca, agent):
            await eventually(lambda: site.events)
            agent.send(ENABLE, 2000)
            await eventually(lambda: carried_out)
            for event in events:
                lca.send(event)
            await eventually(lambda: len(site.events) == 4)

    asyncio.run(scenario())
    assert carried_out == [(ENABLE, 7, 2000)]
    assert site.events == [CONNECTED, *events]
    assert site.heard == [True]


def test_a_command_of_an_agent_that_was_held_up_is_carried_out(site: Site, eventually):
    """It is as old as what the agent *could* have heard by then, not as what it had time to read."""
    site.detection_ms = 1000
    carried_out, over = [], threading.Event()

    def execute(command: HostCommand, _: int) -> None:
        carried_out.append(command)
        lca.send(CommandSucceeded(command.id))

    async def serve() -> None:
        nonlocal lca
        lca = site.lca_link(execute=execute)
        async with running(lca):
            await asyncio.to_thread(over.wait)

    async def scenario() -> None:
        agent = site.host_link()
        async with running(agent):
            await eventually(lambda: CONNECTED in site.events)
            time.sleep(1.5)  # a loop that is held up
            agent.send(ENABLE, 2000)
            await eventually(lambda: len(site.events) == 2)

    lca: LcaLink
    host = threading.Thread(target=lambda: asyncio.run(serve()))
    host.start()
    try:
        asyncio.run(scenario())
    finally:
        over.set()
        host.join()
    assert carried_out == [ENABLE]
    assert site.events == [CONNECTED, CommandSucceeded(7)]


def test_a_link_over_ipv6(site: Site, eventually):
    """An endpoint may be an IPv6 address."""
    try:
        site.port = free_port("::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    site.address = "::1"

    async def scenario():
        async with running(site.lca_link(), site.host_link()):
            await eventually(lambda: site.events)

    asyncio.run(scenario())
    assert site.events == [CONNECTED]


def test_the_report_comes_first_however_long_it_takes(site: Site, eventually):
    """Heartbeats keep the session alive until then, and events of this time are sent after the report."""
    happened = VipReported("host1", held=False)

    async def report_slowly() -> HostReport:
        lca.send(happened)
        await asyncio.sleep(3 * DETECTION_MS / 1000)
        return REPORT

    async def scenario():
        nonlocal lca
        lca = site.lca_link(report=report_slowly)
        async with running(lca, site.host_link()):
            await eventually(lambda: len(site.events) == 2)

    lca: LcaLink
    asyncio.run(scenario())
    assert site.events == [CONNECTED, happened]


def test_a_report_that_fails_ends_the_session_and_is_asked_for_again(site: Site, eventually, refusals):
    """The log says why the host does not connect."""
    attempts = []

    async def report_at_second_try() -> HostReport:
        attempts.append(1)
        if len(attempts) == 1:
            raise DriverError("the interface is gone")
        return REPORT

    async def scenario():
        async with running(site.lca_link(report=report_at_second_try), site.host_link()):
            await eventually(lambda: CONNECTED in site.events)

    asyncio.run(scenario())
    assert site.events == [LOST, CONNECTED]
    assert "no report for the agent" in refusals()


def test_events_without_a_connected_agent_are_dropped(site: Site, eventually, refusals):
    """Without an agent an event is dropped; too many before the report end the session, and the next one is whole."""
    happened = VipReported("host1", held=False)
    attempts = []

    async def report_at_second_try() -> HostReport:
        attempts.append(1)
        if len(attempts) == 1:
            for _ in range(401):
                lca.send(happened)
            await asyncio.sleep(PATIENCE_S)
        return REPORT

    async def scenario():
        nonlocal lca
        lca = site.lca_link(report=report_at_second_try)
        async with running(lca, site.host_link()):
            lca.send(happened)
            await eventually(lambda: CONNECTED in site.events)

    lca: LcaLink
    asyncio.run(scenario())
    assert site.events == [LOST, CONNECTED]


def test_a_solicitation_that_fails_is_tried_again(site: Site, eventually):
    """An interface that is down now may be up soon."""

    def fail(agent_address: str) -> None:
        site.solicited.append(agent_address)
        raise DriverError("the interface is down")

    async def scenario():
        async with running(site.lca_link(solicit=fail)):
            async with running(site.host_link()):
                await eventually(lambda: site.heard == [True])
            await eventually(lambda: len(site.solicited) > 2)
            async with running(site.host_link()):
                await eventually(lambda: site.heard == [True, False, True])

    asyncio.run(scenario())


def test_a_command_that_the_lca_cannot_carry_out_fails_at_once(site: Site, eventually):
    """A `DriverError` of `execute` is the command's result; so is a command for another host."""

    def refuse(command: HostCommand, _: int) -> None:
        raise DriverError(f"no such interface \udcff{'!' * 2000}")

    async def scenario():
        agent = site.host_link()
        async with running(site.lca_link(execute=refuse), agent):
            await eventually(lambda: site.events)
            agent.send(EnableVip("host1", id=1), 1000)
            agent.send(EnableVip("host2", id=2), 1000)
            await eventually(lambda: len(site.events) == 3)

    asyncio.run(scenario())
    _, first, second = site.events
    assert isinstance(first, CommandFailed)
    assert (first.id, first.reason[:20], len(first.reason)) == (1, "no such interface ?!", 1000)
    assert second == CommandFailed(2, "the command is for host 'host2', this is 'host1'")


def test_a_command_without_a_connection_fails_at_once(site: Site, eventually):
    """And `HostLost` is delivered once, however long the host does not answer."""

    async def scenario():
        agent = site.host_link()
        async with running(agent):
            agent.send(ENABLE, 1000)
            await eventually(lambda: LOST in site.events)
            await asyncio.sleep(3 * DETECTION_MS / 1000)

    asyncio.run(scenario())
    assert site.events == [CommandFailed(7, "not sent: there is no connection to host host1"), LOST]


def test_a_host_says_goodbye_and_returns(site: Site, eventually):
    """`HostLeft` stands in for `HostLost`, and a host that starts again connects again."""

    async def scenario():
        async with running(site.host_link()):
            async with running(site.lca_link()):
                await eventually(lambda: site.events)
            await eventually(lambda: LEFT in site.events)
            async with running(site.lca_link()):
                await eventually(lambda: len(site.events) == 3)
            await eventually(lambda: len(site.events) == 4)

    asyncio.run(scenario())
    assert site.events == [CONNECTED, LEFT, CONNECTED, LEFT]


def test_a_goodbye_before_the_welcome_is_a_loss(site: Site, eventually):
    """A host that was never connected cannot leave."""

    async def scenario():
        async with Peer(site, "host1", "agent") as lca, running(site.host_link()):
            await lca.receive(Hello)
            await lca.send(Goodbye())
            await eventually(lambda: site.events)

    asyncio.run(scenario())
    assert site.events == [LOST]


def test_a_long_queue_is_carried_out_in_order(site: Site, eventually):
    """However much comes at once, nothing is lost or overtaken."""
    commands = [EnableVip("host1", id=number) for number in range(1, 2501)]

    async def scenario():
        async with running(site.lca_link()), Peer(site, "agent", "host1") as agent:
            await agent.join(detection_ms=60_000)
            for command in commands:
                await agent.send(Order(command, 1000))
            await eventually(lambda: len(site.executed) == len(commands))

    asyncio.run(scenario())
    assert [command.id for command in site.executed] == [command.id for command in commands]


# Settings


def test_a_name_is_not_an_address(site: Site):
    """Looking a name up could block the agent."""
    site.address = "localhost"
    with pytest.raises(DriverError, match="'localhost' is not an IP address"):
        site.host_link()
    with pytest.raises(DriverError, match="'localhost' is not an IP address"):
        site.lca_link()


def test_an_address_in_use_is_an_error(site: Site):
    """Two LCAs cannot listen at one address."""

    async def scenario():
        second = site.lca_link()
        async with running(site.lca_link()):
            with pytest.raises(
                DriverError, match=f"cannot listen at tcp://127.0.0.1:{site.port}: Address already in use"
            ):
                second.start()
            await second.close()

    asyncio.run(scenario())
