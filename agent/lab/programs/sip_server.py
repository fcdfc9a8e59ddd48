"""The lab's SIP Servers: one on each host, both bound to the VIP, each with a mode that a control command changes.

They are Kamailio if that is installed, otherwise `responder.py`; both answer alike. A server starts in backup mode,
gives its name and mode in every answer (`Server: SIP_Server_1 (primary)`), and answers in either mode: as with real SIP
Servers, the holder of the VIP decides which server a client reaches.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from ..network.segment import VIP, Network
from .application import Application, Controls
from .component import CONTROL_SOCKET, PIDFILE, program

KAMAILIO = "kamailio"
RESPONDER = "responder"

_HERE = Path(__file__).resolve().parent


def implementations() -> tuple[str, ...]:
    """The SIP servers available on this machine, the preferred one first."""
    kamailio = shutil.which("kamailio") and shutil.which("kamcmd")
    return (KAMAILIO, RESPONDER) if kamailio else (RESPONDER,)


def controls(implementation: str, name: str, directory: Path) -> Controls:
    """The command lines of a server called `name` that keeps its socket and pidfile in `directory`."""
    return (kamailio if implementation == KAMAILIO else responder)(name, directory)


def kamailio(
    name: str, directory: Path, configuration: str = "kamailio.cfg", defines: Mapping[str, str] | None = None
) -> Controls:
    """Kamailio with one of the lab's configurations; `defines` are its additional names and texts."""
    control = directory / CONTROL_SOCKET
    kamcmd = ("kamcmd", "-s", f"unixs:{control}")
    texts = {"SERVER_NAME": name, "CONTROL_SOCKET": f"unix:{control}", **(defines or {})}
    options = [option for key, text in texts.items() for option in ("-A", f'{key}="{text}"')]
    where = ("-P", str(directory / PIDFILE), "-Y", str(directory), "-w", str(directory))
    memory = ("-m", "16", "-M", "4")  # shared and private, in megabytes
    return Controls(
        serve=("kamailio", "-DD", "-f", str(_HERE / configuration), *where, *memory, *options),
        to_primary=(*kamcmd, "cfg.sets", "lab", "mode", "primary"),
        to_backup=(*kamcmd, "cfg.sets", "lab", "mode", "backup"),
        status=(*kamcmd, "cfg.get", "lab", "mode"),
    )


def responder(name: str, directory: Path, addresses: tuple[str, ...] = VIP) -> Controls:
    """The command lines of `responder.py` on these addresses."""
    mode = program("responder", "mode", str(directory))
    return Controls(
        serve=program("responder", "serve", name, str(directory), *addresses),
        to_primary=(*mode, "primary"),
        to_backup=(*mode, "backup"),
        status=mode,
    )


class SipServer(Application):
    """One SIP Server on one host. Its files are in `directory`, whose path must be short enough for a Unix socket."""

    def __init__(
        self, network: Network, host: str, name: str, directory: Path, implementation: str | None = None
    ) -> None:
        self.implementation = implementation or implementations()[0]
        super().__init__(
            network, host, name, directory, controls(self.implementation, name, directory), self.implementation
        )
