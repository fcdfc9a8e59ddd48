"""The named properties of every solution, each a sentence.

*always*: it holds in every world and on every step of the core. *sometimes*: it happens at least once. *eventually*:
once the faults stop and everything that failed has been repaired, it becomes true and stays true.

The pair that clients reach through the VIP is the first redundant pair: a SIP server, which binds its port to the VIP
when it becomes primary ([S1] key notes).
"""

from collections.abc import Callable, Iterator
from typing import Any

from attrs import evolve, frozen

from ....fsm import (
    PAIR,
    VIP,
    ApplicationReported,
    Demote,
    DisableVip,
    EnableVip,
    Mode,
    Promote,
    Topology,
    TriggerReaction,
    event_id,
)
from ....fsm.alarms import HAPPENINGS, Alarm, Happening, Reaction, ReactionKind
from ....fsm.facts import better_side
from ....fsm.machines.link import UNREACHABLE
from ....fsm.machines.pair import HAS_PRIMARY
from ..model.core import Leaf, TabulatedCore
from ..model.host import Host
from ..model.watched import Result

_MOVED = (PAIR.name, VIP.name)
_UNDONE = ("backup", "released")
_LEAVING = ("leaving", "leaving_owed")
_BEING_ENABLED = ("enabling", "enabling_owed", "moving", "clearing", "sharing", "covering")
_KNOWS_OF_TWO = ("moving", "clearing", "sharing", "covering", "draining", "conflict", "releasing")


@frozen
class Property:
    """A sentence that holds or does not; `kind` is `always`, `sometimes` or `eventually`."""

    name: str
    kind: str
    text: str


def _always(_core: TabulatedCore, _before: int, _after: int, _leaf: Leaf) -> bool:
    """The rule is broken by every leaf that it concerns."""
    return True


@frozen
class StepRule:
    """An *always* that is judged on the steps of the core.

    `concerns`: whether the rule applies to a leaf. `before`, `after`: the kinds of cells that the verdict depends on,
    in the state before and after the step. `is_broken`: the verdict, for those two states and the leaf.
    """

    property: Property
    concerns: Callable[[Leaf], bool]
    is_broken: Callable[[TabulatedCore, int, int, Leaf], bool] = _always
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def _side(core: TabulatedCore, host: str) -> int:
    return core.topology.side_of(host)


def _commands(leaf: Leaf, *kinds: type) -> bool:
    return any(isinstance(command, kinds) for command in leaf.commands)


