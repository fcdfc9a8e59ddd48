"""The Virtual IP on real interfaces in network namespaces."""

import asyncio
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from switchover.drivers.errors import DriverError
from switchover.drivers.vip import kernel as vip_kernel
from switchover.drivers.vip.address_templates import (
    SUBINTERFACE,
    AddressCommands,
    AddressTemplate,
    TemplateAddresses,
)
from switchover.drivers.vip.addresses import NetlinkAddresses, parse_addresses
from switchover.drivers.vip.netlink import (
    HEADER,
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    RTM_DELADDR,
    Netlink,
)

IPV4, IPV6 = "198.51.100.10/24", "2001:db8::10/64"
VIP = (IPV4, IPV6)

IP_TEMPLATE = AddressTemplate(
    ipv4=AddressCommands(
        add=("ip", "addr", "add", "{address}/{prefix}", "dev", "{interface}"),
        remove=("ip", "addr", "del", "{address}/{prefix}", "dev", "{interface}"),
        show=("ip", "addr", "show", "dev", "{interface}"),
    ),
    ipv6=AddressCommands(
        add=("ip", "addr", "add", "{address}/{prefix}", "dev", "{interface}", "nodad"),
        remove=("ip", "addr", "del", "{address}/{prefix}", "dev", "{interface}"),
        show=("ip", "addr", "show", "dev", "{interface}"),
    ),
)


def addresses_of(namespace) -> set[str]:
    """The global addresses on eth0."""
    shown = json.loads(namespace.ip("-json addr show dev eth0 scope global"))
    return {f"{entry['local']}/{entry['prefixlen']}" for link in shown for entry in link.get("addr_info", [])}


def state_of(namespace) -> tuple[set[str], list[str]]:
    """Addresses and routes, which a Virtual IP that came and went must leave unchanged.

    The kernel adds the local route of an IPv6 address a moment after the address (addrconf's work queue).
    """
    addresses = addresses_of(namespace)
    local = {f"local {address.split('/')[0]} " for address in addresses if ":" in address}
    for _ in range(500):
        routes = [route for family in ("-4", "-6") for route in routes_of(namespace, family)]
        if all(any(route.startswith(start) for route in routes) for start in local):
            return addresses, sorted(routes)
    raise AssertionError(f"the local routes of {addresses} do not appear")


def routes_of(namespace, family: str) -> list[str]:
    return namespace.ip(f"{family} route show table all").splitlines()


OWN = {"198.51.100.1/24", "2001:db8::1/64"}


@asynccontextmanager
async def started(vip):
    await vip.start()
    try:
        yield vip
    finally:
        await vip.close()


async def on_and_off(means):
    """Does every step twice, since a command may be repeated; returns whether the VIP was held after each step."""
    async with started(means()) as vip:
        held = [await vip.held()]
        for step in (vip.enable, vip.enable, vip.disable, vip.disable):
            await step()
            held.append(await vip.held())
        return held


def kernel():
    return NetlinkAddresses("eth0", VIP)


def templates():
    return TemplateAddresses("eth0", VIP, IP_TEMPLATE)


def subinterface():
    if shutil.which("ifconfig") is None:
        pytest.skip("there is no ifconfig here (Debian package net-tools)")
    return TemplateAddresses("eth0", VIP, SUBINTERFACE)


every_means = pytest.mark.parametrize("means", [kernel, templates, subinterface])


@every_means
def test_addresses_come_and_go_and_nothing_else_changes(host, means):
    before = state_of(host)
    assert host.run(on_and_off(means)) == [False, True, True, False, False]
    assert state_of(host) == before


@every_means
def test_enabled_addresses_are_there_and_outlive_the_driver(host, means):
    async def enable():
        async with started(means()) as vip:
            await vip.enable()

    host.run(enable())
    assert addresses_of(host) == {*OWN, *VIP}


@pytest.mark.parametrize("means", [kernel, templates])
def test_a_partial_virtual_ip_is_not_held_and_is_completed_or_removed(host, means):
    async def halves():
        async with started(means()) as vip:
            host.ip(f"addr add {IPV4} dev eth0")
            assert not await vip.held()
            await vip.enable()
            assert await vip.held()
            host.ip(f"addr del {IPV4} dev eth0")
            assert not await vip.held()
            await vip.disable()

    host.run(halves())
    assert addresses_of(host) == OWN


