"""An agent on simulated hosts in one thread, and its live page in another, for the tests of the page."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve, field, frozen
from switchover.agent.configuration.settings import PageSettings
from switchover.agent.controller.agent import Agent
from switchover.agent.controller.operator_socket import OperatorServer
from switchover.agent.controller.status import status
from switchover.agent.lab.settings import LabSettings
from switchover.agent.page.server import PageServer
from switchover.agent.simulation.stage import SimulatedStage

from support.ports import free_port

T = TypeVar("T")

PATIENCE_S = 60


@frozen
class Answer:
    """A response; `headers` by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: str = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class PageStage:
    """The simulated stage and its agent's page; use it with `with`. The agent is only changed in its own loop."""

    def __init__(self, directory: Path, solution: str = "sip", page: PageSettings | None = None) -> None:
        self.settings = evolve(page or PageSettings(), port=free_port())
        self.directory = directory
        self._lab = LabSettings(300, solution=solution)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> "PageStage":
        self.stage = SimulatedStage(self.directory, self._lab)
        configuration = evolve(self.stage.configuration, page=self.settings)
        self.server = PageServer(configuration, self.settings)
        self._serving = threading.Thread(target=lambda: asyncio.run(self.server.serve()))
        self._thread.start()
        try:
            self.run(self._start())
            self._serving.start()
            self.until(lambda: self.agent.solution.state.vip == "held_1" and not self.agent.solution.state.pending)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end_page()
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def end_page(self) -> None:
        """End the page as uvicorn does at a SIGTERM."""
        self.server.server.should_exit = True
        if self._serving.ident is not None:
            self._serving.join()

    async def _start(self) -> None:
        await self.stage.start()  # the loop takes no turn before the followers of the agent listen
        self.operators = OperatorServer(self.agent)
        await self.operators.start()

    async def _close(self) -> None:
        await self.operators.close()
        await self.stage.close()

    @property
    def agent(self) -> Agent:
        return self.stage._agent

    @property
    def journal(self) -> Path:
        """The agent's journal, once everything so far is written."""
        return self.stage.journal

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the agent's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds in the agent's loop and the page has received the state."""

        async def wait() -> None:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    await asyncio.sleep(0.01)
                while not self._is_heard():
                    await asyncio.sleep(0.01)

        self.run(wait())

    def _is_heard(self) -> bool:
        """Whether the page has received the present state, or has ended."""
        if not self._serving.is_alive():
            return True
        heard = self.server.page.agent.heard
        return heard is not None and _lasting(heard.line) == _lasting(json.loads(self.operators._followers._line()))

    def status(self) -> dict[str, Any]:
        """The status that the agent sends."""

        async def read() -> dict[str, Any]:
            return status(self.agent)

        return self.run(read())

    def pause(self) -> threading.Event:
        """Stop the agent's loop until the event is set, as if the machine gave it no time."""
        go_on = threading.Event()
        self._loop.call_soon_threadsafe(go_on.wait, PATIENCE_S)
        return go_on

    def events(
        self,
        count: int,
        during: Callable[[], object] = lambda: None,
        is_last: Callable[[dict[str, Any]], object] = bool,
    ) -> list[dict[str, Any]]:
        """The page's events: at least `count`, until one is the last. `during` runs after the first."""
        with socket.create_connection(("127.0.0.1", self.settings.port), PATIENCE_S) as connection:
            connection.sendall(f"GET /events HTTP/1.1\r\nhost: 127.0.0.1:{self.settings.port}\r\n\r\n".encode())
            events: list[dict[str, Any]] = []
            with connection.makefile("r", encoding="utf-8") as lines:
                while len(events) < count or not is_last(events[-1]):
                    line = lines.readline()
                    assert line, "the stream ended"
                    if line.startswith('data: {"solution"'):
                        events.append(json.loads(line[6:]))
                        if len(events) == 1:
                            during()
        return events

    def ask(self, method: str, path: str, body: object = None, host: str = "", **headers: str) -> Answer:
        """One request; a body is sent as JSON unless it is a string, and `_` in the headers' names are `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=PATIENCE_S)
        return answer_of(connection, method, path, body, host, headers)

    def post(self, path: str, body: object, **headers: str) -> Answer:
        """A POST as the page's own script sends it."""
        return self.ask("POST", path, body, **({"origin": self.url} | headers))

    def switch(self, to: str) -> Answer:
        """Plan a switchover, and do it."""
        ticket = self.ask("GET", f"/plan?to={to}").json["ticket"]
        return self.post("/switch", {"to": to, "ticket": ticket})


def _lasting(line: dict[str, Any]) -> dict[str, Any]:
    """The part of a status that stays the same as long as nothing happens."""
    hosts = [host | {"heard_ms_ago": 0} for host in line["status"]["hosts"]]
    return line | {"status": line["status"] | {"hosts": hosts}, "time_ms": 0}


def answer_of(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object = None,
    host: str = "",
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request on a connection of its own."""
    sent = body if isinstance(body, str | None) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    try:
        connection.request(method, path, sent, named | ({"host": host} if host else {}))
        reply = connection.getresponse()
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read().decode())
    finally:
        connection.close()
