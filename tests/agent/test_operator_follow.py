"""Clients that follow the agent over its socket: each gets the present state, and the agent waits for none."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncGenerator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.agent_harness import A1, A2, H2, AgentHarness, play_in
from switchover.agent.controller import followers
from switchover.agent.controller.followers import Followers
from switchover.fsm import LogMessageReceived

FOLLOW = b'{"do": "follow"}\n'


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    return partial(play_in, tmp_path)


@contextlib.asynccontextmanager
async def following(harness: AgentHarness) -> AsyncGenerator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_unix_connection(harness.path, limit=2**16)  # a small buffer at this end
    writer.write(FOLLOW)
    try:
        yield reader
    finally:
        writer.close()


def followers_of(harness: AgentHarness) -> Followers:
    """The followers among the listeners of the agent."""
    return next(each.__self__ for each in harness.agent.listeners if isinstance(each.__self__, Followers))


async def line_of(reader: asyncio.StreamReader) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(reader.readline(), 20))


async def line_with(reader: asyncio.StreamReader, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    while not condition(line := await line_of(reader)):
        pass
    return line


def test_the_state_is_sent_after_every_change_and_regularly(play):
    async def scenario(harness: AgentHarness) -> None:
        async with following(harness) as reader:
            first = await line_of(reader)
            assert first["ok"] is True
            assert first["status"]["pairs"][0]["state"] == "redundant_1"
            assert first["state"] == (await harness.ask(do="state"))["state"]
            assert (await line_of(reader))["status"] == first["status"]
            await harness.ask(do="switch", to=A2)
            last = await line_with(reader, lambda line: line["status"]["vip"]["state"] == "held_2")
            last = await line_with(reader, lambda line: line["status"]["incidents"][0]["is_over"])
            assert last["status"]["incidents"][0]["cause"] == f"an operator asks for {A2} as primary"
            assert last["counts"]["events"]["SwitchoverRequested"] == 1
            assert ["Promote", "succeeded", 1] in last["counts"]["commands"]

    play(scenario)


def test_a_slow_client_is_not_waited_for_and_gets_the_newest_state(play, monkeypatch):
    """Every turn of the loop could make a line, but only one waits besides those in the kernel's buffer."""
    monkeypatch.setattr(followers, "Feed", partial(followers.Feed, pause_s=0.0))
    events = 1000

    async def scenario(harness: AgentHarness) -> None:
        async with following(harness) as reader:
            first = await line_of(reader)
            for number in range(events):
                harness.agent.post(LogMessageReceived("00-5150", (A1, A2)[number % 2]))
                await asyncio.sleep(0)
            count = 1 + first["counts"]["events"].get("LogMessageReceived", 0)
            lines = 0
            while count < events:
                lines += 1
                count = (await line_of(reader))["counts"]["events"].get("LogMessageReceived", 0)
            assert lines < events / 4

    play(scenario)


def test_the_number_of_followers_is_limited(play, monkeypatch, eventually):
    monkeypatch.setattr(followers, "FOLLOWERS", 2)

    async def scenario(harness: AgentHarness) -> None:
        async with following(harness) as first, following(harness) as second:
            assert [(await line_of(each))["ok"] for each in (first, second)] == [True, True]
            refused = {"ok": False, "text": "no room: too many clients follow this agent already"}
            assert await harness.ask(do="follow") == refused
            assert (await harness.ask(do="status"))["ok"] is True
        await eventually(lambda: not followers_of(harness).is_full)
        async with following(harness) as reader:
            assert (await line_of(reader))["ok"] is True

    play(scenario)


def test_a_client_that_never_reads_is_disconnected_in_the_end(play, monkeypatch, eventually):
    monkeypatch.setattr(followers, "PATIENCE_S", 0.05)
    monkeypatch.setattr(followers, "Feed", partial(followers.Feed, pause_s=0.0, every_s=0.0001))

    async def scenario(harness: AgentHarness) -> None:
        _, writer = await asyncio.open_unix_connection(harness.path, limit=2**10)
        writer.write(FOLLOW)
        await eventually(lambda: followers_of(harness)._number == 1)
        await eventually(lambda: followers_of(harness)._number == 0)
        writer.close()

    play(scenario)


def test_nothing_remains_of_a_client_that_was_hung_up_on(play, monkeypatch, eventually):
    """It still does not read: what is left of its line is given up, and so is the descriptor."""
    monkeypatch.setattr(followers, "PATIENCE_S", 0.05)
    monkeypatch.setattr(followers, "Feed", partial(followers.Feed, pause_s=0.0, every_s=0.0001))

    async def scenario(harness: AgentHarness) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(harness.path))
            before = descriptors()
            client.sendall(FOLLOW)
            await eventually(lambda: followers_of(harness)._number == 1)
            await eventually(lambda: followers_of(harness)._number == 0)
            await eventually(lambda: descriptors() == before)

    play(scenario)


def test_a_request_to_follow_may_say_more_than_that(play):
    """As every other request may: a later version could add a key."""

    async def scenario(harness: AgentHarness) -> None:
        reader, writer = await asyncio.open_unix_connection(harness.path, limit=2**16)
        writer.write(b'{"do": "follow", "of": "all"}\n')
        assert [(await line_of(reader))["ok"], (await line_of(reader))["ok"]] == [True, True]
        writer.close()

    play(scenario)


def descriptors() -> int:
    """How many file descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))


def test_a_switchover_for_an_outdated_state_is_refused(play):
    async def scenario(harness: AgentHarness) -> None:
        before = (await harness.ask(do="state"))["as_of"]
        await harness.ask(do="event", id="00-5150", application=A1)
        refused = await harness.ask(do="switch", to=H2, as_of=before)
        assert refused == {"ok": False, "changed": True, "text": "the solution has changed since"}
        assert harness.agent.solution.state.pairs[0].state == "redundant_1"
        now = (await harness.ask(do="state"))["as_of"]
        assert now != before
        assert (await harness.ask(do="switch", to=H2, as_of=now))["moved"] is True

    play(scenario)
