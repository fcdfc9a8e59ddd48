"""Announcements and claims: real frames through a real cable between two network namespaces."""

import asyncio
import json
import socket
import time
from contextlib import contextmanager

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from switchover.drivers.errors import DriverError
from switchover.drivers.vip.announce import Announcer
from switchover.drivers.vip.claims import CLAIMS_PER_SECOND, ClaimWatch
from switchover.drivers.vip.frames import announcement as announcement_frames
from switchover.drivers.vip.schedule import AnnounceSchedule

IPV4, IPV6 = "198.51.100.10/24", "2001:db8::10/64"
VIP = (IPV4, IPV6)
ETH_P_ALL = 3
ONCE = AnnounceSchedule(count=1, again_count=0)


def mac_of(namespace) -> str:
    return json.loads(namespace.ip("-json link show dev eth0"))[0]["address"]


class Sniffer:
    """The frames that arrive at a namespace's eth0, parsed by scapy."""

    def __init__(self, namespace) -> None:
        self._socket = namespace.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind(("eth0", ETH_P_ALL))
        self._socket.setblocking(False)
        self._frames: list[Ether] = []

    def frames(self) -> list[Ether]:
        """All the ARP and neighbour discovery frames that have arrived so far."""
        while True:
            try:
                data, (_, _, direction, *_) = self._socket.recvfrom(2000)
            except BlockingIOError:
                return self._frames
            frame = Ether(data)
            if direction != socket.PACKET_OUTGOING and (ARP in frame or ICMPv6ND_NA in frame or ICMPv6ND_NS in frame):
                self._frames.append(frame)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def sniffer(wired):
    sniffer = Sniffer(wired[1])
    yield sniffer
    sniffer.close()


@contextmanager
def started(user):
    """Start an announcer or a watch inside a coroutine, and close it at the end."""
    user.start()
    try:
        yield user
    finally:
        user.close()


def summary(frame) -> tuple:
    """The fields of a frame that matter, so that whole announcements can be compared."""
    if ARP in frame:
        arp = frame[ARP]
        return (frame.src, frame.dst, "arp", arp.op, arp.hwsrc, arp.psrc, arp.hwdst, arp.pdst)
    ip = frame[IPv6]
    if ICMPv6ND_NA in frame:
        advertisement, target_mac = frame[ICMPv6ND_NA], frame[ICMPv6NDOptDstLLAddr].lladdr
        flags = f"R={advertisement.R} S={advertisement.S} O={advertisement.O}"
        return (frame.src, frame.dst, "na", ip.src, ip.dst, ip.hlim, advertisement.tgt, flags, target_mac)
    target, own_mac = frame[ICMPv6ND_NS].tgt, frame[ICMPv6NDOptSrcLLAddr].lladdr
    return (frame.src, frame.dst, "ns", ip.src, ip.dst, ip.hlim, target, own_mac)


def announcement(mac, router=0):
    """One frame of each form, as the standards define them."""
    broadcast, unknown, address = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "198.51.100.10"
    flags = f"R={router} S=0 O=1"
    return [
        (mac, broadcast, "arp", 1, mac, address, unknown, address),
        (mac, broadcast, "arp", 2, mac, address, mac, address),
        (mac, "33:33:00:00:00:01", "na", "2001:db8::10", "ff02::1", 255, "2001:db8::10", flags, mac),
    ]


@pytest.mark.parametrize("router", [0, 1])
def test_every_form_arrives_as_the_standards_define_it(wired, sniffer, eventually, router):
    host, _ = wired

    async def scenario():
        with open("/proc/sys/net/ipv6/conf/eth0/forwarding", "w") as forwarding:
            forwarding.write(str(router))
        with started(Announcer("eth0", VIP, ONCE)) as announcer:
            announcer.announce()
            await eventually(lambda: len(sniffer.frames()) >= 3)

    host.run(scenario())
    assert [summary(frame) for frame in sniffer.frames()] == announcement(mac_of(host), router)


@pytest.mark.parametrize("form", ["request", "reply"])
def test_a_neighbour_s_arp_cache_follows(wired, eventually, form):
    """The core of a takeover: the neighbour replaces the MAC address of the other host with the one of this host."""
    host, neighbour = wired
    follows(host, neighbour, "198.51.100.10", IPV4, AnnounceSchedule(count=1, again_count=0, forms=(form,)), eventually)


def test_a_neighbour_s_ipv6_cache_follows(wired, eventually):
    host, neighbour = wired
    follows(host, neighbour, "2001:db8::10", IPV6, ONCE, eventually)


