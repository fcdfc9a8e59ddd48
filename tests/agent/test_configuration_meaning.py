"""What a sound configuration means, which other forms are allowed, and what it is warned of."""

import re
from pathlib import Path

import pytest
from attrs import evolve
from support.configuration_texts import BARE, COMPLETE, EXAMPLE, MEMBER_2, REACTIONS_1, STATUS, VIP, loaded
from switchover.agent.configuration.examples import alarm_text
from switchover.agent.configuration.load import check
from switchover.fsm.alarms import (
    Alarm,
    Reaction,
    ReactionKind,
    ReactionPolicy,
    enable_here,
    to_primary,
)
from switchover.fsm.topology import Pair, VipOrder


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration") / "x.toml"


ALARM = Alarm("A", "00-5150", "SIP_Server_1", (to_primary("SIP_Server_2"), enable_here("host1")))


@pytest.mark.parametrize(
    "alarm", [ALARM, evolve(ALARM, cancel="00-5090", cancel_timeout_ms=1), evolve(ALARM, cancel_timeout_ms=5001)]
)
def test_an_alarm_is_written_in_the_form_in_which_it_is_read(file: Path, alarm: Alarm) -> None:
    assert loaded(file, EXAMPLE + alarm_text(alarm)).alarms == (alarm,)


LATCHED = [
    ("5000", []),
    ("5001", ["alarm 'A' stays active for 5.001 s, at least"]),
    ('172800000\ncancel = "5090"', ["alarm 'A' stays active for 172800 s, unless 00-5090 comes, which a lost host"]),
]


@pytest.mark.parametrize(("timeout", "whats"), LATCHED)
def test_an_alarm_that_latches_causes_a_warning_with_its_place(file: Path, timeout: str, whats: list[str]) -> None:
    """[S1] alarm reactions: an active alarm does not react, and 48 hours are the vendor's default."""
    text = EXAMPLE + alarm_text(ALARM) + f"cancel_timeout_ms = {timeout}\n"
    file.write_text(text)
    configuration, warnings = check(file)
    assert configuration.alarms
    place = f"{file}:{text[: text.rindex('cancel_timeout_ms')].count(chr(10)) + 1}:21: "
    assert [str(warning)[: len(place + what)] for warning, what in zip(warnings, whats, strict=True)] == [
        place + what for what in whats
    ]


def test_literal_reactions_cause_a_warning(file: Path) -> None:
    """They are meant for comparison only."""
    text = EXAMPLE.replace('#reactions = "once"', 'reactions = "literal"')
    file.write_text(text)
    configuration, (warning,) = check(file)
    assert configuration.topology().reactions is ReactionPolicy.LITERAL
    assert str(warning).startswith(f"{file}:{text[: text.index('reactions =')].count(chr(10)) + 1}:13: reactions is ")


CONTRADICTIONS = {
    "settle below status": (
        {"settle_ms": 1000, "command_deadline_ms": 2000},
        "settle_ms",
        "settle_ms is 1000, and a host may take command_deadline_ms, 2000 ms, to ask its applications for their modes:"
        " the agent may decide before that; write settle_ms = 2500 or more",
        "command_deadline_ms",
    ),
    "settle below the longest status": (
        {"settle_ms": 60_000, "command_deadline_ms": 60_000},
        "settle_ms",
        "settle_ms is 60000, and a host may take command_deadline_ms, 60000 ms, to ask its applications for their"
        " modes: the agent may decide before that; write settle_ms = 60000 and command_deadline_ms = 59500 or less",
        "command_deadline_ms",
    ),
    "detection over settle": (
        {"settle_ms": 3000, "detection_ms": 3000},
        "settle_ms",
        "settle_ms is 3000, and a host is lost only after detection_ms, 3000 ms: the agent may decide while it cannot"
        " know yet whether the other host lives; write settle_ms = 3500 or more",
        "detection_ms",
    ),
    "start below status": (
        {"start_deadline_ms": 1999},
        "start_deadline_ms",
        "start_deadline_ms is 1999, less than command_deadline_ms, 2000 ms: a start ends before the look that shows its"
        " success; write start_deadline_ms = 2000 or more",
        "command_deadline_ms",
    ),
    "announcements that overlap": (
        {"interval_ms": 2000},
        "again_after_ms",
        "again_after_ms is 5000, but the first announcement takes 8000 ms (count and interval_ms): the second begins"
        " before its end; write again_after_ms = 8001 or more",
        "interval_ms",
    ),
}


