"""`switchover simulate`: scripts of faults on simulated hosts, with the real agent and core, in virtual time."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.simulated import example, played
from support.topologies import TAKEOVER, VOICEMAIL
from switchover.agent.cli import main as cli
from switchover.agent.configuration.load import load
from switchover.agent.history.incidents import incidents
from switchover.agent.history.journal import read
from switchover.agent.simulation import virtual_time
from switchover.agent.simulation.scenario import LONGEST_MS, Act, ScenarioError, read_scenario
from switchover.agent.simulation.simulate import as_text, simulate

DAY = (
    "0 fail SIP_Server_1",
    "1000 start SIP_Server_1",
    "2000 lose host2  # without a goodbye",
    "5000 return host2",
    "7000 switch host2",
)


def test_a_simulated_day_is_reported_with_its_incidents_and_outages(tmp_path):
    simulation = played(tmp_path, "sip", *DAY)
    assert as_text(example(tmp_path, "sip"), simulation) == REPORT


REPORT = """\
switchover simulate: SIMULATED hosts, virtual time; VIP order together; a host silent for 300 ms is lost
the times are the simulation's own: a message takes 0.2 ms, a control command 3 ms, a VIP script 0.5 ms
times of acts and incidents count from the beginning; of several outages the longest is shown

script.txt
----------
      0.0 ms  SIP_Server_1 fails
      0.2 ms    incident 31: SIP_Server_1: it failed
                  outcome  SIP Server: host1 -> host2; VIP: host1 -> host2; redundancy lost
                  after ms detected 0.0, decided 0.0, promoted 3.4, VIP down 4.3, VIP up 4.3, served 4.3, announced
                           5.2
   1000.0 ms  SIP_Server_1 is started
   1000.2 ms    incident 56: SIP_Server_1: it is up again
                  outcome  nothing was moved; redundancy restored
                  after ms detected 0.0
   2000.0 ms  host2 is lost
   2150.0 ms    incident 59: SIP_Server_2: its host is lost, and the application with it
                  outcome  SIP Server: host2 -> host1; VIP: host2 -> host1; redundancy lost
                  after ms detected 150.0, decided 150.0, promoted 153.4, VIP up 154.3, announced 154.3, served 154.3
                  not done VIP: not run: its host is lost, the release is owed
   5000.0 ms  host2 returns
   5030.0 ms    incident 87: SIP_Server_2: its host returned, and it runs
                  outcome  nothing was moved; redundancy restored
                  after ms detected 0.0, decided 0.0, demoted 3.4, VIP down 4.3, announced 5.2
   7000.0 ms  an operator asks for host2
   7000.0 ms    incident 109: an operator asks for SIP_Server_2 as primary
                  outcome  SIP Server: host1 -> host2; VIP: host1 -> host2
                  after ms detected 0.0, decided 0.0, demoted 3.4, promoted 6.8, VIP down 7.7, VIP up 7.7, served 7.7,
                           announced 8.6
                  not done VIP: not run again: the VIP is being released there
      client  outage 304.0 ms, 308 requests lost, answered at the end by SIP_Server_2
         VIP  two reachable holders for 34.1 ms, none for 304.1 ms
         ARP  60 gratuitous frames reached the client, whose cache points at host2
     scripts  ran enable_vip on host1: 1, disable_vip on host1: 2, enable_vip on host2: 2, disable_vip on host2: 1
          ok"""


def test_the_same_script_always_has_the_same_result(tmp_path):
    """Including its times, to the nanosecond: nothing comes from the machine's clock."""
    stories = []
    for number in (1, 2):
        directory = tmp_path / str(number)
        directory.mkdir()
        simulation = played(
            directory, "voicemail", "0 lose host1", "10 fail RM_2", "3000 return host1", "4000 start RM_2"
        )
        stories.append((simulation.as_json(), list(read(directory / "journal.sqlite"))))
    assert stories[0] == stories[1]


def test_a_script_that_fails_is_run_again_until_it_works(tmp_path):
    lines = ("0 script-fails host2 enable_vip", "0 fail SIP_Server_1", "2500 script-works host2 enable_vip")
    simulation = played(tmp_path, "sip", *lines)
    assert simulation.outcome.ok
    assert simulation.outcome.scripts["host2"] == {"enable_vip": 4, "disable_vip": 0}
    served = {phase.name: phase.at_ms for phase in simulation.incidents[0].phases}["served"]
    assert served == pytest.approx(3.4 + 3 * (1000 + 0.9) + 0.9)
    assert simulation.outcome.measured.outage_ms == pytest.approx(served, abs=1.5)


