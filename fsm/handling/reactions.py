"""From log messages to reactions: messages activate alarms, alarms trigger reactions, reactions move pairs and the VIP.

Rules of this module (numbered through the room, see `handling`):

23. The two messages that [S2] has the SCS write, about the change to primary and to backup mode, are always written.
    The others only where an alarm condition waits for them: a site that wires none shall not read them.
24. A message that is written first activates alarms and then cancels alarms. A message from outside cancels alarms even
    where a machine ignores what it says: operators cancel alarms in that way, too.
25. Of an alarm's VIP scripts, the one that the VIP's order wants last comes last; otherwise reactions run in the order
    of the configuration. With `disable-first` a configuration that enables first would have two holders, with
    `enable-first` one that disables first would leave the VIP nowhere.
26. A reaction to a failure *needs* its application as primary, a reaction to any other message *requests* it. What is
    needed goes to the only application that is left even where a request would be refused as a step to the worse side.
27. With the policy `literal` a VIP script is *ordered*, otherwise *asked* for. What is asked for does not run where
    there is nothing to do, what is ordered runs all the same, as an SCS runs it.
"""

from typing import assert_never

from ..alarms import (
    HAPPENINGS,
    LOG_MESSAGES,
    WRITTEN_ALWAYS,
    Alarm,
    Happening,
    ReactionKind,
    ReactionPolicy,
    event_id,
)
from ..commands import ActivateAlarm, TriggerReaction, WriteLog
from ..tables.triggers import AlarmTrigger, PairTrigger, Trigger, VipTrigger
from ..topology import VipOrder
from .work import DueReaction, Work

_LAST = {VipOrder.DISABLE_FIRST: ReactionKind.ENABLE_VIP, VipOrder.ENABLE_FIRST: ReactionKind.DISABLE_VIP}
"""Which of an alarm's reactions comes last (rule 25)."""


def write_log(work: Work, happening: Happening, application: str) -> None:
    """Write the messages that tell of a happening, and trigger the alarms that wait for them."""
    awaited = work.topology.detecting.keys() | work.topology.cancelling.keys()
    for message, meaning in HAPPENINGS.items():
        if meaning is happening and (message in WRITTEN_ALWAYS or (message, application) in awaited):  # rule 23
            work.commands.append(WriteLog(message, application, f"{application} {LOG_MESSAGES[message]}"))
            detect(work, message, application)
            cancel(work, message, application)  # rule 24


def restate(work: Work, happening: Happening, application: str) -> None:
    """Trigger the alarms that wait for a happening, without a message: it is so, but it did not happen just now."""
    for message, meaning in HAPPENINGS.items():
        if meaning is happening:
            for index in work.topology.detecting.get((message, application), ()):
                work.queue.append(Trigger(AlarmTrigger.RESTATED, index))


def detect(work: Work, message: str, application: str) -> None:
    """Trigger the alarms whose detect event this message is."""
    for index in work.topology.detecting.get((message, application), ()):
        work.queue.append(Trigger(AlarmTrigger.DETECTED, index))


def cancel(work: Work, message: str, application: str) -> None:
    """Trigger the alarms whose cancel event this message is."""
    for index in work.topology.cancelling.get((message, application), ()):
        work.queue.append(Trigger(AlarmTrigger.CANCELLED, index))


def activate(work: Work, alarm: Alarm) -> None:
    """Show an alarm as active, and let its reactions follow in their order (rule 25)."""
    work.commands.append(ActivateAlarm(alarm.name, event_id(alarm.detect), alarm.application))
    last = _LAST.get(work.topology.vip_order)
    reactions = sorted(alarm.reactions, key=lambda reaction: reaction.do is last)
    work.queue.extend(DueReaction(alarm, reaction) for reaction in reactions)


def react(work: Work, due: DueReaction) -> None:
    """Show that a reaction is triggered, and trigger the machine of what it concerns."""
    reaction, is_literal = due.reaction, work.topology.reactions is ReactionPolicy.LITERAL
    work.commands.append(TriggerReaction(due.alarm.name, reaction.do, reaction.target))
    match reaction.do:
        case ReactionKind.TO_PRIMARY:
            is_failure = HAPPENINGS[event_id(due.alarm.detect)] is Happening.FAILED
            name = PairTrigger.THIS_NEEDED if is_failure else PairTrigger.THIS_REQUESTED  # rule 26
            work.queue.append(Trigger(name, *work.topology.find_redundant(reaction.application)))
        case ReactionKind.ENABLE_VIP:
            name = VipTrigger.THIS_ENABLE_ORDERED if is_literal else VipTrigger.THIS_ENABLE_ASKED  # rule 27
            work.queue.append(Trigger(name, side=work.topology.side_of(reaction.host)))
        case ReactionKind.DISABLE_VIP:
            name = VipTrigger.THIS_DISABLE_ORDERED if is_literal else VipTrigger.THIS_DISABLE_ASKED  # rule 27
            work.queue.append(Trigger(name, side=work.topology.side_of(reaction.host)))
        case _:
            assert_never(reaction.do)
