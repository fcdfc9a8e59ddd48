"""The live page over HTTP: what it says of a solution, whom it lets do what, and that the agent never waits for it."""

import asyncio
import ctypes
import http.client
import itertools
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict, evolve
from page_stage import PATIENCE_S, PageStage, answer_of, free_port
from switchover.agent.incidents import incidents
from switchover.agent.journal import read
from switchover.agent.page import LivePage, access, application, drawn, feed, guard, helpers, server, words
from switchover.agent.page.access import Access
from switchover.agent.page.errors import PageError
from switchover.agent.page.feed import Feed
from switchover.agent.page.overview import Overview, age, overview
from switchover.agent.page.peer import uid_of
from switchover.agent.page.words import UNKNOWN, Fact, Mark, told
from switchover.agent.settings import PageSettings
from switchover.agent.why import as_text
from switchover.fsm import APPLICATION, LINK, PAIR, PLACEMENT, VIP

TOKEN = "correct-horse-battery-staple"  # noqa: S105  # not in use anywhere
NOBODY = 65534
FINE, MOVING, TROUBLE = Mark.FINE, Mark.MOVING, Mark.TROUBLE


# What is shown of a status


@pytest.mark.parametrize(
    ("facts", "table"), [(words.LINK, LINK), (words.PAIR, PAIR), (words.VIP, VIP), (words.PLACEMENT, PLACEMENT)]
)
def test_every_state_has_its_words_and_no_other(facts, table):
    sided = {name.removesuffix("*") for name in table.states.split()}
    assert set(facts) == sided
    assert set(words.MODE) >= set(APPLICATION.all_states)
    for state in table.all_states:
        assert "{" not in told(facts, state, ["a", "b"]).words


STATUS: dict[str, Any] = {
    "solution": "lab",
    "observing": False,
    "hosts": [
        {"name": "host1", "link": "connected", "vip_held": True, "heard_ms_ago": 20.0},
        {"name": "host2", "link": "connected", "vip_held": False, "heard_ms_ago": 30.0},
    ],
    "pairs": [
        {
            "name": "SIP Server",
            "state": "redundant_1",
            "applications": [
                {"name": "SIP_Server_1", "host": "host1", "mode": "primary"},
                {"name": "SIP_Server_2", "host": "host2", "mode": "backup"},
            ],
        }
    ],
    "monitored": [
        {
            "name": "RM",
            "applications": [
                {"name": "RM_1", "host": "host1", "state": "up"},
                {"name": "RM_2", "host": "host2", "state": "up"},
            ],
        }
    ],
    "outside": [],
    "placement": "together_1",
    "redundancy": True,
    "alarms": [{"name": "SIP_Server_1 primary", "state": "active"}, {"name": "old", "state": "rearmed"}],
    "vip": {"state": "held_1", "addresses": ["198.51.100.10/24"]},
    "pending": ["announce_vip host1"],
}


def with_hosts(*hosts: tuple[str, float | None], **changes: Any) -> dict[str, Any]:
    """The status with other links and ages."""
    found = [
        old | {"link": link, "heard_ms_ago": heard_ms_ago}
        for old, (link, heard_ms_ago) in zip(STATUS["hosts"], hosts, strict=True)
    ]
    return STATUS | {"hosts": found} | changes


def in_short(seen: Overview) -> dict[str, Any]:
    """The facts of the overview, as words with their marks."""
    lines = {line.name: [line.fact, *line.cells] for line in seen.lines}
    facts = lines | {"whole": [seen.whole], "redundancy": [seen.redundancy], "placement": [seen.placement]}
    return {name: [f"{fact.mark}: {fact.words}" for fact in found] for name, found in facts.items()}


