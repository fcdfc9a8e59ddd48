"""The page's connection to the agent: over the operators' socket, as every other client has one.

The agent sends its state after every change and at least every second (`follow`). While it is not there, the connection
is tried again every `RETRY_S`; the page goes on meanwhile, and says so.
"""

import asyncio
import functools
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from ..controller.operator_client import OperatorError, Reply, ask, unreachable

LOG = logging.getLogger("switchover.page")

RETRY_S = 1.0
"""How long after a failure the connection is tried again, in seconds."""

STALE_S = 3.0
"""How old what the agent sent may be and still count, in seconds."""

ANSWER_S = 5.0
"""How long the answer to a request is waited for, in seconds."""

LONGEST_LINE = 1024 * 1024


@frozen(eq=False)
class Heard:
    """What the agent sent (see `followers`), and when it came, in seconds of `time.monotonic`."""

    line: dict[str, Any]
    at: float

    @property
    def status(self) -> dict[str, Any]:
        """The solution as `switchover status --json` has it, with `incidents`, the latest first."""
        return self.line["status"]

    @property
    def age_s(self) -> float:
        """How old it is now, in seconds."""
        return time.monotonic() - self.at


class AgentConnection:
    """Follows the agent behind a socket; `changed` is called after each line, and after a failure."""

    def __init__(self, socket: Path, changed: Callable[[], None] = lambda: None) -> None:
        self.heard: Heard | None = None
        self.changed = changed
        self._socket = socket
        self._failure = "the agent was not asked yet"

    @property
    def trouble(self) -> str:
        """Why what the agent sent last is out of date; empty if it is not."""
        if self._failure:
            return self._failure
        if self.heard is None:
            return "nothing was heard of the agent yet"
        age_s = self.heard.age_s
        return f"the agent was not heard for {age_s:.0f} s" if age_s > STALE_S else ""

    @property
    def present(self) -> Heard | None:
        """What was heard, if it counts."""
        return None if self.trouble else self.heard

    async def run(self) -> None:
        """Follow the agent, until cancelled."""
        while True:
            try:
                await self._follow()
            except (OSError, ValueError, LookupError, TypeError) as error:
                self._fail(str(unreachable(self._socket, error)))
            self.changed()
            await asyncio.sleep(RETRY_S)

    async def ask(self, request: Reply) -> Reply:
        """Ask the agent as an operator does. Raises `OperatorError`."""
        return await asyncio.to_thread(functools.partial(ask, self._socket, request, ANSWER_S))

    async def _follow(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._socket, limit=LONGEST_LINE)
        try:
            writer.write(b'{"do": "follow"}\n')
            while line := await reader.readline():
                sent = json.loads(line)
                if not sent["ok"]:
                    self._fail(f"the agent refuses: {sent['text']}")
                    return
                self._take(Heard(sent, time.monotonic()))
            self._fail(str(unreachable(self._socket, OperatorError("it closed the connection"))))
        finally:
            writer.close()

    def _take(self, heard: Heard) -> None:
        if self._failure:
            LOG.info("the agent is heard at %s", self._socket)
        self.heard, self._failure = heard, ""
        self.changed()

    def _fail(self, why: str) -> None:
        if why != self._failure:
            LOG.warning("%s", why)
        self._failure = why
