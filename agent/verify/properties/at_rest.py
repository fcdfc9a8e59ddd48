"""Rules about the solution as a whole while the core is *at rest*.

At rest, the core waits for no result and for no timer except slow ones, and no host is silent or doubtful.

Each public function returns True if its rule is broken.
"""

from ....fsm import Mode
from ....fsm.facts import better_side, pair_of_the_vip, sides_that_can
from ....fsm.machines.vip import AT_REST
from ..model.core import Leaf, TabulatedCore
from .sight import sides_in_sight

_VIP_AT_REST = ("held", "owed", "absent", "off", "out_of_sight")
_RUNNING = (Mode.PRIMARY, Mode.BACKUP)


def pair_without_primary(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """A pair has no primary, or one that its state does not name, although it runs on a side in sight."""
    if not _is_at_rest(core, after):
        return False
    in_sight = sides_in_sight(core, after)
    for index, primary in enumerate(_primaries(core, after)):
        modes = core.read(after, "pair", index).modes
        if primary is None and any(modes[side - 1] in _RUNNING for side in in_sight):
            return True
    return False


def vip_misplaced(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """The primary's host does not hold the VIP, or another host in sight holds it."""
    if not core.topology.detecting or not _is_at_rest(core, after):
        return False
    primary = _primaries(core, after)[pair_of_the_vip(core.topology)]
    holders = [side for side in sides_in_sight(core, after) if core.read(after, "held", side - 1)]
    return primary is not None and holders != [primary]


def states_contradict_reports(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """A state contradicts what the hosts in sight have reported."""
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
    expected = "held" if len(in_sight) == 2 else "owed"
    primary, vip = primaries[pair_of_the_vip(core.topology)], core.read(after, "vip")
    if not vip.startswith(_VIP_AT_REST):
        return True
    return primary is not None and bool(core.topology.detecting) and vip != f"{expected}_{primary}"


def vip_in_transit(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """The VIP is moving between hosts, and no script is running that would complete the move."""
    return _is_at_rest(core, after) and not core.read(after, "vip").startswith((*AT_REST, "conflict"))


def primaries_misplaced(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """The primaries are on two hosts although one host can take all, or on the worse of two that can."""
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
    if any(core.read(state, "pending", target) for target in core.targets):
        return False
    return all(core.is_slow(timer) for timer in core.timers(state))


def _primaries(core: TabulatedCore, state: int) -> list[int | None]:
    """For each pair, the side in sight that is its only primary and is named by its state; None if there is none."""
    primaries: list[int | None] = []
    for index in range(len(core.topology.pairs)):
        pair = core.read(state, "pair", index)
        sides = [side for side in sides_in_sight(core, state) if pair.modes[side - 1] is Mode.PRIMARY]
        is_named = len(sides) == 1 and pair.state[-1] == str(sides[0])
        primaries.append(sides[0] if is_named else None)
    return primaries


def _redundancy(core: TabulatedCore, state: int, index: int, side: int) -> str:
    """The state that a pair must have at rest if its primary is on this side."""
    if 3 - side not in sides_in_sight(core, state):
        return f"peer_lost_{side}"
    is_down = core.read(state, "pair", index).modes[2 - side] is Mode.DOWN
    return f"no_redundancy_{side}" if is_down else f"redundant_{side}"
