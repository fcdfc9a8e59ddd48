# ruff: noqa: E501 - a rule is a line
"""More steps that are judged: what must be so whenever nothing is under way, however much has failed.

`HEALED` tells of the end, when everything is repaired. A core that leaves a solution without service until then breaks
none of that; so here are the rules for the time in between. The core is *at rest* when it waits for no result and for
no timer but a slow one, and has not to find out whether a host that fell silent is lost.
"""

from ...fsm import (
    ALARM,
    APPLICATION,
    PAIR,
    PLACEMENT,
    VIP,
    AnnounceVip,
    Demote,
    DisableVip,
    EnableVip,
    HostConnected,
    HostHeard,
    HostLeft,
    HostLost,
    LogMessageReceived,
    LookAt,
    LookAtVip,
    Mode,
    Promote,
    ReactionPolicy,
    Step,
    SwitchoverRequested,
    TriggerReaction,
    VipOrder,
    event_id,
)
from ...fsm.alarms import HAPPENINGS, Happening, ReactionKind
from ...fsm.facts import better_side, pair_of_the_vip, sides_that_can
from ...fsm.vip import HELD
from .core import Leaf, TabulatedCore
from .properties import Property, StepRule
from .watched import Result

_VIP_AT_REST = ("held", "owed", "absent", "off", "out_of_sight")
_RUNNING = (Mode.PRIMARY, Mode.BACKUP)


def _is_at_rest(core: TabulatedCore, state: int) -> bool:
    if any(core.read(state, "link", side) in ("silent", "doubtful") for side in (0, 1)):
        return False
    if any(core.read(state, "told", thing) for thing in core.things):
        return False
    return all(core.is_slow(timer) for timer in core.timers(state))


def _in_sight(core: TabulatedCore, state: int) -> list[int]:
    """The sides whose hosts are connected."""
    return [side for side in (1, 2) if core.read(state, "link", side - 1) == "connected"]


def _primaries(core: TabulatedCore, state: int) -> list[int | None]:
    """Of each pair the side in sight that is its only primary and that its state names; None if there is none."""
    found: list[int | None] = []
    for index in range(len(core.topology.pairs)):
        pair = core.read(state, "pair", index)
        sides = [side for side in _in_sight(core, state) if pair.modes[side - 1] is Mode.PRIMARY]
        named = len(sides) == 1 and pair.state[-1] == str(sides[0])
        found.append(sides[0] if named else None)
    return found


