"""The topologies of the two documents: a pair of SIP servers with its VIP ([S2]), and the voicemail solution ([S1])."""

from switchover.fsm import Pair, Topology, documented_alarms, voicemail_topology

HOSTS = ("host1", "host2")
SIP_SERVER = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
TAKEOVER = Topology(HOSTS, (SIP_SERVER,), documented_alarms(SIP_SERVER.applications, HOSTS))
VOICEMAIL = voicemail_topology()
