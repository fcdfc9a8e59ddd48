"""`switchover plan`: what an event would lead to. It agrees with what really happens, and nothing is executed."""

import asyncio
import json
from pathlib import Path

import pytest
from attrs import evolve
from support.agent_at_work import agent_at_work
from support.simulated import example, played
from support.topologies import TAKEOVER, VOICEMAIL
from switchover.agent.cli import main as cli
from switchover.agent.configuration.load import load
from switchover.agent.controller.agent import Agent
from switchover.agent.explain.ideal_hosts import IdealHosts, hosts_of
from switchover.agent.explain.plan import PlanError, plan
from switchover.agent.history.journal import read, replay
from switchover.agent.history.json_format import as_json, from_json
from switchover.agent.history.writer import Journal
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    CoreError,
    Event,
    LookAt,
    LookAtVip,
    Mode,
    Promote,
    Solution,
    SolutionState,
    Start,
    Stop,
    VipReported,
)

H1, H2 = "host1", "host2"
A1, A2 = "SIP_Server_1", "SIP_Server_2"


@pytest.fixture(scope="module")
def sip(tmp_path_factory: pytest.TempPathFactory) -> SolutionState:
    """[S2] State prior to switchover."""
    return prior_state(tmp_path_factory.mktemp("sip"), "sip")


@pytest.fixture(scope="module")
def voicemail(tmp_path_factory: pytest.TempPathFactory) -> SolutionState:
    return prior_state(tmp_path_factory.mktemp("voicemail"), "voicemail")


def prior_state(directory: Path, name: str) -> SolutionState:
    nothing = "0 start SIP_Server_1" if name == "sip" else "0 start RM_1"  # it runs already
    assert played(directory, name, nothing).incidents == ()
    return list(replay(directory / "journal.sqlite"))[-1].after


COURSES = [
    ("sip", "fail SIP_Server_1"),
    ("sip", "fail SIP_Server_2"),
    ("sip", "fail SIP_Server_1", "start SIP_Server_1"),
    ("sip", "fail SIP_Server_1", "fail SIP_Server_2", "start SIP_Server_1"),
    ("sip", "switch host2", "switch SIP_Server_1"),
    ("sip", "lose host1", "return host1"),
    ("sip", "lose host1", "fail SIP_Server_2", "return host1"),
    ("sip", "lose host2", "return host2"),
    ("sip", "message 00-5150 SIP_Server_2"),
    ("voicemail", "fail VM_SIP_Server_1"),
    ("voicemail", "fail VM_Server_1", "start VM_Server_1", "switch host1"),
    ("voicemail", "fail RM_1", "fail MCP_2"),
    ("voicemail", "fail RM_1", "start RM_1", "switch host1"),
    ("voicemail", "fail RM_2", "switch host2"),
    ("voicemail", "lose host1", "return host1", "switch host1"),
    ("voicemail", "lose host2", "fail RM_1", "return host2"),
    ("voicemail", "message 00-5091 Premise_SIP_Server"),
]


@pytest.mark.parametrize("course", COURSES, ids="; ".join)
def test_a_plan_agrees_with_what_really_happens(tmp_path, request, course):
    """On hosts that carry out every command, commands and states are the same; only times differ."""
    name, *events = course
    state, topology = request.getfixturevalue(name), example(tmp_path, name).topology()
    result = plan(topology, state, events)
    done = played(tmp_path, name, *(f"{3000 * number} {words}" for number, words in enumerate(events)))
    assert [incident.outcome for incident in done.incidents if incident.moves] == [
        planned.incident.outcome for planned in result.events if planned.incident and planned.incident.moves
    ]
    last = list(replay(tmp_path / "journal.sqlite"))[-1].after
    assert without_alarms(last) == without_alarms(result.after)
    scripts = [c for planned in result.events for c in planned.commands if c.startswith(("enable_vip", "disable_vip"))]
    ran = done.outcome.scripts
    assert {h: {s: scripts.count(f"{s} {h}") for s in ("enable_vip", "disable_vip")} for h in (H1, H2)} == ran


def without_alarms(state: SolutionState) -> SolutionState:
    """A state without its alarms, which may have been cancelled since."""
    return evolve(state, alarms=())