def _serves_not(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    if not _is_at_rest(core, after):
        return False
    in_sight = _in_sight(core, after)
    for index, primary in enumerate(_primaries(core, after)):
        modes = core.read(after, "pair", index).modes
        if primary is None and any(modes[side - 1] in _RUNNING for side in in_sight):
            return True
    return False


def _lacks_vip(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    if not core.topology.detecting or not _is_at_rest(core, after):
        return False
    primary = _primaries(core, after)[pair_of_the_vip(core.topology)]
    holders = [side for side in _in_sight(core, after) if core.read(after, "held", side - 1)]
    return primary is not None and holders != [primary]


def _redundancy(core: TabulatedCore, state: int, index: int, side: int) -> str:
    """What the state of a pair must say whose primary is on this side, and nothing is under way."""
    if 3 - side not in _in_sight(core, state):
        return f"peer_lost_{side}"
    is_down = core.read(state, "pair", index).modes[2 - side] is Mode.DOWN
    return f"no_redundancy_{side}" if is_down else f"redundant_{side}"


def _tells_otherwise(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    if not _is_at_rest(core, after):
        return False
    in_sight, primaries = _in_sight(core, after), _primaries(core, after)
    for index, primary in enumerate(primaries):
        pair = core.read(after, "pair", index)
        if primary and pair.state != _redundancy(core, after, index, primary):
            return True
        for side in in_sight:
            is_up = pair.modes[side - 1] in _RUNNING
            if core.read(after, "application", 2 * index + side - 1) != ("up" if is_up else "down"):
                return True
    placed = {0: "unplaced", 1: f"together_{max(filter(None, primaries), default=0)}", 2: "apart"}
    if core.read(after, "placement") != placed[len({side for side in primaries if side})]:
        return True
    debtor = "held" if len(in_sight) == 2 else "owed"
    primary, vip = primaries[pair_of_the_vip(core.topology)], core.read(after, "vip")
    if not vip.startswith(_VIP_AT_REST):
        return True
    return primary is not None and bool(core.topology.detecting) and vip != f"{debtor}_{primary}"


def _misplaced(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    if not _is_at_rest(core, after):
        return False
    sides = {side for side in _primaries(core, after) if side}
    if not sides:
        return False
    state = core.state_of(after)
    can, better = sides_that_can(core.topology, state), better_side(core.topology, state)
    if len(sides) == 2:
        return bool(can)
    (side,) = sides
    return 3 - side in can and better == 3 - side


# What must be so at every moment.


def _knows_otherwise(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """Of a host in sight everything is known, of any other one nothing, and the applications' machines say the same."""
    for side in (1, 2):
        is_in_sight = core.read(after, "link", side - 1) in ("connected", "silent", "doubtful")
        if (core.read(after, "held", side - 1) is not None) is not is_in_sight:
            return True
        for index in range(len(core.topology.components)):
            condition = core.read(after, "application", 2 * index + side - 1)
            if (condition in ("up", "down")) is not is_in_sight:
                return True
            if index < len(core.topology.pairs):
                mode = core.read(after, "pair", index).modes[side - 1]
                told = {None: ("unknown", "lost"), Mode.DOWN: ("down",)}.get(mode, ("up",))
                if condition not in told:
                    return True
    return False


def _doubts_for_nothing(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """A host is in sight that was given up, or not although it was heard, or in doubt while the other is not silent."""
    heard = [core.topology.side_of(said.host) for said in leaf.told if isinstance(said, HostConnected | HostHeard)]
    links = [core.read(after, "link", side) for side in (0, 1)]
    if any(links[side - 1] != "connected" for side in heard):
        return True
    for said in leaf.told:
        if isinstance(said, HostLost | HostLeft):
            doubted = ("lost",) if isinstance(said, HostLeft) else ("lost", "doubtful")
            if links[core.topology.side_of(said.host) - 1] not in doubted:
                return True
    return any(links[side] == "doubtful" and links[1 - side] != "silent" for side in (0, 1))


def _is_told_nothing(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """While no host is in sight, or in doubt, nothing is believed of any pair and of the VIP."""
    if any(core.read(after, "link", side) not in ("unknown", "lost") for side in (0, 1)):
        return False
    states = [core.read(after, "pair", index).state for index in range(len(core.topology.pairs))]
    return {*states, core.read(after, "vip")} != {"out_of_sight"}


def _keeps_from_alarms(leaf: Leaf) -> bool:
    """A pair or an application changed in a way of which alarm conditions are to be told, and are not."""
    return any(step.moved and not _MUST_SAY.get(step.machine, _nothing)(step) for step in leaf.steps)


def _nothing(_step: Step) -> bool:
    return True


def _pair_says(step: Step) -> bool:
    """Whoever becomes primary, or goes into backup mode because it was told to, is told of."""
    said = {(output.verb.partition("_")[2], output.side) for output in step.decision.outputs}
    source, target = step.decision.source, step.decision.destination or ""
    side = int(target[-1]) if target[-1] in "12" else 0
    was_primary = source.startswith((*_SETTLED, "split_brain")) and source[-1] == target[-1]
    if target.startswith(_SETTLED) and not was_primary and ("primary", side) not in said:
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


_SETTLED = ("redundant", "no_redundancy", "peer_lost")
_MUST_SAY = {PAIR.name: _pair_says, APPLICATION.name: _application_says}


def _is_latched_for_ever(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """An alarm condition is active and no timeout will cancel it, or its cancel event came, or it reacts unseen."""
    timers = core.timers(after)
    for index, alarm in enumerate(core.topology.alarms):
        state = core.read(after, "alarm", index)
        if state != "clear" and f"cancel {alarm.name}" not in timers:
            return True
    said = leaf.told[0]
    if isinstance(said, LogMessageReceived):
        key = event_id(said.event_id), said.application
        cancelled = set(core.topology.cancelling.get(key, ())) - set(core.topology.detecting.get(key, ()))
        if any(core.read(after, "alarm", index) != "clear" for index in cancelled):
            return True
    for step in leaf.steps:
        if step.machine == ALARM.name and step.moved:
            is_begun = f"cancel {step.subject}" in leaf.timers
            reacts_unseen = step.decision.destination == "clear" and bool(step.decision.outputs)
            if reacts_unseen or (step.decision.trigger == "detected" and not is_begun):
                return True
    return False


def _keeps_from_scripts(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """Policy `literal`, order `together`: a reaction's script is not launched on a host that is in sight."""
    if (core.topology.reactions, core.topology.vip_order) != (ReactionPolicy.LITERAL, VipOrder.TOGETHER):
        return False
    for record in leaf.records:
        if isinstance(record, TriggerReaction) and record.reaction != ReactionKind.TO_PRIMARY:
            kind = EnableVip if record.reaction == ReactionKind.ENABLE_VIP else DisableVip
            told = core.read(after, "told", (record.target, "VIP"))
            is_in_sight = core.topology.side_of(record.target) in _in_sight(core, after)
            if is_in_sight and not any(isinstance(command, kind) for command in told):
                return True
    return False


def _out_of_order(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """A reaction moves the VIP in another order than the configured one.

    With `disable-first` it is not enabled here while it is held there; with `enable-first` it is not taken from here
    for a host that has it not yet. (What is retried, or put back, serves before it is pure.)
    """
    order, held = core.topology.vip_order, [core.read(after, "held", side) for side in (0, 1)]
    steps = [s for s in leaf.steps if s.machine == VIP.name and s.decision.trigger.endswith("_asked")]
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


# What a pair does, and says.

_REPORTED = {
    "redundant": (Mode.PRIMARY, Mode.BACKUP),
    "no_redundancy": (Mode.PRIMARY, Mode.DOWN),
    "peer_lost": (Mode.PRIMARY, None),
    "split_brain": (Mode.PRIMARY, Mode.PRIMARY),
    "demoting": (Mode.BACKUP, Mode.PRIMARY),
    "promoting": (Mode.BACKUP, Mode.BACKUP),
    "no_brain": (Mode.BACKUP, Mode.BACKUP),
    "taking_over": (Mode.BACKUP, Mode.DOWN),
    "taking_over_lost": (Mode.BACKUP, None),
    "cut_off": (Mode.DOWN, None),
    "first_seen_primary": (Mode.PRIMARY, None),
    "first_seen_backup": (Mode.BACKUP, None),
    "first_seen_down": (Mode.DOWN, None),
    "out_of_service": (Mode.DOWN, Mode.DOWN),
    "out_of_sight": (None, None),
}
"""What the hosts have reported, *this* and *other*, when a pair is in a state, as the list in `pair` says."""


def _pair_errs(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    for index in range(len(core.topology.pairs)):
        pair = core.read(after, "pair", index)
        name, side = (pair.state[:-2], int(pair.state[-1])) if pair.state[-1] in "12" else (pair.state, 1)
        if _REPORTED[name] != (pair.modes[side - 1], pair.modes[2 - side]):
            return True
    return False


def _wants_otherwise(leaf: Leaf) -> bool:
    """A pair promotes a side that it does not want as primary, or demotes the one that it wants; or likewise all pairs."""
    for step in leaf.steps:
        if step.machine == PLACEMENT.name:
            gathered = [f"gathering_{output.side}" for output in step.decision.outputs if output.verb == "gather"]
            if gathered and gathered != [step.decision.destination]:
                return True
        if step.machine == PAIR.name:
            wanted = (step.decision.destination or "")[-1:]
            for output in step.decision.outputs:
                if output.verb in ("promote", "demote") and (str(output.side) == wanted) is not (
                    output.verb == "promote"
                ):
                    return True
    return False


def _asked_for(core: TabulatedCore, leaf: Leaf) -> tuple[int, int] | None:
    """The redundant pair and the side that an operator, or a message, says is to be primary."""
    match leaf.told[0]:
        case SwitchoverRequested(application):
            return core.topology.find_redundant(application)
        case LogMessageReceived(message, application):
            if application in core.topology.outside or HAPPENINGS[event_id(message)] is not Happening.PRIMARY:
                return None
            pair, side = core.topology.find(application)
            return (pair, side) if pair < len(core.topology.pairs) else None
        case _:
            return None


def _refuses(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """It is asked for while the pair is redundant, to a side that is no worse, and the pair does not switch."""
    asked = _asked_for(core, leaf)
    if asked is None:
        return False
    pair, side = asked
    if core.read(before, "pair", pair).state != f"redundant_{3 - side}":
        return False
    is_worse = better_side(core.topology, core.state_of(before)) == 3 - side
    return not is_worse and core.read(after, "pair", pair).state != f"demoting_{side}"


def _turns_a_deaf_ear(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
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
        is_so = found.state.startswith(_SETTLED) and found.modes[side - 1] == Mode(happening)
    else:
        condition = core.read(before, "application", core.topology.number_of(said.application))
        is_so = condition in (("up",) if happening is Happening.STARTED else ("down", "lost"))
    waiting = core.topology.detecting.get(key, ())
    return is_so and any(core.read(after, "alarm", index) not in ("active", "latched") for index in waiting)


def _breaks_a_tie_otherwise(core: TabulatedCore, before: int, _after: int, leaf: Leaf) -> bool:
    """Both are primary, or both backup, when both are seen again: and it is not the VIP's only holder that wins."""
    for step in leaf.steps:
        target = step.decision.destination or ""
        if step.decision.source.startswith("first_seen") and target.startswith(("split_brain", "no_brain")):
            report = next(said.report for said in leaf.told if isinstance(said, HostConnected))
            second = 3 - int(step.decision.source[-1])
            held = {second: report.vip_held, 3 - second: core.read(before, "held", 2 - second)}
            holders = [side for side, holds in held.items() if holds]
            if int(target[-1]) != (holders[0] if len(holders) == 1 else 1):
                return True
    return False


def _keeps_quiet(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
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


# What the Virtual IP's machine does, and says.


def _side_of(state: str) -> int:
    """The side that a state names, or 0."""
    return int(state[-1]) if state[-1] in "12" else 0


def _holds(state: str, side: int) -> bool | None:
    """Whether the host of a side has the VIP, as a state says it."""
    here, there = HELD.get(state.rstrip("_12"), (None, None))
    return here if _side_of(state) == side else there


def _wanted(state: str) -> int:
    """The side that is to have the VIP, or 0."""
    return 0 if state.startswith(("leaving", "absent", "off", "out")) else _side_of(state)


def _old_wish(leaf: Leaf) -> bool:
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


def _arrives_quietly(leaf: Leaf) -> bool:
    """Clients may send to another host, and the one that has the VIP does not announce it.

    So it is if it came to a host otherwise than by a script that announces it, if it is held by one host after two, and
    if a script failed that may have announced it elsewhere, or not have announced it here.
    """
    for step in leaf.steps:
        if step.machine == VIP.name and step.moved and step.decision.source != "out_of_sight":
            source, target = step.decision.source, step.decision.destination or ""
            trigger, holder = step.decision.trigger, _wanted(target)
            by_script = trigger in (f"side{holder}_enabled", f"side{holder}_enable_ordered")
            is_expected = source == "off" or _wanted(source) == holder
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


def _loser_keeps_vip(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
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


def _same_turn(core: TabulatedCore, before: int, after: int, leaf: Leaf) -> bool:
    """One of two backups could not be promoted, or was looked at and is backup still, and it is not the other's turn."""
    said = leaf.told[-1]
    command, how = (said.command, said.how) if isinstance(said, Result) else (None, "")
    if not isinstance(command, Promote | LookAt) or how != ("failed" if isinstance(command, Promote) else "done"):
        return False
    pair, side = core.topology.find(command.application)
    tried = f"no_brain_{side}", f"promoting_{side}"
    told = core.read(after, "told", (command.host, command.application))
    is_again = core.read(before, "pair", pair).state in tried and core.read(after, "pair", pair).state in tried
    return is_again and not any(isinstance(each, Promote) for each in told)


def _switches_back(leaf: Leaf) -> bool:
    return any(step.machine == PAIR.name and step.decision.source.startswith("taking_over") for step in leaf.steps)


def _strays(core: TabulatedCore, before: int, _after: int, leaf: Leaf) -> bool:
    """A lost primary is taken back while its successor is being promoted: both will be primary."""
    pairs = {pair.name: pair for pair in core.topology.pairs}
    for step in leaf.steps:
        source, target = step.decision.source, step.decision.destination or ""
        if step.machine == PAIR.name and source.startswith("taking_over") and target.startswith("redundant"):
            successor, old = _side_of(source), _side_of(target)
            thing = core.topology.hosts[successor - 1], pairs[step.subject].applications[successor - 1]
            told = [each for each in core.read(before, "told", thing) if isinstance(each, Promote)]
            said = leaf.told[0]
            is_answered = isinstance(said, Result) and said.command in told
            if successor != old and told and not is_answered:
                return True
    return False


def _vip_errs(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
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


_REST = ("link", "told", "timers")
"""The cells that tell whether the core is at rest."""


def _commands_nothing(leaf: Leaf) -> bool:
    return not leaf.commands and not leaf.error


def _always(leaf: Leaf) -> bool:
    return not leaf.error


# fmt: off
MORE_STEP_RULES = (
    StepRule(Property("serves meanwhile", "always", "whenever nothing is under way, each pair that can have a primary has one"),
             _commands_nothing, _serves_not, after=(*_REST, "pair")),
    StepRule(Property("VIP meanwhile", "always", "whenever nothing is under way, the VIP is on the primary's host and, in sight, nowhere else"),
             _commands_nothing, _lacks_vip, after=(*_REST, "pair", "held")),
    StepRule(Property("says what is so", "always", "whenever nothing is under way, the states say what the hosts have reported"),
             _commands_nothing, _tells_otherwise, after=(*_REST, "pair", "application", "vip", "placement")),
    StepRule(Property("placed well", "always", "whenever nothing is under way, all primaries are on one host if one can take all, and not on the worse one"),
             _commands_nothing, _misplaced, after=(*_REST, "pair", "application")),
    StepRule(Property("knows what is in sight", "always", "everything is known of a host in sight, and nothing is believed of any other one"),
             _always, _knows_otherwise, after=("link", "held", "application", "pair")),
    StepRule(Property("doubts with reason", "always", "a host that is heard is in sight, and none is in doubt unless the other one is silent too"),
             _always, _doubts_for_nothing, after=("link",)),
    StepRule(Property("blind", "always", "while no host is in sight, nothing is believed of any pair and of the VIP"),
             _always, _is_told_nothing, after=("link", "pair", "vip")),
    StepRule(Property("alarms are told", "always", "alarm conditions are told of all that fails, starts, becomes primary, or is made backup"),
             _keeps_from_alarms),
    StepRule(Property("alarms end", "always", "an alarm condition that has reacted is active, until its cancel event comes or its timeout, which is under way"),
             _always, _is_latched_for_ever, after=("alarm", "timers")),
    StepRule(Property("literal scripts", "always", "with the policy `literal`, each reaction launches its script on a host in sight"),
             lambda leaf: bool(leaf.records), _keeps_from_scripts, after=("link", "told")),
    StepRule(Property("VIP order", "always", "reactions move the VIP in the configured order"),
             lambda leaf: bool(leaf.commands), _out_of_order, after=("held", "told")),
    StepRule(Property("pairs say what is so", "always", "the state of a pair says what the hosts have reported of it"),
             _always, _pair_errs, after=("pair",)),
    StepRule(Property("as wanted", "always", "what a pair promotes is what it wants as primary, what it demotes is not, and pairs are gathered where the placement wants them"),
             _wants_otherwise),
    StepRule(Property("as asked", "always", "whoever asks for a switchover of a redundant pair, to a host that is no worse, gets it"),
             lambda leaf: isinstance(leaf.told[0], SwitchoverRequested | LogMessageReceived), _refuses, before=("pair", "application"), after=("pair",)),
    StepRule(Property("messages count", "always", "a message from outside that says what is so activates the alarm conditions that wait for it"),
             lambda leaf: isinstance(leaf.told[0], LogMessageReceived), _turns_a_deaf_ear, before=("pair", "application"), after=("alarm",)),
    StepRule(Property("tie-break", "always", "of two primaries, or two backups, that are seen again the VIP's only holder wins"),
             lambda leaf: any(step.decision.source.startswith("first_seen") for step in leaf.steps), _breaks_a_tie_otherwise, before=("held",)),
    StepRule(Property("announced again", "always", "whoever keeps the VIP when the other host has released it, or comes back without it, announces it again"),
             lambda leaf: isinstance(leaf.told[-1], Result | HostConnected), _keeps_quiet, before=("link",), after=("link", "held", "vip", "told")),
    StepRule(Property("the newest wish counts", "always", "the VIP is wanted where the last reaction asked for it, and not where it asked for its release"),
             _old_wish),
    StepRule(Property("announced", "always", "the VIP is announced wherever it comes to, or stays alone, otherwise than by a script that does so"),
             _arrives_quietly),
    StepRule(Property("the loser's VIP", "always", "the loser of a split brain that cannot be demoted loses at least the VIP"),
             lambda leaf: isinstance(leaf.told[-1], Result), _loser_keeps_vip, after=("pair", "held", "told", "vip")),
    StepRule(Property("in turns", "always", "of two backups of which one cannot be promoted the other one is tried next"),
             lambda leaf: isinstance(leaf.told[-1], Result), _same_turn, before=("pair",), after=("pair", "told")),
    StepRule(Property("no stray promotion", "always", "no old primary is taken back while its successor is being promoted"),
             _switches_back, _strays, before=("told",)),
    StepRule(Property("VIP says what is so", "always", "the state of the VIP says what was last seen on the hosts, unless a script or a look is under way there"),
             _always, _vip_errs, after=("vip", "held", "told", "timers")),
)
# fmt: on
