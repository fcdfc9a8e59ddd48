"""The agent never waits for its page: no error of the page and no flood of requests delays it."""

import asyncio
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from typing import Any

import pytest
from attrs import evolve
from support.page_stage import PATIENCE_S, PageStage
from support.ports import free_port
from switchover.agent.cli.main import main
from switchover.agent.controller.feed import Feed
from switchover.agent.page import application, guard, helpers, server
from switchover.agent.page.errors import PageError
from switchover.agent.page.server import PageServer


def test_a_port_in_use_is_an_error_of_the_page(stage):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        settings = evolve(stage.settings, port=port)
        other = PageServer(stage.stage.configuration, settings)
        with pytest.raises(PageError) as caught:
            asyncio.run(other.serve())
    assert str(caught.value) == f"the page cannot be served at http://127.0.0.1:{port}/: Address already in use"


def test_a_page_that_is_not_configured_or_not_installed_is_an_error(tmp_path, capsys, monkeypatch):
    file = tmp_path / "switchover.toml"
    assert main(["init", "sip", str(file)]) == 0
    capsys.readouterr()
    argv = [sys.executable, "-m", "switchover.agent", "page", "-c", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603
    error = f"switchover: {file} has no table [page]; add one to have a page"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, error)
    monkeypatch.delitem(sys.modules, "switchover.agent.page.server")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["page", "-c", str(file)]) == 2
    assert capsys.readouterr().err == "switchover: this needs uvicorn: pip install 'switchover[page]'\n"


def test_the_agent_and_the_lca_import_nothing_of_the_page():
    """Neither a web server nor the drawing of pictures is imported in their processes, not even indirectly."""
    rooms = ["switchover.agent.page", "switchover.agent.pictures", "switchover.agent.explain.plan"]
    unwanted = ["prometheus_client", "rich", "starlette", "uvicorn", *rooms]
    program = f"import sys, switchover.agent.daemons.services; print(sorted(set({unwanted}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"


def test_a_text_that_cannot_be_made_is_logged_and_tried_again(caplog):
    made: list[str] = []

    def make() -> str:
        made.append("x")
        if len(made) == 1:
            raise RuntimeError("out of order")
        return "in order"

    async def scenario() -> None:
        feed = Feed(make)
        texts = feed.texts()
        assert await anext(texts) == ""
        feed.stir()
        work = asyncio.create_task(feed.run())
        assert await asyncio.wait_for(anext(texts), PATIENCE_S) == "in order"
        work.cancel()
        await texts.aclose()

    asyncio.run(scenario())
    assert [record.message for record in caplog.records] == ["what is shown to readers cannot be made"]


def test_many_events_at_once_make_one_text_and_none_without_readers():
    made: list[int] = []

    def make() -> str:
        made.append(len(made))
        return str(len(made))

    async def scenario() -> None:
        feed = Feed(make, pause_s=0.05)
        work = asyncio.create_task(feed.run())
        feed.stir()
        await asyncio.sleep(0.2)
        assert made == []
        texts = feed.texts()
        assert await anext(texts) == "1"
        for _ in range(1000):
            feed.stir()
        assert await asyncio.wait_for(anext(texts), PATIENCE_S) == "2"
        work.cancel()
        await texts.aclose()

    asyncio.run(scenario())


def follow(stage: PageStage, buffer: int | None = None) -> socket.socket:
    """A connection that has asked for the live events; `buffer` is its receive buffer in bytes."""
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(PATIENCE_S)
    connection.connect(("127.0.0.1", stage.settings.port))
    connection.sendall(f"GET /events HTTP/1.1\r\nhost: 127.0.0.1:{stage.settings.port}\r\n\r\n".encode())
    return connection


def test_a_client_that_does_not_read_is_disconnected(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "UNREAD_MS", 200)
    with PageStage(tmp_path) as stage:
        stage.server.page.feed._every_s = 0.001
        slow = follow(stage, 4096)
        stage.until(lambda: stage.server.page._streams == 1)
        stage.until(lambda: stage.server.page._streams == 0)
        slow.close()
        assert stage.ask("GET", "/health").status == 200


def test_the_number_of_clients_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 5)
    monkeypatch.setattr(application, "STREAMS", 1)
    with PageStage(tmp_path) as stage:
        following = follow(stage)
        assert following.recv(12) == b"HTTP/1.1 200"
        assert stage.ask("GET", "/events").status == 503
        assert stage.ask("GET", "/health").status == 200
        address = ("127.0.0.1", stage.settings.port)
        held = [socket.create_connection(address, PATIENCE_S) for _ in range(4)]
        stage.until(lambda: len(stage.server.server.server_state.connections) == 5)
        assert stage.ask("GET", "/health").status == 503
        for connection in held:
            connection.close()
        stage.until(lambda: len(stage.server.server.server_state.connections) == 1)
        assert stage.ask("GET", "/health").status == 200
        following.close()


