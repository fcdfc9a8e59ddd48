"""The LCA and the Virtual IP on a real host: kernel, addresses and frames, in network namespaces."""

import asyncio
import functools
import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from support.lca_at_work import A1, A2, H1, VIP, Agent, run_with_lca
from support.lca_vip import BARE, AnnouncementListener, change, configuration, held, mac_of
from switchover.agent.host.lca import Lca
from switchover.drivers.errors import DriverError
from switchover.drivers.link.wire import HostEvent
from switchover.drivers.vip.addresses import NetlinkAddresses
from switchover.drivers.vip.frames import announcement
from switchover.drivers.vip.packets import packet_socket
from switchover.fsm import (
    AnnounceVip,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    DisableVip,
    EnableVip,
    HostReport,
    LookAtVip,
    Mode,
    Promote,
    VipReported,
)

IPV4, IPV6 = VIP


@pytest.fixture
def with_lca(tmp_path) -> Callable[..., None]:
    """Runs a scenario in a namespace: see `run_with_lca`."""
    return functools.partial(run_with_lca, configuration(tmp_path))


@pytest.fixture
def listener(wired):
    listener = AnnouncementListener(wired[1])
    yield listener
    listener.close()


# Start and end


def test_it_starts_with_the_vip_down_even_if_it_was_up(host, with_lca):
    change(host, "add")

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert held(host) == set()
        assert await lca.report() == HostReport({A1: Mode.DOWN}, vip_held=False, primary_for_ms={})
        await asyncio.sleep(0.2)
        assert agent.events == []

    with_lca(host, scenario)


def test_it_ends_with_the_vip_released(host, with_lca):
    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(EnableVip(H1))
        assert held(host) == set(VIP)

    with_lca(host, scenario)
    assert held(host) == set()


@pytest.mark.parametrize("here", [VIP, VIP[:1]])
def test_an_lca_that_observes_reports_the_vip_and_leaves_it_alone(host, with_lca, here):
    change(host, "add", *here)

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert await lca.report() == HostReport({A1: Mode.DOWN}, vip_held=True, primary_for_ms={})
        for number, command in enumerate((DisableVip(H1), EnableVip(H1), Promote(H1, A1)), start=1):
            assert await agent.result(command) == CommandFailed(number, "host1 is only observed")
        assert held(host) == set(here)

    with_lca(host, scenario, observe=True)
    assert held(host) == set(here)


def test_a_command_during_its_end_is_refused_and_the_vip_stays_released(host, with_lca):
    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(EnableVip(H1))
        closing = asyncio.create_task(lca.close())
        await asyncio.sleep(0)
        late = agent.give(EnableVip(H1))
        await closing
        assert held(host) == set()
        assert agent.events[-1] == CommandFailed(late, "the LCA of host1 is stopping")

    with_lca(host, scenario)


def test_a_host_without_the_configured_interface_is_an_error_of_one_line(host, tmp_path):
    settings = configuration(tmp_path)

    async def scenario() -> None:
        lca = Lca(settings, evolve(settings.hosts[0], interface="eth7"), NetlinkAddresses("eth7", VIP))
        try:
            await lca.start()
        finally:
            await lca.close()

    with pytest.raises(DriverError, match="there is no interface eth7"):
        host.run(scenario())


# The agent's commands


def test_an_enabled_vip_is_on_the_interface_and_announced(wired, listener, with_lca):
    host, _ = wired
    mac = mac_of(host)
    announcements = [("advertisement", BARE[1], mac), ("reply", BARE[0], mac), ("request", BARE[0], mac)]

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert await agent.result(EnableVip(H1)) == CommandSucceeded(1)
        assert held(host) == set(VIP)
        assert (await lca.report()).vip_held
        assert sorted(listener.take()) == sorted(announcements * 5)
        assert await agent.result(AnnounceVip(H1)) == CommandSucceeded(2)
        assert sorted(listener.take()) == sorted(announcements * 5)
        assert await agent.result(DisableVip(H1)) == CommandSucceeded(3)
        assert (held(host), (await lca.report()).vip_held) == (set(), False)

    with_lca(host, scenario)


def test_a_vip_that_is_not_held_is_not_announced(wired, listener, with_lca):
    host, _ = wired

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert await agent.result(AnnounceVip(H1)) == CommandFailed(1, "this host does not hold the VIP")
        assert listener.take() == []

    with_lca(host, scenario)