def _out_of_sight(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    hosts = {command.host for command in leaf.commands}
    return any(core.read(after, "link", _side(core, host) - 1) in UNREACHABLE for host in hosts)


def _enabled_for_a_backup(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    modes = core.read(after, "pair", 0).modes
    enabled = (command for command in leaf.commands if isinstance(command, EnableVip))
    return any(modes[_side(core, command.host) - 1] is Mode.BACKUP for command in enabled)


def _script_for_nothing(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """A script runs although its result is in place already, and nothing under way would undo that first."""
    vip, vip_side = core.read(before, "vip")[:-2], core.read(before, "vip")[-1]
    for command in leaf.commands:
        if isinstance(command, EnableVip | DisableVip):
            side, is_enabling = _side(core, command.host), isinstance(command, EnableVip)
            is_done = core.read(after, "held", side - 1) is is_enabling
            opposite = DisableVip if is_enabling else EnableVip
            is_changing = any(
                isinstance(command, opposite) for command in core.read(after, "pending", (command.host, "VIP"))
            )
            if is_enabling:
                was_changing = vip in (_BEING_ENABLED if vip_side == str(side) else _KNOWS_OF_TWO) or vip in _LEAVING
            else:
                was_changing = vip_side == str(side)
            if is_done and not is_changing and not was_changing:
                return True
    return False


def _is_at_rest(core: TabulatedCore, state: int) -> bool:
    placed = core.read(state, "placement").startswith("together")
    settled = all(core.read(state, "pair", i).state.startswith(HAS_PRIMARY) for i in range(len(core.topology.pairs)))
    return placed and settled and not any(core.read(state, "pending", target) for target in core.targets)


def _moved_by_a_backup(core: TabulatedCore, before: int, _after: int, leaf: Leaf) -> bool:
    report: Any = leaf.occurrence[0]
    side = core.topology.find(report.application)[1]
    return _is_at_rest(core, before) and core.read(before, "placement") == f"together_{3 - side}"


def _switches(leaf: Leaf) -> bool:
    return any(step.moved and (step.decision.destination or "").startswith("demoting") for step in leaf.steps)


def _to_a_worse_side(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    for command in leaf.commands:
        if isinstance(command, Demote):
            pair, side = core.topology.find(command.application)
            is_switch = core.read(after, "pair", pair).state == f"demoting_{3 - side}"
            if is_switch and better_side(core.topology, core.state_of(after)) == side:
                return True
    return False


def _undoes(leaf: Leaf) -> bool:
    """A script or a demotion succeeds after the core has settled on the opposite, and the core does not correct it."""
    event = leaf.occurrence[-1]
    if not isinstance(event, Result) or event.how != "done" or not isinstance(event.command, DisableVip | Demote):
        return False
    settled = HAS_PRIMARY if isinstance(event.command, Demote) else ("held", "owed")
    undone = {(f"{state}_{side}", f"side{side}_{what}") for state in settled for side in (1, 2) for what in _UNDONE}
    return any(
        step.machine in _MOVED and (step.decision.source, step.decision.trigger) in undone for step in leaf.steps
    )


def _happenings(core: TabulatedCore, leaf: Leaf) -> Iterator[tuple[Happening, str]]:
    """The log messages about applications in a step, whether or not an alarm condition detects them."""
    pairs = {pair.name: pair for pair in core.topology.pairs}
    for step in leaf.steps:
        for output in step.decision.outputs:
            verb, _, happening = output.verb.partition("_")
            if verb == "log":
                pair = pairs.get(step.subject)
                application = pair.applications[(output.side or 1) - 1] if pair else step.subject
                yield Happening(happening), application


def _has_no_mirror(core: TabulatedCore, _before: int, _after: int, leaf: Leaf) -> bool:
    """Something happened to an application whose counterpart has reactions to the same that are missing here."""
    alarms = core.topology.alarms
    for happening, application in _happenings(core, leaf):
        mirror = _mirrored(core.topology, application)
        here = [_meaning(alarm) for alarm in alarms if alarm.application == application]
        for alarm in alarms:
            if alarm.application == mirror and HAPPENINGS[event_id(alarm.detect)] is happening:
                mirrored = evolve(
                    alarm, name="", application=application, reactions=_mirrored_reactions(core.topology, alarm)
                )
                if _meaning(mirrored) not in here:
                    return True
    return False


def _mirrored(topology: Topology, name: str) -> str:
    """The counterpart of an application or a host on the other side; other names are returned unchanged."""
    for names in (topology.hosts, *(pair.applications for pair in topology.components)):
        if name in names:
            return names[1 - names.index(name)]
    return name


def _mirrored_reactions(topology: Topology, alarm: Alarm) -> tuple[Reaction, ...]:
    return tuple(
        evolve(each, host=_mirrored(topology, each.host), application=_mirrored(topology, each.application))
        for each in alarm.reactions
    )


def _meaning(alarm: Alarm) -> tuple[str, frozenset[Reaction]]:
    return event_id(alarm.detect), frozenset(alarm.reactions)


def _to_the_wrong_side(core: TabulatedCore, _before: int, _after: int, leaf: Leaf) -> bool:
    """A reaction moves a role or the VIP to the side that failed or became backup, or away from the primary."""
    topology = core.topology
    alarms = {alarm.name: alarm for alarm in topology.alarms}
    for record in leaf.records:
        if isinstance(record, TriggerReaction) and alarms[record.alarm].application not in topology.outside:
            alarm = alarms[record.alarm]
            side = topology.find(alarm.application)[1]
            is_here = HAPPENINGS[event_id(alarm.detect)] in (Happening.PRIMARY, Happening.STARTED)
            if record.reaction == ReactionKind.TO_PRIMARY:
                target = topology.find(record.target)[1]
            else:
                target = topology.side_of(record.target)
            favours_target = record.reaction != ReactionKind.DISABLE_VIP
            if ((target == side) is favours_target) is not is_here:
                return True
    return False


# fmt: off
STEP_RULES = (
    StepRule(Property("possible", "always", "no event occurs that a table calls impossible"),
             lambda leaf: bool(leaf.error)),
    StepRule(Property("in sight", "always", "no command is sent to a host that is known to be out of sight"),
             lambda leaf: bool(leaf.commands), _out_of_sight, after=("link",)),
    StepRule(Property("never for a backup", "always", "the VIP is never enabled for a component known to be in backup mode"),
             lambda leaf: _commands(leaf, EnableVip), _enabled_for_a_backup, after=("pair",)),
    StepRule(Property("scripts once", "always", "a VIP script runs at most once per switchover, never when its result is in place already"),
             lambda leaf: _commands(leaf, EnableVip, DisableVip), _script_for_nothing, before=("vip",), after=("held", "pending")),
    StepRule(Property("backups move nothing", "always", "a failure in backup mode moves nothing and runs no script"),
             lambda leaf: isinstance(leaf.occurrence[0], ApplicationReported) and leaf.occurrence[0].mode is Mode.DOWN and _commands(leaf, Promote, Demote, EnableVip, DisableVip),
             _moved_by_a_backup, before=("placement", "pair", "pending")),
    StepRule(Property("never to the worse", "always", "no pair switches to a side known to be worse"),
             lambda leaf: _commands(leaf, Demote) and _switches(leaf), _to_a_worse_side, after=("pair", "application")),
    StepRule(Property("never undone", "always", "commands of an earlier switchover never undo a later one"),
             _undoes),
    StepRule(Property("right side", "always", "no reaction moves a role or the VIP to the side that failed, or away from the side that became primary"),
             lambda leaf: any(isinstance(record, TriggerReaction) for record in leaf.records), _to_the_wrong_side),
    StepRule(Property("mirrored", "always", "an event on one side has the same reactions as the same event on the other side"),
             lambda leaf: bool(leaf.steps), _has_no_mirror),
)
# fmt: on

LEFT_BEHIND = Property(
    "VIP with the SIP server", "always", "as soon as a SIP server is primary, the VIP is requested on its host"
)


def is_left_behind(pair: str, vip: str) -> bool:
    """Whether a pair is primary on one side, and the VIP is, or is being moved, elsewhere."""
    return pair.startswith(HAS_PRIMARY) and vip[-1] in "12" and (vip[-1] != pair[-1] or vip.startswith("leaving"))


TWO_HOLDERS = Property(
    "two holders",
    "always",
    "two hosts in sight hold the VIP only in the window of the VIP order: the core knows it, or a script is running",
)


def knows_of_two(vip: str) -> bool:
    """Whether two hosts may hold the VIP in this state of the Virtual IP's machine: the window of its order."""
    return vip[:-2] in _KNOWS_OF_TWO


HEALED = (
    Property("one primary", "eventually", "each pair has one primary, and all primaries are on one host"),
    Property("one holder", "eventually", "the VIP is on the primaries' host and nowhere else, and the core knows it"),
    Property("clients served", "eventually", "the clients' ARP caches point to the host of the primaries"),
    Property("nothing in flight", "eventually", "no command, no message and no timer is under way"),
)
AT_REST = Property("comes to rest", "eventually", "without a new fault, all activity ends")
REACHABLE = Property("healthy again", "eventually", "the healthy state can be reached from every state")


def is_healed(core: TabulatedCore, agent: int, hosts: tuple[Host, Host], arp: int) -> tuple[bool, ...]:
    """Which properties of `HEALED` hold in a world at rest."""
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
    is_idle = not core.timers(agent) and not any(core.read(agent, "pending", target) for target in core.targets)
    is_idle &= all(host.is_quiet for host in hosts)
    return has_primaries, has_vip, arp == int(side), is_idle


DOCUMENTED = Property(
    "as documented", "sometimes", "each documented workflow and scenario of this wiring happens, step by step"
)
