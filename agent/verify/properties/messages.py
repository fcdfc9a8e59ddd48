"""Rules about log messages, the alarm conditions that detect them, and their reactions.

Each public function returns True if its rule is broken.
"""

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


def alarms_not_notified(leaf: Leaf) -> bool:
    """A pair or an application changed in a way that alarm conditions must be notified of, and they are not."""
    return any(step.moved and not _IS_NOTIFIED.get(step.machine, _always_notified)(step) for step in leaf.steps)


def _always_notified(_step: Step) -> bool:
    return True


def _pair_notifies(step: Step) -> bool:
    """Whether a new primary is logged, and a component that was ordered into backup mode."""
    verbs = {(output.verb.partition("_")[2], output.side) for output in step.decision.outputs}
    source, target = step.decision.source, step.decision.destination or ""
    side = int(target[-1]) if target[-1] in "12" else 0
    was_primary = source.startswith((*HAS_PRIMARY, "split_brain")) and source[-1] == target[-1]
    if target.startswith(HAS_PRIMARY) and not was_primary and ("primary", side) not in verbs:
        return False
    is_demoted = source in (f"promoting_{side}", f"split_brain_{side}") and target == f"redundant_{side}"
    return not is_demoted or ("backup", 3 - side) in verbs


def _application_notifies(step: Step) -> bool:
    """Whether a failure is logged as a failure, and a start as a start."""
    verbs = {output.verb for output in step.decision.outputs}
    match (step.decision.source, step.decision.destination):
        case ("up", "down" | "lost"):
            return "log_failed" in verbs
        case ("down" | "lost", "up"):
            return "log_started" in verbs
        case ("unknown", "down"):
            return "restate_failed" in verbs
        case _:
            return True


_IS_NOTIFIED = {PAIR.name: _pair_notifies, APPLICATION.name: _application_notifies}


def alarm_never_cancelled(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """An alarm condition stays active without a timeout or after its cancel event, or reacts while inactive."""
    timers = core.timers(after)
    for index, alarm in enumerate(core.topology.alarms):
        state = core.read(after, "alarm", index)
        if state != "clear" and TimerKind.CANCEL.of(alarm.name) not in timers:
            return True
    event = leaf.occurrence[0]
    if isinstance(event, LogMessageReceived):
        key = event_id(event.event_id), event.application
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


def does_not_react_again(core: TabulatedCore, _before: int, _after: int, leaf: Leaf) -> bool:
    """Policy `once`: an event is restated to alarm conditions, and they do not react again."""
    if core.topology.reactions is not ReactionPolicy.ONCE:
        return False
    steps = (step for step in leaf.steps if step.machine == ALARM.name)
    restated = {step.subject for step in steps if step.decision.trigger == "restated"}
    return not restated <= {record.alarm for record in leaf.records if isinstance(record, ActivateAlarm)}


def literal_script_missing(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """Policy `literal`, order `together`: a reaction does not launch its script on a host in sight."""
    if (core.topology.reactions, core.topology.vip_order) != (ReactionPolicy.LITERAL, VipOrder.TOGETHER):
        return False
    for record in leaf.records:
        if isinstance(record, TriggerReaction) and record.reaction != ReactionKind.TO_PRIMARY:
            kind = EnableVip if record.reaction == ReactionKind.ENABLE_VIP else DisableVip
            pending = core.read(after, "pending", (record.target, "VIP"))
            is_in_sight = core.topology.side_of(record.target) in sides_in_sight(core, after)
            if is_in_sight and not any(isinstance(command, kind) for command in pending):
                return True
    return False


def true_message_ignored(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """A message from outside is true, and an alarm condition that detects it does not become active."""
    event = leaf.occurrence[0]
    if not isinstance(event, LogMessageReceived) or event.application in core.topology.outside:
        return False
    key = event_id(event.event_id), event.application
    happening, (pair, side) = HAPPENINGS[key[0]], core.topology.find(event.application)
    if happening in (Happening.PRIMARY, Happening.BACKUP):
        if pair >= len(core.topology.pairs):
            return False
        current = core.read(before, "pair", pair)
        is_true = current.state.startswith(HAS_PRIMARY) and current.modes[side - 1] == Mode(happening)
    else:
        condition = core.read(before, "application", core.topology.number_of(event.application))
        is_true = condition in (("up",) if happening is Happening.STARTED else ("down", "lost"))
    waiting = core.topology.detecting.get(key, ())
    return is_true and any(core.read(after, "alarm", index) not in ("active", "latched") for index in waiting)
