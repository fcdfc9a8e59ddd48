"""OCF resource agents: real ones, of the package pacemaker-resource-agents, and one that misbehaves.

Pacemaker itself is not needed: without it these agents complain that they cannot tell their promotion score, and that
is all. They keep their resource's state in a file; ocf:pacemaker:Stateful has roles, ocf:pacemaker:Dummy has none.
"""

import asyncio
import doctest
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from switchover.drivers.control import ocf
from switchover.drivers.control.applications import Action
from switchover.drivers.control.ocf import PARAMETER, STATUS_NAMES, OcfAgent, OcfControl
from switchover.drivers.errors import DriverError, ExitStatusError, TimedOutError, UnreadableError
from switchover.fsm import Mode

AGENTS = Path("/usr/lib/ocf/resource.d/pacemaker")
DEADLINE_MS = 10_000
"""Generous: what is tested is not speed."""


@pytest.fixture
def agents() -> Path:
    """The directory of the real agents."""
    if not (AGENTS / "Stateful").exists():
        pytest.skip(f"there is no {AGENTS}/Stateful: install pacemaker-resource-agents")
    return AGENTS


@pytest.fixture
def stateful(agents, tmp_path) -> OcfControl:
    return OcfControl(OcfAgent(agents / "Stateful", (f"state={tmp_path}/state",)), "SIP_Server_1", True, 1000)


@pytest.fixture
def dummy(agents, tmp_path) -> OcfControl:
    return OcfControl(OcfAgent(agents / "Dummy", (f"state={tmp_path}/state",)), "MCP_1", False, 1000)


@pytest.fixture
def scripted(tmp_path) -> Callable[[str], OcfControl]:
    """Control by an agent with this shell script."""

    def write(script: str) -> OcfControl:
        agent = tmp_path / "agent"
        agent.write_text(f"#!/bin/sh\n{script}\n")
        agent.chmod(agent.stat().st_mode | stat.S_IXUSR)
        return OcfControl(OcfAgent(agent), "SIP_Server_1", True, 1000)

    return write


def result_of(work: Coroutine[Any, Any, Any], deadline_s: float = 20) -> Any:
    return asyncio.run(asyncio.wait_for(work, deadline_s))


def test_an_agent_with_roles_can_do_every_action(stateful):
    """Each action, and then the answer of `monitor`. This agent requires that a primary is demoted before its stop."""

    async def scenario() -> list[Mode]:
        seen = [await stateful.look(DEADLINE_MS)]
        ways = ("START", "PROMOTE", "DEMOTE", "PROMOTE", "STOP", "STOP", "START", "STOP")
        for way in ways:
            await stateful.act(Action[way], DEADLINE_MS)
            seen.append(await stateful.look(DEADLINE_MS))
        return seen

    down, backup, primary = Mode.DOWN, Mode.BACKUP, Mode.PRIMARY
    assert result_of(scenario()) == [down, backup, primary, backup, primary, down, down, backup, down]


def test_an_agent_without_roles_is_up_or_down(dummy):
    async def scenario() -> list[Mode]:
        seen = [await dummy.look(DEADLINE_MS)]
        for action in (Action.START, Action.START, Action.STOP, Action.STOP):
            await dummy.act(action, DEADLINE_MS)
            seen.append(await dummy.look(DEADLINE_MS))
        return seen

    assert result_of(scenario()) == [Mode.DOWN, Mode.UP, Mode.UP, Mode.DOWN, Mode.DOWN]


@pytest.mark.parametrize("action", [Action.PROMOTE, Action.DEMOTE])
def test_a_refused_action_is_an_error_with_the_name_of_its_status(stateful, action):
    verb = {Action.PROMOTE: "promote", Action.DEMOTE: "demote"}[action]
    with pytest.raises(ExitStatusError, match=rf"/Stateful {verb} ended with status 7 \(OCF_NOT_RUNNING\): "):
        result_of(stateful.act(action, DEADLINE_MS))


def test_an_agent_without_roles_cannot_be_promoted(dummy):
    with pytest.raises(ExitStatusError, match=r"Dummy promote ended with status 3 \(OCF_ERR_UNIMPLEMENTED\)"):
        result_of(dummy.act(Action.PROMOTE, DEADLINE_MS))


