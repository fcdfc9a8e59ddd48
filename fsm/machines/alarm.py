"""The alarm condition: when does a log message trigger its reactions? One such machine for every alarm condition.

An SCS does not react to what it detects while the alarm is still active: it only sets the cancel timer anew. An alarm
that was activated by a switchover, and whose cancel timeout is long, is then still active when the solution is to be
switched back, and nothing moves. Here an alarm reacts once an *incident*: what it told of may come to an end (the new
primary is not primary any more, the failed application is up again), and then it is *rearmed*, cancelled or not.

The policy `literal` does as an SCS does, so that a configuration can be compared and verified: what is active and over
is *latched* there.
"""

from ..table import Ignored, Row, Table

# fmt: off
ROWS = (
    #   source                    trigger      guard      destination  outputs                cite                      reason
    Row("clear rearmed",          "detected",  "",        "active",    "react; start_cancel", "[S2] manual, steps 5-6", "its detect event came: it becomes active and reacts"),
    Row("clear rearmed",          "restated",  "",        "active",    "react; start_cancel", "rule: adopt what is",    "what it waits for is so: it becomes active and reacts"),
    Row("active",                 "detected",  "",        "=",         "start_cancel",        "rule: once an incident", "it has reacted already: its cancel timeout begins anew"),
    Row("active",                 "restated",  "once",    "=",         "react",               "rule: adopt what is",    "what it waits for is still so, after something else was tried: it reacts"),
    Row("active",                 "restated",  "literal", "=",         "",                    "[S1] alarm reactions",   "latched: an SCS does not react while the alarm is active"),
    Row("active",                 "over",      "once",    "rearmed",   "",                    "rule: once an incident", "what it told of is over: the next time is another incident"),
    Row("active",                 "over",      "literal", "latched",   "",                    "[S1] alarm reactions",   "what it told of is over, and it stays active until it is cancelled"),
    Row("latched",                "detected",  "",        "=",         "start_cancel",        "[S1] alarm reactions",   "latched: an SCS does not react while the alarm is active, it sets its cancel timeout anew"),
    Row("latched",                "restated",  "",        "=",         "",                    "[S1] alarm reactions",   "latched: an SCS does not react while the alarm is active"),
    Row("active rearmed latched", "cancelled", "",        "clear",     "",                    "rule: cancelled",        "its cancel event came"),
    Row("active rearmed latched", "timed_out", "",        "clear",     "",                    "rule: cancelled",        "its cancel timeout is over"),
    Ignored("clear",         "cancelled timed_out", "it is not active"),
    Ignored("clear rearmed latched", "over",        "nothing that it told of is going on"),
)
# fmt: on

ALARM = Table(
    name="alarm condition",
    states="clear active rearmed latched",
    initial="clear",
    triggers="detected restated over cancelled timed_out",
    guards=("once literal",),
    outputs="react start_cancel",
    rows=ROWS,
)
