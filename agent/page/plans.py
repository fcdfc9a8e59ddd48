"""What a switchover would do now, for the page's dialog: the core's plan on the state that the agent reports."""

import asyncio
import json
from concurrent.futures import Executor

from attrs import field, frozen

from ...fsm import SolutionState, Topology
from ..explain.plan import plan
from ..history.json_format import from_json
from .connection import AgentConnection


@frozen
class Planned:
    """A plan: the outcome in a line, the commands, and every step; and the state of the solution that it is made on.

    `as_of` is the agent's name for that state: with it, a request is refused once anything has happened.
    """

    to: str
    outcome: str
    commands: tuple[str, ...]
    text: str = field(repr=False)
    as_of: str

    @property
    def essence(self) -> str:
        """What an operator agrees to: plans with the same essence do the same."""
        return json.dumps([self.to, self.outcome, self.commands])


class Planner:
    """Makes plans on the present state of an agent's solution; `executor` runs the core, in one thread."""

    def __init__(self, agent: AgentConnection, executor: Executor) -> None:
        self._agent = agent
        self._executor = executor

    async def plan(self, to: str) -> Planned | None:
        """What would be done now; None if nothing of this name can be switched to.

        Raises `OperatorError` if the agent does not answer, and `ValueError` if it sends no state.
        """
        reply = await self._agent.ask({"do": "state"})
        if not reply.get("ok"):
            raise ValueError(f"the agent sends no state: {reply.get('text')}")
        topology, state = from_json(reply["state"])
        if to not in switchable(topology):
            return None
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, _make, topology, state, to, str(reply["as_of"])
        )


def switchable(topology: Topology) -> list[str]:
    """What can be switched to: the hosts, and the applications of redundant pairs."""
    return [*topology.hosts, *(name for pair in topology.pairs for name in pair.applications)]


def _make(topology: Topology, state: SolutionState, to: str, as_of: str) -> Planned:
    found = plan(topology, state, [f"switch {to}"])
    (planned,) = found.events
    return Planned(to, planned.outcome, planned.commands, found.as_text(), as_of)
