"""The status that operators get: the solution as the agent knows it, and the latest incidents."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.agent_harness import A1, A2, H1, H2, AgentHarness, play_in, voicemail
from switchover.fsm import ApplicationReported, HostFellSilent, HostLost, Mode


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    return partial(play_in, tmp_path)


def application(name: str, host: str, mode: str | None) -> dict[str, str | None]:
    return {"name": name, "host": host, "mode": mode}


def test_the_status_is_the_solution_as_the_agent_knows_it(play):
    async def scenario(harness: AgentHarness) -> None:
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
            "journal": {"missing": 0, "not_written_since": None, "reason": ""},
        }
        assert await harness.ask(do="status") == {"ok": True, "status": whole}
        for event in (HostFellSilent(H2), HostLost(H2)):
            harness.hosts[H2].deliver(event)
        pair |= {
            "state": "peer_lost_1",
            "applications": [application(A1, H1, "primary"), application(A2, H2, None)],
        }
        whole["hosts"][1] = {"name": H2, "link": "lost", "vip_held": None, "heard_ms_ago": None}
        vip["state"] = "owed_1"
        whole["redundancy"] = False
        assert await harness.ask(do="status") == {"ok": True, "status": whole}

    play(scenario)


def test_the_status_has_the_latest_incidents_on_request(play, eventually):
    async def scenario(harness: AgentHarness) -> None:
        await harness.ask(do="switch", to=A2)
        await eventually(lambda: harness.agent.solution.state.vip == "held_2" and harness.agent.incidents[-1].is_over)
        status = (await harness.ask(do="status", incidents=1))["status"]
        (latest,) = status["incidents"]
        cause, outcome = f"an operator asks for {A2} as primary", "SIP Server: host1 -> host2; VIP: host1 -> host2"
        assert (latest["cause"], latest["outcome"], latest["is_over"]) == (cause, outcome, True)
        assert len((await harness.ask(do="status", incidents=9))["status"]["incidents"]) == 2
        assert "incidents" not in (await harness.ask(do="status"))["status"]

    play(scenario)


def test_the_status_of_a_whole_voicemail_solution(play, eventually):
    """Monitored pairs, outside applications, the placement, redundancy, and active alarms."""

    async def scenario(harness: AgentHarness) -> None:
        status = (await harness.ask(do="status"))["status"]
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
        harness.hosts[H1].deliver(ApplicationReported("RM_1", Mode.DOWN))
        await eventually(
            lambda: harness.agent.solution.state.vip == "held_2" and not harness.agent.solution.state.pending
        )
        status = (await harness.ask(do="status"))["status"]
        assert (status["placement"], status["redundancy"]) == ("together_2", False)
        assert {pair["state"] for pair in status["pairs"]} == {"redundant_2"}
        assert [each["state"] for each in status["monitored"][0]["applications"]] == ["down", "up"]
        alarms = {alarm["name"]: alarm["state"] for alarm in status["alarms"]}
        assert {name for name, state in alarms.items() if state == "active"} == {
            *("RM_1 found terminated", "RM_1 terminated"),
            *("VM_SIP_Server_2 primary", "VM_Server_2 primary", "VM_SIP_Server_1 backup"),
        }

    play(scenario, voicemail)
