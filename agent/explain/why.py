"""`switchover why`: what was done in an incident, what was not, and why; read from the journal."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import asdict

from ...fsm import SolutionState, Topology
from ..configuration.load import load
from ..controller.operator_client import OperatorError, ask
from ..history import journal
from ..history.causal_chain import COMMAND, DECISION, OBSERVED, RESULT, ChainLink, chain
from ..history.incidents import Brief, Incident, brief, has_redundancy
from ..history.index import Account, account, all_in_brief
from ..history.journal import Entry
from ..history.wording import what_is_missing
from .meanings import PAIR, VIP, fact_of
from .status_text import journal_in_words

_DONE, _BAD_INPUT = 0, 2

WITHIN_S = 2.0
"""How long to wait for an answer of the agent, in seconds."""


def run_why(options: argparse.Namespace) -> int:
    """Print one incident, or all of them in a line each; returns the exit status."""
    if options.journal:
        path = Path(options.journal)
    else:
        settings = load(options.config).agent
        path = settings.journal
        if missing := _what_is_not_written(settings.socket):
            print(f"switchover: {missing}: what happened since then may not be shown", file=sys.stderr)
    if options.all:
        known = all_in_brief(path)
        print(json.dumps([_summary(each) for each in known], indent=2) if options.json else _overview(known))
        return _DONE
    found = account(path, options.incident)
    if found is None:
        print(f"switchover: {_unknown(options.incident, all_in_brief(path))}", file=sys.stderr)
        return _BAD_INPUT
    print(json.dumps(account_as_json(found), indent=2) if options.json else account_as_text(found))
    return _DONE


def _what_is_not_written(socket: Path) -> str:
    """What the agent says is wrong with its journal; empty if nothing is, or no agent answers."""
    try:
        return journal_in_words(ask(socket, {"do": "status"}, WITHIN_S)["status"])
    except (OperatorError, LookupError):
        return ""


def _unknown(number: int | None, known: Sequence[Brief]) -> str:
    if not known:
        return "the journal has no incident"
    latest = ", ".join(str(each.id) for each in known[-10:])
    some = f"the last {len(known[-10:])} of {len(known)}" if len(known) > 10 else "those in the journal"
    return f"no incident {number}; {some}: {latest}; `switchover why --all` lists them all"


def as_line(incident: Brief) -> str:
    """An incident in one line: id, time, cause and outcome."""
    return f"{incident.id:>7}  {_time(incident.wall_ns)}  {incident.cause}  =>  {incident.outcome}"


def _overview(known: Sequence[Brief]) -> str:
    return "\n".join(map(as_line, known)) or "no incident"


def account_as_text(found: Account) -> str:
    """An incident for people: as this program decides, or as it was recorded if another one decided otherwise."""
    if found.incident is not None and not found.recorded:
        return as_text(found.incident)
    known = found.brief
    state, version = "over" if known.is_over else "going on", found.written_by.get("version", "unknown")
    lines = [
        f"incident {known.id}, {_time(known.wall_ns)}, {state} after {known.took_ms:.1f} ms",
        f"  cause    {known.cause}",
        f"  outcome  {known.outcome}",
        f"  journal  version {version} decided otherwise than this one would; below is what was recorded",
        "",
        *(_recorded_line(entry, found.recorded[0][1].mono_ns) for _, entry in found.recorded),
    ]
    return "\n".join(lines)


def _recorded_line(entry: Entry, began_ns: int) -> str:
    blank = " " * 16
    match entry.kind:
        case kind if kind == journal.DECISION:
            return f"{blank}{entry.text}"
        case kind if kind == journal.COMMAND:
            return f"{blank}  => {entry.text}"
        case _:
            return f"{(entry.mono_ns - began_ns) / 1e6:>9.1f} ms  {entry.text}"


def account_as_json(found: Account) -> dict[str, Any]:
    """An incident for programs; `recorded` instead of the chain if another program decided otherwise."""
    if found.incident is not None and not found.recorded:
        return as_json(found.incident)
    began_ns = found.recorded[0][1].mono_ns
    recorded = [
        {"at_ms": (entry.mono_ns - began_ns) / 1e6, "kind": entry.kind, "text": entry.text}
        for _, entry in found.recorded
    ]
    return {**_summary(found.brief), "written_by": dict(found.written_by), "recorded": recorded}


def as_text(incident: Incident) -> str:
    """An incident for people: cause, outcome, chain, phases, and what was refused."""
    state = "over" if incident.is_over else "going on"
    lines = [
        f"incident {incident.id}, {_time(incident.handled[0].wall_ns)}, {state} after"
        f" {incident.at_ms(incident.handled[-1]):.1f} ms",
        f"  cause    {incident.cause}",
        f"  outcome  {incident.outcome}",
        *(f"  journal  {line}" for line in _gaps(incident)),
        "",
        *(line for link in chain(incident) for line in link_lines(link)),
        *_phases(incident),
        *_refusals(incident),
        *state_lines(incident.topology, incident.after),
    ]
    return "\n".join(lines)


def _gaps(incident: Incident) -> Iterator[str]:
    """What is not told below, and why."""
    if incident.missing:
        words = "1 event is" if incident.missing == 1 else f"{incident.missing} events are"
        yield f"{words} missing, at least: not written when it happened; the agent's log has what was done"
    if incident.left_out:
        yield f"{incident.left_out} events in the middle are left out here; the journal has them"


def link_lines(link: ChainLink, *, with_result: bool = True) -> Iterator[str]:
    """A link of the chain as lines, indented below its cause; without results for a plan, which only assumes them."""
    at = f"{link.at_ms:>9.1f} ms" if with_result or link.at_ms else " " * 12
    blank = " " * len(at)
    match link.kind:
        case kind if kind == OBSERVED:
            yield f"{blank}    observed: {link.text}"
        case kind if kind == DECISION:
            yield f"{blank}    {link.text}{f'   {link.cite}' if link.cite else ''}"
            yield f"{blank}      {'because' if link.moved else 'not done'}: {link.reason}"
            if link.guard:
                yield f"{blank}      given: {link.guard}"
        case kind if kind == COMMAND:
            yield f"{blank}      => {link.text}{_result(link) if with_result else ''}"
        case kind:
            is_shown = with_result and kind == RESULT and link.took_ms is not None
            yield f"{at}  {link.text}{f', after {link.took_ms:.1f} ms' if is_shown else ''}"


def _result(link: ChainLink) -> str:
    took = "" if link.took_ms is None else f" after {link.took_ms:.1f} ms"
    return f": {link.result}{took}" if link.result else ""


def _phases(incident: Incident) -> list[str]:
    ended = incident.ended_phases
    begins = [0.0, *(at_ms for at_ms, _ in ended)]
    return ["", "phases, each with the time since the one before"] + [
        f"{at_ms:>9.1f} ms  {name:<10} +{at_ms - before:.1f} ms"
        for (at_ms, name), before in zip(ended, begins, strict=False)
    ]


def _refusals(incident: Incident) -> list[str]:
    refusals = [f"  {refusal}" for refusal in incident.refusals]
    return ["", "asked for, and not done", *refusals] if refusals else []


def state_lines(topology: Topology, state: SolutionState) -> list[str]:
    """The state at the end: who is primary, where the VIP is, and whether there is redundancy."""
    pairs = zip(topology.pairs, state.pairs, strict=True)
    rows = [(pair.name, fact_of(PAIR, pair_state.state, topology.hosts).words) for pair, pair_state in pairs]
    rows.append(("VIP", fact_of(VIP, state.vip, topology.hosts).words))
    missing = what_is_missing(topology, state)
    rows.append(("redundancy", "yes" if has_redundancy(topology, state) else f"NO{missing and f': {missing}'}"))
    width = max(len(name) for name, _ in rows)
    return ["", "at the end", *(f"  {name:<{width}}  {words}" for name, words in rows)]


def as_json(incident: Incident) -> dict[str, Any]:
    """An incident for programs; times in milliseconds after its first event."""
    return {
        **_summary(brief(incident)),
        "missing": incident.missing,
        "left_out": incident.left_out,
        "phases": {phase.name: phase.at_ms for phase in incident.phases},
        "refusals": incident.refusals,
        "chain": [asdict(link) for link in chain(incident)],
        "redundancy": has_redundancy(incident.topology, incident.after),
    }


def _summary(incident: Brief) -> dict[str, Any]:
    return {
        "incident": incident.id,
        "time": datetime.fromtimestamp(incident.wall_ns / 1e9).astimezone().isoformat(),
        "cause": incident.cause,
        "outcome": incident.outcome,
        "is_over": incident.is_over,
        "took_ms": incident.took_ms,
    }


def _time(wall_ns: int) -> str:
    """The local time, of ns since 1970."""
    moment = datetime.fromtimestamp(wall_ns / 1e9).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}{moment:%z}"
