"""A simulated host: its LCA, its applications and the agent's connection to it, without a network or a process.

A message takes `LINK_MS`, a control command `CONTROL_MS`, a VIP script `SCRIPT_MS`; a host that can be reached again is
connected after `RECONNECT_MS`. All times are those of the loop on which it runs.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVarTuple

from ...fsm import (
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    EnableVip,
    Event,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLost,
    HostReport,
    Mode,
)
from ...fsm.commands import ApplicationCommand, ModeCommand, VipScript
from ..explain.ideal_hosts import carry_out
from ..lab.network.observers import AddressEvent
from ..lab.network.segment import VIP

Arguments = TypeVarTuple("Arguments")

LINK_MS, CONTROL_MS, SCRIPT_MS, RECONNECT_MS = 0.2, 3.0, 0.5, 30.0


class World(Protocol):
    """What observes the hosts: `events` are the address changes that their kernels would report."""

    events: list[AddressEvent]

    def announced(self, host: str) -> None:
        """A host has announced the VIP."""
        ...


class SimulatedHost:
    """A host with its LCA and applications, and the agent's connection to it (`HostConnection`).

    `modes` are the modes that its applications start in.
    """

    def __init__(self, name: str, modes: Mapping[str, Mode], detection_ms: int, world: World) -> None:
        self.name = name
        self.modes = dict(modes)
        self._starts_as = modes
        self.vip_held = False
        self.reachable = True
        self.failing = set[str]()
        """The records of the commands that it cannot carry out."""
        self._lost_at: float | None = None
        self.deliver: Callable[[Event], None] = lambda _: None
        self._detection_ms = detection_ms
        self._world = world
        self._connection = 0  # counts connections: messages of an older one are dropped
        self._connected = self._silent = False

    @property
    def heard_at(self) -> float | None:
        """See `HostConnection`."""
        return _now() if self.reachable else self._lost_at

    def start(self) -> None:
        """See `HostConnection`."""
        self._later(LINK_MS, self._connect)

    async def close(self) -> None:
        """See `HostConnection`."""
        self._connection += 1

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        """See `HostConnection`."""
        work_ms = CONTROL_MS if isinstance(command, ApplicationCommand) else SCRIPT_MS
        self._later(LINK_MS + work_ms, self._carry_out, command)

    def crash(self, application: str) -> None:
        """An application dies."""
        self._change(application, Mode.DOWN)

    def start_application(self, application: str) -> None:
        """An application starts, in backup mode if it has one."""
        self._change(application, self._starts_as[application])

    def _change(self, application: str, mode: Mode) -> None:
        self.modes[application] = mode
        self._later(LINK_MS, self._tell, ApplicationReported(application, mode))

    def set_reachable(self, reachable: bool) -> None:
        """The network fails, or works again."""
        self.reachable, self._lost_at = reachable, _now()
        if not reachable:
            self._later(self._detection_ms / 2, self._fall_silent)
            self._later(self._detection_ms, self._lose)
        elif self._connected:
            self._later(LINK_MS, self._hear)
        else:
            self._later(RECONNECT_MS, self._connect)

    def _connect(self) -> None:
        if self.reachable and not self._connected:
            self._connected, self._silent = True, False
            self.deliver(HostConnected(self.name, HostReport(dict(self.modes), self.vip_held)))

    def _fall_silent(self) -> None:
        if not self.reachable and self._connected:
            self._silent = True
            self.deliver(HostFellSilent(self.name))

    def _hear(self) -> None:
        if self._silent:
            self._silent = False
            self.deliver(HostHeard(self.name))

    def _lose(self) -> None:
        if not self.reachable and self._connected:
            self._connected, self._silent = False, False
            self._connection += 1
            self.deliver(HostLost(self.name))

    def _carry_out(self, command: HostCommand) -> None:
        if not self.reachable:
            return
        if reason := self._why_not(command):
            self._later(LINK_MS, self._tell, CommandFailed(command.id, reason))
            return
        reports = list(carry_out(command, self.modes, {self.name: self.vip_held}, self._starts_as.__getitem__))
        if isinstance(command, VipScript):
            self._set_vip(held=command.held)
        if isinstance(command, EnableVip | AnnounceVip):
            self._world.announced(self.name)
        for event in (*reports, CommandSucceeded(command.id)):
            self._later(LINK_MS, self._tell, event)

    def _why_not(self, command: HostCommand) -> str:
        """Why the host cannot carry out a command; empty if it can."""
        if command.record in self.failing:
            return "exit status 1"
        if isinstance(command, ModeCommand) and self.modes[command.application] is Mode.DOWN:
            return f"{command.application} is down"
        if isinstance(command, AnnounceVip) and not self.vip_held:
            return "this host does not hold the VIP"
        return ""

    def _set_vip(self, held: bool) -> None:
        self.vip_held = held
        now = _now()
        self._world.events += [AddressEvent(now, self.name, address, held) for address in VIP]

    def _tell(self, event: Event) -> None:
        if self.reachable and self._connected:
            self.deliver(event)

    def _later(self, after_ms: float, what: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        connection = self._connection
        asyncio.get_running_loop().call_later(
            after_ms / 1000, lambda: what(*arguments) if connection == self._connection else None
        )


def _now() -> float:
    """The time of the loop on which this runs, in seconds: that of `time.monotonic`, or a virtual one."""
    return asyncio.get_running_loop().time()
