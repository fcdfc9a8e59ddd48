"""The live page over HTTP: its answers, and who may do what."""

import asyncio
import ctypes
import http.client
import json
import os
import re
import socket
import sys
from importlib.resources import files
from typing import Any

import pytest
from attrs import asdict
from support.page_stage import PATIENCE_S, answer_of
from switchover.agent.explain.overview import overview
from switchover.agent.explain.why import as_text
from switchover.agent.history.incidents import incidents
from switchover.agent.history.journal import read
from switchover.agent.page import drawn
from switchover.agent.page.peer import uid_of

NOBODY = 65534


def test_the_page_has_no_inline_script_and_nothing_from_elsewhere(stage):
    answer = stage.ask("GET", "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    for name in ("index.html", "login.html"):
        text = files("switchover.agent.page").joinpath(name).read_text(encoding="utf-8")
        assert re.findall(r"<script(?![^>]* src=)|\son\w+=|\sstyle=|<style|https?:", text) == []
    for path in ("/page.css", "/page.js"):
        answer = stage.ask("GET", path)
        assert answer.status == 200
        assert "http:" not in answer.body
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}"])
def test_a_request_for_another_host_name_is_refused(stage, host):
    """DNS rebinding: another site's name led the browser to this address."""
    assert stage.ask("GET", "/events", host=host.format(port=stage.settings.port)).status == 421
    assert stage.ask("GET", "/", host=f"localhost:{stage.settings.port}").status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", None])
def test_a_switchover_from_another_origin_is_refused(stage, origin):
    ticket = stage.ask("GET", "/plan?to=host2").json["ticket"]
    headers = {"origin": origin} if origin else {}
    answer = stage.ask("POST", "/switch", {"to": "host2", "ticket": ticket}, **headers)
    assert answer.status == 403
    assert stage.agent.solution.state.pairs[0].state == "redundant_1"


def test_a_plan_is_shown_first_and_then_the_switchover_is_made(stage):
    plan = stage.ask("GET", "/plan?to=host2").json
    assert plan["outcome"] == "SIP Server: host1 -> host2; VIP: host1 -> host2"
    assert plan["commands"][:2] == ["demote SIP_Server_1", "promote SIP_Server_2"]
    assert "if: switch host2" in plan["text"]
    assert stage.agent.solution.state.pairs[0].state == "redundant_1"
    answer = stage.post("/switch", {"to": "host2", "ticket": plan["ticket"]})
    text = "first the primary goes into backup mode"
    assert (answer.status, answer.json) == (200, {"ok": True, "moved": True, "text": text})
    stage.until(lambda: stage.agent.solution.state.vip == "held_2")


def test_a_plan_is_void_when_the_solution_has_changed(stage):
    plan = stage.ask("GET", "/plan?to=host2").json
    stage.run(stage.stage.crash("SIP_Server_2"))
    stage.until(lambda: stage.agent.solution.state.pairs[0].state == "no_redundancy_1")
    answer = stage.post("/switch", {"to": "host2", "ticket": plan["ticket"]})
    assert (answer.status, answer.json["changed"]) == (409, True)
    again = stage.ask("GET", "/plan?to=host2").json
    assert again["commands"] == []
    assert "that application is down: no switch to it" in again["outcome"]
    refused = stage.post("/switch", {"to": "host2", "ticket": again["ticket"]})
    assert (refused.status, refused.json["ok"], refused.json["moved"]) == (409, False, False)


def test_a_plan_stays_valid_if_the_change_makes_no_difference(stage):
    """For example an alarm that is cancelled, seconds after its event."""
    plan = stage.ask("GET", "/plan?to=host2").json

    async def cancel() -> None:
        solution = stage.agent.solution
        assert "active" in solution.state.alarms
        solution.state = solution.state.with_alarm(solution.state.alarms.index("active"), "clear")

    stage.run(cancel())
    answer = stage.post("/switch", {"to": "host2", "ticket": plan["ticket"]})
    assert (answer.status, answer.json["moved"]) == (200, True)


def test_a_ticket_is_for_one_request_only(stage):
    ticket = stage.ask("GET", "/plan?to=host1").json["ticket"]
    for request in ({"to": "host2", "ticket": ticket}, {"to": "host2", "ticket": ""}, {"to": "host2", "ticket": "é"}):
        assert stage.post("/switch", request).json["changed"] is True
    requests = [entry.text for _, entry in read(stage.journal) if entry.text.startswith("requested")]
    assert requests == []


@pytest.mark.parametrize("body", ["", "[]", '{"to": "host2"}', "x" * 5000])
def test_a_malformed_request_is_refused(stage, body):
    assert stage.post("/switch", body).status == 400


def test_unknown_pages_are_not_found(stage):
    assert stage.ask("GET", "/plan?to=host3").status == 404
    assert stage.ask("GET", "/plan?to=RM_1").status == 404
    assert stage.ask("GET", "/incidents/7777").status == 404
    assert stage.ask("GET", "/diagrams/pair/none").status == 404
    assert stage.ask("GET", "/diagrams/none/documented").status == 404
    assert stage.ask("GET", "/switch").status == 405
    assert stage.ask("GET", "/../settings.py").status == 404


