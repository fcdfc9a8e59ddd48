"""What is typed: the real command in a process of its own, its output and its exit status."""

# ruff: noqa: S603  # the commands are our own

import asyncio
import json
import os
import re
import shlex
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from switchover.agent import cli
from switchover.agent.agent import Agent
from switchover.agent.configuration import load
from switchover.agent.examples import alarm_text, example_text
from switchover.agent.journal import Journal, read
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.agent.operator import OperatorServer
from switchover.agent.settings import Configuration, PairKind
from switchover.fsm import (
    LOG_MESSAGES,
    Alarm,
    ApplicationReported,
    CommandSucceeded,
    Event,
    HostCommand,
    HostConnected,
    HostReport,
    Mode,
    Start,
    Stop,
)
from switchover.fsm.alarms import enable_here
from switchover.fsm.voicemail import WIRINGS

H1, H2 = "host1", "host2"
A1, A2 = "SIP_Server_1", "SIP_Server_2"
VIP = ("198.51.100.10/24", "2001:db8::10/64")
COMMAND = (sys.executable, "-W", "error", "-m", "switchover.agent")


def run(*arguments: object, directory: Path | None = None) -> tuple[int, str, str]:
    """Run a command to its end: its exit status, standard output and standard error."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, cwd=directory
    )
    return done.returncode, done.stdout, done.stderr


def one_line(text: str) -> str:
    """The only line of a text."""
    (line,) = text.splitlines()
    return line


@pytest.fixture
def file(tmp_path) -> Path:
    """A sound configuration in which everything is below `tmp_path`."""
    members = [(name, tmp_path / f"{name}.pid", ("true",), ("true",), ("true",)) for name in (A1, A2)]
    file = tmp_path / "switchover.toml"
    hosts = ["198.51.100.1", "198.51.100.2"]
    file.write_text(configuration_text(tmp_path / "state", LabSettings(), VIP, hosts, members))
    return file


# Help


def test_every_command_has_help_with_an_example_that_can_be_typed():
    status, output, _ = run("--help")
    found = re.findall(r"^    (\w+)  ", output, re.MULTILINE)
    assert status == 0
    assert set(found) >= {
        *("init", "check", "keys", "agent", "lca", "status", "switch", "start", "stop", "event", "diagram", "lab"),
    }
    with ThreadPoolExecutor(max_workers=2) as threads:
        helps = list(threads.map(lambda name: run(name, "--help"), found))
    for name, (status, output, errors) in zip(found, helps, strict=True):
        assert (status, errors) == (0, "")
        example = re.search(rf"^example: switchover ({name}.*)$", output, re.MULTILINE)
        assert example is not None
        assert "exit status: 0 " in output
        options = cli._parser().parse_args(shlex.split(example[1]))
        assert callable(options.run)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["status", "--loud"],
        ["lca"],
        ["event", "00-5150"],
        ["start"],
        ["stop", "RM_1", "RM_2"],
        ["init", "voicemail", "x", "y"],
        ["init", "voicemail", "--wiring", "any"],
        ["lab", "--order", "any"],
        ["lab", "--repeat", "x"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_told_and_has_exit_status_2(arguments):
    status, output, errors = run(*arguments)
    assert (status, output) == (2, "")
    assert errors.startswith("usage: switchover")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["manual", "holiday"], "unknown workflow 'holiday'; known are manual, failure, disconnected, reconnection"),
        (["--detection-ms", "29"], "--detection-ms must be 30 to 60000, --repeat 1 to 1000"),
        (["--simulated", "--repeat", "0"], "--detection-ms must be 30 to 60000, --repeat 1 to 1000"),
        (["--simulated", "--keep-logs", "x"], "--keep-logs x: simulated hosts write no logs"),
        (["--keep-logs", "/dev/null/x"], "--keep-logs /dev/null/x: Not a directory"),
        (
            ["--keep-logs", "/dev/shm/x"],  # noqa: S108  # refused, never written
            "--keep-logs /dev/shm/x: the lab has a /dev/shm of its own, which vanishes with it",
        ),
    ],
)
def test_a_lab_that_cannot_be_as_it_is_asked_for_is_refused(arguments, complaint):
    assert run("lab", *arguments) == (2, "", f"switchover lab: {complaint}\n")


# Configuration and keys


def test_init_writes_the_example_and_never_over_something_else(tmp_path):
    file = tmp_path / "switchover.toml"
    status, output, errors = run("init", directory=tmp_path)
    assert (status, errors) == (0, "")
    assert "run `switchover check switchover.toml`" in one_line(output)
    assert file.read_text() == example_text()
    assert run("check", file)[0] == 0
    file.write_text("mine")
    for path, reason in ((file, "File exists"), (tmp_path / "missing" / "x.toml", "No such file or directory")):
        assert run("init", path) == (1, "", f"switchover: {path} is not written: {reason}\n")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "name", "text"),
    [
        (["sip"], "switchover.toml", example_text()),
        (["mine.toml"], "mine.toml", example_text()),
        (["sip", "sip"], "sip", example_text("sip")),
        (["voicemail"], "switchover.toml", example_text("voicemail")),
        *(
            (["voicemail", "mine.toml", "--wiring", wiring], "mine.toml", example_text("voicemail", wiring))
            for wiring in WIRINGS
        ),
    ],
    ids=lambda value: "",
)
def test_init_writes_the_example_that_is_named(tmp_path, arguments, name, text):
    status, output, errors = run("init", *arguments, directory=tmp_path)
    assert (status, errors) == (0, "")
    assert one_line(output) == f"{name} written: edit it, then run `switchover check {name}`"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == text
    solution = "voicemail" if "voicemail" in arguments else "SIP solution"
    told = f"{name}: in order; solution {solution} on host1 and host2\n"
    assert run("check", name, directory=tmp_path) == (0, told, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["mail", "x.toml"], "unknown example 'mail'; known are sip, voicemail"),
        (["voicemial"], "unknown example 'voicemial'; known are sip, voicemail"),
        (["--wiring", "documented"], "--wiring is for voicemail, and not for sip"),
        (["sip", "x.toml", "--wiring", "vip-on-monitored"], "--wiring is for voicemail, and not for sip"),
    ],
)
def test_init_refuses_what_there_is_no_example_of(tmp_path, arguments, complaint):
    assert run("init", *arguments, directory=tmp_path) == (2, "", f"switchover: {complaint}\n")
    assert list(tmp_path.iterdir()) == []


def test_check_tells_that_all_is_in_order(file):
    assert run("check", file) == (0, f"{file}: in order; solution lab on host1 and host2\n", "")


def test_check_tells_every_mistake_with_its_place(file):
    text = file.read_text()
    line = text.splitlines().index("detection_ms = 100") + 1
    file.write_text(text.replace("detection_ms = 100", "detection_ms = 7").replace('host = "host2"', 'host = "host3"'))
    status, output, errors = run("check", file)
    assert (status, output) == (2, "")
    problems = errors.splitlines()
    assert len(problems) == 2
    assert all(re.match(rf"{re.escape(str(file))}:\d+:\d+: ", problem) for problem in problems)
    assert problems[0].startswith(f"{file}:{line}:16: detection_ms is 7; ")
    assert "unknown host" in problems[1]


def test_check_warns_of_what_may_go_wrong_and_all_is_in_order_nonetheless(file):
    """An alarm that is still active does not react with an SCS, and then the switch back is not made ([S1])."""
    alarm = Alarm("A", "00-5150", A1, (enable_here(H1),), cancel_timeout_ms=172_800_000)
    file.write_text(file.read_text().replace("[agent]", 'reactions = "literal"\n[agent]') + alarm_text(alarm))
    latches, literal = (
        file.read_text().splitlines().index(line) + 1
        for line in ("cancel_timeout_ms = 172800000", 'reactions = "literal"')
    )
    status, output, errors = run("check", file)
    assert (status, output) == (0, f"{file}: in order; solution lab on host1 and host2\n")
    told = errors.splitlines()
    assert len(told) == 2
    assert told[0].startswith(f"warning: {file}:{literal}:13: reactions is 'literal': ")
    assert told[1].startswith(f"warning: {file}:{latches}:21: alarm 'A' stays active for 172800 s, at least: ")


def test_check_refuses_the_one_name_that_is_taken(file):
    """The journal and the timers call the Virtual IP so."""
    file.write_text(file.read_text().replace('name = "SIP Server"', 'name = "VIP"').replace(f'"{A2}"', '"VIP"'))
    status, output, errors = run("check", file)
    assert (status, output) == (2, "")
    assert sorted(line.partition(": ")[2] for line in errors.splitlines()) == [
        "application is 'VIP', which is what the Virtual IP is called; choose another",
        "name is 'VIP', which is what the Virtual IP is called; choose another",
    ]


def test_check_of_a_file_that_is_not_there(tmp_path):
    status, output, errors = run("check", tmp_path / "missing.toml")
    assert (status, output) == (2, "")
    assert one_line(errors).startswith(f"{tmp_path}/missing.toml: cannot be read: No such file or directory")


def test_keys_are_made_once_with_secrets_for_their_owner_alone(file):
    status, output, errors = run("keys", "-c", file)
    directory = file.parent / "state" / "keys"
    assert (status, errors) == (0, "")
    assert one_line(output).startswith(f"keys written to {directory}; ")
    made = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert set(made) == {f"{name}.{kind}" for name in ("agent", H1, H2) for kind in ("key", "key_secret")}
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.glob("*.key_secret")} == {0o600}
    status, output, errors = run("keys", "-c", file)
    assert (status, output) == (1, "")
    assert one_line(errors).endswith("exists already and is not overwritten")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == made


def test_diagrams_that_cannot_be_written_are_told_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    status, output, errors = run("diagram", tmp_path / "file")
    assert (status, output) == (1, "")
    assert one_line(errors).startswith(f"switchover: {tmp_path}/file cannot be written: ")


# Without an agent


@pytest.mark.parametrize(
    "arguments", [["status"], ["status", "--json"], ["switch", H2], ["start", A1], ["stop", A1]], ids=str
)
def test_without_an_agent_there_is_one_line_and_exit_status_3(file, arguments):
    status, output, errors = run(*arguments, "-c", file)
    assert (status, output) == (3, "")
    assert one_line(errors).endswith("; is `switchover agent` running here?")


def spooled(file: Path) -> list[tuple[str, str]]:
    """The messages that wait for an agent."""
    files = sorted((file.parent / "state" / "spool").glob("*"))
    return [(message["event"], message["application"]) for message in (json.loads(f.read_text()) for f in files)]


def test_without_an_agent_a_message_waits_for_one(file):
    """An alarm reaction that failed would be of no use to anybody."""
    for number in ("5150", "00-05151"):
        status, output, errors = run("event", number, A1, "-c", file)
        assert (status, errors) == (0, "")
        assert one_line(output).startswith(f"the message waits in {file.parent}/state/spool: no agent answers at ")
    assert spooled(file) == [("00-5150", A1), ("00-5151", A1)]


@pytest.mark.parametrize("id_", ["00-4711", "", "no id", "1" * 5000])
def test_a_message_that_no_agent_would_understand_is_refused_at_once(file, id_):
    status, output, errors = run("event", id_, A1, "-c", file)
    assert (status, output) == (2, "")
    assert one_line(errors) == f"switchover: unknown event id {id_!r}; known are {', '.join(LOG_MESSAGES)}"
    unknown = f"switchover: unknown application 'nobody'; known are {A1}, {A2}\n"
    assert run("event", "00-5150", "nobody", "-c", file) == (2, "", unknown)
    assert not (file.parent / "state" / "spool").exists()


def test_a_message_that_cannot_wait_is_told_so(file):
    spool = file.parent / "state" / "spool"
    spool.mkdir(parents=True)
    spool.chmod(0o777)
    status, output, errors = run("event", "00-5150", A1, "-c", file)
    assert (status, output) == (1, "")
    assert one_line(errors) == f"switchover: others may write to the spool {spool}; run `chmod 700 {spool}`"


def test_an_agent_that_does_not_answer_in_time_counts_as_none(file, capsys, monkeypatch):
    """The message is left where it will be found; if the agent has heard it nonetheless, it hears it twice."""
    monkeypatch.setattr(cli, "EVENT_WITHIN_S", 0.05)
    with socket.socket(socket.AF_UNIX) as deaf:
        (file.parent / "state").mkdir()
        deaf.bind(str(file.parent / "state" / "agent.sock"))
        deaf.listen()
        assert cli.main(["event", "00-5150", A1, "-c", str(file)]) == 0
    assert spooled(file) == [("00-5150", A1)]
    assert "timed out" in one_line(capsys.readouterr().out)


@pytest.mark.parametrize("arguments", [["status"], ["keys"], ["event", "5150", A1], ["start", A1]], ids=str)
def test_with_a_bad_configuration_no_command_does_anything(tmp_path, arguments):
    (tmp_path / "bad.toml").write_text("[solution]\n")
    status, output, errors = run(*arguments, "-c", tmp_path / "bad.toml")
    assert (status, output) == (2, "")
    assert errors.startswith(f"{tmp_path}/bad.toml:")
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.toml"]


# With an agent


@define(eq=False)
class Host:
    """A connection to a host that does what it is told at once, while it is in the mood."""

    name: str
    modes: dict[str, Mode]
    deliver: Callable[[Event], None]
    obedient: bool = True
    heard_at: float | None = None

    def start(self) -> None:
        self.soon(HostConnected(self.name, HostReport(self.modes, vip_held=self.name == H1)))

    async def close(self) -> None:
        self.deliver = lambda _: None

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        if self.obedient:
            if isinstance(command, Start | Stop):
                mode = self.modes[command.application] if isinstance(command, Start) else Mode.DOWN
                self.soon(ApplicationReported(command.application, mode))
            self.soon(CommandSucceeded(command.id))

    def soon(self, event: Event) -> None:
        asyncio.get_running_loop().call_soon(lambda: self.deliver(event))


@define(eq=False)
class Site:
    """A site in which an agent runs, in this process, so that the commands alone run in their own."""

    file: Path
    hosts: dict[str, Host]
    journal: Path
    agent: Agent

    async def run(self, *arguments: object) -> tuple[int, str, str]:
        return await asyncio.to_thread(run, *arguments, "-c", self.file)


def modes_on(host: str, settings: Configuration) -> dict[str, Mode]:
    """[S1] and [S2], state prior to switchover."""
    redundant = Mode.PRIMARY if host == H1 else Mode.BACKUP
    return {
        member.application: redundant if pair.kind is PairKind.REDUNDANT else Mode.UP
        for pair in settings.pairs
        for member in pair.members
        if member.host == host
    }


@pytest.fixture
def on_site(file, eventually) -> Callable[[Callable[[Site], Coroutine[Any, Any, None]]], None]:
    async def main(scenario: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
        settings, hosts = load(file), {}

        def connect(name: str, deliver: Callable[[Event], None]) -> Host:
            hosts[name] = Host(name, modes_on(name, settings), deliver)
            return hosts[name]

        journal = Journal(settings.agent.journal)
        agent = Agent(settings, journal, connect)
        server = OperatorServer(agent)
        await server.start()
        agent.start()
        try:
            await eventually(lambda: agent.solution.state.vip == "held_1" and not agent.solution.state.pending)
            await scenario(Site(file, hosts, settings.agent.journal, agent))
        finally:
            await server.close()
            await agent.close()
            journal.close()

    return lambda scenario: asyncio.run(asyncio.wait_for(main(scenario), 120))


def without_alarms(text: str) -> str:
    """Which alarms are active depends on the time."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("  alarm "))


