"""What the system takes away from an LCA, changes or does not answer: it notices, says so, and goes on."""

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from support.lca_at_work import H1, VIP, Agent, run_with_lca
from support.lca_vip import BARE, AnnouncementListener, announcements_of, change, configuration, held, lay_cable, mac_of
from switchover.agent.host import lca as lca_module
from switchover.agent.host.lca import Lca
from switchover.drivers.errors import DriverError
from switchover.drivers.vip import kernel as vip_kernel
from switchover.drivers.vip.addresses import NetlinkAddresses
from switchover.drivers.vip.frames import announcement
from switchover.drivers.vip.netlink import Netlink
from switchover.drivers.vip.network_watch import NetworkWatch
from switchover.drivers.vip.packets import packet_socket
from switchover.drivers.vip.schedule import AnnounceSchedule
from switchover.fsm import (
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    DisableVip,
    EnableVip,
    VipReported,
)

PROMOTE_SECONDARIES = Path("/proc/sys/net/ipv4/conf/eth0/promote_secondaries")
SOON = 0.5
"""Seconds in which a second round of announcements would have come."""


def with_schedule(directory: Path, schedule: AnnounceSchedule) -> Callable[..., None]:
    settings = configuration(directory)
    return functools.partial(run_with_lca, evolve(settings, vip=evolve(settings.vip, announce=schedule)))


@pytest.fixture
def with_lca(tmp_path) -> Callable[..., None]:
    """Runs a scenario in a namespace: see `run_with_lca`."""
    return functools.partial(run_with_lca, configuration(tmp_path))


# The interface goes and comes


def test_a_host_whose_interface_was_made_anew_takes_over(wired, with_lca, eventually, caplog):
    """A network manager, a virtual machine or a bond does that. Meanwhile the link solicits the agent."""
    host, neighbour = wired
    host.call(PROMOTE_SECONDARIES.write_text, "0")

    async def scenario(lca: Lca, agent: Agent) -> None:
        host.ip("link del eth0")
        for _ in range(30):
            with contextlib.suppress(DriverError):  # as the link does; any other error would be a traceback
                lca.solicit("198.51.100.2", "198.51.100.1")
            await asyncio.sleep(0.05)
        lay_cable(host, neighbour)
        host.call(PROMOTE_SECONDARIES.write_text, "0")
        listener = AnnouncementListener(neighbour)
        assert await agent.result(EnableVip(H1)) == CommandSucceeded(1)
        assert held(host) == set(VIP)
        assert sorted(listener.take()) == sorted(announcements_of(mac_of(host)) * 5)
        listener.close()
        claim, *_ = announcement(mac_of(neighbour), BARE, ("request",), False)

        def is_heard() -> bool:
            with neighbour.call(packet_socket, "eth0") as link:
                link.send(claim)
            return any(message.startswith("two hosts hold the VIP") for message in caplog.messages)

        await eventually(is_heard)
        assert await agent.result(DisableVip(H1)) == CommandSucceeded(2)
        assert PROMOTE_SECONDARIES.read_text() == "1\n"

    with_lca(host, scenario)
    logged = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not any(record.exc_info for record in logged)
    for once in (
        "cannot listen on eth0 for claims of the Virtual IP: Network is down; trying again every second",
        "listening on eth0 for claims of the Virtual IP again",
        "interface eth0 was made anew; the Virtual IP is announced from the new one",
    ):
        assert caplog.messages.count(once) == 1


def test_another_interface_s_name_is_not_mistaken_for_the_old_one(wired, with_lca):
    """The socket follows an interface that is renamed; the announcements belong where the addresses are."""
    host, neighbour = wired

    async def scenario(lca: Lca, agent: Agent) -> None:
        host.ip("link set eth0 down")
        host.ip("link set eth0 name spare")
        neighbour.ip("link set eth0 name spare")
        lay_cable(host, neighbour)
        listener = AnnouncementListener(neighbour)
        assert await agent.result(EnableVip(H1)) == CommandSucceeded(1)
        assert sorted(listener.take()) == sorted(announcements_of(mac_of(host)) * 5)
        listener.close()

    with_lca(host, scenario)


def test_a_vip_is_announced_when_its_interface_comes_up(wired, with_lca, eventually):
    """The command failed because nothing could be sent; the addresses are there all the same."""
    host, neighbour = wired
    host.ip("link set eth0 down")
    with contextlib.ExitStack() as stack:
        listener = AnnouncementListener(neighbour)
        stack.callback(listener.close)

        async def scenario(lca: Lca, agent: Agent) -> None:
            assert isinstance(await agent.result(EnableVip(H1)), CommandFailed)
            host.ip("link set eth0 up")
            if held(host) != set(VIP):  # some kernels take the IPv6 address away with the link
                change(host, "add", *(set(VIP) - held(host)))
            await eventually(lambda: VipReported(H1, held=True) in agent.events)
            await eventually(lambda: {mac for _, _, mac in listener.take()} == {mac_of(host)})

        with_lca(host, scenario)


