"""The host link: does the SCS side hear this host's LCA?

There is one such machine for each host. The two are coupled, because silence has two explanations. If one host is silent
while the other is heard, the host or its network has failed, and its applications are taken over ([S2]). If both fall
silent at once, the agent's own network has more likely failed, and the primary should stay where it is.

The rules, by the names that the rows cite:

1. *Silence is checked*: a link is *silent* after half the detection time. That alone moves nothing.
2. A host that is not heard for the whole detection time is *lost*, if the other one is heard.
3. *Both silent*: if the other host is silent too, this one is in *doubt*. It is lost as soon as the other is heard
   again. If the other is given up as well, the agent is *blind* and leaves everything as it is.
4. *Adopt before commanding*: when a host connects, its report is adopted before it gets any command.

Known weakness: a network failure that separates the agent and one host from the other host and all clients looks like the
loss of that other host. The agent alone cannot tell the two apart.
"""

from ..tables.notation import rows
from ..tables.outputs import LinkOutput
from ..tables.table import Table
from ..tables.triggers import LinkTrigger

STATES = "unknown connected silent doubtful lost"

IN_SIGHT = ("connected", "silent")
"""The states in which the host's reports and results count."""

UNREACHABLE = ("unknown", "lost")
"""The states in which the host is given no command, because no result could come."""

GROUPS = {
    "NOT_GIVEN_UP": "connected silent unknown",
    "GIVEN_UP": "doubtful lost",
}
"""Groups of states."""

MOVES = """
unknown: the host connects
    connected  -> connected / tell_reached; tell_heard  adopt before commanding  first contact: the host's real state is adopted

GIVEN_UP: it connects again
    connected  -> connected / tell_reached; tell_heard  [S2] reconnection 1  the connection to the host has been restored

connected: it falls silent
    connected    -> connected / tell_reached  adopt before commanding  a new session: the host's new report counts
    fell_silent  -> silent                    silence is checked       nothing heard for half the detection time

silent: it is heard again
    connected  -> connected / tell_reached; tell_heard  adopt before commanding  a new session: the host's new report counts
    heard      -> connected / tell_heard                silence is checked       heard again in time

NOT_GIVEN_UP: the detection time is over, or the host says goodbye
    lost left [peer_in_sight]      -> lost / tell_lost   [S2] disconnected 1  the host is lost, the other host is heard
    lost [peer_silent]             -> doubtful           both silent          the other host is silent too: perhaps our network
    left [peer_silent]             -> lost / tell_lost   [S2] disconnected 1  the host said goodbye: there is no doubt
    lost left [peer_out_of_sight]  -> lost / tell_blind  both silent          no host is heard: everything stays as it is

doubtful: the other host is heard again, or is given up too
    peer_heard  -> lost / tell_lost  [S2] disconnected 1  the other host is heard again: this one is lost
    peer_gone   -> lost              both silent          no host is heard: everything stays as it is
"""

IGNORED = """
peer_heard peer_gone  in unknown connected silent lost  only a host in doubt depends on the other
heard                 in connected                      it was not silent
fell_silent           in silent                         it is silent already
"""

IMPOSSIBLE = """
fell_silent heard  in unknown GIVEN_UP  there is no connection that could fall silent
lost left          in GIVEN_UP          the connection has been given up already
"""

LINK = Table(
    name="host link",
    states=STATES,
    initial="unknown",
    triggers=" ".join(LinkTrigger),
    guards=("peer_in_sight peer_silent peer_out_of_sight",),
    outputs=" ".join(LinkOutput),
    rows=rows(STATES, MOVES, IGNORED, IMPOSSIBLE, GROUPS),
)