AS_TEXT = f"""\
solution lab: as it should be
  host host1                connected  has the VIP
  host host2                connected  has not the VIP
  pair SIP Server           redundant_1
    {A1}            primary    on host1
    {A2}            backup     on host2
  VIP  198.51.100.10/24, 2001:db8::10/64 held_1
"""


def test_the_status_is_a_text_for_people_and_json_for_programs(on_site):
    async def scenario(site: Site) -> None:
        status, output, errors = await site.run("status")
        assert (status, without_alarms(output), errors) == (0, AS_TEXT, "")
        status, output, errors = await site.run("status", "--json")
        assert (status, errors) == (0, "")
        told = json.loads(output)
        assert list(told) == [
            *("solution", "observing", "hosts", "pairs", "monitored", "outside"),
            *("placement", "redundancy", "alarms", "vip", "pending"),
        ]
        assert told["vip"] == {"state": "held_1", "addresses": list(VIP)}

    on_site(scenario)


VOICEMAIL_AS_TEXT = """\
solution voicemail: NOT as it should be; no redundancy
  host host1                connected  has not the VIP
  host host2                connected  has the VIP
  pair VM SIP Server        redundant_2
    VM_SIP_Server_1         backup     on host1
    VM_SIP_Server_2         primary    on host2
  pair VM Server            redundant_2
    VM_Server_1             backup     on host1
    VM_Server_2             primary    on host2
  pair Resource Manager     monitored
    RM_1                    down       on host1
    RM_2                    up         on host2
  pair Media Control Platform monitored
    MCP_1                   up         on host1
    MCP_2                   up         on host2
  VIP  198.51.100.10/24     held_2
"""