@pytest.mark.parametrize("settings", [{"all": 0, "eth0": 0}, {"all": 1, "eth0": 0}, {"all": 0, "eth0": 1}])
def test_own_addresses_that_came_later_survive_the_removal(host, settings):
    """By default the kernel removes a network's later IPv4 addresses with its first one, and the route with them."""

    async def scenario():
        for interface, value in settings.items():
            Path(f"/proc/sys/net/ipv4/conf/{interface}/promote_secondaries").write_text(str(value))
        for own in OWN:
            host.ip(f"addr del {own} dev eth0")
        async with started(kernel()) as vip:
            await vip.enable()
            for own in OWN:
                host.ip(f"addr add {own} dev eth0 {'nodad' if ':' in own else ''}")
            await vip.disable()

    before = state_of(host)
    host.run(scenario())
    assert state_of(host) == before


def test_the_routes_of_a_network_manager_stay_the_only_ones(host):
    """NetworkManager and systemd-networkd add an address without its route, and the route with a metric of theirs."""
    for own in OWN:
        host.ip(f"addr del {own} dev eth0")
        host.ip(f"addr add {own} dev eth0 noprefixroute {'nodad' if ':' in own else ''}")
    host.ip("-4 route add 198.51.100.0/24 dev eth0 proto static metric 100")
    host.ip("-6 route add 2001:db8::/64 dev eth0 proto ra metric 100")
    before = state_of(host)
    assert host.run(on_and_off(kernel)) == [False, True, True, False, False]
    assert state_of(host) == before


@pytest.mark.parametrize("target", ["198.51.100.2", "2001:db8::2"])
def test_the_virtual_ip_is_no_source_of_the_host_s_own_traffic(host, target):
    async def source():
        async with started(kernel()) as vip:
            await vip.enable()
            return json.loads(host.ip(f"-json route get {target}"))[0]["prefsrc"]

    assert host.run(source()) == ("2001:db8::1" if ":" in target else "198.51.100.1")


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, IPV4), (socket.AF_INET6, IPV6)])
def test_an_application_can_listen_on_the_address_at_once(host, family, address):
    """An IPv6 address that is still being probed for duplicates (tentative) would refuse it."""

    async def listen():
        async with started(kernel()) as vip:
            await vip.enable()
            with socket.socket(family, socket.SOCK_DGRAM) as sip:
                sip.bind((address.split("/")[0], 5060))
                return sip.getsockname()[0]

    assert host.run(listen()) == address.split("/")[0]


def test_an_address_with_another_prefix_length_counts_as_the_virtual_ip(host):
    """The host answers ARP for it, and that counts."""

    async def scenario():
        async with started(NetlinkAddresses("eth0", [IPV4])) as vip:
            host.ip("addr add 198.51.100.10/32 dev eth0")
            assert await vip.held()
            await vip.disable()
            assert not await vip.held()

    host.run(scenario())


def test_a_point_to_point_address_is_removed_as_well(host):
    """Another program added it with another end; the host answers ARP for it all the same."""

    async def scenario():
        async with started(kernel()) as vip:
            host.ip("addr add 198.51.100.10 peer 198.51.100.77/32 dev eth0")
            host.ip("addr add 2001:db8::10 peer 2001:db8::77/128 dev eth0 nodad")
            await vip.enable()
            await vip.disable()
            assert await vip.present() == frozenset()

    host.run(scenario())


def test_without_a_file_descriptor_an_address_does_not_count_as_removed(host):
    async def scenario():
        async with started(kernel()) as vip:
            await vip.enable()
            limits = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
            try:
                await vip.disable()
                assert not await vip.held()
                await vip.enable()
                await vip.close()
                with pytest.raises(DriverError, match="Too many open files"):
                    await vip.disable()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert await vip.held()

    host.run(scenario())


def test_a_takeover_starts_no_process(host):
    async def scenario():
        async with started(kernel()) as vip:
            await vip.enable()
            await vip.disable()
            return Path(f"/proc/self/task/{host.thread_id}/children").read_text()

    assert host.run(scenario()) == ""