def test_a_plan_gives_the_commands_in_order_with_their_reasons(sip):
    result = plan(TAKEOVER, sip, ["fail SIP_Server_1"])
    assert result.before == sip
    (planned,) = result.events
    assert planned.commands == (
        "promote SIP_Server_2",
        "disable_vip host1",
        "enable_vip host2",
        "announce_vip host2",
    )
    assert planned.outcome == "SIP Server: host1 -> host2; VIP: host1 -> host2; redundancy lost"
    text = result.as_text().splitlines()
    assert text[:15] == [
        "PLAN: nothing is executed; every command is assumed to succeed at once",
        "",
        "if: fail SIP_Server_1",
        "  outcome   SIP Server: host1 -> host2; VIP: host1 -> host2; redundancy lost",
        "  commands  promote SIP_Server_2, disable_vip host1, enable_vip host2, announce_vip host2",
        "",
        "              SIP_Server_1 is reported down",
        "                observed: SIP_Server_1 down",
        "                SIP_Server_1 up -> down   [S1] primary host failure",
        "                  because: it failed",
        "                SIP Server redundant_1 -> taking_over_2   [S2] failure, steps 2-3",
        "                  because: the primary failed: its backup takes over",
        "                  => promote SIP_Server_2",
        "              promote SIP_Server_2: done",
        "                observed: SIP_Server_2 primary",
    ]
    assert text[-4:] == [
        "at the end",
        "  SIP Server  no redundancy: primary on host2, down on host1",
        "  VIP         on host2",
        "  redundancy  NO: SIP Server is not up on host1",
    ]


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        (
            ["fail SIP_Server_2"],
            "nothing would be moved; redundancy lost: SIP Server: "
            "the backup failed: there is no redundancy now",
        ),
        (["switch host1"], "nothing would be moved: SIP Server: it is primary already"),
        (["message 5151 SIP_Server_2"], "nothing would be moved: VIP: not run: it does not hold the VIP"),
        (
            ["fail SIP_Server_2", "switch SIP_Server_2"],
            "nothing would be moved: SIP Server: "
            "that application is down: no switch to it",
        ),
        (["lose host2", "fail SIP_Server_2"], "refused: host2 is not connected: what it says now does not count"),
        (
            ["lose host2", "lose host2"],
            "refused: host link: lost in lost: the connection has been given up already",
        ),
    ],
)  # fmt: skip
def test_a_plan_gives_the_reason_why_nothing_would_be_moved(sip, events, outcome):
    planned = plan(TAKEOVER, sip, events).events[-1]
    assert (planned.outcome, planned.commands) == (outcome, ())


def test_an_event_that_changes_nothing_moves_nothing(voicemail):
    *_, planned = plan(VOICEMAIL, voicemail, ["fail RM_2", "fail RM_2"]).events
    assert planned.outcome == "nothing would be moved: that is so already"


def test_a_refused_event_changes_nothing_and_the_plan_goes_on_after_it(sip):
    refused = plan(TAKEOVER, sip, ["lose host2", "lose host2", "return host2"])
    assert refused.after == plan(TAKEOVER, sip, ["lose host2", "return host2"]).after


def test_a_host_returns_as_it_was_when_it_was_lost(sip):
    """Events on the lost host become visible when it returns."""
    first, *_, last = plan(TAKEOVER, sip, ["lose host1", "fail SIP_Server_1", "return host1"]).events
    assert (first.assumption, last.assumption) == ("", "")
    assert "SIP_Server_1 down; VIP on host1" in [link.text for link in last.chain]


@pytest.mark.parametrize(
    ("words", "assumption", "commands"),
    [
        (
            "return host1",
            "host1 returns with SIP_Server_1 primary, the VIP",
            ("demote SIP_Server_1", "disable_vip host1", "announce_vip host2"),
        ),
        ("return host1 primary", "host1 returns with SIP_Server_1 primary, the VIP", None),
        ("return host1 backup", "host1 returns with SIP_Server_1 backup, no VIP", ("announce_vip host2",)),
    ],
)
def test_the_assumed_state_of_a_returning_host_is_shown(sip, words, assumption, commands):
    lost = plan(TAKEOVER, sip, ["lose host1"]).after
    result = plan(TAKEOVER, lost, [words])
    assert result.events[0].assumption == assumption
    assert commands is None or result.events[0].commands == commands
    assert f"  assumed: {assumption}" in result.as_text().splitlines()


