"""The single application: does it run? One such machine for every application, of redundant and of monitored pairs.

What a failure sets off is not decided here. The machine says that the application failed, under the event ids of [S1];
alarm conditions wait for that, and their reactions switch the solution. A premise SIP Server has such a machine too:
its failure is told by messages alone, and no alarm condition waits for it.

1. A host's report counts. A message that says otherwise is ignored, wherever the application's host is in sight.
2. That a host is lost is the failure of all of its applications ([S1] entire primary host fails).
"""

from ..table import Ignored, Impossible, Row, Table

# fmt: off
ROWS = (
    #   source                  trigger            guard  destination  outputs           cite                              reason
    Row("unknown",              "up",              "",    "up",        "",               "rule: adopt what is",            "it runs"),
    Row("unknown",              "down",            "",    "down",      "restate_failed", "rule: adopt what is",            "it does not run: its alarms are activated"),
    Row("unknown",              "lost",            "",    "lost",      "",               "rule: adopt what is",            "its host is not there"),
    Row("up",                   "down",            "",    "down",      "log_failed",     "[S1] primary host failure",      "it failed"),
    Row("up",                   "lost",            "",    "lost",      "log_failed",     "[S1] entire primary host fails", "its host is lost, and it with its host"),
    Row("down",                 "up",              "",    "up",        "log_started",    "[S1] backup host failure",       "it is up again"),
    Row("down",                 "lost",            "",    "lost",      "",               "rule: a host is lost",           "it had failed before its host was lost"),
    Row("lost",                 "up",              "",    "up",        "log_started",    "rule: a host returns",           "its host returned, and it runs"),
    Row("lost",                 "down",            "",    "down",      "",               "rule: a host returns",           "its host returned, and it does not run"),
    Row("up down lost",         "blinded",         "",    "unknown",   "",               "rule: both silent",              "no host is heard any more"),
    Row("unknown down lost",    "logged_failed",   "",    "=",         "repeat",         "rule: a message from outside",   "the message contradicts nothing that is known: its alarms are activated"),
    Row("unknown up down lost", "logged_other",    "",    "=",         "repeat",         "rule: a message from outside",   "its alarms are activated"),
    Row("down",                 "start_requested", "",    "=",         "start",          "rule: an operator's command",    "an operator asked for it: it is started"),
    Row("up",                   "stop_requested",  "",    "=",         "stop",           "rule: an operator's command",    "an operator asked for it: it is stopped"),

    Impossible("up",         "up",                             "it is told what is new to it"),
    Impossible("down",       "down",                           "it is told what is new to it"),
    Impossible("lost",       "lost",                           "it is told what is new to it"),
    Impossible("unknown",    "blinded",                        "it is told what is new to it"),
    Ignored("up",            "logged_failed",                  "the message contradicts the host's report, which counts"),
    Ignored("up",            "start_requested",                "it runs already"),
    Ignored("down",          "stop_requested",                 "it does not run"),
    Ignored("unknown lost",  "start_requested stop_requested", "its host is not heard"),
)
# fmt: on

APPLICATION = Table(
    name="application",
    states="unknown up down lost",
    initial="unknown",
    triggers="up down lost blinded logged_failed logged_other start_requested stop_requested",
    outputs="log_failed log_started restate_failed repeat start stop",
    rows=ROWS,
)
