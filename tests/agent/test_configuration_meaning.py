"""What a sound configuration means, which other forms are allowed, and what it is warned of."""

from pathlib import Path

import pytest
from attrs import evolve
from support.configuration_texts import BARE, EXAMPLE, MEMBER_2, REACTIONS_1, STATUS, VIP, loaded
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