def test_the_status_of_a_voicemail_solution_is_whole_and_then_lacks_an_application(on_site, file, eventually):
    text = example_text("voicemail").replace("\n[[alarms]]\n", "\n[[alarms]]\ncancel_timeout_ms = 604800000\n")
    paths = {"journal": "journal.sqlite", "socket": "agent.sock", "spool": "spool", "keys": "keys"}
    places = "".join(f"{key} = {json.dumps(str(file.parent / 'state' / name))}\n" for key, name in paths.items())
    file.write_text(f"{text}\n[agent]\n{places}")

    async def scenario(site: Site) -> None:
        status, output, _ = await site.run("status")
        assert (status, output.splitlines()[0]) == (0, "solution voicemail: as it should be")
        site.hosts[H1].deliver(ApplicationReported("RM_1", Mode.DOWN))
        await eventually(lambda: not site.agent.solution.state.pending and site.agent.solution.state.vip == "held_2")
        status, output, errors = await site.run("status")
        assert (status, without_alarms(output), errors) == (1, VOICEMAIL_AS_TEXT, "")
        assert "  alarm RM_1 found terminated: active\n  alarm RM_1 terminated: active\n" in output
        assert "  alarm VM_SIP_Server_1 primary: rearmed\n" in output
        status, output, _ = await site.run("status", "--json")
        told = json.loads(output)
        assert (status, told["placement"], told["redundancy"]) == (1, "together_2", False)
        assert told["monitored"][0]["applications"][0] == {"name": "RM_1", "host": H1, "state": "down"}
        assert {"name": "RM_1 terminated", "state": "active"} in told["alarms"]
        assert await site.run("start", "RM_1") == (0, "an operator asked for it: it is started\n", "")
        await eventually(lambda: not site.agent.solution.state.pending)
        assert await site.run("start", "RM_1") == (0, "it runs already\n", "")
        assert (await site.run("status"))[0] == 0
        assert await site.run("stop", "Premise_SIP_Server") == (1, "", "its host is not heard\n")
        unknown = await site.run("stop", "nobody")
        assert (unknown[0], unknown[2].partition(";")[0]) == (1, "unknown application 'nobody'")

    on_site(scenario)


