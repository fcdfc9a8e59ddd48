"""How the machines are coupled: the outputs of one that become triggers of another.

`COUPLINGS` lists them, with the names from the tables; the tests compare it with the tables, so that no output and no
trigger is missing or invented. `wiring` draws how a solution's alarm conditions connect its applications.
"""

from attrs import frozen

from ....fsm import ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP
from ..drawing.routes import Wanted, place
from ..states.boxes import Layout, drawn, grid, label_size
from ..states.graph import Edge, Label, Node, in_lines
from .wiring import wiring_svg

__all__ = ["COUPLINGS", "MACHINES", "Coupling", "coupling_layout", "coupling_svg", "wiring_svg"]

HOSTS, CLOCK, JOINT, OPERATOR, MESSAGES = "its host", "a timer", "joint state", "an operator", "a message from outside"
"""The ends of couplings that are not machines. They are listed in a machine's box; only the joint state has its own."""

MACHINES = {table.name: table for table in (LINK, APPLICATION, PAIR, ALARM, PLACEMENT, VIP)}
_LINK, _APPLICATION, _PAIR, _ALARM, _PLACEMENT, _VIP = MACHINES


@frozen
class Coupling:
    """Outputs of one machine that become triggers of another; names without their sides.

    One end may not be a machine: as a source it has no `outputs`, as a target no `triggers`.
    """

    source: str
    target: str
    outputs: str = ""
    triggers: str = ""


# fmt: off
COUPLINGS = (
    # A change of a host affects everything that runs on it.
    Coupling(HOSTS, _LINK,         "",             "connected fell_silent heard lost left"),
    Coupling(_LINK, _LINK,         "tell_heard",   "peer_heard"),
    Coupling(_LINK, _LINK,         "tell_blind",   "peer_gone"),
    Coupling(_LINK, _APPLICATION,  "tell_lost",    "lost"),
    Coupling(_LINK, _APPLICATION,  "tell_blind",   "blinded"),
    Coupling(_LINK, _PAIR,         "tell_reached", "primary backup down"),
    Coupling(_LINK, _PAIR,         "tell_lost",    "unreachable"),
    Coupling(_LINK, _PAIR,         "tell_blind",   "blinded"),
    Coupling(_LINK, _VIP,          "tell_reached", "held free"),
    Coupling(_LINK, _VIP,          "tell_lost",    "unreachable"),
    Coupling(_LINK, _VIP,          "tell_blind",   "blinded"),

    # Log messages activate alarm conditions, and their reactions drive the other machines.
    Coupling(_PAIR, _ALARM,        "log_primary log_backup",  "detected cancelled"),
    Coupling(_PAIR, _ALARM,        "restate_primary",         "restated"),
    Coupling(_PAIR, _ALARM,        "repeat",                  "detected"),
    Coupling(_APPLICATION, _ALARM, "log_failed log_started",  "detected cancelled"),
    Coupling(_APPLICATION, _ALARM, "restate_failed",          "restated"),
    Coupling(_APPLICATION, _ALARM, "repeat",                  "detected"),
    Coupling(_ALARM, _PAIR,        "react",                   "requested needed"),
    Coupling(_ALARM, _VIP,         "react",                   "enable_asked disable_asked"),
    Coupling(_ALARM, _VIP,         "react",                   "enable_ordered disable_ordered"),
    Coupling(_PAIR, _VIP,          "release_vip",             "disable_asked"),

    # The joint state of the machines is a trigger as well.
    Coupling(JOINT, _PLACEMENT,    "",       "together lacks gathers either none busy nothing"),
    Coupling(JOINT, _ALARM,        "",       "over"),
    Coupling(JOINT, _VIP,          "",       "held free"),
    Coupling(_PLACEMENT, JOINT,    "look",   ""),
    Coupling(_PLACEMENT, _PAIR,    "gather", "requested"),

    # Commands and their results.
    Coupling(_APPLICATION, HOSTS,  "start stop", ""),
    Coupling(HOSTS, _APPLICATION,  "",           "up down"),
    Coupling(_PAIR, HOSTS,         "promote demote look", ""),
    Coupling(HOSTS, _PAIR,         "",             "primary backup down looked look_failed"),
    Coupling(HOSTS, _PAIR,         "",             "promotion_failed promotion_timed_out promotion_unclear"),
    Coupling(HOSTS, _PAIR,         "",             "demotion_failed demotion_timed_out demotion_unclear"),
    Coupling(_VIP, HOSTS,          "enable disable announce look", ""),
    Coupling(HOSTS, _VIP,          "",             "held free enabled released looked look_failed"),
    Coupling(HOSTS, _VIP,          "",             "enable_failed disable_failed announce_failed script_unclear"),

    # Timers that a machine starts for itself.
    Coupling(_PAIR, CLOCK,         "start_retry start_settle start_look", ""),
    Coupling(CLOCK, _PAIR,         "", "retry settled look_due"),
    Coupling(_ALARM, CLOCK,        "start_cancel", ""),
    Coupling(CLOCK, _ALARM,        "", "timed_out"),
    Coupling(_PLACEMENT, CLOCK,    "start_retry", ""),
    Coupling(CLOCK, _PLACEMENT,    "", "retry"),
    Coupling(_VIP, CLOCK,          "start_retry start_look start_announce start_drain", ""),
    Coupling(CLOCK, _VIP,          "", "retry look_due announce_again drained"),

    # Operators, and the logs that the agent follows.
    Coupling(OPERATOR, _PAIR,        "", "requested"),
    Coupling(OPERATOR, _APPLICATION, "", "start_requested stop_requested"),
    Coupling(MESSAGES, _PAIR,        "", "logged_primary logged_backup"),
    Coupling(MESSAGES, _APPLICATION, "", "logged_failed logged_other"),
    Coupling(MESSAGES, _ALARM,       "", "cancelled"),
)

