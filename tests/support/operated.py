"""An agent at work on simulated hosts in virtual time, with a real socket for operators, for the documents."""

import asyncio
import json
import re
import socketserver
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from switchover.agent.configuration.examples import example_text
from switchover.agent.configuration.load import load
from switchover.agent.simulation import simulate
from switchover.agent.simulation.scenario import Act
from switchover.agent.simulation.virtual_time import VirtualLoop

T = TypeVar("T")

REPLIED_AFTER_S = 0.05
"""How far virtual time goes on after each request."""


def root_of(place: Path) -> Path:
    """The directory that stands for /etc/switchover."""
    return place / "etc" / "switchover"


class Operated:
    """Use it with `with`. `what` is an example configuration and the events so far, as in `sip; lose host1`."""

    def __init__(self, place: Path, what: str) -> None:
        self._example, *self._acts = what.split("; ")
        self._place = place
        self._one_thread = ThreadPoolExecutor(max_workers=1)  # the loop belongs to a thread
        self._paths = {
            "journal": place / "var" / "lib" / "switchover" / "journal.sqlite",
            "socket": place / "run" / "switchover" / "agent.sock",
            "spool": place / "var" / "lib" / "switchover" / "spool",
        }

    def __enter__(self) -> None:
        for path in self._paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        root_of(self._place).mkdir(parents=True, exist_ok=True)
        file = root_of(self._place) / "switchover.toml"
        file.write_text(self._configuration())
        self._loop = self._one_thread.submit(VirtualLoop).result()
        self._simulation = simulate._Simulation(load(file), self._loop.clock)
        self._run(self._begin)
        self._server = _Server(str(self._paths["socket"]), self._ask)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._run(self._simulation.close)
        self._one_thread.submit(self._loop.close).result()
        self._one_thread.shutdown()

    def _configuration(self) -> str:
        lines = "".join(f"{key} = {json.dumps(str(path))}\n" for key, path in self._paths.items())
        text = example_text(self._example)
        return (
            re.sub(r"(?m)^\[agent\]\n", f"[agent]\n{lines}", text)
            if "\n[agent]" in text
            else f"{text}\n[agent]\n{lines}"
        )

    def _run(self, make: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
        return self._one_thread.submit(lambda: self._loop.run_until_complete(make(*arguments))).result()

    async def _begin(self) -> None:
        await self._simulation.start()
        await self._simulation.prepare()
        for words in self._acts:
            await self._simulation.act(Act(0, words))
            await self._simulation.come_to_rest()

    def _ask(self, request: Any) -> Any:
        return self._run(self._asked, request)

    async def _asked(self, request: Any) -> Any:
        reply = await self._simulation.ask(request)
        await asyncio.sleep(REPLIED_AFTER_S)
        return reply


class _Server(socketserver.UnixStreamServer):
    def __init__(self, path: str, ask: Callable[[Any], Any]) -> None:
        self.ask = ask
        super().__init__(path, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        if line := self.rfile.readline():
            self.wfile.write(json.dumps(self.server.ask(json.loads(line))).encode() + b"\n")