def follows(host, neighbour, address, notation, schedule, eventually):
    def cached():
        return [entry.get("lladdr") for entry in json.loads(neighbour.ip(f"-json neigh show {address} dev eth0"))]

    async def scenario():
        neighbour.ip(f"neigh replace {address} lladdr 02:00:00:00:00:99 dev eth0 nud stale")
        assert cached() == ["02:00:00:00:00:99"]
        with started(Announcer("eth0", [notation], schedule)) as announcer:
            announcer.announce()
            await eventually(lambda: cached() == [mac_of(host)])

    host.run(scenario())


def test_the_count_and_the_second_round_are_as_configured(wired, sniffer, eventually):
    host, _ = wired
    schedule = AnnounceSchedule(count=3, again_after_ms=100, again_count=2, forms=("reply",))

    async def scenario():
        with started(Announcer("eth0", [IPV4], schedule)) as announcer:
            announcer.announce()
            immediately = len(sniffer.frames())
            await eventually(lambda: len(sniffer.frames()) >= 5)
            await asyncio.sleep(0.1)
            return immediately, len(sniffer.frames())

    # Through a cable between namespaces a frame has arrived when it has been sent.
    assert host.run(scenario()) == (3, 5)


def test_frames_can_be_spaced(wired, sniffer, eventually):
    host, _ = wired
    schedule = AnnounceSchedule(count=3, interval_ms=50, again_after_ms=200, again_count=1, forms=("reply",))

    async def scenario():
        with started(Announcer("eth0", [IPV4], schedule)) as announcer:
            announcer.announce()
            immediately = len(sniffer.frames())
            await eventually(lambda: len(sniffer.frames()) >= 4)
            await asyncio.sleep(0.1)
            return immediately, len(sniffer.frames())

    assert host.run(scenario()) == (1, 4)


@pytest.mark.parametrize("end", ["stop", "close"])
def test_announcing_stops_once_the_address_is_gone(wired, sniffer, end):
    host, _ = wired
    schedule = AnnounceSchedule(count=2, interval_ms=50, again_after_ms=50, forms=("reply",))

    async def scenario():
        with started(Announcer("eth0", [IPV4], schedule)) as announcer:
            announcer.announce()
            getattr(announcer, end)()
            await asyncio.sleep(0.2)

    host.run(scenario())
    assert len(sniffer.frames()) == 1


def test_a_new_announcement_replaces_the_running_one(wired, sniffer):
    host, _ = wired
    schedule = AnnounceSchedule(count=1, again_after_ms=100, again_count=1, forms=("reply",))

    async def scenario():
        with started(Announcer("eth0", [IPV4], schedule)) as announcer:
            announcer.announce()
            announcer.announce()
            await asyncio.sleep(0.3)

    host.run(scenario())
    assert len(sniffer.frames()) == 3


def test_a_changed_mac_address_is_announced(wired, sniffer, eventually):
    """A bond that fails over changes to the MAC address of its other interface, even between two rounds."""
    host, _ = wired
    schedule = AnnounceSchedule(count=1, again_after_ms=200, again_count=1)

    async def scenario():
        with started(Announcer("eth0", VIP, schedule)) as announcer:
            announcer.announce()
            before = mac_of(host)
            host.ip("link set eth0 address 02:00:00:00:00:07")
            await eventually(lambda: len(sniffer.frames()) >= 6)
            return before

    before = host.run(scenario())
    expected = announcement(before) + announcement("02:00:00:00:00:07")
    assert [summary(frame) for frame in sniffer.frames()] == expected


def test_claims_are_heard_again_after_the_interface_was_down(wired, eventually, caplog):
    host, neighbour = wired

    async def scenario():
        claims = []
        with started(ClaimWatch("eth0", [IPV4], claims.append)):
            host.ip("link set eth0 down")
            await asyncio.sleep(2.5)  # two attempts fail, and one warning is logged
            host.ip("link set eth0 up")
            await eventually(lambda: announce_from(neighbour, [IPV4]) or claims)
        return set(claims)

    assert host.run(scenario()) == {mac_of(neighbour)}
    assert caplog.text.count("cannot listen on eth0 for claims of the Virtual IP: Network is down") == 1


def connect(host, neighbour):
    """Lay a new cable, after the old one was removed together with its interfaces."""
    host.ip(f"link add eth0 type veth peer name eth0 netns {neighbour.thread_id}")
    for end in (host, neighbour):
        end.ip("link set eth0 up addrgenmode none")


