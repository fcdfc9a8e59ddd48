"""The state of a solution, as a value: readable, comparable, hashable, and enough to go on from."""

from attrs import field, frozen

from .commands import HostCommand
from .events import Mode
from .link import LINK
from .pair import PAIR
from .topology import Topology
from .vip import VIP


@frozen
class PairState:
    """A pair: the state of its machine, and what the two hosts reported of its applications (None: not heard)."""

    state: str = PAIR.initial
    modes: tuple[Mode | None, Mode | None] = (None, None)
    primary_for_ms: tuple[int, int] = (0, 0)


@frozen
class SolutionState:
    """All that the core remembers.

    `links`, `pairs` and `vip` are the states of the machines; `vip_held` is what the hosts reported of the VIP (None:
    not heard); `pending` are the commands without a result yet. `next_id` numbers the next command and takes no part
    in comparisons.
    """

    links: tuple[str, str]
    pairs: tuple[PairState, ...]
    vip: str = VIP.initial
    vip_held: tuple[bool | None, bool | None] = (None, None)
    pending: tuple[HostCommand, ...] = ()
    next_id: int = field(default=1, eq=False)


def initial_state(topology: Topology) -> SolutionState:
    """The state of a solution of which nothing is known yet."""
    return SolutionState((LINK.initial, LINK.initial), tuple(PairState() for _ in topology.pairs))
