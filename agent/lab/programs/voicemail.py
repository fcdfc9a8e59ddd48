"""The voicemail solution of [S1] on the lab's two hosts, without the agent that controls it.

There are four components on each host, and one premise SIP Server elsewhere:

    VM_SIP_Server_1   Kamailio on the VIP, primary or backup; relays every call to the MCP of its host
    VM_Server_1       primary or backup
    RM_1              Resource Manager, up or down
    MCP_1             Media Control Platform, up or down; answers the calls, on the host's own addresses
    Premise           the premise SIP Server, in the station `premise`

What VM Server and Resource Manager do for a call does not matter for a switchover, so here they only run.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from ..network.calls import why_no_calls
from ..network.segment import ADDRESSES, HOSTS, Network
from .application import Application, Controls
from .component import program
from .sip_server import KAMAILIO, RESPONDER, kamailio, responder


@frozen
class VoicemailHost:
    """The four components of one host."""

    sip_server: Application
    vm_server: Application
    resource_manager: Application
    media: Application

    @property
    def applications(self) -> tuple[Application, ...]:
        """All of them, in the order in which they are started."""
        return (self.media, self.resource_manager, self.vm_server, self.sip_server)


def why_no_voicemail() -> str | None:
    """The reason why this machine cannot run the voicemail lab, in one line; None if it can."""
    if not (shutil.which("kamailio") and shutil.which("kamcmd")):
        return "the voicemail lab needs Kamailio (Debian package kamailio)"
    return why_no_calls()


def voicemail_host(network: Network, side: int, directory: Path) -> VoicemailHost:
    """The components of the host on a side, 1 or 2; each keeps its files in its own directory below `directory`."""
    host = HOSTS[side - 1]
    v4, v6 = ADDRESSES[host]

    def application(name: str, controls: Controls, kind: str) -> Application:
        return Application(network, host, name, directory / name, controls, kind)

    sip_server, vm_server, rm, mcp = (f"{name}_{side}" for name in ("VM_SIP_Server", "VM_Server", "RM", "MCP"))
    media = {"MEDIA": f"sip:{v4}:5060", "MEDIA6": f"sip:[{v6}]:5060"}
    return VoicemailHost(
        sip_server=application(
            sip_server, kamailio(sip_server, directory / sip_server, "voicemail.cfg", media), KAMAILIO
        ),
        vm_server=application(vm_server, _with_modes(vm_server, directory / vm_server), "component"),
        resource_manager=application(rm, _without_modes("component", "run", rm, directory / rm), "component"),
        media=application(mcp, _without_modes("media", "serve", mcp, directory / mcp, (v4, v6)), "media endpoint"),
    )


def premise_sip_server(network: Network, directory: Path) -> Application:
    """The premise SIP Server, which answers OPTIONS on its station's addresses."""
    controls = responder("Premise", directory / "Premise", ADDRESSES["premise"])
    return Application(network, "premise", "Premise", directory / "Premise", controls, RESPONDER)


def _with_modes(name: str, directory: Path) -> Controls:
    mode = program("component", "mode", str(directory))
    return Controls(
        serve=program("component", "serve", name, str(directory)),
        to_primary=(*mode, "primary"),
        to_backup=(*mode, "backup"),
        status=mode,
    )


def _without_modes(module: str, action: str, name: str, directory: Path, addresses: Iterable[str] = ()) -> Controls:
    return Controls(
        serve=program(module, action, name, str(directory), *addresses),
        to_primary=(),
        to_backup=(),
        status=program("component", "mode", str(directory)),
    )