def test_a_serving_interface_with_another_mac_address_is_announced_again(wired, tmp_path, eventually):
    """A bond that fails over, long after the last announcement."""
    host, neighbour = wired
    listener = AnnouncementListener(neighbour)

    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(EnableVip(H1))
        await eventually(lambda: lca._mac)
        listener.take()
        host.ip("link set eth0 address 02:00:00:00:00:07")
        heard: list[tuple[str, str, str]] = []
        await eventually(lambda: heard.extend(listener.take()) or len(heard) >= 3)
        assert sorted(heard) == announcements_of("02:00:00:00:00:07")
        assert agent.reports() == []

    with_schedule(tmp_path, AnnounceSchedule(count=1, again_count=0))(host, scenario)
    listener.close()


# Announcements end with their reason


@pytest.mark.parametrize("lost", [VIP, VIP[:1]])
def test_a_vip_that_was_taken_away_is_not_announced_again(wired, tmp_path, eventually, lost):
    host, neighbour = wired
    listener = AnnouncementListener(neighbour)

    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(EnableVip(H1))
        change(host, "del", *lost)
        await eventually(lambda: agent.reports() == [VipReported(H1, held=False)])
        listener.take()
        await asyncio.sleep(SOON)
        assert listener.take() == []

    with_schedule(tmp_path, AnnounceSchedule(count=1, again_after_ms=300, again_count=1))(host, scenario)
    listener.close()


# Looks that fail, and messages that do not come


class Unreadable(NetlinkAddresses):
    """Addresses that cannot be read for a while."""

    readable = True
    failed = 0

    async def held(self) -> bool:
        return len(await self.present()) == len(VIP)

    async def present(self) -> frozenset[str]:
        if not Unreadable.readable:
            Unreadable.failed += 1
            raise DriverError("no memory")
        return await super().present()


def test_a_change_during_a_failed_look_is_reported_later(host, with_lca, eventually, caplog, monkeypatch):
    monkeypatch.setattr(lca_module, "RETRY_MS", 50, raising=False)
    monkeypatch.setattr(Unreadable, "failed", 0)

    async def scenario(lca: Lca, agent: Agent) -> None:
        await agent.result(EnableVip(H1))
        monkeypatch.setattr(Unreadable, "readable", False)
        change(host, "del")
        await eventually(lambda: Unreadable.failed > 3)
        assert (await lca.report()).vip_held  # as it was last known
        monkeypatch.setattr(Unreadable, "readable", True)
        await eventually(lambda: agent.reports() == [VipReported(H1, held=False)])

    with_lca(host, scenario, Unreadable)
    what = "the VIP on this host cannot be looked at, so it still counts as held: no memory"
    assert caplog.messages.count(what) == 1


def test_a_change_of_which_the_kernel_says_nothing_is_reported_too(host, with_lca, eventually, monkeypatch):
    monkeypatch.setattr(lca_module, "REST_MS", 100, raising=False)
    monkeypatch.setattr(NetworkWatch, "start", lambda _: None)

    async def scenario(lca: Lca, agent: Agent) -> None:
        change(host, "add")
        await eventually(lambda: agent.reports() == [VipReported(H1, held=True)])
        change(host, "del")
        await eventually(lambda: agent.reports()[1:] == [VipReported(H1, held=False)])

    with_lca(host, scenario)


# Calls that do not come back, and faults of the program


def test_a_command_that_hangs_is_answered_and_its_late_effect_is_reported(host, with_lca, eventually, monkeypatch):
    answer = threading.Event()

    class BusyKernel(Netlink):
        def add(self, interface, address):
            answer.wait()
            super().add(interface, address)

    monkeypatch.setattr(vip_kernel, "Netlink", BusyKernel)
    monkeypatch.setattr(lca_module, "REST_MS", 100, raising=False)
    one_address = functools.partial(NetlinkAddresses, "eth0", VIP[:1], 200)

    async def scenario(lca: Lca, agent: Agent) -> None:
        why = "the kernel did not answer within 200 ms; its network configuration may be locked by another program"
        for command in (EnableVip(H1), DisableVip(H1)):
            assert await agent.result(command) == CommandTimedOut(agent.count, f"the addresses of eth0: {why}")
        assert not (await lca.report()).vip_held
        answer.set()
        lca._vip_addresses = frozenset(BARE[:1])
        await eventually(lambda: agent.reports() == [VipReported(H1, held=True)])

    with_lca(host, scenario, lambda *_: one_address())


def test_a_fault_of_the_program_is_an_answer(host, with_lca, caplog):
    class Faulty(NetlinkAddresses):
        async def enable(self) -> None:
            raise ValueError("nobody thought of this")

    async def scenario(lca: Lca, agent: Agent) -> None:
        reason = "a fault of the LCA, which its log explains: ValueError('nobody thought of this')"
        assert await agent.result(EnableVip(H1)) == CommandFailed(1, reason)
        assert await agent.result(DisableVip(H1)) == CommandSucceeded(2)

    with_lca(host, scenario, Faulty)
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]