def test_a_call_that_hangs_in_the_kernel_can_be_abandoned(host, monkeypatch):
    """The event loop goes on; the rest of that call is not carried out, and the next call comes after it."""
    in_the_kernel, answer = threading.Event(), threading.Event()

    class BusyKernel(Netlink):
        def add(self, interface, address):
            in_the_kernel.set()
            answer.wait()
            super().add(interface, address)

    monkeypatch.setattr(vip_kernel, "Netlink", BusyKernel)

    async def scenario():
        async with started(kernel()) as vip:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await vip.enable()
            assert in_the_kernel.is_set()
            looking = asyncio.create_task(vip.present())
            await asyncio.sleep(0.1)
            assert not looking.done()
            answer.set()
            assert await looking == {"198.51.100.10"}
            await vip.enable()
            assert await vip.held()

    host.run(scenario())


def test_a_socket_that_fails_is_replaced(host):
    """Otherwise the rest of an answer could be taken for the next one, or the kernel could report a busy socket."""

    def scenario():
        netlink = Netlink()
        netlink.addresses("lo")
        with socket.socket() as other:  # from here on, a request goes to a socket that is not connected
            os.dup2(other.fileno(), netlink._kernel.fileno())
        with pytest.raises(DriverError, match=r"^rtnetlink failed: Broken pipe"):
            netlink.addresses("eth0")
        listed = netlink.addresses("eth0")
        netlink.close()
        return set(map(str, listed))

    assert host.call(scenario) == OWN


@pytest.mark.parametrize(
    "message",
    [
        HEADER.pack(20, NLMSG_ERROR, 0, 3, 0) + bytes(4),  # as if the next request had been carried out
        HEADER.pack(0, NLMSG_DONE, 0, 3, 0),
        b"short",
    ],
)
def test_a_message_of_another_program_is_no_answer(host, message):
    def scenario():
        netlink = Netlink()
        netlink.addresses("lo")
        netlink.addresses("lo")
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as other:
            other.sendto(message, netlink._kernel.getsockname())
        found = netlink.addresses("eth0")
        assert found == netlink.addresses("eth0")
        netlink.close()
        return set(map(str, found))

    assert host.call(scenario) == OWN


def test_an_answer_to_an_earlier_request_is_no_answer_to_a_later_one(host):
    def scenario():
        netlink = Netlink()
        netlink.addresses("lo")
        netlink._kernel.send(HEADER.pack(24, RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK, 4711, 0) + bytes(8))  # refused
        found = netlink.addresses("eth0")
        netlink.close()
        return set(map(str, found))

    assert host.call(scenario) == OWN


def test_a_list_that_changes_while_it_is_read_is_read_again(host, monkeypatch):
    answers = [([], True)] * 3

    def change_or_request(netlink, *arguments):
        return answers.pop() if answers else request(netlink, *arguments)

    request = Netlink._request
    monkeypatch.setattr(Netlink, "_request", change_or_request)

    def scenario():
        netlink = Netlink()
        listed = netlink.addresses("eth0")
        answers.extend([([], True)] * 10)
        with pytest.raises(DriverError, match="the addresses of eth0 changed 10 times while they were read"):
            netlink.addresses("eth0")
        netlink.close()
        return set(map(str, listed))

    assert host.call(scenario) == OWN


def test_thousands_of_addresses_are_listed(host):
    """The kernel's answer comes in parts."""
    many = [f"10.0.{number // 250}.{number % 250 + 1}/16" for number in range(2500)]
    host.call(_batch, [f"addr add {address} dev eth0" for address in many])

    def scenario():
        netlink = Netlink()
        listed = netlink.addresses("eth0")
        netlink.close()
        return set(map(str, listed))

    assert host.call(scenario) == {*OWN, *many}


def _batch(lines):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)  # noqa: S607 - it is in PATH


def test_calls_at_the_same_time_do_not_mix(host):
    async def scenario():
        async with started(kernel()) as vip:
            await vip.enable()
            assert await asyncio.gather(*(vip.held() for _ in range(20))) == [True] * 20

    host.run(scenario())


