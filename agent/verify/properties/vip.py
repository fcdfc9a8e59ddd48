"""Rules about the Virtual IP: the state of its machine, the order in which it moves, its announcements.

Each public function returns True if its rule is broken.
"""

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


def wrong_order(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """A reaction moves the VIP in another order than the configured one.

    With `disable-first` it must not be enabled on one host while the other holds it; with `enable-first` it must not be
    disabled on one host before the other holds it. (Exempt: retries and putting the VIP back, where service comes
    before order; and reversing scripts that are already running.)
    """
    order, held = core.topology.vip_order, [core.read(after, "held", side) for side in (0, 1)]
    asked = [s for s in leaf.steps if s.machine == VIP.name and s.decision.trigger.endswith("_asked")]
    steps = [step for step in asked if not step.decision.source.startswith(("moving", "enabling"))]
    for output in (output for step in steps for output in step.decision.outputs if output.side):
        side = output.side or 1
        here, there = held[side - 1], held[2 - side]
        pending_there = core.read(after, "pending", (core.topology.hosts[2 - side], "VIP"))
        is_leaving = any(isinstance(command, DisableVip) for command in pending_there)
        if order is VipOrder.DISABLE_FIRST and output.verb == "enable" and there and not is_leaving:
            return True
        is_wanted_there = any(step.decision.trigger == f"side{3 - side}_enable_asked" for step in steps)
        if order is VipOrder.ENABLE_FIRST and output.verb == "disable" and is_wanted_there and here and not there:
            return True
    return False


def not_announced_again(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """The other host has released the VIP, or is connected again, and the only holder does not announce it again."""
    event, holder = leaf.occurrence[-1], 0
    if isinstance(event, Result) and event.how == "done" and isinstance(event.command, DisableVip):
        holder = 3 - core.topology.side_of(event.command.host)
    elif isinstance(event, HostConnected) and _links(core, after) == ["connected"] * 2 != _links(core, before):
        holder = 1 if core.read(after, "held", 0) else 2
    held = [core.read(after, "held", side) for side in (0, 1)]
    if not holder or not held[holder - 1] or held[2 - holder] or core.read(after, "vip") != f"held_{holder}":
        return False
    pending = core.read(after, "pending", (core.topology.hosts[holder - 1], "VIP"))
    return not any(isinstance(command, AnnounceVip | EnableVip) for command in pending)


def _links(core: TabulatedCore, state: int) -> list[str]:
    links = [core.read(state, "link", side) for side in (0, 1)]
    return ["connected" if link in ("silent", "doubtful") else link for link in links]


def older_request_wins(leaf: Leaf) -> bool:
    """A reaction requests or releases the VIP on a host in sight, and the machine does not follow it."""
    for step in leaf.steps:
        side, _, what = step.decision.trigger.partition("_")
        if step.machine == VIP.name and what in ("enable_asked", "disable_asked"):
            state = step.decision.destination or step.decision.source
            is_wanted = _wanted(state) == int(side[-1])
            is_lost = state == "out_of_sight" or (_holds(state, int(side[-1])) is None)
            if is_wanted is not (what == "enable_asked") and not is_lost:
                return True
    return False


def not_announced(leaf: Leaf) -> bool:
    """Clients may send to another host, and the one that holds the VIP does not announce it.

    An announcement is due if the VIP came to a host other than by a script that announces it; if one host holds it
    after two did; and if a script failed that may have announced it elsewhere, or may not have announced it here.
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
    """The loser of a split brain could not be demoted, and keeps the VIP as well."""
    event = leaf.occurrence[-1]
    if not isinstance(event, Result) or not isinstance(event.command, Demote) or event.how == "done":
        return False
    pair, side = core.topology.find(event.command.application)
    if pair != pair_of_the_vip(core.topology) or core.read(after, "pair", pair).state != f"split_brain_{3 - side}":
        return False
    is_kept = core.read(after, "vip").startswith(("held", "owed", "enabling", "sharing", "conflict"))
    pending = core.read(after, "pending", (event.command.host, "VIP"))
    is_released = any(isinstance(each, DisableVip) for each in pending)
    return is_kept and bool(core.read(after, "held", side - 1)) and not is_released


def contradicts_reports(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """The machine contradicts a host's report about the VIP, and neither a script nor a look is under way there."""
    state = core.read(after, "vip")
    for side, host in enumerate(core.topology.hosts, start=1):
        believed, reported = _holds(state, side), core.read(after, "held", side - 1)
        pending = core.read(after, "pending", (host, "VIP"))
        is_changing = any(isinstance(each, EnableVip | DisableVip) for each in pending)
        is_looked_at = any(isinstance(each, LookAtVip) for each in pending) or f"look {host}" in core.timers(after)
        if None not in (believed, reported) and believed is not reported and not (is_changing or is_looked_at):
            return True
    return any(step.machine == VIP.name and _contradicts_release(step) for step in leaf.steps)


def _contradicts_release(step: Step) -> bool:
    """The host reported that the VIP is gone, and the machine's new state says that it is there."""
    side, _, what = step.decision.trigger.partition("_")
    target = step.decision.destination or step.decision.source
    return what in ("free", "released") and _holds(target, int(side[-1])) is True


def _wanted(state: str) -> int:
    """The side that is to hold the VIP, or 0."""
    return 0 if state.startswith(("leaving", "absent", "off", "out")) else _side_of(state)


def _holds(state: str, side: int) -> bool | None:
    """Whether the host of a side holds the VIP according to a state; None if the state leaves it open."""
    here, there = HELD.get(state.rstrip("_12"), (None, None))
    return here if _side_of(state) == side else there


def _side_of(state: str) -> int:
    """The side that a state names, or 0."""
    return int(state[-1]) if state[-1] in "12" else 0