def test_a_control_command_that_fails_is_reported(tmp_path):
    lines = ("0 command-fails SIP_Server_2 to_primary", "0 switch host2", "900 command-works SIP_Server_2 to_primary")
    simulation = played(tmp_path, "sip", *lines)
    assert simulation.incidents[0].outcome == "nothing was moved"
    assert "failed promote SIP_Server_2: exit status 1" in [handled.text for handled in simulation.incidents[0].handled]


def test_an_end_without_service_is_reported_as_wrong(tmp_path):
    simulation = played(tmp_path, "sip", "0 lose host1", "1000 lose host2")
    assert simulation.outcome.wrong == (
        "the VIP is on no reachable host",
        "no host in sight holds the VIP and is primary",
    )
    assert simulation.outcome.measured.answered_by == "SIP_Server_2"


def test_waiting_for_a_script_that_never_works_ends(tmp_path):
    simulation = played(tmp_path, "sip", "0 script-fails host2 enable_vip", "0 fail SIP_Server_1")
    assert simulation.outcome.wrong == (
        "the VIP is on no reachable host",
        "no host in sight holds the VIP and is primary",
        "not at rest after 15 s",
    )


def test_with_literal_reactions_the_simulation_begins_without_active_alarms(tmp_path):
    """This shows the trap of [S1]: an alarm that is still active does not react, so the VIP stays behind."""
    example(tmp_path, "sip")
    text = (tmp_path / "sip.toml").read_text()
    file = tmp_path / "literal.toml"
    file.write_text(text.replace("[solution]", '[solution]\nreactions = "literal"'))
    acts = read_scenario(script(tmp_path, "0 switch host2\n1000 switch host1\n2000 switch host2\n"), TAKEOVER)
    simulation = simulate(load(file), "literal", acts, tmp_path / "journal.sqlite")
    assert [incident.outcome for incident in simulation.incidents] == [
        "SIP Server: host1 -> host2; VIP: host1 -> host2",
        "SIP Server: host2 -> host1; VIP: host2 -> host1",
        "SIP Server: host1 -> host2",
    ]
    assert simulation.outcome.wrong == ("no host in sight holds the VIP and is primary",)


# The script


def script(directory: Path, text: str) -> Path:
    (directory / "script.txt").write_text(text)
    return directory / "script.txt"


