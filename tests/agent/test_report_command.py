"""`switchover report`: which incident it writes, where, and its errors."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.incident_recorder import Recorder, fail
from support.read_report import assert_sound
from support.topologies import TAKEOVER
from switchover.agent.cli.main import main
from switchover.agent.history.journal import start_entry
from switchover.agent.history.writer import Journal
from switchover.fsm import ApplicationReported, Mode


@pytest.fixture
def recorder(tmp_path) -> Iterator[Recorder]:
    with closing(Recorder(tmp_path / "journal.sqlite")) as recorder:
        yield recorder


@pytest.fixture
def file(tmp_path, recorder) -> Path:
    """The example configuration with the recorded journal; the recorder uses the same solution, hosts and pair."""
    file = tmp_path / "switchover.toml"
    assert main(["init", "sip", str(file)]) == 0
    text = (
        file.read_text()
        .replace("/var/lib/switchover/journal.sqlite", str(recorder.path))
        .replace("#journal =", "journal =")
        .replace("#settle_ms = 2500", "settle_ms = 1000")
    )
    file.write_text(text)
    return file


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_last_incident_is_written_into_the_current_directory(recorder, file, here, capsys):
    fail(recorder)
    capsys.readouterr()
    for _ in range(2):  # the same bytes, over the older ones
        assert main(["report", "-c", str(file)]) == 0
        summary = "SIP_Server_1: it failed; SIP Server: host1 -> host2; VIP: host1 -> host2; redundancy lost"
        assert capsys.readouterr() == (f"incident-26.html written: {summary}\n", "")
        text = (here / "incident-26.html").read_text()
        assert_sound(text)
        assert main(["report", "26", "-c", str(file), "--output", "-"]) == 0
        assert capsys.readouterr() == (text, "")
    assert "SIP solution on host1 and host2, VIP 198.51.100.10" in text
    assert "reported SIP_Server_1 down" in text


def test_an_unknown_incident_is_an_error_that_lists_the_known_ones(recorder, file, here, capsys):
    fail(recorder)
    capsys.readouterr()
    assert main(["report", "7", "-c", str(file)]) == 2
    assert capsys.readouterr() == ("", f"switchover: no incident 7 in {recorder.path}; there are 2, 26\n")
    for turn in range(12):
        recorder.happens(1000 + turn, ApplicationReported("SIP_Server_1", (Mode.BACKUP, Mode.DOWN)[turn % 2]))
    assert main(["report", "7", "-c", str(file)]) == 2
    assert "; there are 14, the last ones " in capsys.readouterr().err
    assert list(here.glob("*.html")) == []


def test_without_an_incident_there_is_nothing_to_report(here, capsys):
    journal = Journal(here / "empty")
    journal.write([start_entry(TAKEOVER)])
    journal.close()
    assert main(["report", "--journal", "empty", "-c", "missing"]) == 1
    assert capsys.readouterr() == ("", "switchover: no incident in empty\n")
    assert main(["report", "--journal", "missing", "-c", "missing"]) == 1
    assert capsys.readouterr().err.startswith("switchover: the journal missing cannot be read: ")


def test_a_journal_is_enough_and_a_changed_configuration_gives_only_the_name(recorder, file, here, capsys):
    fail(recorder)
    capsys.readouterr()
    assert main(["report", "--journal", str(recorder.path), "-c", "missing", "--output", "-"]) == 0
    assert "solution on host1 and host2</p>" in capsys.readouterr().out
    file.write_text(file.read_text().replace('#order = "together"', 'order = "enable-first"'))
    assert main(["report", "-c", str(file), "--output", "-"]) == 0
    text = capsys.readouterr().out
    assert "SIP solution on host1 and host2</p>" in text
    assert "together: both scripts at once" in text


def test_a_file_that_cannot_be_written_is_an_error(recorder, file, here, capsys):
    fail(recorder)
    capsys.readouterr()
    assert main(["report", "-c", str(file), "--output", str(here)]) == 1
    assert capsys.readouterr() == ("", f"switchover: {here} cannot be written: Is a directory\n")
