"""What is typed: the real command in a process of its own, its output and its exit status."""

# ruff: noqa: S603  # the commands are our own

import asyncio
import json
import os
import re
import shlex
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
from switchover.agent.configuration import example_text, load
from switchover.agent.journal import Journal, read
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.agent.operator import OperatorServer
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    Event,
    HostCommand,
    HostConnected,
    HostReport,
    Mode,
)

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
    assert {"init", "check", "keys", "agent", "lca", "status", "switch", "event", "lab"} <= set(found)
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
    for path, reason in ((file, "File exists"), (tmp_path / "missing" / "x", "No such file or directory")):
        assert run("init", path) == (1, "", f"switchover: {path} is not written: {reason}\n")
    assert file.read_text() == "mine"


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
    "arguments", [["status"], ["status", "--json"], ["switch", H2], ["event", "00-5150", A1]], ids=str
)
def test_without_an_agent_there_is_one_line_and_exit_status_3(file, arguments):
    status, output, errors = run(*arguments, "-c", file)
    assert (status, output) == (3, "")
    assert one_line(errors).endswith("; is `switchover agent` running here?")


@pytest.mark.parametrize("arguments", [["status"], ["keys"]], ids=str)
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
    deliver: Callable[[Event], None]
    obedient: bool = True

    def start(self) -> None:
        first = self.name == H1
        report = HostReport({A1: Mode.PRIMARY} if first else {A2: Mode.BACKUP}, vip_held=first)
        self.soon(HostConnected(self.name, report))

    async def close(self) -> None:
        self.deliver = lambda _: None

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        if self.obedient:
            self.soon(CommandSucceeded(command.id))

    def soon(self, event: Event) -> None:
        asyncio.get_running_loop().call_soon(lambda: self.deliver(event))


@define(eq=False)
class Site:
    """A site in which an agent runs, in this process, so that the commands alone run in their own."""

    file: Path
    hosts: dict[str, Host]
    journal: Path

    async def run(self, *arguments: object) -> tuple[int, str, str]:
        return await asyncio.to_thread(run, *arguments, "-c", self.file)


@pytest.fixture
def on_site(file, eventually) -> Callable[[Callable[[Site], Coroutine[Any, Any, None]]], None]:
    async def main(scenario: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
        settings, hosts = load(file), {}

        def connect(name: str, deliver: Callable[[Event], None]) -> Host:
            hosts[name] = Host(name, deliver)
            return hosts[name]

        journal = Journal(settings.agent.journal)
        agent = Agent(settings, journal, connect)
        server = OperatorServer(agent)
        await server.start()
        agent.start()
        try:
            await eventually(lambda: agent.solution.state.vip == "held_1" and not agent.solution.state.pending)
            await scenario(Site(file, hosts, settings.agent.journal))
        finally:
            await server.close()
            await agent.close()
            journal.close()

    return lambda scenario: asyncio.run(asyncio.wait_for(main(scenario), 120))


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
        assert await site.run("status") == (0, AS_TEXT, "")
        status, output, errors = await site.run("status", "--json")
        assert (status, errors) == (0, "")
        told = json.loads(output)
        assert list(told) == ["solution", "hosts", "pairs", "vip", "pending"]
        assert told["vip"] == {"state": "held_1", "addresses": list(VIP)}

    on_site(scenario)


def test_the_status_of_a_solution_that_is_not_as_it_should_be_has_exit_status_1(on_site):
    async def scenario(site: Site) -> None:
        site.hosts[H2].deliver(ApplicationReported(A2, Mode.DOWN))
        status, output, errors = await site.run("status")
        assert (status, errors) == (1, "")
        assert output.startswith("solution lab: NOT as it should be\n")
        assert "pair SIP Server           no_redundancy_1" in output
        assert (await site.run("status", "--json"))[0] == 1

    on_site(scenario)


def test_a_switch_is_waited_for_and_its_outcome_shown(on_site):
    async def scenario(site: Site) -> None:
        status, output, errors = await site.run("switch", H2)
        assert (status, errors) == (0, "")
        assert "an operator asked for it" in output
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
    assert errors.startswith("switchover: not done within 0.2 s\nsolution lab: NOT as it should be\n")
    assert errors.endswith(f"  under way: demote {A1}\n")


def test_an_alarm_reaction_passes_a_log_message_on(on_site):
    async def scenario(site: Site) -> None:
        agrees = (0, "the message agrees with the host's report: its alarm is activated\n", "")
        assert await site.run("event", "00-05150", A1) == agrees
        contradicts = (1, "", "the message contradicts the host's report, which counts\n")
        assert await site.run("event", "5151", A1) == contradicts
        for arguments, text in (
            (("00-4711", A1), "unknown event id '00-4711'; known are 00-5150, 00-5151\n"),
            (("00-5150", "nobody"), f"unknown application 'nobody'; known are {A1}, {A2}\n"),
        ):
            assert await site.run("event", *arguments) == (1, "", text)
        told = [entry.text for _, entry in read(site.journal) if entry.kind == "refused"]
        assert [text.split(":")[0] for text in told] == [f"received 00-4711 {A1}", "received 00-5150 nobody"]

    on_site(scenario)


def test_bytes_that_are_no_text_are_refused_and_the_agent_works_on(on_site, file):
    async def scenario(site: Site) -> None:
        argv = [os.fsencode(word) for word in (*COMMAND, "event", "-c", str(file))]
        done = await asyncio.to_thread(
            subprocess.run, [*argv, b"00-5150\xff", A1.encode()], capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (1, b"")
        assert one_line(done.stderr.decode()).startswith("not JSON: ")
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