_MAP = {
    _LINK: (0, 1),
    _APPLICATION: (1, 0), _PAIR: (1, 2),
    _ALARM: (2, 0), _VIP: (3, 1), _PLACEMENT: (2, 2), JOINT: (3, 2),
}
# fmt: on

_COUNTS = {
    _LINK: "one for each host",
    _APPLICATION: "one for each application",
    _PAIR: "one for each redundant pair",
    _ALARM: "one for each alarm condition",
    _PLACEMENT: "one for the solution",
    _VIP: "one for the solution",
    JOINT: "checked at the end of an event",
}

_WRAP = 40

_NOTE = (
    "on an edge: triggers of one machine, over the outputs of another;"
    " in a box: its triggers from elsewhere, over its outputs"
)


def coupling_svg() -> str:
    """The picture of the machines' couplings through outputs, alarm conditions and reactions, as SVG."""
    return drawn(coupling_layout(), "how the machines are coupled", _NOTE)


def coupling_layout() -> Layout:
    """The layout of that picture."""
    nodes = {name: Node((), (name,), ((_COUNTS[name],), ()), _inside(name), at) for name, at in _MAP.items()}
    pairs = dict.fromkeys((one.source, one.target) for one in COUPLINGS if {one.source, one.target} <= set(nodes))
    edges = tuple(Edge(*ends, tuple(_labels(*ends))) for ends in pairs if ends[0] != ends[1])
    boxes, axis = grid(nodes, (190, 90))
    words = list(nodes)
    wanted = [Wanted(words.index(edge.source), words.index(edge.target), *label_size(edge.labels)) for edge in edges]
    return Layout(nodes, boxes, edges, place(list(boxes.values()), wanted), axis, has_ghosts=False)


def _labels(source: str, target: str) -> list[Label]:
    """The labels of the edge between two machines: each output below the triggers that it becomes."""
    triggers_of: dict[str, list[str]] = {}
    for one in COUPLINGS:
        if (one.source, one.target) == (source, target):
            triggers_of.setdefault(one.outputs, []).extend(one.triggers.split())
    return [
        Label(tuple(in_lines(", ".join(triggers), 30)), ", ".join(outputs.split()))
        for outputs, triggers in triggers_of.items()
    ]


def _inside(name: str) -> tuple[Label, ...]:
    """The text in a machine's box: its triggers from ends that are not machines, and its outputs to them."""
    labels: list[Label] = []
    for other in (HOSTS, CLOCK, OPERATOR, MESSAGES):
        heard = [
            word for one in COUPLINGS if (one.source, one.target) == (other, name) for word in one.triggers.split()
        ]
        asked = [word for one in COUPLINGS if (one.source, one.target) == (name, other) for word in one.outputs.split()]
        if heard:
            labels.append(Label(tuple(in_lines(f"{other}: {', '.join(heard)}", _WRAP)), ", ".join(asked)))
    own = [f"{one.outputs} is {one.triggers} there" for one in COUPLINGS if (one.source, one.target) == (name, name)]
    if own:
        labels.append(Label(tuple(in_lines(f"the other host's: {', '.join(own)}", _WRAP)), ""))
    return tuple(labels)
