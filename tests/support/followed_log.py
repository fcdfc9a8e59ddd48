"""A log file of an SCS for the tests of its follower: its lines, its bookmark, and the messages delivered from it."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from switchover.drivers.scs.log import ScsLog

HEADER = b"""\
Genesys Solution Control Server, Version:8.5.100.42
Application name:     SCS_1
Application type:     35 (SCS)
File:                 (1) 07/05/2002 18:00:00.000
"""


def full(application: str, number: str = "05150", time: str = "18:11:38.196") -> bytes:
    """A record with the name of its application."""
    return f"{time} Standard   host1   {application}   GCTI-00-{number}   Application changed mode\n".encode()


class FollowedLog:
    """A log file, its bookmark, and the messages that were delivered."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "scs.log"
        self.bookmark = directory / "state" / "scs.bookmark"
        self.delivered: list[tuple[str, str]] = []

    def write(self, data: bytes) -> None:
        with self.log.open("ab") as file:
            file.write(data)

    def names(self) -> list[str]:
        return [application for _, application in self.delivered]

    def deliver(self, event_id: str, application: str) -> None:
        self.delivered.append((event_id, application))

    @contextlib.asynccontextmanager
    async def followed(
        self, deliver: Callable[[str, str], None] | None = None, max_age_s: float | None = None
    ) -> AsyncGenerator[ScsLog]:
        """A follower at work in this thread; when it is closed, it has read the whole log."""
        follower = ScsLog(self.log, self.bookmark, deliver or self.deliver, max_age_s)
        follower.start()
        _AT_WORK.append(follower)
        try:
            await settle()
            yield follower
            await settle()
        finally:
            _AT_WORK.remove(follower)
            follower.close()


_AT_WORK: list[ScsLog] = []


async def settle(looks: int = 30) -> None:
    """Let the followers look at their log this many times."""
    for _ in range(looks):
        for follower in _AT_WORK:
            follower.take()
