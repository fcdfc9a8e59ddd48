"""One host of the world model: what it can do next, what can happen to it, and what the agent is told of it.

The model closes the core: applications with their modes, the addresses that the interface really has, commands that are
being carried out or were sent and not received, messages that wait for the network. It is written as values and pure
functions, so that every host that can come up is met once, numbered, and looked up ever after.

1. A link is one ordered connection: what a host says does not overtake itself. Commands for one thing (an application,
   the VIP) are carried out one after the other, those for different things in any order and at any time.
2. What a host does and that the agent hears of it are one step. Nothing that happens elsewhere in between could be told
   apart from the same thing happening just before or just after; and what a host does while the network holds up its
   words could as well be done when they get through, or when the connection has been given up. So a host whose words
   are held up waits for the one or the other, unless it loses its power. (Admitted: that a host is cut off in the very
   moment between an announcement that the clients hear and its result, only the loss of power stands for.)
3. A host reports itself when everything that it was told before has been carried out, as the LCA does.
4. Whatever takes its time (a command, a repair, the detection of silence) may take any time; timers run in `space`.
"""

import enum
from collections.abc import Iterator

from attrs import evolve, field, frozen

from ....fsm import (
    AnnounceVip,
    ApplicationReported,
    Demote,
    DisableVip,
    EnableVip,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LookAt,
    LookAtVip,
    Mode,
    Promote,
    Topology,
    VipReported,
    describe_command,
)
from ....fsm.commands import ApplicationCommand, MovingCommand
from .watched import Occurrence, Result


class Fault(enum.StrEnum):
    """What may happen, so often as the budget allows. Repairs are free, and come at any time."""

    CRASH = "crash"
    """An application fails; later it is up again, in backup mode if it is redundant."""
    POWER = "power"
    """A host loses its power; later it is back, with its VIP still configured or without it."""
    PARTITION = "partition"
    """The network parts a host from the agent, or from everyone, or the agent from both hosts; later it is healed."""
    SCRIPT = "script"
    """A command fails, or is not answered in time, whether or not it was carried out."""
    AGENT = "agent"
    """The agent crashes and is started again: it knows nothing then."""
    OPERATOR = "operator"
    """An operator asks for a switchover."""
    ALARM = "alarm"
    """A message that an alarm condition waits for comes once more, late, or without a cause."""
    LCA = "lca"
    """The LCA of a host is stopped in order: it releases the VIP and says goodbye; later it is started again."""
    HAND = "hand"
    """Another hand changes the mode of an application, or puts the VIP on a host, or takes it off."""
    UNCLEAR = "unclear"
    """What came of a command cannot be read."""


DEFAULT_FAULTS = frozenset(Fault) - {Fault.LCA, Fault.HAND, Fault.UNCLEAR}
"""What `switchover verify` lets happen if it is not told otherwise."""

BUDGET_AT_MOST = 7
"""No exploration allows more faults than this."""

Lanes = tuple[tuple[HostCommand, ...], ...]


