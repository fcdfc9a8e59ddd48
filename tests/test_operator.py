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
from agent_at_work import WillingHost, agent_at_work
from attrs import define, evolve
from switchover.agent.agent import Agent
from switchover.agent.configuration import load
from switchover.agent.examples import example_text
from switchover.agent.journal import Journal, read
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.agent.operator import LONGEST_LINE, OperatorError, OperatorServer, ask
from switchover.agent.settings import Configuration
from switchover.fsm import (
    LOG_MESSAGES,
    ApplicationReported,
    HostFellSilent,
    HostLost,
    Mode,
    Start,
    Stop,
)

H1, H2 = "host1", "host2"
A1, A2 = "SIP_Server_1", "SIP_Server_2"


@define(eq=False)
class Desk:
    agent: Agent
    hosts: dict[str, WillingHost]
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
    return with_long_alarms(load(file))


def voicemail(directory: Path) -> Configuration:
    """The example, in a directory."""
    file = directory / "switchover.toml"
    paths = {"journal": "journal.sqlite", "socket": "agent.sock", "keys": "keys", "spool": "spool"}
    lines = ["[agent]", *(f"{key} = {json.dumps(str(directory / name))}" for key, name in paths.items())]
    file.write_text("\n".join([example_text("voicemail"), *lines]))
    return with_long_alarms(load(file))


def with_long_alarms(settings: Configuration) -> Configuration:
    """No alarm ends by itself while it is looked at."""
    alarms = (evolve(alarm, cancel_timeout_ms=600_000) for alarm in settings.topology().alarms)
    return evolve(settings, alarms=tuple(alarms))


@pytest.fixture
def at_desk(tmp_path: Path) -> Callable[[Callable[[Desk], Coroutine[Any, Any, None]]], None]:
    """Runs a scenario with an agent whose hosts are connected, and its operators' server."""

    async def run(
        scenario: Callable[[Desk], Coroutine[Any, Any, None]], configured: Callable[[Path], Configuration]
    ) -> None:
        settings = configured(tmp_path)
        async with agent_at_work(settings) as (agent, hosts):
            await scenario(Desk(agent, hosts, settings.agent.socket, settings.agent.journal))

    return lambda scenario, configured=configuration: asyncio.run(asyncio.wait_for(run(scenario, configured), 60))


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
            "observing": False,
            "hosts": [
                {"name": H1, "link": "connected", "vip_held": True, "heard_ms_ago": None},
                {"name": H2, "link": "connected", "vip_held": False, "heard_ms_ago": None},
            ],
            "pairs": [pair],
            "monitored": [],
            "outside": [],
            "placement": "together_1",
            "redundancy": True,
            "alarms": [{"name": f"{A1} primary", "state": "active"}],
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
        whole["hosts"][1] = {"name": H2, "link": "lost", "vip_held": None, "heard_ms_ago": None}
        vip["state"] = "owed_1"
        whole["redundancy"] = False
        assert await desk.ask(do="status") == {"ok": True, "status": whole}

    at_desk(scenario)


@pytest.mark.parametrize("to", [A2, H2])
def test_a_switch_by_application_or_by_host(at_desk, eventually, to):
    async def scenario(desk: Desk) -> None:
        reply = await desk.ask(do="switch", to=to)
        text = "an operator or a reaction asks for it: first the primary goes into backup mode"
        assert reply == {"ok": True, "moved": True, "text": text}
        await eventually(lambda: desk.agent.solution.state.vip == "held_2")
        assert desk.agent.solution.state.pairs[0].state == "redundant_2"
        assert desk.news("event").count(f"requested {A2}") == 1

    at_desk(scenario)


def test_the_status_has_the_latest_incidents_for_who_asks_for_them(at_desk, eventually):
    async def scenario(desk: Desk) -> None:
        await desk.ask(do="switch", to=A2)
        await eventually(lambda: desk.agent.solution.state.vip == "held_2" and desk.agent.incidents[-1].is_over)
        status = (await desk.ask(do="status", incidents=1))["status"]
        (latest,) = status["incidents"]
        cause, outcome = f"an operator asks for {A2} as primary", "SIP Server: host1 -> host2; VIP: host1 -> host2"
        assert (latest["cause"], latest["outcome"], latest["is_over"]) == (cause, outcome, True)
        assert len((await desk.ask(do="status", incidents=9))["status"]["incidents"]) == 2
        assert "incidents" not in (await desk.ask(do="status"))["status"]

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
        assert desk.news("command").count(f"alarm {A1} primary") == 1  # when the agent adopted what it found
        assert agrees["text"] == "the message agrees with the host's report: its alarm is activated"
        assert desk.news("event")[-2:] == [f"received 5150 {A1}", f"received 00-05151 {A1}"]

    at_desk(scenario)


