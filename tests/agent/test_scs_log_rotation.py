"""A log that is renamed, truncated or rewritten: nothing is lost and nothing is delivered twice."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.followed_log import HEADER, FollowedLog, full, settle
from switchover.drivers.scs.records import CHUNK, LONGEST_LINE


@pytest.fixture
def site(tmp_path: Path) -> FollowedLog:
    return FollowedLog(tmp_path)


def rename(site: FollowedLog) -> None:
    site.log.rename(site.directory / f"scs.log.{len(list(site.directory.iterdir()))}")


def copy_and_truncate(site: FollowedLog) -> None:
    shutil.copy(site.log, site.directory / f"scs.log.{len(list(site.directory.iterdir()))}")
    os.truncate(site.log, 0)


def test_an_old_file_is_read_until_the_new_one_has_content(site: FollowedLog) -> None:
    """The writer keeps writing to it until it has opened the new one."""

    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1"))
            await settle()
            with site.log.open("ab") as writer:
                rename(site)
                await settle()
                site.log.touch()
                await settle()
                writer.write(full("SIP_2"))
                writer.flush()
                await settle()
                assert site.names() == ["SIP_1", "SIP_2"]
                writer.write(full("SIP_3") + full("SIP_4")[:-1])
            site.write(full("SIP_5"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2", "SIP_3", "SIP_4", "SIP_5"]


@pytest.mark.parametrize("hole", [1, LONGEST_LINE, CHUNK - 30, CHUNK, 3 * CHUNK + 1])
def test_a_hole_of_any_size_before_a_line_does_no_harm(site: FollowedLog, hole: int) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(b"\0" * hole + full("SIP_1") + b"\0" * hole + full("SIP_2"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]


@pytest.mark.parametrize("append", [True, False])
def test_a_writer_is_followed_after_a_truncation(site: FollowedLog, append: bool) -> None:
    """A writer that does not append leaves a hole before its next line."""

    async def scenario() -> None:
        async with site.followed():
            with site.log.open("ab" if append else "wb", buffering=0) as writer:
                writer.write(HEADER + full("SIP_1") + b"x" * 3 * LONGEST_LINE + b"\n")
                await settle()
                os.truncate(site.log, 0)
                writer.write(b"18:00:01.000 Std 05150 text\n" + full("SIP_2"))
                await settle()
                writer.write(full("SIP_3"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SCS_1", "SIP_2", "SIP_3"]


def test_a_truncation_loses_no_line_that_was_copied(site: FollowedLog) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1"))
            await settle()
            site.write(full("SIP_2"))
            copy_and_truncate(site)
            site.write(full("SIP_3") * 3)

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2", *["SIP_3"] * 3]


def test_a_truncation_without_a_copy_causes_a_warning(site: FollowedLog, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1"))
            await settle()
            site.log.write_bytes(full("SIP_2", time="18:11:39.000"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]
    lost = f"what was read of {site.log} is neither there nor in a copy; what was not read is lost"
    assert caplog.messages == [lost]


def test_a_file_rewritten_by_an_editor_is_not_read_again(site: FollowedLog) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1") * 20)
            await settle()
            copy = site.directory / "copy"
            copy.write_bytes(site.log.read_bytes() + full("SIP_2"))
            copy.replace(site.log)

    asyncio.run(scenario())
    assert site.names() == [*["SIP_1"] * 20, "SIP_2"]


def test_a_symbolic_link_that_changes_its_file_is_followed(site: FollowedLog) -> None:
    def point_to(name: str) -> None:
        link = site.directory / "link"
        link.symlink_to(site.directory / "dated" / name)
        link.replace(site.log)

    async def scenario() -> None:
        (site.directory / "dated").mkdir()
        point_to("scs.20020507.log")
        async with site.followed():
            site.write(full("SIP_1"))
        site.write(full("SIP_2"))
        point_to("scs.20020508.log")
        site.write(full("SIP_3", time="18:11:39.000"))
        async with site.followed():
            pass

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2", "SIP_3"]


@pytest.mark.parametrize("rotate", [rename, copy_and_truncate])
@pytest.mark.parametrize("header", [b"", HEADER])
def test_a_restart_loses_nothing_and_repeats_only_lines_after_the_bookmark(
    tmp_path: Path, rotate: Callable[[FollowedLog], None], header: bytes
) -> None:
    """Every bookmark ever written is tried at every later moment of a log that is rotated once."""
    steps: list[Callable[[FollowedLog], None]] = [
        lambda site: site.write(header + full("A") + full("B")),
        lambda site: site.write(full("C")[:20]),
        lambda site: site.write(full("C")[20:]),
        rotate,
        lambda site: site.write(header),
        lambda site: site.write(full("D")[:50]),
        lambda site: site.write(full("D")[50:] + full("E")),
        lambda site: site.write(full("F")),
    ]
    everything = list("ABCDEF")

    async def scenario(begin: int, end: int) -> None:
        site = FollowedLog(Path(tempfile.mkdtemp(dir=tmp_path)))
        async with site.followed():
            for step in steps[:begin]:
                step(site)
                await settle()
            bookmark = site.bookmark.read_bytes()
            known = site.names()
            for step in steps[begin : begin + 1]:
                step(site)
                await settle()
        site.bookmark.write_bytes(bookmark)  # as if the follower had been killed before it wrote another one
        site.delivered.clear()
        for step in steps[begin + 1 : end]:
            step(site)
        async with site.followed():
            for step in steps[max(begin + 1, end) :]:
                step(site)
                await settle()
        assert known + site.names() == everything

    for begin, end in itertools.combinations_with_replacement(range(1, len(steps) + 1), 2):
        asyncio.run(scenario(begin, end))
