"""Where the follower of a log begins: at the end when it is new, and at its bookmark when it goes on."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from support.followed_log import HEADER, FollowedLog, full, settle
from switchover.drivers.errors import DriverError
from switchover.drivers.scs import log as scs_log
from switchover.drivers.scs.log import ScsLog
from switchover.drivers.scs.records import LONGEST_LINE

P = "00-5150"


@pytest.fixture
def site(tmp_path: Path) -> FollowedLog:
    return FollowedLog(tmp_path)


def test_the_first_start_begins_at_the_end_but_reads_the_header(site: FollowedLog) -> None:
    async def scenario() -> None:
        site.write(HEADER + full("OLD") * 2000)
        async with site.followed():
            site.write(b"18:00:01.000 Std 05150 text\n")

    asyncio.run(scenario())
    assert site.delivered == [(P, "SCS_1")]


@pytest.mark.parametrize("before", [b"", full("OLD"), HEADER + full("OLD") * 2000], ids=["empty", "short", "long"])
def test_a_line_that_was_incomplete_at_the_first_start_is_new(site: FollowedLog, before: bytes) -> None:
    async def scenario() -> None:
        site.write(before + full("SIP_1")[:30])
        async with site.followed():
            site.write(full("SIP_1")[30:])

    asyncio.run(scenario())
    assert site.names() == ["SIP_1"]


@pytest.mark.parametrize("length", [LONGEST_LINE, 3 * LONGEST_LINE])
def test_a_line_that_was_too_long_at_the_first_start_is_skipped(site: FollowedLog, length: int) -> None:
    async def scenario() -> None:
        site.write(full("OLD")[:-1] + b"x" * length)
        async with site.followed():
            site.write(full("OLD") + full("SIP_1"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1"]


def test_a_log_that_appears_after_the_first_start_is_read_from_its_beginning(site: FollowedLog) -> None:
    async def scenario() -> None:
        async with site.followed():
            assert not site.log.exists()
        site.write(HEADER + full("SIP_1"))
        async with site.followed():
            assert site.names() == ["SIP_1"]

    asyncio.run(scenario())


def test_the_bookmark_of_another_log_is_not_used(site: FollowedLog) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1"))
        site.log = site.directory / "other.log"
        site.write(full("OLD"))
        async with site.followed():
            site.write(full("SIP_2"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]


@pytest.mark.parametrize(("age_s", "names"), [(50, ["SIP_1", "SIP_2", "SIP_3"]), (100, ["SIP_1", "SIP_3"])])
def test_messages_from_a_long_time_without_a_follower_are_not_delivered(
    site: FollowedLog, caplog: pytest.LogCaptureFixture, age_s: int, names: list[str]
) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1"))
        site.write(full("SIP_2"))
        kept = time.time() - age_s
        os.utime(site.bookmark, (kept, kept))
        async with site.followed(max_age_s=75):
            site.write(full("SIP_3"))

    asyncio.run(scenario())
    assert site.names() == names
    assert len(caplog.messages) == (age_s > 75)


def test_a_bookmark_is_kept_alive_even_if_nothing_is_written(
    site: FollowedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scs_log, "ALIVE_EVERY_S", 0)

    async def scenario() -> None:
        async with site.followed():
            os.utime(site.bookmark, (0, 0))
            await settle()
            assert site.bookmark.stat().st_mtime > 0

    asyncio.run(scenario())


DAMAGED = [b"", b"{}", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"offset": -1}']


@pytest.mark.parametrize("damaged", [*DAMAGED, None], ids=lambda data: repr(data)[:20])
def test_a_damaged_bookmark_counts_as_none(
    site: FollowedLog, caplog: pytest.LogCaptureFixture, damaged: bytes | None
) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1"))
        place = json.loads(site.bookmark.read_bytes())
        site.bookmark.write_bytes(json.dumps(place | {"offset": -1}).encode() if damaged is None else damaged)
        site.write(full("OLD"))
        async with site.followed():
            site.write(full("SIP_2"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]
    assert caplog.messages == [f"the bookmark {site.bookmark} is damaged; beginning at the end of {site.log}"]


def test_an_impossible_path_of_a_bookmark_is_an_error(site: FollowedLog) -> None:
    async def scenario() -> None:
        (site.directory / "file").touch()
        for bookmark in (site.directory, site.directory / "file" / "bookmark"):
            with pytest.raises(DriverError, match=f"^the bookmark {bookmark} cannot be used: "):
                ScsLog(site.log, bookmark, site.deliver).start()

    asyncio.run(scenario())


def test_a_bookmark_that_cannot_be_written_causes_one_warning(
    site: FollowedLog, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.bookmark.with_name("scs.bookmark.new").mkdir()
            site.write(full("SIP_1"))
            await settle()
            site.write(full("SIP_2"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]
    assert caplog.messages == [f"the bookmark {site.bookmark} cannot be written: Is a directory; going on without"]
