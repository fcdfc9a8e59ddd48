"""The options of a lab, and the configuration file that its agent and LCAs read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from ...fsm import ReactionPolicy, VipOrder, voicemail_topology
from ...fsm.documented.voicemail import WIRINGS
from ..configuration.examples import alarm_text

MemberTexts = tuple[str, Path, Sequence[str], Sequence[str], Sequence[str]]
"""An application's name, its pidfile, and its control commands: to primary, to backup, status."""

SCS_LOG = "scs.log"
"""The name of the log file that stands in for that of an SCS, in the lab's directory."""


@frozen
class LabSettings:
    """The lab's options. `detection_ms`: how long a host is silent until it is lost, 30 to 60000 ms.

    `solution` is `sip`, that of [S2], or `voicemail`, that of [S1]; `wiring` and `reactions` apply to `voicemail` only.
    """

    detection_ms: int = 100
    order: VipOrder = field(default=VipOrder.TOGETHER, converter=VipOrder)
    solution: str = "sip"
    wiring: str = WIRINGS[0]
    reactions: ReactionPolicy = field(default=ReactionPolicy.ONCE, converter=ReactionPolicy)


def configuration_text(
    directory: Path,
    settings: LabSettings,
    vip: Sequence[str],
    hosts: Sequence[str],
    members: Sequence[MemberTexts],
) -> str:
    """The lab's configuration as TOML, for one pair. Strings and arrays of strings in JSON are valid TOML."""
    return "\n".join([*_head(directory, settings, vip, hosts), *_pair("SIP Server", members)]) + "\n"


def voicemail_text(
    directory: Path,
    settings: LabSettings,
    vip: Sequence[str],
    hosts: Sequence[str],
    members: Mapping[str, MemberTexts],
) -> str:
    """As `configuration_text`, for the voicemail solution; `members` are keyed by the applications' names."""
    topology = voicemail_topology(settings.wiring)
    outside = [f"outside = {json.dumps(topology.outside)}", f"reactions = {json.dumps(settings.reactions)}"]
    lines = _head(directory, settings, vip, hosts, outside)
    lines += ["[scs_log]", f"file = {json.dumps(str(directory / SCS_LOG))}"]
    lines += [f"bookmark = {json.dumps(str(directory / 'scs.bookmark'))}"]
    for pair in topology.components:
        kind = "monitored" if pair in topology.monitored else "redundant"
        lines += _pair(pair.name, [members[name] for name in pair.applications], kind)
    return "\n".join([*lines, *(alarm_text(alarm) for alarm in topology.alarms)]) + "\n"


def _head(
    directory: Path, settings: LabSettings, vip: Sequence[str], hosts: Sequence[str], solution: Sequence[str] = ()
) -> list[str]:
    lines = [
        "[solution]",
        'name = "lab"',
        f"detection_ms = {settings.detection_ms}",
        *solution,
        "[agent]",
        f"journal = {json.dumps(str(directory / 'journal.sqlite'))}",
        f"socket = {json.dumps(str(directory / 'agent.sock'))}",
        f"keys = {json.dumps(str(directory / 'keys'))}",
        f"spool = {json.dumps(str(directory / 'spool'))}",
        "[vip]",
        f"addresses = {json.dumps(vip)}",
        f"order = {json.dumps(settings.order)}",
    ]
    for number, address in enumerate(hosts, start=1):
        lines += ["[[hosts]]", f'name = "host{number}"', f"address = {json.dumps(address)}"]
    return lines


def _pair(pair: str, members: Sequence[MemberTexts], kind: str = "redundant") -> list[str]:
    lines = ["[[pairs]]", f"name = {json.dumps(pair)}", f"kind = {json.dumps(kind)}"]
    for number, (name, pidfile, to_primary, to_backup, status) in enumerate(members, start=1):
        lines += ["[[pairs.members]]", f"application = {json.dumps(name)}", f'host = "host{number}"']
        lines += [f"pidfile = {json.dumps(str(pidfile))}"]
        if kind == "redundant":
            lines += [f"to_primary = {json.dumps(to_primary)}", f"to_backup = {json.dumps(to_backup)}"]
            lines += [f"status = {json.dumps(status)}"]
    return lines
