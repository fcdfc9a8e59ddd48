"""How operators reach the agent: one line of JSON in, one line of JSON out, over a socket of this machine's.

The socket belongs to the agent's user alone (mode 0600). Requests are `{"do": "status"}` (with `"incidents": N` also so
many of the latest), `{"do": "state"}`, `{"do": "switch", "to": NAME}`, `{"do": "start", "application": NAME}`,
`{"do": "stop", "application": NAME}` and `{"do": "event", "id": ID, "application": NAME}`. A reply has `ok`, and
`text` or what was asked for.
"""

import asyncio
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from ...fsm import CoreError, Step
from ...fsm.records import describe_command
from ..history.incidents import has_redundancy, summary
from ..history.json_format import as_json
from .agent import Agent
from .operator_client import OperatorError, Reply, ask

LOG = logging.getLogger("switchover.operator")

LONGEST_LINE = 16 * 1024


class OperatorServer:
    """The agent's end of the socket."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._path = agent.configuration.agent.socket
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises `OperatorError` if another agent listens there already, or the socket cannot be made."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if await asyncio.to_thread(_answers, self._path):
                raise OperatorError(f"another agent is running: {self._path} answers")
            if self._path.exists() and not self._path.is_socket():
                raise OperatorError(f"the socket {self._path} cannot be made: there is a file that is no socket")
            self._path.unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(self._let_in, self._path, limit=LONGEST_LINE)
            finally:
                os.umask(before)
        except OSError as error:
            what = "; is this the agent's user?" if isinstance(error, PermissionError) else ""
            raise OperatorError(f"the socket {self._path} cannot be made: {error.strerror}{what}") from error

    async def close(self) -> None:
        """Stop listening, hang up on whoever is connected, and remove the socket."""
        if self._server is not None:
            self._server.close()
            for client in self._clients:
                client.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)
            self._path.unlink(missing_ok=True)

    def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._clients.add(client)
        client.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                line = await reader.readline()
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError) as error:  # the other end went away, was silent too long, or sent too long a line
            LOG.warning("a request was not answered: %s", error or type(error).__name__)
        finally:
            writer.close()

    def _answer(self, line: bytes) -> Reply:
        try:
            request = json.loads(line)
            json.dumps(request, ensure_ascii=False).encode()  # refuses half a surrogate pair, which no journal can hold
        except (ValueError, RecursionError) as error:
            return {"ok": False, "text": f"not JSON: {error}"}
        return answer(self._agent, request)


def answer(agent: Agent, request: object) -> Reply:
    """Do what an operator asks for, and say what came of it."""
    try:
        match request:
            case {"do": "status", "incidents": int(count)}:
                latest = list(agent.incidents)[::-1][: max(count, 0)]
                return {"ok": True, "status": status(agent) | {"incidents": [summary(each) for each in latest]}}
            case {"do": "status"}:
                return {"ok": True, "status": status(agent)}
            case {"do": "state"}:
                return {"ok": True, "state": as_json(agent.solution.topology, agent.solution.state)}
            case {"do": "switch", "to": str(name)}:
                return _decided([(agent.switch(each), _is_wanted(agent, each)) for each in _applications(agent, name)])
            case {"do": "start", "application": str(name)}:
                return _decided([(agent.start_application(name), _is(agent, name, "up"))])
            case {"do": "stop", "application": str(name)}:
                return _decided([(agent.stop_application(name), _is(agent, name, "down"))])
            case {"do": "event", "id": str(event_id), "application": str(name)}:
                return _decided([(agent.take_log_message(event_id, name), False)])
            case _:
                return {"ok": False, "text": "unknown request"}
    except CoreError as error:
        return {"ok": False, "text": str(error)}


def _applications(agent: Agent, name: str) -> list[str]:
    """All applications of a host, or the one of this name."""
    topology = agent.solution.topology
    if name not in topology.hosts:
        return [name]
    side = topology.hosts.index(name)
    return [pair.applications[side] for pair in topology.pairs]


def _is_wanted(agent: Agent, application: str) -> bool:
    """Whether this application is, or is being made, the primary of its pair."""
    pair, side = agent.solution.topology.find(application)
    state = agent.solution.state.pairs[pair].state
    return state.endswith(f"_{side}") and not state.startswith(("first_seen", "cut_off"))


def _is(agent: Agent, application: str, condition: str) -> bool:
    """Whether this application is up (or down), as its host says."""
    solution = agent.solution
    return solution.state.applications[solution.topology.number_of(application)] == condition


def _decided(steps: Iterable[tuple[Step, bool]]) -> Reply:
    """What became of a wish: it is granted if a row moved, or if what was wished for is so or under way already."""
    decisions = [(step.moved, so_already, step.decision.reason) for step, so_already in steps]
    return {
        "ok": all(moved or so_already for moved, so_already, _ in decisions),
        "moved": any(moved for moved, _, _ in decisions),
        "text": "; ".join(reason for _, _, reason in decisions),
    }


def status(agent: Agent) -> Reply:
    """The solution as the agent knows it now. What no host tells at the moment is null."""
    solution, configuration = agent.solution, agent.configuration
    state, topology = solution.state, solution.topology
    return {
        "solution": configuration.solution.name,
        "observing": agent.observe,
        "hosts": [
            {"name": host, "link": link, "vip_held": held, "heard_ms_ago": agent.heard_ms_ago(host)}
            for host, link, held in zip(topology.hosts, state.links, state.vip_held, strict=True)
        ],
        "pairs": [
            {
                "name": pair.name,
                "state": found.state,
                "applications": [
                    {"name": name, "host": host, "mode": mode}
                    for name, host, mode in zip(pair.applications, topology.hosts, found.modes, strict=True)
                ],
            }
            for pair, found in zip(topology.pairs, state.pairs, strict=True)
        ],
        "monitored": [
            {
                "name": pair.name,
                "applications": [
                    {"name": name, "host": host, "state": state.applications[topology.number_of(name)]}
                    for name, host in zip(pair.applications, topology.hosts, strict=True)
                ],
            }
            for pair in topology.monitored
        ],
        "outside": list(topology.outside),
        "placement": state.placement,
        "redundancy": has_redundancy(topology, state),
        "alarms": [
            {"name": alarm.name, "state": found}
            for alarm, found in zip(topology.alarms, state.alarms, strict=True)
            if found != "clear"
        ],
        "vip": {"state": state.vip, "addresses": [str(address) for address in configuration.vip.addresses]},
        "pending": [describe_command(command) for command in state.pending],
    }


def _answers(path: Path) -> bool:
    try:
        return bool(ask(path, {"do": "status"}, timeout_s=2.0))
    except OperatorError:
        return False
