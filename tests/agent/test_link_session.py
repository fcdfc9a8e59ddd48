"""Sessions: the order and age of messages, and a log that cannot be flooded."""

import logging
import time

import pytest
from attrs import evolve
from switchover.drivers.link.session import (
    Refusal,
    RefusalLog,
    RefusedError,
    Session,
    check_age,
    clock_ms,
)
from switchover.drivers.link.wire import Heartbeat, Message, Order, Resume, decode
from switchover.fsm.commands import EnableVip

BEAT = Heartbeat(hearing=True)


def next_beat(session: Session) -> Message:
    return decode(session.stamp(BEAT))


def test_messages_are_numbered_and_return_the_peers_clock():
    """Each message has the next number and the newest clock value that was heard."""
    near, far = Session("s"), Session("s")
    first = next_beat(near)
    far.check_order(first)
    second = next_beat(far)
    assert (first.number, first.echo_ms) == (1, 0)
    assert (second.number, second.echo_ms) == (1, first.clock_ms)
    assert next_beat(far).number == 2


def test_messages_out_of_order_are_refused():
    """Numbers may skip forward, but never repeat, go back or belong to another session."""
    session = Session("s")
    message = next_beat(Session("s"))
    for number in (1, 2, 9):
        session.check_order(evolve(message, number=number))
    for number in (9, 8, 1, 0):
        with pytest.raises(RefusedError, match="out of order"):
            session.check_order(evolve(message, number=number))
    with pytest.raises(RefusedError, match="another session"):
        session.check_order(evolve(message, number=10, session="t"))


ORDER = Order(EnableVip("host1", id=7), 1000)


def test_unacknowledged_messages_are_repeated():
    """Under its old number, until the peer acknowledges it; heartbeats are not repeated."""
    near, far = Session("s"), Session("s")
    for body in (ORDER, BEAT, ORDER):
        near.stamp(body)
    assert [(message.number, message.body) for message in map(decode, near.repeats())] == [(1, ORDER), (3, ORDER)]
    far.check_order(decode(near.repeats()[0]))
    near.check_order(next_beat(far))
    assert [decode(data).number for data in near.repeats()] == [3]
    near.take_back()
    assert near.repeats() == []


def test_a_session_keeps_a_limited_number_of_messages():
    """A peer that receives nothing does not cost memory without limit."""
    session = Session("s")
    while not session.is_full:
        session.stamp(ORDER)
    assert len(session.repeats()) == 500


def test_only_the_newest_resume_counts():
    """A delayed one does not move the session back, and none uses up a message number."""
    near, far = Session("s"), Session("s")
    first, second = decode(near.stamp_resume()), decode(near.stamp_resume())
    far.check_resume(second, Resume(2))
    for late, count in ((first, 1), (second, 2)):
        with pytest.raises(RefusedError, match="out of order"):
            far.check_resume(late, Resume(count))
    assert (first.body, second.body) == (Resume(1), Resume(2))
    far.check_order(next_beat(near))


@pytest.mark.parametrize(
    ("age_ms", "in_time"), [(0, True), (500, True), (2000, False), (60_000, False), (-1000, False)]
)
def test_messages_that_are_too_old_are_refused(age_ms: int, in_time: bool):
    """A message is refused if its sender was out of touch for the limit, or if it comes from the future."""
    message = evolve(next_beat(Session("s")), echo_ms=clock_ms() - age_ms)
    if in_time:
        check_age(message, 2000)
    else:
        with pytest.raises(RefusedError, match="out of date"):
            check_age(message, 2000)


def test_a_flood_of_refusals_is_logged_at_a_limited_rate(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """Three warnings in ten seconds for each reason; the next one counts those left out."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    caplog.set_level(logging.WARNING, "switchover.link")
    log = RefusalLog("peer")
    for _ in range(100):
        log.warn(Refusal.MALFORMED, "nonsense")
    log.warn(Refusal.OUT_OF_DATE, "late")
    now += 11
    log.warn(Refusal.MALFORMED, "nonsense")
    assert [record.getMessage() for record in caplog.records] == [
        *["peer: refused: malformed message: nonsense"] * 3,
        "peer: refused: message out of date: late",
        "peer: refused: malformed message: nonsense (and 97 like it since the last warning)",
    ]