def test_an_interface_that_was_recreated_is_used(wired, eventually):
    host, neighbour = wired

    async def scenario():
        with started(Announcer("eth0", VIP, ONCE)) as announcer:
            host.ip("link del eth0")
            connect(host, neighbour)
            sniffer = Sniffer(neighbour)
            announcer.announce()
            await eventually(lambda: len(sniffer.frames()) >= 3)
            frames = [summary(frame) for frame in sniffer.frames()]
            sniffer.close()
            return frames

    assert host.run(scenario()) == announcement(mac_of(host))


def test_an_interface_that_is_down_or_gone_is_an_error(wired):
    host, _ = wired

    async def scenario():
        with started(Announcer("eth0", VIP, ONCE)) as announcer:
            host.ip("link set eth0 down")
            with pytest.raises(DriverError, match=r"^nothing can be sent from eth0: Network is down$"):
                announcer.announce()
            host.ip("link del eth0")
            with pytest.raises(DriverError, match=r"^interface eth0 cannot be used: No such device$"):
                announcer.announce()

    host.run(scenario())


def test_a_later_round_that_cannot_be_sent_is_logged(wired, eventually, caplog):
    host, _ = wired

    async def scenario():
        with started(Announcer("eth0", VIP, AnnounceSchedule(again_after_ms=50))) as announcer:
            announcer.announce()
            host.ip("link set eth0 down")
            await eventually(
                lambda: "cannot be announced again: nothing can be sent from eth0: Network is down" in caplog.text
            )

    host.run(scenario())


def test_a_host_solicits_from_its_own_address(wired, sniffer, eventually):
    host, _ = wired

    async def scenario():
        with started(Announcer("eth0", VIP, ONCE)) as announcer:
            announcer.solicit("198.51.100.2", "198.51.100.1")
            announcer.solicit("2001:db8::2:3456", "2001:db8::1")
            await eventually(lambda: len(sniffer.frames()) >= 2)

    host.run(scenario())
    mac = mac_of(host)
    assert [summary(frame) for frame in sniffer.frames()[:2]] == [
        (mac, "ff:ff:ff:ff:ff:ff", "arp", 1, mac, "198.51.100.1", "00:00:00:00:00:00", "198.51.100.2"),
        (mac, "33:33:ff:02:34:56", "ns", "2001:db8::1", "ff02::1:ff02:3456", 255, "2001:db8::2:3456", mac),
    ]


def test_the_neighbour_answers_a_solicitation(wired, eventually):
    host, neighbour = wired

    async def scenario():
        here = Sniffer(host)
        with started(Announcer("eth0", VIP, ONCE)) as announcer:
            for target, own in (("198.51.100.2", "198.51.100.1"), ("2001:db8::2", "2001:db8::1")):
                announcer.solicit(target, own)
            await eventually(lambda: any(ARP in frame and frame[ARP].op == 2 for frame in here.frames()))
            await eventually(lambda: any(ICMPv6ND_NA in frame for frame in here.frames()))
        answerers = {frame.src for frame in here.frames()}
        here.close()
        return answerers

    assert host.run(scenario()) == {mac_of(neighbour)}


def test_a_solicitation_across_address_families_is_refused(wired):
    host, _ = wired

    async def scenario():
        with started(Announcer("eth0", VIP, ONCE)) as announcer, pytest.raises(ValueError, match="one is IPv4"):
            announcer.solicit("2001:db8::2", "198.51.100.1")

    host.run(scenario())


@pytest.mark.parametrize(
    "outside",
    [
        {"count": 0},
        {"count": 101},
        {"interval_ms": -1},
        {"interval_ms": 10_001},
        {"again_after_ms": 0},
        {"again_after_ms": 600_001},
        {"again_count": -1},
        {"again_count": 101},
        {"forms": ()},
        {"forms": ("request", "arping")},
    ],
)
def test_a_schedule_outside_its_ranges_is_refused(outside):
    with pytest.raises(ValueError, match=next(iter(outside))):
        AnnounceSchedule(**outside)


def test_a_missing_interface_is_an_error(wired):
    host, _ = wired

    async def scenario():
        for user in (Announcer("eth7", VIP, ONCE), ClaimWatch("eth7", VIP, print)):
            with pytest.raises(DriverError, match=r"^interface eth7 cannot be used: No such device$"):
                user.start()

    host.run(scenario())


def announce_from(namespace, addresses, schedule=ONCE):
    """Announce from another namespace, once, as the other host would."""

    async def scenario():
        with started(Announcer("eth0", addresses, schedule)) as announcer:
            announcer.announce()

    namespace.run(scenario())


