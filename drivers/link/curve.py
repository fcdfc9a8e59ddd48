"""Encrypted, mutually authenticated, non-blocking ZeroMQ sockets for the event loop.

ZeroMQ's CURVE (CurveZMQ, RFC 26/ZMTP-CURVE) gives each connection fresh keys, so nothing recorded on one can be
replayed on another. The agent dials, and accepts only the holder of the host's key; the LCA listens, and accepts only
the agent's key. libzmq receives in a thread of its own while the event loop is busy.
"""

import asyncio
import errno
import ipaddress
import secrets
from collections.abc import Callable

import zmq
from zmq.auth.asyncio import AsyncioAuthenticator
from zmq.utils.monitor import parse_monitor_message

from ..errors import DriverError
from .keys import Identity
from .session import Refusal, RefusalLog, clock_ms
from .silence import MAX_DETECTION_MS, LinkTiming
from .transport import Frames, Take
from .wire import MAX_BYTES

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]

_DOMAIN = "switchover"
_READS_AT_ONCE = 1000
_REDIAL_MS = 8  # libzmq waits this long, and at random up to twice as long, before it dials again
_MIN_UNACKNOWLEDGED_MS = 100
_PING_IDLE_MS = 5000
# Longer messages are never received; those between the two limits are refused with a reason.
_HARD_LIMIT_BYTES = 4 * MAX_BYTES

_ADVICE = {
    errno.EADDRINUSE: "; does another LCA run here already?",
    errno.EADDRNOTAVAIL: "; the host's `address` must be one of this machine's: is it another host's?",
    errno.ENODEV: "; the host's `address` must be one of this machine's: is it another host's?",
}

_HANDSHAKE_FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_KEY_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH


