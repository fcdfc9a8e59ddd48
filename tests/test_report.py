"""The report of an incident: what it tells, that it is sound HTML with sound pictures, and needs nothing else."""

import asyncio
import doctest
import itertools
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest
from attrs import define, field
from switchover.agent.cli import main
from switchover.agent.incidents import Incident, incidents
from switchover.agent.journal import (
    DECISION,
    REFUSED,
    Entry,
    Journal,
    command_entry,
    event_entry,
    read,
    start_entry,
)
from switchover.agent.lab.player import play, playable
from switchover.agent.lab.settings import LabSettings
from switchover.agent.lab.simulated_stage import SimulatedStage
from switchover.agent.pictures import axis, lanes, svg, timeline
from switchover.agent.pictures.axis import Piece, Scale, axis_of
from switchover.agent.pictures.lanes import Look, Stretch, lanes_of, service
from switchover.agent.report import findings, html
from switchover.agent.report.document import Site, document
from switchover.fsm import (
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    Demote,
    DisableVip,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostLost,
    HostReport,
    Mode,
    Pair,
    Promote,
    Solution,
    SwitchoverRequested,
    TimerFired,
    Topology,
    documented_alarms,
    voicemail_topology,
)
from switchover.fsm.records import describe_command, describe_event, describe_step

SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
TOPOLOGY = Topology(("host1", "host2"), (SIP,), documented_alarms(SIP.applications, ("host1", "host2")))
BEGAN_NS = 1_774_746_000_123_456_789  # 2026-03-29 01:00:00.123 UTC: in Berlin, the moment at which summer time began


class Recorder:
    """Writes the journal of an agent to which this happens, each at a time of its own."""

    def __init__(self, path: Path, topology: Topology = TOPOLOGY) -> None:
        self.path, self.solution = path, Solution(topology)
        self._journal = Journal(path)
        self._write(0, [start_entry(topology)])
        for side, (host, mode) in enumerate(zip(topology.hosts, (Mode.PRIMARY, Mode.BACKUP), strict=True)):
            modes = {pair.applications[side]: mode for pair in topology.pairs}
            modes |= {pair.applications[side]: Mode.UP for pair in topology.monitored}
            self.happens(-5000, HostConnected(host, HostReport(modes, vip_held=side == 0)))
        for told in self.solution.state.pending:
            self.happens(-4990, CommandSucceeded(told.id))

    def happens(self, at_ms: float, event: Event) -> None:
        before, commands = self.solution.state, self.solution.handle(event)
        decisions = [Entry(DECISION, describe_step(step)) for step in self.solution.steps]
        written = [command_entry(describe_command(command), command) for command in commands]
        self._write(at_ms, [event_entry(describe_event(event, before.pending), event), *decisions, *written])

    def done(self, at_ms: float, kind: type[HostCommand]) -> None:
        self.happens(at_ms, CommandSucceeded(self._told(kind)))

    def fails(self, at_ms: float, kind: type[HostCommand], reason: str) -> None:
        self.happens(at_ms, CommandFailed(self._told(kind), reason))

    def refuses(self, at_ms: float, text: str) -> None:
        self._write(at_ms, [Entry(REFUSED, text)])

    def incident(self) -> Incident:
        """The last one so far."""
        return list(incidents(self.path))[-1]

    def _told(self, kind: type[HostCommand]) -> int:
        return next(told.id for told in self.solution.state.pending if isinstance(told, kind))

    def _write(self, at_ms: float, entries: list[Entry]) -> None:
        self._journal.write(entries, BEGAN_NS + int(at_ms * 1e6), 10**12 + int(at_ms * 1e6))

    def close(self) -> None:
        self._journal.close()


@pytest.fixture
def recorder(tmp_path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path / "journal.sqlite")
    yield recorder
    recorder.close()


def fail(recorder: Recorder) -> None:
    """[S2] primary server failure."""
    recorder.happens(0, ApplicationReported("SIP_Server_1", Mode.DOWN))
    recorder.done(5.25, Promote)
    recorder.done(8, DisableVip)
    recorder.done(8.5, EnableVip)
    recorder.done(10.75, AnnounceVip)


