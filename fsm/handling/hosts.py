"""A host connects, or is lost: what follows for its applications, the pairs, the VIP, and its pending commands.

Rules of this module (numbered through the room, see `handling`):

20. When a host connects, its report triggers the pairs first, then the VIP; then its commands without a result are
    given up (rule 21). The VIP's guards ask which side is primary, and which old command still counts depends on the
    new ones.
21. A command without a result on a connection that was replaced has failed, unless the host's report led to the same
    command, or to one that overtakes it (rule 7). The report has already said whether it was done.
22. When a host is lost, what it reported and its commands are forgotten first; then its applications, the pairs and the
    VIP are triggered, in this order. No guard may read what a lost host said, and an application's failure is logged
    before a pair reacts to it.
"""

from ..commands import overtakes, target_of
from ..tables.triggers import ApplicationTrigger, PairTrigger, Trigger, VipTrigger
from .reports import out_of_sight
from .results import failure
from .work import Unanswered, Work


def take_in_report(work: Work, side: int) -> None:
    """Pairs and the VIP are triggered by what their host reported; then its old commands are given up (rule 20)."""
    for index, pair in enumerate(work.state.pairs):
        work.queue.append(Trigger(PairTrigger.seen(pair.modes[side - 1]), index, side))
    work.queue.append(Trigger(VipTrigger.seen(work.state.vip_held[side - 1]), side=side))
    work.queue.extend(Unanswered(command) for command in work.forget_commands(side))


def give_up(work: Work, unanswered: Unanswered) -> None:
    """A command without a result has failed, unless what the host reported has led to another one since (rule 21)."""
    command = unanswered.command
    since = work.state.pending_for(target_of(command))
    if not any(later == command or overtakes(later, command) for later in since):
        work.queue.extend(failure(work.topology, command))


def lose_sight(work: Work, side: int, condition: ApplicationTrigger) -> None:
    """What the host of a side reported is forgotten, and its applications are triggered (rule 22)."""
    work.forget_commands(side)
    for index in range(len(work.topology.pairs)):
        work.state = work.state.with_mode(index, side, None)
    work.state = work.state.with_vip_held(side, held=None)
    work.queue.extend(out_of_sight(work.topology, work.state, side, condition))
