"""Commands that ask a running agent: the real command in a process of its own, its output and its exit status."""

# the commands are our own

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from support.agent_at_work import WillingHost, agent_at_work
from support.typed import A1, A2, COMMAND, H1, H2, VIP, one_line, run, sound_file, spooled
from switchover.agent.cli import main as cli
from switchover.agent.configuration.examples import example_text
from switchover.agent.configuration.load import load
from switchover.agent.controller.agent import Agent
from switchover.agent.history.journal import read
from switchover.agent.history.writer import JournalHealth
from switchover.fsm import ApplicationReported, Mode


@pytest.fixture
def file(tmp_path) -> Path:
    return sound_file(tmp_path)


@define(eq=False)
class Site:
    """A site with an agent in this process, so that only the commands run in processes of their own."""

    file: Path
    hosts: dict[str, WillingHost]
    agent: Agent

    @property
    def journal(self) -> Path:
        """The agent's journal, once everything so far is written."""
        assert self.agent.journal.flush()
        return self.agent.configuration.agent.journal

    async def run(self, *arguments: object) -> tuple[int, str, str]:
        return await asyncio.to_thread(run, *arguments, "-c", self.file)


@pytest.fixture
def on_site(file: Path) -> Callable[[Callable[[Site], Coroutine[Any, Any, None]]], None]:
    async def main(scenario: Callable[[Site], Coroutine[Any, Any, None]]) -> None:
        settings = load(file)
        async with agent_at_work(settings) as (agent, hosts):
            await scenario(Site(file, hosts, agent))

    return lambda scenario: asyncio.run(asyncio.wait_for(main(scenario), 120))


def without_alarms(text: str) -> str:
    """The text without the alarms: which of them are active depends on the time."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("  alarm "))


AS_TEXT = f"""\
solution lab: as it should be
  host host1                connected  holds the VIP
  host host2                connected  does not hold the VIP
  pair SIP Server           redundant_1
    {A1}            primary    on host1
    {A2}            backup     on host2
  VIP  198.51.100.10/24, 2001:db8::10/64 held_1
"""


def test_the_status_is_text_for_people_or_json_for_programs(on_site):
    async def scenario(site: Site) -> None:
        status, output, errors = await site.run("status")
        assert (status, without_alarms(output), errors) == (0, AS_TEXT, "")
        status, output, errors = await site.run("status", "--json")
        assert (status, errors) == (0, "")
        report = json.loads(output)
        assert list(report) == [
            *("solution", "observing", "hosts", "pairs", "monitored", "outside"),
            *("placement", "redundancy", "alarms", "vip", "pending", "journal"),
        ]
        assert report["vip"] == {"state": "held_1", "addresses": list(VIP)}

    on_site(scenario)


VOICEMAIL_AS_TEXT = """\
solution voicemail: NOT as it should be; no redundancy
  host host1                connected  does not hold the VIP
  host host2                connected  holds the VIP
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


def test_the_status_of_a_voicemail_solution_shows_a_failed_application(on_site, file, eventually):
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
        report = json.loads(output)
        assert (status, report["placement"], report["redundancy"]) == (1, "together_2", False)
        assert report["monitored"][0]["applications"][0] == {"name": "RM_1", "host": H1, "state": "down"}
        assert {"name": "RM_1 terminated", "state": "active"} in report["alarms"]
        assert await site.run("start", "RM_1") == (0, "an operator asked for it: it is started\n", "")
        await eventually(lambda: not site.agent.solution.state.pending)
        assert await site.run("start", "RM_1") == (0, "it runs already\n", "")
        assert (await site.run("status"))[0] == 0
        assert await site.run("stop", "Premise_SIP_Server") == (1, "", "its host is not heard\n")
        unknown = await site.run("stop", "nobody")
        assert (unknown[0], unknown[2].partition(";")[0]) == (1, "unknown application 'nobody'")

    on_site(scenario)


def test_the_status_of_a_degraded_solution_has_exit_status_1(on_site):
    async def scenario(site: Site) -> None:
        site.hosts[H2].deliver(ApplicationReported(A2, Mode.DOWN))
        status, output, errors = await site.run("status")
        assert (status, errors) == (1, "")
        assert output.startswith("solution lab: NOT as it should be; no redundancy\n")
        assert "pair SIP Server           no_redundancy_1" in output
        assert (await site.run("status", "--json"))[0] == 1

    on_site(scenario)


