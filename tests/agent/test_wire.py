"""The wire: every message survives it unchanged, and everything else is refused with a reason."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from switchover.drivers.link.wire import (
    MAX_BYTES,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Notice,
    Order,
    Resume,
    Welcome,
    WireError,
    decode,
    encode,
)
from switchover.fsm.commands import (
    AnnounceVip,
    Demote,
    DisableVip,
    EnableVip,
    LookAt,
    LookAtVip,
    Promote,
    Start,
    Stop,
)
from switchover.fsm.events import (
    ApplicationReported,
    CommandSucceeded,
    Failure,
    HostReport,
    Mode,
    VipReported,
)

NAMES = st.text(max_size=20)
COUNTS = st.integers(0, 2**63 - 1)
COMMANDS = st.one_of(
    *(st.builds(kind, host=NAMES, id=COUNTS) for kind in (EnableVip, DisableVip, AnnounceVip, LookAtVip)),
    *(st.builds(kind, host=NAMES, application=NAMES, id=COUNTS) for kind in (Promote, Demote, Start, Stop, LookAt)),
)
EVENTS = st.one_of(
    st.builds(ApplicationReported, NAMES, st.sampled_from(Mode)),
    st.builds(VipReported, NAMES, st.booleans()),
    st.builds(CommandSucceeded, COUNTS),
    *(st.builds(kind, COUNTS, NAMES) for kind in get_args(Failure)),
)
REPORTS = st.builds(
    HostReport,
    modes=st.dictionaries(NAMES, st.sampled_from(Mode), max_size=5),
    vip_held=st.booleans(),
    primary_for_ms=st.dictionaries(NAMES, COUNTS, max_size=5),
)
BODIES = st.one_of(
    st.builds(Hello, COUNTS),
    st.builds(Welcome, REPORTS),
    st.builds(Heartbeat, st.booleans()),
    st.builds(Resume, COUNTS),
    st.builds(Order, COMMANDS, COUNTS),
    st.builds(Notice, EVENTS),
    st.builds(Goodbye),
)
MESSAGES = st.builds(Message, NAMES, COUNTS, COUNTS, COUNTS, COUNTS, BODIES)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=8,
)


@given(MESSAGES)
def test_a_message_survives_the_wire(message: Message):
    """Also the command's id, which comparisons ignore."""
    received = decode(encode(message))
    assert received == message
    if isinstance(message.body, Order) and isinstance(received.body, Order):
        assert received.body.command.id == message.body.command.id


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes):
    """No other exception is raised, whatever the input."""
    with pytest.raises(WireError):
        decode(data)


@given(MESSAGES, st.data())
def test_a_changed_message_is_refused_or_well_formed(message: Message, data: st.DataObject):
    """Put any JSON value in any place: either the result is a message that survives the wire, or it is refused."""
    tree = json.loads(encode(message))
    places = list(find_places(tree))
    branch, key = data.draw(st.sampled_from(places))
    branch[key] = data.draw(JSON_VALUES)
    changed = json.dumps(tree).encode()
    try:
        received = decode(changed)
    except WireError:
        return
    assert decode(encode(received)) == received


def find_places(tree: dict[str, Any]) -> Any:
    for key, value in tree.items():
        yield tree, key
        if isinstance(value, dict):
            yield from find_places(value)


def as_json(**changes: Any) -> bytes:
    tree = json.loads(encode(Message("session", 1, 2, 3, 4, Heartbeat(hearing=True))))
    return json.dumps({**tree, **changes}).encode()


def order(command: Any) -> Any:
    return {"type": "Order", "deadline_ms": 1, "command": command}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * MAX_BYTES, "not JSON: maximum recursion depth"),
        (b"9" * MAX_BYTES, "not JSON: Exceeds the limit"),
        (b'{"number": NaN}', "NaN is not a number"),
        (b"[]", "not a JSON object"),
        (b"{}", "'session' is missing or unknown"),
        (b" " * (MAX_BYTES + 1), "too long: 16385 bytes"),
        (as_json(extra=1), "Extra fields in constructor for Message: extra"),
        (as_json(number="1"), "expected int, got str @ $.number"),
        (as_json(number=True), "expected int, got bool @ $.number"),
        (as_json(number=1.0), "expected int, got float @ $.number"),
        (as_json(number=-1), "'number' must be >= 0"),
        (as_json(number=2**63), "'number' must be < 9223372036854775808"),
        (as_json(session="s" * 65), "Length of 'session' must be <= 64"),
        (as_json(session="\ud800"), "surrogates not allowed @ $.session"),
        (as_json(body={"type": "Shutdown"}), "'Shutdown' is missing or unknown @ $.body"),
        (as_json(body={"type": ["Goodbye"]}), "unhashable type: 'list' @ $.body"),
        (as_json(body={}), "'type' is missing or unknown @ $.body"),
        (as_json(body="Goodbye"), "$.body"),
        (as_json(body={"type": "Goodbye", "now": True}), "Extra fields in constructor for Goodbye: now"),
        (as_json(body={"type": "Heartbeat", "hearing": 1}), "expected bool, got int @ $.body.hearing"),
        (as_json(body=order({"type": "StartTimer", "timer": "t", "after_ms": 1})), "'StartTimer' is missing"),
        (as_json(body=order({"type": "EnableVip", "host": 1, "id": 1})), "expected str, got int @ $.body.command.host"),
        (as_json(body={"type": "Welcome", "report": {"modes": {"a": "master"}, "vip_held": True}}), "'master' is not"),
    ],
)
def test_malformed_messages_are_refused_with_the_reason(data: bytes, reason: str):
    """Nothing unknown is ignored, nothing is converted, and the reason names the place."""
    with pytest.raises(WireError) as caught:
        decode(data)
    assert reason in str(caught.value)


def test_a_message_that_the_other_side_would_refuse_is_not_sent():
    """A report with thousands of applications fails where it is sent."""
    modes = {f"application {number}": Mode.BACKUP for number in range(1000)}
    with pytest.raises(WireError, match="too long"):
        encode(Message("session", 1, 2, 3, 4, Welcome(HostReport(modes, vip_held=False))))


def test_a_report_of_200_applications_fits():
    """Two hundred applications with long names are no problem."""
    names = [f"{number:020}" for number in range(200)]
    report = HostReport(dict.fromkeys(names, Mode.PRIMARY), vip_held=True, primary_for_ms=dict.fromkeys(names, 10**9))
    message = Message("session", 1, 2, 3, 4, Welcome(report))
    assert decode(encode(message)) == message
