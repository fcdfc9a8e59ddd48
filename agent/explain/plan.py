"""`switchover plan`: what would be done if something happened now, by the core itself; nothing is executed.

The core works on a copy of the present state, with ideal hosts: they carry out every command at once, and time passes
only while the core waits. What happens is given in the words of `ideal_hosts`, one event in each argument. The state of
a host that is lost is not known. It is assumed to return as in [S2], primary and holding the VIP; `return HOST backup`
assumes that its applications are backup and that it does not hold the VIP.
"""

import argparse
import json
import sys
import textwrap
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from ...fsm import (
    CoreError,
    Event,
    HostCommand,
    HostFellSilent,
    Mode,
    SolutionState,
    Topology,
    describe_command,
    event_id,
)
from ...fsm.machines.alarm import ALARM
from ...fsm.machines.pair import PAIR
from ..configuration.load import load
from ..controller.operator_client import OperatorError, ask
from ..history.causal_chain import ChainLink, chain
from ..history.incidents import Incident, has_redundancy, is_at_rest
from ..history.journal import JournalError, last_base, replay
from ..history.json_format import from_json
from .ideal_hosts import IdealHosts, hosts_of
from .why import link_lines, state_lines

_DONE, _NOT_SO, _BAD_INPUT = 0, 1, 2

_ASSUMED = "nothing is executed; every command is assumed to succeed at once"


class PlanError(Exception):
    """An event is not in the grammar or names something unknown; the text says what is known."""


@frozen
class Planned:
    """One event, in the words that were given, and what it would lead to.

    `incident` contains everything that would be handled; it is None if the core would refuse the event, and `refusal`
    says why. `assumption` says what was assumed about a host whose state is not known; empty if nothing was.
    """

    words: str
    incident: Incident | None
    refusal: str = ""
    assumption: str = ""

    @property
    def chain(self) -> tuple[ChainLink, ...]:
        """The chain of causes and effects; its times are only the core's own waiting."""
        return chain(self.incident) if self.incident else ()

    @property
    def commands(self) -> tuple[str, ...]:
        """The records of the commands that the hosts would get, in order."""
        handled = self.incident.handled if self.incident else []
        given = (command for each in handled for command in each.commands)
        return tuple(describe_command(command) for command in given if isinstance(command, HostCommand))

    @property
    def outcome(self) -> str:
        """What would be moved, or why nothing would, in one line."""
        if self.incident is None:
            return f"refused: {self.refusal}"
        outcome = self.incident.outcome.replace("nothing was moved", "nothing would be moved")
        return outcome if self.commands else f"{outcome}: {_why_nothing(self.incident)}"


@frozen
class Plan:
    """What events would lead to, one after the other."""

    topology: Topology
    before: SolutionState
    after: SolutionState
    events: tuple[Planned, ...]

    def as_text(self) -> str:
        """The plan for people."""
        lines = [f"PLAN: {_ASSUMED}"]
        for planned in self.events:
            lines += ["", f"if: {planned.words}"]
            lines += [f"  assumed: {planned.assumption}"] if planned.assumption else []
            lines += [f"  outcome   {planned.outcome}", *_wrapped("  commands  ", planned.commands), ""]
            lines += [line for link in planned.chain for line in link_lines(link, with_result=False)]
        return "\n".join([*lines, *state_lines(self.topology, self.after)])

    def as_json(self) -> dict[str, Any]:
        """The plan for programs; times in milliseconds."""
        return {
            "assumed": _ASSUMED,
            "events": [
                {
                    "event": planned.words,
                    "refused": planned.incident is None,
                    "outcome": planned.outcome,
                    "commands": planned.commands,
                    "assumed": planned.assumption,
                    "chain": [asdict(link) for link in planned.chain],
                }
                for planned in self.events
            ],
            "redundancy": has_redundancy(self.topology, self.after),
        }


def _wrapped(head: str, commands: Sequence[str]) -> list[str]:
    return textwrap.wrap(", ".join(commands) or "none", 120, initial_indent=head, subsequent_indent=" " * len(head))


def plan(topology: Topology, state: SolutionState, events: Sequence[str]) -> Plan:
    """What would be done if these events happened now, one after the other, each to its end. Raises `PlanError`."""
    hosts = hosts_of(topology, state)
    for words in events:
        check(topology, words)
    planned = tuple(_happen(hosts, words) for words in events)
    return Plan(topology, state, hosts.solution.state, planned)


def _why_nothing(incident: Incident) -> str:
    """Why no host would get a command: the refusals, else the reasons of the pairs, else that of the first decision."""
    steps = [step for handled in incident.handled for step in handled.steps if step.machine != ALARM.name]
    of_pairs = [step for step in steps if step.machine == PAIR.name and step.moved]
    reasons = [f"{step.subject}: {step.decision.reason}" for step in of_pairs or steps[:1]]
    return "; ".join(incident.refusals or reasons) or "that is so already"


