"""The simulated network: paths between machines, and the connections of links over them (a `Transport`).

A path has a delay, loses packets or is cut, each direction by itself. A connection is one of TCP under ZeroMQ: its
messages arrive once and in order. What is lost is sent again after growing times; a connection that is not acknowledged
for too long is given up by its sender. What was on its way when one end hung up still arrives, however late. So
messages of an old connection and of a new one can overtake each other, but not those of one.
"""

import random
from collections import Counter, deque
from collections.abc import Callable

from attrs import define, frozen

from ....drivers.link.silence import LinkTiming
from ....drivers.link.transport import Frames, Take
from .processes import Process, WorldLoop

Path = tuple[str, str]
"""From which machine to which."""

_FIRST_REPEAT_S, _NEXT_REPEAT_S, _LONGEST_REPEAT_S = 0.02, 0.2, 30.0  # tail loss probe (RFC 8985), timeout (RFC 6298)
_REDIAL_S = 0.008
_LEAST_UNACKNOWLEDGED_S, _LISTENER_UNACKNOWLEDGED_S = 0.1, 60.0
_QUEUE = 1000  # messages that wait in a connection before no more are taken (ZMQ_SNDHWM)


@define
class Conditions:
    """What a path is like: its delay and jitter in ms, and which share of its packets is lost."""

    delay_ms: float = 0.2
    jitter_ms: float = 0.1
    loss: float = 0.0


@frozen
class SimulatedFrame:
    """A part of a message, with what is known of its connection."""

    bytes: bytes
    key: str = ""
    address: str = ""

    def get(self, option: str, /) -> str:
        """See `Frame`."""
        return {"User-Id": self.key, "Peer-Address": self.address}[option]


class Network:
    """All machines and what is between them. `addresses` are those of the machines, by their names."""

    def __init__(self, loop: WorldLoop, chance: random.Random, addresses: dict[str, str]) -> None:
        self.loop, self.chance = loop, chance
        self.names = {address: name for name, address in addresses.items()}
        self.addresses = addresses
        self.conditions: dict[Path, Conditions] = {}
        self.cuts = Counter[Path]()
        """How many causes cut a path."""
        self.down = set[str]()
        """The machines that are off."""
        self.listeners: dict[str, Listener] = {}
        self.ends: list[Dialler | Listener] = []

    def of(self, path: Path) -> Conditions:
        """What a path is like now; to be changed in place."""
        return self.conditions.setdefault(path, Conditions())

    def is_open(self, path: Path) -> bool:
        """Whether anything can get through."""
        return not self.cuts[path] and not self.down & set(path)

    def passes(self, path: Path) -> bool:
        """Whether one packet gets through now."""
        return self.is_open(path) and self.chance.random() >= self.of(path).loss

    def delay_s(self, path: Path) -> float:
        """How long a packet takes now."""
        conditions = self.of(path)
        return (conditions.delay_ms + self.chance.random() * conditions.jitter_ms) / 1000

    def end_of(self, process: Process) -> None:
        """A process died: the kernel closes its connections."""
        for end in [end for end in self.ends if end.process is process]:
            end.close()

    def power_off(self, machine: str) -> None:
        """A machine is off: its connections vanish, and nobody says so to the others."""
        self.down.add(machine)
        for end in [end for end in self.ends if end.process.machine == machine]:
            end.vanish()


