"""The LCA's end of the link, on the host. The protocol is described in `agent_end`.

There is one agent at a time. A hello creates a candidate; the candidate's first message that proves to be up to date
ends the session before it. So a hello from before a cut, which TCP delivers late, never replaces a live session.

A session continues over another connection when the agent says so. It is kept while the agent is not heard, and ends
when a new session replaces it, or when there is no connection and the agent was not heard for the detection time.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable

from attrs import define, evolve, field

from ...fsm.commands import HostCommand
from ...fsm.events import CommandFailed, Failure, HostReport
from ..errors import DriverError
from .curve import CurveTransport, endpoint_of
from .hearing import AgentHearing
from .keys import Identity
from .session import (
    LOGGER,
    Refusal,
    RefusalLog,
    RefusedError,
    Session,
    check_age,
)
from .silence import LinkTiming
from .transport import Frames, LinkEnd, Transport
from .wire import (
    Goodbye,
    Heartbeat,
    Hello,
    HostEvent,
    Message,
    Notice,
    Order,
    Resume,
    Welcome,
    WireError,
    decode,
)

REPORT_MS = 30_000
"""How long the report of a host may take, in milliseconds, unless its LCA says otherwise."""

HELD_BACK = 400
"""How many events may wait for the report of a host to be ready."""

_GOODBYE_S = 0.3
_GOODBYE_LOOK_S = 0.01
_REASON_LENGTH = 1000
_ROUTE_AND_MESSAGE = 2


@define(eq=False)
class _Visit:
    """An agent's session: the connection by which it comes, and whether the agent has the host's report.

    The route is empty while there is no connection to the agent, or its queue is full.
    """

    session: Session
    route: bytes
    timing: LinkTiming
    address: str
    agent: str
    welcomed: bool = False
    held_back: list[HostEvent] = field(factory=list[HostEvent])


class LcaLink:
    """Listens for the agent, passes its commands to `execute`, and sends it the host's events.

    `report` is awaited at the start of each session, for up to `report_ms` milliseconds; events sent meanwhile follow
    the report. `execute` gets each command and its deadline in milliseconds, once, and answers with `send`; a
    `DriverError` that it raises is sent as `CommandFailed`. `on_agent` is called with True when the agent is heard
    (again), and with False when it was not heard for the detection time. Until it is heard again, `solicit` is called
    every 50 ms with its last address: it has to broadcast an ARP request or a neighbour solicitation for it (see
    `solicit`).
    """

    def __init__(
        self,
        host: str,
        address: str,
        port: int,
        identity: Identity,
        agent_public_key: bytes,
        report: Callable[[], Awaitable[HostReport]],
        execute: Callable[[HostCommand, int], None],
        solicit: Callable[[str], None] | None = None,
        on_agent: Callable[[bool], None] | None = None,
        report_ms: int = REPORT_MS,
        transport: Transport | None = None,
    ) -> None:
        self._host = host
        self._report_ms = report_ms
        self._endpoint = endpoint_of(address, port)
        self._identity = identity
        self._agent_key = agent_public_key
        self._report = report
        self._execute = execute
        self._hearing = AgentHearing(solicit, on_agent)
        self._log = RefusalLog(f"agent of host {host}")
        self._transport = transport or CurveTransport()
        self._socket: LinkEnd | None = None
        self._candidate: _Visit | None = None
        self._visit: _Visit | None = None
        self._closing = False
        self._tick_timer: asyncio.Handle | None = None
        self._welcoming: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen. Raises `DriverError` if the address cannot be listened on. Needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._socket = self._transport.listen(self._endpoint, self._identity, self._agent_key, self._take, self._log)

    async def close(self, *, goodbye: bool = True) -> None:
        """Stop listening; say goodbye to the agent with `goodbye`, that is, if the VIP was released."""
        visit = self._visit
        self._end_visit()
        self._closing = True
        if visit is not None and goodbye:
            self._post(visit, Goodbye())
            await self._wait_until_gone(visit)
        self._hearing.close()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        await self._transport.close()

    async def _wait_until_gone(self, visit: _Visit) -> None:
        """Wait up to 0.3 s, or two heartbeats, for the agent to hang up: what it has not read by then is lost."""
        end = self._loop.time() + max(_GOODBYE_S, 2 * visit.timing.heartbeat_ms / 1000)
        while visit.route and self._loop.time() < end:
            await asyncio.sleep(_GOODBYE_LOOK_S)
            self._post(visit, Heartbeat(hearing=True))

    def send(self, event: HostEvent) -> None:
        """Send the agent an event. Without an agent it is dropped: the report of the next session covers it."""
        visit = self._visit
        if visit is None:
            return
        if isinstance(event, Failure):
            event = evolve(event, reason=_presentable(event.reason))
        if visit.welcomed:
            self._tell(visit, Notice(event))
        elif len(visit.held_back) < HELD_BACK:
            visit.held_back.append(event)
        else:
            self._give_up("too many events before its report was ready")

    # Receiving

    def _read(self) -> None:
        if self._socket is not None:
            self._socket.read()

    def _take(self, frames: Frames) -> None:
        if self._closing:
            return
        try:
            self._handle(frames)
        except RefusedError as refused:
            self._log.warn(refused.refusal, refused.reason)
        except WireError as error:
            self._log.warn(Refusal.MALFORMED, str(error))

    def _handle(self, frames: Frames) -> None:
        if len(frames) != _ROUTE_AND_MESSAGE:
            raise WireError(f"{len(frames) - 1} frames instead of one")
        message = decode(frames[1].bytes)
        route = frames[0].bytes
        visit = self._visit_of(route, message.session)
        if isinstance(message.body, Hello):
            self._greet(visit or self._new_candidate(frames, message.session, message.body), message)
        elif isinstance(message.body, Resume):
            self._resume(route, message, message.body)
        elif visit is None:
            raise RefusedError(Refusal.WRONG_SESSION, f"{message.session!r} has ended, has moved, or never began")
        else:
            self._follow(visit, message)

    def _visit_of(self, route: bytes, session: str) -> _Visit | None:
        for visit in (self._visit, self._candidate):
            if visit is not None and visit.route == route and visit.session.id == session:
                return visit
        return None

    def _new_candidate(self, frames: Frames, session: str, hello: Hello) -> _Visit:
        key = str(frames[1].get("User-Id")).encode()
        if key != self._agent_key:
            raise RefusedError(Refusal.UNAUTHENTICATED, f"hello from the holder of another key: {key.decode()}")
        try:
            timing = LinkTiming(hello.detection_ms)
        except DriverError as error:
            raise RefusedError(Refusal.MALFORMED, str(error)) from error
        address = _plain_address(str(frames[1].get("Peer-Address")))
        if self._visit is not None and self._hearing.is_heard and self._visit.agent != hello.agent:
            reason = f"{address} says hello while the agent at {self._visit.address} is in charge; stop one of them"
            raise RefusedError(Refusal.SECOND_AGENT, reason)
        self._candidate = _Visit(
            Session(session, self._transport.clock_ms), frames[0].bytes, timing, address, hello.agent
        )
        return self._candidate

    def _greet(self, visit: _Visit, message: Message) -> None:
        visit.session.check_order(message)
        self._post(visit, Heartbeat(hearing=True))

    def _follow(self, visit: _Visit, message: Message) -> None:
        """Handle a message of a known session, if it is in order and up to date."""
        visit.session.check_order(message)
        try:
            check_age(message, visit.timing.detection_ms, self._transport.clock_ms)
        except RefusedError as refused:
            if visit is self._visit and isinstance(message.body, Order):
                self.send(CommandFailed(message.body.command.id, str(refused)))
            raise
        if visit is not self._visit:
            self._admit(visit)
        self._hearing.heard()
        match message.body:
            case Heartbeat():
                pass
            case Order(command, deadline_ms):
                self._carry_out(command, deadline_ms)
            case body:
                raise RefusedError(Refusal.UNEXPECTED, f"{type(body).__name__} from an agent")

    def _resume(self, route: bytes, message: Message, resume: Resume) -> None:
        """The agent continues over this connection: repeat what it did not hear over the one before."""
        visit = self._visit
        if visit is None or visit.session.id != message.session:
            raise RefusedError(Refusal.WRONG_SESSION, f"{message.session!r} has ended, or never began")
        check_age(message, visit.timing.detection_ms, self._transport.clock_ms)
        visit.session.check_resume(message, resume)
        self._hearing.heard()
        if route != visit.route:
            visit.route = route
            for data in visit.session.repeats():
                self._transmit(visit, data)
        self._post(visit, Heartbeat(hearing=True))

    def _carry_out(self, command: HostCommand, deadline_ms: int) -> None:
        try:
            if command.host != self._host:
                raise DriverError(f"the command is for host {command.host!r}, this is {self._host!r}")
            self._execute(command, deadline_ms)
        except DriverError as error:
            self.send(CommandFailed(command.id, str(error)))

    # The session

    def _admit(self, visit: _Visit) -> None:
        """The candidate has proved to be up to date: it replaces the session before it."""
        self._end_visit()
        LOGGER.info("host %s: agent at %s", self._host, visit.address)
        self._visit, self._candidate = visit, None
        self._hearing.begin(visit.address, visit.timing, self._read)
        self._tick_timer = self._loop.call_soon(self._tick)
        self._welcoming = self._loop.create_task(self._welcome(visit))

    async def _welcome(self, visit: _Visit) -> None:
        try:
            report = await asyncio.wait_for(self._report(), self._report_ms / 1000)
        except TimeoutError:
            self._give_up(f"the report of this host took longer than {self._report_ms} ms")
            return
        except Exception:  # any failure of the report ends the session; the log says why
            LOGGER.exception("host %s: no report for the agent", self._host)
            self._give_up("the report failed")
            return
        visit.welcomed = True
        try:
            self._tell(visit, Welcome(report))
        except WireError as error:
            LOGGER.error("host %s: the report for the agent is %s; name fewer applications", self._host, error)
            self._give_up("the report cannot be sent")
            return
        for event in visit.held_back:
            self._tell(visit, Notice(event))
        visit.held_back.clear()

    def _tick(self) -> None:
        visit = self._visit
        if visit is not None:
            self._tick_timer = self._loop.call_later(visit.timing.heartbeat_ms / 1000, self._tick)
            self._tell(visit, Heartbeat(self._hearing.is_heard))

    def _tell(self, visit: _Visit, body: Notice | Welcome | Heartbeat) -> None:
        """Send it, unless the session has ended. What cannot be sent now is kept for the next connection."""
        if visit is not self._visit:
            return
        self._post(visit, body)
        if visit.session.is_full:
            self._give_up("the agent has not acknowledged too many messages")
        elif not visit.route and not self._hearing.is_heard:
            self._give_up("its connection is gone, and it has not made another")

    def _post(self, visit: _Visit, body: Notice | Welcome | Heartbeat | Goodbye) -> None:
        self._transmit(visit, visit.session.stamp(body))

    def _transmit(self, visit: _Visit, data: bytes) -> None:
        """Send it; after one message that cannot be sent, send none, so that the agent notices the gap."""
        if visit.route and self._socket is not None and not self._socket.send(visit.route, data):
            visit.route = b""

    def _give_up(self, reason: str) -> None:
        LOGGER.info("host %s: the agent's session ends: %s", self._host, reason)
        self._end_visit()
        self._hearing.not_heard()

    def _end_visit(self) -> None:
        self._visit = None
        self._hearing.end()
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        if self._welcoming is not None and self._welcoming is not asyncio.current_task():
            self._welcoming.cancel()


def _presentable(reason: str) -> str:
    """A reason that can be sent, even if a script has printed bytes that are no text, or very much."""
    reason = reason.encode(errors="replace").decode()
    return reason if len(reason) <= _REASON_LENGTH else reason[: _REASON_LENGTH - 3] + "..."


def _plain_address(address: str) -> str:
    """The address; an IPv4 one in its own form, which a socket for both families shows as IPv6.

    >>> _plain_address("::ffff:198.51.100.1"), _plain_address("2001:db8::1")
    ('198.51.100.1', '2001:db8::1')
    """
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)
