"""The index of incidents: one is found without the others, and is the same as if the whole journal were read."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.incident_recorder import Recorder
from switchover.agent.cli.main import main
from switchover.agent.explain.why import as_json
from switchover.agent.history import rows
from switchover.agent.history.incidents import EVENTS_KEPT, EVENTS_READ, Tracker, brief, incidents
from switchover.agent.history.index import account, all_in_brief, find
from switchover.agent.history.journal import replay
from switchover.agent.history.origin import origin
from switchover.fsm import ApplicationReported, CommandSucceeded, Mode

OTHER = "SIP Server stays as_it_was on anything: old words"
A1, A2 = "SIP_Server_1", "SIP_Server_2"


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Its state is stored after every seventh event."""
    monkeypatch.setattr(rows, "SNAPSHOT_EVERY", 7)
    with contextlib.closing(Recorder(tmp_path / "journal.sqlite")) as recorder:
        yield recorder


def settle(recorder: Recorder, at_ms: float) -> None:
    while pending := recorder.solution.state.pending:
        recorder.happens(at_ms, CommandSucceeded(pending[0].id))


def fail_and_return(recorder: Recorder, times: int) -> None:
    for number in range(times):
        name = (A1, A2)[number % 2]
        for step, mode in enumerate((Mode.DOWN, Mode.BACKUP)):
            recorder.happens(1000 * number + 100 * step, ApplicationReported(name, mode))
            settle(recorder, 1000 * number + 100 * step + 5)


def test_every_incident_is_found_as_if_the_whole_journal_were_read(recorder):
    fail_and_return(recorder, times=6)
    whole = list(incidents(recorder.path))
    assert len(whole) > 10
    assert [as_json(find(recorder.path, each.id)) for each in whole] == [as_json(each) for each in whole]
    assert find(recorder.path).id == whole[-1].id
    assert all_in_brief(recorder.path) == [brief(each) for each in whole]
    assert find(recorder.path, whole[-1].id + 1) is None


def test_an_incident_that_goes_on_is_in_the_index(recorder):
    fail_and_return(recorder, times=2)
    recorder.happens(5000, ApplicationReported(A1, Mode.DOWN))
    latest = find(recorder.path)
    assert not latest.is_over
    assert all_in_brief(recorder.path)[-1] == brief(latest)


def test_a_journal_of_an_earlier_version_has_no_index_and_is_read_as_a_whole(recorder):
    fail_and_return(recorder, times=2)
    whole = list(incidents(recorder.path))
    with contextlib.closing(sqlite3.connect(recorder.path)) as database:
        for table in ("incidents", "snapshots"):
            database.execute(f"DROP TABLE {table}")
    assert as_json(find(recorder.path)) == as_json(whole[-1])
    assert as_json(find(recorder.path, whole[0].id)) == as_json(whole[0])
    assert find(recorder.path, 10**6) is None
    assert find(recorder.path, in_index=True) is None
    assert all_in_brief(recorder.path) == [brief(each) for each in whole]


def test_a_reader_goes_on_after_a_gap_and_mentions_it(recorder, capsys):
    fail_and_return(recorder, times=3)
    recorder.happens(5000, ApplicationReported(A2, Mode.DOWN))
    left_out = recorder.solution.state.pending[0].id
    recorder.leaves_out(3, CommandSucceeded(left_out))
    settle(recorder, 5200)
    (resumed,) = [each for each in replay(recorder.path) if each.missing]
    assert resumed.missing == 3
    assert list(replay(recorder.path))[-1].after == recorder.solution.state
    assert main(["why", "--journal", str(recorder.path)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  journal ")]
    assert lines == [
        "  journal  3 events are missing, at least: not written when it happened; the agent's log has what was done"
    ]


def test_what_is_told_is_what_was_recorded_if_other_tables_decided(recorder, capsys):
    """After an upgrade, a replay would decide otherwise than the agent did then."""
    fail_and_return(recorder, times=2)
    latest = find(recorder.path)
    with contextlib.closing(sqlite3.connect(recorder.path)) as database:
        database.execute("UPDATE journal SET text = ? WHERE kind = 'decision' AND id > ?", (OTHER, latest.id))
        database.commit()
    found = account(recorder.path)
    assert found.brief == brief(latest)
    assert found.written_by == origin()
    assert main(["why", "--journal", str(recorder.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        f"  journal  version {origin()['version']} decided otherwise than this one would; below is what was recorded"
        in lines
    )
    assert "                SIP Server stays as_it_was on anything: old words" in lines
    assert main(["why", "--json", "--journal", str(recorder.path)]) == 0
    recorded = json.loads(capsys.readouterr().out)["recorded"]
    assert [each["kind"] for each in recorded[:2]] == ["event", "decision"]


def test_other_words_for_the_same_decision_are_no_other_decision(recorder):
    fail_and_return(recorder, times=2)
    with contextlib.closing(sqlite3.connect(recorder.path)) as database:
        database.execute("UPDATE journal SET text = replace(text, ': it failed', ': it broke')")
        database.commit()
    assert not account(recorder.path).recorded


def test_an_incident_that_cannot_be_replayed_is_told_as_recorded(recorder, capsys):
    fail_and_return(recorder, times=2)
    latest = find(recorder.path)
    with contextlib.closing(sqlite3.connect(recorder.path)) as database:
        database.execute("UPDATE journal SET data = replace(data, 'Application', 'Gone') WHERE kind = 'event'")
        database.commit()
    found = account(recorder.path)
    assert (found.incident, found.brief) == (None, brief(latest))
    assert found.recorded[0][0] == latest.id
    assert main(["report", "--journal", str(recorder.path), "-c", "missing"]) == 1
    assert f"`switchover why {latest.id}` shows what was recorded" in capsys.readouterr().err


def test_an_incident_without_end_is_kept_in_part(recorder):
    """A VIP that cannot be enabled: what is kept of it is bounded, what is said of it is not wrong."""
    recorder.happens(0, ApplicationReported(A1, Mode.DOWN))
    handled = list(replay(recorder.path))[-1]
    tracker, incident = Tracker(), None
    for _ in range(10 * EVENTS_KEPT):
        incident = tracker.take(handled)
    assert incident is not None
    assert (len(incident.handled), incident.left_out) == (EVENTS_KEPT, 9 * EVENTS_KEPT)
    assert EVENTS_READ > EVENTS_KEPT
    assert incident.cause == brief(incident).cause
