"""The operators' Unix socket, at either end: its owner, and that no input does harm."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from attrs import evolve
from support.agent_at_work import WillingHost
from support.agent_harness import A1, A2, AgentHarness, configuration, play_in
from switchover.agent.controller.agent import Agent
from switchover.agent.controller.operator_client import OperatorError, ask
from switchover.agent.controller.operator_socket import LONGEST_LINE, OperatorServer
from switchover.agent.history.writer import Journal


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    return partial(play_in, tmp_path)


UNKNOWN = [
    *({}, [], 7, None, "status", {"do": "dance"}, {"do": "switch"}, {"do": "switch", "to": 1}, {"do": ["status"]}),
    *({"do": "start"}, {"do": "stop", "application": None}, {"do": "event", "id": 5150, "application": A1}),
]


@pytest.mark.parametrize("request_", UNKNOWN, ids=str)
def test_an_unknown_request_is_answered(play, request_):
    async def scenario(harness: AgentHarness) -> None:
        reply = json.loads(await harness.send_bytes(json.dumps(request_).encode() + b"\n"))
        assert reply == {"ok": False, "text": "unknown request"}

    play(scenario)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"status\n",
        b"\xff\xfe\n",
        b"[" * 10_000 + b"\n",
        b'{"do": "event", "id": "\\ud800", "application": "SIP_Server_1"}\n',
        b'{"do": "switch", "to": "\\udcff"}\n',
    ],
    ids=lambda line: repr(line[:30]),
)
def test_garbage_is_refused_and_the_agent_goes_on(play, line):
    async def scenario(harness: AgentHarness) -> None:
        reply = json.loads(await harness.send_bytes(line))
        assert not reply["ok"]
        assert reply["text"].startswith("not JSON: ")
        assert (await harness.ask(do="switch", to=A2))["moved"]
        assert harness.texts_of("event")[-1] != ""

    play(scenario)


def test_clients_that_send_too_much_or_nothing_or_leave_do_no_harm(play):
    async def scenario(harness: AgentHarness) -> None:
        silent = [await asyncio.open_unix_connection(harness.path) for _ in range(20)]
        assert await harness.send_bytes(b"x" * (LONGEST_LINE * 2)) == b""
        assert json.loads(await harness.send_bytes(b'{"do": "status"}', end=True))[
            "ok"
        ]  # the end of the line may not arrive
        assert not json.loads(await harness.send_bytes(b"", end=True))["ok"]
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(harness.path))
                client.send(b'{"do": "status"}\n')  # and disconnects without reading
        assert (await harness.ask(do="status"))["ok"]
        for _, writer in silent:
            writer.close()

    play(scenario)


def test_a_close_disconnects_a_silent_client_without_a_warning(play, caplog):
    with socket.socket(socket.AF_UNIX) as silent:

        async def scenario(harness: AgentHarness) -> None:
            silent.connect(str(harness.path))
            silent.send(b'{"do": ')
            assert (await harness.ask(do="status"))["ok"]  # so the silent client has been accepted

        play(scenario)
        assert silent.recv(1) == b""
    assert caplog.messages == []


# The socket


def test_the_socket_belongs_to_the_user_alone_and_ends_with_the_agent(play, tmp_path):
    async def scenario(harness: AgentHarness) -> None:
        mode = harness.path.stat().st_mode
        assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
        before = os.umask(0o022)
        os.umask(before)
        assert before != 0o177  # the umask of the process is unchanged

    play(scenario)
    assert not (tmp_path / "agent.sock").exists()


def test_files_that_are_made_while_the_socket_is_made_have_their_usual_mode(tmp_path):
    """The umask belongs to the whole process: it must not be changed while anything else can run."""
    settings = configuration(tmp_path)
    modes: set[int] = set()

    async def make_files() -> None:
        for number in range(10_000):
            (tmp_path / f"file{number}").touch()
            modes.add(stat.S_IMODE((tmp_path / f"file{number}").stat().st_mode))
            await asyncio.sleep(0)

    async def scenario() -> None:
        journal = Journal(settings.agent.journal)
        server = OperatorServer(Agent(settings, journal, lambda name, deliver: WillingHost(name, {}, deliver)))
        making = asyncio.create_task(make_files())
        await server.start()
        making.cancel()
        await server.close()
        journal.close()

    before = os.umask(0o022)
    try:
        asyncio.run(scenario())
    finally:
        os.umask(before)
    assert modes == {0o644}


def test_a_socket_that_a_killed_agent_left_is_replaced(play, tmp_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "agent.sock"))

    async def scenario(harness: AgentHarness) -> None:
        assert (await harness.ask(do="status"))["ok"]

    play(scenario)


def test_a_second_agent_is_refused_and_the_first_one_goes_on(play):
    async def scenario(harness: AgentHarness) -> None:
        second = OperatorServer(harness.agent)
        with pytest.raises(OperatorError, match=f"^another agent is running: {harness.path} answers$"):
            await second.start()
        await second.close()
        assert (await harness.ask(do="status"))["ok"]

    play(scenario)


def test_a_file_that_is_not_a_socket_is_not_removed(play, tmp_path):
    """A mistake in the configuration must not cost a file."""
    (tmp_path / "agent.sock").write_text("precious")

    async def scenario(harness: AgentHarness) -> None:
        pytest.fail("it must not start")

    with pytest.raises(OperatorError, match=r"agent\.sock cannot be made: there is a file that is no socket"):
        play(scenario)
    assert (tmp_path / "agent.sock").read_text() == "precious"


def test_a_socket_that_cannot_be_made_is_an_error(tmp_path):
    settings = configuration(tmp_path)
    (tmp_path / "file").write_text("")
    settings = evolve(settings, agent=evolve(settings.agent, socket=tmp_path / "file" / "agent.sock"))

    async def scenario() -> None:
        journal = Journal(settings.agent.journal)
        try:
            agent = Agent(settings, journal, lambda name, deliver: WillingHost(name, {}, deliver))
            await OperatorServer(agent).start()
        finally:
            journal.close()

    with pytest.raises(OperatorError, match="cannot be made: File exists"):
        asyncio.run(scenario())


# The other end


def test_without_an_agent_the_error_says_so(tmp_path):
    for path in (tmp_path / "missing", tmp_path, tmp_path / ("x" * 200)):
        with pytest.raises(OperatorError, match=r"^no agent answers at .*; is `switchover agent` running here\?$"):
            ask(path, {"do": "status"})


def test_an_agent_that_does_not_answer_in_time_counts_as_none(tmp_path):
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        deaf.listen()
        with pytest.raises(OperatorError, match="timed out"):
            ask(tmp_path / "deaf", {"do": "status"}, timeout_s=0.05)
