"""Operators reach the agent through a real Unix socket; whatever comes through it does no harm."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve
from switchover.agent.agent import Agent
from switchover.agent.configuration import load
from switchover.agent.journal import Journal, read
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.agent.operator import LONGEST_LINE, OperatorError, OperatorServer, ask
from switchover.agent.settings import Configuration
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    Event,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostLost,
    HostReport,
    Mode,
)

H1, H2 = "host1", "host2"
A1, A2 = "SIP_Server_1", "SIP_Server_2"


@define(eq=False)
class ObedientHost:
    """A connection to a host that does what it is told at once."""

    name: str
    deliver: Callable[[Event], None]

    def start(self) -> None:
        first = self.name == H1
        report = HostReport({A1: Mode.PRIMARY} if first else {A2: Mode.BACKUP}, vip_held=first)
        self.soon(HostConnected(self.name, report))

    async def close(self) -> None:
        self.deliver = lambda _: None

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        self.soon(CommandSucceeded(command.id))

    def soon(self, event: Event) -> None:
        asyncio.get_running_loop().call_soon(lambda: self.deliver(event))


@define(eq=False)
class Desk:
    agent: Agent
    hosts: dict[str, ObedientHost]
    path: Path
    journal: Path

    async def ask(self, **request: object) -> dict[str, Any]:
        return await asyncio.to_thread(ask, self.path, request)

    async def say(self, data: bytes, end: bool = False) -> bytes:
        """Send raw bytes and return all that comes back until the server hangs up."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(data)
        if end:
            writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()

    def news(self, kind: str) -> list[str]:
        return [entry.text for _, entry in read(self.journal) if entry.kind == kind]


def configuration(directory: Path) -> Configuration:
    members = [(name, directory / f"{name}.pid", ("true",), ("true",), ("true",)) for name in (A1, A2)]
    file = directory / "switchover.toml"
    hosts = ["198.51.100.11", "198.51.100.12"]
    file.write_text(configuration_text(directory, LabSettings(), ["198.51.100.10/24"], hosts, members))
    return load(file)