def test_a_script_is_lines_with_a_time_and_an_act(tmp_path):
    text = "# a day\n\n  0   fail RM_1\n5 switch host2 # why not\n5 message 5150 VM_Server_2\n"
    text += "7 script-fails host1 enable_vip"
    assert read_scenario(script(tmp_path, text), VOICEMAIL) == (
        Act(0, "fail RM_1"),
        Act(5, "switch host2"),
        Act(5, "message 5150 VM_Server_2"),
        Act(7, "script-fails host1 enable_vip"),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fail SIP_Server_1", ":1: 'fail' is not a time: a line begins with 0 to 600000, in ms"),
        (f"{LONGEST_MS + 1} fail SIP_Server_1", ":1: '600001' is not a time"),
        ("-1 fail SIP_Server_1", ":1: '-1' is not a time"),
        ("٣ fail SIP_Server_1", ":1: '٣' is not a time"),
        ("5 fail SIP_Server_1\n\n4 start RM_1", ":3: 4 ms comes after 5 ms: put the lines in the order of time"),
        ("0 explode host1", ":1: 'explode host1' is no event"),
        ("0", ":1: '' is no event"),
        ("0 lose host3", ":1: 'lose host3': unknown host 'host3'; known are host1, host2"),
        ("0 return host1 backup", ":1: 'return host1 backup': it returns in its own state: say 'return HOST'"),
        ("0 script-fails host1 enable", ":1: 'script-fails host1 enable': say 'script-fails HOST SCRIPT' (host1"),
        ("0 script-fails", ":1: 'script-fails': say 'script-fails HOST SCRIPT'"),
        ("0 command-fails SIP_Server_3 start", ":1: 'command-fails SIP_Server_3 start': say"),
        ("0 command-fails SIP_Server_1 jump", ":1: 'command-fails SIP_Server_1 jump': say"),
        ("# nothing", ": contains no act, such as '500 fail SIP_Server_1'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_script_is_reported_with_its_line(tmp_path, text, complaint):
    file = script(tmp_path, text)
    with pytest.raises(ScenarioError) as caught:
        read_scenario(file, TAKEOVER)
    assert str(caught.value).startswith(f"{file}{complaint}")


@pytest.mark.parametrize("make", [lambda file: None, lambda file: file.write_bytes(b"\xff"), lambda file: file.mkdir()])
def test_a_script_that_is_not_text_is_refused(tmp_path, make):
    make(tmp_path / "script.txt")
    with pytest.raises(ScenarioError, match=r"script\.txt cannot be read: "):
        read_scenario(tmp_path / "script.txt", TAKEOVER)


# The command


def test_the_command_prints_json_and_keeps_its_journal(tmp_path, capsys):
    example(tmp_path, "sip")
    file, journal = str(script(tmp_path, "\n".join(DAY))), tmp_path / "kept.sqlite"
    arguments = ["simulate", str(tmp_path / "sip.toml"), file]
    assert cli.main([*arguments, "--json", "--journal", str(journal)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["acts"][2] == {"at_ms": 2000, "act": "lose host2"}
    assert [each["incident"] for each in report["incidents"]] == [each.id for each in incidents(journal)][1:]
    assert (report["workflow"], report["ok"], report["lost"] > 0) == ("script.txt", True, True)
    assert cli.main([*arguments, "--journal", str(journal)]) == 1
    assert capsys.readouterr().err == (f"switchover: the journal {journal} exists already: name a new file\n")
    assert cli.main(["why", "--journal", str(journal)]) == 0
    assert "an operator asks for SIP_Server_2 as primary" in capsys.readouterr().out


def test_bad_input_is_an_error_of_one_line(tmp_path, capsys):
    example(tmp_path, "sip")
    file = script(tmp_path, "0 jump")
    assert cli.main(["simulate", str(tmp_path / "sip.toml"), str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"switchover: {file}:1: 'jump' is no event")


def test_the_command_imports_nothing_heavy_and_leaves_no_files(tmp_path):
    """In a process of its own; the configured files are not touched either."""
    example(tmp_path, "sip")
    code = (
        "import sys; from argparse import Namespace; from switchover.agent.simulation.simulate import run_simulate;"
        "status = run_simulate(Namespace(file='sip.toml', scenario='script.txt', journal=None, json=False));"
        "assert not {'numpy', 'rich', 'starlette'} & sys.modules.keys(); sys.exit(status)"
    )
    script(tmp_path, DAY[0])
    done = subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["script.txt", "sip.toml"]


# Virtual time


def test_virtual_time_passes_in_order_and_without_waiting():
    async def story() -> list[tuple[float, str]]:
        loop, moments = asyncio.get_running_loop(), []
        began = loop.time()

        def tell(what: str) -> None:
            moments.append((round(loop.time() - began, 6), what))

        for what in ("first", "second", "third"):
            loop.call_later(3600, tell, what)
        loop.call_later(0.001, tell, "soon")
        await asyncio.sleep(7200)
        tell("end")
        return moments

    real = time.monotonic()
    moments = virtual_time.run(story())
    assert moments == [(0.001, "soon"), (3600, "first"), (3600, "second"), (3600, "third"), (7200, "end")]
    assert time.monotonic() - real < 3600


def test_past_moments_are_not_kept():
    async def story() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(3000):
            await asyncio.sleep(1)
        return round(loop.time() - began, 3)

    assert virtual_time.run(story()) == 3000


def test_waiting_for_nothing_is_an_error():
    async def story() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="would never move on"):
        virtual_time.run(story())


def test_the_clock_of_the_loop_is_virtual_too():
    async def story() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual_time.VirtualLoop)
        wall_ns, mono_ns = loop.clock.wall_ns(), loop.clock.mono_ns()
        await asyncio.sleep(1.5)
        return loop.clock.wall_ns() - wall_ns, loop.clock.mono_ns() - mono_ns

    assert virtual_time.run(story()) == (1_500_000_000, 1_500_000_000)
