"""The logs of the daemons: as text, as JSON, and in the form that the journal of systemd expects."""

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from switchover.agent.configuration.load import load
from switchover.agent.controller.agent import Agent
from switchover.agent.daemons.logs import FORMATS, configure, formatter, is_journal
from switchover.agent.history.writer import Journal
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.fsm import HostConnected, HostReport, LogMessageReceived, Mode

AT_S = 1_769_883_098.196
A1, A2 = "SIP_Server_1", "SIP_Server_2"


def record(message: str, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("switchover.agent", level, "", 0, message, (), None)
    record.created, record.msecs = AT_S, 196.0
    vars(record).update(extra)
    return record


def with_traceback(message: str) -> logging.LogRecord:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        failed = record(message, logging.ERROR)
        failed.exc_info = sys.exc_info()
        return failed


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Restores the loggers of this process after the test."""
    root, ours = logging.getLogger(), logging.getLogger("switchover")
    before = [*root.handlers], ours.level
    yield
    root.handlers[:] = before[0]
    ours.setLevel(before[1])


@pytest.fixture
def in_nepal(monkeypatch) -> Iterator[None]:
    """A time zone in which a local time cannot be mistaken for UTC."""
    monkeypatch.setenv("TZ", "NPT-5:45")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_text_has_local_time_level_logger_incident_and_message(in_nepal):
    assert formatter("text").format(record("event: lost host1", incident=262)) == (
        "2026-01-31T23:56:38.196 INFO switchover.agent [262] event: lost host1"
    )
    for without in (record("refused"), record("refused", incident=None)):
        assert formatter("text").format(without) == "2026-01-31T23:56:38.196 INFO switchover.agent refused"


def test_json_is_one_object_per_line_with_the_time_in_utc(in_nepal):
    line = formatter("json").format(record('a "quoted"\nmessage \udcff', logging.WARNING, incident=262))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {
        "time": "2026-01-31T18:11:38.196Z",
        "level": "warning",
        "logger": "switchover.agent",
        "message": 'a "quoted"\nmessage \udcff',
        "incident": 262,
    }
    assert list(json.loads(formatter("json").format(record("x")))) == ["time", "level", "logger", "message"]


def test_json_keeps_a_traceback_in_its_object():
    logged = json.loads(formatter("json").format(with_traceback("it went wrong")))
    assert logged["message"] == "it went wrong"
    assert logged["exception"].startswith("Traceback (most recent call last):\n")
    assert logged["exception"].endswith("ValueError: two\nlines")


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.DEBUG, 7),
        (logging.INFO, 6),
        (logging.WARNING, 4),
        (logging.ERROR, 3),
        (logging.CRITICAL, 2),
        (logging.INFO + 5, 6),
        (1, 7),
    ],
)
def test_the_journal_gets_priorities_and_no_timestamp(level, priority):
    line = formatter("text", is_journal=True).format(record("x", level, incident=7))
    assert line == f"<{priority}>{logging.getLevelName(level)} switchover.agent [7] x"


def test_the_journal_gets_a_priority_for_every_line_of_a_traceback():
    lines = formatter("text", is_journal=True).format(with_traceback("it went wrong")).splitlines()
    assert lines[0] == "<3>ERROR switchover.agent it went wrong"
    assert lines[1] == "<3>Traceback (most recent call last):"
    assert lines[-1] == "<3>lines"
    assert [line for line in lines if not line.startswith("<3>")] == []


def test_the_journal_gets_json_with_its_time():
    line = formatter("json", is_journal=True).format(record("x", logging.ERROR))
    assert line == "<3>" + formatter("json").format(record("x", logging.ERROR))


def test_the_journal_is_recognised_by_the_file_that_systemd_names(tmp_path):
    with (tmp_path / "a").open("w") as one, (tmp_path / "b").open("w") as other:
        status = os.fstat(one.fileno())
        environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert is_journal(one, environment)
        assert not is_journal(other, environment)
        assert not is_journal(one, {})
    assert not is_journal(one, environment)  # the file is closed
    assert not is_journal(io.StringIO(), environment)


def test_only_our_loggers_log_information_and_all_log_warnings():
    for quiet, expected in (
        (False, ["ours", "our warning", "their warning"]),
        (True, ["our warning", "their warning"]),
    ):
        stream = io.StringIO()
        configure("json", quiet=quiet, stream=stream)
        logging.getLogger("switchover.lca").info("ours")
        logging.getLogger("switchover.lca").warning("our warning")
        logging.getLogger("transitions").info("theirs")
        logging.getLogger("asyncio").warning("their warning")
        assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == expected


class Silent:
    """A connection to a host that sends nothing by itself."""

    heard_at = None

    def start(self) -> None: ...

    async def close(self) -> None: ...

    def send(self, command: object, deadline_ms: int) -> None: ...


@pytest.fixture
def file(tmp_path) -> Path:
    file = tmp_path / "switchover.toml"
    members = [(name, tmp_path / name, ("true",), ("true",), ("true",)) for name in (A1, A2)]
    hosts = ["127.0.0.1", "127.0.0.2"]
    file.write_text(configuration_text(tmp_path, LabSettings(), ["127.0.0.10/8"], hosts, members))
    return file


def test_log_lines_of_an_incident_carry_its_id(file):
    """The id is the number of the incident's first event in the journal, here 2: the agent's start is 1."""
    stream, settings = io.StringIO(), load(file)

    async def main() -> None:
        journal = Journal(settings.agent.journal)
        agent = Agent(settings, journal, lambda *_: Silent())
        agent.start()
        agent.post(HostConnected("host1", HostReport({A1: Mode.PRIMARY}, vip_held=True)))
        agent.post(LogMessageReceived("00-5150", A1))
        await agent.close()
        journal.close()

    configure("json", stream=stream)
    asyncio.run(main())
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {each.get("incident") for each in lines} == {2}
    assert lines[0]["message"].startswith("event: ")
    assert f"00-5150 {A1}" in " ".join(each["message"] for each in lines)


def daemon_says(file: Path, *options: str) -> tuple[int, list[str]]:
    """The output of an agent that cannot start because it has no keys."""
    argv = [sys.executable, "-m", "switchover.agent", "agent", "-c", str(file), *options]
    done = subprocess.run(argv, stderr=subprocess.PIPE, text=True, timeout=60, check=False)  # noqa: S603
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("form", FORMATS)
def test_the_daemons_log_in_the_requested_format(file, form):
    """A warning about the configuration is logged first."""
    file.write_text(file.read_text().replace("[agent]", 'reactions = "literal"\n[agent]', 1))
    status, lines = daemon_says(file, "--log-format", form)
    assert status == 1
    if form == "json":
        assert json.loads(lines[0])["level"] == "warning"
        assert "reactions is 'literal'" in json.loads(lines[0])["message"]
    else:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} WARNING switchover .*reactions is 'literal'", lines[0])
    assert lines[1].startswith("switchover: cannot read the key ")


@pytest.mark.parametrize("is_read_by_the_journal", [False, True])
def test_a_message_is_one_line_of_text_and_commands_no_terminal(is_read_by_the_journal):
    """Part of it may come from outside: an event's id, an application's name."""
    forged = record(
        "refused: received x\n2026-01-01T00:00:00.000 INFO switchover.agent event: \x1b[31m\u2028lost host1 é"
    )
    line = formatter("text", is_journal=is_read_by_the_journal).format(forged)
    expected = r"refused: received x\n2026-01-01T00:00:00.000 INFO switchover.agent event: \x1b[31m\u2028lost host1 é"
    assert line.endswith(f"INFO switchover.agent {expected}")
    assert len(line.splitlines()) == 1