def test_the_status_of_a_solution_that_is_not_as_it_should_be_has_exit_status_1(on_site):
    async def scenario(site: Site) -> None:
        site.hosts[H2].deliver(ApplicationReported(A2, Mode.DOWN))
        status, output, errors = await site.run("status")
        assert (status, errors) == (1, "")
        assert output.startswith("solution lab: NOT as it should be; no redundancy\n")
        assert "pair SIP Server           no_redundancy_1" in output
        assert (await site.run("status", "--json"))[0] == 1

    on_site(scenario)


def test_a_switch_is_waited_for_and_its_outcome_shown(on_site):
    async def scenario(site: Site) -> None:
        status, output, errors = await site.run("switch", H2)
        assert (status, errors) == (0, "")
        assert "an operator or a reaction asks for it" in output
        assert "pair SIP Server           redundant_2" in output
        again = await site.run("switch", A2)
        assert (again[0], again[2]) == (0, "")
        assert again[1].startswith("it is primary already\n")

    on_site(scenario)


def test_a_switch_to_a_worse_side_is_refused_with_exit_status_1(on_site):
    async def scenario(site: Site) -> None:
        site.hosts[H2].deliver(ApplicationReported(A2, Mode.DOWN))
        text = "that application is down: never switch to a side that is known to be worse\n"
        for to in (A2, H2):
            assert await site.run("switch", to) == (1, "", text)
        unknown = f"unknown application 'nobody'; known are {A1}, {A2}\n"
        assert await site.run("switch", "nobody") == (1, "", unknown)

    on_site(scenario)


