"""`switchover lab`, and the checks that every good outcome passes."""

import sys
from typing import Any

from switchover.agent.lab.network.segment import HOSTS
from switchover.agent.lab.player import REVERSE
from switchover.fsm.documented.scenarios import SCENARIOS
from switchover.fsm.documented.workflows import WORKFLOWS

LAB = (sys.executable, "-W", "error", "-m", "switchover.agent", "lab")
KEYS = {
    *("workflow", "ok", "steps", "outage_ms", "lost", "two_holders_ms", "no_holder_ms"),
    *("gratuitous_arps", "arp_cache", "scripts", "calls"),
}
PATIENCE_S = 120


def check_outcome(outcome: dict[str, Any]) -> None:
    """Check all that holds for a good outcome, on every stage and in every order of the scripts."""
    documented = (WORKFLOWS | SCENARIOS)[outcome["workflow"].removeprefix(REVERSE)]
    assert set(outcome) == KEYS
    assert outcome["ok"] is True
    assert [(step["step"], step["text"]) for step in outcome["steps"]] == [(s.number, s.text) for s in documented.steps]
    assert all(set(step) == {"step", "text", "at_ms"} for step in outcome["steps"])
    times = [step["at_ms"] for step in outcome["steps"]]
    assert all(isinstance(at, float) for at in times)
    assert isinstance(outcome["lost"], int)
    assert all(outcome[key] >= 0 for key in ("outage_ms", "lost", "two_holders_ms", "no_holder_ms"))
    if documented.name in WORKFLOWS:  # in the scenarios, a step may take longer than the next one
        assert times == sorted(times)
        host = outcome["arp_cache"]
    else:
        host = HOSTS[bool(documented.scripts) is not outcome["workflow"].startswith(REVERSE)]
    assert outcome["arp_cache"] == host
    assert outcome["gratuitous_arps"] >= (10 if "enable_vip {new_host}" in documented.scripts else 0)
    names = {"new_host": host, "old_host": next(other for other in HOSTS if other != host)}
    wanted = [script.format(**names) for script in documented.scripts]
    assert outcome["scripts"] == {
        host: {script: wanted.count(f"{script} {host}") for script in ("enable_vip", "disable_vip")} for host in HOSTS
    }
