"""The faults of a simulated world: each kind has a probability and a duration, and all follow from one seed."""

import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from attrs import evolve, frozen

from ....fsm import CoreError
from ...configuration.settings import Configuration
from ...controller.agent import Agent
from .network import Conditions
from .processes import Process
from .world import AGENT, World

Undo = Callable[[], None]
Where = Literal["host", "application", "solution"]


@frozen
class Kind:
    """A kind of fault.

    `per_hour` is how often it happens to each of its places, on average. It lasts from `shortest_ms` to `longest_ms`.
    `size` is between two bounds whose meaning is the kind's own.
    """

    where: Where
    per_hour: float
    shortest_ms: int
    longest_ms: int
    size: tuple[float, float] = (0.0, 0.0)
    words: str = ""


@frozen
class Fault:
    """A fault: when it begins, how long it lasts, both in ms; its kind, its place, and its size."""

    at_ms: int
    for_ms: int
    kind: str
    where: str
    size: float = 0.0

    def __str__(self) -> str:
        size = f" {self.size:g}" if self.size else ""
        return f"{self.at_ms:>8} ms  {self.kind} {self.where}{size} for {self.for_ms} ms".replace("  for", " for")


KINDS: Mapping[str, Kind] = {
    "crash": Kind("application", 20, 200, 8000, words="an application dies, and is started again"),
    "power": Kind("host", 6, 2000, 15000, words="a host loses its power"),
    "cut": Kind("host", 15, 20, 10000, words="a host is cut off from all others"),
    "agent-cut": Kind("host", 12, 20, 10000, words="a host and the agent are cut off from each other"),
    "deaf": Kind("host", 6, 20, 5000, words="a host hears the agent no more"),
    "mute": Kind("host", 6, 20, 5000, words="the agent hears a host no more"),
    "loss": Kind("host", 10, 500, 15000, (0.01, 0.3), "between a host and the agent this share of packets is lost"),
    "delay": Kind("host", 10, 500, 15000, (0.5, 8), "between a host and the agent packets take this many ms more"),
    "lca-kill": Kind("host", 8, 100, 5000, words="an LCA is killed, and started again"),
    "lca-restart": Kind("host", 5, 100, 2000, words="an LCA is restarted in order"),
    "lca-stop": Kind("host", 6, 50, 5000, words="an LCA does not run for a while"),
    "agent-kill": Kind("solution", 10, 100, 5000, words="the agent is killed, and started again"),
    "agent-stop": Kind("solution", 6, 50, 3000, words="the agent does not run for a while"),
    "operator": Kind("host", 12, 0, 0, words="an operator asks for a switchover to a host"),
    "full-disk": Kind("solution", 6, 500, 20000, words="the journal cannot be written"),
    "slow-status": Kind("application", 6, 1000, 10000, (50, 900), "a status command takes this many ms more"),
    "slow-control": Kind("application", 6, 1000, 10000, (50, 900), "control commands take this many ms more"),
    "failing": Kind("application", 6, 500, 6000, words="control commands fail"),
    "slow-kernel": Kind("host", 6, 500, 8000, (1, 100), "changes of addresses take this many ms"),
    "hung-control": Kind("application", 6, 500, 20000, (3000, 9000), "control commands do not end in time"),
    "refusing-kernel": Kind("host", 6, 500, 6000, words="every change of addresses is refused"),
    "drift": Kind(
        "host", 60, 0, 0, (-0.01, 0.01), "the host's clock goes faster by this share, from its next program on"
    ),
    "late-effect": Kind("application", 6, 500, 20000, (100, 8000), "a command that timed out works this many ms later"),
    "slow-disk": Kind("solution", 6, 2000, 60000, (20, 1500), "a write to the journal takes this many ms"),
    "far": Kind("host", 6, 2000, 60000, (8, 40), "between a host and the agent packets take this many ms more"),
    "vip-removed": Kind("host", 6, 0, 0, words="somebody else removes the VIP from a host"),
    "unheard": Kind("host", 6, 50, 3000, words="what a host announces does not reach the clients"),
    "operator-stop": Kind("application", 3, 500, 10000, words="an operator stops an application, and starts it again"),
    # Those of which a fault of the programs is known: see `docs/verify.md`.
    "late-status": Kind("application", 30, 1000, 40000, (900, 4000), "a status command takes this many ms more"),
    "hung-kernel": Kind("host", 30, 500, 20000, (2000, 10000), "changes of addresses take this many ms"),
    "interface-gone": Kind("host", 30, 500, 40000, words="the interface vanishes, and is made again"),
    "interface-down": Kind("host", 30, 500, 40000, words="the interface is down"),
    "no-carrier": Kind("host", 30, 500, 40000, words="the interface has no carrier"),
}