CLAIMS = {
    "an ARP announcement": (IPV4, ("request",)),
    "a gratuitous ARP reply": (IPV4, ("reply",)),
    "a neighbour advertisement": (IPV6, ("request",)),
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("watched", [[IPV4, IPV6], ["198.51.100.9/24", IPV4, "2001:db8::9/64", IPV6], None])
def test_a_claim_of_another_host_is_reported(wired, eventually, claim, watched):
    """The address may be the first or the last of several watched ones, or the only one."""
    host, neighbour = wired
    address, forms = CLAIMS[claim]

    async def scenario():
        claims = []
        with started(ClaimWatch("eth0", watched or [address], claims.append)):
            announce_from(neighbour, [address], AnnounceSchedule(count=2, again_count=0, forms=forms))
            await eventually(lambda: len(claims) >= 2)
            await asyncio.sleep(0.05)
        return claims

    assert host.run(scenario()) == [mac_of(neighbour)] * 2


def test_frames_that_claim_nothing_are_not_reported(wired, eventually):
    """Own announcements, other addresses (each differs from a watched one in another part), requests, UDP."""
    host, neighbour = wired
    others = ["198.51.100.11/24", "198.51.101.10/24", "2001:db8::11/64"]
    others += ["2001:db9::10/64", "2001:db8:0:1::10/64", "2001:db8::1:0:10/64"]
    [advertisement] = announcement_frames(mac_of(neighbour), ("2001:db8::10",), ("request",), router=False)
    udp = advertisement[:20] + bytes([17]) + advertisement[21:]

    async def scenario():
        claims = []
        with started(ClaimWatch("eth0", VIP, claims.append)), started(Announcer("eth0", VIP, ONCE)) as announcer:
            announcer.announce()
            announce_from(neighbour, others)
            ask_from(neighbour, "198.51.100.10", "198.51.100.2")
            ask_from(neighbour, "2001:db8::10", "2001:db8::2")
            send_from(neighbour, udp)
            assert claims == []
            announce_from(neighbour, [IPV6], ONCE)  # the frames come in order, so this one is the last
            await eventually(lambda: claims)
            await asyncio.sleep(0.05)
        return claims

    assert host.run(scenario()) == [mac_of(neighbour)]


def send_from(namespace, frame):
    link = namespace.call(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.bind(("eth0", 0))
    link.send(frame)
    link.close()


def ask_from(namespace, target, own):
    async def scenario():
        with started(Announcer("eth0", VIP, ONCE)) as announcer:
            announcer.solicit(target, own)

    namespace.run(scenario())


def test_a_reflected_announcement_is_no_claim(wired, eventually):
    """Some switches send a broadcast back to where it came from."""
    host, neighbour = wired

    async def scenario():
        claims = []
        with started(ClaimWatch("eth0", VIP, claims.append)):
            for mac in (mac_of(host), "02:00:00:00:00:09"):
                arp = ARP(op=2, hwsrc=mac, psrc="198.51.100.10", pdst="198.51.100.10")
                send_from(neighbour, bytes(Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / arp))
            await eventually(lambda: claims)
        return claims

    assert host.run(scenario()) == ["02:00:00:00:00:09"]


def test_reports_of_a_flood_of_claims_are_limited(wired, eventually):
    host, neighbour = wired
    flood = AnnounceSchedule(count=100, again_count=0, forms=("reply",))

    async def scenario():
        claims = []
        with started(ClaimWatch("eth0", VIP, claims.append)):
            began = time.monotonic()
            announce_from(neighbour, [IPV4], flood)
            await eventually(lambda: len(claims) >= CLAIMS_PER_SECOND)
            await asyncio.sleep(0.2)
            whole_seconds = int(time.monotonic() - began)
            assert len(claims) <= CLAIMS_PER_SECOND * (1 + whole_seconds)
            await eventually(lambda: len(claims) > CLAIMS_PER_SECOND)

    host.run(scenario())


def test_claims_are_heard_again_on_a_recreated_interface(wired, eventually, caplog):
    host, neighbour = wired

    async def scenario():
        claims = []
        with started(ClaimWatch("eth0", VIP, claims.append)):
            host.ip("link del eth0")
            await eventually(lambda: "cannot listen on eth0 for claims" in caplog.text)
            await asyncio.sleep(1.2)  # it finds the interface missing once
            connect(host, neighbour)
            await eventually(lambda: announce_from(neighbour, VIP) or claims)
        return set(claims)

    assert host.run(scenario()) == {mac_of(neighbour)}
