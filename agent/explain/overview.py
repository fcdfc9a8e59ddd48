"""The overview of a solution, the same on the page and in the terminal: made from the agent's status.

A fact counts only while its host is heard. If a host was not heard for longer than the detection time, and the agent
has not given it up yet, everything that depends on it is *unknown*: what is on it, and the pairs, the VIP and the
placement, which depend on both hosts. Once the host is given up as lost, the machines' states count again.
"""

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from ...fsm.machines.link import UNREACHABLE
from .meanings import LINK, MODE, PAIR, PLACEMENT, UNKNOWN, VIP, Fact, Mark, fact_of
from .status_text import journal_in_words


@frozen
class Seen:
    """A host and the time since it was last heard, in ms; None if it was never heard."""

    name: str
    heard_ms_ago: float | None
    is_fresh: bool


@frozen
class Line:
    """A line of the overview: its subject, what its state means, and how it looks on the first and the second host.

    `state` is the state of its machine; empty if that is unknown, or if the subject has no machine of its own. `detail`
    stands below the name.
    """

    kind: str
    name: str
    fact: Fact
    cells: tuple[Fact, Fact]
    state: str = ""
    detail: str = ""


@frozen
class Overview:
    """The solution at a glance: as a whole, and line by line. `pending` are the commands without a result.

    `is_observing`: this agent gives no command and only says what it would do. `journal` says what is wrong with its
    journal, and is empty if every event is in it.
    """

    solution: str
    is_observing: bool
    whole: Fact
    redundancy: Fact
    placement: Fact
    hosts: tuple[Seen, Seen]
    lines: tuple[Line, ...]
    alarms: tuple[str, ...]
    pending: tuple[str, ...]
    journal: str = ""


def overview(status: dict[str, Any], detection_ms: int) -> Overview:
    """The overview of this status. What was not heard for longer than `detection_ms` milliseconds does not count."""
    first, second = (_seen(host, detection_ms) for host in status["hosts"])
    hosts = (first, second)
    is_sure = all(map(_counts, hosts, status["hosts"]))
    lines = tuple(_lines(status, hosts, is_sure))
    placement = fact_of(PLACEMENT, status["placement"], _names(hosts)) if is_sure else UNKNOWN
    if all(line.state == "out_of_sight" for line in lines if line.kind == "pair"):
        placement = UNKNOWN
    journal = journal_in_words(status)
    whole = _whole(hosts, is_sure, [*lines, Line("placement", "placement", placement, (UNKNOWN, UNKNOWN))])
    return Overview(
        solution=status["solution"],
        is_observing=status["observing"],
        whole=_with_journal(whole, journal),
        redundancy=_redundancy(status, is_sure and placement is not UNKNOWN),
        placement=placement,
        hosts=hosts,
        lines=lines,
        alarms=tuple(alarm["name"] for alarm in status["alarms"] if alarm["state"] == "active"),
        pending=tuple(status["pending"]),
        journal=journal,
    )


def _with_journal(whole: Fact, journal: str) -> Fact:
    """The headline: a solution that is as it should be is in trouble if what happens is not recorded."""
    return Fact(f"{whole.words}; {journal}", Mark.TROUBLE) if journal and whole.mark is Mark.FINE else whole


def age(heard_ms_ago: float | None) -> str:
    """The time since a host was heard, for people.

    >>> age(None), age(0.4), age(850), age(2400), age(125_000)
    ('never heard', 'heard 0 ms ago', 'heard 850 ms ago', 'heard 2.4 s ago', 'heard 125 s ago')
    """
    if heard_ms_ago is None:
        return "never heard"
    if heard_ms_ago < 1000:
        return f"heard {heard_ms_ago:.0f} ms ago"
    return f"heard {heard_ms_ago / 1000:.{0 if heard_ms_ago >= 10_000 else 1}f} s ago"


def _seen(host: dict[str, Any], detection_ms: int) -> Seen:
    heard_ms_ago = host["heard_ms_ago"]
    return Seen(host["name"], heard_ms_ago, heard_ms_ago is not None and heard_ms_ago <= detection_ms)


def _names(hosts: Sequence[Seen]) -> list[str]:
    return [host.name for host in hosts]