def test_a_solution_that_is_as_it_should_be():
    seen = overview(STATUS, 300)
    assert in_short(seen) == {
        "whole": ["fine: as it should be: every primary is on host1, and every component has a backup"],
        "link to the LCA": ["fine: both hosts are heard", "fine: connected", "fine: connected"],
        "VIP": ["fine: on host1", "fine: has it", "fine: has it not"],
        "SIP Server": ["fine: primary on host1, backup on host2", "fine: primary", "fine: backup"],
        "RM": ["fine: up on both hosts", "fine: up", "fine: up"],
        "redundancy": ["fine: every component has a backup"],
        "placement": ["fine: every primary is on host1"],
    }
    assert [line.state for line in seen.lines] == ["", "held_1", "redundant_1", ""]
    assert (seen.under_way, seen.alarms) == (("announce_vip host1",), ("SIP_Server_1 primary",))
    assert [cell.about for cell in seen.lines[2].cells] == ["SIP_Server_1", "SIP_Server_2"]


def test_a_host_that_was_not_heard_lately_makes_all_unknown_that_rests_on_it():
    """The other host's own facts still count: it is heard."""
    seen = overview(with_hosts(("silent", 301.0), ("connected", 20.0)), 300)
    assert in_short(seen) == {
        "whole": ["unknown: unknown: host1 heard 301 ms ago"],
        "link to the LCA": ["unknown: host1 unknown", "unknown: unknown", "fine: connected"],
        "VIP": ["unknown: unknown", "unknown: unknown", "fine: has it not"],
        "SIP Server": ["unknown: unknown", "unknown: unknown", "fine: backup"],
        "RM": ["unknown: unknown", "unknown: unknown", "fine: up"],
        "redundancy": ["unknown: unknown"],
        "placement": ["unknown: unknown"],
    }
    assert [line.state for line in seen.lines] == ["", "", "", ""]


def test_a_host_that_was_given_up_is_known_to_be_lost():
    pair = STATUS["pairs"][0] | {"state": "peer_lost_2"}
    monitored = [
        {
            "name": "RM",
            "applications": [a | {"state": s} for a, s in zip(p["applications"], ("lost", "up"), strict=True)],
        }
        for p in STATUS["monitored"]
    ]
    changes = {"pairs": [pair], "monitored": monitored, "redundancy": False, "placement": "together_2"}
    changes["vip"] = STATUS["vip"] | {"state": "owed_2"}
    assert in_short(overview(with_hosts(("lost", 9000.0), ("connected", 20.0), **changes), 300)) == {
        "whole": ["trouble: not as it should be: VIP: on host2; host1 is lost and may have it too"],
        "link to the LCA": ["trouble: host1 lost", "trouble: lost", "fine: connected"],
        "VIP": ["trouble: on host2; host1 is lost and may have it too", "unknown: unknown", "fine: has it not"],
        "SIP Server": ["trouble: no redundancy: primary on host2, host1 is lost", "unknown: unknown", "fine: backup"],
        "RM": ["trouble: no redundancy: up on host2 only", "unknown: unknown", "fine: up"],
        "redundancy": ["trouble: none"],
        "placement": ["fine: every primary is on host2"],
    }


def test_when_no_host_is_heard_nothing_is_known():
    pair = STATUS["pairs"][0] | {"state": "out_of_sight"}
    changes = {"pairs": [pair], "placement": "unplaced", "vip": STATUS["vip"] | {"state": "out_of_sight"}}
    changes |= {"monitored": [], "redundancy": False}
    found = in_short(overview(with_hosts(("lost", 9000.0), ("lost", None), **changes), 300))
    assert found == {
        "whole": ["unknown: unknown: VIP: neither host is heard"],
        "link to the LCA": ["trouble: host1 lost; host2 lost", "trouble: lost", "trouble: lost"],
        "VIP": ["unknown: neither host is heard", "unknown: unknown", "unknown: unknown"],
        "SIP Server": ["unknown: neither host is heard", "unknown: unknown", "unknown: unknown"],
        "redundancy": ["unknown: unknown"],
        "placement": ["unknown: unknown"],
    }


@pytest.mark.parametrize(
    ("states", "fact"),
    [
        (("up", "down"), Fact("no redundancy: up on host1 only", TROUBLE)),
        (("down", "lost"), Fact("out of service: up on neither host", TROUBLE)),
        (("unknown", "up"), UNKNOWN),
    ],
)
def test_a_monitored_pair(states, fact):
    found = [a | {"state": s} for a, s in zip(STATUS["monitored"][0]["applications"], states, strict=True)]
    seen = overview(STATUS | {"monitored": [{"name": "RM", "applications": found}]}, 300)
    assert seen.lines[-1].fact == fact
    assert seen.whole.mark is fact.mark


