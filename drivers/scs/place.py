"""The place where reading a log file goes on; it is found again under another name of the file, and in a copy."""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from attrs import asdict, frozen

REMEMBERED = 1024
"""How many bytes are compared from the start of the file, and as many before the place."""


@frozen
class Place:
    """How far which file has been read; a bookmark holds one.

    `inode` is 0 if there was no file. `offset` (bytes) is where the next line begins. `fingerprint` is of what is
    before it: the inode may belong to another file by now. `skipping`: the offset is within a line that was too long.
    `in_header`, `application`: whether the file's header goes on there, and which application was named last.
    """

    path: str
    device: int = 0
    inode: int = 0
    offset: int = 0
    fingerprint: str = ""
    skipping: bool = False
    in_header: bool = True
    application: str | None = None


def load_place(bookmark: Path) -> Place | None:
    """The place in the bookmark; None without a bookmark. Raises `ValueError` if it is damaged, or `OSError`."""
    try:
        data = json.loads(bookmark.read_bytes())
    except FileNotFoundError:
        return None
    except RecursionError as error:
        raise ValueError from error
    match data:
        case {
            "path": str(path),
            "device": int(device),
            "inode": int(inode),
            "offset": int(offset),
            "fingerprint": str(fingerprint),
            "skipping": bool(skipping),
            "in_header": bool(in_header),
            "application": (str() | None) as application,
        } if 0 <= offset < 2**62:
            return Place(path, device, inode, offset, fingerprint, skipping, in_header, application)
        case _:
            raise ValueError


def save_place(bookmark: Path, place: Place) -> None:
    """Write a bookmark, whole or not at all. Raises `OSError`.

    Nothing waits for the disk, which would make every message as slow as that: a crash of this process harms nothing,
    a power failure may set the bookmark back or damage it.
    """
    new = bookmark.with_name(f"{bookmark.name}.new")
    new.write_text(json.dumps(asdict(place)), encoding="ascii")
    new.replace(bookmark)


def fingerprint(head: bytes, tail: bytes) -> str:
    """The fingerprint of the bytes that begin with `head` and end with `tail`."""
    return hashlib.sha256(head + tail).hexdigest()


class LogFile:
    """A regular file, open for reading. It and its methods raise `OSError` if it cannot be read or is no such file."""

    def __init__(self, path: str | Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would block
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError(0, "it is no regular file")
        self.device, self.inode, self.changed_ns = status.st_dev, status.st_ino, status.st_mtime_ns

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def size(self) -> int:
        """Its size now, in bytes."""
        return os.fstat(self._fd).st_size

    def read(self, offset: int, count: int) -> bytes:
        """Up to so many bytes from the offset on; fewer only at the end of the file."""
        return os.pread(self._fd, count, offset)

    def ends(self, offset: int) -> tuple[bytes, bytes]:
        """The first and the last of what is before the offset, `REMEMBERED` bytes each at most."""
        length = min(offset, REMEMBERED)
        return self.read(0, length), self.read(offset - length, length)

    def is_same(self, other: "LogFile | Place") -> bool:
        """Whether it is the same file, by device and inode."""
        return (self.device, self.inode) == (other.device, other.inode)

    def holds(self, place: Place) -> bool:
        """Whether what was read up to the place is in this file, at the same offset."""
        return self.size() >= place.offset and fingerprint(*self.ends(place.offset)) == place.fingerprint


def find(path: Path, place: Place) -> LogFile | None:
    """The file that holds what was read: the one at `path`, one that was renamed, or a copy. Raises `OSError`.

    Looked for in the directory of `path`, and of what it links to: the same inode under any name, or the same content
    under a name that begins alike. The same inode is preferred, then what was written last.
    """
    best: LogFile | None = None
    try:
        for name in _candidates(path, place):
            file = _holder(name, place)
            if file is not None and (best is None or _rank(file, place) > _rank(best, place)):
                file, best = best, file
            if file is not None:
                file.close()
    except OSError:
        if best is not None:
            best.close()
        raise
    return best


def _holder(name: str, place: Place) -> LogFile | None:
    try:
        file = LogFile(name)
    except OSError:
        return None  # so it is not the file that was read
    held = False
    try:
        held = file.holds(place)
    finally:
        if not held:
            file.close()
    return file if held else None


def _candidates(path: Path, place: Place) -> Iterator[str]:
    real = Path(os.path.realpath(path))
    for directory, stem in {(path.parent, path.stem), (real.parent, real.stem)}:
        with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
            for entry in entries:
                if entry.inode() == place.inode or (place.offset > 0 and entry.name.startswith(stem)):
                    yield entry.path


def _rank(file: LogFile, place: Place) -> tuple[bool, int]:
    return file.is_same(place), file.changed_ns
