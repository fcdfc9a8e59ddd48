"""What a switchover would do now, for the page's dialog: made by a process of its own, so that the agent never waits.

`python -m switchover.agent.page.planned NAME` reads the solution's state from standard input, as `switchover plan` gets
it from the agent, and writes the plan as JSON.
"""

import json
import sys

from attrs import field, frozen

from ...fsm import SolutionState
from ..controller.agent import Agent
from ..explain.plan import plan
from ..history.json_format import as_json, from_json
from .helpers import Helpers

TRIES = 3
"""How often a plan is made again because the solution has changed while it was made."""


@frozen
class Planned:
    """A plan: the outcome in a line, the commands, and every step; and the state of the solution that it is made on."""

    to: str
    outcome: str
    commands: tuple[str, ...]
    text: str = field(repr=False)
    state: SolutionState = field(repr=False)

    @property
    def essence(self) -> str:
        """What an operator agrees to: plans with the same essence do the same."""
        return json.dumps([self.to, self.outcome, self.commands])


class Planner:
    """Makes plans on the state of an agent's solution."""

    def __init__(self, agent: Agent, helpers: Helpers) -> None:
        self._agent = agent
        self._helpers = helpers
        self._latest: Planned | None = None

    async def plan(self, to: str) -> Planned | None:
        """What would be done on the state as it is when this returns; None if that cannot be told."""
        for _ in range(TRIES):
            state = self._agent.solution.state
            if self._latest is None or (self._latest.to, self._latest.state) != (to, state):
                self._latest = await self._make(to, state)
            if self._latest is None or self._latest.state == self._agent.solution.state:
                return self._latest
        return None

    async def _make(self, to: str, state: SolutionState) -> Planned | None:
        present = json.dumps(as_json(self._agent.solution.topology, state))
        made = await self._helpers.run(__name__, to, text=present)
        if made is None:
            return None
        found = json.loads(made)
        return Planned(to, found["outcome"], tuple(found["commands"]), found["text"], state)


def _main(to: str) -> None:
    found = plan(*from_json(json.load(sys.stdin)), [f"switch {to}"])
    (planned,) = found.events
    print(json.dumps({"outcome": planned.outcome, "commands": planned.commands, "text": found.as_text()}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