def test_a_switch_is_waited_for_and_its_outcome_is_shown(on_site):
    async def scenario(site: Site) -> None:
        status, output, errors = await site.run("switch", H2)
        assert (status, errors) == (0, "")
        assert "first the primary goes into backup mode" in output
        assert "pair SIP Server           redundant_2" in output
        again = await site.run("switch", A2)
        assert (again[0], again[2]) == (0, "")
        assert again[1].startswith("it is primary already\n")

    on_site(scenario)


def test_a_switch_to_a_worse_side_is_refused_with_exit_status_1(on_site):
    async def scenario(site: Site) -> None:
        site.hosts[H2].deliver(ApplicationReported(A2, Mode.DOWN))
        text = "that application is down: no switch to it\n"
        for to in (A2, H2):
            assert await site.run("switch", to) == (1, "", text)
        unknown = f"unknown application 'nobody'; known are {A1}, {A2}\n"
        assert await site.run("switch", "nobody") == (1, "", unknown)

    on_site(scenario)


def test_a_switch_that_is_not_done_in_time_reports_its_progress(on_site, file, capsys, monkeypatch):
    monkeypatch.setattr("switchover.agent.cli.commands.SWITCH_WITHIN_S", 0.2)

    async def scenario(site: Site) -> None:
        site.hosts[H1].is_willing = False
        assert await asyncio.to_thread(cli.main, ["switch", A2, "-c", str(file)]) == 1

    on_site(scenario)
    errors = capsys.readouterr().err
    assert errors.startswith("switchover: not done within 0.2 s\nsolution lab: NOT as it should be; no redundancy\n")
    assert errors.endswith(f"  pending: demote {A1}\n")


def commands(site: Site) -> list[str]:
    """The commands that the agent has given, without timers."""
    texts = (entry.text for _, entry in read(site.journal) if entry.kind == "command")
    return [text for text in texts if not text.startswith("start timer")]


def test_an_alarm_reaction_can_pass_on_a_log_message(on_site):
    async def scenario(site: Site) -> None:
        agrees = (0, "the message agrees with the report: alarm activated\n", "")
        before = commands(site)
        for _ in range(2):  # an SCS may report it, and its alarm reaction pass it on
            assert await site.run("event", "00-05150", A1) == agrees
        contradicts = (1, "", "the message contradicts the host's report, which counts\n")
        assert await site.run("event", "5151", A1) == contradicts
        assert commands(site) == before
        received = [entry.text for _, entry in read(site.journal) if entry.text.startswith("received")]
        assert received == [*[f"received 00-5150 {A1}"] * 2, f"received 00-5151 {A1}"]
        assert not spooled(site.file)

    on_site(scenario)


def test_bytes_that_are_not_text_are_refused_and_the_agent_goes_on(on_site, file):
    async def scenario(site: Site) -> None:
        argv = [os.fsencode(word) for word in (*COMMAND, "event", "-c", str(file))]
        done = await asyncio.to_thread(
            subprocess.run, [*argv, b"00-5150\xff", A1.encode()], capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (2, b"")
        assert one_line(done.stderr.decode()).startswith(r"switchover: unknown event id '00-5150\udcff'; known are ")
        assert (await site.run("switch", A2))[0] == 0

    on_site(scenario)


def test_a_closed_output_pipe_causes_no_traceback(on_site, file):
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


def test_why_says_that_the_latest_events_are_not_in_the_journal(on_site, monkeypatch):
    async def scenario(site: Site) -> None:
        assert (await site.run("why"))[2] == ""
        monkeypatch.setattr(type(site.agent.journal), "health", JournalHealth(3, 4, 10**18, "disk is full"))
        status, output, errors = await site.run("why")
        assert status == 0
        assert output.startswith("incident ")
        assert re.fullmatch(
            r"switchover: journal: not written since 2001-09-\d\d \S+, 7 events missing \(disk is full\):"
            r" what happened since then may not be shown\n",
            errors,
        )
        assert "; journal: not written since " in (await site.run("status"))[1].splitlines()[0]

    on_site(scenario)