def disconnect(recorder: Recorder, silent_ms: float = 50.5) -> None:
    """[S2] primary server disconnected."""
    recorder.happens(0, HostFellSilent("host1"))
    recorder.happens(silent_ms, HostLost("host1"))
    recorder.done(silent_ms + 5.5, Promote)
    recorder.done(silent_ms + 8, EnableVip)


def switch(recorder: Recorder) -> None:
    """[S2] manual switchover."""
    recorder.happens(0, SwitchoverRequested("SIP_Server_2"))
    recorder.done(6, Demote)
    recorder.done(11, Promote)
    recorder.done(14, DisableVip)
    recorder.done(14.25, EnableVip)
    recorder.done(16.5, AnnounceVip)


# What is read of a page.


def drawn(picture: str) -> Element:
    """A picture, which must be sound XML."""
    return fromstring(picture)  # noqa: S314  # our own


@define
class Page(HTMLParser):
    """A page, read strictly: every element is closed where it should be. Tables are kept as rows of texts."""

    stack: list[str] = field(factory=list[str])
    tags: set[str] = field(factory=set[str])
    attributes: list[tuple[str, str]] = field(factory=list[tuple[str, str]])
    tables: list[list[list[str]]] = field(factory=list[list[list[str]]])
    texts: dict[str, str] = field(factory=dict[str, str])

    def __attrs_pre_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "meta":
            return
        self.stack.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.stack, tag
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.stack[-3:] or "th" in self.stack[-3:]:
            self.tables[-1][-1][-1] += data
        for element in self.stack[-1:]:
            self.texts[element] = self.texts.get(element, "") + data


