"""The single application: does it run? One such machine for every application, of redundant and of monitored pairs.

This machine does not decide what follows from a failure. It reports the failure, under the event ids of [S1]. Alarm
conditions wait for these events, and their reactions switch the solution over. A premise SIP Server has such a machine
too: only log messages report its failure, and no alarm condition waits for it.

The rules, by the names that the rows cite:

1. *Adopt what is*: the first report about an application is adopted.
2. *A host is lost*: all its applications have failed ([S1] entire primary host fails). *A host returns*: its report
   counts. *Both silent*: while no host is heard, nothing is known about any application.
3. *Message from outside*: a message activates alarms, unless it contradicts the report of a host in sight.
4. *Operator's command*: an application is started if it is down, and stopped if it is up.
"""

from ..tables.notation import rows
from ..tables.outputs import ApplicationOutput
from ..tables.table import Table
from ..tables.triggers import ApplicationTrigger

STATES = "unknown up down lost"

GROUPS = {
    "KNOWN": "up down lost",
}
"""Groups of states."""

MOVES = """
unknown: its host reports, or is lost
    up    -> up                     adopt what is  it runs
    down  -> down / restate_failed  adopt what is  it does not run: its alarms are activated
    lost  -> lost                   adopt what is  its host is lost

up: it fails, or is to be stopped
    down            -> down / log_failed  [S1] primary host failure       it failed
    lost            -> lost / log_failed  [S1] entire primary host fails  its host is lost, and the application with it
    stop_requested  stays / stop          operator's command              an operator asked for it: it is stopped

down: it comes up, or is to be started
    up               -> up / log_started  [S1] backup host failure  it is up again
    lost             -> lost              a host is lost            it had failed before its host was lost
    start_requested  stays / start        operator's command        an operator asked for it: it is started

lost: its host returns
    up    -> up / log_started  a host returns  its host returned, and it runs
    down  -> down              a host returns  its host returned, and it does not run

KNOWN: no host is heard
    blinded  -> unknown  both silent  no host is heard any more

unknown down lost: a message says that it failed
    logged_failed  stays / repeat  message from outside  the message contradicts no report: its alarms are activated

unknown KNOWN: any other message about it
    logged_other  stays / repeat  message from outside  its alarms are activated
"""

IGNORED = """
logged_failed                   in up            the message contradicts the host's report, which counts
start_requested                 in up            it runs already
stop_requested                  in down          it does not run
start_requested stop_requested  in unknown lost  its host is not heard
"""

IMPOSSIBLE = """
up       in up       only a change is reported
down     in down     only a change is reported
lost     in lost     only a change is reported
blinded  in unknown  only a change is reported
"""

APPLICATION = Table(
    name="application",
    states=STATES,
    initial="unknown",
    triggers=" ".join(ApplicationTrigger),
    outputs=" ".join(ApplicationOutput),
    rows=rows(STATES, MOVES, IGNORED, IMPOSSIBLE, GROUPS),
)
