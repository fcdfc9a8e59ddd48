"""The agent's loop: event -> core -> journal -> drivers; what the drivers report comes back as events.

No decision is taken here. The agent gives every command its deadline, makes sure that every command has a result even
if a host never answers, and refuses what a host reports about anything but itself. The loop waits for nobody: it
serves no HTTP, draws nothing, and writes no file. Intent is handed to the journal's writer before it is acted on.
"""

import asyncio
import contextlib
import functools
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import evolve

from ...drivers.errors import DriverError
from ...fsm import (
    ActivateAlarm,
    ApplicationReported,
    Command,
    CommandResult,
    CommandTimedOut,
    CoreError,
    Event,
    LogMessageReceived,
    Solution,
    SolutionState,
    Start,
    StartRequested,
    StartTimer,
    Step,
    Stop,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    TriggerReaction,
    VipReported,
    WriteLog,
)
from ...fsm.commands import HostCommand
from ...fsm.records import describe_command, describe_event, describe_step
from ..configuration.settings import Configuration
from ..history.incidents import Incident, Tracker
from ..history.journal import (
    OBSERVED,
    REFUSED,
    WITHHELD,
    Entry,
    Handled,
    start_entry,
)
from ..history.observe_mode import NOBODY_DID_IT, TEXT, as_reported, without_pending
from ..history.writer import Journal
from .clock import CLOCK, Clock

LOG = logging.getLogger("switchover.agent")

ANSWER_MARGIN_MS = 500
"""How long after a command's deadline, in ms, the agent still waits for the host's answer; or the detection time."""

INCIDENTS_KEPT = 50
"""How many incidents the agent keeps in memory; the journal has them all."""

OBSERVING = "this agent only observes: nothing is done; switch where the switching is done"


class HostConnection(Protocol):
    """The agent's link to a host, real or simulated."""

    @property
    def heard_at(self) -> float | None:
        """When the host was last heard, in seconds of `time.monotonic`; None if never."""
        ...

    def start(self) -> None:
        """Begin to connect and to deliver events."""
        ...

    async def close(self) -> None:
        """End the connection; no event is delivered any more."""
        ...

    def send(self, command: HostCommand, deadline_ms: int) -> None:
        """Pass a command on. A command that cannot be sent is lost; the agent waits for its deadline."""
        ...


Listener = Callable[[Handled, Incident | None], None]
"""Is called with everything that was handled, and with the incident that it belongs to, if any."""

Connect = Callable[[str, Callable[[Event], None]], HostConnection]
"""Makes the connection to the host of this name; its events go to the callable."""


