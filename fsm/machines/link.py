"""The host link: does the SCS side hear this host's LCA?

One such machine a host; the two are coupled, because silence has two explanations. If one host falls silent while the
other is heard, the host (or its network) is gone, and [S2] has its applications taken over. If both fall silent at
once, it is more likely our own network that failed, and whoever is primary had better stay so. Hence:

1. A link is *silent* after half the detection time. That alone moves nothing.
2. A host that is not heard for the whole detection time is *lost*, if the other one is heard.
3. If the other one is silent too, it is in *doubt*: it is lost as soon as the other is heard again, and if the other
   is given up as well, the agent is *blind* and leaves everything as it is.

Weakness, admitted: a network that parts the agent and one host from the other host and all the clients is seen as the
loss of that other host. Nothing that the agent alone can see tells the two apart.
"""

from ..table import Ignored, Impossible, Row, Table

# fmt: off
ROWS = (
    #   source                      trigger        guard                destination  outputs                     cite                             reason
    Row("unknown",                  "connected",   "",                  "connected", "tell_reached; tell_heard", "rule: adopt before commanding", "first contact: the host's real state is adopted"),
    Row("doubtful lost",            "connected",   "",                  "connected", "tell_reached; tell_heard", "[S2] reconnection, step 1",     "the connection to the host has been restored"),
    Row("connected",                "connected",   "",                  "connected", "tell_reached",             "rule: adopt before commanding", "the host began a new session: what it reports now counts"),
    Row("silent",                   "connected",   "",                  "connected", "tell_reached; tell_heard", "rule: adopt before commanding", "the host began a new session: what it reports now counts"),
    Row("connected",                "fell_silent", "",                  "silent",    "",                         "rule: silence is checked",      "nothing heard for half the detection time"),
    Row("silent",                   "heard",       "",                  "connected", "tell_heard",               "rule: silence is checked",      "heard again in time"),
    Row("connected silent unknown", "lost left",   "peer_in_sight",     "lost",      "tell_lost",                "[S2] disconnected, step 1",     "the connection to the host has been lost, and the other host is heard"),
    Row("connected silent unknown", "lost",        "peer_silent",       "doubtful",  "",                         "rule: both silent",             "the other host is silent too: it may be our own network"),
    Row("connected silent unknown", "left",        "peer_silent",       "lost",      "tell_lost",                "[S2] disconnected, step 1",     "the host said goodbye: that leaves no doubt"),
    Row("connected silent unknown", "lost left",   "peer_out_of_sight", "lost",      "tell_blind",               "rule: both silent",             "no host is heard any more: leave everything as it is"),
    Row("doubtful",                 "peer_heard",  "",                  "lost",      "tell_lost",                "[S2] disconnected, step 1",     "the other host is heard again, so this one is lost"),
    Row("doubtful",                 "peer_gone",   "",                  "lost",      "",                         "rule: both silent",             "no host is heard any more: leave everything as it is"),
    Ignored("unknown connected silent lost", "peer_heard peer_gone", "only a host in doubt waits for what becomes of the other"),
    Ignored("connected",                     "heard",                  "it was not silent"),
    Ignored("silent",                        "fell_silent",            "it is silent already"),
    Impossible("unknown doubtful lost",      "fell_silent heard",      "there is no connection that could fall silent"),
    Impossible("doubtful lost",              "lost left",              "the connection has been given up already"),
)
# fmt: on

LINK = Table(
    name="host link",
    states="unknown connected silent doubtful lost",
    initial="unknown",
    triggers="connected fell_silent heard lost left peer_heard peer_gone",
    guards=("peer_in_sight peer_silent peer_out_of_sight",),
    outputs="tell_reached tell_heard tell_lost tell_blind",
    rows=ROWS,
)