class Pipe:
    """One direction of a connection: ordered, nothing is lost while it exists."""

    def __init__(
        self,
        network: Network,
        path: Path,
        unacknowledged_s: float,
        take: Callable[[bytes | None], bool],
        broken: Callable[[], None],
    ) -> None:
        self._network, self._path = network, path
        self._limit_s = unacknowledged_s
        self._take, self._broken = take, broken
        self._waiting = deque[bytes | None]()
        self._since: float | None = None
        self._repeat_s = _FIRST_REPEAT_S
        self._arrives_at = 0.0
        self.is_gone = False

    @property
    def is_full(self) -> bool:
        """Whether no more is taken."""
        return len(self._waiting) >= _QUEUE

    def send(self, data: bytes | None) -> None:
        """Send a message, or None: the end of all."""
        self._waiting.append(data)
        if self._since is None:
            self._transmit()

    def vanish(self) -> None:
        """Nothing that is on its way arrives any more."""
        self.is_gone = True
        self._waiting.clear()

    def _transmit(self) -> None:
        """Send what waits, or try again later."""
        network = self._network
        if self.is_gone or not self._waiting:
            return
        if network.passes(self._path):
            self._since, self._repeat_s = None, _FIRST_REPEAT_S
            while self._waiting:
                self._deliver(self._waiting.popleft())
            return
        now = network.loop.now_s
        self._since = now if self._since is None else self._since
        if now - self._since > self._limit_s:
            self.vanish()
            self._broken()
            return
        network.loop.outside(self._repeat_s, self._transmit)
        self._repeat_s = (
            _NEXT_REPEAT_S if self._repeat_s == _FIRST_REPEAT_S else min(self._repeat_s * 2, _LONGEST_REPEAT_S)
        )

    def _deliver(self, data: bytes | None) -> None:
        network = self._network
        self._arrives_at = max(network.loop.now_s + network.delay_s(self._path), self._arrives_at)
        network.loop.outside(self._arrives_at - network.loop.now_s, self._arrive, data)

    def _arrive(self, data: bytes | None) -> None:
        if not self.is_gone and not self._take(data) and data is not None:
            source, target = self._path
            if self._network.is_open((target, source)):  # a reset: there is no such connection
                self.vanish()
                self._broken()


class Connection:
    """A connection between an agent's end and a host's."""

    def __init__(self, dialler: "Dialler", listener: "Listener", route: bytes) -> None:
        network = dialler.network
        self.dialler, self.listener, self.route = dialler, listener, route
        ours, theirs = dialler.process.machine, listener.process.machine
        self.up = Pipe(network, (ours, theirs), dialler.unacknowledged_s, self._up, lambda: dialler.lost(self))
        self.down = Pipe(network, (theirs, ours), _LISTENER_UNACKNOWLEDGED_S, self._down, lambda: listener.lost(self))

    def _up(self, data: bytes | None) -> bool:
        if self.listener.is_closed or self.listener.connections.get(self.route) is not self:
            return False
        if data is None:
            self.listener.lost(self)
        else:
            frames = SimulatedFrame(self.route), SimulatedFrame(data, self.dialler.key, self.dialler.address)
            self.listener.inbox.take(frames)
        return True

    def _down(self, data: bytes | None) -> bool:
        if self.dialler.is_closed or self.dialler.connection is not self:
            return False
        if data is None:
            self.dialler.lost(self)
        else:
            self.dialler.inbox.take((SimulatedFrame(data),))
        return True


class _Inbox:
    """What has arrived at one end and was not read."""

    def __init__(self, loop: WorldLoop, process: Process, take: Take) -> None:
        self._loop, self._process, self._take = loop, process, take
        self._queue = deque[Frames]()

    def take(self, frames: Frames) -> None:
        """A message has arrived."""
        self._queue.append(frames)
        self._loop.call_soon(self.read, context=self._process.context.copy())

    def read(self) -> None:
        """Hand over all that has arrived."""
        while self._queue:
            self._take(self._queue.popleft())

    def clear(self) -> None:
        """Forget it."""
        self._queue.clear()


