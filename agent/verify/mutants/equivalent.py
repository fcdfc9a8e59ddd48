"""Mutants that survive for a reason: they change nothing that matters, or what they change is out of the model.

Everything else that survives is a property that is missing, a flaw, or a row that never decides. A pattern may stand
for a group: `*` is any text. An explanation that fits nothing that survives is stale.
"""

from attrs import frozen


@frozen
class Explained:
    """Why the mutants of these names survive. `is_outside`: nothing that the model lets happen depends on it."""

    pattern: str
    reason: str
    is_outside: bool = False


_SET_RIGHT = (
    "only the side of the state is wrong, and what was last seen sets it right in the same step (rule 9 of the Virtual"
    " IP's table)"
)
_SOONER = (
    "the host that is to lose the VIP is told so at once instead of by the reaction to its demotion, or the other way"
    " round: a split brain always has that reaction, and the documents tell of this case only where the returning host"
    " is demoted"
)
_LATER = "the retry that is started in the same step enables it: later by `retry_ms`, and the model knows no durations"
_NO_LISTENER = (
    "only a host in doubt listens, and one is in doubt only while this one is silent ('doubts with reason'): so nobody"
    " is there to be told when this one comes from any other state"
)
_NO_REQUEST = "the world model lets nobody start or stop a single application; unit tests of the core do"

EXPLAINED: tuple[Explained, ...] = (
    Explained(
        "*: commands swapped: *",
        "what one step gives to different hosts, or to different things of one host, comes in any order; its timers"
        " start at the same moment; and what it tells other machines is all told before anything else happens",
    ),
    Explained("link: unknown, connected: command dropped: tell_heard", _NO_LISTENER),
    Explained("link: doubtful lost, connected: command dropped: tell_heard", _NO_LISTENER),
    Explained(
        "pair: redundant, other_needed (other_is_better): row taken out",
        "the placement sees in the same step that the other host is better, and moves all pairs there; the row is the"
        " documented reason for what would be done anyhow",
    ),
    Explained("vip: owed held, other_held other_enabled (this_is_demoted): moves to the other side", _SOONER),
    Explained("vip: enabling_owed enabling, other_held other_enabled: guards exchanged: other_is_demoted, *", _SOONER),
    Explained("vip: clearing, this_disable_asked this_disable_ordered: moves to the other side", _SET_RIGHT),
    Explained(
        "vip: clearing, this_held this_enabled (this_serves): command dropped: enable this",
        "a release that is under way here is noticed when it is done, and the VIP is put back then",
    ),
    Explained("vip: clearing, other_disable_failed (this_serves): command dropped: enable this", _LATER),
    Explained("vip: clearing, other_looked (this_serves): command dropped: enable this", _LATER),
    Explained("application: down, start_requested: command dropped: start", _NO_REQUEST, is_outside=True),
    Explained("application: up, stop_requested: command dropped: stop", _NO_REQUEST, is_outside=True),
    Explained(
        "application: unknown, lost: row taken out",
        "of a host that is given up before it was ever heard it only tells that what runs there has started, when it is"
        " heard: nothing else depends on whether an application is unknown or lost",
    ),
    Explained(
        "pair: redundant, other_demotion_failed: command dropped: look other",
        "the demotion follows a promotion that had begun, and that one's own result tells what became of it; the look"
        " makes sure",
    ),
    Explained(
        "pair: redundant, other_logged_primary (other_is_worse): command dropped: look other",
        "no mode changes in the world model without being reported; the look is for a host that keeps it to itself",
        is_outside=True,
    ),
    Explained(
        "pair: cut_off, this_primary: *",
        "what failed comes up again in backup mode in the world model; unit tests of the core have it come up primary",
        is_outside=True,
    ),
    Explained(
        "placement: unplaced, none: row taken out",
        "`unplaced` and `apart` have the same rows: they differ in what they tell, not in what is done",
    ),
    Explained(
        "placement: gathering, other_lacks this_gathers this_either other_either: moves to the other side",
        "while it waits, both sides are the same to it: what is to be done then is looked at anew",
    ),
    Explained("vip: clearing, other_disable_failed (this_serves_not): moves to the other side", _SET_RIGHT),
    Explained("vip: clearing, other_looked (this_serves_not): moves to the other side", _SET_RIGHT),
)
