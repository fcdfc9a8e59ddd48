"""Configuration texts for the tests of loading: the examples, whole, without comments, and in pieces."""

import re
from pathlib import Path

import pytest
from attrs import fields
from switchover.agent.configuration.examples import example_text
from switchover.agent.configuration.load import ConfigurationError, load
from switchover.agent.configuration.settings import (
    AgentSettings,
    Configuration,
    Host,
    Member,
    PageSettings,
    PairSettings,
    ScsLogSettings,
    SolutionSettings,
    VipSettings,
)
from switchover.drivers.control.mlcmd import MlcmdSettings
from switchover.drivers.control.ocf import OcfAgent
from switchover.drivers.vip.schedule import AnnounceSchedule
from switchover.fsm.alarms import Alarm, Reaction

TABLES = {
    "solution": [SolutionSettings],
    "agent": [AgentSettings],
    "scs_log": [ScsLogSettings],
    "page": [PageSettings],
    "mlcmd": [MlcmdSettings],
    "vip": [VipSettings],
    "vip.announce": [AnnounceSchedule],
    "hosts": [Host],
    "pairs": [PairSettings],
    "pairs.members": [Member, OcfAgent],
    "alarms": [Alarm, Reaction],
}
"""Every table of the file, with the classes of what is in it."""
KEYS = {key.name for classes in TABLES.values() for each in classes for key in fields(each)}
EXAMPLE = example_text()
COMPLETE = re.sub(r"^#(?=[a-z[])", "", EXAMPLE, flags=re.MULTILINE)
"""The example with all that is commented out in it: every key, each with its default."""
BARE = re.sub(r"^(#.*)?\n", "", COMPLETE, flags=re.MULTILINE)
"""The same without comments and empty lines."""
MARK = "»"
"""Stands in a text right before a place that a problem should name."""

VOICEMAIL = re.sub(r"^(#.*)?\n", "", example_text("voicemail"), flags=re.MULTILINE)
"""The other example, likewise, without what is commented out in it."""
MEMBER_2 = BARE[BARE.rindex("[[pairs.members]]") : BARE.index("[[alarms]]")]
REACTIONS_1 = 'reactions = [{ do = "disable_vip", host = "host2" }, { do = "enable_vip", host = "host1" }]'
VIP = 'addresses = ["198.51.100.10/24"]'
MLCMD = BARE[BARE.index("cshost") : BARE.index("password_file")]
MLCMD_LOGIN = 'password_file = "/etc/switchover/mlcmd.password"'
STATUS = 'status = ["/opt/sip-server/control", "SIP_Server_1", "status"]'

NAME = "1 to 64 letters, digits, '_', '.', '-' and inner spaces"
VIP_FORM = "an IP address with its prefix length such as '198.51.100.10/24'"
PATH_FORM = "an absolute path such as '/run/sip.pid'"

CONTROL = ("to_primary", "to_backup", "status")


def piece(begin: str, end: str) -> str:
    """The bare text of the voicemail solution from the first `begin` to the next `end`."""
    start = VOICEMAIL.index(begin)
    return VOICEMAIL[start : VOICEMAIL.index(end, start + 1)]


def without(text: str, *keys: str) -> str:
    """The text without the lines of these keys."""
    return "".join(line for line in text.splitlines(keepends=True) if line.partition(" = ")[0] not in keys)


SIP_1 = piece('application = "VM_SIP_Server_1"', "[[")
SIP_2 = piece('application = "VM_SIP_Server_2"', "[[")
SIPS = f"{SIP_1}[[pairs.members]]\n{SIP_2}"
MLCMD_1, MLCMD_2 = (f'{without(text, *CONTROL)}mlcmd = "{n}0{n}"\n' for n, text in ((1, SIP_1), (2, SIP_2)))
BY_MLCMD = f"{MLCMD_1}[[pairs.members]]\n{MLCMD_2}"
MLCMD_TABLE = f"[mlcmd]\n{MLCMD}{MLCMD_LOGIN}\n"


def loaded(file: Path, text: str | bytes) -> Configuration:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(file)


def complaints(file: Path, text: str | bytes) -> list[str]:
    """The lines that `load` writes about a file, without its directory."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(file, text)
    return str(caught.value).replace(str(file), file.name).split("\n")


def unmarked(text: str, whats: list[str]) -> tuple[str, list[str]]:
    """The text without its marks, and the lines to expect: one for each mark, in the order of the file."""
    *parts, _ = text.split(MARK)
    starts = ["".join(parts[: index + 1]) for index in range(len(parts))]
    places = [(start.count("\n") + 1, len(start) - start.rfind("\n")) for start in starts]
    lines = [f"x.toml:{line}:{column}: {what}" for (line, column), what in zip(places, whats, strict=True)]
    return text.replace(MARK, ""), lines