def test_an_endless_request_head_is_refused(stage):
    with socket.create_connection(("127.0.0.1", stage.settings.port), PATIENCE_S) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nx: " + b"y" * 2 * server.LARGEST_HEAD)
        assert connection.recv(12) == b"HTTP/1.1 400"
    assert stage.ask("GET", "/health").status == 200


def test_too_many_requests_are_not_answered(stage, monkeypatch):
    monkeypatch.setattr(guard, "PER_S", 0.0)
    answers = [stage.ask("GET", "/health").status for _ in range(int(guard.AT_ONCE) + 5)]
    assert answers == [200] * int(guard.AT_ONCE) + [429] * 5


def test_the_end_of_the_page_closes_the_streams_of_its_clients(tmp_path, caplog):
    with PageStage(tmp_path) as stage:
        following = follow(stage)
        assert following.recv(12) == b"HTTP/1.1 200"
    with following, following.makefile("rb") as stream:
        assert stream.read().startswith(b" OK\r\n")  # until its end
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


def test_the_page_shows_that_the_agent_does_not_answer_and_recovers(tmp_path, monkeypatch):
    monkeypatch.setattr("switchover.agent.page.connection.RETRY_S", 0.01)
    with PageStage(tmp_path) as stage:
        socket_path = stage.stage.configuration.agent.socket
        why = f"no agent answers at {socket_path} (it closed the connection); is `switchover agent` running here?"
        gone = f"no agent answers at {socket_path} (No such file or directory); is `switchover agent` running here?"

        def go() -> None:
            stage.run(stage.operators.close())

        silent = stage.events(2, go, lambda event: event["trouble"] == gone)
        assert {event["trouble"] for event in silent} <= {"", why, gone}
        assert silent[-1]["solution"] == "lab"  # the last state received, with its age
        answers = [stage.ask("GET", path) for path in ("/metrics", "/health", "/plan?to=host2")]
        assert [answer.status for answer in answers] == [503] * 3
        assert [gone in answer.body for answer in answers] == [True] * 3
        refused = stage.post("/switch", {"to": "host2", "ticket": "x"})
        assert (refused.status, refused.json) == (503, {"ok": False, "text": gone})
        stage.run(stage.operators.start())
        stage.until(lambda: not stage.server.page.agent.trouble)
        assert stage.ask("GET", "/health").json["ok"] is True
        assert stage.switch("host2").status == 200


def test_a_page_that_never_heard_the_agent_shows_that(tmp_path):
    with PageStage(tmp_path) as stage:
        stage.server.page.agent.heard = None
        stage.server.page.agent._failure = "no agent answers"
        text = application.live_text(stage.server.page.agent, 300)
    assert text == '{"trouble": "no agent answers"}'


def test_a_drawing_that_is_too_slow_or_fails_is_an_error(stage, monkeypatch, caplog):
    monkeypatch.setattr(helpers, "WITHIN_S", 0.01)
    assert stage.ask("GET", "/diagrams/pair/documented").status == 503
    assert "switchover.agent.page.drawn pair documented took longer than 0.01 s" in caplog.text
    monkeypatch.setattr(helpers, "WITHIN_S", PATIENCE_S)
    monkeypatch.setattr(sys, "executable", "false")
    assert stage.ask("GET", "/diagrams/pair/documented").status == 503
    assert "switchover.agent.page.drawn pair documented failed: 1" in caplog.text


def test_a_page_that_ends_waits_for_no_helper(tmp_path, monkeypatch, caplog):
    """A waiting client gets an answer; nothing is logged as an error, and no process is left."""
    started: list[Process] = []
    spawn = asyncio.create_subprocess_exec

    async def sleeping(*_: str, **options: Any) -> Process:
        started.append(await spawn("sleep", str(PATIENCE_S * 10), **options))
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", sleeping)
    with PageStage(tmp_path) as stage:
        asking = socket.create_connection(("127.0.0.1", stage.settings.port), PATIENCE_S)
        asking.sendall(
            f"GET /diagrams/pair/documented HTTP/1.1\r\nhost: 127.0.0.1:{stage.settings.port}\r\n\r\n".encode()
        )
        stage.until(lambda: started)
    with asking:
        assert asking.recv(12) == b"HTTP/1.1 503"
    assert started[0].returncode == -signal.SIGKILL
