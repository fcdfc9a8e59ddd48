"""Clients that follow the agent: each gets a line of JSON soon after every change, and at least every second.

A line is made once for all of them, and only while there are any. The agent never waits for a client: one that reads
slowly has one line under way and gets the newest one next; one that reads nothing for `PATIENCE_S` is disconnected.
"""

import asyncio
import contextlib
import json
import time
from typing import Any

from ..history.incidents import Incident, summary
from ..history.journal import Handled
from ..history.json_format import as_json
from .agent import Agent
from .counts import Counts
from .feed import Feed
from .status import status

FOLLOWERS = 8
"""How many clients may follow at the same time."""

PATIENCE_S = 60.0
"""How long a line may wait for a client that does not read, in seconds."""

SHOWN = 20
"""How many incidents a line has, the latest first."""


class Followers:
    """Those who follow an agent. Make it before the agent starts: it counts all that is handled."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._counts = Counts()
        self._over: dict[int, dict[str, Any]] = {}  # the summaries of incidents that do not change any more
        self._feed = Feed(self._line)
        self._number = 0
        self._work: asyncio.Task[None] | None = None
        agent.listeners += [self._counts.take, self._notice]

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another one."""
        return self._number >= FOLLOWERS

    async def serve(self, writer: asyncio.StreamWriter) -> None:
        """Send lines to a client until it hangs up. Raises `OSError` when it does, or does not read."""
        writer.transport.set_write_buffer_limits(high=0)  # `drain` returns when the kernel has taken the whole line
        self._number += 1
        if self._number == 1:
            self._work = asyncio.get_running_loop().create_task(self._feed.run())
        try:
            async with contextlib.aclosing(self._feed.texts()) as lines:
                async for line in lines:
                    writer.write(line.encode())
                    async with asyncio.timeout(PATIENCE_S):
                        await writer.drain()
        finally:
            self._number -= 1
            if not self._number and self._work is not None:
                self._work.cancel()
                self._work = None

    def _notice(self, _handled: Handled, _incident: Incident | None) -> None:
        self._feed.stir()

    def _line(self) -> str:
        """The agent as it is now: what an operator's `status` and `state` answer, and the counts."""
        agent = self._agent
        latest = list(agent.incidents)[: -SHOWN - 1 : -1]
        self._over = {each.id: self._over[each.id] for each in latest if each.id in self._over}
        line = {
            "ok": True,
            "time_ms": time.time_ns() // 1_000_000,
            "status": status(agent) | {"incidents": [self._summary(each) for each in latest]},
            "state": as_json(agent.solution.topology, agent.solution.state),
            "counts": self._counts.as_json(),
        }
        return f"{json.dumps(line)}\n"

    def _summary(self, incident: Incident) -> dict[str, Any]:
        if incident.id in self._over:
            return self._over[incident.id]
        summed_up = summary(incident)
        if incident.is_over:
            self._over[incident.id] = summed_up
        return summed_up