def test_what_is_stale_is_never_shown_as_fine():
    """Whatever the links say, how old they are, and in which states the machines are."""
    ages = (None, 0.0, 300.0, 300.1)
    hosts = list(itertools.product(LINK.all_states, ages))
    checked = 0
    for first, second in itertools.product(hosts, hosts):
        is_stale = [
            link in ("connected", "silent", "doubtful") and (ms is None or ms > 300) for link, ms in (first, second)
        ]
        if not any(is_stale):
            continue
        for pair, vip in itertools.product(PAIR.all_states[::7], VIP.all_states[::9]):
            changes = {"pairs": [STATUS["pairs"][0] | {"state": pair}], "vip": STATUS["vip"] | {"state": vip}}
            seen = overview(with_hosts(first, second, **changes), 300)
            facts = [seen.whole, seen.redundancy, seen.placement, *(line.fact for line in seen.lines)]
            facts += [cell for line in seen.lines for cell, old in zip(line.cells, is_stale, strict=True) if old]
            assert {fact.mark for fact in facts} <= {Mark.UNKNOWN, Mark.TROUBLE}
            assert seen.whole.mark is Mark.UNKNOWN
            checked += 1
    assert checked > 1000


@pytest.mark.parametrize(
    ("heard_ms_ago", "text"),
    [(None, "never heard"), (0.4, "heard 0 ms ago"), (2449.0, "heard 2.4 s ago"), (125_000.0, "heard 125 s ago")],
)
def test_an_age_in_words(heard_ms_ago, text):
    assert age(heard_ms_ago) == text


# Over HTTP


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[PageStage]:
    with PageStage(tmp_path) as found:
        yield found


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
        found = stage.ask("GET", path)
        assert found.status == 200
        assert "http:" not in found.body
        assert found.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}"])
def test_a_request_by_another_name_is_refused(stage, host):
    """DNS rebinding: the browser was led here by a name of somebody else's."""
    assert stage.ask("GET", "/events", host=host.format(port=stage.settings.port)).status == 421
    assert stage.ask("GET", "/", host=f"localhost:{stage.settings.port}").status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", None])
def test_a_switchover_that_comes_from_elsewhere_is_refused(stage, origin):
    ticket = stage.ask("GET", "/plan?to=host2").json["ticket"]
    headers = {"origin": origin} if origin else {}
    answer = stage.ask("POST", "/switch", {"to": "host2", "ticket": ticket}, **headers)
    assert answer.status == 403
    assert stage.agent.solution.state.pairs[0].state == "redundant_1"


def test_the_plan_first_and_then_the_switchover(stage):
    plan = stage.ask("GET", "/plan?to=host2").json
    assert plan["outcome"] == "SIP Server: host1 -> host2; VIP: host1 -> host2"
    assert plan["commands"][:2] == ["demote SIP_Server_1", "promote SIP_Server_2"]
    assert "if: switch host2" in plan["text"]
    assert stage.agent.solution.state.pairs[0].state == "redundant_1"
    answer = stage.post("/switch", {"to": "host2", "ticket": plan["ticket"]})
    text = "an operator or a reaction asks for it: first the primary goes into backup mode"
    assert (answer.status, answer.json) == (200, {"ok": True, "moved": True, "text": text})
    stage.until(lambda: stage.agent.solution.state.vip == "held_2")


def test_a_plan_does_not_hold_when_the_solution_has_changed(stage):
    plan = stage.ask("GET", "/plan?to=host2").json
    stage.run(stage.stage.crash("SIP_Server_2"))
    stage.until(lambda: stage.agent.solution.state.pairs[0].state == "no_redundancy_1")
    answer = stage.post("/switch", {"to": "host2", "ticket": plan["ticket"]})
    assert (answer.status, answer.json["changed"]) == (409, True)
    again = stage.ask("GET", "/plan?to=host2").json
    assert again["commands"] == []
    assert "never switch to a side that is known to be worse" in again["outcome"]
    refused = stage.post("/switch", {"to": "host2", "ticket": again["ticket"]})
    assert (refused.status, refused.json["ok"], refused.json["moved"]) == (409, False, False)