@pytest.fixture
def at_desk(tmp_path: Path, eventually) -> Callable[[Callable[[Desk], Coroutine[Any, Any, None]]], None]:
    """Runs a scenario with an agent whose hosts are connected, and its operators' server."""

    async def run(scenario: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
        settings, hosts = configuration(tmp_path), {}

        def connect(name: str, deliver: Callable[[Event], None]) -> ObedientHost:
            hosts[name] = ObedientHost(name, deliver)
            return hosts[name]

        journal = Journal(settings.agent.journal)
        agent = Agent(settings, journal, connect)
        server = OperatorServer(agent)
        await server.start()
        agent.start()
        try:
            await eventually(lambda: agent.solution.state.vip == "held_1" and not agent.solution.state.pending)
            await scenario(Desk(agent, hosts, settings.agent.socket, settings.agent.journal))
        finally:
            await server.close()
            await agent.close()
            journal.close()

    return lambda scenario: asyncio.run(asyncio.wait_for(run(scenario), 60))


def application(name: str, host: str, mode: str | None) -> dict[str, str | None]:
    return {"name": name, "host": host, "mode": mode}


def test_the_status_is_the_solution_as_the_agent_knows_it(at_desk):
    async def scenario(desk: Desk) -> None:
        vip = {"state": "held_1", "addresses": ["198.51.100.10/24"]}
        pair = {
            "name": "SIP Server",
            "state": "redundant_1",
            "applications": [application(A1, H1, "primary"), application(A2, H2, "backup")],
        }
        whole = {
            "solution": "lab",
            "hosts": [
                {"name": H1, "link": "connected", "vip_held": True},
                {"name": H2, "link": "connected", "vip_held": False},
            ],
            "pairs": [pair],
            "vip": vip,
            "pending": [],
        }
        assert await desk.ask(do="status") == {"ok": True, "status": whole}
        for event in (HostFellSilent(H2), HostLost(H2)):
            desk.hosts[H2].deliver(event)
        pair |= {
            "state": "peer_lost_1",
            "applications": [application(A1, H1, "primary"), application(A2, H2, None)],
        }
        whole["hosts"][1] = {"name": H2, "link": "lost", "vip_held": None}
        vip["state"] = "owed_1"
        assert await desk.ask(do="status") == {"ok": True, "status": whole}

    at_desk(scenario)


@pytest.mark.parametrize("to", [A2, H2])
def test_a_switch_by_application_or_by_host(at_desk, eventually, to):
    async def scenario(desk: Desk) -> None:
        reply = await desk.ask(do="switch", to=to)
        text = "an operator asked for it: first the primary goes into backup mode"
        assert reply == {"ok": True, "moved": True, "text": text}
        await eventually(lambda: desk.agent.solution.state.vip == "held_2")
        assert desk.agent.solution.state.pairs[0].state == "redundant_2"
        assert desk.news("event").count(f"requested {A2}") == 1

    at_desk(scenario)


def test_what_is_primary_already_is_all_right_and_moves_nothing(at_desk):
    async def scenario(desk: Desk) -> None:
        before = desk.agent.solution.state
        for to in (A1, H1):
            reply = await desk.ask(do="switch", to=to)
            assert reply == {"ok": True, "moved": False, "text": "it is primary already"}
        assert desk.agent.solution.state == before

    at_desk(scenario)


@pytest.mark.parametrize("to", [A2, H2])
def test_a_switch_to_a_worse_side_is_refused(at_desk, to):
    async def scenario(desk: Desk) -> None:
        desk.hosts[H2].deliver(ApplicationReported(A2, Mode.DOWN))
        before = desk.agent.solution.state
        text = "that application is down: never switch to a side that is known to be worse"
        assert await desk.ask(do="switch", to=to) == {"ok": False, "moved": False, "text": text}
        assert desk.agent.solution.state == before

    at_desk(scenario)


def test_a_log_message_from_outside_activates_its_alarm_or_is_ignored(at_desk):
    async def scenario(desk: Desk) -> None:
        agrees = await desk.ask(do="event", id="5150", application=A1)
        contradicts = await desk.ask(do="event", id="00-05151", application=A1)
        assert [agrees["ok"], contradicts["ok"]] == [True, False]
        assert contradicts["text"] == "the message contradicts the host's report, which counts"
        assert desk.news("command")[-3:][0] == f"alarm {A1} primary"
        assert desk.news("event")[-2:] == [f"received 5150 {A1}", f"received 00-05151 {A1}"]

    at_desk(scenario)


REFUSED = [
    ({"do": "event", "id": "00-9999", "application": A1}, "unknown event id '00-9999'; known are 00-5150, 00-5151"),
    ({"do": "event", "id": "", "application": A1}, "unknown event id ''; known are 00-5150, 00-5151"),
    ({"do": "event", "id": "00-5150", "application": "x"}, f"unknown application 'x'; known are {A1}, {A2}"),
    ({"do": "switch", "to": "host3"}, f"unknown application 'host3'; known are {A1}, {A2}"),
]


@pytest.mark.parametrize(("request_", "text"), REFUSED)
def test_what_names_the_unknown_is_refused_and_journalled(at_desk, request_, text):
    async def scenario(desk: Desk) -> None:
        before = desk.agent.solution.state
        assert await desk.ask(**request_) == {"ok": False, "text": text}
        assert desk.agent.solution.state == before
        (refused,) = desk.news("refused")
        assert refused.endswith(f": {text}")

    at_desk(scenario)


UNKNOWN = [{}, [], 7, None, "status", {"do": "dance"}, {"do": "switch"}, {"do": "switch", "to": 1}, {"do": ["status"]}]


@pytest.mark.parametrize("request_", UNKNOWN, ids=str)
def test_an_unknown_request_is_answered(at_desk, request_):
    async def scenario(desk: Desk) -> None:
        reply = json.loads(await desk.say(json.dumps(request_).encode() + b"\n"))
        assert reply == {"ok": False, "text": "unknown request"}

    at_desk(scenario)


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
def test_garbage_is_answered_as_such_and_the_agent_works_on(at_desk, line):
    async def scenario(desk: Desk) -> None:
        reply = json.loads(await desk.say(line))
        assert not reply["ok"]
        assert reply["text"].startswith("not JSON: ")
        assert (await desk.ask(do="switch", to=A2))["moved"]
        assert desk.news("event")[-1] != ""

    at_desk(scenario)


def test_clients_that_say_too_much_or_nothing_or_go_away_do_no_harm(at_desk):
    async def scenario(desk: Desk) -> None:
        silent = [await asyncio.open_unix_connection(desk.path) for _ in range(20)]
        assert await desk.say(b"x" * (LONGEST_LINE * 2)) == b""
        assert json.loads(await desk.say(b'{"do": "status"}', end=True))["ok"]  # the end of the line may be missing
        assert not json.loads(await desk.say(b"", end=True))["ok"]
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(desk.path))
                client.send(b'{"do": "status"}\n')  # and hangs up without reading
        assert (await desk.ask(do="status"))["ok"]
        for _, writer in silent:
            writer.close()

    at_desk(scenario)