def test_a_switch_that_is_not_done_in_time_says_how_far_it_came(on_site, file, capsys, monkeypatch):
    monkeypatch.setattr(cli, "SWITCH_WITHIN_S", 0.2)

    async def scenario(site: Site) -> None:
        site.hosts[H1].obedient = False
        assert await asyncio.to_thread(cli.main, ["switch", A2, "-c", str(file)]) == 1

    on_site(scenario)
    errors = capsys.readouterr().err
    assert errors.startswith("switchover: not done within 0.2 s\nsolution lab: NOT as it should be; no redundancy\n")
    assert errors.endswith(f"  under way: demote {A1}\n")


def commands(site: Site) -> list[str]:
    """What the agent has commanded, timers aside."""
    told = (entry.text for _, entry in read(site.journal) if entry.kind == "command")
    return [text for text in told if not text.startswith("start timer")]


def test_an_alarm_reaction_passes_a_log_message_on(on_site):
    async def scenario(site: Site) -> None:
        agrees = (0, "the message agrees with the host's report: its alarm is activated\n", "")
        before = commands(site)
        for _ in range(2):  # an SCS may say it, and its alarm reaction pass it on
            assert await site.run("event", "00-05150", A1) == agrees
        contradicts = (1, "", "the message contradicts the host's report, which counts\n")
        assert await site.run("event", "5151", A1) == contradicts
        assert commands(site) == before
        heard = [entry.text for _, entry in read(site.journal) if entry.text.startswith("received")]
        assert heard == [*[f"received 00-5150 {A1}"] * 2, f"received 00-5151 {A1}"]
        assert not spooled(site.file)

    on_site(scenario)


def test_bytes_that_are_no_text_are_refused_and_the_agent_works_on(on_site, file):
    async def scenario(site: Site) -> None:
        argv = [os.fsencode(word) for word in (*COMMAND, "event", "-c", str(file))]
        done = await asyncio.to_thread(
            subprocess.run, [*argv, b"00-5150\xff", A1.encode()], capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (2, b"")
        assert one_line(done.stderr.decode()).startswith(r"switchover: unknown event id '00-5150\udcff'; known are ")
        assert (await site.run("switch", A2))[0] == 0

    on_site(scenario)


def test_output_that_nobody_reads_is_no_traceback(on_site, file):
    async def scenario(site: Site) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = await asyncio.to_thread(
                subprocess.run,
                [*COMMAND, "status", "-c", str(file)],
                stdout=writing,
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )
        finally:
            os.close(writing)
        assert (done.returncode, done.stderr) == (1, b"")

    on_site(scenario)
