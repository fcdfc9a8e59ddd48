"""Each mistake in how the applications of a solution are controlled, watched and wired is reported with its place."""

import re
from pathlib import Path

import pytest
from support.configuration_texts import (
    BY_MLCMD,
    CONTROL,
    MARK,
    MLCMD,
    MLCMD_1,
    MLCMD_LOGIN,
    MLCMD_TABLE,
    NAME,
    PATH_FORM,
    SIP_1,
    SIP_2,
    SIPS,
    VOICEMAIL,
    complaints,
    piece,
    unmarked,
    without,
)

NEEDS_CONTROL = "'VM_SIP_Server_1' needs to_primary and to_backup, or ocf, or mlcmd, to change its mode"
NEEDS_MLCMD = "mlcmd needs the table [mlcmd], which says how to call it; add it"
REDUNDANT = "known are 'VM_SIP_Server_1', 'VM_SIP_Server_2', 'VM_Server_1', 'VM_Server_2'"
RM_1 = piece('application = "RM_1"', "[[")
OCF = 'ocf = { agent = "/usr/lib/ocf/resource.d/x/y" }\n'
OUTSIDE = 'outside = ["Premise_SIP_Server"]'
FROM_PAIRS = VOICEMAIL[VOICEMAIL.index("[[pairs]]") :]
MONITORED_PAIRS = piece('[[pairs]]\nname = "Resource', "[[alarms]]")
FAILED = piece('detect = "00-5091"\napplication = "RM_1"', "[[")


def marked(text: str, *keys: str) -> str:
    """The text with a mark before the value of each of these keys."""
    return re.sub(rf"^({'|'.join(keys)}) = ", rf"\1 = {MARK}", text, flags=re.MULTILINE)


def marked_in(text: str, old: str, new: str) -> str:
    """The text with one part replaced, and a mark before the replacement."""
    assert text.count(old) == 1
    return text.replace(old, f"{MARK}{new}")


