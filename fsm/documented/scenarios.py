"""The scenarios of [S1], *SIP Voicemail HA Deployment Guide, Solution HA Failure Scenarios*, as data.

The roles: `{sip_old}` is the VM SIP Server on the side that is primary before, `{sip_new}` the other one; likewise
`vm` (VM Server), `rm` (Resource Manager) and `mcp` (Media Control Platform). Numbered steps are those of the guide's
lists "MLCMD Reaction"; steps from its bullet points have no number.

[S1] asks for the reverse direction "if any component on the backup host fails while running in primary mode". That is
the same scenario with the sides exchanged, so every scenario is run from both sides.
"""

from ..topology import Topology
from .workflows import Workflow, steps

_WHOLE = ("VM SIP Server redundant_{side}", "VM Server redundant_{side}", "VIP held_{side}")
_STAYS = ("VM SIP Server redundant_{old_side}", "VM Server redundant_{old_side}", "VIP held_{old_side}")
_ANNOUNCED = ("announce_vip {new_host}",)

_AFTER_SIP = """
-  the VM SIP Server of the other host generates a 4563 event
       log 00-4563 {sip_new}
-  alarm reactions are triggered to react to it
       alarm {sip_new} primary
1  the VM Server is switched to primary mode
       reaction of {sip_new} primary: to_primary {vm_new}
       demote {vm_old}
       promote {vm_new}
       log 00-4563 {vm_new}
2  the VIP is enabled on the other host
       reaction of {sip_new} primary: enable_vip {new_host}
       enable_vip {new_host}
       done enable_vip {new_host}
3  the VIP is disabled on the host that was primary
       reaction of {sip_new} primary: disable_vip {old_host}
       disable_vip {old_host}
       done disable_vip {old_host}
"""
_AFTER_VM = """
-  the VM Server of the other host generates a 4563 event
       log 00-4563 {vm_new}
-  alarm reactions are triggered to react to it
       alarm {vm_new} primary
1  the VM SIP Server is switched to primary mode
       reaction of {vm_new} primary: to_primary {sip_new}
       demote {sip_old}
       promote {sip_new}
2  the 4563 event from the VM SIP Server executes the VIP control scripts
       log 00-4563 {sip_new}
       alarm {sip_new} primary
       reaction of {sip_new} primary: enable_vip {new_host}
       reaction of {sip_new} primary: disable_vip {old_host}
       enable_vip {new_host}
       disable_vip {old_host}
       done enable_vip {new_host}
       done disable_vip {old_host}
"""


def _monitored_fails(name: str, title: str, part: str) -> Workflow:
    """A component of a monitored pair fails; `FAILED` stands for it."""
    failed = f"{{{part}_old}}"
    text = """
        -  it fails
               reported FAILED down
        -  it generates 5091 and 5064 events
               log 00-5091 FAILED
               log 00-5064 FAILED
        -  alarm reactions are triggered, and switch only the VM SIP Server
               alarm FAILED found terminated
               alarm FAILED terminated
               reaction of FAILED found terminated: to_primary {sip_new}
               reaction of FAILED terminated: to_primary {sip_new}
        1  the VM SIP Server is switched to primary mode
               demote {sip_old}
               promote {sip_new}
        2  the 4563 event from the VM SIP Server triggers the VIP scripts and switches the VM Server
               log 00-4563 {sip_new}
               alarm {sip_new} primary
               reaction of {sip_new} primary: to_primary {vm_new}
               reaction of {sip_new} primary: enable_vip {new_host}
               reaction of {sip_new} primary: disable_vip {old_host}
               demote {vm_old}
               enable_vip {new_host}
               disable_vip {old_host}
               done enable_vip {new_host}
               done disable_vip {old_host}
               promote {vm_new}
               log 00-4563 {vm_new}
    """
    return Workflow(
        name,
        title,
        acts=(f"fail {failed}",),
        ends=(*_WHOLE, f"{failed} down"),
        beyond=_ANNOUNCED,
        steps=steps(text.replace("FAILED", failed)),
    )


def _backup_fails(name: str, title: str, part: str, pair: str) -> Workflow:
    """A redundant application fails in backup mode, or a monitored one beside it (then `pair` is empty).

    `FAILED` stands for the application, `PAIR` for its pair.
    """
    failed = f"{{{part}_new}}"
    of_pair = """
        -  it fails
               reported FAILED down
        -  the primary components keep running, with no redundancy in the solution
               PAIR redundant_{old_side} -> no_redundancy_{old_side}
        -  it is brought back up
               reported FAILED backup
        -  HA is restored
               PAIR no_redundancy_{old_side} -> redundant_{old_side}
    """
    monitored = """
        -  it fails
               reported FAILED down
               log 00-5091 FAILED
               log 00-5064 FAILED
               alarm FAILED found terminated
               alarm FAILED terminated
               reaction of FAILED found terminated: to_primary {sip_old}
               reaction of FAILED terminated: to_primary {sip_old}
        -  the primary components keep running, with no redundancy in the solution
               FAILED up -> down
        -  it is brought back up
               reported FAILED up
        -  HA is restored
               FAILED down -> up
    """
    return Workflow(
        name,
        title,
        acts=(f"fail {failed}", f"start {failed}"),
        ends=(*_STAYS, f"{failed} up"),
        scripts=(),
        steps=steps((of_pair if pair else monitored).replace("FAILED", failed).replace("PAIR", pair)),
    )


