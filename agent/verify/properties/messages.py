"""What breaks a rule about messages, the alarm conditions that wait for them, and the reactions of these."""

from ....fsm import (
    ALARM,
    APPLICATION,
    PAIR,
    ActivateAlarm,
    DisableVip,
    EnableVip,
    LogMessageReceived,
    Mode,
    ReactionPolicy,
    Step,
    TriggerReaction,
    VipOrder,
    event_id,
)
from ....fsm.alarms import HAPPENINGS, Happening, ReactionKind
from ....fsm.machines.pair import HAS_PRIMARY
from ....fsm.timers import TimerKind
from ..model.core import Leaf, TabulatedCore
from .sight import sides_in_sight


def keeps_from_alarms(leaf: Leaf) -> bool:
    """A pair or an application changed in a way of which alarm conditions are to be told, and are not."""
    return any(step.moved and not _MUST_SAY.get(step.machine, _nothing)(step) for step in leaf.steps)


def _nothing(_step: Step) -> bool:
    return True


def _pair_says(step: Step) -> bool:
    """Whoever becomes primary, or goes into backup mode because it was told to, is told of."""
    said = {(output.verb.partition("_")[2], output.side) for output in step.decision.outputs}
    source, target = step.decision.source, step.decision.destination or ""
    side = int(target[-1]) if target[-1] in "12" else 0
    was_primary = source.startswith((*HAS_PRIMARY, "split_brain")) and source[-1] == target[-1]
    if target.startswith(HAS_PRIMARY) and not was_primary and ("primary", side) not in said:
        return False
    is_demoted = source in (f"promoting_{side}", f"split_brain_{side}") and target == f"redundant_{side}"
    return not is_demoted or ("backup", 3 - side) in said


def _application_says(step: Step) -> bool:
    """What fails is said to have failed, what starts to have started."""
    said = {output.verb for output in step.decision.outputs}
    match (step.decision.source, step.decision.destination):
        case ("up", "down" | "lost"):
            return "log_failed" in said
        case ("down" | "lost", "up"):
            return "log_started" in said
        case ("unknown", "down"):
            return "restate_failed" in said
        case _:
            return True


_MUST_SAY = {PAIR.name: _pair_says, APPLICATION.name: _application_says}


def is_latched_for_ever(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """An alarm condition is active and no timeout will cancel it, or its cancel event came, or it reacts unseen."""
    timers = core.timers(after)
    for index, alarm in enumerate(core.topology.alarms):
        state = core.read(after, "alarm", index)
        if state != "clear" and TimerKind.CANCEL.of(alarm.name) not in timers:
            return True
    said = leaf.told[0]
    if isinstance(said, LogMessageReceived):
        key = event_id(said.event_id), said.application
        cancelled = set(core.topology.cancelling.get(key, ())) - set(core.topology.detecting.get(key, ()))
        if any(core.read(after, "alarm", index) != "clear" for index in cancelled):
            return True
    for step in leaf.steps:
        if step.machine == ALARM.name and step.moved:
            is_begun = TimerKind.CANCEL.of(step.subject) in leaf.timers
            reacts_unseen = step.decision.destination == "clear" and bool(step.decision.outputs)
            if reacts_unseen or (step.decision.trigger == "detected" and not is_begun):
                return True
    return False


def keeps_still(core: TabulatedCore, _before: int, _after: int, leaf: Leaf) -> bool:
    """Policy `once`: what alarm conditions wait for is so after something else was tried, and they do not react."""
    if core.topology.reactions is not ReactionPolicy.ONCE:
        return False
    steps = (step for step in leaf.steps if step.machine == ALARM.name)
    restated = {step.subject for step in steps if step.decision.trigger == "restated"}
    return not restated <= {record.alarm for record in leaf.records if isinstance(record, ActivateAlarm)}


def keeps_from_scripts(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """Policy `literal`, order `together`: a reaction's script is not launched on a host that is in sight."""
    if (core.topology.reactions, core.topology.vip_order) != (ReactionPolicy.LITERAL, VipOrder.TOGETHER):
        return False
    for record in leaf.records:
        if isinstance(record, TriggerReaction) and record.reaction != ReactionKind.TO_PRIMARY:
            kind = EnableVip if record.reaction == ReactionKind.ENABLE_VIP else DisableVip
            told = core.read(after, "told", (record.target, "VIP"))
            is_in_sight = core.topology.side_of(record.target) in sides_in_sight(core, after)
            if is_in_sight and not any(isinstance(command, kind) for command in told):
                return True
    return False


def turns_a_deaf_ear(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """A message says what is so, and nothing is under way, and an alarm condition that waits for it is not active."""
    said = leaf.told[0]
    if not isinstance(said, LogMessageReceived) or said.application in core.topology.outside:
        return False
    key = event_id(said.event_id), said.application
    happening, (pair, side) = HAPPENINGS[key[0]], core.topology.find(said.application)
    if happening in (Happening.PRIMARY, Happening.BACKUP):
        if pair >= len(core.topology.pairs):
            return False
        found = core.read(before, "pair", pair)
        is_so = found.state.startswith(HAS_PRIMARY) and found.modes[side - 1] == Mode(happening)
    else:
        condition = core.read(before, "application", core.topology.number_of(said.application))
        is_so = condition in (("up",) if happening is Happening.STARTED else ("down", "lost"))
    waiting = core.topology.detecting.get(key, ())
    return is_so and any(core.read(after, "alarm", index) not in ("active", "latched") for index in waiting)
