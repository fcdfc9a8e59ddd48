"""How operators, and the page, reach the agent: a line of JSON in and a line of JSON out, over a Unix socket.

The socket belongs to the agent's user alone (mode 0600). A reply has `ok`, and `text` or what was asked for.

    {"do": "status"}                               the solution; with `"incidents": N` also the N latest incidents
    {"do": "state"}                                topology and state for `switchover plan`, and `as_of`: their version
    {"do": "follow"}                               status, state and counts after every change: see `followers`
    {"do": "switch", "to": NAME}                   an application, or all of a host, is to be primary
    {"do": "switch", "to": NAME, "as_of": VERSION}     the same; refused with `changed` if anything happened since
    {"do": "start", "application": NAME}           start it on its host; likewise `stop`
    {"do": "event", "id": ID, "application": NAME}     a log message for the agent

Every connection is served by a task of its own, and none is waited for: a client has `WITHIN_S` to send its line and to
read its reply. How many connections there may be, and which one is closed if there are too many, `clients` decides.
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from ...fsm import CoreError, Step
from ..history.incidents import summary
from ..history.json_format import as_json
from .agent import Agent
from .clients import Client, Clients, client_of
from .followers import Followers
from .operator_client import OperatorError, Reply, ask
from .status import status

LOG = logging.getLogger("switchover.operator")

LONGEST_LINE = 16 * 1024
"""How long a request may be, in bytes."""

WITHIN_S = 10.0
"""How long a client may take to send its request, and to read the reply, in seconds."""

BACKLOG = 32
"""How many connections are accepted at a time: few, so that those accepted before are served in between."""


class OperatorServer:
    """The agent's end of the socket. Make it before the agent starts."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._followers = Followers(agent)
        self._path = agent.configuration.agent.socket
        self._server: asyncio.Server | None = None
        self._clients = Clients()

    async def start(self) -> None:
        """Listen. Raises `OperatorError` if another agent listens there already, or the socket cannot be made."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if await asyncio.to_thread(_answers, self._path):
                raise OperatorError(f"another agent is running: {self._path} answers")
            if self._path.exists() and not self._path.is_socket():
                raise OperatorError(f"the socket {self._path} cannot be made: there is a file that is no socket")
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(
                self._let_in, sock=_bound(self._path), limit=LONGEST_LINE, backlog=BACKLOG
            )
        except OSError as error:
            hint = "; is this the agent's user?" if isinstance(error, PermissionError) else ""
            raise OperatorError(f"the socket {self._path} cannot be made: {error.strerror or error}{hint}") from error

    async def close(self) -> None:
        """Stop listening, disconnect all clients, and remove the socket."""
        if self._server is not None:
            self._server.close()
            await self._clients.close()
            self._path.unlink(missing_ok=True)

    def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = client_of(writer)
        task = asyncio.get_running_loop().create_task(self._serve(client, reader, writer))
        self._clients.add(task, client)
        task.add_done_callback(lambda _: writer.transport.abort())  # whatever is not read yet

    async def _serve(self, client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        follows = False
        writer.transport.set_write_buffer_limits(high=0)  # `drain` returns when the kernel has taken the whole reply
        try:
            async with asyncio.timeout(WITHIN_S):
                request, refusal = _parsed(await reader.readline())
                has_room = not self._followers.is_full and self._clients.may_follow(client)
                follows = _asks_to_follow(request) and has_room
                if not follows:
                    writer.write(json.dumps(refusal or answer(self._agent, request)).encode() + b"\n")
                    await writer.drain()
            if follows:
                self._clients.follows(asyncio.current_task())
                await self._followers.serve(writer)
        except TimeoutError:
            if not follows:
                self._clients.warn(f"{client} sent nothing, or did not read the reply, for {WITHIN_S:g} s: closed")
        except ValueError:
            self._clients.warn(f"{client} sent a request of more than {LONGEST_LINE} bytes: closed unanswered")
        except OSError as error:
            if not follows:
                self._clients.warn(f"{client} went away before the reply: {error.strerror or error}")


def _parsed(line: bytes) -> tuple[object, Reply | None]:
    """The request of a line, and the reply if it is no JSON."""
    try:
        request = json.loads(line)
        json.dumps(request, ensure_ascii=False).encode()  # refuses half a surrogate pair, which no journal can hold
    except (ValueError, RecursionError) as error:
        return None, {"ok": False, "text": f"not JSON: {error}"}
    return request, None


def _asks_to_follow(request: object) -> bool:
    match request:
        case {"do": "follow"}:
            return True
        case _:
            return False


def answer(agent: Agent, request: object) -> Reply:
    """Carry out the request of an operator, and return the reply."""
    try:
        match request:
            case {"do": "follow"}:
                return {"ok": False, "text": "no room: too many clients follow this agent already"}
            case {"do": "status", "incidents": int(count)}:
                latest = list(agent.incidents)[::-1][: max(count, 0)]
                return {"ok": True, "status": status(agent) | {"incidents": [summary(each) for each in latest]}}
            case {"do": "status"}:
                return {"ok": True, "status": status(agent)}
            case {"do": "state"}:
                state = as_json(agent.solution.topology, agent.solution.state)
                return {"ok": True, "state": state, "as_of": agent.version}
            case {"do": "switch", "as_of": str(version)} if version != agent.version:
                return {"ok": False, "changed": True, "text": "the solution has changed since"}
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
    """The reply to a request: `ok` if a row moved, or if what is asked for is so or under way already."""
    decisions = [(step.moved, so_already, step.decision.reason) for step, so_already in steps]
    return {
        "ok": all(moved or so_already for moved, so_already, _ in decisions),
        "moved": any(moved for moved, _, _ in decisions),
        "text": "; ".join(reason for _, _, reason in decisions),
    }


def _bound(path: Path) -> socket.socket:
    """A Unix socket at this path, its owner's alone from the beginning. Raises `OSError`."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(bound.fileno(), 0o600)  # on Linux the file gets the mode of the socket, less the umask
        bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    return bound


def _answers(path: Path) -> bool:
    try:
        return bool(ask(path, {"do": "status"}, timeout_s=2.0))
    except OperatorError:
        return False