def test_another_user_of_this_machine_can_look_but_not_switch(stage, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("needs root to be another user")
    ticket = stage.ask("GET", "/plan?to=host2").json["ticket"]
    connection = http.client.HTTPConnection("127.0.0.1", stage.settings.port, timeout=PATIENCE_S)
    libc = ctypes.CDLL(None)
    libc.setfsuid(NOBODY)  # for this thread only: the owner of a new socket
    try:
        connection.connect()
    finally:
        libc.setfsuid(0)
    request = {"to": "host2", "ticket": ticket}
    answer = answer_of(connection, "POST", "/switch", request, headers={"origin": stage.url})
    text = "without a token only root and the agent's own user may do this"
    assert (answer.status, answer.json) == (403, {"text": text})
    assert stage.agent.solution.state.pairs[0].state == "redundant_1"


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_names_the_user_of_a_connection(family, address):
    with socket.socket(family) as listening:
        try:
            listening.bind((address, 0))
        except OSError as error:
            pytest.skip(f"no {address} here: {error}")
        listening.listen()
        at = listening.getsockname()[:2]
        with socket.create_connection(at) as client:
            assert uid_of(client.getsockname()[:2], at) == os.geteuid()
            assert uid_of((address, 1), at) is None


def test_the_overview_is_sent_again_even_if_nothing_happens(stage):
    first, second = stage.events(2)
    seen = overview(stage.status(), 300)
    extra = ("hosts", "time_ms", "age_ms", "trouble", "incidents", "alarms")
    assert {key: value for key, value in first.items() if key not in extra} == {
        key: value for key, value in json.loads(json.dumps(asdict(seen))).items() if key not in ("hosts", "alarms")
    }
    assert [host["is_fresh"] for host in first["hosts"]] == [True, True]
    assert first["trouble"] == second["trouble"] == ""
    assert (first["time_ms"], first["age_ms"]) < (second["time_ms"], second["age_ms"])


def test_a_fault_is_shown_as_an_incident(stage):
    def fault() -> None:
        stage.run(stage.stage.crash("SIP_Server_1"))
        stage.until(lambda: stage.agent.incidents[-1].is_over and len(stage.agent.incidents) == 2)

    latest = stage.events(2, fault, lambda event: len(event["incidents"]) == 2 and event["incidents"][0]["is_over"])[-1]
    incident, start = latest["incidents"]
    (whole,) = list(incidents(stage.journal))[1:]
    assert incident["id"] == whole.id > start["id"]
    assert (incident["cause"], incident["outcome"]) == (whole.cause, whole.outcome)
    assert incident["is_over"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", incident["began"])
    assert incident["phases"] == {phase.name: phase.at_ms for phase in whole.phases if phase.at_ms is not None}
    assert stage.ask("GET", f"/incidents/{incident['id']}").body == as_text(whole)
    assert latest["whole"]["words"] == "not as it should be: SIP Server: no redundancy: primary on host2, down on host1"


def test_health_is_good_while_the_agent_hears_a_host(stage):
    assert (stage.ask("GET", "/health").status, stage.ask("GET", "/health").json) == (
        200,
        {"ok": True, "heard": ["host1", "host2"], "reason": ""},
    )
    stage.run(stage.stage.lose(1))
    stage.until(lambda: stage.agent.solution.state.links[0] == "lost")
    assert stage.ask("GET", "/health").json == {"ok": True, "heard": ["host2"], "reason": ""}
    stage.run(stage.stage.lose(2))
    stage.until(lambda: stage.agent.solution.state.links[1] == "lost")
    answer = stage.ask("GET", "/health")
    assert (answer.status, answer.json) == (503, {"ok": False, "heard": [], "reason": "no host was heard for 300 ms"})


def test_a_diagram_is_drawn_once_and_in_another_process(stage, monkeypatch):
    started = []
    spawn = asyncio.create_subprocess_exec

    async def counted(*command: str, **options: Any) -> Any:
        started.append(command[1:])
        return await spawn(sys.executable, "-c", "print('<svg/>', end='')", **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", counted)
    answers = [stage.ask("GET", "/diagrams/pair/documented") for _ in range(2)]
    assert [(answer.status, answer.headers["content-type"], answer.body) for answer in answers] == [
        (200, "image/svg+xml", "<svg/>")
    ] * 2
    assert started == [("-m", "switchover.agent.page.drawn", "pair", "documented")]


def test_the_catalogue_has_a_view_for_the_documented_states():
    catalogue = drawn.catalogue()
    assert list(catalogue) == ["pair", "VIP"]
    assert {"redundant_1", "redundant_2", "split_brain_1"} <= set(catalogue["pair"][0]["states"])
    assert {"held_1", "held_2", "owed_1"} <= set(catalogue["VIP"][0]["states"])
