"""What breaks a rule about hosts: which of them are in sight, and what is believed of them."""

from ....fsm import HostConnected, HostHeard, HostLeft, HostLost, Mode
from ..model.core import Leaf, TabulatedCore


def sides_in_sight(core: TabulatedCore, state: int) -> list[int]:
    """The sides whose hosts are connected."""
    return [side for side in (1, 2) if core.read(state, "link", side - 1) == "connected"]


def knows_otherwise(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """Of a host in sight everything is known, of any other one nothing, and the applications' machines say the same.

    A host in doubt may have been in sight before, or never.
    """
    for side in (1, 2):
        link, is_known = core.read(after, "link", side - 1), core.read(after, "held", side - 1) is not None
        if link != "doubtful" and is_known is not (link in ("connected", "silent")):
            return True
        for index in range(len(core.topology.components)):
            condition = core.read(after, "application", 2 * index + side - 1)
            if (condition in ("up", "down")) is not is_known:
                return True
            if index < len(core.topology.pairs):
                mode = core.read(after, "pair", index).modes[side - 1]
                told = {None: ("unknown", "lost"), Mode.DOWN: ("down",)}.get(mode, ("up",))
                if condition not in told:
                    return True
    return False


def doubts_for_nothing(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
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


def is_told_nothing(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """While no host is in sight, or in doubt, nothing is believed of any pair and of the VIP."""
    if any(core.read(after, "link", side) not in ("unknown", "lost") for side in (0, 1)):
        return False
    states = [core.read(after, "pair", index).state for index in range(len(core.topology.pairs))]
    return {*states, core.read(after, "vip")} != {"out_of_sight"}