def test_a_partly_enabled_vip_is_announced_in_part_and_the_command_fails(wired, listener, with_lca):
    host, _ = wired
    host.call(Path("/proc/sys/net/ipv6/conf/eth0/disable_ipv6").write_text, "1")

    async def scenario(lca: Lca, agent: Agent) -> None:
        failure = await agent.result(EnableVip(H1))
        assert isinstance(failure, CommandFailed)
        assert failure.reason.startswith(f"{IPV6} is not on eth0: ")
        assert held(host) == {IPV4}
        mac = mac_of(host)
        assert sorted(listener.take()) == [("reply", BARE[0], mac)] * 5 + [("request", BARE[0], mac)] * 5
        assert agent.reports() == []
        assert await agent.result(DisableVip(H1)) == CommandSucceeded(2)
        assert held(host) == set()

    with_lca(host, scenario)


def test_the_neighbour_s_cache_follows(wired, with_lca, eventually):
    """The purpose of a takeover: until now the neighbour has sent to another host."""
    host, neighbour = wired

    def cached() -> list[str | None]:
        return [entry.get("lladdr") for entry in json.loads(neighbour.ip(f"-json neigh show {BARE[0]} dev eth0"))]

    async def scenario(lca: Lca, agent: Agent) -> None:
        neighbour.ip(f"neigh replace {BARE[0]} lladdr 02:00:00:00:00:99 dev eth0 nud stale")
        await agent.result(EnableVip(H1))
        await eventually(lambda: cached() == [mac_of(host)])

    with_lca(host, scenario)


def test_commands_for_the_vip_are_carried_out_in_order_of_arrival(host, with_lca, eventually):
    async def scenario(lca: Lca, agent: Agent) -> None:
        for _ in range(5):
            agent.give(EnableVip(H1))
            agent.give(AnnounceVip(H1))
            agent.give(DisableVip(H1))
        await eventually(lambda: len(agent.events) == 15)
        assert agent.events == [CommandSucceeded(number) for number in range(1, 16)]
        assert held(host) == set()

    with_lca(host, scenario)


@pytest.mark.parametrize(
    ("command", "what"),
    [(EnableVip("host2"), "VIP"), (Promote("host2", A1), A1), (Promote(H1, A2), A2), (Promote(H1, "x"), "x")],
)
def test_a_command_for_another_host_or_application_is_refused(host, with_lca, command, what):
    async def scenario(lca: Lca, agent: Agent) -> None:
        reason = f"host1 has no {what}: the agent and this host have different configurations"
        assert await agent.result(command) == CommandFailed(1, reason)
        assert held(host) == set()

    with_lca(host, scenario)


def test_without_its_interface_the_vip_cannot_be_enabled_and_counts_as_free(host, with_lca, eventually):
    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(EnableVip(H1))
        host.ip("link delete eth0")
        await eventually(lambda: agent.reports() == [VipReported(H1, held=False)])
        failure = await agent.result(EnableVip(H1))
        assert isinstance(failure, CommandFailed)
        assert "eth0" in failure.reason
        assert not (await lca.report()).vip_held
        assert await agent.result(DisableVip(H1)) == CommandSucceeded(3)  # as the command wants it

    with_lca(host, scenario)


def test_a_vip_that_cannot_be_announced_is_a_failure_and_is_reported_held(host, with_lca, eventually):
    async def scenario(lca: Lca, agent: Agent) -> None:
        host.ip("link set eth0 down")
        failure = await agent.result(EnableVip(H1))
        assert isinstance(failure, CommandFailed)
        await eventually(lambda: not lca._tasks)
        assert (await lca.report()).vip_held == (held(host) == set(VIP))
        assert agent.reports() == ([VipReported(H1, held=True)] if held(host) == set(VIP) else [])

    with_lca(host, scenario)


class SlowAddresses(NetlinkAddresses):
    """Addresses that are on the interface long before the driver knows it."""

    async def enable(self) -> None:
        await super().enable()
        await asyncio.sleep(1000)


def test_a_vip_whose_command_timed_out_unannounced_is_announced_later(wired, listener, with_lca, eventually):
    """The deadline ended the command between the two steps, and the core takes a VIP that is here for announced."""
    host, _ = wired
    announced: list[object] = []

    async def scenario(lca: Lca, agent: Agent) -> None:
        number = agent.give(EnableVip(H1), deadline_ms=1000)
        await eventually(lambda: CommandTimedOut(number, "not done within 1000 ms") in agent.events)
        assert held(host) == set(VIP)
        for _ in range(2):  # five of each kind, and none at the second look
            await agent.result(LookAtVip(H1))
            assert agent.events[-2:] == [VipReported(H1, held=True), CommandSucceeded(agent.count)]
            await asyncio.sleep(0.3)
            announced.extend(listener.take())
        assert len(announced) == 15

    with_lca(host, scenario, SlowAddresses)


