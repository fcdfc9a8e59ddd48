"""What must be so: the named properties of every solution, each a sentence.

*always*: in no world, and on no step of the core, is it otherwise. *sometimes*: it does happen. *eventually*: once the
faults stop and everything that failed has been repaired, it comes to be so and stays so.

The pair that clients reach through the VIP is the first redundant pair: a SIP server, which binds its port to the VIP
when it becomes primary ([S1] key notes).
"""

from collections.abc import Callable
from typing import Any

from attrs import frozen

from ...fsm import (
    ApplicationReported,
    Demote,
    DisableVip,
    EnableVip,
    Mode,
    Promote,
    VipOrder,
)
from ...fsm.facts import better_side
from .core import Leaf, TabulatedCore
from .host import Host
from .watched import Result

_SETTLED = ("redundant", "no_redundancy", "peer_lost")
_LEAVING = ("leaving", "leaving_owed")
_BEING_ENABLED = ("enabling", "enabling_owed", "moving", "clearing", "sharing", "covering")
_KNOWS_OF_TWO = ("moving", "clearing", "sharing", "covering", "draining", "conflict", "releasing")


@frozen
class Property:
    """A sentence that holds or does not."""

    name: str
    kind: str
    text: str


@frozen
class StepRule:
    """An *always* that is looked at when the core takes a step: for which leaves, and whether it is broken there."""

    property: Property
    concerns: Callable[[Leaf], bool]
    is_broken: Callable[[TabulatedCore, int, int, Leaf], bool]


def _side(core: TabulatedCore, host: str) -> int:
    return core.topology.side_of(host)


def _commands(leaf: Leaf, *kinds: type) -> bool:
    return any(isinstance(command, kinds) for command in leaf.commands)


