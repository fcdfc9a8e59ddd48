"""Log files that are followed: real files, really rotated; followers that stop and go on."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from switchover.drivers import scs_log
from switchover.drivers.errors import DriverError
from switchover.drivers.scs_log import BURST, ScsLog
from switchover.drivers.scs_records import CHUNK, LONGEST_LINE, read_record
from switchover.fsm import LOG_MESSAGES, CoreError

HEADER = b"""\
Genesys Solution Control Server, Version:8.5.100.42
Application name:     SCS_1
Application type:     35 (SCS)
File:                 (1) 07/05/2002 18:00:00.000
"""
P, B = "00-5150", "00-5151"

Eventually = Callable[[Callable[[], object]], Coroutine[Any, Any, None]]


def full(application: str, number: str = "05150", time: str = "18:11:38.196") -> bytes:
    return f"{time} Standard   host1   {application}   GCTI-00-{number}   Application changed mode\n".encode()


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look in each turn of the loop, so that no test waits for time to pass."""
    monkeypatch.setattr(scs_log, "LOOK_EVERY_MS", 0)


class Site:
    """A log file, its bookmark, and what was delivered."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "scs.log"
        self.bookmark = directory / "state" / "scs.bookmark"
        self.told: list[tuple[str, str]] = []

    def write(self, data: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(data)

    def names(self) -> list[str]:
        return [application for _, application in self.told]

    def deliver(self, event_id: str, application: str) -> None:
        self.told.append((event_id, application))

    @contextlib.asynccontextmanager
    async def followed(
        self, deliver: Callable[[str, str], None] | None = None, max_age_s: float | None = None
    ) -> AsyncGenerator[ScsLog]:
        """A follower at work; when it is closed, it has read what there is."""
        follower = ScsLog(self.log, self.bookmark, deliver or self.deliver, max_age_s)
        follower.start()
        try:
            await settle()
            yield follower
            await settle()
        finally:
            follower.close()


async def settle(turns: int = 30) -> None:
    """Let the follower take so many steps."""
    for _ in range(turns):
        await asyncio.sleep(0)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# What is delivered


def test_messages_that_the_core_knows_are_delivered_and_others_counted(site: Site) -> None:
    async def scenario() -> None:
        site.write(HEADER)
        async with site.followed() as follower:
            site.write(
                full("SIP_1") + full("SIP_2", "05151") + full("SIP_3", "05060") + b"18:00:01.000 Std 05151 text\n"
            )
            await settle()
            assert site.told == [(P, "SIP_1"), (B, "SIP_2"), (B, "SCS_1")]
            assert follower.skipped == 1

    asyncio.run(scenario())


def test_it_looks_by_itself(site: Site, eventually: Eventually, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1"))
            await eventually(lambda: site.names() == ["SIP_1"])
            site.write(full("SIP_2"))
            await eventually(lambda: site.names() == ["SIP_1", "SIP_2"])

    asyncio.run(scenario())


def test_short_records_without_a_header_are_skipped_with_one_warning(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with site.followed() as follower:
            site.write(b"18:00:01.000 Std 05150 text\n" * 2)
            await settle()
            assert (follower.skipped, site.told) == (2, [])

    asyncio.run(scenario())
    assert caplog.messages == [f"{site.log} has no header that names its application; its short records are skipped"]


def test_only_the_header_names_the_application(site: Site) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(HEADER + b"Application name: Impostor\n18:00:01.000 Std 05150 text\n")

    asyncio.run(scenario())
    assert site.names() == ["SCS_1"]


def test_what_the_core_refuses_is_done_with(site: Site) -> None:
    async def scenario() -> None:
        def refuse(event_id: str, application: str) -> None:
            site.deliver(event_id, application)
            raise CoreError("unknown application")

        async with site.followed(refuse):
            site.write(full("SIP_1") + full("SIP_2"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]


def test_an_error_of_the_receiver_s_is_reported_and_costs_no_other_message(site: Site) -> None:
    reported: list[object] = []

    async def scenario() -> None:
        def fail(event_id: str, application: str) -> None:
            site.deliver(event_id, application)
            if application == "SIP_2":
                raise ZeroDivisionError

        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        async with site.followed(fail):
            site.write(full("SIP_1") + full("SIP_2") + full("SIP_3"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2", "SIP_3"]
    assert [type(error) for error in reported] == [ZeroDivisionError]


def test_a_burst_leaves_the_loop_to_others(site: Site) -> None:
    runs: list[str] = []

    async def scenario() -> None:
        async with site.followed(lambda _event, _application: runs.append("message")):
            site.write(full("SIP_1") * 1000)
            while runs.count("message") < 1000:
                runs.append("other")
                await asyncio.sleep(0)

    asyncio.run(scenario())
    assert max(len(list(run)) for key, run in itertools.groupby(runs) if key == "message") == BURST


def test_nothing_is_delivered_after_the_close(site: Site) -> None:
    async def scenario() -> None:
        async with site.followed() as follower:
            site.write(full("SIP_1"))
            follower.close()
            follower.close()
        ScsLog(site.log, site.bookmark, site.deliver).close()

    asyncio.run(scenario())
    assert site.told == []


# Where it begins


def test_the_first_start_begins_at_the_end_but_reads_the_header(site: Site) -> None:
    async def scenario() -> None:
        site.write(HEADER + full("OLD") * 2000)
        async with site.followed():
            site.write(b"18:00:01.000 Std 05150 text\n")

    asyncio.run(scenario())
    assert site.told == [(P, "SCS_1")]


@pytest.mark.parametrize("before", [b"", full("OLD"), HEADER + full("OLD") * 2000], ids=["empty", "short", "long"])
def test_a_line_that_was_not_whole_at_the_first_start_is_new(site: Site, before: bytes) -> None:
    async def scenario() -> None:
        site.write(before + full("SIP_1")[:30])
        async with site.followed():
            site.write(full("SIP_1")[30:])

    asyncio.run(scenario())
    assert site.names() == ["SIP_1"]


@pytest.mark.parametrize("length", [LONGEST_LINE, 3 * LONGEST_LINE])
def test_a_line_that_was_too_long_at_the_first_start_is_history(site: Site, length: int) -> None:
    async def scenario() -> None:
        site.write(full("OLD")[:-1] + b"x" * length)
        async with site.followed():
            site.write(full("OLD") + full("SIP_1"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1"]


def test_what_appears_after_the_first_start_is_new_even_after_a_restart(site: Site) -> None:
    async def scenario() -> None:
        async with site.followed():
            assert not site.log.exists()
        site.write(HEADER + full("SIP_1"))
        async with site.followed():
            assert site.names() == ["SIP_1"]

    asyncio.run(scenario())


def test_the_bookmark_of_another_log_is_not_used(site: Site) -> None:
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
def test_what_was_written_while_nobody_followed_for_too_long_is_not_delivered(
    site: Site, caplog: pytest.LogCaptureFixture, age_s: int, names: list[str]
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


def test_a_bookmark_is_kept_alive_even_if_nothing_is_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scs_log, "ALIVE_EVERY_S", 0)

    async def scenario() -> None:
        async with site.followed():
            os.utime(site.bookmark, (0, 0))
            await settle()
            assert site.bookmark.stat().st_mtime > 0

    asyncio.run(scenario())


DAMAGED = [b"", b"{}", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"offset": -1}']


@pytest.mark.parametrize("damaged", [*DAMAGED, None], ids=lambda data: repr(data)[:20])
def test_a_damaged_bookmark_is_none(site: Site, caplog: pytest.LogCaptureFixture, damaged: bytes | None) -> None:
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


# What cannot work, and what may yet


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_file_is_not_followed(site: Site, kind: str) -> None:
    site.log.mkdir() if kind == "directory" else os.mkfifo(site.log)

    async def scenario() -> None:
        with pytest.raises(DriverError, match=r"scs\.log cannot be followed: it is no regular file$"):
            ScsLog(site.log, site.bookmark, site.deliver).start()

    asyncio.run(scenario())


def test_a_bookmark_that_cannot_be_is_an_error(site: Site) -> None:
    async def scenario() -> None:
        (site.directory / "file").touch()
        for bookmark in (site.directory, site.directory / "file" / "bookmark"):
            with pytest.raises(DriverError, match=f"^the bookmark {bookmark} cannot be used: "):
                ScsLog(site.log, bookmark, site.deliver).start()

    asyncio.run(scenario())


def test_a_bookmark_that_cannot_be_written_is_warned_of_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.bookmark.with_name("scs.bookmark.new").mkdir()
            site.write(full("SIP_1"))
            await settle()
            site.write(full("SIP_2"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]
    assert caplog.messages == [f"the bookmark {site.bookmark} cannot be written: Is a directory; going on without"]


def test_a_log_that_is_no_file_for_a_while_is_warned_of_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
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


# Rotation


def rename(site: Site) -> None:
    site.log.rename(site.directory / f"scs.log.{len(list(site.directory.iterdir()))}")


def copy_and_truncate(site: Site) -> None:
    shutil.copy(site.log, site.directory / f"scs.log.{len(list(site.directory.iterdir()))}")
    os.truncate(site.log, 0)


def test_an_old_file_is_read_until_the_new_one_has_content(site: Site) -> None:
    """Its writer goes on writing there until it has opened the new one."""

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
def test_a_hole_of_any_size_before_a_line_does_no_harm(site: Site, hole: int) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(b"\0" * hole + full("SIP_1") + b"\0" * hole + full("SIP_2"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]


@pytest.mark.parametrize("append", [True, False])
def test_a_writer_that_goes_on_after_a_truncation_is_followed(site: Site, append: bool) -> None:
    """One that does not append leaves a hole before what it writes."""

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


def test_a_truncation_costs_nothing_that_was_copied(site: Site) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1"))
            await settle()
            site.write(full("SIP_2"))
            copy_and_truncate(site)
            site.write(full("SIP_3") * 3)

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2", *["SIP_3"] * 3]


def test_a_truncation_without_a_copy_is_warned_of(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1"))
            await settle()
            site.log.write_bytes(full("SIP_2", time="18:11:39.000"))

    asyncio.run(scenario())
    assert site.names() == ["SIP_1", "SIP_2"]
    lost = f"what was read of {site.log} is neither there nor in a copy; what was not read is lost"
    assert caplog.messages == [lost]


def test_a_file_that_an_editor_wrote_anew_is_not_read_again(site: Site) -> None:
    async def scenario() -> None:
        async with site.followed():
            site.write(full("SIP_1") * 20)
            await settle()
            copy = site.directory / "copy"
            copy.write_bytes(site.log.read_bytes() + full("SIP_2"))
            copy.replace(site.log)

    asyncio.run(scenario())
    assert site.names() == [*["SIP_1"] * 20, "SIP_2"]


def test_a_link_that_moves_from_file_to_file_is_followed_even_from_a_bookmark(site: Site) -> None:
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
def test_a_restart_anywhere_loses_nothing_and_repeats_only_what_was_not_bookmarked(
    tmp_path: Path, rotate: Callable[[Site], None], header: bytes
) -> None:
    """Every bookmark that was ever written is tried at every later moment of a log that is rotated once."""
    steps: list[Callable[[Site], None]] = [
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
        site = Site(Path(tempfile.mkdtemp(dir=tmp_path)))
        async with site.followed():
            for step in steps[:begin]:
                step(site)
                await settle()
            bookmark = site.bookmark.read_bytes()
            known = site.names()
            for step in steps[begin : begin + 1]:
                step(site)
                await settle()
        site.bookmark.write_bytes(bookmark)  # as if it had been killed before it wrote another one
        site.told.clear()
        for step in steps[begin + 1 : end]:
            step(site)
        async with site.followed():
            for step in steps[max(begin + 1, end) :]:
                step(site)
                await settle()
        assert known + site.names() == everything

    for begin, end in itertools.combinations_with_replacement(range(1, len(steps) + 1), 2):
        asyncio.run(scenario(begin, end))


# Whatever is written

PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\n", b"\r\n", b"\0" * 10, b" ", HEADER, b"File:\n", b"x" * LONGEST_LINE, b"\0" * LONGEST_LINE]),
    st.builds(full, st.sampled_from(["SIP_1", "SIP Server 2", "é"]), st.sampled_from(["05150", "05091", "04711"])),
    st.sampled_from([b"1 Std 05064 text\n", b"Alr 05091\n", b"1 Std 04711 text\n"]),
)


def expected(data: bytes) -> list[str]:
    """The applications of the messages in `data`, told by other means: all at once."""
    found: list[str] = []
    application, in_header, position = "", True, 0
    *lines, last = data.split(b"\n")
    if len(last.lstrip(b"\0")) >= LONGEST_LINE:  # what is to come is skipped
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
            found.append(about)
    return found


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.lists(PIECES, max_size=12).map(b"".join), data_of=st.data())
def test_however_the_bytes_arrive_the_same_messages_come_out(data: bytes, data_of: st.DataObject) -> None:
    cuts = data_of.draw(st.lists(st.integers(0, len(data)), max_size=6).map(sorted))
    restarts = data_of.draw(st.sets(st.integers(0, 6)))

    async def scenario(site: Site) -> None:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(site.followed())
            for number, (begin, end) in enumerate(itertools.pairwise([0, *cuts, len(data)])):
                if number in restarts:
                    await stack.aclose()
                    await stack.enter_async_context(site.followed())
                site.write(data[begin:end])
                await settle(10)

    with tempfile.TemporaryDirectory() as directory:
        site = Site(Path(directory))
        asyncio.run(scenario(site))
        assert site.names() == expected(data)
