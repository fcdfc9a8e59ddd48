"""What breaks a rule about the solution as a whole while the core is *at rest*.

That is, it waits for no result and for no timer but a slow one, and has not to find out whether a host that fell silent
is lost.
"""

from ....fsm import Mode
from ....fsm.facts import better_side, pair_of_the_vip, sides_that_can
from ....fsm.machines.vip import AT_REST
from ..model.core import Leaf, TabulatedCore
from .sight import sides_in_sight

_VIP_AT_REST = ("held", "owed", "absent", "off", "out_of_sight")
_RUNNING = (Mode.PRIMARY, Mode.BACKUP)


def serves_not(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """A pair has no primary that its state names, although a side in sight runs."""
    if not _is_at_rest(core, after):
        return False
    in_sight = sides_in_sight(core, after)
    for index, primary in enumerate(_primaries(core, after)):
        modes = core.read(after, "pair", index).modes
        if primary is None and any(modes[side - 1] in _RUNNING for side in in_sight):
            return True
    return False


def lacks_vip(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """The primary's host has not the VIP, or another one in sight has it."""
    if not core.topology.detecting or not _is_at_rest(core, after):
        return False
    primary = _primaries(core, after)[pair_of_the_vip(core.topology)]
    holders = [side for side in sides_in_sight(core, after) if core.read(after, "held", side - 1)]
    return primary is not None and holders != [primary]


def tells_otherwise(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """A state says something else than what the hosts in sight have reported."""
    if not _is_at_rest(core, after):
        return False
    in_sight, primaries = sides_in_sight(core, after), _primaries(core, after)
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


def half_done(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """The VIP is on its way, and no script is under way that would bring it there."""
    return _is_at_rest(core, after) and not core.read(after, "vip").startswith((*AT_REST, "conflict"))


def misplaced(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """The primaries are on two hosts although one can take all, or on the worse one of two that can."""
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


def _is_at_rest(core: TabulatedCore, state: int) -> bool:
    if any(core.read(state, "link", side) in ("silent", "doubtful") for side in (0, 1)):
        return False
    if any(core.read(state, "told", thing) for thing in core.things):
        return False
    return all(core.is_slow(timer) for timer in core.timers(state))


def _primaries(core: TabulatedCore, state: int) -> list[int | None]:
    """Of each pair the side in sight that is its only primary and that its state names; None if there is none."""
    found: list[int | None] = []
    for index in range(len(core.topology.pairs)):
        pair = core.read(state, "pair", index)
        sides = [side for side in sides_in_sight(core, state) if pair.modes[side - 1] is Mode.PRIMARY]
        named = len(sides) == 1 and pair.state[-1] == str(sides[0])
        found.append(sides[0] if named else None)
    return found


def _redundancy(core: TabulatedCore, state: int, index: int, side: int) -> str:
    """What the state of a pair must say whose primary is on this side, and nothing is under way."""
    if 3 - side not in sides_in_sight(core, state):
        return f"peer_lost_{side}"
    is_down = core.read(state, "pair", index).modes[2 - side] is Mode.DOWN
    return f"no_redundancy_{side}" if is_down else f"redundant_{side}"
