"""What must hold in the true world, judged whenever anything in it changes: not by the agent's view.

1. *Nothing is taken over needlessly*: while a sound host serves, and nobody asked, it keeps its primaries and the VIP,
   and none of them appears on the other one. Sound: it is on, in touch with the agent, and all that it has works.
2. *No two holders*: two hosts that clients reach hold the VIP only during a fault, or for `two_holders_ms`.
3. *Clients are served*: while a sound host could serve, under a running agent, they wait no longer than `unserved_ms`.
4. *A script runs once per switchover*: not twice on one host with nothing in between that failed or was lost.
5. *Nobody announces what it does not hold*: no frame says that an address is on a host where it is not.
6. *No exception goes unnoticed*: each is an answer to somebody.
7. *At the end, all is as it should be*: after a quiet time all runs, is primary on one host, and the status says so.
"""

from attrs import define, field, frozen

from ....fsm import (
    ApplicationReported,
    CommandSucceeded,
    DisableVip,
    EnableVip,
    HostConnected,
    HostHeard,
    HostLeft,
    HostLost,
    LogMessageReceived,
    Mode,
    StartRequested,
    StopRequested,
    SwitchoverRequested,
    VipReported,
)
from ....fsm.commands import VipScript
from ....fsm.events import CommandFailed, CommandTimedOut, CommandUnclear, CommandUnconfirmed
from ....fsm.facts import pair_of_the_vip
from ...configuration.settings import Configuration
from ...controller.agent import ANSWER_MARGIN_MS
from ...controller.status import status
from ...explain.status_text import as_text, is_whole
from ...history.journal import Handled
from .network import Conditions
from .world import AGENT, CLIENT, SimulatedMachine, World

NEEDLESS, TWO_HOLDERS, UNSERVED, TWICE, FALSELY_ANNOUNCED, UNCAUGHT, AT_THE_END = (
    "needless takeover",
    "two holders",
    "clients unserved",
    "script twice",
    "announced without holding it",
    "uncaught exception",
    "not as it should be at the end",
)


@frozen
class Limits:
    """How long what may last, in ms; derived from a configuration's times."""

    detection_ms: int
    aftermath_ms: int
    """How long after a fault what it led to may still go on."""
    two_holders_ms: int
    unserved_ms: int
    quiet_ms: int
    """How long after the last fault everything has to be as it should be."""


def limits(configuration: Configuration) -> Limits:
    """The limits of this configuration."""
    solution = configuration.solution
    command_ms = solution.command_deadline_ms + ANSWER_MARGIN_MS
    noticed_ms = 2 * solution.detection_ms + solution.settle_ms
    return Limits(
        detection_ms=solution.detection_ms,
        aftermath_ms=noticed_ms + 2 * command_ms,
        two_holders_ms=noticed_ms + command_ms,
        unserved_ms=noticed_ms + 2 * command_ms + solution.retry_ms,
        quiet_ms=noticed_ms + 6 * command_ms + 5 * solution.retry_ms,
    )


@frozen
class Violation:
    """A property that did not hold, and when, in ms after the beginning."""

    property: str
    at_ms: float
    what: str


@define
class _Since:
    """Since when something is so, in ms; None while it is not."""

    since_ms: float | None = None

    def so(self, is_so: bool, now_ms: float) -> float | None:
        """It is so now, or not; returns since when."""
        self.since_ms = None if not is_so else now_ms if self.since_ms is None else self.since_ms
        return self.since_ms


