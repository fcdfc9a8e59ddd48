"""Requests of operators: each is carried out, is done already, or is refused with the reason."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.agent_harness import A1, A2, H1, H2, AgentHarness, play_in, voicemail
from switchover.fsm import (
    LOG_MESSAGES,
    ApplicationReported,
    HostFellSilent,
    HostLost,
    Mode,
    Start,
    Stop,
)


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    return partial(play_in, tmp_path)


@pytest.mark.parametrize("to", [A2, H2])
def test_a_switch_by_application_or_by_host(play, eventually, to):
    async def scenario(harness: AgentHarness) -> None:
        reply = await harness.ask(do="switch", to=to)
        text = "first the primary goes into backup mode"
        assert reply == {"ok": True, "moved": True, "text": text}
        await eventually(lambda: harness.agent.solution.state.vip == "held_2")
        assert harness.agent.solution.state.pairs[0].state == "redundant_2"
        assert harness.texts_of("event").count(f"requested {A2}") == 1

    play(scenario)


def test_a_switch_to_the_primary_succeeds_and_moves_nothing(play):
    async def scenario(harness: AgentHarness) -> None:
        before = harness.agent.solution.state
        for to in (A1, H1):
            reply = await harness.ask(do="switch", to=to)
            assert reply == {"ok": True, "moved": False, "text": "it is primary already"}
        assert harness.agent.solution.state == before

    play(scenario)


@pytest.mark.parametrize("to", [A2, H2])
def test_a_switch_to_a_worse_side_is_refused(play, to):
    async def scenario(harness: AgentHarness) -> None:
        harness.hosts[H2].deliver(ApplicationReported(A2, Mode.DOWN))
        before = harness.agent.solution.state
        text = "that application is down: no switch to it"
        assert await harness.ask(do="switch", to=to) == {"ok": False, "moved": False, "text": text}
        assert harness.agent.solution.state == before

    play(scenario)


def test_a_log_message_from_outside_activates_its_alarm_or_is_ignored(play):
    async def scenario(harness: AgentHarness) -> None:
        agrees = await harness.ask(do="event", id="5150", application=A1)
        contradicts = await harness.ask(do="event", id="00-05151", application=A1)
        assert [agrees["ok"], contradicts["ok"]] == [True, False]
        assert contradicts["text"] == "the message contradicts the host's report, which counts"
        assert harness.texts_of("command").count(f"alarm {A1} primary") == 1  # when the agent adopted the hosts
        assert agrees["text"] == "the message agrees with the report: alarm activated"
        assert harness.texts_of("event")[-2:] == [f"received 5150 {A1}", f"received 00-05151 {A1}"]

    play(scenario)


def test_applications_are_started_and_stopped_once(play, eventually):
    async def scenario(harness: AgentHarness) -> None:
        state = harness.agent.solution.state
        for do, done, already in (("stop", "stopped", "it does not run"), ("start", "started", "it runs already")):
            count = len(harness.hosts[H2].commands)
            expected = {"ok": True, "moved": True, "text": f"an operator asked for it: it is {done}"}
            assert await harness.ask(do=do, application="RM_2") == expected
            await eventually(lambda: not harness.agent.solution.state.pending)
            assert await harness.ask(do=do, application="RM_2") == {"ok": True, "moved": False, "text": already}
            assert len(harness.hosts[H2].commands) == count + 1
        assert [command for command in harness.hosts[H2].commands if isinstance(command, Start | Stop)] == [
            *(Stop(H2, "RM_2"), Start(H2, "RM_2")),
        ]
        assert harness.agent.solution.state.placement == state.placement

    play(scenario, voicemail)


@pytest.mark.parametrize("do", ["start", "stop"])
def test_applications_out_of_sight_cannot_be_started_or_stopped(play, do):
    async def scenario(harness: AgentHarness) -> None:
        for event in (HostFellSilent(H2), HostLost(H2)):
            harness.hosts[H2].deliver(event)
        for name in ("MCP_2", "Premise_SIP_Server"):
            reply = await harness.ask(do=do, application=name)
            assert reply == {"ok": False, "moved": False, "text": "its host is not heard"}
        assert not any(isinstance(command, Start | Stop) for command in harness.hosts[H2].commands)

    play(scenario, voicemail)


@pytest.mark.parametrize("name", ["RM_2", "Premise_SIP_Server"])
def test_an_application_without_a_mode_cannot_be_switched(play, name):
    async def scenario(harness: AgentHarness) -> None:
        before = harness.agent.solution.state
        reply = await harness.ask(do="switch", to=name)
        assert not reply["ok"]
        assert name in reply["text"]
        assert harness.agent.solution.state == before

    play(scenario, voicemail)


def test_a_message_about_an_outside_application_moves_nothing(play):
    """[S1] premise SIP Server failure: it activates no alarm condition."""

    async def scenario(harness: AgentHarness) -> None:
        counts = [len(host.commands) for host in harness.hosts.values()]
        assert (await harness.ask(do="event", id="00-5091", application="Premise_SIP_Server"))["ok"]
        assert [len(host.commands) for host in harness.hosts.values()] == counts

    play(scenario, voicemail)


def test_a_message_that_agrees_with_the_state_moves_nothing_even_if_repeated(play, eventually):
    """Another SCS sends it; it counts as long as no report of a host contradicts it."""

    async def scenario(harness: AgentHarness) -> None:
        assert (await harness.ask(do="switch", to="VM_SIP_Server_2"))["moved"]
        await eventually(
            lambda: harness.agent.solution.state.vip == "held_2" and not harness.agent.solution.state.pending
        )
        before = harness.agent.solution.state
        counts = [len(host.commands) for host in harness.hosts.values()]
        for _ in range(2):
            assert (await harness.ask(do="event", id="00-4563", application="VM_SIP_Server_2"))["ok"]
        assert harness.agent.solution.state == before
        assert [len(host.commands) for host in harness.hosts.values()] == counts

    play(scenario, voicemail)


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
def test_a_request_with_an_unknown_name_is_refused_and_journalled(play, request_, text):
    async def scenario(harness: AgentHarness) -> None:
        before = harness.agent.solution.state
        assert await harness.ask(**request_) == {"ok": False, "text": text}
        assert harness.agent.solution.state == before
        (refused,) = harness.texts_of("refused")
        assert refused.endswith(f": {text}")

    play(scenario)
