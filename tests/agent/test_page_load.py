"""The agent never waits for its page: what goes wrong there, and who asks too much, holds nothing up."""

import asyncio
import http.client
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
from switchover.agent.page import LivePage, application, feed, guard, helpers, server
from switchover.agent.page.feed import Feed


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
    program = f"import sys, switchover.agent.daemons.services; print(sorted({extras} & set(sys.modules)))"
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