def _lines(status: dict[str, Any], hosts: tuple[Seen, Seen], is_sure: bool) -> list[Line]:
    def cells(facts: Sequence[Fact]) -> tuple[Fact, Fact]:
        first, second = (
            fact if host.is_fresh else evolve(UNKNOWN, about=fact.about)
            for fact, host in zip(facts, hosts, strict=True)
        )
        return first, second

    names, vip = _names(hosts), status["vip"]
    held = [_held(host["vip_held"]) for host in status["hosts"]]
    addresses = ", ".join(vip["addresses"])
    lines = [_line("VIP", "VIP", fact_of(VIP, vip["state"], names), cells(held), vip["state"], is_sure, addresses)]
    for pair in status["pairs"]:
        both = cells([_application(each["name"], each["mode"]) for each in pair["applications"]])
        lines.append(_line("pair", pair["name"], fact_of(PAIR, pair["state"], names), both, pair["state"], is_sure))
    for pair in status["monitored"]:
        both = cells([_application(each["name"], each["state"]) for each in pair["applications"]])
        lines.append(_line("monitored", pair["name"], _monitored(pair, names), both, "", is_sure))
    return [Line("link", "link to the LCA", _links(status, hosts), _link_cells(status, hosts)), *lines]


def _line(
    kind: str, name: str, fact: Fact, cells: tuple[Fact, Fact], state: str, is_sure: bool, detail: str = ""
) -> Line:
    return Line(kind, name, *((fact, cells, state) if is_sure else (UNKNOWN, cells, "")), detail)


def _counts(seen: Seen, host: dict[str, Any]) -> bool:
    """Whether what the agent says of a host counts: it was heard lately, or there is no connection to it."""
    return seen.is_fresh or host["link"] in UNREACHABLE


def _link_cells(status: dict[str, Any], hosts: tuple[Seen, Seen]) -> tuple[Fact, Fact]:
    """A link that was given up is lost; one that is said to be connected counts only while the host is heard."""
    first, second = (
        LINK[host["link"]] if _counts(seen, host) else UNKNOWN
        for host, seen in zip(status["hosts"], hosts, strict=True)
    )
    return first, second


def _links(status: dict[str, Any], hosts: tuple[Seen, Seen]) -> Fact:
    cells = _link_cells(status, hosts)
    for mark in (Mark.UNKNOWN, Mark.TROUBLE):
        named = [f"{host.name} {cell.words}" for host, cell in zip(hosts, cells, strict=True) if cell.mark is mark]
        if named:
            return Fact("; ".join(named), mark)
    return Fact("both hosts are heard", Mark.FINE)


def _held(held: bool | None) -> Fact:
    if held is None:
        return UNKNOWN
    return Fact("holds it" if held else "does not hold it", Mark.FINE)


def _application(name: str, mode: str | None) -> Fact:
    return evolve(MODE[mode], about=name)


def _monitored(pair: dict[str, Any], names: Sequence[str]) -> Fact:
    states = [each["state"] for each in pair["applications"]]
    up = [name for name, state in zip(names, states, strict=True) if state == "up"]
    if "unknown" in states:
        return UNKNOWN
    if len(up) == len(names):
        return Fact("up on both hosts", Mark.FINE)
    return Fact(f"no redundancy: up on {up[0]} only" if up else "out of service: up on neither host", Mark.TROUBLE)


def _redundancy(status: dict[str, Any], is_sure: bool) -> Fact:
    if not is_sure:
        return UNKNOWN
    return Fact("every component has a backup", Mark.FINE) if status["redundancy"] else Fact("none", Mark.TROUBLE)


def _whole(hosts: Sequence[Seen], is_sure: bool, lines: Sequence[Line]) -> Fact:
    """The headline: what is unknown, else what is under way, else what is wrong, else that all is well."""
    if not is_sure:
        silent = [f"{host.name} {age(host.heard_ms_ago)}" for host in hosts if not host.is_fresh]
        return Fact(f"unknown: {'; '.join(silent)}", Mark.UNKNOWN)
    for mark, words in ((Mark.MOVING, "under way"), (Mark.TROUBLE, "not as it should be"), (Mark.UNKNOWN, "unknown")):
        marked = [line for line in lines if line.fact.mark is mark and line.kind != "link"]
        if marked:
            return Fact(f"{words}: {marked[0].name}: {marked[0].fact.words}", mark)
    return Fact(f"as it should be: {lines[-1].fact.words}, and every component has a backup", Mark.FINE)