def _out_of_sight(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    hosts = {command.host for command in leaf.commands}
    return any(core.read(after, "link", _side(core, host) - 1) in ("lost", "unknown") for host in hosts)


def _enabled_for_a_backup(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    modes = core.read(after, "pair", 0).modes
    return any(
        modes[_side(core, command.host) - 1] is Mode.BACKUP
        for command in leaf.commands
        if isinstance(command, EnableVip)
    )


def _script_for_nothing(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """A script is run for what is settled already, and nothing is under way that makes it otherwise first."""
    vip, vip_side = core.read(before, "vip")[:-2], core.read(before, "vip")[-1]
    for command in leaf.commands:
        if isinstance(command, EnableVip | DisableVip):
            side, is_enabling = _side(core, command.host), isinstance(command, EnableVip)
            is_so = core.read(after, "held", side - 1) is is_enabling
            opposite = DisableVip if is_enabling else EnableVip
            is_changing = any(isinstance(told, opposite) for told in core.read(after, "told", (command.host, "VIP")))
            if is_enabling:
                was_changing = vip in (_BEING_ENABLED if vip_side == str(side) else _KNOWS_OF_TWO) or vip in _LEAVING
            else:
                was_changing = vip_side == str(side)
            if is_so and not is_changing and not was_changing:
                return True
    return False


def _is_at_rest(core: TabulatedCore, state: int) -> bool:
    placed = core.read(state, "placement").startswith("together")
    settled = all(core.read(state, "pair", i).state.startswith(_SETTLED) for i in range(len(core.topology.pairs)))
    return placed and settled and not any(core.read(state, "told", thing) for thing in core.things)


def _moved_by_a_backup(core: TabulatedCore, before: int, _after: int, leaf: Leaf) -> bool:
    report: Any = leaf.told[0]
    side = core.topology.find(report.application)[1]
    is_backup_side = _is_at_rest(core, before) and core.read(before, "placement") == f"together_{3 - side}"
    return is_backup_side and _commands(leaf, Promote, Demote, EnableVip, DisableVip)


def _to_a_worse_side(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    for command in leaf.commands:
        if isinstance(command, Demote):
            pair, side = core.topology.find(command.application)
            is_switch = core.read(after, "pair", pair).state == f"demoting_{3 - side}"
            if is_switch and better_side(core.topology, core.state_of(after)) == side:
                return True
    return False


def _undone(core: TabulatedCore, before: int, _after: int, leaf: Leaf) -> bool:
    said = leaf.told[-1]
    command = said.command if isinstance(said, Result) else None
    if isinstance(command, DisableVip):
        side = _side(core, command.host)
        later = core.read(before, "told", (command.host, "VIP"))[1:]
        return core.read(before, "vip") in (f"held_{side}", f"owed_{side}") and not later
    if isinstance(command, Demote):
        pair, side = core.topology.find(command.application)
        later = core.read(before, "told", (command.host, command.application))[1:]
        return core.read(before, "pair", pair).state in (f"{state}_{side}" for state in _SETTLED) and not later
    return False


def _left_behind(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    state, vip = core.read(after, "pair", 0).state, core.read(after, "vip")
    if not state.startswith(_SETTLED) or not any(core.topology.detecting):
        return False
    return vip[-1] in "12" and (vip[-1] != state[-1] or vip.startswith("leaving"))


STEP_RULES = (
    StepRule(
        Property("possible", "always", "nothing comes that a table calls impossible"),
        lambda leaf: bool(leaf.error),
        lambda *_: True,
    ),
    StepRule(
        Property("in sight", "always", "no command is given to a host of which it is known that it is not in sight"),
        lambda leaf: bool(leaf.commands),
        _out_of_sight,
    ),
    StepRule(
        Property(
            "never for a backup",
            "always",
            "the VIP is never enabled for a component that is known to be in backup mode",
        ),
        lambda leaf: _commands(leaf, EnableVip),
        _enabled_for_a_backup,
    ),
    StepRule(
        Property(
            "scripts once",
            "always",
            "a VIP script runs at most once a switchover: never for what is so already",
        ),
        lambda leaf: _commands(leaf, EnableVip, DisableVip),
        _script_for_nothing,
    ),
    StepRule(
        Property("backups move nothing", "always", "a failure in backup mode moves nothing and runs no script"),
        lambda leaf: (
            isinstance(leaf.told[0], ApplicationReported) and leaf.told[0].mode is Mode.DOWN and bool(leaf.commands)
        ),
        _moved_by_a_backup,
    ),
    StepRule(
        Property("never to the worse", "always", "nothing switches to a side that is known to be worse"),
        lambda leaf: _commands(leaf, Demote),
        _to_a_worse_side,
    ),
    StepRule(
        Property("never undone", "always", "commands of an older switchover never undo a newer one"),
        lambda leaf: (
            isinstance(leaf.told[-1], Result)
            and leaf.told[-1].how == "done"
            and isinstance(leaf.told[-1].command, DisableVip | Demote)
        ),
        _undone,
    ),
    StepRule(
        Property(
            "VIP with the SIP server",
            "always",
            "as soon as a SIP server is primary, the VIP is asked for on its host",
        ),
        lambda leaf: bool(leaf.writes),
        _left_behind,
    ),
)

TWO_HOLDERS = Property(
    "two holders",
    "always",
    "two hosts in sight hold the VIP only in the window of its order: the core knows, or a script is under way",
)


def knows_of_two(vip: str) -> bool:
    """Whether a state of the Virtual IP's machine is one in which two hosts may hold it: its window."""
    return vip[:-2] in _KNOWS_OF_TWO


HEALED = (
    Property("one primary", "eventually", "each pair has one primary, and all primaries are on one host"),
    Property("one holder", "eventually", "the VIP is on the primaries' host and nowhere else, and the core knows it"),
    Property("clients served", "eventually", "the clients' ARP caches point to the host of the primaries"),
    Property("nothing in flight", "eventually", "no command, no message and no timer is under way"),
)
AT_REST = Property("comes to rest", "eventually", "without a new fault nothing goes on for ever")
REACHABLE = Property("healthy again", "eventually", "from every state the healthy state can be reached")


def is_healed(core: TabulatedCore, agent: int, hosts: tuple[Host, Host], arp: int) -> tuple[bool, ...]:
    """Which of `HEALED` are so in a world in which nothing goes on any more."""
    topology = core.topology
    pairs = [core.read(agent, "pair", index).state for index in range(len(topology.pairs))]
    side = pairs[0][-1]
    if side not in "12":
        return False, False, False, False
    here, there = hosts[int(side) - 1], hosts[2 - int(side)]
    redundant = range(len(topology.pairs))
    has_primaries = (
        pairs == [f"redundant_{side}"] * len(pairs)
        and all(here.modes[i] is Mode.PRIMARY and there.modes[i] is Mode.BACKUP for i in redundant)
        and core.read(agent, "placement") == f"together_{side}"
    )
    has_vip = core.read(agent, "vip") == f"held_{side}" and here.holds_vip and not there.holds_vip
    is_idle = not core.timers(agent) and not any(core.read(agent, "told", thing) for thing in core.things)
    is_idle &= all(host.is_quiet for host in hosts)
    return has_primaries, has_vip, arp == int(side), is_idle


ORDER_WINDOWS = {
    VipOrder.TOGETHER: "together: two holders, or none, until both scripts are done",
    VipOrder.DISABLE_FIRST: "disable-first: none until the second script is done",
    VipOrder.ENABLE_FIRST: "enable-first: two until the old holder has been drained and has released it",
}