def test_pending_commands_are_carried_out_after_the_first_event(sip):
    solution = Solution(TAKEOVER, sip)
    solution.handle(ApplicationReported(A1, Mode.DOWN))
    assert solution.state.pending == (Promote(H2, A2),)
    result = plan(TAKEOVER, solution.state, ["start SIP_Server_1"])
    assert result.after.pending == ()
    assert result.events[0].commands == ("disable_vip host1", "enable_vip host2", "announce_vip host2")
    assert without_alarms(result.after) == without_alarms(plan(TAKEOVER, sip, ["switch host2"]).after)


def test_virtual_time_passes_while_the_core_waits(tmp_path, sip):
    topology = evolve(TAKEOVER, vip_order="enable-first", drain_ms=30)
    (planned,) = plan(topology, sip, ["switch host2"]).events
    drained = next(link for link in planned.chain if link.text == "the timer 'drain VIP' ran out")
    assert drained.at_ms == 30


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("explode host1", "'explode host1' is no event: say 'fail NAME'"),
        ("fail", "'fail': unknown application ''; known are SIP_Server_1, SIP_Server_2"),
        ("fail host1", "'fail host1': unknown application 'host1'"),
        ("lose SIP_Server_1", "'lose SIP_Server_1': unknown host 'SIP_Server_1'; known are host1, host2"),
        ("return host3", "'return host3': unknown host 'host3'"),
        ("return host1 sideways", "'return host1 sideways' is no event"),
        ("switch nobody", "'switch nobody': unknown redundant application or host 'nobody'"),
        ("message 5150 nobody", "'message 5150 nobody': unknown application 'nobody'"),
        ("message 9999 SIP_Server_1", "'message 9999 SIP_Server_1': unknown event id '9999'"),
    ],
)
def test_an_invalid_event_is_refused_before_anything_is_planned(sip, words, complaint):
    with pytest.raises(PlanError) as caught:
        plan(TAKEOVER, sip, ["fail SIP_Server_1", words])
    assert str(caught.value).startswith(complaint)


# Ideal hosts


@pytest.mark.parametrize(
    ("command", "answers", "modes", "held"),
    [
        (Start(H2, A2, id=3), [ApplicationReported(A2, Mode.BACKUP)], Mode.BACKUP, False),
        (Stop(H2, A2, id=3), [ApplicationReported(A2, Mode.DOWN)], Mode.DOWN, False),
        (LookAt(H2, A2, id=3), [ApplicationReported(A2, Mode.BACKUP)], Mode.BACKUP, False),
        (LookAtVip(H2, id=3), [VipReported(H2, held=False)], Mode.BACKUP, False),
        (Promote(H2, A2, id=3), [], Mode.PRIMARY, False),
    ],
)
def test_an_ideal_host_carries_out_every_command(sip, command, answers, modes, held):
    hosts = hosts_of(TAKEOVER, sip)
    assert list(hosts.answers(command)) == [*answers, CommandSucceeded(3)]
    assert (hosts.modes[A2], hosts.vip_held[H2]) == (modes, held)


def test_an_ideal_host_reports_nothing_that_is_unknown():
    hosts = IdealHosts(Solution(TAKEOVER), {}, {})
    assert list(hosts.answers(LookAt(H2, A2, id=3))) == [CommandSucceeded(3)]
    assert list(hosts.answers(LookAtVip(H2, id=4))) == [CommandSucceeded(4)]


def test_an_endless_exchange_between_hosts_and_core_is_ended(sip):
    class EndlessHosts(IdealHosts):
        def _next(self) -> Event:
            return ApplicationReported(A2, Mode.BACKUP)

    with pytest.raises(CoreError, match="not at rest after 500 events"):
        EndlessHosts(Solution(TAKEOVER, sip), {}, {}).happen()


def test_a_state_survives_json_unchanged(sip):
    solution = Solution(TAKEOVER, sip)
    solution.handle(ApplicationReported(A1, Mode.DOWN))
    topology, state = from_json(json.loads(json.dumps(as_json(TAKEOVER, solution.state))))
    assert (topology, state, state.next_id) == (TAKEOVER, solution.state, solution.state.next_id)
    assert [command.id for command in state.pending] == [command.id for command in solution.state.pending]