@pytest.mark.parametrize(("present", "whole"), [((), False), (VIP, True), ((IPV4,), False), ((IPV6,), False)])
def test_a_look_at_the_vip_reports_whether_it_is_complete_and_then_succeeds(host, with_lca, present, whole):
    """A partial VIP is removed, as before a report: another host may be given those addresses."""

    async def scenario(lca: Lca, agent: Agent) -> None:
        if present:
            change(host, "add", *present)
        await agent.result(LookAtVip(H1))
        assert agent.events[-2:] == [VipReported(H1, held=whole), CommandSucceeded(1)]
        assert held(host) == (set(VIP) if whole else set())

    with_lca(host, scenario)


# Changes from outside


def test_a_change_from_outside_is_reported_once(host, with_lca, eventually):
    async def scenario(lca: Lca, agent: Agent) -> None:
        expected: list[HostEvent] = []
        for action in ("add", "del", "add"):
            change(host, action)
            expected.append(VipReported(H1, held=action == "add"))
            await eventually(lambda: agent.events == expected)
            assert (await lca.report()).vip_held is (action == "add")

    with_lca(host, scenario)


@pytest.mark.parametrize("part", VIP)
def test_a_partial_vip_is_removed_before_the_host_reports(host, with_lca, part):
    """Otherwise another host would be given the same addresses, and the missing ones would never be added."""

    async def scenario(lca: Lca, agent: Agent) -> None:
        change(host, "add", part)
        assert not (await lca.report()).vip_held
        assert held(host) == set()

    with_lca(host, scenario)


@pytest.mark.parametrize("lost", VIP)
def test_a_vip_of_which_one_address_vanishes_is_no_longer_held(host, with_lca, eventually, lost):
    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(EnableVip(H1))
        change(host, "del", lost)
        await eventually(lambda: agent.reports() == [VipReported(H1, held=False)])
        assert await agent.result(EnableVip(H1)) == CommandSucceeded(2)
        assert held(host) == set(VIP)

    with_lca(host, scenario)


def test_its_own_changes_are_not_reported(host, with_lca):
    async def scenario(lca: Lca, agent: Agent) -> None:
        for command in (EnableVip(H1), EnableVip(H1), DisableVip(H1), DisableVip(H1), EnableVip(H1)):
            assert await agent.result(command) == CommandSucceeded(agent.count)
            await asyncio.sleep(0.05)
        assert agent.reports() == []

    with_lca(host, scenario)


def test_a_vip_that_vanishes_right_after_it_was_enabled_is_reported(host, with_lca, eventually):
    """Before anything could look: the kernel may report the addition and the removal at once."""

    async def scenario(lca: Lca, agent: Agent) -> None:
        def take_it_away(event: HostEvent) -> None:
            if event == CommandSucceeded(1):
                change(host, "del")

        agent.on_event = take_it_away
        await agent.result(EnableVip(H1))
        await eventually(lambda: agent.reports() == [VipReported(H1, held=False)])
        assert not (await lca.report()).vip_held

    with_lca(host, scenario)


def test_another_host_s_claim_of_a_vip_that_is_held_is_logged(wired, with_lca, eventually, caplog):
    host, neighbour = wired
    claim, *_ = announcement(mac_of(neighbour), BARE, ("request",), False)

    def claims() -> int:
        with neighbour.call(packet_socket, "eth0") as link:
            link.send(claim)
        return sum(message.startswith("two hosts hold the VIP") for message in caplog.messages)

    async def scenario(lca: Lca, agent: Agent) -> None:
        assert claims() == 0
        await asyncio.sleep(0.05)
        assert claims() == 0  # the VIP was not held
        await agent.result(EnableVip(H1))
        await eventually(claims)
        assert mac_of(neighbour) in caplog.messages[-1]

    with caplog.at_level(logging.WARNING, "switchover.lca"):
        with_lca(host, scenario)


def test_it_can_solicit_the_agent_s_address(wired, with_lca):
    host, neighbour = wired

    async def scenario(lca: Lca, agent: Agent) -> None:
        with neighbour.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as link:
            link.bind(("eth0", 0x0806))
            link.setblocking(False)
            lca.solicit("198.51.100.2", "198.51.100.1")
            arp = link.recv(100)[14:]
        assert (arp[6:8], arp[14:18], arp[24:28]) == (b"\0\1", bytes([198, 51, 100, 1]), bytes([198, 51, 100, 2]))

    with_lca(host, scenario)