def test_a_plan_holds_if_what_has_changed_makes_no_difference_to_it(stage):
    """Such as an alarm that is cancelled, seconds after what it told of."""
    plan = stage.ask("GET", "/plan?to=host2").json

    async def cancel() -> None:
        solution = stage.agent.solution
        assert "active" in solution.state.alarms
        solution.state = solution.state.with_alarm(solution.state.alarms.index("active"), "clear")

    stage.run(cancel())
    answer = stage.post("/switch", {"to": "host2", "ticket": plan["ticket"]})
    assert (answer.status, answer.json["moved"]) == (200, True)


def test_a_ticket_is_for_one_wish_only(stage):
    ticket = stage.ask("GET", "/plan?to=host1").json["ticket"]
    for wish in ({"to": "host2", "ticket": ticket}, {"to": "host2", "ticket": ""}, {"to": "host2", "ticket": "é"}):
        assert stage.post("/switch", wish).json["changed"] is True
    asked = [
        entry.text for _, entry in read(stage.agent.configuration.agent.journal) if entry.text.startswith("requested")
    ]
    assert asked == []


@pytest.mark.parametrize("body", ["", "[]", '{"to": "host2"}', "x" * 5000])
def test_what_is_no_wish_is_refused(stage, body):
    assert stage.post("/switch", body).status == 400


def test_what_there_is_not(stage):
    assert stage.ask("GET", "/plan?to=host3").status == 404
    assert stage.ask("GET", "/plan?to=RM_1").status == 404
    assert stage.ask("GET", "/incidents/7777").status == 404
    assert stage.ask("GET", "/diagrams/pair/none").status == 404
    assert stage.ask("GET", "/diagrams/none/documented").status == 404
    assert stage.ask("GET", "/switch").status == 405
    assert stage.ask("GET", "/../settings.py").status == 404


def test_another_user_of_this_machine_can_look_and_not_switch(stage, monkeypatch):
    if os.geteuid() != 0:
        pytest.fail("needs root") if os.environ.get("CI") == "true" else pytest.skip("needs root to be another user")
    ticket = stage.ask("GET", "/plan?to=host2").json["ticket"]
    connection = http.client.HTTPConnection("127.0.0.1", stage.settings.port, timeout=PATIENCE_S)
    libc = ctypes.CDLL(None)
    libc.setfsuid(NOBODY)  # of this thread alone: whose a socket is
    try:
        connection.connect()
    finally:
        libc.setfsuid(0)
    wish = {"to": "host2", "ticket": ticket}
    answer = answer_of(connection, "POST", "/switch", wish, headers={"origin": stage.url})
    text = "without a token only root and the agent's own user may do this"
    assert (answer.status, answer.json) == (403, {"text": text})
    assert stage.agent.solution.state.pairs[0].state == "redundant_1"


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_tells_whose_a_connection_is(family, address):
    with socket.socket(family) as listening:
        try:
            listening.bind((address, 0))
        except OSError as error:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no {address} here: {error}")
        listening.listen()
        at = listening.getsockname()[:2]
        with socket.create_connection(at) as client:
            assert uid_of(client.getsockname()[:2], at) == os.geteuid()
            assert uid_of((address, 1), at) is None


def test_what_is_live_is_the_overview_and_comes_again_though_nothing_happens(stage):
    first, second = stage.events(2)
    seen = overview(stage.status(), 300)
    assert {key: value for key, value in first.items() if key not in ("hosts", "time_ms", "incidents", "alarms")} == {
        key: value for key, value in json.loads(json.dumps(asdict(seen))).items() if key not in ("hosts", "alarms")
    }
    assert [host["is_fresh"] for host in first["hosts"]] == [True, True]
    assert second["time_ms"] > first["time_ms"]


