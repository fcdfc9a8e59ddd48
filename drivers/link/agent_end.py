"""The agent's end of the link to one host's LCA daemon.

    agent                                   LCA
      Hello(detection_ms) ------------------>     repeated until something is heard in this session
      <------------------------- Heartbeat        the session is known, but may be an old one
      Heartbeat ---------------------------->     proves that it is new (see `session`): the older one ends
      <------------------- Welcome(report)        HostConnected; heartbeats until the report is ready
      Order, Heartbeat <------> Notice, Heartbeat
      Resume ------------------------------->     the session continues over this second connection
      <--------------------------- Goodbye        HostLeft

1. Both sides send five heartbeats per detection time. Silence for half of the detection time is `HostFellSilent`, for
   all of it `HostLost`: the connection and its queue are dropped, and the host is called in a new session.
2. `HostConnected` and `HostLost` alternate; `HostLeft` takes the place of `HostLost`. Before the first `HostConnected`
   there is one `HostLost` if the host does not answer.
3. A heartbeat from a sender that does not hear this side is no sign of life: a network that is cut in one direction
   counts as cut. The agent learns this from the LCA, after the LCA's detection time plus its own.
4. No command is lost without a report: one that cannot be queued fails at once, and `HostLost` stands for those that
   were lost with the session.
5. During a silence TCP retransmits at growing intervals, and would still be waiting when the network is back. So a
   second connection is tried as soon as a host falls silent, and the session continues over the one that is heard.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable

from ...fsm.commands import HostCommand
from ...fsm.events import (
    CommandFailed,
    Event,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
)
from .curve import CurveTransport, endpoint_of
from .keys import Identity
from .session import LOGGER, Refusal, RefusalLog, RefusedError, Session
from .silence import RECONNECT_MS, LinkTiming, SilenceWatch, detection_ms_for
from .transport import Frames, LinkEnd, Transport
from .wire import (
    Body,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Notice,
    Order,
    Resume,
    Welcome,
    WireError,
    decode,
)

_FIRST_ANSWER_MS = 300

THIS_AGENT = secrets.token_hex(8)
"""A random name of this process, by which a host tells two agents apart."""


class HostLink:
    """The agent's connection to one host, which passes core events to `deliver`, never from within a public method.

    `address` is the IP address (IPv4 or IPv6) of the host's LCA; `agent` is this agent's own name. Raises `DriverError`
    for a host name. Needs a running event loop.
    """

    def __init__(
        self,
        host: str,
        address: str,
        port: int,
        identity: Identity,
        host_public_key: bytes,
        timing: LinkTiming,
        deliver: Callable[[Event], None],
        transport: Transport | None = None,
        agent: str = THIS_AGENT,
    ) -> None:
        self._host = host
        self._endpoint = endpoint_of(address, port)
        self._identity = identity
        self._host_key = host_public_key
        self._timing = timing
        self._deliver = deliver
        self.heard_at: float | None = None
        """When the host was last heard, in seconds of `time.monotonic`; None if it never was."""
        self._log = RefusalLog(f"host {host} at {self._endpoint}")
        self._transport = transport or CurveTransport()
        self._agent = agent
        self._session = Session("", self._transport.clock_ms)
        self._socket: LinkEnd | None = None
        self._tick_timer: asyncio.Handle | None = None
        self._first_timer: asyncio.TimerHandle | None = None
        self._called_at = 0.0
        self._standby: LinkEnd | None = None
        self._answered = False
        self._resuming = False
        self._silent = False
        self._is_far = False
        self._is_sending = False
        self._held_back = deque[Event]()
        self._connected: bool | None = None  # as last delivered; None: nothing delivered yet

    def start(self) -> None:
        """Call the host, and keep the connection until `close`."""
        self._loop = asyncio.get_running_loop()
        heartbeat_ms = self._timing.heartbeat_ms
        self._silence = SilenceWatch(self._timing.silent_ms, heartbeat_ms, self._read, self._fell_silent)
        self._loss = SilenceWatch(self._timing.detection_ms, heartbeat_ms, self._read, self._lost)
        # A connection takes longer to set up than a heartbeat to come in, hence the lower limit.
        patience_ms = max(self._timing.detection_ms, _FIRST_ANSWER_MS)
        self._first_timer = self._loop.call_later(patience_ms / 1000, self._not_answered)
        self._call()

    async def close(self) -> None:
        """Drop the connection and stop calling. The LCA notices the silence; nothing more is delivered."""
        for timer in (self._tick_timer, self._first_timer):
            if timer is not None:
                timer.cancel()
        if self._socket is not None:
            self._hang_up()
        await self._transport.close()

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        """Send the host a command with a deadline of `deadline_ms`; delivers `CommandFailed` if it cannot be sent."""
        self._catch_up()
        if not self._connected or not self._send(Order(command, deadline_ms)):
            problem = "too many messages wait for" if self._session.is_full else "there is no connection to"
            failure = CommandFailed(command.id, f"not sent: {problem} host {self._host}")
            asyncio.get_running_loop().call_soon(self._deliver, failure)

    def _catch_up(self) -> None:
        """Read what came in while the loop was busy: a command shows how recently its sender heard the host.

        Otherwise a command that this process gave late would be refused, although the host is heard. The events that
        came in are delivered after it.
        """
        if self.heard_at is None or self._loop.time() - self.heard_at <= self._timing.heartbeat_ms / 1000:
            return
        self._is_sending = True
        try:
            self._read()
        finally:
            self._is_sending = False

    def _hand_on(self, event: Event) -> None:
        """Deliver an event, in order, and not from within `send`."""
        if not self._is_sending and not self._held_back:
            self._deliver(event)
            return
        if not self._held_back:
            self._loop.call_soon(self._release)
        self._held_back.append(event)

    def _release(self) -> None:
        while self._held_back and self._socket is not None:
            self._deliver(self._held_back.popleft())

    # Calling

    def _call(self) -> None:
        """Drop the connection, if any, and begin a new session over a new one."""
        self._hang_up()
        self._called_at = self._loop.time()
        self._session = Session(self._transport.random_name(16), self._transport.clock_ms)
        self._socket = self._dial(self._signalled)
        self._restart_tick()

    def _dial(self, signalled: Callable[[], None]) -> LinkEnd:
        return self._transport.dial(
            self._endpoint, self._identity, self._host_key, self._timing, self._take, signalled, self._log
        )

    def _hang_up(self) -> None:
        for watch in (self._silence, self._loss):
            watch.stop()
        for socket in (self._socket, self._standby):
            if socket is not None:
                socket.close()
        self._socket = self._standby = None
        self._answered = self._resuming = self._silent = False

    def _signalled(self) -> None:
        """The socket's state changed, perhaps because it is connected now: say hello at once."""
        if not self._answered:
            self._say_hello()

    def _say_hello(self) -> None:
        self._send(Hello(self._timing.detection_ms, self._agent))

    def _restart_tick(self) -> None:
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        self._tick_timer = self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        """Send one heartbeat; or, while there is no answer, another hello or resume."""
        period_ms = self._timing.heartbeat_ms if self._answered else RECONNECT_MS
        self._tick_timer = self._loop.call_later(period_ms / 1000, self._tick)
        if self._resuming:
            self._say_resume()
        elif self._answered:
            self._send(Heartbeat(hearing=not self._silent))
        elif self._loop.time() - self._called_at > self._timing.call_ms / 1000:
            self._call()  # libzmq never retries after a failed handshake, such as one with a wrong key
        else:
            self._say_hello()

    def _send(self, body: Body) -> bool:
        if self._socket is None or self._session.is_full:
            return False
        data = self._session.stamp(body)
        sent = self._resuming or self._socket.send(data)  # while resuming, it is sent with the repeats
        if not sent and isinstance(body, Order):
            self._session.take_back()
        return sent

    # Continuing over another connection

    def _try_standby(self) -> None:
        """Continue over the second connection if it is up and the first is still silent."""
        standby = self._standby
        if standby is None or not standby.is_ready():
            return
        self._read()  # the last of the first connection: the resume reports how much was heard
        if self._standby is standby and self._socket is not None:
            self._socket.close()
            self._socket, self._standby = standby, None
            self._resuming = True
            self._say_resume()

    def _say_resume(self) -> None:
        if self._socket is not None:
            self._socket.send(self._session.stamp_resume())

    def _resumed(self) -> None:
        """The host answers over the second connection, and has reported how much it heard over the first."""
        self._resuming = False
        for data in self._session.repeats():
            if self._socket is not None:
                self._socket.send(data)

    def _drop_standby(self) -> None:
        if self._standby is not None:
            self._standby.close()
            self._standby = None

    # Hearing

    def _read(self) -> None:
        if self._socket is not None:
            self._socket.read()

    def _take(self, frames: Frames) -> None:
        try:
            self._handle(_only(frames))
        except RefusedError as refused:
            self._log.warn(refused.refusal, refused.reason)
        except WireError as error:
            self._log.warn(Refusal.MALFORMED, str(error))

    def _handle(self, data: bytes) -> None:
        message = decode(data)
        self._session.check_order(message)
        if isinstance(message.body, Hello | Resume | Order):
            raise RefusedError(Refusal.UNEXPECTED, f"{type(message.body).__name__} from a host")
        self._heard(message)
        match message.body:
            case Welcome(report) if not self._connected:
                self._connected = True
                self._hand_on(HostConnected(self._host, report))
            case Notice(event):
                self._hand_on(event)
            case Goodbye():
                self._left()
            case _:
                pass

    def _heard(self, message: Message) -> None:
        if message.body == Heartbeat(hearing=False):
            return
        self.heard_at = self._loop.time()
        self._silence.heard()
        self._loss.heard()
        self._drop_standby()
        if self._resuming:
            self._resumed()
        if not self._answered:
            self._answered = True
            self._check_distance(self._transport.clock_ms() - message.echo_ms)
            self._restart_tick()
        if self._silent:
            self._silent = False
            self._hand_on(HostHeard(self._host))

    def _check_distance(self, round_trip_ms: int) -> None:
        """Warn once of a host that is too far away for the detection time."""
        if round_trip_ms > self._timing.round_trip_ms and not self._is_far:
            self._is_far = True
            LOGGER.warning(
                "host %s: an answer took %d ms, which is more than a tenth of detection_ms (%d): "
                "if that is usual, the host will be lost without a reason; set detection_ms to at least %d",
                self._host,
                round_trip_ms,
                self._timing.detection_ms,
                detection_ms_for(round_trip_ms),
            )

    # Silence

    def _fell_silent(self) -> None:
        self._standby = self._dial(self._try_standby)
        if self._connected:
            self._silent = True
            self._hand_on(HostFellSilent(self._host))

    def _lost(self) -> None:
        LOGGER.info("host %s: nothing heard for %d ms", self._host, self._timing.detection_ms)
        self._call()
        self._tell_parting(HostLost(self._host))

    def _left(self) -> None:
        LOGGER.info("host %s: goodbye", self._host)
        self._call()
        self._tell_parting(HostLeft(self._host) if self._connected else HostLost(self._host))

    def _not_answered(self) -> None:
        if not self._answered:
            LOGGER.info(
                "%s does not answer: it is down, cut off, or farther away than %d ms, a fifth of detection_ms",
                self._log.peer,
                self._timing.connect_ms,
            )
            self._tell_parting(HostLost(self._host))

    def _tell_parting(self, event: HostLost | HostLeft) -> None:
        if self._connected is not False:
            self._connected = False
            self._hand_on(event)


def _only(frames: Frames) -> bytes:
    if len(frames) != 1:
        raise WireError(f"{len(frames)} frames instead of one")
    return frames[0].bytes
