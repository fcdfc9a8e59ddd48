"""How long each timer of the core runs, and which machine it triggers when it runs out."""

from typing import assert_never

from ..commands import StartTimer
from ..errors import CoreError
from ..tables.triggers import AlarmTrigger, PairTrigger, PlacementTrigger, Trigger, VipTrigger
from ..timers import TimerKind, kind_of, subject_of
from ..topology import Topology

VIP_SUBJECT = "VIP"
"""Whose timer it is if it is the Virtual IP's."""


def start_timer(topology: Topology, kind: TimerKind, subject: str = "") -> StartTimer:
    """The command that starts a timer. The `subject` is a pair, an application, a host, an alarm or `VIP`."""
    match kind:
        case TimerKind.SETTLE:
            after_ms = topology.settle_ms
        case TimerKind.RETRY | TimerKind.LOOK | TimerKind.ANNOUNCE | TimerKind.GATHER:
            after_ms = topology.retry_ms
        case TimerKind.DRAIN:
            after_ms = topology.drain_ms
        case TimerKind.CANCEL:
            after_ms = next(alarm.cancel_timeout_ms for alarm in topology.alarms if alarm.name == subject)
        case _:
            assert_never(kind)
    return StartTimer(kind.of(subject), after_ms)


def timer_trigger(topology: Topology, timer: str) -> Trigger:
    """The trigger that follows when the timer of this name runs out; `CoreError` if the core starts no such timer."""
    subject = subject_of(timer)
    pairs = [pair.name for pair in topology.pairs]
    alarms = [alarm.name for alarm in topology.alarms]
    match kind_of(timer):
        case TimerKind.RETRY if subject == VIP_SUBJECT:
            return Trigger(VipTrigger.RETRY)
        case TimerKind.DRAIN if subject == VIP_SUBJECT:
            return Trigger(VipTrigger.DRAINED)
        case TimerKind.ANNOUNCE if subject == VIP_SUBJECT:
            return Trigger(VipTrigger.ANNOUNCE_AGAIN)
        case TimerKind.RETRY if subject in pairs:
            return Trigger(PairTrigger.RETRY, pairs.index(subject))
        case TimerKind.SETTLE if subject in pairs:
            return Trigger(PairTrigger.SETTLED, pairs.index(subject))
        case TimerKind.LOOK if subject in topology.applications:
            pair, side = topology.find_redundant(subject)
            return Trigger(PairTrigger.THIS_LOOK_DUE, pair, side)
        case TimerKind.LOOK if subject in topology.hosts:
            return Trigger(VipTrigger.THIS_LOOK_DUE, side=topology.side_of(subject))
        case TimerKind.GATHER if not subject:
            return Trigger(PlacementTrigger.RETRY)
        case TimerKind.CANCEL if subject in alarms:
            return Trigger(AlarmTrigger.TIMED_OUT, alarms.index(subject))
        case _:
            raise CoreError(f"unknown timer {timer!r}")
