"""What the page is told of the agent: the overview, the incidents, the states of the machines."""

import json
import time
from typing import Any

from attrs import asdict

from ..controller.agent import Agent
from ..controller.operator_socket import status
from ..explain.overview import overview
from ..history.incidents import Incident, summary
from ..history.journal import Handled
from .feed import Feed

SHOWN = 20
"""How many incidents are shown, the latest first."""


class Live:
    """The agent as the page shows it. Make it before the agent starts; it listens to all that is handled."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._over: dict[int, dict[str, Any]] = {}  # the summaries of incidents that do not change any more
        self.feed = Feed(self.text)
        agent.listeners.append(self._notice)

    def text(self) -> str:
        """The solution as it is now, as JSON."""
        agent = self._agent
        seen = overview(status(agent), agent.configuration.solution.detection_ms)
        latest = list(agent.incidents)[-SHOWN:]
        self._over = {number: told for number, told in self._over.items() if number in {each.id for each in latest}}
        told = {"time_ms": time.time_ns() // 1_000_000, "incidents": [self._summary(each) for each in latest[::-1]]}
        return json.dumps(asdict(seen) | told)

    def incident(self, number: int) -> Incident | None:
        """The incident of this number, if it is still at hand."""
        return next((each for each in self._agent.incidents if each.id == number), None)

    def _notice(self, _handled: Handled, _incident: Incident | None) -> None:
        self.feed.stir()

    def _summary(self, incident: Incident) -> dict[str, Any]:
        if incident.id in self._over:
            return self._over[incident.id]
        told = summary(incident)
        if incident.is_over:
            self._over[incident.id] = told
        return told