@pytest.mark.parametrize(
    ("status", "mode"),
    [(0, Mode.BACKUP), (7, Mode.DOWN), (8, Mode.PRIMARY), (190, Mode.BACKUP), (191, Mode.PRIMARY)],
)
def test_the_answer_of_monitor_is_the_mode(stateful, tmp_path, status, mode):
    (tmp_path / "state.rc").write_text(f"{status}\n")  # the file from which this agent takes its answer
    assert result_of(stateful.look(DEADLINE_MS)) is mode


@pytest.mark.parametrize("status", [1, 2, 3, 4, 5, 6, 9, 10, 255])
def test_any_other_answer_is_an_error_with_its_name_and_the_agent_s_reason(stateful, tmp_path, status):
    (tmp_path / "state.rc").write_text(f"{status}\n")
    name = STATUS_NAMES.get(status, "not an OCF status")
    with pytest.raises(ExitStatusError) as caught:
        result_of(stateful.look(DEADLINE_MS))
    asked = f"{stateful.ocf.agent} monitor"
    assert str(caught.value) == f"{asked} ended with status {status} ({name}): {status} GB redirected to /dev/null"


@pytest.mark.parametrize(
    ("promotable", "resource"),
    [(True, {"promotable": "true", "promoted_max": "1", "master_max": "1", "clone_max": "2"}), (False, {})],
)
def test_an_agent_gets_the_environment_of_the_ocf_api(agents, tmp_path, promotable, resource):
    """As the agent itself records it."""
    dump = tmp_path / "environment"
    agent = OcfAgent(agents / "Stateful", (f"envfile={dump}", f"state={tmp_path}/a=b c"))
    result_of(OcfControl(agent, "SIP_Server_1", promotable, 500).look(1234))
    entries = dict(line.partition("=")[::2] for line in dump.read_text().splitlines())
    expected = {
        "OCF_ROOT": "/usr/lib/ocf",
        "OCF_RA_VERSION_MAJOR": "1",
        "OCF_RA_VERSION_MINOR": "1",
        "OCF_RESOURCE_INSTANCE": "SIP_Server_1",
        "OCF_RESOURCE_TYPE": "Stateful",
        "OCF_RESOURCE_PROVIDER": "pacemaker",
        "OCF_RESKEY_state": f"{tmp_path}/a=b c",
        "OCF_RESKEY_CRM_meta_name": "monitor",
        "OCF_RESKEY_CRM_meta_interval": "500",
        "OCF_RESKEY_CRM_meta_timeout": "1234",
        **{f"OCF_RESKEY_CRM_meta_{name}": value for name, value in resource.items()},
    }
    assert {name: entries.get(name) for name in expected} == expected
    assert ("OCF_RESKEY_CRM_meta_promotable" in entries) is promotable


def test_an_agent_that_does_not_answer_in_time_gives_no_mode(scripted):
    with pytest.raises(TimedOutError, match="agent monitor did not end within 100 ms"):
        result_of(scripted("sleep 100").look(100))


def test_an_agent_that_is_killed_gives_no_mode(scripted):
    """It did not report that the application is down."""
    with pytest.raises(UnreadableError, match="agent monitor ended with status -9"):
        result_of(scripted("kill -9 $$").look(DEADLINE_MS))


def test_a_missing_agent_is_an_error_of_one_line(tmp_path):
    control = OcfControl(OcfAgent(tmp_path / "nothing"), "SIP_Server_1", True, 1000)
    with pytest.raises(DriverError, match="nothing cannot be run: No such file or directory"):
        result_of(control.act(Action.START, DEADLINE_MS))


@pytest.mark.parametrize("text", ["port=5060", "_a1=", "config=/etc/a=b c"])
def test_a_parameter_is_a_name_and_a_value(text):
    assert PARAMETER.fullmatch(text)


@pytest.mark.parametrize("text", ["port", "=1", "1a=1", "a-b=1", "a b=1", "", "a=\0"])
def test_anything_else_is_refused_as_a_parameter(text):
    assert not PARAMETER.fullmatch(text)


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(ocf).failed == 0