def test_a_fault_is_told_as_an_incident(stage):
    def fault() -> None:
        stage.run(stage.stage.crash("SIP_Server_1"))
        stage.until(lambda: stage.agent.incidents[-1].is_over and len(stage.agent.incidents) == 2)

    latest = stage.events(3, fault)[-1]
    incident, start = latest["incidents"]
    (whole,) = list(incidents(stage.agent.configuration.agent.journal))[1:]
    assert incident["id"] == whole.id > start["id"]
    assert (incident["cause"], incident["outcome"]) == (whole.cause, whole.outcome)
    assert incident["is_over"] is True
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", incident["began"])
    assert incident["phases"] == {phase.name: phase.at_ms for phase in whole.phases if phase.at_ms is not None}
    assert stage.ask("GET", f"/incidents/{incident['id']}").body == as_text(whole)
    assert latest["whole"]["words"] == "not as it should be: SIP Server: no redundancy: primary on host2, down on host1"


def test_the_agent_serves_its_purpose_while_it_hears_a_host(stage):
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


def test_a_diagram_is_drawn_by_another_process_once(stage, monkeypatch):
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


# With a token, and with TLS


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "page.token"
    file.touch(0o600)
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.fixture
def locked(tmp_path: Path, token_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageStage]:
    monkeypatch.setattr(application, "WRONG_TOKEN_S", 0.0)
    with PageStage(tmp_path, page=PageSettings(token_file=token_file)) as found:
        yield found


def test_without_the_token_there_is_nothing_but_the_form(locked):
    answer = locked.ask("GET", "/")
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert locked.ask("GET", "/login").status == 200
    for path in ("/events", "/plan?to=host2", "/metrics", "/health", "/diagrams", "/incidents/1"):
        assert locked.ask("GET", path).status == 401
        assert locked.ask("GET", path, authorization="Bearer wrong", cookie="switchover=wrong").status == 401
    assert locked.post("/switch", {"to": "host2", "ticket": ""}).status == 401


def test_the_form_takes_the_token_and_nothing_else(locked):
    for body in ("token=wrong", "token=", "", "token=%ff", "x" * 5000):
        answer = locked.post("/login", body)
        assert (answer.status, "That is not the token" in answer.body) == (401, True)
    assert locked.ask("POST", "/login", f"token={TOKEN}", origin="https://evil.example").status == 403
    answer = locked.post("/login", f"token={TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert sorted(attributes) == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=strict"]
    assert TOKEN not in cookie
    assert locked.ask("GET", "/", cookie=cookie).status == 200
    assert locked.ask("GET", "/health", cookie=f"{cookie}0").status == 401
    later = re.sub(r"=(\d+)", lambda found: f"={int(found[1]) + 1}", cookie)
    assert locked.ask("GET", "/health", cookie=later).status == 401


def test_a_program_sends_the_token_along(locked):
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert locked.ask("GET", "/metrics", **bearer).status == 200
    ticket = locked.ask("GET", "/plan?to=host2", **bearer).json["ticket"]
    wish = {"to": "host2", "ticket": ticket}
    assert locked.ask("POST", "/switch", wish, origin="https://evil.example", **bearer).status == 403
    assert locked.ask("POST", "/switch", wish, **bearer).status == 200


def test_a_login_ends(token_file, monkeypatch):
    found = Access(PageSettings(token_file=token_file))
    cookie = found.session()
    assert found._is_session(cookie)
    now = access.time.time()
    monkeypatch.setattr(access.time, "time", lambda: now + access.SESSION_S)
    assert not found._is_session(cookie)
    assert not Access(PageSettings(token_file=token_file))._is_session(cookie)


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [
        (TOKEN, 0o644, "{file} holds the page's token and is open to others; run: chmod 600 {file}"),
        ("short", 0o600, "{file} is to hold 16 characters or more on one line, without blanks"),
        (f"{TOKEN}\n{TOKEN}", 0o600, "{file} is to hold 16 characters or more on one line, without blanks"),
        (None, 0o600, "cannot read the page's token from {file}: [Errno 2] No such file or directory: '{file}'"),
    ],
)
def test_a_token_that_is_no_secret_is_refused_and_the_agent_goes_on(tmp_path, caplog, content, mode, complaint):
    file = tmp_path / "page.token"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(PageError) as caught:
        Access(PageSettings(token_file=file))
    assert str(caught.value) == complaint.format(file=file)
    with PageStage(tmp_path, page=PageSettings(token_file=file)) as stage:
        assert stage.agent.solution.state.pairs[0].state == "redundant_1"
    assert [record.message for record in caplog.records if record.name == "switchover.page"] == [
        f"no live page: {complaint.format(file=file)}"
    ]


