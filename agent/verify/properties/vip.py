"""What breaks a rule about the Virtual IP: what its machine says, the order in which it moves, its announcements."""

from ....fsm import (
    VIP,
    AnnounceVip,
    Demote,
    DisableVip,
    EnableVip,
    HostConnected,
    LookAtVip,
    Step,
    VipOrder,
)
from ....fsm.facts import pair_of_the_vip
from ....fsm.machines.vip import HELD
from ..model.core import Leaf, TabulatedCore
from ..model.watched import Result


def out_of_order(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """A reaction moves the VIP in another order than the configured one.

    With `disable-first` it is not enabled here while it is held there; with `enable-first` it is not taken from here
    for a host that has it not yet. (What is retried, or put back, serves before it is pure; and where scripts are
    under way already, turning them round has no order.)
    """
    order, held = core.topology.vip_order, [core.read(after, "held", side) for side in (0, 1)]
    asked = [s for s in leaf.steps if s.machine == VIP.name and s.decision.trigger.endswith("_asked")]
    steps = [step for step in asked if not step.decision.source.startswith(("moving", "enabling"))]
    for output in (output for step in steps for output in step.decision.outputs if output.side):
        side = output.side or 1
        here, there = held[side - 1], held[2 - side]
        told_there = core.read(after, "told", (core.topology.hosts[2 - side], "VIP"))
        is_leaving = any(isinstance(told, DisableVip) for told in told_there)
        if order is VipOrder.DISABLE_FIRST and output.verb == "enable" and there and not is_leaving:
            return True
        is_wanted_there = any(step.decision.trigger == f"side{3 - side}_enable_asked" for step in steps)
        if order is VipOrder.ENABLE_FIRST and output.verb == "disable" and is_wanted_there and here and not there:
            return True
    return False


def keeps_quiet(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """The other host has released the VIP, or has come back, and the only holder does not announce it again."""
    said, holder = leaf.told[-1], 0
    if isinstance(said, Result) and said.how == "done" and isinstance(said.command, DisableVip):
        holder = 3 - core.topology.side_of(said.command.host)
    elif isinstance(said, HostConnected) and _links(core, after) == ["connected"] * 2 != _links(core, before):
        holder = 1 if core.read(after, "held", 0) else 2
    held = [core.read(after, "held", side) for side in (0, 1)]
    if not holder or not held[holder - 1] or held[2 - holder] or core.read(after, "vip") != f"held_{holder}":
        return False
    told = core.read(after, "told", (core.topology.hosts[holder - 1], "VIP"))
    return not any(isinstance(command, AnnounceVip | EnableVip) for command in told)


def _links(core: TabulatedCore, state: int) -> list[str]:
    links = [core.read(state, "link", side) for side in (0, 1)]
    return ["connected" if link in ("silent", "doubtful") else link for link in links]


def old_wish(leaf: Leaf) -> bool:
    """A reaction asks for the VIP here, or not here, and the machine wants otherwise, although the host is in sight."""
    for step in leaf.steps:
        side, _, what = step.decision.trigger.partition("_")
        if step.machine == VIP.name and what in ("enable_asked", "disable_asked"):
            state = step.decision.destination or step.decision.source
            is_wanted = _wanted(state) == int(side[-1])
            is_lost = state == "out_of_sight" or (_holds(state, int(side[-1])) is None)
            if is_wanted is not (what == "enable_asked") and not is_lost:
                return True
    return False


def arrives_quietly(leaf: Leaf) -> bool:
    """Clients may send to another host, and the one that has the VIP does not announce it.

    So it is if it came to a host otherwise than by a script that announces it, if it is held by one host after two, and
    if a script failed that may have announced it elsewhere, or not have announced it here.
    """
    for step in leaf.steps:
        if step.machine == VIP.name and step.moved and step.decision.source != "out_of_sight":
            source, target = step.decision.source, step.decision.destination or ""
            trigger, holder = step.decision.trigger, _wanted(target)
            by_script = trigger in (f"side{holder}_enabled", f"side{holder}_enable_ordered")
            is_expected = source == "off" or source.startswith("absent") or _wanted(source) == holder
            came = (
                is_expected
                and not source.startswith("clearing")
                and _holds(target, holder)
                and not (_holds(source, holder) or by_script)
            )
            alone = holder and _holds(source, 3 - holder) and _holds(target, 3 - holder) is False
            turned = _wanted(source) == 3 - holder and target.startswith("held")
            failed = trigger == f"side{holder}_enable_failed" and _holds(target, holder)
            unsure = target.startswith("releasing") and trigger in (
                f"side{3 - holder}_disable_failed",
                f"side{3 - holder}_looked",
            )
            verbs = {output.verb for output in step.decision.outputs if output.side == holder}
            if (came or alone or turned or failed or unsure) and not verbs & {"announce", "enable"}:
                return True
    return False


def loser_keeps_vip(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """The loser of a split brain could not be demoted, and its VIP is not taken from it either."""
    said = leaf.told[-1]
    if not isinstance(said, Result) or not isinstance(said.command, Demote) or said.how == "done":
        return False
    pair, side = core.topology.find(said.command.application)
    if pair != pair_of_the_vip(core.topology) or core.read(after, "pair", pair).state != f"split_brain_{3 - side}":
        return False
    is_kept = core.read(after, "vip").startswith(("held", "owed", "enabling", "sharing", "conflict"))
    told = core.read(after, "told", (said.command.host, "VIP"))
    is_released = any(isinstance(each, DisableVip) for each in told)
    return is_kept and bool(core.read(after, "held", side - 1)) and not is_released


def errs(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """The machine says that a host has the VIP, or not, the host said otherwise, and nothing there is under way."""
    state = core.read(after, "vip")
    for side, host in enumerate(core.topology.hosts, start=1):
        says, is_so = _holds(state, side), core.read(after, "held", side - 1)
        told = core.read(after, "told", (host, "VIP"))
        is_changing = any(isinstance(each, EnableVip | DisableVip) for each in told)
        is_looked_at = any(isinstance(each, LookAtVip) for each in told) or f"look {host}" in core.timers(after)
        if None not in (says, is_so) and says is not is_so and not (is_changing or is_looked_at):
            return True
    return any(step.machine == VIP.name and _believes_otherwise(step) for step in leaf.steps)


def _believes_otherwise(step: Step) -> bool:
    """It was told that the VIP is gone from a host, and says that it is there."""
    side, _, what = step.decision.trigger.partition("_")
    target = step.decision.destination or step.decision.source
    return what in ("free", "released") and _holds(target, int(side[-1])) is True


def _wanted(state: str) -> int:
    """The side that is to have the VIP, or 0."""
    return 0 if state.startswith(("leaving", "absent", "off", "out")) else _side_of(state)


def _holds(state: str, side: int) -> bool | None:
    """Whether the host of a side has the VIP, as a state says it."""
    here, there = HELD.get(state.rstrip("_12"), (None, None))
    return here if _side_of(state) == side else there


def _side_of(state: str) -> int:
    """The side that a state names, or 0."""
    return int(state[-1]) if state[-1] in "12" else 0
