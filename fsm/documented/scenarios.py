"""The scenarios of [S1], *SIP Voicemail HA Deployment Guide, Solution HA Failure Scenarios*, as data.

The parts: `{sip_old}` is the VM SIP Server on the side that is primary before, `{sip_new}` the other one; likewise
`vm` (VM Server), `rm` (Resource Manager) and `mcp` (Media Control Platform). Numbered steps are those of the guide's
lists "MLCMD Reaction"; what it tells in plain points has the number 0.

[S1] asks that "if any component on the backup host fails while running in primary mode", all goes in the reverse
direction: that is the same scenario with the sides exchanged, so every scenario is run from both sides.
"""

from ..topology import Topology
from .workflows import Workflow, WorkflowStep

# fmt: off
_FROM_SIP = "reaction of {sip_new} primary: "
_FROM_VM = "reaction of {vm_new} primary: "
_WHOLE = ("VM SIP Server redundant_{side}", "VM Server redundant_{side}", "VIP held_{side}")
_STAYS = ("VM SIP Server redundant_{old_side}", "VM Server redundant_{old_side}", "VIP held_{old_side}")
_ANNOUNCED = ("announce_vip {new_host}",)

_VIP_SCRIPTS = (
    WorkflowStep(2, "the 4563 event from the VM SIP Server executes the VIP control scripts", ("log 00-4563 {sip_new}", "alarm {sip_new} primary", _FROM_SIP + "enable_vip {new_host}", _FROM_SIP + "disable_vip {old_host}", "enable_vip {new_host}", "disable_vip {old_host}", "done enable_vip {new_host}", "done disable_vip {old_host}")),
)
_VIP_SCRIPTS_AND_VM_SERVER = (
    WorkflowStep(2, "the 4563 event from the VM SIP Server triggers the VIP scripts and switches the VM Server", ("log 00-4563 {sip_new}", "alarm {sip_new} primary", _FROM_SIP + "to_primary {vm_new}", _FROM_SIP + "enable_vip {new_host}", _FROM_SIP + "disable_vip {old_host}", "demote {vm_old}", "enable_vip {new_host}", "disable_vip {old_host}", "done enable_vip {new_host}", "done disable_vip {old_host}", "promote {vm_new}", "log 00-4563 {vm_new}")),
)
_AFTER_SIP = (
    WorkflowStep(0, "the VM SIP Server of the other host generates a 4563 event",  ("log 00-4563 {sip_new}",)),
    WorkflowStep(0, "alarm reactions are triggered to react to it",                ("alarm {sip_new} primary",)),
    WorkflowStep(1, "the VM Server is switched to primary mode",                   (_FROM_SIP + "to_primary {vm_new}", "demote {vm_old}", "promote {vm_new}", "log 00-4563 {vm_new}")),
    WorkflowStep(2, "the VIP is enabled on the other host",                        (_FROM_SIP + "enable_vip {new_host}", "enable_vip {new_host}", "done enable_vip {new_host}")),
    WorkflowStep(3, "the VIP is disabled on the host that was primary",            (_FROM_SIP + "disable_vip {old_host}", "disable_vip {old_host}", "done disable_vip {old_host}")),
)
_AFTER_VM = (
    WorkflowStep(0, "the VM Server of the other host generates a 4563 event",      ("log 00-4563 {vm_new}",)),
    WorkflowStep(0, "alarm reactions are triggered to react to it",                ("alarm {vm_new} primary",)),
    WorkflowStep(1, "the VM SIP Server is switched to primary mode",               (_FROM_VM + "to_primary {sip_new}", "demote {sip_old}", "promote {sip_new}")),
    *_VIP_SCRIPTS,
)


def _monitored_fails(name: str, title: str, part: str) -> Workflow:
    failed = f"{{{part}_old}}"
    return Workflow(
        name, title, acts=(f"fail {failed}",), ends=(*_WHOLE, f"{failed} down"), beyond=_ANNOUNCED, steps=(
            WorkflowStep(0, "it fails",                                            (f"reported {failed} down",)),
            WorkflowStep(0, "it generates 5091 and 5064 events",                   (f"log 00-5091 {failed}", f"log 00-5064 {failed}")),
            WorkflowStep(0, "alarm reactions are triggered, and switch only the VM SIP Server", (f"alarm {failed} found terminated", f"alarm {failed} terminated", f"reaction of {failed} found terminated: to_primary {{sip_new}}", f"reaction of {failed} terminated: to_primary {{sip_new}}")),
            WorkflowStep(1, "the VM SIP Server is switched to primary mode",       ("demote {sip_old}", "promote {sip_new}")),
            *_VIP_SCRIPTS_AND_VM_SERVER,
        ),
    )