def test_over_tls_the_cookie_is_for_tls_alone(tmp_path, token_file):
    certificate, key = tmp_path / "page.crt", tmp_path / "page.key"
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run([*command, *names], check=True, capture_output=True)  # noqa: S603  # constant arguments
    settings = PageSettings(tls_certificate=certificate, tls_key=key, token_file=token_file)
    trusting = ssl.create_default_context(cafile=certificate)
    with PageStage(tmp_path, page=settings) as stage:
        port = stage.settings.port

        def ask(*request: object) -> Any:
            return answer_of(http.client.HTTPSConnection("localhost", port, context=trusting), *request)

        origin = {"origin": f"https://localhost:{port}"}
        answer = ask("POST", "/login", f"token={TOKEN}", "", origin)
        cookie, *attributes = answer.headers["set-cookie"].split("; ")
        assert cookie.startswith("__Host-switchover=")
        assert sorted(attributes) == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=strict", "Secure"]
        assert ask("GET", "/health", None, "", {"cookie": cookie}).status == 200
        assert ask("POST", "/login", f"token={TOKEN}", "", {"origin": f"http://localhost:{port}"}).status == 403


def test_a_certificate_that_is_none_is_told(tmp_path, caplog):
    (tmp_path / "page.crt").write_text("nothing")
    settings = PageSettings(tls_certificate=tmp_path / "page.crt", tls_key=tmp_path / "page.crt")
    with PageStage(tmp_path, page=settings) as stage:
        assert stage.agent.solution.state.pairs[0].state == "redundant_1"
    assert "no live page: the page's certificate cannot be used: " in caplog.text


# The agent never waits for it


