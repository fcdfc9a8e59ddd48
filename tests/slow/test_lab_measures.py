"""The lab's arithmetic: what the client went through, who held the VIP, and what is an announcement."""

import doctest
import time
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lab_frames import advertisement, arp
from switchover.agent.lab.network import client, namespaces, observers
from switchover.agent.lab.network import segment as network
from switchover.agent.lab.network.client import Request, summarise
from switchover.agent.lab.network.observers import (
    AddressEvent,
    Announcement,
    announcement_in,
    no_holder_ms,
    two_holders_ms,
)
from switchover.agent.lab.network.segment import HOSTS, MACS, VIP, Cut
from switchover.agent.lab.programs import responder, sip_server

V4, V6 = VIP


@pytest.mark.parametrize("module", [client, namespaces, network, observers, responder, sip_server])
def test_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


# What the client went through


def _requests(pattern: str) -> list[Request]:
    """A request a millisecond; each letter tells who answered it (`.`: nobody, `L`: later than T1)."""
    return [
        Request(
            number * 1_000_000,
            None if who == "." else number * 1_000_000 + (600_000_000 if who == "L" else 200_000),
            None if who == "." else who,
        )
        for number, who in enumerate(pattern)
    ]


@pytest.mark.parametrize(
    ("pattern", "lost", "outage_ms", "outage_began", "recovered", "last"),
    [
        ("",             0, 0.0, None,  True,  None),
        ("111",          0, 0.0, None,  True,  "1"),
        ("11...22",      3, 3.0, 0.002, True,  "2"),
        ("..1....2.2",   7, 4.0, 0.003, True,  "2"),
        ("1LL2",         2, 2.0, 0.001, True,  "2"),
        ("11...",        3, 2.0, 0.002, False, "1"),
        ("...",          3, 2.0, 0.0,   False, None),
        (".",            1, 0.0, 0.0,   False, None),
    ],
)  # fmt: skip
def test_the_outage_is_the_longest_stretch_of_lost_requests(
    pattern: str, lost: int, outage_ms: float, outage_began: float | None, recovered: bool, last: str | None
) -> None:
    summary = summarise(_requests(pattern))
    assert summary == client.Summary(
        len(pattern), lost, outage_ms, outage_began, recovered, last, 0.2 if len(pattern) > lost else None
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sent":[1],"answered":[],"server":[],"servers":[]}'])
def test_a_file_that_no_client_wrote_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "answers"
    path.write_text(text)
    with pytest.raises(ValueError, match="is not a file of the lab's client"):
        client.read_requests(path)


# Who held the VIP


def _event(moment: float, host: str, added: bool, address: str = V4) -> AddressEvent:
    return AddressEvent(moment, host, address, added)


MOVE = [_event(1, "host1", True), _event(2, "host1", False), _event(2.5, "host2", True)]
OVERLAP = [_event(1, "host1", True), _event(2, "host2", True), _event(2.25, "host1", False)]


@pytest.mark.parametrize(
    ("events", "cuts", "two_ms", "none_ms"),
    [
        pytest.param([], [], 0, 4000, id="never-held"),
        pytest.param(MOVE, [], 0, 1500, id="moved-with-a-gap"),
        pytest.param(OVERLAP, [], 250, 1000, id="moved-with-an-overlap"),
        pytest.param(OVERLAP, [Cut("host1", 1.5)], 0, 1500, id="an-unreachable-holder-does-not-count"),
        pytest.param(OVERLAP, [Cut("host1", 1.5, 2.125)], 125, 1500, id="healed-while-both-hold-it"),
        pytest.param(MOVE, [Cut("host2", 0, 9)], 0, 3000, id="the-new-holder-is-unreachable"),
        pytest.param([*MOVE, MOVE[0]], [], 0, 1500, id="out-of-order-and-confirmed-twice"),
        pytest.param([*MOVE, _event(1, "host2", True, "198.51.100.12")], [], 0, 1500, id="another-address"),
    ],
)
def test_holders_of_one_address(events: list[AddressEvent], cuts: list[Cut], two_ms: float, none_ms: float) -> None:
    assert (two_holders_ms(events, cuts, (0, 4), [V4]), no_holder_ms(events, cuts, (0, 4), [V4])) == (two_ms, none_ms)


def test_the_vip_is_held_only_where_both_addresses_are() -> None:
    events = [_event(0, "host1", True), _event(0, "host1", True, V6), _event(1, "host2", True, V6)]
    assert two_holders_ms(events, [], (0, 3)) == 2000
    assert no_holder_ms([*events, _event(2, "host1", False)], [], (0, 3)) == 1000


moments = st.integers(0, 12)
some_events = st.lists(st.builds(_event, moments, st.sampled_from(HOSTS), st.booleans()), max_size=8)
some_cuts = st.lists(st.builds(Cut, st.sampled_from(HOSTS), moments, moments), max_size=3)


@given(some_events, some_cuts)
def test_holders_are_what_looking_every_second_shows(events: list[AddressEvent], cuts: list[Cut]) -> None:
    ordered = sorted(events, key=lambda event: event.time)
    seen = [observers.holders(ordered, cuts, second, V4) for second in range(2, 10)]
    assert two_holders_ms(events, cuts, (2, 10), [V4]) == 1000 * sum(len(hosts) == 2 for hosts in seen)
    assert no_holder_ms(events, cuts, (2, 10), [V4]) == 1000 * sum(not hosts for hosts in seen)


# What passes on the wire


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        pytest.param(arp(1, V4, V4), "request", id="gratuitous-request"),
        pytest.param(arp(2, V4, V4), "reply", id="gratuitous-reply"),
        pytest.param(arp(1, "198.51.100.30", V4), None, id="who-has"),
        pytest.param(arp(2, V4, "198.51.100.30"), None, id="is-at-in-answer"),
        pytest.param(arp(1, "198.51.100.11", "198.51.100.11"), None, id="gratuitous-for-another-address"),
        pytest.param(arp(1, V4, V4)[:41], None, id="cut-short"),
        pytest.param(advertisement(V6, 0x20), "advertisement", id="unsolicited"),
        pytest.param(advertisement(V6, 0x20, option=False), "advertisement", id="unsolicited-without-option"),
        pytest.param(advertisement(V6, 0x60), None, id="solicited"),
        pytest.param(advertisement("2001:db8::11", 0x20), None, id="advertisement-of-another-address"),
        pytest.param(advertisement(V6, 0x20)[:77], None, id="advertisement-cut-short"),
        pytest.param(b"", None, id="empty"),
        pytest.param(bytes(100), None, id="another-protocol"),
    ],
)
def test_announcements_are_told_from_other_frames(frame: bytes, kind: str | None) -> None:
    address = V6 if kind == "advertisement" else V4
    expected = Announcement(1.0, kind, address, MACS["host1"]) if kind else None
    assert announcement_in(frame, 1.0, VIP) == expected


@given(st.binary(max_size=120))
def test_no_frame_upsets_the_listener(frame: bytes) -> None:
    announcement_in(b"\xff" * 12 + b"\x08\x06" + frame, 1.0, VIP)
    announcement_in(b"\xff" * 12 + b"\x86\xdd" + frame, 1.0, VIP)


@pytest.mark.parametrize("line", ["", "nonsense", "[2026-01-01T00:00:00.0] 2: eth0    link/ether 00:00:5e:00:53:11"])
def test_a_line_that_is_about_no_address_is_no_event(line: str) -> None:
    assert observers.address_event("host1", line) is None


def test_a_stamp_from_another_time_is_not_believed() -> None:
    before = time.monotonic()
    event = observers.address_event("host1", f"[2001-01-01T00:00:00.0] Deleted 2: eth0    inet {V4}/24 scope global")
    assert event is not None
    assert before <= event.time <= time.monotonic()
    assert (event.host, event.address, event.added) == ("host1", V4, False)