def test_an_interface_that_was_recreated_is_used(host):
    """It has another index then."""

    async def scenario():
        async with started(kernel()) as vip:
            await vip.enable()
            host.ip("link del eth0")
            assert not await vip.held()
            with pytest.raises(DriverError, match=r"is not on eth0: .*eth0"):
                await vip.enable()
            await vip.disable()
            host.ip("link add eth0 type veth peer name far_end")
            await vip.enable()
            assert await vip.held()

    host.run(scenario())


def test_an_interface_that_vanishes_during_a_call_counts_as_gone(host, monkeypatch):
    """Its index was read just before."""

    async def scenario():
        async with started(kernel()) as vip:
            monkeypatch.setattr(Netlink, "_number", lambda *_: 4711)
            assert not await vip.held()
            await vip.disable()
            with pytest.raises(DriverError, match=r"is not on eth0: No such device"):
                await vip.enable()

    host.run(scenario())


@pytest.mark.parametrize("means", [kernel, templates])
def test_a_refusal_is_reported_in_the_words_of_the_kernel_or_the_command(host, means):
    async def scenario():
        Path("/proc/sys/net/ipv6/conf/eth0/disable_ipv6").write_text("1")
        async with started(means()) as vip:
            with pytest.raises(DriverError, match=r"^2001:db8::10/64 is not on eth0: .*IPv6 is disabled"):
                await vip.enable()

    host.run(scenario())


WITHOUT_THE_RIGHT = """
import asyncio
from switchover.drivers.errors import DriverError
from switchover.drivers.vip.addresses import NetlinkAddresses

async def scenario():
    vip = NetlinkAddresses("eth0", ["198.51.100.10/24", "2001:db8::10/64"])
    for step in (vip.enable, vip.disable):
        try:
            await step()
        except DriverError as error:
            print(error)
    await vip.close()

asyncio.run(scenario())
"""


def _output_of(command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603 - our own


def test_a_missing_privilege_is_named(host):
    """A process may read addresses that it has no right to change."""
    host.ip(f"addr add {IPV4} dev eth0")
    powerless = ["setpriv", "--bounding-set=-net_admin", sys.executable, "-c", WITHOUT_THE_RIGHT]
    reason = "Operation not permitted; run this as root, or with CAP_NET_ADMIN"
    assert host.call(_output_of, powerless).splitlines() == [
        f"2001:db8::10/64 is not on eth0: {reason}",
        f"198.51.100.10/24 is still on eth0: {reason}",
    ]


def test_starting_fails_without_the_interface(host):
    with pytest.raises(DriverError, match="there is no interface eth7"):
        host.run(NetlinkAddresses("eth7", VIP).start())


@pytest.mark.parametrize("interface", ["", "eth0 up", "eth0\nlink", "a/b", "sixteen-letters-"])
def test_a_name_that_no_interface_can_have_is_refused(interface):
    with pytest.raises(ValueError, match="cannot be the name of an interface"):
        NetlinkAddresses(interface, VIP)


@pytest.mark.parametrize("addresses", [[], ["198.51.100.400/24"], ["198.51.100.10/33"], ["vip.example.com"], [""]])
def test_malformed_addresses_are_refused(addresses):
    with pytest.raises(ValueError, match=r"at least one address|does not appear to be an IPv4 or IPv6 interface"):
        parse_addresses(addresses)


STUCK = """
import asyncio, time
from switchover.drivers.errors import DriverError
from switchover.drivers.vip import addresses, kernel

class StuckKernel(kernel.Netlink):
    def add(self, interface, address):
        time.sleep(1000)

kernel.Netlink = StuckKernel

async def scenario():
    vip = addresses.NetlinkAddresses("eth0", ["198.51.100.10/24"], 100)
    await vip.start()
    for step in (vip.enable, vip.disable, vip.held):
        try:
            await step()
        except DriverError as error:
            print(error)
    await vip.close()

asyncio.run(scenario())
"""


def test_a_call_that_never_returns_is_answered_and_the_end_does_not_wait_for_it(host):
    """Such as while another program hangs with the lock of the kernel's network configuration."""
    reason = "its network configuration may be locked by another program"
    said = f"the addresses of eth0: the kernel did not answer within 100 ms; {reason}"
    assert host.call(_output_of, [sys.executable, "-c", STUCK]).splitlines() == [said] * 3
