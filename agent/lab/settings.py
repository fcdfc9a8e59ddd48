"""How a lab is set up: its options, and the configuration file that its agent and LCAs read."""

import json
from collections.abc import Sequence
from pathlib import Path

from attrs import field, frozen

from ...fsm import VipOrder

MemberTexts = tuple[str, Path, Sequence[str], Sequence[str], Sequence[str]]
"""An application's name, its pidfile, and its control commands: to primary, to backup, status."""


@frozen
class LabSettings:
    """The lab's options. `detection_ms`: a host that is silent for so long is lost, 30..60000."""

    detection_ms: int = 100
    order: VipOrder = field(default=VipOrder.TOGETHER, converter=VipOrder)


def configuration_text(
    directory: Path,
    settings: LabSettings,
    vip: Sequence[str],
    hosts: Sequence[str],
    members: Sequence[MemberTexts],
) -> str:
    """The lab's configuration as TOML. JSON's strings and arrays of strings are TOML's as well."""
    lines = [
        "[solution]",
        'name = "lab"',
        f"detection_ms = {settings.detection_ms}",
        "[agent]",
        f"journal = {json.dumps(str(directory / 'journal.sqlite'))}",
        f"socket = {json.dumps(str(directory / 'agent.sock'))}",
        f"keys = {json.dumps(str(directory / 'keys'))}",
        "[vip]",
        f"addresses = {json.dumps(vip)}",
        f"order = {json.dumps(settings.order)}",
    ]
    for number, address in enumerate(hosts, start=1):
        lines += ["[[hosts]]", f'name = "host{number}"', f"address = {json.dumps(address)}"]
    lines += ["[[pairs]]", 'name = "SIP Server"']
    for number, (name, pidfile, to_primary, to_backup, status) in enumerate(members, start=1):
        lines += ["[[pairs.members]]", f"application = {json.dumps(name)}", f'host = "host{number}"']
        lines += [f"pidfile = {json.dumps(str(pidfile))}", f"to_primary = {json.dumps(to_primary)}"]
        lines += [f"to_backup = {json.dumps(to_backup)}", f"status = {json.dumps(status)}"]
    return "\n".join(lines) + "\n"
