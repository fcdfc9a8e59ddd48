"""Many connections to the operators' socket: no client, and no number of clients, locks another one out."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support.agent_harness import A2, AgentHarness, play_in
from switchover.agent.controller import clients, operator_socket
from switchover.agent.controller.clients import CLIENTS, SHARE
from switchover.agent.controller.operator_client import OperatorError, ask

GREEDY = """
import resource, socket, sys, time
path, number = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (number + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = [socket.socket(socket.AF_UNIX) for _ in range(number)]
for each in held:
    each.connect(path)
print("connected", flush=True)
time.sleep(1000)
"""

MANY = """
import os, socket, sys, time
path, number = sys.argv[1], int(sys.argv[2])
for _ in range(number):
    if os.fork() == 0:
        each = socket.socket(socket.AF_UNIX)
        each.connect(path)
        os.write(1, b"connected\\n")
        time.sleep(1000)
time.sleep(1000)
"""


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    return partial(play_in, tmp_path)


@contextlib.contextmanager
def connected(script: str, path: Path, number: int, lines: int) -> Iterator[None]:
    """While processes hold this many connections on which nothing is ever sent."""
    argv = [sys.executable, "-c", script, str(path), str(number)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as process:  # noqa: S603  # our own
        try:
            for _ in range(lines):
                assert process.stdout.readline() == b"connected\n"
            yield
        finally:
            os.killpg(process.pid, 9)


async def hold(harness: AgentHarness, script: str, number: int, lines: int) -> contextlib.AsyncExitStack:
    stack = contextlib.AsyncExitStack()
    holding = connected(script, harness.path, number, lines)
    await asyncio.to_thread(holding.__enter__)
    stack.callback(holding.__exit__, None, None, None)
    return stack


def test_one_program_with_many_connections_locks_nobody_out(play, caplog):
    async def scenario(harness: AgentHarness) -> None:
        async with await hold(harness, GREEDY, 1200, 1):
            assert (await harness.ask(do="status"))["ok"]
            assert (await harness.ask(do="switch", to=A2))["moved"]
            assert len(os.listdir("/proc/self/fd")) < 200 + SHARE

    play(scenario)
    warnings = [text for text in caplog.messages if "its oldest connection was closed for a new one" in text]
    assert 1 <= len(warnings) <= 3  # more than 1,100 were closed
    assert f"it has {SHARE} already" in warnings[0]


def test_many_programs_with_one_connection_each_lock_nobody_out(play):
    async def scenario(harness: AgentHarness) -> None:
        number = CLIENTS + 20
        async with await hold(harness, MANY, number, number):
            for _ in range(3):
                assert (await harness.ask(do="status"))["ok"]
            assert (await harness.ask(do="switch", to=A2))["moved"]

    play(scenario)


def test_a_connection_on_which_nothing_comes_is_closed_after_a_while(play, monkeypatch):
    monkeypatch.setattr(operator_socket, "WITHIN_S", 0.05)

    async def scenario(harness: AgentHarness) -> None:
        reader, writer = await asyncio.open_unix_connection(harness.path)
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()

    play(scenario)


def test_the_oldest_connection_gives_way(play, monkeypatch):
    monkeypatch.setattr(clients, "SHARE", 2)

    async def scenario(harness: AgentHarness) -> None:
        (oldest, first), (newest, second) = [await asyncio.open_unix_connection(harness.path) for _ in range(2)]
        assert (await harness.ask(do="status"))["ok"]
        assert await asyncio.wait_for(oldest.read(), 30) == b""
        second.write(b'{"do": "status"}\n')
        assert b'"ok": true' in await asyncio.wait_for(newest.readline(), 30)
        first.close()
        second.close()

    play(scenario)


def test_a_program_is_told_that_the_agent_closed_its_connection(tmp_path):
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        closing = threading.Thread(target=lambda: agent.accept()[0].close())
        closing.start()
        with pytest.raises(OperatorError, match=r"without an answer|Connection reset|Broken pipe"):
            ask(tmp_path / "agent", {"do": "status"})
        closing.join()


def test_one_program_cannot_take_all_places_of_those_who_follow(play):
    follow = "import socket,sys,time\nfor n in range(20):\n s=socket.socket(socket.AF_UNIX)\n s.connect(sys.argv[1])\n"
    follow += ' s.sendall(b\'{"do": "follow"}\\n\')\n globals()[f"s{n}"]=s\n s.recv(1)\n'
    follow += 'print("connected", flush=True)\ntime.sleep(1000)\n'

    async def scenario(harness: AgentHarness) -> None:
        async with await hold(harness, follow, 0, 1):
            reader, writer = await asyncio.open_unix_connection(harness.path, limit=2**20)
            writer.write(b'{"do": "follow"}\n')
            assert b'"ok": true' in await asyncio.wait_for(reader.readline(), 30)
            writer.close()

    play(scenario)
