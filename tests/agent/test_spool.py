"""The spool: real files, written and read by several processes, some of which are killed."""

import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from switchover.drivers.errors import DriverError
from switchover.drivers.scs.reader import Stopped
from switchover.drivers.scs.spool import BURST, MOST_MESSAGES, Spool, put
from switchover.fsm import CoreError

Eventually = Callable[[Callable[[], object]], Coroutine[Any, Any, None]]


class SpoolHarness:
    """A spool, and the messages that it delivered."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "state" / "spool"
        self.delivered: list[tuple[str, str]] = []
        self.spool = Spool(self.directory, self.deliver)

    def deliver(self, event_id: str, application: str) -> None:
        self.delivered.append((event_id, application))

    def put(self, *applications: str) -> None:
        for application in applications:
            put(self.directory, "00-5150", application)

    def names(self) -> list[str]:
        return [application for _, application in self.delivered]

    def left(self) -> list[str]:
        return sorted(os.listdir(self.directory))

    def age(self, by_s: float) -> None:
        """Make all waiting messages older."""
        for path in self.directory.iterdir():
            number = int(path.name[:20]) - int(by_s * 1e9)
            path.rename(path.with_name(f"{number:020d}{path.name[20:]}"))


@pytest.fixture
def harness(tmp_path: Path) -> SpoolHarness:
    return SpoolHarness(tmp_path)


def test_messages_are_delivered_once_in_order(harness: SpoolHarness) -> None:
    harness.put("SIP_1", "SIP_2", "SIP_1")
    put(harness.directory, "5151", 'a "name"\nö')
    assert not harness.spool.take()
    assert harness.delivered == [
        ("00-5150", "SIP_1"),
        ("00-5150", "SIP_2"),
        ("00-5150", "SIP_1"),
        ("5151", 'a "name"\nö'),
    ]
    assert not harness.spool.take()
    assert (len(harness.delivered), harness.left()) == (4, [])


def test_only_its_owner_may_use_the_spool(harness: SpoolHarness) -> None:
    before = os.umask(0)
    try:
        harness.put("SIP_1")
    finally:
        os.umask(before)
    (message,) = harness.directory.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (harness.directory, message)] == [0o700, 0o600]


def test_many_messages_are_taken_in_bursts(harness: SpoolHarness) -> None:
    harness.put(*["SIP_1"] * (BURST + 1))
    assert harness.spool.take()
    assert len(harness.delivered) == BURST
    assert not harness.spool.take()
    assert len(harness.delivered) == BURST + 1


def test_a_message_that_was_not_handled_to_its_end_is_handled_again(harness: SpoolHarness) -> None:
    """The process was killed while it handled the message; the next process handles it."""
    harness.put("SIP_1", "SIP_2")
    script = (
        "import os, sys; from pathlib import Path; from switchover.drivers.scs.spool import Spool\n"
        "Spool(Path(sys.argv[1]), lambda event, name: os._exit(7) if name == 'SIP_2' else None).take()"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(harness.directory)])  # noqa: S603 - the test's own
    assert killed.returncode == 7
    harness.spool.take()
    assert harness.names() == ["SIP_2"]


def test_a_message_that_the_core_refuses_is_removed(harness: SpoolHarness) -> None:
    def refuse(*_: str) -> None:
        raise CoreError("unknown application")

    harness.put("SIP_1")
    Spool(harness.directory, refuse).take()
    assert harness.left() == []


def test_an_error_of_the_receiver_is_raised_and_stops_no_later_message(harness: SpoolHarness) -> None:
    def fail(event_id: str, application: str) -> None:
        harness.deliver(event_id, application)
        assert application != "SIP_1"

    harness.put("SIP_1", "SIP_2")
    failing = Spool(harness.directory, fail)
    with pytest.raises(AssertionError):
        failing.take()
    failing.take()
    assert harness.names() == ["SIP_1", "SIP_2"]


def test_a_message_that_was_not_handled_stays_in_the_spool(harness: SpoolHarness) -> None:
    def stop(*_: str) -> None:
        raise Stopped

    harness.put("SIP_1")
    with pytest.raises(Stopped):
        Spool(harness.directory, stop).take()
    harness.spool.take()
    assert harness.names() == ["SIP_1"]


@pytest.mark.parametrize("age_s", [61, -61])
def test_an_old_message_is_dropped_with_a_warning(
    harness: SpoolHarness, caplog: pytest.LogCaptureFixture, age_s: int
) -> None:
    harness.put("SIP_1")
    harness.age(age_s)
    harness.put("SIP_2")
    harness.spool.take()
    assert (harness.names(), harness.left()) == (["SIP_2"], [])
    (dropped,) = caplog.messages
    assert re.fullmatch(r"dropped: 00-5150 SIP_1, spooled -?\d+ s ago", dropped)


def test_the_age_limit_of_messages_can_be_chosen(harness: SpoolHarness) -> None:
    harness.put("SIP_1")
    harness.age(100)
    Spool(harness.directory, harness.deliver, max_age_s=3600).take()
    assert harness.names() == ["SIP_1"]


# Files that are not messages


def message_name(number: int) -> str:
    return f"{time.time_ns():020d}-{number}-01234567.message"


JUNK = [
    b"",
    b"{}",
    b"[" * 4000,
    b"\xff",
    b'{"event": "00-5150"}',
    b'{"event": 5150, "application": "SIP_1"}',
    b'{"event": "00-5150", "application": "\\ud800"}',
    b'{"event": "00-5150", "application": "SIP_1"}' + b" " * 5000,
]


def test_junk_is_set_aside_with_one_warning_each(harness: SpoolHarness, caplog: pytest.LogCaptureFixture) -> None:
    harness.put("SIP_1")
    for number, data in enumerate(JUNK):
        (harness.directory / message_name(number)).write_bytes(data)
    (harness.directory / message_name(100)).mkdir()
    (harness.directory / message_name(101)).symlink_to(harness.directory / "nowhere")
    os.mkfifo(harness.directory / message_name(102))
    harness.put("SIP_2")
    for _ in range(3):
        harness.spool.take()
    assert harness.names() == ["SIP_1", "SIP_2"]
    junk = len(JUNK) + 3
    assert [text.endswith(" is no message: set aside") for text in caplog.messages] == [True] * junk
    assert [name.endswith(".junk") for name in harness.left()] == [True] * junk


def test_other_files_are_left_alone_with_one_warning(harness: SpoolHarness, caplog: pytest.LogCaptureFixture) -> None:
    harness.put("SIP_1")
    (harness.directory / "README").touch()
    for _ in range(3):
        harness.spool.take()
    assert (harness.names(), harness.left()) == (["SIP_1"], ["README"])
    assert caplog.messages == [f"{harness.directory / 'README'} is no message: left alone"]


def test_an_old_temporary_file_of_a_killed_command_is_removed(
    harness: SpoolHarness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.put("SIP_1")
    for name in ("old.new", "fresh.new"):
        (harness.directory / name).touch()
    os.utime(harness.directory / "old.new", (0, 0))
    harness.spool.take()
    assert (harness.names(), harness.left(), caplog.messages) == (["SIP_1"], ["fresh.new"], [])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.binary(max_size=50), st.recursive(st.text() | st.none(), st.lists).map(lambda x: json.dumps(x).encode())
    )
)
def test_no_content_of_a_file_does_harm(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    harness = SpoolHarness(tmp_path_factory.mktemp("spool"))
    harness.put("SIP_1")
    (harness.directory / message_name(1)).write_bytes(data)
    harness.spool.take()
    assert harness.names() == ["SIP_1"]


# Messages that cannot be put or taken


def test_a_full_spool_refuses_further_messages(harness: SpoolHarness) -> None:
    harness.put("SIP_1")
    for number in range(MOST_MESSAGES - 1):
        (harness.directory / message_name(number)).touch()
    with pytest.raises(DriverError, match=r"spool is full: 1000 messages wait; does the agent run\?$"):
        harness.put("SIP_2")
    assert len(harness.left()) == MOST_MESSAGES


@pytest.mark.parametrize(
    ("application", "text"),
    [("x" * 5000, r"^the message has \d+ bytes; a spooled one has at most 4096$"), ("\udcff", "it is no text$")],
)
def test_a_message_that_is_too_long_or_not_text_is_refused(harness: SpoolHarness, application: str, text: str) -> None:
    with pytest.raises(DriverError, match=text):
        harness.put(application)
    assert harness.left() == []


def test_a_spool_that_others_may_write_to_is_refused_at_both_ends(harness: SpoolHarness) -> None:
    harness.directory.mkdir(parents=True)
    harness.directory.chmod(0o770)

    for attempt in (lambda: harness.put("SIP_1"), harness.spool.start):
        with pytest.raises(DriverError, match=r"^others may write to the spool .*; run `chmod 700 "):
            attempt()


def test_a_spool_that_cannot_be_made_is_an_error_at_both_ends(harness: SpoolHarness) -> None:
    harness.directory.parent.touch()

    with pytest.raises(DriverError, match=r"takes no message: "):
        harness.put("SIP_1")
    with pytest.raises(DriverError, match=r"cannot be made: "):
        harness.spool.start()


def test_a_spool_that_vanishes_causes_one_warning_and_may_come_back(
    harness: SpoolHarness, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert not harness.spool.take()
    assert caplog.messages == [f"the spool {harness.directory} cannot be looked into: No such file or directory"]
    harness.put("SIP_1")
    harness.spool.take()
    assert harness.names() == ["SIP_1"]


def test_a_message_that_cannot_be_removed_is_handled_once_by_this_process(
    harness: SpoolHarness, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    harness.put("SIP_1")
    monkeypatch.setattr(Path, "unlink", refuse)
    for _ in range(3):
        harness.spool.take()
    assert harness.names() == ["SIP_1"]
    assert len(caplog.messages) == 1


def test_several_processes_may_put_messages_at_the_same_time(harness: SpoolHarness) -> None:
    script = (
        "import sys; from pathlib import Path; from switchover.drivers.scs.spool import put\n"
        "for number in range(20): put(Path(sys.argv[1]), '00-5150', f'{sys.argv[2]} {number}')"
    )
    argv = [sys.executable, "-c", script, str(harness.directory)]
    putting = [subprocess.Popen([*argv, str(who)]) for who in range(3)]  # noqa: S603 - the test's own
    while any(process.poll() is None for process in putting):
        if harness.directory.exists():
            harness.spool.take()
        time.sleep(0.001)
    while harness.spool.take():
        pass
    for who in range(3):
        assert [name for name in harness.names() if name.startswith(str(who))] == [f"{who} {n}" for n in range(20)]
    assert [process.returncode for process in putting] == [0, 0, 0]