class Agent:
    """The SCS-side agent of one solution. One event is handled at a time, to its end.

    With `observe` it gives no command: it journals what it would have done (`observe_mode`).
    """

    def __init__(
        self,
        configuration: Configuration,
        journal: Journal,
        connect: Connect,
        *,
        observe: bool = False,
        clock: Clock = CLOCK,
    ) -> None:
        self.configuration = configuration
        self.observe = observe
        self.solution = Solution(configuration.topology())
        self._first_id = clock.wall_ns() // 1_000_000  # a host may still answer what an agent before this one commanded
        self.solution.state = evolve(self.solution.state, next_id=self._first_id)
        self.incidents = deque[Incident](maxlen=INCIDENTS_KEPT)
        self.listeners = list[Listener]()
        self._tracker = Tracker()
        self._run = self._number = 0  # entries of the journal: the agent's start, and the last event
        self.journal = journal
        self._clock = clock
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._hosts: Mapping[str, HostConnection] = {
            host: connect(host, functools.partial(self._hear, host)) for host in self.solution.topology.hosts
        }

    def start(self) -> None:
        """Journal the start and connect to the hosts; what they report is adopted."""
        topology = self.solution.topology
        self._run = self._write(start_entry(topology, observe=self.observe, first_id=self._first_id))
        for connection in self._hosts.values():
            connection.start()

    async def close(self) -> None:
        """Let go of the hosts. They stay as they are."""
        for timer in self._timers.values():
            timer.cancel()
        for connection in self._hosts.values():
            await connection.close()

    def post(self, event: Event) -> tuple[Step, ...]:
        """Handle one event; returns what was decided. Raises `CoreError`, after journalling it, if it is refused."""
        before = self.solution.state
        text = describe_event(event, before.pending)
        try:
            commands = self.solution.handle(event)
        except CoreError as error:
            self._refuse(text, str(error))
            raise
        if self.observe:
            self.solution.state = without_pending(self.solution.state)
        handled = self._record(text, event, self.solution.steps, commands, before)
        for command in commands:
            self._carry_out(command)
        incident = self._notice(handled)
        self._log(handled, incident)
        return handled.steps

    @property
    def version(self) -> str:
        """The version of the present state: every event and every restart makes a new one."""
        return f"{self._run}.{self._number}"

    def heard_ms_ago(self, host: str) -> float | None:
        """How long ago the host was last heard, in ms; None if never."""
        heard_at = self._hosts[host].heard_at
        return None if heard_at is None else self._clock.mono_ns() / 1e6 - heard_at * 1000

    def switch(self, application: str) -> Step:
        """An operator asks for this application to be primary; returns the decision. Raises `CoreError` as `post`."""
        return self._ask(SwitchoverRequested(application))

    def take_log_message(self, event_id: str, application: str) -> Step:
        """A log message came from outside; returns the decision. Raises `CoreError` as `post`."""
        return self.post(LogMessageReceived(event_id, application))[0]

    def start_application(self, application: str) -> Step:
        """An operator asks that it be started; returns the decision. Raises `CoreError` as `post`."""
        return self._ask(StartRequested(application))

    def stop_application(self, application: str) -> Step:
        """An operator asks that it be stopped; returns the decision. Raises `CoreError` as `post`."""
        return self._ask(StopRequested(application))

    def _ask(self, event: SwitchoverRequested | StartRequested | StopRequested) -> Step:
        if self.observe:
            self._refuse(describe_event(event), OBSERVING)
            raise CoreError(OBSERVING)
        return self.post(event)[0]

    def _hear(self, host: str, event: Event) -> None:
        """An event from a host's connection: refused if it is about anything but the host itself."""
        if self._is_own(host, event):
            self._take(event)
        else:
            self._refuse(describe_event(event), f"{host} cannot speak for another host")

    def _take(self, event: Event) -> None:
        """Handle an event without a caller that waits; if it is refused, the journal and the log say so."""
        with contextlib.suppress(CoreError):
            self.post(event)

    def _is_own(self, host: str, event: Event) -> bool:
        if isinstance(event, CommandResult):
            return all(command.host == host for command in self.solution.state.pending if command.id == event.id)
        match event:
            case ApplicationReported():
                return any(member.application == event.application for member in self.configuration.members_on(host))
            case VipReported():
                return event.host == host
            case _:
                return True

    def _record(
        self,
        text: str,
        event: Event,
        steps: tuple[Step, ...],
        commands: tuple[Command, ...],
        before: SolutionState,
    ) -> Handled:
        """Hand an event and all that follows from it to the journal's writer, which is not waited for."""
        self._number = self.journal.next_number
        stamps = self._number, self._clock.wall_ns(), self._clock.mono_ns(), text
        states = before, self.solution.state, self.solution.topology
        handled = Handled(*stamps, event, steps, commands, *states, self._run)
        self.journal.record(handled, observe=self.observe)
        return handled

    def _write(self, entry: Entry) -> int:
        return self.journal.write([entry], self._clock.wall_ns(), self._clock.mono_ns())

    def _notice(self, handled: Handled) -> Incident | None:
        """Call the listeners, once everything has been done; what fails there delays nothing."""
        incident = self._tracker.take(handled)
        if incident is not None and (not self.incidents or self.incidents[-1] is not incident):
            self.incidents.append(incident)
        for listener in self.listeners:
            try:
                listener(handled, incident)
            except Exception:
                LOG.exception("what listens to the agent failed; the agent goes on")
        return incident

    def _refuse(self, text: str, reason: str) -> None:
        self._write(Entry(REFUSED, f"{text}: {reason}"))
        LOG.warning("refused: %s: %s", text, reason)

    def _carry_out(self, command: Command) -> None:
        match command:
            case WriteLog() | ActivateAlarm() | TriggerReaction():
                pass  # nothing to do: the log and the journal show it, like every command
            case StartTimer():
                self._start_timer(command.timer, command.after_ms, TimerFired(command.timer))
            case _ if self.observe:
                self._start_timer(OBSERVED, self.configuration.solution.command_deadline_ms, NOBODY_DID_IT)
            case _:
                self._command_host(command)

    def _command_host(self, command: HostCommand) -> None:
        solution = self.configuration.solution
        slow = isinstance(command, Start | Stop)
        deadline_ms = solution.start_deadline_ms if slow else solution.command_deadline_ms
        silence = CommandTimedOut(command.id, f"no answer within {deadline_ms} ms")
        margin_ms = max(ANSWER_MARGIN_MS, solution.detection_ms)
        self._start_timer(f"command {command.id}", deadline_ms + margin_ms, silence)
        try:
            self._hosts[command.host].send(command, deadline_ms)
        except DriverError as error:
            LOG.warning("%s: %s", describe_command(command), error)  # nothing comes of it, and its deadline passes

    def _log(self, handled: Handled, incident: Incident | None) -> None:
        """Write the log, last of all: that takes longer than deciding."""
        extra = {"incident": None if incident is None else incident.id}
        LOG.info("event: %s", handled.text, extra=extra)
        for step in handled.steps:
            LOG.info("decision: %s", describe_step(step), extra=extra)
        for command in handled.commands:
            if isinstance(command, WriteLog):
                LOG.info("%s %s", command.event_id, command.text, extra=extra)
            else:
                withheld = WITHHELD if self.observe and isinstance(command, HostCommand) else ""
                LOG.info("command: %s%s", withheld, describe_command(command), extra=extra)

    def _start_timer(self, name: str, after_ms: int, event: TimerFired | CommandTimedOut) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(after_ms / 1000, self._fire, name, event)

    def _fire(self, name: str, event: TimerFired | CommandTimedOut) -> None:
        del self._timers[name]
        if event is NOBODY_DID_IT:
            self._give_up_withheld()
        elif isinstance(event, TimerFired) or any(command.id == event.id for command in self.solution.state.pending):
            self._take(event)

    def _give_up_withheld(self) -> None:
        """Observing: nobody carried out the withheld commands in the time that they may take."""
        before = self.solution.state
        self.solution.state = as_reported(self.solution.topology, before)
        if self.solution.state != before:
            handled = self._record(TEXT, NOBODY_DID_IT, (), (), before)
            self._log(handled, self._notice(handled))
