"""The report of an incident: its content, and that it is sound, self-contained HTML with sound pictures."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from support.incident_recorder import Recorder, disconnect, fail
from support.read_report import assert_sound, drawn, pictures, read_page
from switchover.agent.history.journal import Entry, read
from switchover.agent.pictures.timeline import timeline
from switchover.agent.report import analysis
from switchover.agent.report.document import Site, document
from switchover.fsm import (
    ApplicationReported,
    DisableVip,
    EnableVip,
    Mode,
    Pair,
    Promote,
    SwitchoverRequested,
    TimerFired,
    Topology,
    documented_alarms,
)


@pytest.fixture
def recorder(tmp_path) -> Iterator[Recorder]:
    with closing(Recorder(tmp_path / "journal.sqlite")) as recorder:
        yield recorder


def test_a_failure_is_reported_from_its_first_sign_to_the_last_announcement(recorder):
    fail(recorder)
    text = document(recorder.incident(), Site("telephony", ("198.51.100.10",), 300), [])
    assert_sound(text)
    page = read_page(text)
    phases, chain, states = page.tables
    assert [row[:3] for row in phases] == [
        ["phase", "ended at, ms", "took, ms"],
        ["detected", "0.0", "+0.0"],
        ["decided", "0.0", "+0.0"],
        ["promoted", "5.2", "+5.2"],
        ["VIP down", "8.0", "+2.8"],
        ["VIP up", "8.5", "+0.5"],
        ["served", "8.5", "+0.0"],
        ["announced", "10.8", "+2.2"],
    ]
    assert "Not part of this incident: demoted." in page.texts["p"]
    assert "Clients were unserved for 8.5 ms." in page.texts["p"]
    assert chain[1][:3] == ["0.0", "event", "SIP_Server_1 is reported down"]
    assert ["", "command", "promote SIP_Server_2", "done after 5.2 ms", ""] in chain
    assert states == [
        ["", "", "before", "after"],
        ["link to host1", "", "connected", "connected"],
        ["link to host2", "", "connected", "connected"],
        [
            "SIP Server",
            "changed",
            "primary on host1, backup on host2",
            "no redundancy: primary on host2, down on host1",
        ],
        ["SIP_Server_1 on host1", "changed", "primary", "down"],
        ["SIP_Server_2 on host2", "changed", "backup", "primary"],
        ["VIP", "changed", "on host1", "on host2"],
        ["placement", "changed", "every primary is on host1", "every primary is on host2"],
        ["active alarms", "changed", "SIP_Server_1 primary", "SIP_Server_2 primary"],
        ["redundancy", "changed", "yes", "no"],
    ]


def test_the_rows_that_led_to_changes_are_shown_with_their_sources(recorder):
    fail(recorder)
    assert [(each.at_ms, each.subject, each.cite) for each in analysis.deciding_rows(recorder.incident())] == [
        (0.0, "SIP Server", "[S2] failure, steps 2-3"),
        (5.25, "VIP", "[S2] manual, steps 7-8"),
        (5.25, "VIP", "[S2] manual, steps 7-8"),
    ]


def test_if_nothing_was_changed_the_row_that_moved_is_shown(recorder):
    recorder.happens(0, ApplicationReported("SIP_Server_2", Mode.DOWN))
    (step,) = analysis.deciding_rows(recorder.incident())
    assert (step.subject, step.cite) == ("SIP Server", "[S1] backup host failure")
    text = document(recorder.incident(), Site(), [])
    assert_sound(text)
    assert "Clients were served all the time." in text


def test_a_failed_command_is_shown_with_its_reason_and_count(recorder):
    recorder.happens(0, ApplicationReported("SIP_Server_1", Mode.DOWN))
    recorder.done(5, Promote)
    recorder.done(6, DisableVip)
    for turn in (1, 2, 3):
        recorder.fails(turn * 1000, EnableVip, "exit status 2: not permitted")
        recorder.happens(turn * 1000 + 900, TimerFired("retry VIP"))
    recorder.done(4000, EnableVip)
    assert analysis.failures(recorder.incident()) == [("failed enable_vip host2: exit status 2: not permitted", 3)]
    again = analysis.DecidingRow(1900, "VIP", "enabling it is tried again", "rule: a command fails", 3)
    assert analysis.deciding_rows(recorder.incident())[-1] == again
    text = document(recorder.incident(), Site(), [])
    assert "<li>failed enable_vip host2: exit status 2: not permitted (3 times)</li>" in text
    assert "<li>1900.0 ms (3 times), VIP: enabling it is tried again " in text


def test_a_name_too_long_for_its_lane_keeps_its_distinctive_end(tmp_path):
    names = ("SIP_Server_of_the_northern_region_1", "SIP_Server_of_the_northern_region_2")
    hosts = ("host1", "host2")
    recorder = Recorder(tmp_path / "journal", Topology(hosts, (Pair("SIP", names),), documented_alarms(names, hosts)))
    recorder.close()
    shown = [each.text for each in drawn(timeline.timeline_svg(recorder.incident())).iter() if "…" in (each.text or "")]
    assert shown == ["SIP_Serv…_region_1", "SIP_Serv…_region_2"]


def test_a_refused_request_is_shown_with_the_reason(recorder):
    recorder.happens(0, SwitchoverRequested("SIP_Server_1"))
    assert [each.reason for each in analysis.deciding_rows(recorder.incident())] == ["it is primary already"]
    assert "SIP Server: it is primary already" in document(recorder.incident(), Site(), [])


def test_the_detection_is_described_as_far_as_it_is_known(recorder, tmp_path):
    disconnect(recorder)
    lost = "host1 was given up 50.5 ms after it fell silent"
    assert analysis.detection(recorder.incident(), None) == lost
    detection = "; it had not been heard for 100 ms (detection_ms)"
    assert analysis.detection(recorder.incident(), 100) == lost + detection
    for name, event, expected in [
        ("a", SwitchoverRequested("SIP_Server_2"), "asked for by an operator: there was nothing to detect"),
        (
            "b",
            ApplicationReported("SIP_Server_1", Mode.DOWN),
            "reported by its host's LCA; how long the LCA took to notice it is not in the journal",
        ),
    ]:
        other = Recorder(tmp_path / name)
        other.happens(0, event)
        assert analysis.detection(other.incident(), 100) == expected
        other.close()


@pytest.mark.parametrize(
    ("detection_ms", "sentence"),
    [
        (None, "Clients were unserved for 8.0 ms; perhaps for another 50.5 ms."),
        (100, "Clients were unserved for 8.0 ms; perhaps for another 100.5 ms."),
    ],
)
def test_clients_of_a_silent_host_may_be_unserved(recorder, detection_ms, sentence):
    disconnect(recorder)
    assert sentence in document(recorder.incident(), Site("", (), detection_ms), [])


def test_an_incident_that_goes_on_is_reported_up_to_now(recorder):
    recorder.happens(0, ApplicationReported("SIP_Server_1", Mode.DOWN))
    recorder.done(4, Promote)
    text = document(recorder.incident(), Site(), [])
    assert_sound(text)
    assert "Clients were unserved at its end, and from then on." in text
    assert "4.0 ms so far; it is not over" in text
    assert "unserved from then on" in pictures(text)[0]


def test_the_time_is_local_with_its_zone(recorder, monkeypatch):
    fail(recorder)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        text = document(recorder.incident(), Site(), [])
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "<h1>Incident 26, 2026-03-29 03:00:00.123 CEST (UTC+02:00)</h1>" in text


def test_names_and_reasons_are_escaped(tmp_path):
    names = ("<script>alert(1)</script>", "\"&amp;'</style><b>")
    pair = Pair("<i>pair</i> & Co", names)
    hosts = ("<host onload=x>", "host2\N{RIGHT-TO-LEFT OVERRIDE}]]>")
    recorder = Recorder(tmp_path / "journal", Topology(hosts, (pair,), documented_alarms(names, hosts)))
    recorder.happens(0, ApplicationReported(names[0], Mode.DOWN))
    recorder.fails(3, Promote, "\x1b[31m<img src=x> \0\ud800 --> </svg>".encode(errors="replace").decode())
    recorder.refuses(4, "</pre><script>alert(2)</script>")
    recorder.close()
    incident = recorder.incident()
    text = document(
        incident, Site("</title>", ("<u>",)), analysis.journal_lines(incident, iter([(9, Entry("x", "<p>"))]))
    )
    assert_sound(text)
    assert not set("\x1b\0") & set(text)
    page = read_page(text)
    assert page.texts["title"].startswith("Incident 26 of </title>")
    assert "\ufffd[31m<img src=x> \ufffd" in "".join(cell for row in page.tables[1] for cell in row)
    assert page.tables[2][4][0] == f"{names[0]} on {hosts[0]}"


def test_the_journal_lines_end_before_the_next_incident(recorder):
    fail(recorder)
    recorder.refuses(12, "nonsense")
    first = recorder.incident()
    recorder.happens(100, ApplicationReported("SIP_Server_1", Mode.BACKUP))
    second = recorder.incident()
    lines, rest = (analysis.journal_lines(each, read(recorder.path, each.id - 1)) for each in (first, second))
    assert [number for number, _ in (*lines, *rest)] == list(range(26, rest[-1][0] + 1))
    assert (lines[0][1].text, lines[-1][1].text) == ("reported SIP_Server_1 down", "nonsense")
    assert (lines[0][0], rest[0][0]) == (first.id, second.id)
