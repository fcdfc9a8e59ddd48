"""Plays the documented workflows on a stage: sets up the prior state, acts as the outside world, and observes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

from attrs import evolve

from ...fsm import ReactionPolicy
from ...fsm.documented.scenarios import SCENARIOS
from ...fsm.documented.workflows import WORKFLOWS, Workflow
from ..controller.operator_client import Reply
from ..history.journal import last_entry, read
from .network.namespaces import LabError
from .report import Outcome
from .stage import Stage
from .verdict import Run, judge

PATIENCE_S = 15.0
"""How long a workflow, or the return to the prior state, may take before it counts as failed, in seconds."""

REVERSE = "reverse-"
"""The prefix of a scenario's name for its reverse direction: the second side is primary before it."""

_ACTS = {
    "switch": "an operator asks for {}",
    "fail": "kill -9 of {}",
    "start": "{} is started again",
    "lose": "{} is lost",
    "return": "{} returns",
    "message": "the SCS logs {}",
}

_LOOK_EVERY_S = 0.05
_BEFORE_S, _AFTER_S = 0.3, 0.7  # the client starts this much earlier and stops this much later (more than SIP's T1)

Show = Callable[[str], None]
"""Called with a line of text for each event, as it happens."""


def playable(solution: str) -> tuple[str, ...]:
    """The names of the workflows that can be played with the `sip` or the `voicemail` solution, in a suitable order.

    With `sip`, each workflow starts from the side that is primary; with `voicemail`, the sides are fixed, as in [S1].
    """
    if solution == "sip":
        return tuple(WORKFLOWS)
    of_primary = [name for name, each in SCENARIOS.items() if each.scripts and not each.acts[0].startswith("switch")]
    return (*SCENARIOS, *(f"{REVERSE}{name}" for name in of_primary))


async def play(stage: Stage, names: Sequence[str], repeat: int, show: Show) -> AsyncIterator[Outcome]:
    """Play workflows by name, each `repeat` times, and yield the outcome of each run.

    Raises `LabError` if the prior state of a workflow cannot be reached.
    """
    player = _Player(stage, show)
    for name in names:
        for number in range(1, repeat + 1):
            yield await player.play(name, f" ({number} of {repeat})" if repeat > 1 else "")