@define(eq=False)
class Judge:
    """Judges a world. The run sets `is_calm` (no fault is at work) and `is_taken_away` (one takes the VIP away)."""

    world: World
    limits: Limits
    is_calm: bool = True
    is_taken_away: bool = False
    violations: list[Violation] = field(factory=list[Violation])
    longest_unserved_ms: float = 0.0
    unserved_ms: float = 0.0
    _sound: dict[str, _Since] = field(factory=dict[str, _Since])
    _calm: _Since = field(factory=_Since)
    _able: _Since = field(factory=_Since)
    _two: _Since = field(factory=_Since)
    _unserved: _Since = field(factory=_Since)
    _asked_ms: float = -1e9
    _seen: dict[str, frozenset[str]] = field(factory=dict[str, frozenset[str]])
    _serving: dict[str, bool] = field(factory=dict[str, bool])
    _scripts: dict[tuple[str, type[VipScript]], bool] = field(factory=dict[tuple[str, type[VipScript]], bool])
    _served_by: str | None = None

    def start(self) -> None:
        """Judge from now on."""
        self._sound = {host: _Since() for host in self.world.machines}
        self._seen = {host: self._active(machine) for host, machine in self.world.machines.items()}
        self._serving = {host: self._serves(machine) for host, machine in self.world.machines.items()}
        self.world.changed.append(self.look)
        self.world.handled.append(self._handled)
        self.world.announced.append(self._announced)
        self.look()

    def asked(self) -> None:
        """Somebody asked for something."""
        self._asked_ms = self.world.now_ms

    # What is so

    def _holds(self, machine: SimulatedMachine) -> bool:
        return any(address in machine.kernel.addresses for address in self.world.vip)

    def _is_reached(self, machine: SimulatedMachine) -> bool:
        paths = (machine.name, CLIENT), (CLIENT, machine.name)
        return machine.is_on and machine.kernel.works and all(map(self.world.network.is_open, paths))

    def _is_sound(self, machine: SimulatedMachine) -> bool:
        network, lca = self.world.network, machine.lca
        paths = (machine.name, AGENT), (AGENT, machine.name)
        return (
            self._is_reached(machine)
            and lca is not None
            and lca.is_alive
            and not lca.is_stopped
            and not machine.is_stopping
            and not machine.kernel.refuses
            and all(network.is_open(path) and self._is_good(network.of(path)) for path in paths)
            and all(application.is_up for application in machine.applications.by_name.values())
        )

    def _is_good(self, conditions: Conditions) -> bool:
        """Whether a link over this path holds: a round trip takes at most a fifth of the detection time."""
        return not conditions.loss and 2 * (conditions.delay_ms + conditions.jitter_ms) <= self.limits.detection_ms / 5

    def _serves(self, machine: SimulatedMachine) -> bool:
        """Whether it is primary in all and has the whole VIP."""
        modes = [application.mode for application in machine.applications.by_name.values()]
        return Mode.BACKUP not in modes and all(address in machine.kernel.addresses for address in self.world.vip)

    def _server(self) -> str | None:
        """The host that answers the client at all addresses; None if some address is not answered."""
        world, topology = self.world, self.world.topology
        found: str | None = None
        for address in world.vip:
            packed = address.packed
            if packed not in world.arp:
                holders = [
                    h for h, m in world.machines.items() if address in m.kernel.addresses and self._is_reached(m)
                ]
                if not holders:
                    return None
                world.arp[packed] = holders[-1]
            host = world.arp[packed]
            machine = world.machines[host]
            side = topology.hosts.index(host)
            main = machine.applications.by_name[topology.pairs[pair_of_the_vip(topology)].applications[side]]
            if (
                address not in machine.kernel.addresses
                or not self._is_reached(machine)
                or main.mode is not Mode.PRIMARY
            ):
                return None
            found = host
        return found

    def _active(self, machine: SimulatedMachine) -> frozenset[str]:
        """The addresses of the VIP, and the applications that are primary."""
        primaries = (each.name for each in machine.applications.by_name.values() if each.mode is Mode.PRIMARY)
        return frozenset((*(str(a) for a in self.world.vip if a in machine.kernel.addresses), *primaries))

    # Judging

    def look(self) -> None:
        """Something changed, or a limit is reached."""
        world, now = self.world, self.world.now_ms
        process = world.agent_process
        for host, machine in world.machines.items():
            self._sound[host].so(self._is_sound(machine), now)
        self._look_for_needless(now)
        calm = self._calm.so(self.is_calm, now)
        both = all(self._holds(machine) and self._is_reached(machine) for machine in world.machines.values())
        self._limit(TWO_HOLDERS, self._two.so(both, now), calm, self.limits.two_holders_ms)
        is_agent_sound = process is not None and process.is_alive and not process.is_stopped
        able = any(self._is_sound(machine) for machine in world.machines.values()) and is_agent_sound
        able_since = self._able.so(able, now)
        self._look_at_service(now, able_since)
        if world.failures:
            self._violated(UNCAUGHT, world.failures[0])

    def _look_for_needless(self, now: float) -> None:
        """Whether a sound host that served until now loses what it serves with, or the other one gets any of it."""
        before, served = self._seen, self._serving
        self._seen = {host: self._active(machine) for host, machine in self.world.machines.items()}
        self._serving = {host: self._serves(machine) for host, machine in self.world.machines.items()}
        if any(machine.applications.is_late for machine in self.world.machines.values()):
            return
        for host in self.world.machines:
            since = self._sound[host].since_ms
            if since is None or not served[host]:
                continue
            if min(now - since, now - self._asked_ms) <= self.limits.aftermath_ms:
                continue
            others = [other for other in self.world.machines if other != host]
            lost = before[host] - self._seen[host]
            if (
                lost and not self.is_taken_away and not any(before[other] for other in others)
            ):  # else a split brain is healed
                self._violated(NEEDLESS, f"{_listed(lost)} no more on {host}, which served and is sound")
            for other in others:
                if new := self._seen[other] - before[other]:
                    self._violated(NEEDLESS, f"{_listed(new)} on {other} while {host} serves and is sound")

    def _look_at_service(self, now: float, able_since: float | None) -> None:
        server = self._server()
        if server != self._served_by:
            self.world.record(f"clients are served by {server or 'nobody'}")
            self._served_by = server
        before = self._unserved.since_ms
        since = self._unserved.so(server is None, now)
        if before is not None and since is None:
            self.unserved_ms += now - before
            self.longest_unserved_ms = max(self.longest_unserved_ms, now - before)
        self._limit(UNSERVED, since, able_since, self.limits.unserved_ms)

    def _limit(self, name: str, since: float | None, and_since: float | None, limit_ms: int) -> None:
        """Both may be so together for this long; then it is looked at again."""
        if since is None or and_since is None:
            return
        lasted = self.world.now_ms - max(since, and_since)
        if lasted > limit_ms:
            self._violated(name, f"for {limit_ms} ms")
        else:
            self.world.loop.outside((limit_ms - lasted) / 1000 + 0.001, self._look_later)

    def _look_later(self) -> None:
        if self.world.changed:
            self.look()

    def _handled(self, handled: Handled) -> None:
        event = handled.event
        match event:
            case SwitchoverRequested() | StartRequested() | StopRequested() | LogMessageReceived():
                self.asked()
            case HostConnected() | HostHeard() | HostLeft() | HostLost() | VipReported():
                self._forget(event.host)
            case CommandFailed() | CommandTimedOut() | CommandUnclear() | CommandUnconfirmed():
                for command in handled.before.pending:
                    if command.id == event.id:
                        self._forget(command.host)
            case ApplicationReported() | CommandSucceeded() | _:
                pass
        for command in handled.commands:
            if isinstance(command, VipScript):
                kind = type(command)
                if self._scripts.get((command.host, kind)):
                    self._violated(TWICE, command.record)
                self._forget(command.host)
                self._scripts[command.host, kind] = True

    def _announced(self, host: str, claimed: bytes) -> None:
        for address in self.world.vip:
            if address.packed == claimed and address not in self.world.machines[host].kernel.addresses:
                self._violated(FALSELY_ANNOUNCED, f"{address} by {host}")

    def _forget(self, host: str) -> None:
        for kind in (EnableVip, DisableVip):
            self._scripts.pop((host, kind), None)

    def at_the_end(self) -> None:
        """All faults are over, and the quiet time too."""
        world, agent = self.world, self.world.agent
        holders = [host for host, machine in world.machines.items() if self._holds(machine)]
        if agent is None:
            self._violated(AT_THE_END, "the agent does not run")
            return
        found = status(agent)
        wrong = [
            f"down: {each.name}"
            for machine in world.machines.values()
            for each in machine.applications.by_name.values()
            if not each.is_up
        ]
        wrong += [] if len(holders) == 1 else [f"the VIP is on {' and '.join(holders) or 'no host'}"]
        wrong += [] if self._server() else ["clients are not served"]
        wrong += [f"pending: {command}" for command in found["pending"]]
        wrong += (
            [] if is_whole(found) else [f"status: {'; '.join(line.strip() for line in as_text(found).splitlines())}"]
        )
        if holders and not self._serves(world.machines[holders[0]]):
            wrong.append(f"{holders[0]} holds the VIP and is not primary in all")
        if wrong:
            self._violated(AT_THE_END, "; ".join(wrong))

    def _violated(self, name: str, what: str) -> None:
        if all(violation.property != name for violation in self.violations):
            self.violations.append(Violation(name, self.world.now_ms, what))
            self.world.record(f"VIOLATED: {name}: {what}")


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
