"""One host of the world model: what it can do next, what can happen to it, and what it reports to the agent.

The model closes the core: applications with their modes, the addresses that the interface really has, commands that are
in execution or were sent but not received, messages that wait for the network. It consists of values and pure
functions, so that each host state is computed once, numbered, and looked up afterwards.

1. A link is one ordered connection: messages of a host do not overtake each other. Commands for one target (an
   application, the VIP) are carried out in order, those for different targets in any order and at any time.
2. An action of a host and its report to the agent are one step. If something happened elsewhere between the two, nobody
   could distinguish that from the same event just before or just after; and what a host does while the network delays
   its messages could equally be done when they get through, or when the connection has been given up. So a host whose
   messages are delayed waits for one or the other, unless it loses its power. (Known weakness: that a host is cut off
   exactly between an announcement that the clients hear and its result is only represented by the loss of power.)
3. A host sends its report after it has carried out all commands received before, as the LCA does.
4. Whatever has a duration (a command, a repair, the detection of silence) may take any time; timers run in `space`.
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
    """The kinds of faults. Each occurrence costs one of the budget; repairs are free and may come at any time."""

    CRASH = "crash"
    """An application fails; later it is up again, in backup mode if it is redundant."""
    POWER = "power"
    """A host loses its power; later it is back, with its VIP still configured or without it."""
    PARTITION = "partition"
    """The network separates a host from the agent, or from everyone, or the agent from both hosts; later it heals."""
    SCRIPT = "script"
    """A command fails, or is not answered in time (whether or not it was carried out)."""
    AGENT = "agent"
    """The agent crashes and restarts without any knowledge."""
    OPERATOR = "operator"
    """An operator asks for a switchover."""
    ALARM = "alarm"
    """A message that an alarm condition detects comes again, late, or without a cause."""
    LCA = "lca"
    """The LCA of a host is stopped properly: it releases the VIP and signs off; later it is started again."""
    HAND = "hand"
    """Somebody else changes the mode of an application, or adds the VIP to a host, or removes it."""
    UNCLEAR = "unclear"
    """The result of a command is unreadable."""


DEFAULT_FAULTS = frozenset(Fault) - {Fault.LCA, Fault.HAND, Fault.UNCLEAR}
"""The faults that `switchover verify` explores by default."""

BUDGET_AT_MOST = 7
"""The largest fault budget of an exploration."""

Lanes = tuple[tuple[HostCommand, ...], ...]


@frozen
class Host:
    """The state of one host.

    `net`: the network is `fine`; the host is `parted` from the agent or `cut` off from everyone; it is `off`; or it is
    `fresh`, its LCA just started. `link`: the agent's connection to it is `up`, `silent` or `down`; or `new`, if the
    agent has just started and has not given the host up yet. `vip`: `free`, `held`, or `quiet` (held but not
    announced). `lanes`: for each target, the commands received and not yet carried out; `wire`: those sent but not
    received, or not sent because there is no connection.
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
        """Whether nothing is under way, and there is nothing left for the agent to notice."""
        is_noticed = self.is_connected == (self.net == "fine") and self.link != "silent"
        return is_noticed and self.net != "fresh" and not any(self.lanes) and not any(self.wire)

    @property
    def is_held_up(self) -> bool:
        """Whether the agent believes that it is connected, but does not hear the host."""
        return self.is_connected and self.net != "fresh" and (self.net, self.link) != ("fine", "up")


@frozen
class Move:
    """One step of a host: its text, the host after it, and what the agent hears in the same step (may be empty).

    `announces`: the clients hear a gratuitous ARP: the VIP is here. `fault`: the step costs one fault of the budget.
    """

    text: str
    host: Host
    occurrence: Occurrence = ()
    announces: bool = False
    fault: bool = field(default=False, kw_only=True)