KNOWN_TO_FAIL: Mapping[str, str] = {
    "late-status": "a promotion whose look is never answered leaves the pair waiting, and clients unserved",
    "hung-kernel": "a VIP whose look is never answered leaves the switchover waiting, and clients unserved",
    "interface-gone": "a host takes over, or keeps its primaries, without an interface",
    "interface-down": "a host takes over, or keeps the VIP, on an interface that is down",
    "no-carrier": "a host takes over, or keeps the VIP, without a carrier",
}
"""The kinds that show known faults of the programs, and these faults; each is switched on by name."""

DEFAULT = tuple(kind for kind in KINDS if kind not in KNOWN_TO_FAIL)

_IN_A_BURST, _BURST_MS = 0.5, 200  # which share comes soon after another one, and how soon on average

_INTENSITIES = (0.5, 1.0, 2.0, 4.0)


def plan(configuration: Configuration, seed: int, minutes: float, kinds: Sequence[str]) -> tuple[Fault, ...]:
    """The faults of a seed, in order of time. Many come soon after another one: while something is going on."""
    faults: list[Fault] = []
    intensity = random.Random(f"{seed} intensity").choice(_INTENSITIES)  # noqa: S311 - no secret
    places: Mapping[Where, list[str]] = {
        "host": [host.name for host in configuration.hosts],
        "application": [member.application for pair in configuration.pairs for member in pair.members],
        "solution": [AGENT],
    }
    for name in kinds:
        kind, chance = KINDS[name], random.Random(f"{seed} {name}")  # noqa: S311 - no secret
        for where in places[kind.where]:
            at_ms = 0.0
            while (at_ms := at_ms + chance.expovariate(intensity * kind.per_hour / 3_600_000)) < minutes * 60_000:
                for_ms = round(kind.shortest_ms * (kind.longest_ms / max(kind.shortest_ms, 1)) ** chance.random())
                faults.append(Fault(round(at_ms), for_ms, name, where, round(chance.uniform(*kind.size), 4)))
    chance = random.Random(f"{seed} bursts")  # noqa: S311 - no secret
    for number, fault in enumerate(faults):
        if chance.random() < _IN_A_BURST:
            at_ms = round(chance.choice(faults).at_ms + chance.expovariate(1 / _BURST_MS))
            faults[number] = evolve(fault, at_ms=at_ms)
    return tuple(sorted(faults, key=lambda fault: (fault.at_ms, fault.kind, fault.where)))