def test_a_port_that_is_taken_keeps_nobody_from_being_served(tmp_path, caplog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        with PageStage(tmp_path) as stage:
            other = LivePage(stage.agent, evolve(stage.settings, port=port))
            other.start()
            assert stage.ask("GET", "/health").status == 200
            stage.run(other.close())
    assert f"no live page: the page cannot be served at http://127.0.0.1:{port}/: Address already in use" in caplog.text


def test_what_is_not_installed_is_named(tmp_path, caplog, monkeypatch):
    monkeypatch.delitem(sys.modules, "switchover.agent.page.server")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with PageStage(tmp_path) as stage:
        assert stage.agent.solution.state.pairs[0].state == "redundant_1"
    assert "no live page: it needs uvicorn: pip install 'switchover[page]'" in caplog.text


def test_the_agent_needs_nothing_of_the_page_where_none_is_configured():
    extras = {"prometheus_client", "rich", "starlette", "uvicorn"}
    program = f"import sys, switchover.agent.services; print(sorted({extras} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"


def test_what_cannot_be_shown_is_logged_and_tried_again(caplog):
    made: list[str] = []

    def make() -> str:
        made.append("x")
        if len(made) == 1:
            raise RuntimeError("out of order")
        return "in order"

    async def scenario() -> None:
        found = Feed(make)
        texts = found.texts()
        assert await anext(texts) == ""
        found.stir()
        work = asyncio.create_task(found.run())
        assert await asyncio.wait_for(anext(texts), PATIENCE_S) == "in order"
        work.cancel()
        await texts.aclose()

    asyncio.run(scenario())
    assert [record.message for record in caplog.records] == ["what the page shows cannot be made"]


def test_many_events_at_once_are_one_text_and_nobody_who_looks_on_means_none(monkeypatch):
    monkeypatch.setattr(feed, "PAUSE_S", 0.05)
    made: list[int] = []

    def make() -> str:
        made.append(len(made))
        return str(len(made))

    async def scenario() -> None:
        found = Feed(make)
        work = asyncio.create_task(found.run())
        found.stir()
        await asyncio.sleep(0.2)
        assert made == []
        texts = found.texts()
        assert await anext(texts) == "1"
        for _ in range(1000):
            found.stir()
        assert await asyncio.wait_for(anext(texts), PATIENCE_S) == "2"
        work.cancel()
        await texts.aclose()

    asyncio.run(scenario())


def connections(stage: PageStage) -> int:
    return len(stage.page._server._server.server_state.connections)


def test_who_asks_nothing_and_who_does_not_read_is_hung_up(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE_S", 0.2)
    monkeypatch.setattr(feed, "PAUSE_S", 0.0)
    monkeypatch.setattr(feed, "EVERY_S", 0.001)
    with PageStage(tmp_path) as stage:
        address = ("127.0.0.1", stage.settings.port)
        with socket.create_connection(address, PATIENCE_S) as silent:
            stage.until(lambda: connections(stage) == 1)
            stage.until(lambda: connections(stage) == 0)
            assert silent.recv(1) == b""
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(address)
            slow.sendall(f"GET /events HTTP/1.1\r\nhost: 127.0.0.1:{address[1]}\r\n\r\n".encode())
            stage.until(lambda: connections(stage) == 1)
            stage.until(lambda: connections(stage) == 0)
        assert stage.ask("GET", "/health").status == 200


def test_there_is_room_for_so_many_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    monkeypatch.setattr(application, "STREAMS", 1)
    with PageStage(tmp_path) as stage:
        address = ("127.0.0.1", stage.settings.port)
        held = [socket.create_connection(address, PATIENCE_S) for _ in range(3)]
        stage.until(lambda: connections(stage) == 3)
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            stage.ask("GET", "/health")
        held.pop().close()
        stage.until(lambda: connections(stage) == 2)
        held[0].sendall(f"GET /events HTTP/1.1\r\nhost: 127.0.0.1:{address[1]}\r\n\r\n".encode())
        assert held[0].recv(12) == b"HTTP/1.1 200"
        assert stage.ask("GET", "/events").status == 503
        for connection in held:
            connection.close()


def test_too_many_requests_are_not_answered(stage, monkeypatch):
    monkeypatch.setattr(guard, "PER_S", 0.0)
    answers = [stage.ask("GET", "/health").status for _ in range(int(guard.AT_ONCE) + 5)]
    assert answers == [200] * int(guard.AT_ONCE) + [429] * 5


def test_the_page_is_closed_with_those_who_look_on(tmp_path):
    with PageStage(tmp_path) as stage:
        looking = socket.create_connection(("127.0.0.1", stage.settings.port), PATIENCE_S)
        looking.sendall(f"GET /events HTTP/1.1\r\nhost: 127.0.0.1:{stage.settings.port}\r\n\r\n".encode())
        assert looking.recv(12) == b"HTTP/1.1 200"
    with looking, looking.makefile("rb") as stream:
        assert stream.read().startswith(b" OK\r\n")  # to its end


def test_a_plan_that_cannot_be_made_is_told(stage, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "false")
    assert stage.ask("GET", "/plan?to=host2").status == 503
    assert "switchover.agent.page.planned host2 failed: 1" in caplog.text


def test_what_takes_too_long_is_given_up(stage, monkeypatch, caplog):
    monkeypatch.setattr(helpers, "WITHIN_S", 0.01)
    assert stage.ask("GET", "/plan?to=host2").status == 503
    assert "switchover.agent.page.planned host2 took longer than 0.01 s" in caplog.text


def test_a_page_that_is_closed_waits_for_no_helper(tmp_path, monkeypatch, caplog):
    """Whoever has asked is hung up on; nothing is told as an error, and no process is left."""
    started: list[Process] = []
    spawn = asyncio.create_subprocess_exec

    async def sleeping(*_: str, **options: Any) -> Process:
        started.append(await spawn("sleep", str(PATIENCE_S * 10), **options))
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", sleeping)
    with PageStage(tmp_path) as stage:
        asking = socket.create_connection(("127.0.0.1", stage.settings.port), PATIENCE_S)
        asking.sendall(f"GET /plan?to=host2 HTTP/1.1\r\nhost: 127.0.0.1:{stage.settings.port}\r\n\r\n".encode())
        stage.until(lambda: started)
    with asking:
        assert asking.recv(1) == b""
    assert started[0].returncode == -signal.SIGKILL
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