def test_the_status_of_a_whole_voicemail_solution(at_desk, eventually):
    """Pairs that are only monitored, what is outside, where it runs, what could fail, and which alarms are active."""

    async def scenario(desk: Desk) -> None:
        status = (await desk.ask(do="status"))["status"]
        assert [pair["name"] for pair in status["pairs"]] == ["VM SIP Server", "VM Server"]
        assert status["monitored"] == [
            {
                "name": name,
                "applications": [{"name": f"{short}_{side}", "host": f"host{side}", "state": "up"} for side in (1, 2)],
            }
            for name, short in (("Resource Manager", "RM"), ("Media Control Platform", "MCP"))
        ]
        assert status["outside"] == ["Premise_SIP_Server"]
        assert (status["placement"], status["redundancy"]) == ("together_1", True)
        desk.hosts[H1].deliver(ApplicationReported("RM_1", Mode.DOWN))
        await eventually(lambda: desk.agent.solution.state.vip == "held_2" and not desk.agent.solution.state.pending)
        status = (await desk.ask(do="status"))["status"]
        assert (status["placement"], status["redundancy"]) == ("together_2", False)
        assert {pair["state"] for pair in status["pairs"]} == {"redundant_2"}
        assert [found["state"] for found in status["monitored"][0]["applications"]] == ["down", "up"]
        alarms = {alarm["name"]: alarm["state"] for alarm in status["alarms"]}
        assert {name for name, state in alarms.items() if state == "active"} == {
            *("RM_1 found terminated", "RM_1 terminated"),
            *("VM_SIP_Server_2 primary", "VM_Server_2 primary", "VM_SIP_Server_1 backup"),
        }

    at_desk(scenario, voicemail)


def test_applications_are_started_and_stopped_and_what_is_so_already_is_all_right(at_desk, eventually):
    async def scenario(desk: Desk) -> None:
        state = desk.agent.solution.state
        for do, done, already in (("stop", "stopped", "it does not run"), ("start", "started", "it runs already")):
            count = len(desk.hosts[H2].told)
            wished = {"ok": True, "moved": True, "text": f"an operator asked for it: it is {done}"}
            assert await desk.ask(do=do, application="RM_2") == wished
            await eventually(lambda: not desk.agent.solution.state.pending)
            assert await desk.ask(do=do, application="RM_2") == {"ok": True, "moved": False, "text": already}
            assert len(desk.hosts[H2].told) == count + 1
        assert [command for command in desk.hosts[H2].told if isinstance(command, Start | Stop)] == [
            *(Stop(H2, "RM_2"), Start(H2, "RM_2")),
        ]
        assert desk.agent.solution.state.placement == state.placement

    at_desk(scenario, voicemail)


@pytest.mark.parametrize("do", ["start", "stop"])
def test_what_is_on_neither_host_or_on_a_lost_one_cannot_be_started_or_stopped(at_desk, do):
    async def scenario(desk: Desk) -> None:
        for event in (HostFellSilent(H2), HostLost(H2)):
            desk.hosts[H2].deliver(event)
        for name in ("MCP_2", "Premise_SIP_Server"):
            reply = await desk.ask(do=do, application=name)
            assert reply == {"ok": False, "moved": False, "text": "its host is not heard"}
        assert not any(isinstance(command, Start | Stop) for command in desk.hosts[H2].told)

    at_desk(scenario, voicemail)


@pytest.mark.parametrize("name", ["RM_2", "Premise_SIP_Server"])
def test_what_has_no_mode_cannot_be_switched(at_desk, name):
    async def scenario(desk: Desk) -> None:
        before = desk.agent.solution.state
        reply = await desk.ask(do="switch", to=name)
        assert not reply["ok"]
        assert name in reply["text"]
        assert desk.agent.solution.state == before

    at_desk(scenario, voicemail)


def test_a_message_about_what_is_outside_moves_nothing(at_desk):
    """[S1] premise SIP Server failure: no alarm condition waits for it."""

    async def scenario(desk: Desk) -> None:
        told = [len(host.told) for host in desk.hosts.values()]
        assert (await desk.ask(do="event", id="00-5091", application="Premise_SIP_Server"))["ok"]
        assert [len(host.told) for host in desk.hosts.values()] == told

    at_desk(scenario, voicemail)


def test_a_message_makes_the_solution_move_and_the_same_one_again_does_nothing_more(at_desk, eventually):
    """It is what another SCS says, which is believed where no host is heard that says otherwise."""

    async def scenario(desk: Desk) -> None:
        assert (await desk.ask(do="switch", to="VM_SIP_Server_2"))["moved"]
        await eventually(lambda: desk.agent.solution.state.vip == "held_2" and not desk.agent.solution.state.pending)
        before = desk.agent.solution.state
        told = [len(host.told) for host in desk.hosts.values()]
        for _ in range(2):
            assert (await desk.ask(do="event", id="00-4563", application="VM_SIP_Server_2"))["ok"]
        assert desk.agent.solution.state == before
        assert [len(host.told) for host in desk.hosts.values()] == told

    at_desk(scenario, voicemail)


KNOWN = ", ".join(LOG_MESSAGES)
REFUSED = [
    ({"do": "event", "id": "00-9999", "application": A1}, f"unknown event id '00-9999'; known are {KNOWN}"),
    ({"do": "event", "id": "", "application": A1}, f"unknown event id ''; known are {KNOWN}"),
    ({"do": "event", "id": "00-5150", "application": "x"}, f"unknown application 'x'; known are {A1}, {A2}"),
    ({"do": "switch", "to": "host3"}, f"unknown application 'host3'; known are {A1}, {A2}"),
    ({"do": "start", "application": "x"}, f"unknown application 'x'; known are {A1}, {A2}"),
    ({"do": "stop", "application": H1}, f"unknown application '{H1}'; known are {A1}, {A2}"),
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


UNKNOWN = [
    *({}, [], 7, None, "status", {"do": "dance"}, {"do": "switch"}, {"do": "switch", "to": 1}, {"do": ["status"]}),
    *({"do": "start"}, {"do": "stop", "application": None}, {"do": "event", "id": 5150, "application": A1}),
]


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
            agent = Agent(settings, journal, lambda name, deliver: WillingHost(name, {}, deliver))
            await OperatorServer(agent).start()
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