class HostModel:
    """The behaviour of the host on one side (1 or 2) of a topology."""

    def __init__(self, topology: Topology, side: int, faults: frozenset[Fault]) -> None:
        self.name = topology.hosts[side - 1]
        self.applications = tuple(pair.applications[side - 1] for pair in topology.components)
        self._redundant = len(topology.pairs)
        self._faults = faults
        self._nothing: Lanes = ((),) * (len(self.applications) + 1)

    def start(self) -> Host:
        """The initial host: all applications run, none is primary, the VIP is elsewhere, the agent is not connected."""
        return Host(self._fresh_modes(), self._nothing, self._nothing)

    def _fresh_modes(self) -> tuple[Mode, ...]:
        return tuple(self._runs(number) for number in range(len(self.applications)))

    def _runs(self, number: int) -> Mode:
        return Mode.BACKUP if number < self._redundant else Mode.UP

    # Actions of the agent.

    def receive(self, host: Host, commands: tuple[HostCommand, ...]) -> Host:
        """The host after the agent has sent it these commands."""
        arrives = host.net == "fine" and host.is_connected
        lanes = list(host.lanes if arrives else host.wire)
        for command in commands:
            lane = self._lane(command)
            lanes[lane] = (*lanes[lane], command)
        return evolve(host, lanes=tuple(lanes)) if arrives else evolve(host, wire=tuple(lanes))

    def _lane(self, command: HostCommand) -> int:
        return self.applications.index(command.application) if isinstance(command, ApplicationCommand) else -1

    def forgotten(self, host: Host) -> Host:
        """The host after the agent has crashed: the connection is gone; received commands are still carried out."""
        return evolve(host, link="new", wire=self._nothing)

    def parted(self, host: Host) -> Host | None:
        """The host after the network has separated it from the agent; None unless the network was fine."""
        return evolve(host, net="parted") if host.net == "fine" else None

    # Moves of the host.

    def moves(self, host: Host) -> Iterator[Move]:
        """All moves of a host: what it can do and what can happen to it next."""
        yield from self._connection(host)
        if Fault.POWER in self._faults and host.net not in ("off", "fresh"):
            yield from self._power_losses(host)
        if Fault.PARTITION in self._faults and host.net == "fine":
            yield from self._partitions(host)
        if not host.is_held_up:
            yield from self._local(host)

    def _local(self, host: Host) -> Iterator[Move]:
        """The moves on the host itself, as opposed to its connection."""
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
        """The host after its network is back: commands that waited on a connection that still stands arrive."""
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
        """The oldest command of a lane is carried out if `done`, and its result is reported as `how`."""
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
        return self._reported(Move(text, after, announces=is_heard, fault=fault), (*seen, Result(command, how)))

    @staticmethod
    def _reported(move: Move, occurrence: Occurrence) -> Move:
        """The move, with this report to the agent if the host is connected."""
        return evolve(move, occurrence=occurrence) if move.host.link == "up" and move.host.net == "fine" else move

    def _returns(self, host: Host) -> Iterator[Move]:
        for number, mode in enumerate(host.modes):
            if mode is Mode.DOWN and host.net != "off":
                yield self._changed(host, number, self._runs(number), "is up again", fault=False)

    def _changed(self, host: Host, number: int, mode: Mode, text: str, *, fault: bool) -> Move:
        name = self.applications[number]
        after = evolve(host, modes=(*host.modes[:number], mode, *host.modes[number + 1 :]))
        return self._reported(Move(f"{name} {text}", after, fault=fault), (ApplicationReported(name, mode),))

    # Faults.

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
                yield self._changed(host, number, other, f"is made {other} by somebody else", fault=True)
        taken = evolve(host, vip="free" if host.holds_vip else "held")
        text = f"the VIP is {'taken off' if host.holds_vip else 'put on'} {self.name} by somebody else"
        yield self._reported(Move(text, taken, fault=True), (VipReported(self.name, taken.holds_vip),))


class _Report(HostReport):
    """A hashable report: two with equal content are equal and have the same hash."""

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
