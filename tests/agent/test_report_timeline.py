"""The picture of an incident over time: its lanes, its axis, and that no text lies on another one."""

import doctest
import itertools
from collections.abc import Iterator
from contextlib import closing

import pytest
from support.incident_recorder import Recorder, disconnect, fail, switch
from support.read_report import drawn
from switchover.agent.history.incidents import incidents
from switchover.agent.pictures.drawing import axis, svg
from switchover.agent.pictures.drawing.axis import Piece, Scale, axis_of
from switchover.agent.pictures.timeline import lanes, timeline
from switchover.agent.pictures.timeline.lanes import Look, Stretch, lanes_of, service
from switchover.agent.report import html
from switchover.fsm import ApplicationReported, Mode, voicemail_topology


@pytest.fixture
def recorder(tmp_path) -> Iterator[Recorder]:
    with closing(Recorder(tmp_path / "journal.sqlite")) as recorder:
        yield recorder


def test_the_lanes_show_what_was_known_and_for_how_long(recorder):
    disconnect(recorder)
    stretches = {(lane.host, lane.name): lane.stretches for lane in lanes_of(recorder.incident())}
    assert stretches == {
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
    texts = {lane.name: [each.text for each in lane.stretches] for lane in lanes_of(recorder.incident())}
    assert (texts["RM_1"], texts["RM_2"], texts["MCP_2"], texts["clients"]) == (
        ["up"],
        ["up", "down"],
        ["up"],
        ["served"],
    )


def test_before_any_host_was_heard_the_clients_are_not_known(recorder):
    (start, *_) = incidents(recorder.path)
    *_, clients = lanes_of(start)
    assert [(each.text, each.begin_ms) for each in clients.stretches] == [("not known", None), ("served", 0.0)]
    assert service(start, "unserved") == ()


def test_a_gap_is_labelled_with_its_real_length(recorder):
    fail(recorder)
    recorder.close()
    assert service(recorder.incident(), "unserved") == (Stretch("unserved", Look.CROSSED, 0.0, 8.5),)
    assert "unserved 8.5 ms" in timeline.timeline_svg(recorder.incident())


@pytest.mark.parametrize("story", [fail, disconnect, switch])
def test_the_timeline_is_reproducible_and_names_every_moment(recorder, story):
    story(recorder)
    picture = timeline.timeline_svg(recorder.incident())
    assert picture == timeline.timeline_svg(recorder.incident())
    texts = [each.text for each in drawn(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert {f"{at_ms:g}" for at_ms in lanes.instants_of(recorder.incident())} <= set(texts)
    happened = {phase.name for phase in recorder.incident().phases if phase.at_ms is not None}
    assert happened | {"host1", "host2", "SIP_Server_1", "SIP_Server_2", "VIP", "clients"} <= set(texts)


def test_no_two_texts_of_the_flags_and_the_axis_overlap(recorder):
    switch(recorder)
    picture = drawn(timeline.timeline_svg(recorder.incident()))
    placed: dict[float, list[tuple[float, float]]] = {}
    for element in picture.iter("{http://www.w3.org/2000/svg}text"):
        style, x, text = element.get("class", ""), float(element.get("x", "0")), element.text or ""
        width = svg.width_of(text, 11)
        left = x - width / 2 if "middle" in style else x - width if "end" in style else x
        if "small" in style:
            placed.setdefault(float(element.get("y", "0")), []).append((left, left + width))
    for spans in placed.values():
        ordered = sorted(spans)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ordered)), spans


def test_time_is_to_scale_where_it_stays_readable():
    assert axis_of([0, 10, 30], 0, 600).pieces == (
        Piece(0, 10, 0, 200, Scale.TRUE),
        Piece(10, 30, 200, 600, Scale.TRUE),
    )
    assert axis_of([7], 100, 600).pieces == ()
    assert axis_of([7], 100, 600).x(7) == 100


def test_short_spans_are_stretched_and_long_waits_broken():
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


def test_the_axis_keeps_its_width_however_many_moments_there_are():
    crowded = axis_of([*range(100), 10_000], 0, 800)
    assert crowded.pieces[-1].right <= 800 + 1e-6
    assert all(piece.right > piece.left for piece in crowded.pieces)


def test_a_long_incident_is_drawn_with_its_wait_broken(recorder):
    disconnect(recorder, silent_ms=15_000)
    picture = timeline.timeline_svg(recorder.incident())
    assert "broken where it zigzags" in picture
    assert "15005.5" in picture


def test_the_examples_in_the_docstrings_are_true():
    for module in (axis, html, svg):
        result = doctest.testmod(module)
        assert (result.failed, result.attempted > 0) == (0, True)