def test_a_close_hangs_up_on_a_silent_client_without_a_word(at_desk, caplog):
    with socket.socket(socket.AF_UNIX) as silent:

        async def scenario(desk: Desk) -> None:
            silent.connect(str(desk.path))
            silent.send(b'{"do": ')
            assert (await desk.ask(do="status"))["ok"]  # so the silent one has been let in

        at_desk(scenario)
        assert silent.recv(1) == b""
    assert caplog.messages == []


# The socket


def test_the_socket_is_the_user_s_alone_and_gone_when_the_agent_is(at_desk, tmp_path):
    async def scenario(desk: Desk) -> None:
        mode = desk.path.stat().st_mode
        assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)
        before = os.umask(0o022)
        os.umask(before)
        assert before != 0o177  # the mask of the process is what it was

    at_desk(scenario)
    assert not (tmp_path / "agent.sock").exists()


def test_a_socket_that_a_killed_agent_left_is_replaced(at_desk, tmp_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "agent.sock"))

    async def scenario(desk: Desk) -> None:
        assert (await desk.ask(do="status"))["ok"]

    at_desk(scenario)


def test_a_second_agent_is_refused_and_the_first_one_goes_on(at_desk):
    async def scenario(desk: Desk) -> None:
        second = OperatorServer(desk.agent)
        with pytest.raises(OperatorError, match=f"^another agent is running: {desk.path} answers$"):
            await second.start()
        await second.close()
        assert (await desk.ask(do="status"))["ok"]

    at_desk(scenario)


def test_a_file_that_is_no_socket_is_not_removed(at_desk, tmp_path):
    """A mistake in the configuration must not cost a file."""
    (tmp_path / "agent.sock").write_text("precious")

    async def scenario(desk: Desk) -> None:
        pytest.fail("it must not start")

    with pytest.raises(OperatorError, match=r"agent\.sock cannot be made: there is a file that is no socket"):
        at_desk(scenario)
    assert (tmp_path / "agent.sock").read_text() == "precious"


def test_a_socket_that_cannot_be_made_says_so(tmp_path):
    settings = configuration(tmp_path)
    (tmp_path / "file").write_text("")
    settings = evolve(settings, agent=evolve(settings.agent, socket=tmp_path / "file" / "agent.sock"))

    async def scenario() -> None:
        journal = Journal(settings.agent.journal)
        try:
            await OperatorServer(Agent(settings, journal, ObedientHost)).start()
        finally:
            journal.close()

    with pytest.raises(OperatorError, match="cannot be made: File exists"):
        asyncio.run(scenario())


# The other end


def test_where_no_agent_answers_a_person_is_told_so(tmp_path):
    for path in (tmp_path / "missing", tmp_path, tmp_path / ("x" * 200)):
        with pytest.raises(OperatorError, match=r"^no agent answers at .*; is `switchover agent` running here\?$"):
            ask(path, {"do": "status"})


def test_an_agent_that_does_not_answer_in_time_counts_as_none(tmp_path):
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        deaf.listen()
        with pytest.raises(OperatorError, match="timed out"):
            ask(tmp_path / "deaf", {"do": "status"}, timeout_s=0.05)