class _Player:
    def __init__(self, stage: Stage, show: Show) -> None:
        self._stage = stage
        self._show = show
        self._shown = 0  # the number of the last journal entry shown
        self._lost: int | None = None  # the side that is lost

    async def play(self, name: str, count: str) -> Outcome:
        """Play one workflow; `count` is appended to its title."""
        workflow = (WORKFLOWS | SCENARIOS)[name.removeprefix(REVERSE)]
        title = f"{workflow.title}{', in the reverse direction' if name.startswith(REVERSE) else ''}{count}"
        run = Run(name, title, workflow, self._stage.topology, await self._prior_state_of(workflow, name))
        first = self._shown = last_entry(self._stage.journal)
        await self._stage.begin()
        await asyncio.sleep(_BEFORE_S)
        for number, act in enumerate(workflow.acts):
            verb, _, name_of = act.format(**run.roles).partition(" ")
            acted = await self._act(verb, name_of)
            if number == 0:
                run = evolve(run, began=acted)
                self._show(f"{title}: {_ACTS[verb].format(name_of)}")
            else:
                self._show_moment(run.after_ms(int(acted * 1e9)), "act", _ACTS[verb].format(name_of))
            await self._await(self._after(verb, name_of), run)
        await self._await(run.ends, run)
        await asyncio.sleep(_AFTER_S)
        self._show_new_entries(run)
        measured = await self._stage.measure(run.began)
        entries = [entry for _, entry in read(self._stage.journal, first)]
        return judge(run, measured, entries, await self._states())

    # Acts of the outside world. Their subject is an application, a host, or an event id with an application.

    async def _act(self, verb: str, subject: str) -> float:
        side = self._stage.topology.hosts.index(subject) + 1 if verb in ("lose", "return") else 0
        match verb:
            case "switch":
                now = time.monotonic()
                await self._stage.ask({"do": "switch", "to": subject})
                return now
            case "fail":
                return await self._stage.crash(subject)
            case "start":
                now = time.monotonic()
                await self._stage.start_application(subject)
                return now
            case "lose":
                self._lost = side
                return await self._stage.lose(side)
            case "return":
                self._lost = None
                return await self._stage.restore(side)
            case _:
                return await self._stage.log_message(*subject.split())

    def _after(self, verb: str, subject: str) -> set[str]:
        """The states that the agent must report before the next act."""
        return {f"{subject} {'down' if verb == 'fail' else 'up'}"} if verb in ("fail", "start") else set()

    async def _prepare(self, verb: str, subject: str) -> None:
        """Act to set up the prior state, before the workflow itself."""
        self._show(f"before it: {_ACTS[verb].format(subject)}")
        await self._act(verb, subject)

    async def _prior_state_of(self, workflow: Workflow, name: str) -> int:
        """Set up the state prior to a workflow; returns the side from which it starts."""
        hosts = self._stage.topology.hosts
        if workflow.name == "reconnection":
            if self._lost is None:
                old = await self._prior_state()
                await self._prepare("lose", hosts[old - 1])
                lost = Run("", "", WORKFLOWS["disconnected"], self._stage.topology, old, time.monotonic())
                await self._await(lost.ends, lost)
            return self._lost or 1
        old = await self._prior_state()
        wanted = (2 if name.startswith(REVERSE) else 1) if workflow.name in SCENARIOS else old
        if old != wanted:
            await self._prepare("switch", hosts[wanted - 1])
            old = await self._prior_state()
        return old

    async def _prior_state(self) -> int:
        """Set up the state prior to a switchover; returns the side of the primaries, which may be either."""
        if self._lost is not None:
            await self._prepare("return", self._stage.topology.hosts[self._lost - 1])
        for application in await self._down():
            await self._prepare("start", application)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status = await self._status()
            placement, vip = status["placement"], status["vip"]["state"]
            if status["redundancy"] and not status["pending"] and vip == f"held_{placement[-1]}":
                await self._rearm()
                return int(placement[-1])
            if time.monotonic() > deadline:
                state = f"the placement is {placement}, the VIP {vip}"
                raise LabError(f"the state prior to a switchover is not reached: {state}")
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _rearm(self) -> None:
        """With the policy `literal`, wait until no alarm is active: as with an SCS, an active one does not react."""
        if self._stage.topology.reactions is ReactionPolicy.LITERAL:
            longest_s = max(alarm.cancel_timeout_ms for alarm in self._stage.topology.alarms) / 1000
            deadline = time.monotonic() + longest_s + PATIENCE_S
            while (await self._status())["alarms"]:
                if time.monotonic() > deadline:
                    raise LabError("the alarms stay active: the state prior to a switchover is not reached")
                await asyncio.sleep(_LOOK_EVERY_S)

    # The agent's status and journal.

    async def _status(self) -> Reply:
        return (await self._stage.ask({"do": "status"}))["status"]

    async def _states(self) -> set[str]:
        """The states of pairs, applications and the VIP, in the words of `Workflow.ends`."""
        status = await self._status()
        states = {f"VIP {status['vip']['state']}"} | {f"{pair['name']} {pair['state']}" for pair in status["pairs"]}
        for pair in status["pairs"]:
            for each in pair["applications"]:
                if each["mode"] is not None:
                    states.add(f"{each['name']} {'down' if each['mode'] == 'down' else 'up'}")
        monitored = (each for pair in status["monitored"] for each in pair["applications"])
        return states | {f"{each['name']} {each['state']}" for each in monitored}

    async def _down(self) -> list[str]:
        return sorted(state.removesuffix(" down") for state in await self._states() if state.endswith(" down"))

    async def _await(self, states: set[str], run: Run) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not states <= await self._states() and time.monotonic() < deadline:
            self._show_new_entries(run)
            await asyncio.sleep(_LOOK_EVERY_S)
        self._show_new_entries(run)

    def _show_new_entries(self, run: Run) -> None:
        for number, entry in read(self._stage.journal, self._shown):
            self._shown = number
            self._show_moment(run.after_ms(entry.mono_ns), entry.kind, entry.text)

    def _show_moment(self, at_ms: float, kind: str, text: str) -> None:
        self._show(f"{at_ms:9.1f} ms  {kind:<9} {text}")
