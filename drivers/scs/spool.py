"""A spool of log messages: one that `switchover event` cannot pass to the agent at once waits here for the agent.

A message is a file of its own, complete as soon as it has its name, which begins with the time: so the order is kept,
and a process that is killed in between leaves nothing that could be taken for a message. A message is removed after it
was handled, and so it is handled at least once. An old message is dropped: a failure of long ago must not cause a
switchover now. The age is by the wall clock; a message from the future, after the clock was set back, counts as old.
"""

import contextlib
import json
import logging
import os
import re
import secrets
import stat
import time
from pathlib import Path

from ...fsm.errors import CoreError
from ..errors import DriverError
from .reader import Deliver, Stopped

LOG = logging.getLogger("switchover.spool")

MOST_MESSAGES = 1000
"""How many messages may wait."""

MAX_AGE_S = 60.0
"""How old a message may become, in seconds, unless somebody says otherwise."""

LOOK_EVERY_S = 1.0
"""How often the spool is looked into, in seconds."""

BURST = 16
"""How many files are handled at a time; then the directory is read again."""

LARGEST = 4096
"""How many bytes a message may have."""

_NAME = re.compile(r"(?P<put_ns>\d{20})-\d+-[0-9a-f]{8}\.message", re.ASCII)
_UNFINISHED = ".new"
_SET_ASIDE = ".junk"


def put(directory: Path, event_id: str, application: str) -> None:
    """Leave a message for the agent; it is on disk when this returns. Nothing is checked here but its size.

    The directory is made (mode 0700) if it is not there. Raises `DriverError` if the message cannot be left: the spool
    is full, others than its owner may write to it, or the text is too long (4 KiB) or no text.
    """
    name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
    data = json.dumps({"event": event_id, "application": application}, ensure_ascii=False)
    try:
        _make(directory)
        if sum(other.endswith(".message") for other in os.listdir(directory)) >= MOST_MESSAGES:
            raise DriverError(f"the spool {directory} is full: {MOST_MESSAGES} messages wait; does the agent run?")
        unfinished = directory / (name + _UNFINISHED)
        try:
            _write(unfinished, data.encode())
            unfinished.rename(directory / f"{name}.message")
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        _sync(directory)
    except UnicodeError as error:
        raise DriverError(f"{data[:100]!a} cannot be spooled: it is no text") from error
    except OSError as error:
        raise DriverError(f"the spool {directory} takes no message: {error.strerror}") from error


def _make(directory: Path) -> None:
    """Raises `OSError`, or `DriverError` if it is there but others may write to it, and so cause a switchover."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise DriverError(f"others may write to the spool {directory}; run `chmod 700 {directory}`")


def _write(path: Path, data: bytes) -> None:
    if len(data) > LARGEST:
        raise DriverError(f"the message has {len(data)} bytes; a spooled one has at most {LARGEST}")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Spool:
    """The agent's end: calls `deliver(event_id, application)` for each message, in the order in which they were put.

    A `CoreError` from `deliver` means that the message was refused, and it is done with like any other. A message
    older than `max_age_s` seconds is dropped with a warning that names it. A file that is no message is set aside
    (renamed to `*.junk`) or left alone, with one warning.
    """

    look_every_s = LOOK_EVERY_S

    def __init__(self, directory: Path, deliver: Deliver, max_age_s: float = MAX_AGE_S) -> None:
        self._directory = directory
        self._deliver = deliver
        self._max_age_s = max_age_s
        self._done: set[str] = set()
        self._warned: set[str] = set()

    def start(self) -> None:
        """Make the directory. Raises `DriverError` if it cannot be made, or others may write to it."""
        try:
            _make(self._directory)
        except OSError as error:
            raise DriverError(f"the spool {self._directory} cannot be made: {error.strerror}") from error

    def close(self) -> None:
        """There is nothing to let go of: what waits goes on waiting."""

    def take(self) -> bool:
        """Handle what waits, `BURST` files at most; returns whether there may be more.

        Raises what `deliver` raises; after `Stopped` the message goes on waiting.
        """
        try:
            names = sorted(set(os.listdir(self._directory)) - self._done)
        except OSError as error:
            self._warn(f"the spool {self._directory} cannot be looked into: {error.strerror}")
            return False
        waiting = [name for name in names if self._is_message(name)]
        for name in waiting[:BURST]:
            self._take_message(name)
        return len(waiting) > BURST

    def _is_message(self, name: str) -> bool:
        if _NAME.fullmatch(name):
            return True
        path = self._directory / name
        if name.endswith(_UNFINISHED):
            with contextlib.suppress(OSError):
                if abs(time.time() - path.lstat().st_mtime) > self._max_age_s:
                    path.unlink()  # the process that began it was killed
        elif not name.endswith(_SET_ASIDE):
            self._warn(f"{path} is no message: left alone")
        return False

    def _take_message(self, name: str) -> None:
        path = self._directory / name
        try:
            message = _read(path)
        except OSError as error:
            self._done.add(name)
            self._warn(f"{path} cannot be read: {error.strerror}; left alone")
            return
        if message is None:
            self._set_aside(path)
            return
        event, application = message
        age_s = time.time() - int(name[:20]) / 1e9
        is_handled = True
        try:
            if abs(age_s) > self._max_age_s:
                LOG.warning("dropped: %s %s, spooled %.0f s ago", event, application, age_s)
            else:
                with contextlib.suppress(CoreError):
                    self._deliver(event, application)
        except Stopped:
            is_handled = False
            raise
        finally:
            if is_handled:
                self._remove(path)

    def _set_aside(self, path: Path) -> None:
        self._warn(f"{path} is no message: set aside")
        try:
            path.rename(path.with_suffix(_SET_ASIDE))
        except OSError:
            self._done.add(path.name)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._done.add(path.name)  # once is enough, as long as this process lives
            self._warn(f"{path} was handled but cannot be removed: {error.strerror}")

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            LOG.warning("%s", text)


def _read(path: Path) -> tuple[str, str] | None:
    """The message in this file, or None if it is none. Raises `OSError`."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return None
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    try:
        content = json.loads(data) if len(data) <= LARGEST else None
        match content:
            case {"event": str(event), "application": str(application)}:
                f"{event}{application}".encode()  # refuses half a surrogate pair, which no journal can hold
                return event, application
            case _:
                return None
    except (ValueError, RecursionError):
        return None
