"""The format of the daemons' logs: text for people, JSON for programs, and either of them for the journal of systemd.

A record may have `extra={"incident": id}`: the number of its incident, which `switchover why` takes.
The journal adds times and reads priorities: for it a line begins with its priority (`<6>`, see sd-daemon(3)), which the
journal removes, and text has no time; JSON stays a whole object.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

from .log_writer import LogWriter

TEXT, JSON = FORMATS = ("text", "json")

_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}


def configure(
    form: str = TEXT, *, quiet: bool = False, stream: TextIO | None = None, in_background: bool = False
) -> None:
    """Log from now on in one of the `FORMATS`, by default to standard error; if `quiet`, warnings only.

    Only this program's own loggers log information: `transitions` logs a dozen lines a step, which cost the agent 5 ms
    per takeover. With `in_background` a thread writes the lines (see `log_writer`).
    """
    written = sys.stderr if stream is None else stream
    handler = LogWriter(written.fileno()) if in_background else logging.StreamHandler(written)
    handler.setFormatter(formatter(form, is_journal=is_journal(written, os.environ)))
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger("switchover").setLevel(logging.WARNING if quiet else logging.INFO)


def flush() -> None:
    """Wait until the log is written, or for a second if nobody reads it. Call it before anything else is printed."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def formatter(form: str, *, is_journal: bool = False) -> logging.Formatter:
    """The formatter of records as lines; `is_journal` says that the journal reads them."""
    if form == JSON:
        return Prioritised(JsonFormatter()) if is_journal else JsonFormatter()
    return Prioritised(TextFormatter(has_time=False)) if is_journal else TextFormatter()


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether the journal of systemd reads this stream, according to `$JOURNAL_STREAM` (systemd.exec(5)).

    Child processes inherit the variable although their output may go elsewhere, so the file itself is compared.
    """
    try:
        file = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it is closed, or not a file
        return False
    return environment.get("JOURNAL_STREAM") == f"{file.st_dev}:{file.st_ino}"


class TextFormatter(logging.Formatter):
    """`2026-01-31T18:11:38.196 INFO switchover.agent [262] event: lost host1`; the time is local, or left out."""

    def __init__(self, *, has_time: bool = True) -> None:
        super().__init__("%(levelname)s %(name)s %(of)s%(message)s")
        self._has_time = has_time

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the lines of the traceback if there is one."""
        incident = _incident(record)
        record.of = "" if incident is None else f"[{incident}] "
        if not self._has_time:
            return super().format(record)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.created))
        return f"{stamp}.{record.msecs:03.0f} {super().format(record)}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging calls it so
        """The message in one line: what came from outside can neither forge a line nor command a terminal."""
        line = super().formatMessage(record)
        return line if line.isprintable() else "".join(map(_printable, line))


class JsonFormatter(logging.Formatter):
    """One object a line: `time` (RFC 3339, UTC), `level`, `logger`, `message`; `incident` and `exception` if any."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, even if the message or the traceback has several."""
        now = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {
            "time": now.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (incident := _incident(record)) is not None:
            fields["incident"] = incident
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


class Prioritised(logging.Formatter):
    """Another formatter's lines, each after the record's priority, which the journal reads and removes."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """As many lines as the other formatter makes."""
        priority = next((found for level, found in _PRIORITIES.items() if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in self._inner.format(record).splitlines())


def _printable(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def _incident(record: logging.LogRecord) -> int | None:
    return getattr(record, "incident", None)
