"""Follows the log file of a Genesys application, and delivers each log message about an application.

What the lines look like: see `records`. The file is looked at every 100 ms, by a thread (`reader`). It is opened anew
each time, because over NFS that is what asks the server; a notification (inotify) would not come from there at all.
Three things may happen to it:

- It is renamed and created anew. The old file is read on until the new one has content, and then to its end.
- It is truncated (logrotate's `copytruncate`). What had not been read is read from the copy, if there is one.
- This process ends. A bookmark tells the next one where to go on, even if the file has another name by then.

A message is delivered at least once: the bookmark is written after it. Without a bookmark reading begins at the end,
and with one that nobody has kept alive for too long, too: a failure of long ago must not cause a switchover now.

Known weaknesses. A file that was renamed is looked for in its directory only, and not if it was compressed. If there
were two rotations since something was read, the file in between is not read. What is written between the copy and the
truncation of `copytruncate` is in neither.
"""

import contextlib
import itertools
import logging
import os
import time
from pathlib import Path

from attrs import evolve

from ...fsm.alarms import event_id
from ...fsm.errors import CoreError
from ..errors import DriverError
from .place import (
    REMEMBERED,
    LogFile,
    Place,
    find,
    fingerprint,
    load_place,
    save_place,
)
from .reader import Deliver, Stopped
from .records import CHUNK, LONGEST_LINE, read_header_line, read_record, split_lines

LOG = logging.getLogger("switchover.scs_log")

LOOK_EVERY_MS = 100
"""How often the file is looked at, in milliseconds."""

ALIVE_EVERY_S = 1.0
"""How often the bookmark is touched (its time of modification) while the file is followed, in seconds."""

BURST = 16
"""After how many messages the bookmark is written at the latest."""

_MOST_LINES = 100
_SAVE_EVERY = 1024 * 1024