class _Reader:
    """Passes each message of one socket to `take` when it arrives, until the socket is closed."""

    def __init__(self, socket: Socket, take: Callable[[Frames], None], signalled: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket
        self._take = take
        self._signalled = signalled
        self._loop.add_reader(socket.fileno(), self._on_signal)
        # ZMQ_FD signals only after a read that found nothing, so there has to be a first read.
        self._loop.call_soon(self.read)

    def read(self) -> None:
        """Read all queued messages; a long queue in parts, so that timers run in between."""
        for _ in range(_READS_AT_ONCE):
            if self._socket.closed:
                return
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._take(frames)
        self._loop.call_soon(self.read)

    def read_soon(self) -> None:
        """Check for messages after sending, which can consume the signal that one arrived (see ZMQ_FD)."""
        if int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            self._loop.call_soon(self.read)

    def close(self, linger_ms: int) -> None:
        if not self._socket.closed:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close(linger_ms)

    def _on_signal(self) -> None:
        self.read()
        self._signalled()


class LinkSocket:
    """One end of a link: `take` gets the frames of each message.

    `signalled` is called when the socket's state changed, for instance because it is connected. A failed handshake is
    logged as a refusal.
    """

    def __init__(
        self,
        socket: Socket,
        take: Callable[[Frames], None],
        signalled: Callable[[], None],
        log: RefusalLog,
    ) -> None:
        self._socket = socket
        self._log = log
        monitor = socket.get_monitor_socket(_HANDSHAKE_FAILED | _KEY_REFUSED)
        self._monitor = _Reader(monitor, self._handshake_failed, _nothing)
        self._reader = _Reader(socket, take, signalled)

    def read(self) -> None:
        """Read all messages that are queued in the socket."""
        self._reader.read()

    def send(self, *frames: bytes) -> bool:
        """Queue a message. Returns False if there is no connection, or if its queue is full."""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        self._reader.read_soon()
        return True

    def is_ready(self) -> bool:
        """Whether there is a connection that accepts messages."""
        return bool(int(self._socket.get(zmq.EVENTS)) & zmq.POLLOUT)

    def close(self, linger_ms: int = 0) -> None:
        """Close the socket; queued messages are dropped, or sent for up to `linger_ms` while the context ends."""
        if not self._socket.closed:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._reader.close(linger_ms)

    def _handshake_failed(self, frames: Frames) -> None:
        event = parse_monitor_message([frame.bytes for frame in frames])
        if event["event"] == _KEY_REFUSED:
            reason = f"the peer does not accept this side's key (status {event['value']})"
        else:
            reason = "the handshake failed; if this goes on, one side has a wrong key for the other"
        self._log.warn(Refusal.UNAUTHENTICATED, reason)


def dial(context: Context, endpoint: str, identity: Identity, host_key: bytes, timing: LinkTiming) -> Socket:
    """A socket that dials the endpoint until it answers, and sends only over established connections.

    The kernel repeats a lost SYN only after a second, so libzmq abandons an attempt that is not answered within the
    connection time, and dials again.
    """
    socket = context.socket(zmq.DEALER)
    _configure(socket, endpoint, identity, timing)
    socket.curve_serverkey = host_key
    socket.immediate = 1
    socket.connect_timeout = timing.connect_ms
    socket.reconnect_ivl = _REDIAL_MS
    socket.connect(endpoint)
    return socket


def listen(context: Context, endpoint: str, identity: Identity) -> Socket:
    """A socket that accepts agents at the endpoint. Raises `DriverError` if it cannot listen there."""
    socket = context.socket(zmq.ROUTER)
    _configure(socket, endpoint, identity, LinkTiming(MAX_DETECTION_MS))
    socket.curve_server = 1
    socket.zap_domain = _DOMAIN.encode()
    socket.router_mandatory = 1
    # Idle connections are pinged, and dropped if the agent no longer answers.
    socket.heartbeat_ivl = _PING_IDLE_MS
    socket.heartbeat_timeout = MAX_DETECTION_MS
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        socket.close(0)
        advice = _ADVICE.get(error.errno or 0, "")
        raise DriverError(f"cannot listen at {endpoint}: {error.strerror}{advice}") from error
    return socket


def endpoint_of(address: str, port: int) -> str:
    """The endpoint of an IPv4 or IPv6 address. Raises `DriverError` for a name: looking it up could block.

    >>> endpoint_of("198.51.100.1", 7000), endpoint_of("2001:db8::1", 7000)
    ('tcp://198.51.100.1:7000', 'tcp://[2001:db8::1]:7000')
    """
    try:
        version = ipaddress.ip_address(address).version
    except ValueError as error:
        raise DriverError(f"{address!r} is not an IP address; a host name cannot be used here") from error
    return f"tcp://{address}:{port}" if version == 4 else f"tcp://[{address}]:{port}"


def _configure(socket: Socket, endpoint: str, identity: Identity, timing: LinkTiming) -> None:
    socket.linger = 0
    socket.ipv6 = "[" in endpoint
    socket.curve_publickey = identity.public
    socket.curve_secretkey = identity.secret
    socket.maxmsgsize = _HARD_LIMIT_BYTES
    socket.handshake_ivl = timing.call_ms
    # TCP_USER_TIMEOUT: after this long without acknowledgement the kernel drops the connection and what is queued.
    socket.tcp_maxrt = max(timing.detection_ms, _MIN_UNACKNOWLEDGED_MS)


class Doorkeeper(AsyncioAuthenticator):
    """Admits the holder of one key and logs all others (ZAP, RFC 27)."""

    def __init__(self, context: Context, allowed: bytes, log: RefusalLog) -> None:
        super().__init__(context)  # pyright: ignore[reportUnknownMemberType]  # pyzmq leaves Context unparametrised
        self._allowed_key = allowed
        self._refusals = log
        self._address = ""
        self.configure_curve_callback(_DOMAIN, self)

    async def handle_zap_message(self, msg: list[bytes]) -> None:
        """Remember the peer's address for the log; pyzmq does the rest."""
        self._address = msg[3].decode(errors="replace") if len(msg) > 3 else "unknown"
        await super().handle_zap_message(msg)

    def callback(self, _domain: str, key: bytes) -> bool:
        """Whether the holder of this key is admitted."""
        if key == self._allowed_key:
            return True
        self._refusals.warn(Refusal.UNAUTHENTICATED, f"{self._address} has the key {key.decode()}, not the agent's")
        return False


class CurveTransport:
    """The transport of one end of a link (see `Transport`), over sockets of its own."""

    def __init__(self) -> None:
        self._context = Context()
        self._doorkeeper: Doorkeeper | None = None

    def dial(
        self,
        endpoint: str,
        identity: Identity,
        host_key: bytes,
        timing: LinkTiming,
        take: Take,
        signalled: Callable[[], None],
        log: RefusalLog,
    ) -> LinkSocket:
        """See `Transport`."""
        return LinkSocket(dial(self._context, endpoint, identity, host_key, timing), take, signalled, log)

    def listen(self, endpoint: str, identity: Identity, agent_key: bytes, take: Take, log: RefusalLog) -> LinkSocket:
        """See `Transport`."""
        doorkeeper = Doorkeeper(self._context, agent_key, log)
        doorkeeper.start()
        try:
            socket = listen(self._context, endpoint, identity)
        except DriverError:
            doorkeeper.stop()
            raise
        self._doorkeeper = doorkeeper
        return LinkSocket(socket, take, _nothing, log)

    def clock_ms(self) -> int:
        """See `Transport`."""
        return clock_ms()

    def random_name(self, size: int) -> str:
        """See `Transport`."""
        return secrets.token_hex(size)

    async def close(self) -> None:
        """See `Transport`."""
        if self._doorkeeper is not None:
            self._doorkeeper.stop()
        await asyncio.to_thread(self._context.term)


def _nothing() -> None:
    pass
