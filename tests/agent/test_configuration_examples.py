"""The example configurations: each is the documented solution, and explains every key."""

import re
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest
from attrs import evolve, fields
from support.configuration_texts import COMPLETE, EXAMPLE, KEYS, TABLES, loaded
from switchover.agent.configuration.examples import EXAMPLES, example_text
from switchover.agent.configuration.load import check
from switchover.agent.configuration.settings import Configuration, PageSettings, ScsLogSettings
from switchover.drivers.control.mlcmd import MlcmdSettings
from switchover.drivers.vip.schedule import AnnounceSchedule
from switchover.fsm.alarms import documented_alarms
from switchover.fsm.documented.voicemail import PREMISE_SIP_SERVER, WIRINGS, voicemail_topology
from switchover.fsm.topology import Pair, Topology

SETTLE_MS = 2500
"""The default of a file: longer than the default time in which a host may report, which the core does not know."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration") / "x.toml"


def test_the_example_is_the_documented_solution(file: Path) -> None:
    """[S2] 'State Prior to Switchover': two SIP Servers, two hosts, and the documented alarm conditions."""
    configuration = loaded(file, EXAMPLE)
    applications, hosts = ("SIP_Server_1", "SIP_Server_2"), ("host1", "host2")
    pairs = (Pair("SIP Server", applications),)
    alarms = documented_alarms(applications, hosts)
    assert configuration.topology() == Topology(hosts, pairs, alarms, settle_ms=SETTLE_MS)
    assert [host.address for host in configuration.hosts] == [ip_address("198.51.100.11"), ip_address("198.51.100.12")]
    assert configuration.vip.addresses == (ip_interface("198.51.100.10/24"),)
    assert configuration.vip.announce == AnnounceSchedule()
    assert [member.application for member in configuration.members_on("host2")] == ["SIP_Server_2"]


def test_the_commented_out_keys_of_the_example_are_the_defaults(file: Path) -> None:
    """Written out with every key, the configuration means the same."""
    written, short = loaded(file, COMPLETE), loaded(file, EXAMPLE)
    assert written.topology() == short.topology()
    for section in ("solution", "agent", "vip", "hosts", "pairs"):
        assert getattr(written, section) == getattr(short, section)
    assert written.mlcmd == MlcmdSettings(
        *("config.example", 2020, "switchover", "default"), password_file=Path("/etc/switchover/mlcmd.password")
    )
    assert written.scs_log == ScsLogSettings(Path("/var/log/genesys/scs.log"))
    assert written.page == PageSettings(
        tls_certificate=Path("/etc/switchover/page.crt"),
        tls_key=Path("/etc/switchover/page.key"),
        token_file=Path("/etc/switchover/page.token"),
    )
    assert short.mlcmd is short.scs_log is short.page is None


def test_every_key_is_explained_in_the_example() -> None:
    """No key can be added without a paragraph about it in its own table."""
    header = re.compile(r"^#?\[+([a-z_.]+)\]+$", re.MULTILINE)
    explained: dict[str, set[str]] = {}
    table = "nothing yet"
    for paragraph in EXAMPLE.split("\n\n"):
        table, *_ = header.findall(paragraph) or [table]
        if re.search(r"^# .*\w{3}", paragraph, re.MULTILINE):
            explained.setdefault(table, set()).update(re.findall(r"\b([a-z_]+)(?: = |  )", paragraph))
    tables = set(explained) - {"nothing yet"}
    assert tables == set(TABLES)
    assert {table.partition(".")[0] for table in tables} == {key.name for key in fields(Configuration)}
    for table, classes in TABLES.items():
        subtables = {name.removeprefix(f"{table}.") for name in tables}
        assert {key.name for each in classes for key in fields(each)} <= explained[table] | subtables


def test_no_key_of_the_examples_is_unknown() -> None:
    """Nor in lines that are commented out, or mentioned in a comment."""
    for name in EXAMPLES:
        keys = set(re.findall(r"^#? *([a-z_]+) = ", example_text(name), re.MULTILINE))
        assert keys
        assert keys <= KEYS


@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_voicemail_example_is_the_documented_solution(file: Path, wiring: str) -> None:
    """[S1]: equal to the topology of the core with each wiring, and without warnings."""
    file.write_text(example_text("voicemail", wiring))
    configuration, warnings = check(file)
    assert (configuration.topology(), warnings) == (evolve(voicemail_topology(wiring), settle_ms=SETTLE_MS), [])
    assert configuration.solution.outside == (PREMISE_SIP_SERVER,)
    assert [member.application for member in configuration.members_on("host1")] == [
        *("VM_SIP_Server_1", "VM_Server_1", "RM_1", "MCP_1"),
    ]


def test_only_the_documented_wiring_is_recommended() -> None:
    """The other wirings are described right before their alarms."""
    notes = [example_text("voicemail", wiring).partition("\n\n[[alarms]]")[0].splitlines()[-1] for wiring in WIRINGS]
    assert ["warns of" in note for note in notes] == [False, True, True]
    assert ["Resource Manager" in note for note in notes] == [False, True, False]


def test_the_voicemail_example_works_by_mlcmd_too(file: Path) -> None:
    """What its comments say about a Genesys site."""
    lines = re.sub(r"^#(?=[a-z[])", "", example_text("voicemail"), flags=re.MULTILINE).splitlines()
    of_mode = r'(to_backup|status) = \["/opt/voicemail'
    text = "\n".join(line for line in lines if not re.match(of_mode, line))
    text = re.sub(r'^to_primary = .*, "(\w+)", .*$', r'mlcmd = "\1"', text, flags=re.MULTILINE)
    configuration = loaded(file, text)
    assert configuration.topology() == evolve(voicemail_topology(), settle_ms=SETTLE_MS)
    assert [member.mlcmd for member in configuration.members_on("host2")] == [
        *("VM_SIP_Server_2", "VM_Server_2", None, None),
    ]
    assert configuration.mlcmd
    assert configuration.scs_log
