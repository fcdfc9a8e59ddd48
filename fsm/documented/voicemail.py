"""The voicemail solution of [S1], *SIP Voicemail HA Deployment Guide, Solution HA Failure Scenarios*, as data.

Two redundant pairs (VM SIP Server, VM Server), two monitored pairs (Resource Manager, Media Control Platform), one VIP,
and the premise SIP Server, which is on neither host and whose failure triggers nothing.

In the documented wiring only one message triggers the VIP scripts: that a VM SIP Server became primary. So they run
once per switchover, they do not run when a component fails in backup mode, and the SIP port is bound to the VIP at
once. The two other wirings, of which [S1] warns, are here as well: tests, lab and verification show what they do.
"""

from ..alarms import (
    CHANGED_TO_BACKUP,
    FOUND_TERMINATED,
    HOT_STANDBY_PRIMARY,
    TERMINATED,
    Alarm,
    Reaction,
    ReactionPolicy,
    disable_here,
    enable_here,
    to_primary,
)
from ..topology import Pair, Topology, VipOrder

HOSTS = ("host1", "host2")
VM_SIP_SERVER = Pair("VM SIP Server", ("VM_SIP_Server_1", "VM_SIP_Server_2"))
VM_SERVER = Pair("VM Server", ("VM_Server_1", "VM_Server_2"))
RESOURCE_MANAGER = Pair("Resource Manager", ("RM_1", "RM_2"))
MEDIA_CONTROL_PLATFORM = Pair("Media Control Platform", ("MCP_1", "MCP_2"))
PREMISE_SIP_SERVER = "Premise_SIP_Server"

WIRINGS = ("documented", "vip-on-monitored", "vip-on-vm-server")
"""The wiring of [S1], and the two that its key notes warn of: VIP scripts linked to RM and MCP, or to the VM Server."""


def voicemail_alarms(
    sip: tuple[str, str],
    server: tuple[str, str],
    monitored: tuple[tuple[str, str], ...],
    hosts: tuple[str, str],
    wiring: str = "documented",
) -> tuple[Alarm, ...]:
    """The alarm conditions of one of the `WIRINGS`; of each pair the first application runs on the first host.

    One condition is added from [S2], for a VM SIP Server that becomes backup. Without it nothing would take the VIP
    from a host that returns with it: the IP conflict that [S1] warns of where the entire primary host fails.
    """
    alarms: list[Alarm] = []
    for this, other in ((0, 1), (1, 0)):
        move_here = (enable_here(hosts[this]), disable_here(hosts[other]))
        move_away = (enable_here(hosts[other]), disable_here(hosts[this]))
        of_sip: tuple[Reaction, ...] = (to_primary(server[this]),)
        of_server: tuple[Reaction, ...] = (to_primary(sip[this]),)
        if wiring == "vip-on-vm-server":
            of_server = (*of_server, *move_here)
        else:
            of_sip = (*of_sip, *move_here)
        follows_vip = server[this] if wiring == "vip-on-vm-server" else sip[this]
        alarms.append(Alarm(f"{sip[this]} primary", HOT_STANDBY_PRIMARY, sip[this], of_sip))
        alarms.append(Alarm(f"{server[this]} primary", HOT_STANDBY_PRIMARY, server[this], of_server))
        alarms.append(Alarm(f"{follows_vip} backup", CHANGED_TO_BACKUP, follows_vip, (disable_here(hosts[this]),)))
        for pair in monitored:
            failed = (to_primary(sip[other]), *(move_away if wiring == "vip-on-monitored" else ()))
            alarms.append(Alarm(f"{pair[this]} found terminated", FOUND_TERMINATED, pair[this], failed))
            alarms.append(Alarm(f"{pair[this]} terminated", TERMINATED, pair[this], failed))
    return tuple(alarms)


def voicemail_topology(
    wiring: str = "documented",
    reactions: ReactionPolicy = ReactionPolicy.ONCE,
    vip_order: VipOrder = VipOrder.ENABLE_FIRST,
) -> Topology:
    """The solution of [S1], whose steps enable the VIP on one host before they disable it on the other."""
    monitored = (RESOURCE_MANAGER, MEDIA_CONTROL_PLATFORM)
    alarms = voicemail_alarms(
        VM_SIP_SERVER.applications,
        VM_SERVER.applications,
        tuple(pair.applications for pair in monitored),
        HOSTS,
        wiring,
    )
    return Topology(
        hosts=HOSTS,
        pairs=(VM_SIP_SERVER, VM_SERVER),
        alarms=alarms,
        vip_order=vip_order,
        monitored=monitored,
        outside=(PREMISE_SIP_SERVER,),
        reactions=reactions,
    )