def read_page(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.stack == []
    return page


def pictures(text: str) -> list[str]:
    """The texts in each of a page's pictures that are drawings of their own, which must be sound XML."""
    found = re.findall(r'<svg xmlns="[^"]*".*?</svg>', text, re.DOTALL)
    return [" | ".join(t.text or "" for t in drawn(each).iter() if t.tag.endswith("text")) for each in found]


def assert_sound(text: str) -> None:
    """Nothing is fetched from elsewhere, nothing runs, every element is closed, every picture is XML."""
    page = read_page(text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "image", "use"}
    assert not [
        name for name, _ in page.attributes if name in ("src", "href", "xlink:href", "style") or name[:2] == "on"
    ]
    assert {value for name, value in page.attributes if "://" in value} == {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#t-hatch", "#t-dots"}
    assert "@import" not in text
    assert len(pictures(text)) >= 2


# What a report tells.


def test_a_failure_is_told_from_its_first_sign_to_the_last_announcement(recorder):
    fail(recorder)
    text = document(recorder.incident(), Site("telephony", ("198.51.100.10",), 300), [])
    assert_sound(text)
    page = read_page(text)
    phases, chain, states = page.tables
    assert [row[:3] for row in phases] == [
        ["phase", "over at, ms", "took, ms"],
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
        ["connection to host1", "", "connected", "connected"],
        ["connection to host2", "", "connected", "connected"],
        [
            "SIP Server",
            "changed",
            "primary on host1, backup on host2",
            "no redundancy: primary on host2, down on host1",
        ],
        ["SIP_Server_1 on host1", "changed", "primary", "down"],
        ["SIP_Server_2 on host2", "changed", "backup", "primary"],
        ["Virtual IP", "changed", "on host1", "on host2"],
        ["placement", "changed", "every primary is on host1", "every primary is on host2"],
        ["active alarms", "changed", "SIP_Server_1 primary", "SIP_Server_2 primary"],
        ["redundancy", "changed", "yes", "no"],
    ]


def test_the_rows_that_had_something_changed_are_told_with_their_sources(recorder):
    fail(recorder)
    assert [(each.at_ms, each.subject, each.cite) for each in findings.deciding(recorder.incident())] == [
        (0.0, "SIP Server", "[S2] failure, steps 2-3"),
        (5.25, "VIP", "[S2] manual, steps 7-8"),
        (5.25, "VIP", "[S2] manual, steps 7-8"),
    ]


def test_where_nothing_was_changed_the_row_is_told_that_moved(recorder):
    recorder.happens(0, ApplicationReported("SIP_Server_2", Mode.DOWN))
    (found,) = findings.deciding(recorder.incident())
    assert (found.subject, found.cite) == ("SIP Server", "[S1] backup host failure")
    text = document(recorder.incident(), Site(), [])
    assert_sound(text)
    assert "Clients were served all the time." in text


def test_what_failed_is_told_with_the_reason_and_how_often(recorder):
    recorder.happens(0, ApplicationReported("SIP_Server_1", Mode.DOWN))
    recorder.done(5, Promote)
    recorder.done(6, DisableVip)
    for turn in (1, 2, 3):
        recorder.fails(turn * 1000, EnableVip, "exit status 2: not permitted")
        recorder.happens(turn * 1000 + 900, TimerFired("retry VIP"))
    recorder.done(4000, EnableVip)
    assert findings.failures(recorder.incident()) == [("failed enable_vip host2: exit status 2: not permitted", 3)]
    again = findings.Deciding(1900, "VIP", "enabling it is tried again", "rule: a command fails", 3)
    assert findings.deciding(recorder.incident())[-1] == again
    text = document(recorder.incident(), Site(), [])
    assert "<li>failed enable_vip host2: exit status 2: not permitted (3 times)</li>" in text
    assert "<li>1900.0 ms (3 times), VIP: enabling it is tried again " in text


def test_a_name_that_is_too_long_for_its_lane_keeps_its_end_in_which_names_differ(tmp_path):
    names = ("SIP_Server_of_the_northern_region_1", "SIP_Server_of_the_northern_region_2")
    hosts = ("host1", "host2")
    recorder = Recorder(tmp_path / "journal", Topology(hosts, (Pair("SIP", names),), documented_alarms(names, hosts)))
    recorder.close()
    shown = [each.text for each in drawn(timeline.timeline_svg(recorder.incident())).iter() if "…" in (each.text or "")]
    assert shown == ["SIP_Serv…_region_1", "SIP_Serv…_region_2"]


def test_a_wish_that_is_refused_is_told_with_the_reason(recorder):
    recorder.happens(0, SwitchoverRequested("SIP_Server_1"))
    assert [each.reason for each in findings.deciding(recorder.incident())] == ["it is primary already"]
    assert "SIP Server: it is primary already" in document(recorder.incident(), Site(), [])


def test_how_it_was_detected_is_told_as_far_as_it_is_known(recorder, tmp_path):
    disconnect(recorder)
    lost = "host1 was given up 50.5 ms after it was silent"
    assert findings.detection(recorder.incident(), None) == lost
    heard = "; nothing had been heard of it for 100 ms then (detection_ms)"
    assert findings.detection(recorder.incident(), 100) == lost + heard
    for name, event, told in [
        ("a", SwitchoverRequested("SIP_Server_2"), "asked for by an operator: there was nothing to detect"),
        (
            "b",
            ApplicationReported("SIP_Server_1", Mode.DOWN),
            "reported by its host's LCA; how long that took to notice it, the journal does not tell",
        ),
    ]:
        other = Recorder(tmp_path / name)
        other.happens(0, event)
        assert findings.detection(other.incident(), 100) == told
        other.close()


@pytest.mark.parametrize(
    ("detection_ms", "told"),
    [
        (None, "Clients were unserved for 8.0 ms; perhaps for another 50.5 ms."),
        (100, "Clients were unserved for 8.0 ms; perhaps for another 100.5 ms."),
    ],
)
def test_while_a_host_is_silent_it_is_in_doubt_whether_its_clients_are_served(recorder, detection_ms, told):
    disconnect(recorder)
    assert told in document(recorder.incident(), Site("", (), detection_ms), [])


def test_an_incident_that_goes_on_is_reported_as_far_as_it_got(recorder):
    recorder.happens(0, ApplicationReported("SIP_Server_1", Mode.DOWN))
    recorder.done(4, Promote)
    text = document(recorder.incident(), Site(), [])
    assert_sound(text)
    assert "Clients were unserved at its end, and from then on." in text
    assert "4.0 ms so far: it is going on" in text
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


def test_whatever_names_and_reasons_contain_is_shown_and_not_obeyed(tmp_path):
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
        incident, Site("</title>", ("<u>",)), findings.journal_lines(incident, iter([(9, Entry("x", "<p>"))]))
    )
    assert_sound(text)
    assert not set("\x1b\0") & set(text)
    page = read_page(text)
    assert page.texts["title"].startswith("Incident 26 of </title>")
    assert "\ufffd[31m<img src=x> \ufffd" in "".join(cell for row in page.tables[1] for cell in row)
    assert page.tables[2][4][0] == f"{names[0]} on {hosts[0]}"


def test_the_journals_lines_are_those_from_the_first_event_to_the_next_incidents(recorder):
    fail(recorder)
    recorder.refuses(12, "nonsense")
    first = recorder.incident()
    recorder.happens(100, ApplicationReported("SIP_Server_1", Mode.BACKUP))
    second = recorder.incident()
    lines, rest = (findings.journal_lines(each, read(recorder.path, each.id - 1)) for each in (first, second))
    assert [number for number, _ in (*lines, *rest)] == list(range(26, rest[-1][0] + 1))
    assert (lines[0][1].text, lines[-1][1].text) == ("reported SIP_Server_1 down", "nonsense")
    assert (lines[0][0], rest[0][0]) == (first.id, second.id)


# The picture over time.


def test_the_lanes_tell_what_was_known_of_everything_and_for_how_long(recorder):
    disconnect(recorder)
    told = {(lane.host, lane.name): lane.stretches for lane in lanes_of(recorder.incident())}
    assert told == {
        ("host1", "connection"): (
            Stretch("connected", Look.LIGHT, None, 0.0),
            Stretch("silent", Look.UNDER_WAY, 0.0, 50.5),
            Stretch("lost", Look.CROSSED, 50.5, None),
        ),
        ("host1", "SIP_Server_1"): (
            Stretch("primary", Look.FULL, None, 50.5),
            Stretch("not known", Look.UNKNOWN, 50.5, None),
        ),
        ("host1", "VIP"): (
            Stretch("held", Look.FULL, None, 50.5),
            Stretch("may have it", Look.UNKNOWN, 50.5, None),
        ),
        ("host2", "connection"): (Stretch("connected", Look.LIGHT, None, None),),
        ("host2", "SIP_Server_2"): (
            Stretch("backup", Look.LIGHT, None, 50.5),
            Stretch("to primary", Look.UNDER_WAY, 50.5, 56.0),
            Stretch("primary", Look.FULL, 56.0, None),
        ),
        ("host2", "VIP"): (
            Stretch("", Look.BARE, None, 56.0),
            Stretch("enabling", Look.UNDER_WAY, 56.0, 58.5),
            Stretch("held", Look.FULL, 58.5, None),
        ),
        ("", "clients"): (
            Stretch("served", Look.LIGHT, None, 0.0),
            Stretch("in doubt", Look.UNKNOWN, 0.0, 50.5),
            Stretch("unserved", Look.CROSSED, 50.5, 58.5),
            Stretch("served", Look.LIGHT, 58.5, None),
        ),
    }


def test_a_component_without_a_mode_is_up_or_down(tmp_path):
    recorder = Recorder(tmp_path / "journal", voicemail_topology())
    recorder.happens(0, ApplicationReported("RM_2", Mode.DOWN))
    recorder.close()
    told = {lane.name: [each.text for each in lane.stretches] for lane in lanes_of(recorder.incident())}
    assert (told["RM_1"], told["RM_2"], told["MCP_2"], told["clients"]) == (["up"], ["up", "down"], ["up"], ["served"])


def test_before_any_host_was_heard_nothing_is_known_of_the_clients(recorder):
    (start, *_) = incidents(recorder.path)
    *_, clients = lanes_of(start)
    assert [(each.text, each.begin_ms) for each in clients.stretches] == [("not known", None), ("served", 0.0)]
    assert service(start, "unserved") == ()


def test_a_gap_is_as_long_as_it_was_and_not_as_it_is_drawn(recorder):
    fail(recorder)
    recorder.close()
    assert service(recorder.incident(), "unserved") == (Stretch("unserved", Look.CROSSED, 0.0, 8.5),)
    assert "unserved 8.5 ms" in timeline.timeline_svg(recorder.incident())


@pytest.mark.parametrize("story", [fail, disconnect, switch])
def test_the_timeline_is_the_same_bytes_each_time_and_names_every_moment(recorder, story):
    story(recorder)
    picture = timeline.timeline_svg(recorder.incident())
    assert picture == timeline.timeline_svg(recorder.incident())
    texts = [found.text for found in drawn(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert {f"{at_ms:g}" for at_ms in lanes.instants_of(recorder.incident())} <= set(texts)
    happened = {phase.name for phase in recorder.incident().phases if phase.at_ms is not None}
    assert happened | {"host1", "host2", "SIP_Server_1", "SIP_Server_2", "VIP", "clients"} <= set(texts)


def test_no_two_texts_of_the_flags_and_of_the_axis_meet(recorder):
    switch(recorder)
    picture = drawn(timeline.timeline_svg(recorder.incident()))
    placed: dict[float, list[tuple[float, float]]] = {}
    for found in picture.iter("{http://www.w3.org/2000/svg}text"):
        style, x, text = found.get("class", ""), float(found.get("x", "0")), found.text or ""
        width = svg.width_of(text, 11)
        left = x - width / 2 if "middle" in style else x - width if "end" in style else x
        if "small" in style:
            placed.setdefault(float(found.get("y", "0")), []).append((left, left + width))
    for spans in placed.values():
        ordered = sorted(spans)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ordered)), spans


def test_time_is_to_scale_where_that_can_be_read():
    assert axis_of([0, 10, 30], 0, 600).pieces == (
        Piece(0, 10, 0, 200, Scale.TRUE),
        Piece(10, 30, 200, 600, Scale.TRUE),
    )
    assert axis_of([7], 100, 600).pieces == ()
    assert axis_of([7], 100, 600).x(7) == 100


def test_what_is_too_short_to_be_read_is_stretched_and_a_long_wait_among_short_ones_is_broken():
    stretched = axis_of([0, 10, 10.1, 20], 0, 600)
    assert [(piece.scale, round(piece.right - piece.left)) for piece in stretched.pieces] == [
        (Scale.TRUE, 278),
        (Scale.STRETCHED, 46),
        (Scale.TRUE, 276),
    ]
    broken = axis_of([0, 15_000, 15_005, 15_008], 0, 600)
    assert [(piece.scale, piece.left, piece.right) for piece in broken.pieces] == [
        (Scale.BROKEN, 0, 110),
        (Scale.TRUE, 110, 416.25),
        (Scale.TRUE, 416.25, 600),
    ]
    assert [broken.x(at_ms) for at_ms in broken.instants] == [0, 110, 416.25, 600]


def test_however_many_moments_there_are_the_axis_keeps_its_place():
    crowded = axis_of([*range(100), 10_000], 0, 800)
    assert crowded.pieces[-1].right <= 800 + 1e-6
    assert all(piece.right > piece.left for piece in crowded.pieces)


def test_a_long_incident_is_drawn_with_its_wait_broken(recorder):
    disconnect(recorder, silent_ms=15_000)
    picture = timeline.timeline_svg(recorder.incident())
    assert "broken where it zigzags" in picture
    assert "15005.5" in picture


def test_examples():
    for module in (axis, html, svg):
        result = doctest.testmod(module)
        assert (result.failed, result.attempted > 0) == (0, True)


# The command.


@pytest.fixture
def file(tmp_path, recorder) -> Path:
    """The example's configuration, with the recorded journal: solution, hosts and pair are the recorder's."""
    file = tmp_path / "switchover.toml"
    assert main(["init", "sip", str(file)]) == 0
    text = (
        file.read_text()
        .replace("/var/lib/switchover/journal.sqlite", str(recorder.path))
        .replace("#journal", "journal")
    )
    file.write_text(text)
    return file


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_last_incident_is_written_beside_whoever_asks(recorder, file, here, capsys):
    fail(recorder)
    capsys.readouterr()
    for _ in range(2):  # the same bytes, over the older ones
        assert main(["report", "-c", str(file)]) == 0
        told = "SIP_Server_1: it failed; SIP Server: host1 -> host2; VIP: host1 -> host2; redundancy lost"
        assert capsys.readouterr() == (f"incident-26.html written: {told}\n", "")
        text = (here / "incident-26.html").read_text()
        assert_sound(text)
        assert main(["report", "26", "-c", str(file), "--output", "-"]) == 0
        assert capsys.readouterr() == (text, "")
    assert "SIP solution on host1 and host2, VIP 198.51.100.10" in text
    assert "reported SIP_Server_1 down" in text


def test_an_incident_that_is_not_there_is_told_with_those_that_are(recorder, file, here, capsys):
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
    journal.write([start_entry(TOPOLOGY)])
    journal.close()
    assert main(["report", "--journal", "empty", "-c", "missing"]) == 1
    assert capsys.readouterr() == ("", "switchover: no incident in empty\n")
    assert main(["report", "--journal", "missing", "-c", "missing"]) == 1
    assert capsys.readouterr().err.startswith("switchover: the journal missing cannot be read: ")


def test_a_journal_is_enough_and_a_configuration_that_was_changed_tells_the_name_alone(recorder, file, here, capsys):
    fail(recorder)
    capsys.readouterr()
    assert main(["report", "--journal", str(recorder.path), "-c", "missing", "--output", "-"]) == 0
    assert "solution on host1 and host2</p>" in capsys.readouterr().out
    file.write_text(file.read_text().replace('#order = "together"', 'order = "enable-first"'))
    assert main(["report", "-c", str(file), "--output", "-"]) == 0
    text = capsys.readouterr().out
    assert "SIP solution on host1 and host2</p>" in text
    assert "together: both scripts at once" in text


def test_a_file_that_cannot_be_written_is_told(recorder, file, here, capsys):
    fail(recorder)
    capsys.readouterr()
    assert main(["report", "-c", str(file), "--output", str(here)]) == 1
    assert capsys.readouterr() == ("", f"switchover: {here} is not written: Is a directory\n")


# Every scenario of the lab.


async def played(directory: Path, solution: str) -> list[bool]:
    directory.mkdir()
    stage = SimulatedStage(directory, LabSettings(solution=solution, detection_ms=200))
    await stage.start()
    try:
        return [outcome.ok async for outcome in play(stage, list(playable(solution)), 1, lambda _: None)]
    finally:
        await stage.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """The journals of an agent that went through every scenario, of either solution."""
    directory = tmp_path_factory.mktemp("lab")

    async def scenario() -> list[list[bool]]:
        return await asyncio.gather(*(played(directory / solution, solution) for solution in ("sip", "voicemail")))

    sip, voicemail = asyncio.run(scenario())
    assert (set(sip), len(sip), set(voicemail), len(voicemail)) == ({True}, 4, {True}, 17)
    return directory


@pytest.mark.parametrize("solution", ["sip", "voicemail"])
def test_every_incident_of_the_lab_has_a_sound_report(lab, solution):
    found = list(incidents(lab / solution / "journal.sqlite"))
    assert len(found) > 5
    for incident in found:
        text = document(incident, Site("lab", ("198.51.100.10",), 200), [])
        assert_sound(text)
        assert text == document(incident, Site("lab", ("198.51.100.10",), 200), [])
        phases, chain, states = read_page(text).tables
        assert [row[0] for row in phases[1:]] == [each.name for each in findings.lasted(incident)]
        assert sum(each.duration_ms for each in findings.lasted(incident)) == pytest.approx(
            findings.lasted(incident)[-1].at_ms
        )
        assert len(chain) > len(incident.handled)
        assert any(row[1] == "changed" for row in states) == (incident.before != incident.after)


def reported(lab: Path, solution: str) -> list[tuple[str, list[str]]]:
    """Of each incident that moved the VIP: its cause, and the workflows and scenarios of the rows that decided."""
    moved = [each for each in incidents(lab / solution / "journal.sqlite") if each.moves]
    return [
        (each.cause, sorted({row.cite.partition(",")[0] for row in findings.deciding(each) if "[S" in row.cite}))
        for each in moved
    ]


def test_the_reports_of_the_four_workflows_cite_their_own_steps(lab):
    _, manual, failure, disconnected = reported(lab, "sip")
    asked = "an operator asks for SIP_Server_2 as primary"
    assert manual == (asked, ["[S2] manual"])
    assert failure == ("SIP_Server_2: it failed", ["[S2] failure", "[S2] manual"])
    assert disconnected == ("SIP_Server_1: its host is lost, and it with its host", ["[S2] disconnected"])
    (*_, reconnection) = incidents(lab / "sip" / "journal.sqlite")
    assert reconnection.moves == []
    assert [each.cite for each in findings.deciding(reconnection)] == [
        "[S2] reconnection, steps 2-3",
        "[S2] reconnection, steps 7-8",
    ]
