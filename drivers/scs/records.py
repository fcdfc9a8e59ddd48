"""The log files of Genesys applications: their lines, and the records that begin on them.

Records come in two formats (Genesys Framework, option `message_format`; the shapes are documented by example):

    2002-05-07T18:11:38.196 Standard localhost cfg_dbserver GCTI-00-05060 Application started       full
    2002-05-07T18:15:33.952 Std 05060 Application started                                           short

SCS separates the columns by three blanks, and continues a record on lines that begin with a blank. A host's name has
no blank, an application's may have some. The time has one of three notations (option `time_format`) or is missing; here
it is any text before the level that has a digit. A short record is about the application that the file's header
names.
"""

import re
from collections.abc import Iterator

from attrs import frozen

LONGEST_LINE = 64 * 1024
"""How many bytes of a line are read; the rest is skipped. A header ends after this many bytes at the latest."""

CHUNK = 2 * LONGEST_LINE
"""How many bytes of a file are read at a time: more than the longest line."""

_COLUMNS = 1024

_RECORD = re.compile(
    r"""(?> (?: (?P<time> \S.{0,78}?) \s+ )??
            (?: None|Debug|Trace|Interaction|Standard|Alarm|Unknown|Non|Dbg|Trc|Int|Std|Alr|Unk ) \s+ )
        (?: (?P<short> \d{5}) | \S+ \s+ (?P<application> \S.*?) \s+ GCTI-(?P<full> \d\d-\d{5}) ) (?!\d)""",
    re.VERBOSE | re.ASCII,
)
_NULS = re.compile(rb"\0*")


@frozen
class Record:
    """A record's event id as it is written there, and its application: None if only the header names it."""

    event_id: str
    application: str | None


def read_record(line: bytes) -> Record | None:
    """The record that begins on this line, or None if none does.

    >>> read_record(b"2002-05-07T18:11:38.196 Standard localhost cfg_dbserver GCTI-00-05060 Application started")
    Record(event_id='00-05060', application='cfg_dbserver')
    >>> read_record(b"18:15:33.952 Std 05060 Application started")
    Record(event_id='05060', application=None)
    """
    match = _RECORD.match(_text(line))
    if match is None or (match["time"] and not any(letter.isdigit() for letter in match["time"])):
        return None
    return Record(match["short"] or match["full"], match["application"])


def read_header_line(line: bytes) -> tuple[str, str]:
    """The label and the value of a line such as `Application name: SIP_Server_1`; the line `File: ...` is the last.

    >>> read_header_line(b"Application name:   SIP_Server_1")
    ('Application name', 'SIP_Server_1')
    """
    label, _, value = _text(line).partition(":")
    return label, value.strip()


def split_lines(chunk: bytes, skipping: bool, at_end: bool) -> Iterator[tuple[bytes, int, bool]]:
    """The lines of a chunk that begins with a line, or (`skipping`) with the rest of one that was too long.

    Each comes with where the next one begins, and whether that is the rest of a line that was too long. A line without
    a newline is left for later, unless the file ends here for good (`at_end`). NULs before a line are no part of it:
    a writer that goes on at its old offset after a truncation leaves a hole of them, of any length.
    """
    at = 0
    while at < len(chunk):
        begin = at if skipping else _end_of_nuls(chunk, at)
        newline = chunk.find(b"\n", begin)
        was_skipping = skipping
        if newline >= 0:
            end, at, skipping = newline, newline + 1, False
        elif skipping:
            end = at = len(chunk)
        elif len(chunk) - begin >= LONGEST_LINE:
            end, at, skipping = len(chunk), len(chunk), True
        elif begin > at and len(chunk) >= CHUNK:  # the NULs leave no room for the line
            end = at = begin
        elif at_end:
            end = at = len(chunk)
        else:
            return
        yield b"" if was_skipping else chunk[begin : min(end, begin + LONGEST_LINE)], at, skipping


def _end_of_nuls(chunk: bytes, at: int) -> int:
    nuls = _NULS.match(chunk, at)
    return nuls.end() if nuls else at


def _text(line: bytes) -> str:
    """The part of a line that can matter. Bytes that are not UTF-8 are replaced."""
    return line.replace(b"\0", b"")[:_COLUMNS].decode(errors="replace")