class Dialler:
    """The agent's end (a `LinkEnd`): it dials until the host answers."""

    def __init__(
        self,
        network: Network,
        process: Process,
        host: str,
        key: str,
        timing: LinkTiming,
        take: Take,
        signalled: Callable[[], None],
    ) -> None:
        self.network, self.process, self.key = network, process, key
        self.address = network.addresses[process.machine]
        self.unacknowledged_s = max(timing.detection_ms / 1000, _LEAST_UNACKNOWLEDGED_S)
        self._dial_timeout_s, self._handshake_s = timing.connect_ms / 1000, timing.call_ms / 1000
        self.inbox = _Inbox(network.loop, process, take)
        self.connection: Connection | None = None
        self.is_closed = False
        self._host, self._signalled = host, signalled
        network.ends.append(self)
        network.loop.outside(0, self._dial)

    def _dial(self) -> None:
        """One attempt; each of its packets can be lost."""
        network, there = self.network, (self.process.machine, self._host)
        if self.is_closed or self.connection is not None:
            return
        back, listener = (self._host, self.process.machine), network.listeners.get(self._host)
        redial_s = _REDIAL_S * (1 + network.chance.random())
        round_trip_s = network.delay_s(there) + network.delay_s(back)
        if not (network.passes(there) and network.passes(back)) or round_trip_s > self._dial_timeout_s:
            network.loop.outside(self._dial_timeout_s + redial_s, self._dial)
        elif listener is None:
            network.loop.outside(round_trip_s + redial_s, self._dial)
        elif (
            not all(network.passes(path) for path in (there, back)) or listener.process.ready_at > network.loop.world_s
        ):
            network.loop.outside(self._handshake_s + redial_s, self._dial)
        else:
            network.loop.outside(3 * round_trip_s, self._connected, listener)

    def _connected(self, listener: "Listener") -> None:
        there = (self.process.machine, self._host)
        if (
            self.is_closed
            or listener.is_closed
            or not all(map(self.network.is_open, (there, (self._host, self.process.machine))))
        ):
            self._dial()
            return
        self.connection = listener.accept(self)
        self._signal()

    def _signal(self) -> None:
        self.network.loop.call_soon(self._signalled, context=self.process.context.copy())

    def lost(self, connection: Connection) -> None:
        """The connection is over: dial again."""
        if self.connection is connection and not self.is_closed:
            self.connection = None
            self.network.loop.outside(_REDIAL_S, self._dial)
            self._signal()

    def read(self) -> None:
        """See `LinkEnd`."""
        self.inbox.read()

    def send(self, *frames: bytes) -> bool:
        """See `LinkEnd`."""
        if not self.is_ready() or self.connection is None:
            return False
        self.connection.up.send(frames[0])
        return True

    def is_ready(self) -> bool:
        """See `LinkEnd`."""
        return self.connection is not None and not self.connection.up.is_full

    def close(self) -> None:
        """See `LinkEnd`."""
        if not self.is_closed and self.connection is not None:
            self.connection.up.send(None)
        self.vanish(pipes=False)

    def vanish(self, *, pipes: bool = True) -> None:
        """It is gone, and with `pipes` all that was on its way."""
        if pipes and self.connection is not None:
            self.connection.up.vanish()
        self.is_closed, self.connection = True, None
        self.inbox.clear()
        if self in self.network.ends:
            self.network.ends.remove(self)


class Listener:
    """The host's end (a `LinkEnd`)."""

    def __init__(self, network: Network, process: Process, take: Take) -> None:
        self.network, self.process = network, process
        self.inbox = _Inbox(network.loop, process, take)
        self.connections: dict[bytes, Connection] = {}
        self.is_closed = False
        self._count = 0
        network.ends.append(self)
        network.listeners[process.machine] = self

    def accept(self, dialler: Dialler) -> Connection:
        """A connection from an agent."""
        self._count += 1
        route = b"route %d" % self._count
        self.connections[route] = connection = Connection(dialler, self, route)
        return connection

    def lost(self, connection: Connection) -> None:
        """A connection is over."""
        self.connections.pop(connection.route, None)

    def read(self) -> None:
        """See `LinkEnd`."""
        self.inbox.read()

    def send(self, *frames: bytes) -> bool:
        """See `LinkEnd`."""
        connection = self.connections.get(frames[0])
        if connection is None or connection.down.is_full:
            return False
        connection.down.send(frames[1])
        return True

    def is_ready(self) -> bool:
        """See `LinkEnd`."""
        return not self.is_closed

    def close(self) -> None:
        """See `LinkEnd`."""
        for connection in self.connections.values():
            connection.down.send(None)
        self.vanish(pipes=False)

    def vanish(self, *, pipes: bool = True) -> None:
        """It is gone, and with `pipes` all that was on its way."""
        for connection in self.connections.values() if pipes else ():
            connection.down.vanish()
        self.is_closed, self.connections = True, {}
        self.inbox.clear()
        if self.network.listeners.get(self.process.machine) is self:
            del self.network.listeners[self.process.machine]
        if self in self.network.ends:
            self.network.ends.remove(self)