class Injector:
    """Does a fault to a world, and undoes it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def begin(self, fault: Fault) -> Undo:
        """The fault happens; returns what ends it."""
        undo = self._begin(fault)
        self._world.notice()

        def end() -> None:
            undo()
            self._world.notice()

        return end

    def _begin(self, fault: Fault) -> Undo:
        world, where, size = self._world, fault.where, fault.size
        network, both = world.network, ((where, AGENT), (AGENT, where))
        match fault.kind:
            case "crash":
                application = world.application(where)
                machine = world.machines[application.host]
                machine.applications.end(application)
                return lambda: machine.applications.start(application) if machine.is_on else None
            case "power":
                world.power_off(where)
                return lambda: world.power_on(where)
            case "cut":
                others = [name for name in network.addresses if name != where]
                return self._cut(*((where, other) for other in others), *((other, where) for other in others))
            case "agent-cut":
                return self._cut(*both)
            case "deaf":
                return self._cut((AGENT, where))
            case "mute":
                return self._cut((where, AGENT))
            case "loss":
                return self._weather(both, lambda c: evolve(c, loss=size))
            case "delay" | "far":
                return self._weather(both, lambda c: evolve(c, delay_ms=size, jitter_ms=size / 2))
            case "lca-kill":
                world.kill(world.machines[where].lca)
                return lambda: world.start_lca(where)
            case "lca-restart":
                world.stop_lca(where)
                return lambda: world.start_lca(where)
            case "lca-stop" | "agent-stop":
                return self._stop(world.agent_process if where == AGENT else world.machines[where].lca)
            case "agent-kill":
                world.kill(world.agent_process)
                return world.start_agent
            case "operator":
                world.ask(lambda agent: _switch(agent, where))
                return _nothing
            case "operator-stop":
                world.ask(lambda agent: _wish(agent.stop_application, where))
                return lambda: world.ask(lambda agent: _wish(agent.start_application, where))
            case "unheard":
                world.unheard.add(where)
                return lambda: world.unheard.discard(where)
            case "drift":
                world.rates[where] = 1 + size
                return lambda: None
            case "full-disk":
                world.journal.is_full = True
                return lambda: setattr(world.journal, "is_full", False)
            case "slow-disk":
                world.journal.takes_s = size / 1000
                return lambda: setattr(world.journal, "takes_s", 0.0)
            case _:
                return self._trouble(fault) if KINDS[fault.kind].where == "application" else self._kernel(fault)

    def _trouble(self, fault: Fault) -> Undo:
        trouble, size_s = self._world.application(fault.where).trouble, fault.size / 1000
        match fault.kind:
            case "slow-status" | "late-status":
                trouble.status_s = size_s
                return lambda: setattr(trouble, "status_s", 0.0)
            case "slow-control" | "hung-control":
                trouble.control_s = size_s
                return lambda: setattr(trouble, "control_s", 0.0)
            case "late-effect":
                trouble.control_s, trouble.lands_late, trouble.late_s = 1000.0, True, size_s

                def end() -> None:
                    trouble.control_s, trouble.lands_late = 0.0, False

                return end
            case _:
                trouble.fails = True
                return lambda: setattr(trouble, "fails", False)

    def _kernel(self, fault: Fault) -> Undo:
        machine = self._world.machines[fault.where]
        kernel = machine.kernel
        match fault.kind:
            case "slow-kernel" | "hung-kernel":
                if machine.lca is None:
                    return _nothing
                lca, before = machine.lca, machine.lca.kernel_s
                over_s = self._world.loop.world_s + fault.for_ms / 1000
                lca.kernel_s = lambda begins_s: min(fault.size / 1000, max(over_s - begins_s, 0.0))
                return lambda: setattr(lca, "kernel_s", before)
            case "interface-gone":
                kernel.set_interface(there=False)
                return lambda: kernel.set_interface(there=True)
            case "interface-down":
                kernel.set_interface(up=False)
                return lambda: kernel.set_interface(up=True)
            case "vip-removed":
                kernel.lose([address for address in self._world.vip if address in kernel.addresses])
                return _nothing
            case "no-carrier":
                kernel.set_interface(carrier=False)
                return lambda: kernel.set_interface(carrier=True)
            case _:
                kernel.refuses = True
                return lambda: setattr(kernel, "refuses", False)

    def _cut(self, *paths: tuple[str, str]) -> Undo:
        network = self._world.network
        network.cuts.update(paths)
        return lambda: network.cuts.subtract(paths)

    def _weather(self, paths: Sequence[tuple[str, str]], change: Callable[[Conditions], Conditions]) -> Undo:
        conditions = self._world.network.conditions
        for path in paths:
            conditions[path] = change(self._world.network.of(path))

        def end() -> None:
            for path in paths:
                conditions[path] = Conditions()

        return end

    def _stop(self, process: Process | None) -> Undo:
        loop = self._world.loop
        if process is None or not process.is_alive:
            return _nothing
        loop.stop_process(process)
        return lambda: loop.continue_process(process) if process.is_alive else None


def _wish(ask: Callable[[str], object], application: str) -> None:
    """An operator asks for something of one application; a refusal is an answer."""
    with contextlib.suppress(CoreError):
        ask(application)


def _switch(agent: Agent, host: str) -> None:
    """An operator asks for all of a host, one application after the other; a refusal is an answer."""
    topology = agent.solution.topology
    for pair in topology.pairs:
        try:
            agent.switch(pair.applications[topology.hosts.index(host)])
        except CoreError:
            return


def _nothing() -> None:
    pass
