"""The follower of an SCS's log: which messages it delivers, whatever is written, and its warnings."""

import asyncio
import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.followed_log import HEADER, FollowedLog, full, settle
from switchover.drivers.errors import DriverError
from switchover.drivers.scs.log import ScsLog
from switchover.drivers.scs.reader import Stopped
from switchover.drivers.scs.records import LONGEST_LINE, read_record
from switchover.fsm import LOG_MESSAGES, CoreError

P, B = "00-5150", "00-5151"

Eventually = Callable[[Callable[[], object]], Coroutine[Any, Any, None]]


@pytest.fixture
def site(tmp_path: Path) -> FollowedLog:
    return FollowedLog(tmp_path)


def take_all(follower: ScsLog) -> None:
    while follower.take():
        pass


# Delivery


def test_only_messages_that_the_core_knows_are_delivered(site: FollowedLog) -> None:
    async def scenario() -> None:
        site.write(HEADER)
        async with site.followed():
            site.write(
                full("SIP_1") + full("SIP_2", "05151") + full("SIP_3", "05060") + b"18:00:01.000 Std 05151 text\n"
            )
            await settle()
            assert site.delivered == [(P, "SIP_1"), (B, "SIP_2"), (B, "SCS_1")]

    asyncio.run(scenario())


def test_short_records_without_a_header_are_skipped_with_one_warning(
    site: FollowedLog, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(b"18:00:01.000 Std 05150 text\n" * 2)
            await settle()
            assert site.delivered == []

    asyncio.run(scenario())
    assert caplog.messages == [f"{site.log} has no header that names its application; its short records are skipped"]


def test_only_the_header_names_the_application(site: FollowedLog) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(HEADER + b"Application name: Impostor\n18:00:01.000 Std 05150 text\n")

    asyncio.run(scenario())
    assert site.names() == ["SCS_1"]


def test_a_message_that_the_core_refuses_is_not_repeated(site: FollowedLog) -> None:
    async def scenario() -> None:
        def refuse(event_id: str, application: str) -> None:
            site.deliver(event_id, application)
            raise CoreError("unknown application")

        async with site.followed(refuse):
            site.write(full("SIP_1") + full("SIP_2"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]


def test_an_error_of_the_receiver_is_raised_and_costs_no_other_message(site: FollowedLog) -> None:
    def fail(event_id: str, application: str) -> None:
        site.deliver(event_id, application)
        if application == "SIP_2":
            raise ZeroDivisionError

    follower = ScsLog(site.log, site.bookmark, fail)
    follower.start()
    site.write(full("SIP_1") + full("SIP_2") + full("SIP_3"))
    with pytest.raises(ZeroDivisionError):
        take_all(follower)
    take_all(follower)
    follower.close()
    assert site.names() == ["SIP_1", "SIP_2", "SIP_3"]


def test_the_next_follower_delivers_a_message_that_was_not_handled(site: FollowedLog) -> None:
    def stop(event_id: str, application: str) -> None:
        if application == "SIP_2":
            raise Stopped
        site.deliver(event_id, application)

    follower = ScsLog(site.log, site.bookmark, stop)
    follower.start()
    site.write(full("SIP_1") + full("SIP_2") + full("SIP_3"))
    with pytest.raises(Stopped):
        take_all(follower)
    follower.close()

    async def scenario() -> None:
        async with site.followed():
            assert site.names() == ["SIP_1", "SIP_2", "SIP_3"]

    asyncio.run(scenario())


# Files that cannot be followed


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_a_log_that_is_not_a_regular_file_is_not_followed(site: FollowedLog, kind: str) -> None:
    site.log.mkdir() if kind == "directory" else os.mkfifo(site.log)

    async def scenario() -> None:
        with pytest.raises(DriverError, match=r"scs\.log cannot be followed: it is no regular file$"):
            ScsLog(site.log, site.bookmark, site.deliver).start()

    asyncio.run(scenario())


def test_a_log_that_is_not_a_file_for_a_while_causes_one_warning(
    site: FollowedLog, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        site.write(full("OLD"))
        async with site.followed():
            site.write(full("SIP_1"))
            await settle()
            site.log.rename(site.directory / "away")
            site.log.mkdir()
            await settle()
            site.log.rmdir()
            (site.directory / "away").rename(site.log)
            site.write(full("SIP_2"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]
    assert caplog.messages == [f"the log {site.log} cannot be read: it is no regular file; trying again"]


# Whatever is written

PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\n", b"\r\n", b"\0" * 10, b" ", HEADER, b"File:\n", b"x" * LONGEST_LINE, b"\0" * LONGEST_LINE]),
    st.builds(full, st.sampled_from(["SIP_1", "SIP Server 2", "é"]), st.sampled_from(["05150", "05091", "04711"])),
    st.sampled_from([b"1 Std 05064 text\n", b"Alr 05091\n", b"1 Std 04711 text\n"]),
)


def expected(data: bytes) -> list[str]:
    """The applications of the messages in `data`, read in another way: all at once."""
    applications: list[str] = []
    application, in_header, position = "", True, 0
    *lines, last = data.split(b"\n")
    if len(last.lstrip(b"\0")) >= LONGEST_LINE:  # the rest of the line is skipped
        lines.append(last)
    for line in lines:
        position += len(line) + 1
        text = line.lstrip(b"\0")[:LONGEST_LINE]
        header = text.replace(b"\0", b"").decode(errors="replace")
        in_header = in_header and not header.startswith("File:") and position <= LONGEST_LINE
        if in_header and header.startswith("Application name:"):
            application = header.partition(":")[2].strip() or application
        record = read_record(text)
        about = record and (record.application or application)
        if record and about and f"00-{record.event_id[-4:]}" in LOG_MESSAGES:
            applications.append(about)
    return applications


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.lists(PIECES, max_size=12).map(b"".join), data_of=st.data())
def test_the_same_messages_are_delivered_however_the_bytes_arrive(data: bytes, data_of: st.DataObject) -> None:
    cuts = data_of.draw(st.lists(st.integers(0, len(data)), max_size=6).map(sorted))
    restarts = data_of.draw(st.sets(st.integers(0, 6)))

    async def scenario(site: FollowedLog) -> None:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(site.followed())
            for number, (begin, end) in enumerate(itertools.pairwise([0, *cuts, len(data)])):
                if number in restarts:
                    await stack.aclose()
                    await stack.enter_async_context(site.followed())
                site.write(data[begin:end])
                await settle(10)

    with tempfile.TemporaryDirectory() as directory:
        site = FollowedLog(Path(directory))
        asyncio.run(scenario(site))
        assert site.names() == expected(data)