_SCENARIOS = (
    Workflow(
        "vm-sip-server",
        "VM SIP Server fails",
        acts=("fail {sip_old}",),
        beyond=_ANNOUNCED,
        ends=("VM SIP Server no_redundancy_{side}", "VM Server redundant_{side}", "VIP held_{side}"),
        steps=steps(
            """
                -  the VM SIP Server fails, and its backup takes over
                       reported {sip_old} down
                       promote {sip_new}
            """
            + _AFTER_SIP
        ),
    ),
    Workflow(
        "vm-server",
        "VM Server fails",
        acts=("fail {vm_old}",),
        beyond=_ANNOUNCED,
        ends=("VM SIP Server redundant_{side}", "VM Server no_redundancy_{side}", "VIP held_{side}"),
        steps=steps(
            """
                -  the VM Server fails, and its backup takes over
                       reported {vm_old} down
                       promote {vm_new}
            """
            + _AFTER_VM
        ),
    ),
    _monitored_fails("rm", "Resource Manager fails", "rm"),
    _monitored_fails("mcp", "Media Control Platform fails", "mcp"),
    Workflow(
        "host",
        "Entire primary host fails",
        acts=("lose {old_host}",),
        scripts=("enable_vip {new_host}",),
        ends=("VM SIP Server peer_lost_{side}", "VM Server peer_lost_{side}", "VIP owed_{side}"),
        steps=steps("""
            -  the host is lost
                   lost {old_host}
            -  RM and MCP on it count as failed: 5091 and 5064
                   log 00-5091 {rm_old}
                   log 00-5064 {rm_old}
                   log 00-5091 {mcp_old}
                   log 00-5064 {mcp_old}
            -  VM SIP Server and VM Server switch to primary mode by themselves
                   promote {sip_new}
                   promote {vm_new}
            -  any one of the events performs the switchover
                   log 00-4563 {sip_new}
                   log 00-4563 {vm_new}
            1  the VIP is enabled on the other host
                   reaction of {sip_new} primary: enable_vip {new_host}
                   enable_vip {new_host}
                   done enable_vip {new_host}
            2  the VIP is disabled on the lost host, as soon as that can be done
                   reaction of {sip_new} primary: disable_vip {old_host}
        """),
    ),
    _backup_fails("backup-vm-sip-server", "VM SIP Server fails in backup mode", "sip", "VM SIP Server"),
    _backup_fails("backup-vm-server", "VM Server fails in backup mode", "vm", "VM Server"),
    _backup_fails("backup-rm", "Resource Manager fails on the backup host", "rm", ""),
    _backup_fails("backup-mcp", "Media Control Platform fails on the backup host", "mcp", ""),
    Workflow(
        "manual-vm-server",
        "Manual switchover by the VM Server",
        acts=("switch {vm_new}",),
        ends=_WHOLE,
        beyond=_ANNOUNCED,
        steps=steps(
            """
                -  an administrator switches the VM Server to primary mode
                       requested {vm_new}
                       demote {vm_old}
                       promote {vm_new}
            """
            + _AFTER_VM
        ),
    ),
    Workflow(
        "manual-vm-sip-server",
        "Manual switchover by the VM SIP Server",
        acts=("switch {sip_new}",),
        ends=_WHOLE,
        beyond=_ANNOUNCED,
        steps=steps(
            """
                -  an administrator switches the VM SIP Server to primary mode
                       requested {sip_new}
                       demote {sip_old}
                       promote {sip_new}
            """
            + _AFTER_SIP
        ),
    ),
    Workflow(
        "premise",
        "Premise SIP Server fails",
        acts=("message 00-5091 {premise}",),
        ends=_STAYS,
        scripts=(),
        steps=steps("""
            -  the premise SIP Server fails: no alarm reaction is triggered
                   received 00-5091 {premise}
        """),
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in _SCENARIOS}


def parts(topology: Topology, old: int) -> dict[str, str]:
    """The names of a scenario before which side `old` (1 or 2) is primary: applications and hosts, by role."""
    pairs = dict(zip(("sip", "vm", "rm", "mcp"), topology.components, strict=True))
    new = 3 - old
    names = {
        "side": str(new),
        "old_side": str(old),
        "new_host": topology.hosts[new - 1],
        "old_host": topology.hosts[old - 1],
        "premise": topology.outside[0],
    }
    for part, pair in pairs.items():
        names[f"{part}_new"], names[f"{part}_old"] = pair.applications[new - 1], pair.applications[old - 1]
    return names
