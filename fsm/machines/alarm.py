"""The alarm condition: when does a log message trigger its reactions? One such machine for every alarm condition.

An SCS does not react to a message while the alarm is still active: it only restarts the cancel timer. An alarm that was
activated by a switchover, and has a long cancel timeout, is then still active when the solution should be switched back,
and nothing moves. Here an alarm reacts once per *incident*. The incident ends when the new primary is no longer primary,
or when the failed application is up again; then the alarm is *rearmed*, cancelled or not.

The rules, by the names that the rows cite:

1. *Once per incident*: an active alarm does not react to another message of the same incident.
2. *Adopt what is*: after a restart, or after another attempt, an alarm reacts to the present condition.
3. *Cancelled*: the cancel event or the cancel timeout ends an alarm.
4. [S1] *alarm reactions*: with the policy `literal` an alarm behaves as in an SCS, so that a configuration can be
   compared and verified. An alarm that is still active after its incident is *latched* there.
"""

from ..tables.notation import rows
from ..tables.outputs import AlarmOutput
from ..tables.table import Table
from ..tables.triggers import AlarmTrigger

STATES = "clear active rearmed latched"

GROUPS = {
    "SET": "active rearmed latched",
}
"""Groups of states."""

MOVES = """
clear rearmed: it becomes active
    detected  -> active / react; start_cancel  [S2] manual 5-6  its detect event came: it becomes active and reacts
    restated  -> active / react; start_cancel  adopt what is    its condition holds already: active, and reacts

active: its message comes again
    detected            stays / start_cancel  once per incident     it has reacted already: its cancel timeout restarts
    restated [once]     stays / react         adopt what is         its condition still holds after another attempt: it reacts
    restated [literal]  stays                 [S1] alarm reactions  latched: no reaction while the alarm is active

active: the incident is over
    over [once]     -> rearmed  once per incident     the incident is over: rearmed for the next one
    over [literal]  -> latched  [S1] alarm reactions  the incident is over: active until it is cancelled

latched: its message comes again
    detected  stays / start_cancel  [S1] alarm reactions  latched: no reaction, its cancel timeout restarts
    restated  stays                 [S1] alarm reactions  latched: no reaction while the alarm is active

SET: it is cancelled
    cancelled  -> clear  cancelled  its cancel event came
    timed_out  -> clear  cancelled  its cancel timeout is over
"""

IGNORED = """
cancelled timed_out  in clear                  it is not active
over                 in clear rearmed latched  its incident is over already
"""

ALARM = Table(
    name="alarm condition",
    states=STATES,
    initial="clear",
    triggers=" ".join(AlarmTrigger),
    guards=("once literal",),
    outputs=" ".join(AlarmOutput),
    rows=rows(STATES, MOVES, IGNORED, groups=GROUPS),
)
