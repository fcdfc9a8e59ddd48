"""The live page behind a token, and over TLS."""

import http.client
import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.page_stage import PageStage, answer_of
from switchover.agent.configuration.settings import PageSettings
from switchover.agent.lab.settings import LabSettings
from switchover.agent.page import access, application
from switchover.agent.page.access import Access
from switchover.agent.page.errors import PageError
from switchover.agent.page.server import PageServer
from switchover.agent.simulation.stage import SimulatedStage

TOKEN = "correct-horse-battery-staple"  # noqa: S105  # for these tests only


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "page.token"
    file.touch(0o600)
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.fixture
def locked(tmp_path: Path, token_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageStage]:
    monkeypatch.setattr(application, "WRONG_TOKEN_S", 0.0)
    with PageStage(tmp_path, page=PageSettings(token_file=token_file)) as stage:
        yield stage


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
    later = re.sub(r"=(\d+)", lambda match: f"={int(match[1]) + 1}", cookie)
    assert locked.ask("GET", "/health", cookie=later).status == 401


def test_a_program_can_send_the_token_in_a_header(locked):
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert locked.ask("GET", "/metrics", **bearer).status == 200
    ticket = locked.ask("GET", "/plan?to=host2", **bearer).json["ticket"]
    request = {"to": "host2", "ticket": ticket}
    assert locked.ask("POST", "/switch", request, origin="https://evil.example", **bearer).status == 403
    assert locked.ask("POST", "/switch", request, **bearer).status == 200


def test_a_login_expires(token_file, monkeypatch):
    guarded = Access(PageSettings(token_file=token_file))
    cookie = guarded.session()
    assert guarded._is_session(cookie)
    now = access.time.time()
    monkeypatch.setattr(access.time, "time", lambda: now + access.SESSION_S)
    assert not guarded._is_session(cookie)
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
def test_a_token_that_is_not_secret_is_refused(tmp_path, content, mode, complaint):
    file = tmp_path / "page.token"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(PageError) as caught:
        Access(PageSettings(token_file=file))
    assert str(caught.value) == complaint.format(file=file)


def test_over_tls_the_cookie_is_for_tls_only(tmp_path, token_file):
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


def test_a_malformed_certificate_is_refused(tmp_path):
    (tmp_path / "page.crt").write_text("nothing")
    settings = PageSettings(tls_certificate=tmp_path / "page.crt", tls_key=tmp_path / "page.crt")
    configuration = SimulatedStage(tmp_path, LabSettings(300)).configuration
    with pytest.raises(PageError, match=r"^the page's certificate cannot be used: "):
        PageServer(configuration, settings)