def run_plan(options: argparse.Namespace) -> int:
    """Print what would be done; returns the exit status."""
    try:
        made = plan(*_present(options), options.event)
    except PlanError as error:
        print(f"switchover: {error}", file=sys.stderr)
        return _BAD_INPUT
    print(json.dumps(made.as_json(), indent=2) if options.json else made.as_text())
    return _NOT_SO if any(planned.incident is None for planned in made.events) else _DONE


def _present(options: argparse.Namespace) -> tuple[Topology, SolutionState]:
    """The state that the agent has now, or had at the end of a journal."""
    if not options.journal:
        socket = load(options.config).agent.socket
        reply = ask(socket, {"do": "state"})
        try:
            return from_json(reply["state"])
        except (ValueError, LookupError) as error:
            raise OperatorError(f"the state from the agent at {socket} cannot be read: another version?") from error
    journal = Path(options.journal)
    last = deque(replay(journal, last_base(journal) - 1), maxlen=1) or deque(replay(journal), maxlen=1)
    if not last:
        raise JournalError(f"the journal {options.journal} contains no event to plan from")
    return last[0].topology, last[0].after


def check(topology: Topology, words: str) -> None:
    """Raise `PlanError` unless these words are an event in the grammar, about names that exist."""
    verb, _, what = words.strip().partition(" ")
    redundant = [name for pair in topology.pairs for name in pair.applications]
    own = [name for pair in topology.components for name in pair.applications]
    match verb, what.split(" "):
        case "fail" | "start", _:
            _known(words, "application", what, own)
        case "switch", _:
            _known(words, "redundant application or host", what, [*redundant, *topology.hosts])
        case "lose", _:
            _known(words, "host", what, topology.hosts)
        case "return", [host, *rest] if rest in ([], ["primary"], ["backup"]):
            _known(words, "host", host, topology.hosts)
        case "message", [number, *_]:
            _known(words, "application", what.partition(" ")[2], topology.applications)
            try:
                event_id(number)
            except CoreError as error:
                raise PlanError(f"{words!r}: {error}") from error
        case _:
            raise PlanError(
                f"{words!r} is no event: say 'fail NAME', 'start NAME', 'switch NAME', 'lose HOST', "
                "'return HOST [backup]' or 'message ID NAME'"
            )


def _known(words: str, kind: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise PlanError(f"{words!r}: unknown {kind} {name!r}; known are {', '.join(names)}")


def _happen(hosts: IdealHosts, words: str) -> Planned:
    """Handle one event to its end. Commands that were pending before the first event succeed right after it."""
    begin = len(hosts.handled)
    act, assumption = words.strip(), ""
    if act.startswith("return "):
        _, host, *wanted = act.split()
        act, assumption = f"return {host}", _assume(hosts, host, wanted)
    events = [*_silence_before(hosts, act), *hosts.events_of(act)]
    pending = () if hosts.handled else hosts.solution.state.pending
    results = [answer for command in pending for answer in hosts.answers(command)]
    try:
        hosts.happen(*events, *results)
    except CoreError as error:
        return Planned(words, None, str(error), assumption)
    handled = hosts.handled[begin:]
    return Planned(words, Incident(handled, is_at_rest(handled[-1].after)), "", assumption)


def _silence_before(hosts: IdealHosts, act: str) -> list[Event]:
    """The event that comes before the loss of a connected host: it falls silent."""
    topology, state = hosts.solution.topology, hosts.solution.state
    silent = (host for host, link in zip(topology.hosts, state.links, strict=True) if link == "connected")
    return [HostFellSilent(host) for host in silent if act == f"lose {host}"]


def _assume(hosts: IdealHosts, host: str, wanted: Sequence[str]) -> str:
    """Set the state in which a lost host returns, unless it is known; returns what was assumed, empty if nothing."""
    topology, is_primary = hosts.solution.topology, wanted != ["backup"]
    side = topology.side_of(host)
    mode = Mode.PRIMARY if is_primary else Mode.BACKUP
    redundant = {pair.applications[side - 1]: mode for pair in topology.pairs}
    assumed = redundant | {pair.applications[side - 1]: Mode.UP for pair in topology.monitored}
    if wanted:
        hosts.modes.update(redundant)
        hosts.vip_held[host] = is_primary
    elif assumed.keys() <= hosts.modes.keys() and host in hosts.vip_held:
        return ""
    hosts.modes = assumed | hosts.modes
    held = hosts.vip_held.setdefault(host, is_primary)
    parts = [*(f"{name} {hosts.modes[name]}" for name in assumed), "the VIP" if held else "no VIP"]
    return f"{host} returns with {', '.join(parts)}"