@pytest.mark.parametrize("nonsense", [None, [], {}, {"topology": {}, "state": {}}])
def test_an_invalid_state_is_refused(nonsense):
    with pytest.raises(ValueError, match="no topology and state"):
        from_json(nonsense)


# The command


def test_a_plan_can_begin_from_a_journal_without_an_agent(tmp_path, capsys):
    played(tmp_path, "sip", "0 fail SIP_Server_1")
    before = (tmp_path / "journal.sqlite").read_bytes()
    arguments = ["plan", "--journal", str(tmp_path / "journal.sqlite"), "start SIP_Server_1", "switch host1"]
    assert cli.main(arguments) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert (first, last) == (
        "PLAN: nothing is executed; every command is assumed to succeed at once",
        "  redundancy  yes",
    )
    assert cli.main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [(each["event"], each["outcome"], each["refused"]) for each in result["events"]] == [
        ("start SIP_Server_1", "nothing would be moved; redundancy restored: SIP Server: "
         "the failed application is up: redundancy is restored", False),
        ("switch host1", "SIP Server: host2 -> host1; VIP: host2 -> host1", False),
    ]  # fmt: skip
    assert (tmp_path / "journal.sqlite").read_bytes() == before


def test_a_refusal_bad_input_and_a_missing_agent_have_different_exit_statuses(tmp_path, capsys):
    played(tmp_path, "sip", "0 fail SIP_Server_1")
    journal = ["--journal", str(tmp_path / "journal.sqlite")]
    assert cli.main(["plan", *journal, "lose host1", "fail SIP_Server_1"]) == 1
    assert cli.main(["plan", *journal, "jump"]) == 2
    assert "is no event" in capsys.readouterr().err
    Journal(tmp_path / "empty.sqlite").close()
    assert cli.main(["plan", "--journal", str(tmp_path / "empty.sqlite"), "lose host1"]) == 1
    assert (
        capsys.readouterr().err
        == f"switchover: the journal {tmp_path / 'empty.sqlite'} contains no event to plan from\n"
    )
    file = own_configuration(tmp_path)
    assert cli.main(["plan", "-c", str(file), "lose host1"]) == 3
    assert "no agent answers" in capsys.readouterr().err


def own_configuration(directory: Path) -> Path:
    """The example, with all that it writes in a directory of its own."""
    example(directory, "sip")
    text = (directory / "sip.toml").read_text()
    for name, file in (("journal", "agent.sqlite"), ("socket", "agent.sock")):
        text = "\n".join(
            f'{name} = "{directory / file}"' if line.startswith(f"#{name} = ") else line for line in text.splitlines()
        )
    (directory / "own.toml").write_text(text)
    return directory / "own.toml"


def written(agent: Agent) -> int:
    """How many entries its journal has."""
    assert agent.journal.flush()
    return len(list(read(agent.configuration.agent.journal)))


def test_the_running_agent_gives_its_state_and_does_nothing(tmp_path, capsys):
    file = own_configuration(tmp_path)
    settings = load(file)

    async def asked() -> list[str]:
        async with agent_at_work(settings) as (agent, hosts):
            before, entries = agent.solution.state, written(agent)
            assert await asyncio.to_thread(cli.main, ["plan", "-c", str(file), "switch host2"]) == 0
            assert agent.solution.state == before
            assert written(agent) == entries
            return [type(command).__name__ for host in hosts.values() for command in host.commands]

    assert asyncio.run(asked()) == ["AnnounceVip"]
    assert "  outcome   SIP Server: host1 -> host2; VIP: host1 -> host2" in capsys.readouterr().out.splitlines()


def test_an_unusable_answer_of_the_agent_is_an_error(tmp_path, capsys, monkeypatch):
    file = own_configuration(tmp_path)
    monkeypatch.setattr(
        "switchover.agent.explain.plan.ask", lambda socket, request: {"ok": False, "text": "unknown request"}
    )
    assert cli.main(["plan", "-c", str(file), "switch host2"]) == 3
    assert "another version?" in capsys.readouterr().err
