"""The thread that reads log messages: the loop handles each, in order, and never waits for a file."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from support.followed_log import FollowedLog, full
from switchover.drivers.errors import DriverError
from switchover.drivers.scs import reader as reader_module
from switchover.drivers.scs.log import ScsLog
from switchover.drivers.scs.reader import Deliver, Reader
from switchover.drivers.scs.spool import Spool, put
from switchover.fsm import CoreError

Eventually = Callable[[Callable[[], object]], Coroutine[Any, Any, None]]


@define(eq=False)
class Source:
    """Delivers `messages`; `before` is called in the thread before each look."""

    deliver: Deliver
    messages: list[str] = field(factory=list)
    before: Callable[[], object] = lambda: None
    look_every_s: float = 0.001
    life: list[str] = field(factory=list)

    def start(self) -> None:
        self.life.append("started")

    def take(self) -> bool:
        self.before()
        if self.messages:
            self.deliver("00-5150", self.messages[0])
            self.life.append(self.messages.pop(0))
        return bool(self.messages)

    def close(self) -> None:
        self.life.append("closed")


@define(eq=False)
class ReaderHarness:
    """A source, its reader, and the messages handled, each with whether it was in the main thread."""

    source: Source = field(init=False)
    reader: Reader = field(init=False)
    handled: list[tuple[str, bool]] = field(factory=list)
    error: Exception | None = None

    def __attrs_post_init__(self) -> None:
        def make(deliver: Deliver) -> Source:
            self.source = Source(deliver)
            return self.source

        self.reader = Reader(make, {"SIP_1", "SIP_2"}, self._handle)

    def _handle(self, _: str, application: str) -> None:
        self.handled.append((application, threading.current_thread() is threading.main_thread()))
        if self.error is not None:
            raise self.error


def test_known_messages_are_handled_in_the_loop(eventually: Eventually) -> None:
    async def scenario() -> None:
        harness = ReaderHarness()
        harness.source.messages += ["SIP_1", "Another Site's", "SIP_2", "SIP_1"]
        harness.reader.start()
        await eventually(lambda: not harness.source.messages)
        await harness.reader.close()
        assert harness.handled == [("SIP_1", True), ("SIP_2", True), ("SIP_1", True)]
        assert (harness.source.life[0], harness.source.life[-1]) == ("started", "closed")

    asyncio.run(scenario())


def test_a_source_that_hangs_delays_neither_the_loop_nor_the_end(
    eventually: Eventually, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reader_module, "LONGEST_END_S", 0.05)
    hanging, go_on = threading.Event(), threading.Event()

    async def scenario() -> None:
        harness = ReaderHarness()
        harness.source.before = lambda: (hanging.set(), go_on.wait())
        harness.reader.start()
        await eventually(hanging.is_set)  # while this loop runs
        await harness.reader.close()

    asyncio.run(scenario())
    go_on.set()
    assert caplog.messages == ["a reader of messages hangs in a file: it is left behind"]


def test_messages_that_were_not_handled_stay_in_their_source(eventually: Eventually) -> None:
    async def scenario() -> None:
        harness = ReaderHarness()
        looking = threading.Event()
        harness.source.before = looking.set
        harness.source.messages.append("SIP_1")
        harness.reader.start()
        looking.wait()  # the loop stands still: nothing is handled
        await harness.reader.close()
        assert (harness.handled, harness.source.messages, harness.source.life) == ([], ["SIP_1"], ["started", "closed"])

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [CoreError("refused"), ZeroDivisionError()])
def test_an_error_reaches_the_source_and_the_reader_goes_on(
    eventually: Eventually, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    async def scenario() -> None:
        harness = ReaderHarness(error=error)
        harness.source.messages.append("SIP_1")
        harness.reader.start()
        await eventually(lambda: len(harness.handled) >= 2)  # this source tries again
        harness.error = None
        await eventually(lambda: not harness.source.messages)
        await harness.reader.close()

    asyncio.run(scenario())
    assert set(caplog.messages) == {"a message could not be handled"}


def test_a_source_that_cannot_start_is_logged_as_an_error(
    eventually: Eventually, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Source) -> None:
        raise DriverError("it is no regular file")

    monkeypatch.setattr(Source, "start", fail)

    async def scenario() -> None:
        harness = ReaderHarness()
        harness.reader.start()
        await eventually(lambda: caplog.messages)
        await harness.reader.close()

    asyncio.run(scenario())
    assert caplog.messages == ["the agent goes on without this source of log messages: it is no regular file"]


def test_the_spool_and_the_scs_log_are_read(tmp_path: Path, eventually: Eventually) -> None:
    site, spool = FollowedLog(tmp_path), tmp_path / "spool"
    known = {"SIP_1", "SIP_2", "SIP_3"}

    async def scenario() -> None:
        put(spool, "00-5150", "SIP_1")
        readers = [
            Reader(lambda deliver: Spool(spool, deliver), known, site.deliver),
            Reader(lambda deliver: ScsLog(site.log, site.bookmark, deliver), known, site.deliver),
        ]
        for each in readers:
            each.start()
        await eventually(lambda: site.names() == ["SIP_1"] and site.bookmark.exists())
        site.write(full("SIP_2") + full("Another Site's") + full("SIP_3"))
        await eventually(lambda: site.names() == ["SIP_1", "SIP_2", "SIP_3"])
        await asyncio.gather(*(each.close() for each in readers))
        put(spool, "00-5150", "SIP_1")
        assert len(site.names()) == 3

    asyncio.run(scenario())
