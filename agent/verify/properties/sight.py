"""Rules about hosts: which of them are in sight, and what the core believes of them.

Each rule's function returns True if the rule is broken.
"""

from ....fsm import HostConnected, HostHeard, HostLeft, HostLost, Mode
from ....fsm.machines.link import IN_SIGHT, UNREACHABLE
from ..model.core import Leaf, TabulatedCore


def sides_in_sight(core: TabulatedCore, state: int) -> list[int]:
    """The sides whose hosts are connected."""
    return [side for side in (1, 2) if core.read(state, "link", side - 1) == "connected"]


def knowledge_contradicts_sight(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """The core lacks knowledge of a host in sight, or has some of another, or the applications' machines disagree.

    A doubtful host may be known or not: it may have been in sight before, or never.
    """
    for side in (1, 2):
        link, is_known = core.read(after, "link", side - 1), core.read(after, "held", side - 1) is not None
        if link != "doubtful" and is_known is not (link in IN_SIGHT):
            return True
        for index in range(len(core.topology.components)):
            condition = core.read(after, "application", 2 * index + side - 1)
            if (condition in ("up", "down")) is not is_known:
                return True
            if index < len(core.topology.pairs):
                mode = core.read(after, "pair", index).modes[side - 1]
                expected = {None: ("unknown", "lost"), Mode.DOWN: ("down",)}.get(mode, ("up",))
                if condition not in expected:
                    return True
    return False


def wrong_link_state(core: TabulatedCore, _before: int, after: int, leaf: Leaf) -> bool:
    """A host has the wrong link state.

    That is: it was heard but is not connected; it was given up but is neither lost nor (unless it signed off) doubtful;
    or it is doubtful while the other host is not silent.
    """
    events = leaf.occurrence
    heard = [core.topology.side_of(event.host) for event in events if isinstance(event, HostConnected | HostHeard)]
    links = [core.read(after, "link", side) for side in (0, 1)]
    if any(links[side - 1] != "connected" for side in heard):
        return True
    for event in events:
        if isinstance(event, HostLost | HostLeft):
            doubted = ("lost",) if isinstance(event, HostLeft) else ("lost", "doubtful")
            if links[core.topology.side_of(event.host) - 1] not in doubted:
                return True
    return any(links[side] == "doubtful" and links[1 - side] != "silent" for side in (0, 1))


def believes_while_blind(core: TabulatedCore, _before: int, after: int, _leaf: Leaf) -> bool:
    """A pair or the VIP is not `out_of_sight`, although both hosts are unknown or lost."""
    if any(core.read(after, "link", side) not in UNREACHABLE for side in (0, 1)):
        return False
    states = [core.read(after, "pair", index).state for index in range(len(core.topology.pairs))]
    return {*states, core.read(after, "vip")} != {"out_of_sight"}
