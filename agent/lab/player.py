"""Plays the documented workflows on a stage: brings the prior state about, acts as the outside world, and looks.

When a step was seen is read from the agent's journal, by the marks that the workflow's data names. Whether the end
state is as documented is asked of the agent and, separately, of the observers.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

from attrs import frozen

from ...fsm.workflows import DISCONNECTED, WORKFLOWS, Workflow, recognise, roles
from ..journal import Entry, read
from .namespaces import LabError
from .report import Outcome, PlayedStep
from .stage import Measured, Stage

PATIENCE_S = 15.0
"""How long a workflow, or the way back to the prior state, may take before it counts as failed."""

_ACTS = {
    "manual": "an operator asks for {new}",
    "failure": "kill -9 of {old}",
    "disconnected": "the network of {old_host} fails, its carrier stays",
    "reconnection": "the network of {old_host} works again",
}

_LOOK_EVERY_S = 0.05
_BEFORE_S, _AFTER_S = 0.3, 0.7  # the client asks this much longer than the workflow lasts; more than SIP's T1 after it


Show = Callable[[str], None]
"""Shows a line of what is happening while it happens."""


async def play(stage: Stage, names: Sequence[str], repeat: int, show: Show) -> AsyncIterator[Outcome]:
    """Play workflows by name, each so many times, and yield what each run came to."""
    player = _Player(stage, show)
    for name in names:
        for _ in range(repeat):
            yield await player.play(WORKFLOWS[name])


@frozen
class _Position:
    """Where a run begins: the side that is primary before it, and the journal's last entry."""

    old: int
    entry: int


class _Player:
    def __init__(self, stage: Stage, show: Show) -> None:
        self._stage = stage
        self._show = show
        self._shown = 0  # the number of the last journal entry that was shown
        self._lost: int | None = None  # the side whose network is cut

    async def play(self, workflow: Workflow) -> Outcome:
        if workflow.name == "reconnection":
            if self._lost is None:
                await self._lose(await self._prior_state())
            old = self._lost or 1
        else:
            old = await self._prior_state()
        self._shown = self._last_entry()
        position = _Position(old, self._shown)
        await self._stage.begin()
        await asyncio.sleep(_BEFORE_S)
        acted = await self._act(workflow, old)
        self._show(f"{workflow.title}: {_ACTS[workflow.name].format(**self._parts(position))}")
        await self._await_end(workflow, position, acted)
        await asyncio.sleep(_AFTER_S)
        self._show_news(acted)
        measured = await self._stage.measure(acted)
        wrong = [*await self._wrong_states(workflow, position), *self._wrong_measures(position, measured)]
        return Outcome(workflow.name, self._steps(workflow, position, acted), measured, tuple(wrong))

    # The outside world acts.

    async def _act(self, workflow: Workflow, old: int) -> float:
        match workflow.name:
            case "manual":
                now = time.monotonic()
                await self._stage.ask({"do": "switch", "to": self._application(3 - old)})
                return now
            case "failure":
                return await self._stage.crash_server(old)
            case "disconnected":
                self._lost = old
                return await self._stage.cut(old)
            case _:
                self._lost = None
                return await self._stage.heal(old)

    async def _lose(self, old: int) -> None:
        self._lost = old
        await self._await_end(DISCONNECTED, _Position(old, 0), await self._stage.cut(old))

    async def _prior_state(self) -> int:
        """Bring about [S2]'s state prior to a switchover, on whichever side; returns the side of the primary."""
        if self._lost is not None:
            await self._stage.heal(self._lost)
            self._lost = None
        for side in (1, 2):
            if (await self._modes())[side - 1] == "down":
                await self._stage.start_server(side)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            pair, vip = await self._states()
            if pair.startswith("redundant_") and vip == f"held_{pair[-1]}":
                return int(pair[-1])
            if time.monotonic() > deadline:
                raise LabError(f"the state prior to a switchover is not reached: the pair is {pair}, the VIP {vip}")
            await asyncio.sleep(_LOOK_EVERY_S)

    # What the agent knows.

    async def _states(self) -> tuple[str, str]:
        status = (await self._stage.ask({"do": "status"}))["status"]
        return status["pairs"][0]["state"], status["vip"]["state"]

    async def _modes(self) -> list[str | None]:
        status = (await self._stage.ask({"do": "status"}))["status"]
        return [application["mode"] for application in status["pairs"][0]["applications"]]

    async def _await_end(self, workflow: Workflow, position: _Position, acted: float) -> None:
        new, deadline = 3 - position.old, time.monotonic() + PATIENCE_S
        while await self._states() != (f"{workflow.pair}_{new}", f"{workflow.vip}_{new}"):
            self._show_news(acted)
            if time.monotonic() > deadline:
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    def _show_news(self, acted: float) -> None:
        for number, entry in read(self._stage.journal, self._shown):
            self._shown = number
            self._show(f"{entry.mono_ns / 1e6 - acted * 1e3:9.1f} ms  {entry.kind:<9} {entry.text}")

    # What was seen.

    def _steps(self, workflow: Workflow, position: _Position, acted: float) -> tuple[PlayedStep, ...]:
        entries = [entry for _, entry in read(self._stage.journal, position.entry)]
        parts = self._parts(position)
        return tuple(
            PlayedStep(step.number, step.text, self._at_ms(entries, step.position, step.marks, acted))
            for step in recognise(workflow, parts, [entry.text for entry in entries])
        )

    def _at_ms(
        self, entries: Sequence[Entry], position: int | None, marks: tuple[str, ...], acted: float
    ) -> float | None:
        if not marks:
            return 0.0  # the outside world's own act
        return None if position is None else entries[position].mono_ns / 1e6 - acted * 1e3

    async def _wrong_states(self, workflow: Workflow, position: _Position) -> list[str]:
        new = 3 - position.old
        found, wanted = await self._states(), (f"{workflow.pair}_{new}", f"{workflow.vip}_{new}")
        names = ("the pair", "the VIP")
        return [f"{n} is {f}, not {w}" for n, f, w in zip(names, found, wanted, strict=True) if f != w]

    def _wrong_measures(self, position: _Position, measured: Measured) -> list[str]:
        host, name = self._stage.topology.hosts[2 - position.old], self._application(3 - position.old)
        found = (measured.holders, measured.arp_cache, measured.answered_by)
        wanted = (frozenset({host}), host, name)
        names = ("the VIP's holder among the reachable hosts", "the client's ARP cache", "the last answer's sender")
        return [f"{n} is {_plain(f)}, not {_plain(w)}" for n, f, w in zip(names, found, wanted, strict=True) if f != w]

    def _parts(self, position: _Position) -> dict[str, str]:
        return roles(self._stage.topology, 0, 3 - position.old)

    def _application(self, side: int) -> str:
        return self._stage.topology.pairs[0].applications[side - 1]

    def _last_entry(self) -> int:
        return max((number for number, _ in read(self._stage.journal)), default=0)


def _plain(value: frozenset[str] | str | None) -> str:
    return ", ".join(sorted(value)) or "nobody" if isinstance(value, frozenset) else value or "nobody"
