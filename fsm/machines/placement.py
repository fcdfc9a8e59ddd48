"""The placement: on which host does the solution run? This machine binds the pairs to one side.

"If any application fails in a host, all applications are switched" ([S1]). Reactions to alarms do that as long as one
thing happens at a time; when several do, pairs drift apart (an application fails while its pair's backup is down; a
promotion fails on one host only). So after every event the joint view of all components is a trigger of this machine,
if it is another one than before:

    together      every pair that has a primary has it on this side, and the other side is no better
    lacks         ... but the other side could take it all, and is better
    gathers       the primaries are on both sides, and only this side can take all, or it is the better one
    either        ... and both sides can take all alike; this side is that of the pair that the VIP follows
    none          ... and neither side can take all
    busy          a pair is being switched, or is not known yet
    nothing       no pair has a primary

1. A side is better than the other if it is the only one that can take all redundant pairs, or if it has everything that
   the other has, and more. Nothing moves for less.
2. What is moved is asked of the pairs as an operator would ask, one after the other by their own rows.
3. An attempt that came to nothing is followed by another one after a while, never at once.
"""

from ..table import Ignored, Row, Table

AT_REST = ("together", "apart", "unplaced")
"""The states in which nothing is under way."""

# fmt: off
ROWS = (
    #   source                        trigger                     guard  destination   outputs         cite                        reason
    Row("unplaced apart",             "this_together",            "",    "together",   "",             "rule: all on one host",    "every primary is on one host"),
    Row("unplaced apart",             "this_lacks",               "",    "~gathering", "gather other", "rule: to the better host", "the other host is the better one: the solution moves there"),
    Row("unplaced apart",             "this_gathers",             "",    "gathering",  "gather this",  "rule: all on one host",    "the primaries are on both hosts, and this one can take all"),
    Row("unplaced apart",             "this_either",              "",    "gathering",  "gather this",  "rule: all on one host",    "the primaries are on both hosts: the others follow the pair that has the VIP"),
    Row("unplaced",                   "none",                     "",    "apart",      "",             "rule: all on one host",    "the primaries are on both hosts, and neither can take all"),
    Row("together",                   "other_together",           "",    "~together",  "",             "rule: all on one host",    "every primary is on the other host now"),
    Row("together",                   "this_lacks",               "",    "~gathering", "gather other", "rule: to the better host", "the other host is the better one: the solution moves there"),
    Row("together",                   "other_lacks",              "",    "gathering",  "gather this",  "rule: to the better host", "this host is the better one: the solution moves back"),
    Row("together",                   "this_gathers",             "",    "gathering",  "gather this",  "rule: all on one host",    "a pair has moved away, and this host can take all"),
    Row("together",                   "other_gathers",            "",    "~gathering", "gather other", "rule: all on one host",    "a pair has moved, and the other host can take all: the others follow it"),
    Row("together",                   "this_either other_either", "",    "~gathering", "gather other", "[S1] switchover cases",    "a pair has moved: the others follow it"),
    Row("together gathering waiting", "none",                     "",    "apart",      "",             "rule: all on one host",    "the primaries are on both hosts, and neither can take all"),
    Row("together gathering waiting apart", "nothing",            "",    "unplaced",   "",             "rule: nothing is left",    "no pair has a primary"),
    Row("gathering waiting",          "this_together",            "",    "together",   "",             "rule: all on one host",    "every primary is on this host"),
    Row("gathering waiting",          "other_together",           "",    "~together",  "",             "rule: all on one host",    "every primary is on the other host"),
    Row("gathering",                  "this_lacks other_gathers", "",    "~gathering", "gather other", "rule: to the better host", "things changed: now the other host is the better one"),
    Row("gathering",                  "other_lacks this_gathers this_either other_either", "", "waiting", "start_retry", "rule: a command fails", "the primaries could not be gathered here: tried again after a while"),
    Row("waiting",                    "retry",                    "",    "unplaced",   "look",         "rule: a command fails",    "what is to be done now is looked at anew"),

    Ignored("unplaced apart",         "busy",         "a pair is being switched, or is not known yet"),
    Ignored("together",               "busy this_together", "as it should be, or a switchover is under way"),
    Ignored("gathering",              "busy",         "the pairs are being switched"),
    Ignored("waiting",                "busy this_lacks other_lacks this_gathers other_gathers this_either other_either", "an attempt came to nothing: not before the time is over"),
    Ignored("unplaced",               "nothing",      "no pair has a primary"),
    Ignored("apart",                  "none",         "neither host can take all"),
    Ignored("unplaced apart together gathering", "retry", "what was to be tried again has been overtaken"),
)
# fmt: on

PLACEMENT = Table(
    name="placement",
    states="together* gathering* waiting* apart unplaced",
    initial="unplaced",
    triggers="this_together this_lacks this_gathers this_either none busy nothing retry",
    outputs="gather start_retry look",
    rows=ROWS,
)
