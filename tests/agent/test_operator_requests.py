"""What operators ask an agent to do: it is done, is so already, or is refused with the reason."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.operators_desk import A1, A2, H1, H2, Desk, at_desk_in, voicemail
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
def at_desk(tmp_path: Path) -> Callable[..., None]:
    return partial(at_desk_in, tmp_path)


@pytest.mark.parametrize("to", [A2, H2])
def test_a_switch_by_application_or_by_host(at_desk, eventually, to):
    async def scenario(desk: Desk) -> None:
        reply = await desk.ask(do="switch", to=to)
        text = "first the primary goes into backup mode"
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
        text = "that application is down: no switch to it"
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
        assert agrees["text"] == "the message agrees with the report: alarm activated"
        assert desk.news("event")[-2:] == [f"received 5150 {A1}", f"received 00-05151 {A1}"]

    at_desk(scenario)


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