@frozen
class Host:
    """What is so on one host.

    `net`: the network is `fine`; the host is `parted` from the agent or `cut` off from everyone; it is `off`; or it is
    `fresh`, its LCA just started. `link`: whether the agent has it `up`, `silent` or `down`; it is `new` to an agent
    that has just started and not given it up yet. `vip`: `free`, `held`, or `quiet`, which is held and not announced.
    `lanes`: for each thing, the commands that were received and are not carried out; `wire`: those sent and not
    received, or that cannot be sent because there is no connection.
    """

    modes: tuple[Mode, ...]
    lanes: Lanes
    wire: Lanes
    net: str = "fine"
    link: str = "new"
    vip: str = "free"

    @property
    def holds_vip(self) -> bool:
        """Whether the VIP is on the interface."""
        return self.vip != "free"

    @property
    def is_connected(self) -> bool:
        """Whether the agent has a connection to it, or believes so."""
        return self.link in ("up", "silent")

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way, and nothing that the agent has still to notice."""
        is_noticed = self.is_connected == (self.net == "fine") and self.link != "silent"
        return is_noticed and self.net != "fresh" and not any(self.lanes) and not any(self.wire)

    @property
    def is_held_up(self) -> bool:
        """Whether the agent believes to be connected, and does not hear what the host says."""
        return self.is_connected and self.net != "fresh" and (self.net, self.link) != ("fine", "up")


@frozen
class Move:
    """One step of a host: what it is in words, the host after it, and what the agent is told at once (or nothing).

    `announces`: the clients hear that the VIP is here. `fault`: the step uses up one fault of the budget.
    """

    text: str
    host: Host
    told: Occurrence = ()
    announces: bool = False
    fault: bool = field(default=False, kw_only=True)


class HostModel:
    """The hosts that can stand on one side (1 or 2) of a topology."""

    def __init__(self, topology: Topology, side: int, faults: frozenset[Fault]) -> None:
        self.name = topology.hosts[side - 1]
        self.applications = tuple(pair.applications[side - 1] for pair in topology.components)
        self._redundant = len(topology.pairs)
        self._faults = faults
        self._nothing: Lanes = ((),) * (len(self.applications) + 1)

    def start(self) -> Host:
        """Everything runs, nothing is primary, the VIP is not here, and the agent has not connected yet."""
        return Host(self._fresh_modes(), self._nothing, self._nothing)

    def _fresh_modes(self) -> tuple[Mode, ...]:
        return tuple(self._runs(number) for number in range(len(self.applications)))

    def _runs(self, number: int) -> Mode:
        return Mode.BACKUP if number < self._redundant else Mode.UP

    # What the agent does to it.

    def receive(self, host: Host, commands: tuple[HostCommand, ...]) -> Host:
        """The host when the agent has sent it these commands."""
        arrives = host.net == "fine" and host.is_connected
        lanes = list(host.lanes if arrives else host.wire)
        for command in commands:
            lane = self._lane(command)
            lanes[lane] = (*lanes[lane], command)
        return evolve(host, lanes=tuple(lanes)) if arrives else evolve(host, wire=tuple(lanes))

    def _lane(self, command: HostCommand) -> int:
        return self.applications.index(command.application) if isinstance(command, ApplicationCommand) else -1

    def forgotten(self, host: Host) -> Host:
        """The host when the agent has crashed: its connection is gone, what it has received is still carried out."""
        return evolve(host, link="new", wire=self._nothing)

    def parted(self, host: Host) -> Host | None:
        """The host when the network parts it from the agent, if it was not before."""
        return evolve(host, net="parted") if host.net == "fine" else None

    # What it does next.

    def moves(self, host: Host) -> Iterator[Move]:
        """Everything that can happen to a host next."""
        yield from self._connection(host)
        if Fault.POWER in self._faults and host.net not in ("off", "fresh"):
            yield from self._power_losses(host)
        if Fault.PARTITION in self._faults and host.net == "fine":
            yield from self._partitions(host)
        if not host.is_held_up:
            yield from self._local(host)

    def _local(self, host: Host) -> Iterator[Move]:
        """What happens on the host itself."""
        yield from self._commands(host)
        yield from self._returns(host)
        if Fault.CRASH in self._faults:
            yield from self._crashes(host)
        if Fault.LCA in self._faults and (host.net, host.link) == ("fine", "up"):
            stopped = evolve(host, net="fresh", link="down", vip="free", lanes=self._nothing)
            yield Move(f"the LCA of {self.name} is stopped", stopped, (HostLeft(self.name),), fault=True)
        if Fault.HAND in self._faults and host.net not in ("off", "fresh"):
            yield from self._other_hands(host)

    def _connection(self, host: Host) -> Iterator[Move]:
        is_fine = host.net == "fine"
        if not is_fine and host.link == "up":
            yield Move(f"{self.name} is not heard", evolve(host, link="silent"), (HostFellSilent(self.name),))
        if not is_fine and host.link == "silent":
            lost = evolve(host, link="down", wire=self._nothing)
            yield Move(f"the connection to {self.name} is lost", lost, (HostLost(self.name),))
        if is_fine and host.link == "silent":
            yield Move(f"{self.name} is heard again", evolve(host, link="up"), (HostHeard(self.name),))
        if host.link == "new":
            yield Move(f"{self.name} does not answer", evolve(host, link="down"), (HostLost(self.name),))
        if (host.net == "fresh" or (is_fine and not host.is_connected)) and not any(host.lanes):
            modes = dict(zip(self.applications, host.modes, strict=True))
            report = HostConnected(self.name, _Report(modes, host.holds_vip))
            connected = evolve(host, net="fine", link="up", wire=self._nothing)
            yield Move(f"the agent connects to {self.name}", connected, (report,))
        if host.net in ("parted", "cut"):
            yield Move(f"the network of {self.name} is healed", self._healed(host))
        if host.net == "off":
            back = evolve(host, net="fresh", modes=self._fresh_modes())
            yield Move(f"{self.name} is back", back)
            yield Move(f"{self.name} is back, with its VIP still configured", evolve(back, vip="held"))

    def _healed(self, host: Host) -> Host:
        """What waited on a connection that still stands gets through."""
        if not host.is_connected:
            return evolve(host, net="fine")
        lanes = tuple((*here, *sent) for here, sent in zip(host.lanes, host.wire, strict=True))
        return evolve(host, net="fine", lanes=lanes, wire=self._nothing)

    def _commands(self, host: Host) -> Iterator[Move]:
        for lane, waiting in enumerate(host.lanes):
            if waiting:
                yield self._carry_out(host, lane)
                if Fault.SCRIPT in self._faults:
                    yield self._carry_out(host, lane, "failed", done=False)
                    if isinstance(waiting[0], MovingCommand):
                        yield self._carry_out(host, lane, "timed out", done=False)
                        yield self._carry_out(host, lane, "timed out")
                if Fault.UNCLEAR in self._faults and isinstance(waiting[0], MovingCommand):
                    yield self._carry_out(host, lane, "unclear", done=False)
                    yield self._carry_out(host, lane, "unclear")

    def _carry_out(self, host: Host, lane: int, how: str = "done", *, done: bool = True) -> Move:
        """The oldest command of a lane is carried out, or not, and its result is said to be so."""
        command, fault = host.lanes[lane][0], how != "done"
        modes, vip, announces, seen = host.modes, host.vip, False, ()
        match command:
            case Promote() | Demote():
                if modes[lane] is Mode.DOWN:
                    how = "failed"
                elif done:
                    modes = (*modes[:lane], command.mode, *modes[lane + 1 :])
            case LookAt():
                seen = (ApplicationReported(command.application, modes[lane]),) if done else ()
            case EnableVip():
                announces = (how == "done") if done else (how == "failed" and host.holds_vip)
                vip = ("held" if how == "done" else "quiet") if done else vip
            case DisableVip():
                vip = "free" if done else vip
            case AnnounceVip():
                how = how if host.holds_vip else "failed"
                announces = how == "done"
            case LookAtVip():
                announces = done and vip == "quiet"
                seen = (VipReported(self.name, host.holds_vip),) if done else ()
            case _:
                raise AssertionError(command)
        vip = "held" if announces else vip
        lanes = (*host.lanes[:lane], host.lanes[lane][1:], *host.lanes[lane + 1 :])
        after = evolve(host, modes=modes, vip=vip, lanes=lanes)
        text = f"{self.name}: {describe_command(command)} {_outcome(how, done)}"
        is_heard = announces and host.net in ("fine", "parted")
        return self._say(Move(text, after, announces=is_heard, fault=fault), (*seen, Result(command, how)))

    @staticmethod
    def _say(move: Move, said: Occurrence) -> Move:
        """The move, with what the agent is told of it if it is connected."""
        return evolve(move, told=said) if move.host.link == "up" and move.host.net == "fine" else move

    def _returns(self, host: Host) -> Iterator[Move]:
        for number, mode in enumerate(host.modes):
            if mode is Mode.DOWN and host.net != "off":
                yield self._changed(host, number, self._runs(number), "is up again", fault=False)

    def _changed(self, host: Host, number: int, mode: Mode, what: str, *, fault: bool) -> Move:
        name = self.applications[number]
        after = evolve(host, modes=(*host.modes[:number], mode, *host.modes[number + 1 :]))
        return self._say(Move(f"{name} {what}", after, fault=fault), (ApplicationReported(name, mode),))

    # What happens to it.

    def _crashes(self, host: Host) -> Iterator[Move]:
        for number, mode in enumerate(host.modes):
            if mode is not Mode.DOWN:
                yield self._changed(host, number, Mode.DOWN, "fails", fault=True)

    def _power_losses(self, host: Host) -> Iterator[Move]:
        down = (Mode.DOWN,) * len(host.modes)
        off = evolve(host, net="off", modes=down, vip="free", lanes=self._nothing, wire=self._nothing)
        yield Move(f"{self.name} loses its power", off, fault=True)
        if self._is_announcing(host):
            yield Move(f"{self.name} loses its power just after it announced the VIP", off, (), True, fault=True)

    def _partitions(self, host: Host) -> Iterator[Move]:
        for net, text in (("parted", "the agent"), ("cut", "everyone")):
            parted = evolve(host, net=net)
            yield Move(f"the network parts {self.name} from {text}", parted, fault=True)
            if any(host.lanes):
                lost = evolve(parted, lanes=self._nothing, wire=host.lanes if host.is_connected else self._nothing)
                yield Move(f"the network parts {self.name} from {text}, before commands reach it", lost, fault=True)

    def _is_announcing(self, host: Host) -> bool:
        return bool(host.lanes[-1]) and isinstance(host.lanes[-1][0], EnableVip) and host.net in ("fine", "parted")

    def _other_hands(self, host: Host) -> Iterator[Move]:
        for number, mode in enumerate(host.modes[: self._redundant]):
            if mode is not Mode.DOWN:
                other = Mode.BACKUP if mode is Mode.PRIMARY else Mode.PRIMARY
                yield self._changed(host, number, other, f"is made {other} by another hand", fault=True)
        taken = evolve(host, vip="free" if host.holds_vip else "held")
        text = f"the VIP is {'taken off' if host.holds_vip else 'put on'} {self.name} by another hand"
        yield self._say(Move(text, taken, fault=True), (VipReported(self.name, taken.holds_vip),))


class _Report(HostReport):
    """A report that can be looked up: two are equal, and hash alike, when they say the same."""

    def __hash__(self) -> int:
        return hash((tuple(self.modes.items()), self.vip_held))


def _outcome(how: str, done: bool) -> str:
    match how:
        case "done":
            return "is carried out"
        case "failed":
            return "fails"
        case _:
            is_done = "it is carried out" if done else "it is not carried out"
            return f"{'is not answered in time' if how == 'timed out' else 'is answered unreadably'}; {is_done}"