def _backup_fails(name: str, title: str, part: str, pair: str) -> Workflow:
    """Redundant or monitored; what fails runs in backup mode, or beside what does, on the side that is not primary."""
    failed = f"{{{part}_new}}"
    alarms = () if pair else (f"log 00-5091 {failed}", f"log 00-5064 {failed}", f"alarm {failed} found terminated", f"alarm {failed} terminated")
    lost = f"{pair} redundant_{{old_side}} -> no_redundancy_{{old_side}}" if pair else f"{failed} up -> down"
    back = f"{pair} no_redundancy_{{old_side}} -> redundant_{{old_side}}" if pair else f"{failed} down -> up"
    reactions = () if pair else (f"reaction of {failed} found terminated: to_primary {{sip_old}}", f"reaction of {failed} terminated: to_primary {{sip_old}}")
    return Workflow(
        name, title, acts=(f"fail {failed}", f"start {failed}"), ends=(*_STAYS, f"{failed} up"), scripts=(), steps=(
            WorkflowStep(0, "it fails",                                            (f"reported {failed} down", *alarms, *reactions)),
            WorkflowStep(0, "the primary components keep running, with no redundancy in the solution", (lost,)),
            WorkflowStep(0, "it is brought back up",                               (f"reported {failed} {'backup' if pair else 'up'}",)),
            WorkflowStep(0, "HA is restored",                                      (back,)),
        ),
    )


SCENARIOS = {scenario.name: scenario for scenario in (
    Workflow("vm-sip-server", "VM SIP Server fails", acts=("fail {sip_old}",), beyond=_ANNOUNCED,
        ends=("VM SIP Server no_redundancy_{side}", "VM Server redundant_{side}", "VIP held_{side}"), steps=(
            WorkflowStep(0, "the VM SIP Server fails, and its backup takes over", ("reported {sip_old} down", "promote {sip_new}")),
            *_AFTER_SIP,
        ),
    ),
    Workflow("vm-server", "VM Server fails", acts=("fail {vm_old}",), beyond=_ANNOUNCED,
        ends=("VM SIP Server redundant_{side}", "VM Server no_redundancy_{side}", "VIP held_{side}"), steps=(
            WorkflowStep(0, "the VM Server fails, and its backup takes over", ("reported {vm_old} down", "promote {vm_new}")),
            *_AFTER_VM,
        ),
    ),
    _monitored_fails("rm", "Resource Manager fails", "rm"),
    _monitored_fails("mcp", "Media Control Platform fails", "mcp"),
    Workflow("host", "Entire primary host fails", acts=("lose {old_host}",), scripts=("enable_vip {new_host}",),
        ends=("VM SIP Server peer_lost_{side}", "VM Server peer_lost_{side}", "VIP owed_{side}"), steps=(
            WorkflowStep(0, "the host is lost", ("lost {old_host}",)),
            WorkflowStep(0, "RM and MCP on it count as failed: 5091 and 5064", ("log 00-5091 {rm_old}", "log 00-5064 {rm_old}", "log 00-5091 {mcp_old}", "log 00-5064 {mcp_old}")),
            WorkflowStep(0, "VM SIP Server and VM Server switch to primary mode by themselves", ("promote {sip_new}", "promote {vm_new}")),
            WorkflowStep(0, "any one of the events performs the switchover", ("log 00-4563 {sip_new}", "log 00-4563 {vm_new}")),
            WorkflowStep(1, "the VIP is enabled on the other host", (_FROM_SIP + "enable_vip {new_host}", "enable_vip {new_host}", "done enable_vip {new_host}")),
            WorkflowStep(2, "the VIP is disabled on the lost host, as soon as that can be done", (_FROM_SIP + "disable_vip {old_host}",)),
        ),
    ),
    _backup_fails("backup-vm-sip-server", "VM SIP Server fails in backup mode", "sip", "VM SIP Server"),
    _backup_fails("backup-vm-server", "VM Server fails in backup mode", "vm", "VM Server"),
    _backup_fails("backup-rm", "Resource Manager fails on the backup host", "rm", ""),
    _backup_fails("backup-mcp", "Media Control Platform fails on the backup host", "mcp", ""),
    Workflow("manual-vm-server", "Manual switchover by the VM Server", acts=("switch {vm_new}",), ends=_WHOLE, beyond=_ANNOUNCED, steps=(
            WorkflowStep(0, "an administrator switches the VM Server to primary mode", ("requested {vm_new}", "demote {vm_old}", "promote {vm_new}")),
            *_AFTER_VM,
        ),
    ),
    Workflow("manual-vm-sip-server", "Manual switchover by the VM SIP Server", acts=("switch {sip_new}",), ends=_WHOLE, beyond=_ANNOUNCED, steps=(
            WorkflowStep(0, "an administrator switches the VM SIP Server to primary mode", ("requested {sip_new}", "demote {sip_old}", "promote {sip_new}")),
            *_AFTER_SIP,
        ),
    ),
    Workflow("premise", "Premise SIP Server fails", acts=("message 00-5091 {premise}",), ends=_STAYS, scripts=(), steps=(
            WorkflowStep(0, "the premise SIP Server fails: no alarm reaction is triggered", ("received 00-5091 {premise}",)),
        ),
    ),
)}
# fmt: on


def parts(topology: Topology, old: int) -> dict[str, str]:
    """Who plays which part in a voicemail solution whose side `old` (1 or 2) is primary before."""
    pairs = dict(zip(("sip", "vm", "rm", "mcp"), topology.components, strict=True))
    new = 3 - old
    found = {
        "side": str(new),
        "old_side": str(old),
        "new_host": topology.hosts[new - 1],
        "old_host": topology.hosts[old - 1],
        "premise": topology.outside[0],
    }
    for part, pair in pairs.items():
        found[f"{part}_new"], found[f"{part}_old"] = pair.applications[new - 1], pair.applications[old - 1]
    return found
