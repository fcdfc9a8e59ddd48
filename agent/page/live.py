"""What browsers are sent: the overview, the latest incidents, how old both are, and why the agent is not heard."""

import json
from typing import Any

from attrs import asdict

from ...fsm.machines.link import IN_SIGHT
from ..explain.overview import overview
from .connection import AgentConnection


def live_text(agent: AgentConnection, detection_ms: int) -> str:
    """The solution as it was heard last, as JSON; of an agent that was never heard only `trouble`.

    `age_ms` is how old that is; `trouble` says why it does not count any more, and is empty if it does.
    """
    found: dict[str, Any] = {"trouble": agent.trouble}
    if agent.heard is not None:
        heard = agent.heard
        incidents = heard.status["incidents"]
        times = {"time_ms": heard.line["time_ms"], "age_ms": round(heard.age_s * 1000)}
        found = asdict(overview(heard.status, detection_ms)) | times | {"incidents": incidents} | found
    return json.dumps(found)


def health(agent: AgentConnection, detection_ms: int) -> dict[str, object]:
    """Whether the agent serves its purpose: it answers, and it hears a host.

    A host is heard if it is connected and nothing of it is older than the detection time. One that is not heard is a
    matter for the metrics: the agent copes with it.
    """
    if agent.present is None:
        return {"ok": False, "heard": [], "reason": agent.trouble}
    hosts = [host for host in agent.present.status["hosts"] if host["link"] in IN_SIGHT]
    ages = {host["name"]: host["heard_ms_ago"] for host in hosts}
    heard = [host for host, age_ms in ages.items() if age_ms is not None and age_ms <= detection_ms]
    return {"ok": bool(heard), "heard": heard, "reason": "" if heard else f"no host was heard for {detection_ms} ms"}
