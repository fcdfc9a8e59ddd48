"""The mutants that may survive, with the reason: they are equivalent, or their change is outside the model.

Any other survivor points to a missing property, a flaw of the table, or a row that never decides. A pattern may stand
for a group of mutants: `*` matches any text. An explanation that matches no survivor is stale.
"""

from attrs import frozen


@frozen
class Explained:
    """Why the mutants that match a pattern survive. `is_outside`: the model has nothing that depends on the change."""

    pattern: str
    reason: str
    is_outside: bool = False


_SET_RIGHT = (
    "only the side of the state is wrong, and the last observation corrects it in the same step (rule 9 of the Virtual"
    " IP's table)"
)
_SOONER = (
    "the host that is to lose the VIP gets the command at once instead of by the reaction to its demotion, or the other"
    " way round: a split brain always has that reaction, and the documents describe this case only where the returning"
    " host is demoted"
)
_LATER = "the retry that is started in the same step enables it: later by `retry_ms`, and the model knows no durations"
_NO_LISTENER = (
    "only a doubtful host reacts to it, and a host is doubtful only while this one is silent ('doubtful with reason'):"
    " so nobody reacts when this one comes from any other state"
)
_NO_REQUEST = "nobody starts or stops a single application in the world model; unit tests of the core do"

EXPLAINED: tuple[Explained, ...] = (
    Explained(
        "*: commands swapped: *",
        "commands of one step to different hosts, or to different targets on one host, arrive in any order; its timers"
        " start at the same moment; and its triggers for other machines are all handled before the next event",
    ),
    Explained("link: unknown, connected: command dropped: tell_heard", _NO_LISTENER),
    Explained("link: doubtful lost, connected: command dropped: tell_heard", _NO_LISTENER),
    Explained(
        "pair: redundant, other_needed (other_is_better): row taken out",
        "the placement sees in the same step that the other host is better, and moves all pairs there; the row is the"
        " documented reason for what would be done anyway",
    ),
    Explained("vip: owed held, other_held other_enabled (this_is_demoted): moves to the other side", _SOONER),
    Explained("vip: enabling_owed enabling, other_held other_enabled: guards exchanged: other_is_demoted, *", _SOONER),
    Explained("vip: clearing, this_disable_asked this_disable_ordered: moves to the other side", _SET_RIGHT),
    Explained(
        "vip: clearing, this_held this_enabled (this_serves): command dropped: enable this",
        "a release that is under way here is noticed when it completes, and the VIP is put back then",
    ),
    Explained("vip: clearing, other_disable_failed (this_serves): command dropped: enable this", _LATER),
    Explained("vip: clearing, other_looked (this_serves): command dropped: enable this", _LATER),
    Explained("application: down, start_requested: command dropped: start", _NO_REQUEST, is_outside=True),
    Explained("application: up, stop_requested: command dropped: stop", _NO_REQUEST, is_outside=True),
    Explained(
        "application: unknown, lost: row taken out",
        "if a host is given up before it was ever heard, the row only decides that its applications are logged as"
        " started once it is heard: nothing else depends on whether an application is unknown or lost",
    ),
    Explained(
        "pair: redundant, other_demotion_failed: command dropped: look other",
        "the demotion follows a promotion that had begun, and the result of that promotion reports the mode; the look"
        " only makes sure",
    ),
    Explained(
        "pair: redundant, other_logged_primary (other_is_worse): command dropped: look other",
        "in the world model every change of a mode is reported; the look is for a host that does not report it",
        is_outside=True,
    ),
    Explained(
        "pair: cut_off, this_primary: *",
        "in the world model a failed application returns in backup mode; unit tests of the core let it return primary",
        is_outside=True,
    ),
    Explained(
        "placement: unplaced, none: row taken out",
        "`unplaced` and `apart` have the same rows: they differ in what they report, not in what is done",
    ),
    Explained(
        "placement: gathering, other_lacks this_gathers this_either other_either: moves to the other side",
        "while it waits, the side makes no difference: it decides anew when the waiting is over",
    ),
    Explained("vip: clearing, other_disable_failed (this_serves_not): moves to the other side", _SET_RIGHT),
    Explained("vip: clearing, other_looked (this_serves_not): moves to the other side", _SET_RIGHT),
)