# A part of the bare text; its replacement, with marks; the problem at each mark.
# fmt: off
MISTAKES: list[tuple[str, str, list[str]]] = [
    # how applications are controlled and watched
    (SIP_1, marked(without(SIP_1, "to_primary", "to_backup"), "application"), [f"{NEEDS_CONTROL}; it has none"]),
    (SIP_1, marked(without(SIP_1, "to_backup"), "application"), [f"{NEEDS_CONTROL}; it has to_primary"]),
    (SIP_1, marked(without(SIP_1, "status", "start", "stop"), "application") + OCF, [
        f"{NEEDS_CONTROL}; it has to_primary and to_backup and ocf",
    ]),
    (SIP_1, marked(without(SIP_1, "to_primary", "to_backup"), "status", "start", "stop") + OCF, [
        f"{name} cannot be combined with ocf, which does the same; remove it" for name in ("status", "start", "stop")
    ]),
    (SIP_1, without(SIP_1, *CONTROL, "start", "stop") + 'ocf = { agent = »"redis" }\n', [
        f"agent is 'redis'; it must be {PATH_FORM}",
    ]),
    (RM_1, without(RM_1, "start", "stop") + 'ocf = { agent = "/a", parameters = ["a=", »"a", »"1=b", "b=c=d"] }\n', [
        "item 2 of parameters is 'a'; it must be 'name=value'",
        "item 3 of parameters is '1=b'; it must be 'name=value'",
    ]),
    (RM_1, f'{RM_1}to_primary = »["true"]\nto_backup = »["true"]\nmlcmd = »"RM_1"\n', [
        f"{name} is for redundant pairs; a monitored application has no mode"
        for name in ("to_primary", "to_backup", "mlcmd")
    ]),
    (RM_1, marked(without(RM_1, "pidfile"), "application"), [
        "'RM_1' needs a pidfile, a status command or ocf, to see whether it runs",
    ]),
    # mlcmd
    (SIPS, marked(BY_MLCMD, "mlcmd"), [NEEDS_MLCMD, NEEDS_MLCMD]),
    (SIPS, f'{BY_MLCMD}»[mlcmd]\n{without(MLCMD, "csport")}{MLCMD_LOGIN}\n', [
        "missing key 'csport'; add it: an integer",
    ]),
    (SIPS, marked(without(BY_MLCMD, "pidfile"), "mlcmd") + MLCMD_TABLE, [
        f"mlcmd needs a pidfile, by which the LCA watches 'VM_SIP_Server_{side}'; add it" for side in (1, 2)
    ]),
    (SIPS, f'{BY_MLCMD}status = »["true"]\n{MLCMD_TABLE}', [
        "status cannot be combined with mlcmd, which does the same; remove it",
    ]),
    (SIPS, f"{MLCMD_1}[[pairs.members]]\n{marked(SIP_2, 'application')}{MLCMD_TABLE}", [
        "'VM_SIP_Server_2' has no mlcmd, but its peer does; use mlcmd for both members of a pair, or for neither",
    ]),
    # which applications exist
    (OUTSIDE, 'outside = ["A", »"RM_1", »"A", »"VM_Server_2", "Premise_SIP_Server"]', [
        "item 2 of outside is 'RM_1', a member of a pair; name only applications on neither host",
        "item 3 of outside is 'A', the name of another application; each application needs a name of its own",
        "item 4 of outside is 'VM_Server_2', a member of a pair; name only applications on neither host",
    ]),
    (OUTSIDE, 'outside = [»"VIP"]', [
        "item 1 of outside is 'VIP', which is what the Virtual IP is called; choose another",
    ]),
    (FROM_PAIRS, MARK + MONITORED_PAIRS, ["every pair is monitored; a solution needs at least one redundant pair"]),
    # alarms
    (FAILED, marked_in(FAILED, '"VM_SIP_Server_2"', '"MCP_2"'), [
        f"application is 'MCP_2', an unknown application of a redundant pair; {REDUNDANT}",
    ]),
    (FAILED, marked_in(FAILED, '"VM_SIP_Server_2"', '"host2"'), [
        f"application is 'host2', an unknown application of a redundant pair; {REDUNDANT}",
    ]),
    (FAILED, marked_in(FAILED, '"to_primary", application = "VM_SIP_Server_2"', '"enable_vip"'), [
        "do is 'enable_vip', which needs host; add it",
    ]),
    (FAILED, marked_in(FAILED, '"to_primary", application = "VM_SIP_Server_2"', '"to_primary"'), [
        "do is 'to_primary', which needs application; add it",
    ]),
    (FAILED, FAILED.replace(" }", ', host = »"host1" }'), [
        "host does not belong in a reaction with do = 'to_primary'; name application instead",
    ]),
    (FAILED, marked_in(FAILED, '"VM_SIP_Server_2"', '"VM_SIP_Server_2", host = "host2"')
        .replace("to_primary", "enable_vip"), [
        "application does not belong in a reaction with do = 'enable_vip'; name host instead",
    ]),
    (FAILED, marked_in(FAILED, '"RM_1"', '"RM_3"'), [
        "application is 'RM_3', an unknown application; did you mean 'RM_2'?",
    ]),
    # a mistake in one section causes no errors in others
    ('name = "voicemail"', 'name = "voicemail"\ndetection_ms = »1', [
        "detection_ms is 1; it must be an integer from 30 to 60000 ms",
    ]),
    (SIP_1, SIP_1.replace('"host1"', "»1"), [f"host is an integer; it must be {NAME}"]),
]
# fmt: on


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration") / "x.toml"


@pytest.mark.parametrize(("old", "new", "whats"), MISTAKES, ids=[f"{new:.30}" for _, new, _ in MISTAKES])
def test_a_mistake_is_reported_with_its_place(file: Path, old: str, new: str, whats: list[str]) -> None:
    """One line for each mistake: file, line, column, what is wrong, what would be right."""
    assert VOICEMAIL.count(old) == 1
    text, lines = unmarked(VOICEMAIL.replace(old, new), whats)
    assert complaints(file, text) == lines