class ScsLog:
    """Follows the log file at `path` and calls `deliver(event_id, application)` for each message that the core knows.

    The event id has the notation of `event_id`. A `CoreError` from `deliver` means that the message was refused, and
    the next one follows. `bookmark` is a file of this follower's alone; its directory is made. `path` may be a symbolic
    link, appear later, and vanish; trouble with it is warned of once, and tried again. What was written while nobody
    followed for more than `max_age_s` seconds (by the wall clock; None: no limit) is not delivered.
    """

    look_every_s = LOOK_EVERY_MS / 1000

    def __init__(self, path: Path, bookmark: Path, deliver: Deliver, max_age_s: float | None = None) -> None:
        self._path = path
        self._bookmark = bookmark
        self._deliver = deliver
        self._max_age_s = max_age_s
        self._alive_at = 0.0
        self._place = self._saved = Place(str(path))
        self._head = self._tail = b""
        self._file: LogFile | None = None
        self._is_copy = self._searched = False
        self._warned: set[str] = set()

    def start(self) -> None:
        """Go on where the bookmark says, or begin at the end of the file.

        Raises `DriverError` if `path` is no file, if there cannot be a `bookmark`, or if this is the first start and
        the file cannot be read: then it is not known what is old.
        """
        if os.path.exists(self._path) and not os.path.isfile(self._path):
            raise DriverError(f"the log {self._path} cannot be followed: it is no regular file")
        place = self._load()
        if place is not None and place.path == str(self._path) and not self._is_too_old():
            self._place = self._saved = place
        else:
            self._begin_at_end()

    def take(self) -> bool:
        """Look at the file once; returns whether the next look may follow at once. Raises `Stopped` from `deliver`."""
        try:
            self._keep_alive()
            return self._read_on()
        except OSError as error:
            self._warn(f"the log {self._path} cannot be read: {error.strerror}; trying again")
            self._let_go()
            return False

    def close(self) -> None:
        """Stop following, and write the bookmark."""
        self._let_go()
        if self._place != self._saved:
            self._save()

    def _load(self) -> Place | None:
        try:
            self._bookmark.parent.mkdir(parents=True, exist_ok=True)
            return load_place(self._bookmark)
        except OSError as error:
            raise DriverError(f"the bookmark {self._bookmark} cannot be used: {error.strerror}") from error
        except ValueError:
            self._warn(f"the bookmark {self._bookmark} is damaged; beginning at the end of {self._path}")
            return None

    def _is_too_old(self) -> bool:
        age_s = time.time() - self._bookmark.stat().st_mtime
        if self._max_age_s is None or age_s <= self._max_age_s:
            return False
        self._warn(f"nobody followed {self._path} for {age_s:.0f} s; beginning at its end")
        return True

    def _begin_at_end(self) -> None:
        """After the last whole line: what was written before the first start is history, and must move nothing."""
        try:
            file = LogFile(self._path)
        except FileNotFoundError:
            self._save()  # all that is written from now on is new, even after a restart
            return
        except OSError as error:
            raise DriverError(f"the log {self._path} cannot be read: {error.strerror}") from error
        try:
            self._follow(file, *self._find_end(file))
        except OSError as error:
            file.close()
            raise DriverError(f"the log {self._path} cannot be read: {error.strerror}") from error

    def _find_end(self, file: LogFile) -> tuple[int, bool]:
        """Where the last line that is not whole begins, or where the file ends, within that line if it is too long."""
        end, size = 0, file.size()
        for line in file.read(0, LONGEST_LINE).split(b"\n")[:-1]:
            end += len(line) + 1
            self._read_header(line, end)
        before = max(size - LONGEST_LINE, 0)
        newline = file.read(before, size - before).rfind(b"\n")
        too_long = newline < 0 and size >= LONGEST_LINE
        return (size if too_long else before + newline + 1), too_long

    def _keep_alive(self) -> None:
        if time.monotonic() >= self._alive_at:
            self._alive_at = time.monotonic() + ALIVE_EVERY_S
            with contextlib.suppress(OSError):  # the next one who writes it will say so
                os.utime(self._bookmark)

    def _read_on(self) -> bool:
        """Take one step; returns whether the next one may follow at once."""
        newest = self._open()
        try:
            if newest is not None and self._file is not None and newest.is_same(self._file):
                self._file.close()
                self._file = newest
            if self._file is None:
                return self._take_up(newest)
            if not self._file.holds(self._place):  # it was truncated
                self._let_go()
                return True
            successor = newest
            if newest is self._file or (newest is not None and not self._is_copy and newest.size() == 0):
                successor = None
            if self._take_lines(self._file, last=successor is not None):
                return True
            if successor is not None:
                self._turn_to(successor)
            return successor is not None
        finally:
            if newest is not None and newest is not self._file:
                newest.close()

    def _take_up(self, newest: LogFile | None) -> bool:
        """Nothing is followed: find what was followed before, or else turn to the file that is there."""
        place = self._place
        if place.inode and not (self._searched and newest is None):
            self._searched = True
            followed = find(self._path, place)
            if followed is not None:
                self._follow(followed, place.offset, place.skipping)
                self._is_copy = not followed.is_same(place)
                return True
        if newest is None:
            return False
        if place.offset:
            self._warn(f"what was read of {self._path} is neither there nor in a copy; what was not read is lost")
        self._turn_to(newest)
        return True

    def _turn_to(self, file: LogFile) -> None:
        """Read from the start of the file, unless it is a copy of what was read, such as an editor leaves."""
        place = self._place
        if place.offset >= REMEMBERED and file.holds(place):
            self._follow(file, place.offset, place.skipping)
        else:
            self._place = evolve(place, in_header=True)
            self._follow(file, 0, False)

    def _follow(self, file: LogFile, offset: int, skipping: bool) -> None:
        self._let_go()
        self._file, self._is_copy = file, False
        self._head, self._tail = file.ends(offset)
        self._move(evolve(self._place, device=file.device, inode=file.inode, offset=offset, skipping=skipping))
        self._save()
        LOG.info("following %s (inode %d) from byte %d on", self._path, file.inode, offset)

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._searched = False

    def _take_lines(self, file: LogFile, last: bool) -> bool:
        """Deliver what the next lines hold; returns whether there was one. `last`: nothing more is written."""
        place = self._place
        chunk = file.read(place.offset, CHUNK)
        done, messages, skipping = 0, 0, place.skipping
        lines = split_lines(chunk, place.skipping, last and len(chunk) < CHUNK)
        try:
            for line, end, still_skipping in itertools.islice(lines, _MOST_LINES):
                before = done, skipping
                done, skipping = end, still_skipping
                try:
                    messages += self._take_line(line, place.offset + end)
                except Stopped:
                    done, skipping = before
                    raise
                if messages == BURST:
                    break
        finally:
            self._head = (self._head + chunk[: min(done, REMEMBERED)])[:REMEMBERED]
            self._tail = (self._tail + chunk[:done])[-REMEMBERED:]
            self._move(evolve(self._place, offset=place.offset + done, skipping=skipping))
            if messages or self._place.offset - self._saved.offset >= _SAVE_EVERY:
                self._save()
        return done > 0

    def _move(self, place: Place) -> None:
        self._place = evolve(place, fingerprint=fingerprint(self._head, self._tail))

    def _take_line(self, line: bytes, end: int) -> bool:
        """Deliver the message of this line, which ends at byte `end`; returns whether there was one."""
        self._read_header(line, end)
        record = read_record(line)
        if record is None:
            return False
        application = record.application or self._place.application
        try:
            known = event_id(record.event_id)
        except CoreError:
            return False
        if application is None:
            self._warn(f"{self._path} has no header that names its application; its short records are skipped")
            return False
        with contextlib.suppress(CoreError):
            self._deliver(known, application)
        return True

    def _read_header(self, line: bytes, end: int) -> None:
        if not self._place.in_header:
            return
        label, value = read_header_line(line)
        if label == "File" or end > LONGEST_LINE:
            self._place = evolve(self._place, in_header=False)
        elif label == "Application name" and value:
            self._place = evolve(self._place, application=value)

    def _open(self) -> LogFile | None:
        try:
            return LogFile(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn(f"the log {self._path} cannot be read: {error.strerror}; trying again")
            return None

    def _save(self) -> None:
        self._saved = self._place
        try:
            save_place(self._bookmark, self._place)
        except OSError as error:
            self._warn(f"the bookmark {self._bookmark} cannot be written: {error.strerror}; going on without")

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            LOG.warning("%s", text)
