"""What the daemons log, and how: a text for people, JSON for programs, and either as the journal of systemd wants it.

A record may carry `extra={"incident": id}`: the incident that it belongs to, the number that `switchover why` takes.
The journal has times and priorities of its own: there a line has its priority in front (`<6>`, see sd-daemon(3)), which
the journal takes away, and a text has no time; JSON stays the whole object.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

TEXT, JSON = FORMATS = ("text", "json")

_PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}


def configure(form: str = TEXT, *, quiet: bool = False, stream: TextIO | None = None) -> None:
    """Log from now on in one of the `FORMATS`, to standard error unless told otherwise; if quiet, warnings only.

    Information is logged by this program's own loggers only: `transitions` logs a dozen lines a step, which cost the
    agent 5 ms a takeover.
    """
    written = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter(form, is_journal=is_journal(written, os.environ)))
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger("switchover").setLevel(logging.WARNING if quiet else logging.INFO)


def formatter(form: str, *, is_journal: bool = False) -> logging.Formatter:
    """What makes a line, or lines, of a record; for the journal, if that is what reads them."""
    if form == JSON:
        return Prioritised(JsonFormatter()) if is_journal else JsonFormatter()
    return Prioritised(TextFormatter(has_time=False)) if is_journal else TextFormatter()


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether the journal of systemd reads this stream, by what systemd says of it: `$JOURNAL_STREAM`, systemd.exec(5).

    The variable is inherited by whatever is started, whose output may go elsewhere: so the file itself is compared.
    """
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it is closed, or no file at all
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class TextFormatter(logging.Formatter):
    """`2026-01-31T18:11:38.196 INFO switchover.agent [262] event: lost host1`; the time is local, or left out."""

    def __init__(self, *, has_time: bool = True) -> None:
        super().__init__("%(levelname)s %(name)s %(of)s%(message)s")
        self._has_time = has_time

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback's if there is one."""
        incident = _incident(record)
        record.of = "" if incident is None else f"[{incident}] "
        if not self._has_time:
            return super().format(record)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.created))
        return f"{stamp}.{record.msecs:03.0f} {super().format(record)}"


class JsonFormatter(logging.Formatter):
    """One object a line: `time` (RFC 3339, UTC), `level`, `logger`, `message`; `incident` and `exception` if any."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message and the traceback contain."""
        now = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, object] = {
            "time": now.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (incident := _incident(record)) is not None:
            told["incident"] = incident
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


class Prioritised(logging.Formatter):
    """Another formatter's lines, each with the record's priority in front: the journal reads it and takes it away."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """As many lines as the other formatter makes."""
        priority = next((found for level, found in _PRIORITIES.items() if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in self._inner.format(record).splitlines())


def _incident(record: logging.LogRecord) -> int | None:
    return getattr(record, "incident", None)