@pytest.mark.parametrize(("changes", "at", "what", "other"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_times_that_contradict_each_other_cause_a_warning_that_names_both(
    file: Path, changes: dict[str, int], at: str, what: str, other: str
) -> None:
    text = COMPLETE[: COMPLETE.index("[mlcmd]")] + COMPLETE[COMPLETE.index("[vip]") :]
    text = re.sub(r"^(mlcmd|agent|parameters|ocf) = .*\n", "", text, flags=re.MULTILINE)
    for key, value in changes.items():
        text = re.sub(rf"^{key} = \d+$", f"{key} = {value}", text, flags=re.MULTILINE)
    file.write_text(text)
    _, warnings = check(file)

    def place(key: str) -> tuple[int, int]:
        line = next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(f"{key} = "))
        return line, len(key) + 4

    (line, column), (other_line, _) = place(at), place(other)
    assert f"{file}:{line}:{column}: {what} ({other} is at {file}:{other_line}:1)" in map(str, warnings)


def test_a_time_that_has_its_default_is_named_too(file: Path) -> None:
    file.write_text(EXAMPLE.replace("#settle_ms = 2500", "settle_ms = 1000"))
    _, (warning,) = check(file)
    assert str(warning).endswith("write settle_ms = 2500 or more (command_deadline_ms has its default)")


def test_without_programs_to_ask_a_short_time_to_settle_is_sound(file: Path) -> None:
    text = re.sub(r"^status = .*\n", "", EXAMPLE, flags=re.MULTILINE)
    file.write_text(text.replace("#settle_ms = 2500", "settle_ms = 1000"))
    assert check(file)[1] == []


def test_applications_come_in_the_order_of_the_hosts(file: Path) -> None:
    """The order of a pair's members in the file is free."""
    text = BARE.replace(MEMBER_2, "").replace("[[pairs.members]]", MEMBER_2 + "[[pairs.members]]")
    assert [member.host for member in loaded(file, text).pairs[0].members] == ["host2", "host1"]
    assert loaded(file, text).topology().pairs == (Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2")),)


@pytest.mark.parametrize("notation", ["5150", "00-5150", "00-05150"])
def test_alarms_of_the_file_replace_the_documented_ones(file: Path, notation: str) -> None:
    """Event ids are written as sites write them."""
    alarm = f'name = "A"\ndetect = "{notation}"\napplication = "SIP_Server_1"\n{REACTIONS_1}\n'
    text = BARE[: BARE.index("[[alarms]]")].replace('"together"', '"enable-first"') + f"[[alarms]]\n{alarm}"
    topology = loaded(file, text).topology()
    reactions = (Reaction(ReactionKind.DISABLE_VIP, "host2"), Reaction(ReactionKind.ENABLE_VIP, "host1"))
    assert topology.alarms == (Alarm("A", "00-5150", "SIP_Server_1", reactions),)
    assert topology.vip_order is VipOrder.ENABLE_FIRST


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (VIP, 'addresses = ["198.51.100.10/24", "2001:db8::10/64"]'),  # the hosts' IPv4 addresses do not restrict IPv6
        (VIP, 'addresses = ["198.51.100.10/28"]'),
        ('addresses_by = "ip"', 'addresses_by = "netsh"'),
        ('interface = "eth0"', 'interface = "bond0.100"'),
        (STATUS, ""),
    ],
)
def test_these_configurations_are_allowed(file: Path, old: str, new: str) -> None:
    assert BARE.count(old) == 1
    assert loaded(file, BARE.replace(old, new)).topology() == loaded(file, BARE).topology()


@pytest.mark.parametrize("prefix", [(31, "198.51.100.10"), (127, "2001:db8::10")])
def test_both_addresses_of_a_subnet_of_two_are_allowed(file: Path, prefix: tuple[int, str]) -> None:
    """RFC 3021 and RFC 6164: both addresses are hosts there."""
    length, address = prefix
    text = BARE.replace("198.51.100.10/24", f"{address}/{length}").replace('"198.51.100.11"', '"2001:db8::11"')
    text = text.replace('"198.51.100.12"', '"198.51.100.11"')
    assert str(loaded(file, text).vip.addresses[0]) == f"{address}/{length}"
