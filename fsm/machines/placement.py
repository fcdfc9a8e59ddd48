"""The placement: on which host does the solution run? This machine binds the pairs to one side.

"If any application fails in a host, all applications are switched" ([S1]). Reactions to alarms do that as long as
failures come one at a time. When several come together, the pairs drift apart: an application fails while its pair's
backup is down, or a promotion fails on one host only. So after every event this machine looks at all components at once.
This *joint view* is its trigger, if it has changed:

    together      every pair that has a primary has it on this side, and the other side is no better
    lacks         ... but the other side could take all pairs, and is better
    gathers       the primaries are on both sides; only this side can take all, or it is the better side
    either        ... and both sides can take all equally well; the VIP follows the pair on this side
    none          ... and neither side can take all
    busy          a pair is being switched, or is not known yet
    nothing       no pair has a primary

The rules, by the names that the rows cite:

1. *To the better host*: a side is better than the other if only it can take all redundant pairs, or if it has everything
   that the other has, and more. Nothing moves for less.
2. *All on one host*: pairs are moved by requests, one after the other, as an operator would move them.
3. *A command fails*: if an attempt does not gather the pairs, the next one follows after a delay, never at once.
4. *Nothing is left*: without a primary there is no placement.
"""

from ..tables.notation import rows
from ..tables.outputs import PlacementOutput
from ..tables.table import Table
from ..tables.triggers import PlacementTrigger

STATES = "together* gathering* waiting* apart unplaced"

AT_REST = ("together", "apart", "unplaced")
"""The states in which nothing is under way."""

GROUPS = {
    "UNDECIDED": "unplaced apart",
}
"""Groups of states."""

MOVES = """
UNDECIDED: the pairs become known
    this_together  -> together                   all on one host     every primary is on one host
    this_lacks     -> ~gathering / gather other  to the better host  the other host is better: the solution moves there
    this_gathers   -> gathering / gather this    all on one host     primaries on both hosts: this one can take all
    this_either    -> gathering / gather this    all on one host     primaries on both hosts: the others follow the VIP

unplaced: no host can take all
    none  -> apart  all on one host  primaries on both hosts: neither can take all

together: a pair moved, or a host has become better
    other_together            -> ~together                  all on one host        every primary is on the other host now
    this_lacks                -> ~gathering / gather other  to the better host     the other host is better: the solution moves there
    other_lacks               -> gathering / gather this    to the better host     this host is better: the solution moves back
    this_gathers              -> gathering / gather this    all on one host        a pair moved away, this host can take all
    other_gathers             -> ~gathering / gather other  all on one host        a pair moved: the others follow it
    this_either other_either  -> ~gathering / gather other  [S1] switchover cases  a pair moved: the others follow it

together gathering waiting: no host can take all
    none  -> apart  all on one host  primaries on both hosts: neither can take all

together gathering waiting apart: nothing is in service
    nothing  -> unplaced  nothing is left  no pair has a primary

gathering waiting: done
    this_together   -> together   all on one host  every primary is on this host
    other_together  -> ~together  all on one host  every primary is on the other host

gathering: not done, or overtaken
    this_lacks other_gathers                      -> ~gathering / gather other  to the better host  the other host is better now
    other_lacks this_gathers/either other_either  -> waiting / start_retry      a command fails     not gathered here: tried again later

waiting: the time is over
    retry  -> unplaced / look  a command fails  the pairs are looked at again
"""

IGNORED = """
busy                        in UNDECIDED                          a pair is being switched, or is unknown
busy this_together          in together                           as it should be, or a switchover is under way
busy                        in gathering                          the pairs are being switched
busy                        in waiting                            an attempt failed: wait before the next one
this_lacks other_lacks      in waiting                            an attempt failed: wait before the next one
this_gathers other_gathers  in waiting                            an attempt failed: wait before the next one
this_either other_either    in waiting                            an attempt failed: wait before the next one
nothing                     in unplaced                           no pair has a primary
none                        in apart                              neither host can take all
retry                       in unplaced apart together gathering  out of date: there is nothing to retry
"""

PLACEMENT = Table(
    name="placement",
    states=STATES,
    initial="unplaced",
    triggers=" ".join(PlacementTrigger),
    outputs=" ".join(PlacementOutput),
    rows=rows(STATES, MOVES, IGNORED, groups=GROUPS),
)
