"""The configuration: the example loads, and each mistake in it is told in one line that names its exact place."""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st
from switchover.agent.configuration import ConfigurationError, Position, Problem, check, load
from switchover.agent.examples import EXAMPLES, alarm_text, example_text
from switchover.agent.settings import (
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
from switchover.agent.toml_source import MAX_BYTES, TomlPath, read_toml
from switchover.drivers.mlcmd import MlcmdSettings
from switchover.drivers.ocf import OcfAgent
from switchover.drivers.schedule import AnnounceSchedule
from switchover.fsm.alarms import (
    LOG_MESSAGES,
    Alarm,
    Reaction,
    ReactionKind,
    ReactionPolicy,
    documented_alarms,
    enable_here,
    to_primary,
)
from switchover.fsm.topology import Pair, Topology, VipOrder
from switchover.fsm.voicemail import PREMISE_SIP_SERVER, WIRINGS, voicemail_topology

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
HOST_2 = '[[hosts]]\nname = "host2"\naddress = "198.51.100.12"\n'
MEMBER_2 = BARE[BARE.rindex("[[pairs.members]]") : BARE.index("[[alarms]]")]
HOST_1 = '[[hosts]]\nname = "host1"\naddress = "198.51.100.11"\n'
ALARM_1 = '[[alarms]]\nname = "SIP_Server_1 primary"\ndetect = "00-5150"\napplication = "SIP_Server_1"\n'
REACTIONS_1 = 'reactions = [{ do = "disable_vip", host = "host2" }, { do = "enable_vip", host = "host1" }]'
PAIR_AGAIN = '[[pairs]]\nname = »"SIP Server"\n'
PIDFILE_1 = '"/run/sip-server/SIP_Server_1'
VIP = 'addresses = ["198.51.100.10/24"]'
TO_PRIMARY = 'to_primary = ["/opt/sip-server/control", "SIP_Server_1", "primary"]\n'
MLCMD_STATUS = 'status = ["-getappstatus", "{application}"]'
MLCMD = BARE[BARE.index("cshost") : BARE.index("password_file")]
MLCMD_LOGIN = 'password_file = "/etc/switchover/mlcmd.password"'
PAGE = BARE[BARE.index('address = "127.0.0.1"') : BARE.index("[mlcmd]")]
PAGE_TLS = PAGE[PAGE.index("tls_certificate") : PAGE.index("token_file")]
PAGE_TOKEN = PAGE[PAGE.index("token_file") :]
STATUS = 'status = ["/opt/sip-server/control", "SIP_Server_1", "status"]'

NAME = "1 to 64 letters, digits, '_', '.', '-' and inner spaces"
HOST_NAME = "1 to 64 letters, digits, '_', '.' and '-', beginning with one of the first two"
VIP_FORM = "an IP address with its prefix length such as '198.51.100.10/24'"
HOST_FORM = "an IP address such as '198.51.100.11'"
PATH_FORM = "an absolute path such as '/run/sip.pid'"
UNICAST = "a unicast address without a zone, such as '198.51.100.10'"
WORD = "a string that is not empty"
PORT = "an integer from 1024 to 65535"
ORDERS = "'together', 'disable-first', 'enable-first'"
HOST_KEYS = "'name', 'address', 'port', 'interface'"
FAR_PAGE = "address is 198.51.100.20, which is not loopback: that needs TLS and a token; add"
SECTIONS = "'solution', 'vip', 'hosts', 'pairs', 'agent', 'mlcmd', 'scs_log', 'page', 'alarms'"
EVENTS = ", ".join(f"{known!r} ({meaning})" for known, meaning in LOG_MESSAGES.items())
REACTION_KINDS = "'enable_vip', 'disable_vip', 'to_primary'"
REACTION_KEYS = "'do', 'host', 'application'"

CONTROL = ("to_primary", "to_backup", "status")
NEEDS_CONTROL = "'VM_SIP_Server_1' needs to_primary and to_backup, or ocf, or mlcmd, to change its mode"
NEEDS_MLCMD = "mlcmd needs the table [mlcmd], which says how to call it; add it"
REDUNDANT = "known are 'VM_SIP_Server_1', 'VM_SIP_Server_2', 'VM_Server_1', 'VM_Server_2'"


def piece(begin: str, end: str) -> str:
    """The bare text of the voicemail solution from the first `begin` to the next `end`."""
    start = VOICEMAIL.index(begin)
    return VOICEMAIL[start : VOICEMAIL.index(end, start + 1)]


def without(text: str, *keys: str) -> str:
    """The text without the lines of these keys."""
    return "".join(line for line in text.splitlines(keepends=True) if line.partition(" = ")[0] not in keys)


def marked(text: str, *keys: str) -> str:
    """The text with a mark before the value of each of these keys."""
    return re.sub(rf"^({'|'.join(keys)}) = ", rf"\1 = {MARK}", text, flags=re.MULTILINE)


def marked_in(text: str, old: str, new: str) -> str:
    """The text with something else, and a mark before it, in the place of what is in it once."""
    assert text.count(old) == 1
    return text.replace(old, f"{MARK}{new}")


SIP_1 = piece('application = "VM_SIP_Server_1"', "[[")
SIP_2 = piece('application = "VM_SIP_Server_2"', "[[")
RM_1 = piece('application = "RM_1"', "[[")
SIPS = f"{SIP_1}[[pairs.members]]\n{SIP_2}"
MLCMD_1, MLCMD_2 = (f'{without(text, *CONTROL)}mlcmd = "{n}0{n}"\n' for n, text in ((1, SIP_1), (2, SIP_2)))
BY_MLCMD = f"{MLCMD_1}[[pairs.members]]\n{MLCMD_2}"
MLCMD_TABLE = f"[mlcmd]\n{MLCMD}{MLCMD_LOGIN}\n"
OCF = 'ocf = { agent = "/usr/lib/ocf/resource.d/x/y" }\n'
OUTSIDE = 'outside = ["Premise_SIP_Server"]'
FROM_PAIRS = VOICEMAIL[VOICEMAIL.index("[[pairs]]") :]
MONITORED_PAIRS = piece('[[pairs]]\nname = "Resource', "[[alarms]]")
FAILED = piece('detect = "00-5091"\napplication = "RM_1"', "[[")

# What is in the bare text once; what to write in its place, with marks; the problem at each mark.
# fmt: off
MISTAKES: list[tuple[str, str, list[str]]] = [
    # keys and tables
    ("port = 4999", "»prot = 4999", ["unknown key 'prot'; did you mean 'port'?"]),
    ("port = 4999", "»x = 4999", [f"unknown key 'x'; known are {HOST_KEYS}"]),
    ("port = 4999", '»"a\\nb" = 4999', [f"unknown key 'a\\nb'; known are {HOST_KEYS}"]),
    ("port = 4999", f"»{'z' * 80} = 4999", [f"unknown key '{'z' * 56}...; known are {HOST_KEYS}"]),
    ("port = 4999", "»port.x = 4999", [f"port is a table; it must be {PORT}"]),
    ("[agent]", "[»agnet]", ["unknown key 'agnet'; did you mean 'agent'?"]),
    ("[vip.announce]", "[vip.»anounce]", ["unknown key 'anounce'; did you mean 'announce'?"]),
    ("[solution]", "»[[solution]]", ["solution is an array; it must be a table"]),
    ("[agent]", "»[agent.socket]\n[agent.»sockte]\n[»x]", [
        "socket is a table; it must be an absolute path such as '/run/switchover/agent.sock'",
        "unknown key 'sockte'; did you mean 'socket'?",
        f"unknown key 'x'; known are {SECTIONS}",
    ]),
    ("[solution]\nname = \"SIP solution\"\n", "»[solution]\n", [f"missing key 'name'; add it: {NAME}"]),
    (f"[vip]\n{VIP}", "»[vip]", [f"missing key 'addresses'; add it: an array, each item {VIP_FORM}"]),
    (HOST_1, "»»[[hosts]]\n", [
        f"missing key 'name'; add it: {HOST_NAME}", f"missing key 'address'; add it: {HOST_FORM}",
    ]),
    (f"{ALARM_1}{REACTIONS_1}", f"»{ALARM_1}", ["missing tables [[alarms.reactions]]; add them"]),
    (REACTIONS_1, 'reactions = [»{ »od = "enable_vip", host = "host1" }]', [
        f"missing key 'do'; add it: one of {REACTION_KINDS}", f"unknown key 'od'; known are {REACTION_KEYS}",
    ]),
    (MEMBER_2, MEMBER_2.replace("host =", "»hots =").replace("[[", "»[["), [
        f"missing key 'host'; add it: {NAME}", "unknown key 'hots'; did you mean 'host'?",
    ]),
    # types
    ("port = 4999", 'port = »"4999"', [f"port is a string; it must be {PORT}"]),
    ("port = 4999", "port = »4999.0", [f"port is a float; it must be {PORT}"]),
    ("port = 4999", "port = »true", [f"port is a boolean; it must be {PORT}"]),
    ("port = 4999", "port = »2026-01-01", [f"port is a date or time; it must be {PORT}"]),
    ('name = "SIP solution"', "name = »[]", [f"name is an array; it must be {NAME}"]),
    ('order = "together"', "order = »1", [f"order is an integer; it must be one of {ORDERS}"]),
    ("count = 5\ninterval", "count = »5.0\ninterval", ["count is a float; it must be an integer"]),
    (VIP, 'addresses = »"198.51.100.10/24"', [f"addresses is a string; it must be an array, each item {VIP_FORM}"]),
    (VIP, "addresses = [\n  # é\n  »1 ]", [f"item 1 of addresses is an integer; it must be {VIP_FORM}"]),
    (TO_PRIMARY, 'to_primary = »"control"\n', [f"to_primary is a string; it must be an array, each item {WORD}"]),
    (REACTIONS_1, 'reactions = [»"enable"]', ["item 1 of reactions is a string; it must be a table"]),
    # ranges and forms of single values
    ("detection_ms = 300", "detection_ms = »29", ["detection_ms is 29; it must be an integer from 30 to 60000 ms"]),
    ("settle_ms = 1000", "settle_ms = »60001", ["settle_ms is 60001; it must be an integer from 10 to 60000 ms"]),
    ("retry_ms = 1000", "retry_ms = »9", ["retry_ms is 9; it must be an integer from 10 to 60000 ms"]),
    ("deadline_ms = 2000", "deadline_ms = »0", ["command_deadline_ms is 0; it must be an integer from 10 to 60000 ms"]),
    ("deadline_ms = 60000", "deadline_ms = »600001", [
        "start_deadline_ms is 600001; it must be an integer from 10 to 600000 ms",
    ]),
    ("max_age_s = 60", "max_age_s = »0", ["spool_max_age_s is 0; it must be an integer from 1 to 86400 s"]),
    ("look_every_ms = 1000", "look_every_ms = »49", ["look_every_ms is 49; it must be an integer from 50 to 60000 ms"]),
    ('reactions = "once"', 'reactions = »"twice"', ["reactions is 'twice'; known are 'once', 'literal'"]),
    ('kind = "redundant"', 'kind = »"monitord"', ["kind is 'monitord'; did you mean 'monitored'?"]),
    ("csport = 2020", "csport = »0", ["csport is 0; it must be >= 1"]),
    ("csport = 2020", "csport = »65536", ["csport is 65536; it must be <= 65535"]),
    ('csuser = "switchover"', 'csuser = »""', [f"csuser is ''; it must be {WORD}"]),
    ('program = ["mlcmd"]', 'program = ["mlcmd", »""]', [f"item 2 of program is ''; it must be {WORD}"]),
    (MLCMD_STATUS, 'status = »["-getappstatus"]', [
        "status is ['-getappstatus']; 'status' must have the field {application}, and no other field",
    ]),
    (MLCMD_LOGIN, 'password_file = »"mlcmd.password"', [f"password_file is 'mlcmd.password'; it must be {PATH_FORM}"]),
    ("port = 4999", "port = »1023", [f"port is 1023; it must be {PORT}"]),
    ("port = 4999", "port = »65536", [f"port is 65536; it must be {PORT}"]),
    ("count = 5\ninterval", "count = »0\ninterval", ["count is 0; it must be >= 1"]),
    ("interval_ms = 0", "interval_ms = »-1", ["interval_ms is -1; it must be >= 0"]),
    ("interval_ms = 0", "interval_ms = »10001", ["interval_ms is 10001; it must be <= 10000"]),
    ("again_count = 5", "again_count = »101", ["again_count is 101; it must be <= 100"]),
    ('["request", "reply"]', "»[]", ["forms is empty; it must have at least one item"]),
    ('["request", "reply"]', '["request", »"rply"]', ["item 2 of forms is 'rply'; did you mean 'reply'?"]),
    ('order = "together"', 'order = »"togehter"', ["order is 'togehter'; did you mean 'together'?"]),
    ('order = "together"', 'order = »"x"', [f"order is 'x'; known are {ORDERS}"]),
    ('addresses_by = "ip"', 'addresses_by = »"ifconfig"', [
        "addresses_by is 'ifconfig'; known are 'ip', 'subinterface', 'netsh'",
    ]),
    ('name = "SIP solution"', 'name = »""', [f"name is ''; it must be {NAME}"]),
    ('name = "SIP solution"', 'name = »" x"', [f"name is ' x'; it must be {NAME}"]),
    ('name = "SIP Server"', 'name = »"SIP\\nServer"', [f"name is 'SIP\\nServer'; it must be {NAME}"]),
    ('name = "SIP Server"', f'name = »"{"x" * 65}"', [f"name is '{'x' * 56}...; it must be {NAME}"]),
    ('interface = "eth0"', 'interface = »""', [f"interface is ''; it must be {WORD}"]),
    ('interface = "eth0"', 'interface = »"Local Area"', [
        "interface is 'Local Area'; a Linux interface has 1 to 15 characters, no blank and no slash",
    ]),
    ('keys = "/etc/switchover/keys"', 'keys = »"keys"', [f"keys is 'keys'; it must be {PATH_FORM}"]),
    ('keys = "/etc/switchover/keys"', 'keys = »"/\\u0000"', [f"keys is '/\\x00'; it must be {PATH_FORM}"]),
    ('"/run/switchover/agent.sock"', f'»"/{"x" * 107}"', [
        "socket is 108 bytes long; the kernel takes at most 107 for a socket",
    ]),
    (f"{TO_PRIMARY}", "to_primary = »[]\n", ["to_primary is empty; it must have at least one item"]),
    (f"{TO_PRIMARY}", 'to_primary = ["sh", »""]\n', [f"item 2 of to_primary is ''; it must be {WORD}"]),
    (STATUS, "status = »[]", ["status is empty; it must have at least one item"]),
    (ALARM_1, ALARM_1.replace('"00-5150"', '»"00-9999"'), [
        f"detect is '00-9999', an unknown event id; known are {EVENTS}",
    ]),
    (REACTIONS_1, "reactions = »[]", ["reactions is empty; it must have at least one item"]),
    (REACTIONS_1, 'reactions = [{ do = »"enable", host = "host1" }]', ["do is 'enable'; did you mean 'enable_vip'?"]),
    (ALARM_1, f'{ALARM_1}cancel = »"00-5"\n', [f"cancel is '00-5', an unknown event id; known are {EVENTS}"]),
    (ALARM_1, f"{ALARM_1}cancel_timeout_ms = »0\n", [
        "cancel_timeout_ms is 0; it must be an integer from 1 to 604800000 ms",
    ]),
    (ALARM_1, f"{ALARM_1}cancel_timeout_ms = »604800001\n", [
        "cancel_timeout_ms is 604800001; it must be an integer from 1 to 604800000 ms",
    ]),
    # addresses
    (VIP, 'addresses = [»"198.51.100.10"]', [
        "item 1 of addresses is '198.51.100.10', which has no prefix length; "
        "write it behind the address, as in '198.51.100.10/24'",
    ]),
    (VIP, 'addresses = [»"198.51.100.10/255.255.255.0"]', [
        "item 1 of addresses is '198.51.100.10/255.255.255.0', which has no prefix length; "
        "write it behind the address, as in '198.51.100.10/24'",
    ]),
    (VIP, 'addresses = [»"198.51.100.10/33"]', [f"item 1 of addresses is '198.51.100.10/33'; it must be {VIP_FORM}"]),
    (VIP, 'addresses = [»"198.51.100.0/24"]', [
        "item 1 of addresses is '198.51.100.0/24', the address of the subnet itself; "
        "it must be an address within 198.51.100.0/24",
    ]),
    (VIP, 'addresses = [»"198.51.100.255/24"]', [
        "item 1 of addresses is '198.51.100.255/24', the broadcast address; "
        "it must be another address within 198.51.100.0/24",
    ]),
    (VIP, 'addresses = [»"fe80::1%eth0/64", »"ff02::1/64"]', [
        f"item 1 of addresses is 'fe80::1%eth0/64'; it must be {UNICAST}",
        f"item 2 of addresses is 'ff02::1/64'; it must be {UNICAST}",
    ]),
    (VIP, 'addresses = ["198.51.100.10/24", »"198.51.100.10/24"]', [
        "item 2 of addresses repeats 198.51.100.10; name each address once",
    ]),
    (VIP, 'addresses = [»"203.0.113.10/24", "2001:db8::10/64"]', [
        "item 1 of addresses is in the subnet 203.0.113.0/24; "
        "it must be in that of the hosts (198.51.100.11, 198.51.100.12)",
    ]),
    (VIP, 'addresses = [»"198.51.100.12/24"]', [
        "item 1 of addresses is 198.51.100.12, which is 'host2' itself; the VIP needs its own address",
    ]),
    (HOST_2, HOST_2.replace('"198.51.100.12"', '»"198.51.101.12"'), [
        "address is 198.51.101.12; it must be in the subnet of the VIP, 198.51.100.0/24",
    ]),
    (HOST_2, HOST_2.replace('"198.51.100.12"', '»"198.51.100.11"'), [
        "address and port are those of host 'host1'; each LCA needs its own",
    ]),
    (HOST_2, HOST_2.replace('"198.51.100.12"', '»"host2.example"'), [
        f"address is 'host2.example'; it must be {HOST_FORM}",
    ]),
    # what must agree
    (f"{HOST_1}port = 4999\ninterface = \"eth0\"\n{HOST_2}", f"»{HOST_2}", [
        "the number of [[hosts]] is 1; a solution has exactly two",
    ]),
    (HOST_2, f"{HOST_2}»{HOST_2.replace('2', '3')}", ["the number of [[hosts]] is 3; a solution has exactly two"]),
    (HOST_2, HOST_2.replace('"host2"', '»"host1"'), [
        "name is 'host1', as for another host; each host needs a name of its own",
    ]),
    (MEMBER_2, f"{MEMBER_2}»" + MEMBER_2.replace("SIP_Server_2", "SIP_Server_3").replace('"host2"', '»"host2"'), [
        "the number of [[pairs.members]] is 3; a pair has exactly two",
        "host is 'host2', as for another member of the pair; each runs on a host of its own",
    ]),
    (MEMBER_2, MEMBER_2.replace('"host2"', '»"hots2"'), ["host is 'hots2', an unknown host; did you mean 'host2'?"]),
    (MEMBER_2, MEMBER_2.replace('"host2"', '»"host1"'), [
        "host is 'host1', as for another member of the pair; each runs on a host of its own",
    ]),
    (MEMBER_2, MEMBER_2.replace('"host2"', '»"host1"').replace('"/run/sip-server/SIP_Server_2', f"»{PIDFILE_1}"), [
        "host is 'host1', as for another member of the pair; each runs on a host of its own",
        "pidfile is that of 'SIP_Server_1'; each application of a host needs its own",
    ]),
    (MEMBER_2, f'{MEMBER_2}{PAIR_AGAIN}»' + MEMBER_2.replace("application = ", "application = »"), [
        "name is 'SIP Server', as for another pair; each pair needs a name of its own",
        "the number of [[pairs.members]] is 1; a pair has exactly two",
        "application is 'SIP_Server_2', as for another application; each application needs a name of its own",
    ]),
    ('name = "SIP_Server_1 backup"', 'name = »"SIP_Server_1 primary"', [
        "name is 'SIP_Server_1 primary', as for another alarm; each alarm needs a name of its own",
    ]),
    (ALARM_1, ALARM_1.replace('"SIP_Server_1"', '»"SIP_Server_3"'), [
        "application is 'SIP_Server_3', an unknown application; did you mean 'SIP_Server_2'?",
    ]),
    (REACTIONS_1, REACTIONS_1.replace('"host1"', '»"elsewhere"'), [
        "host is 'elsewhere', an unknown host; known are 'host1', 'host2'",
    ]),
    # mlcmd
    (f"[mlcmd]\n{MLCMD}{MLCMD_LOGIN}\n", f"»[mlcmd]\n{MLCMD}", [
        "mlcmd needs either 'password_file' or 'password_env', and not both",
    ]),
    (f"[mlcmd]\n{MLCMD}{MLCMD_LOGIN}\n", f'»[mlcmd]\n{MLCMD}{MLCMD_LOGIN}\npassword_env = "X"\n', [
        "mlcmd needs either 'password_file' or 'password_env', and not both",
    ]),
    # page
    ('port = 4900', 'port = »443', [f"port is 443; it must be {PORT}"]),
    (PAGE, 'address = »"198.51.100.20"\n', [f"{FAR_PAGE} tls_certificate and tls_key and token_file"]),
    (PAGE, f'address = »"198.51.100.20"\n{PAGE_TLS}', [f"{FAR_PAGE} token_file"]),
    (PAGE, f'address = »"198.51.100.20"\n{PAGE_TOKEN}', [f"{FAR_PAGE} tls_certificate and tls_key"]),
    (PAGE, PAGE_TLS.partition("tls_key")[0].replace('= "', '= »"'), [
        "tls_certificate is nothing without tls_key; add it",
    ]),
    (PAGE, "tls_key" + PAGE_TLS.partition("tls_key")[2].replace('= "', '= »"'), [
        "tls_key is nothing without tls_certificate; add it",
    ]),
    (PAGE, 'address = »"::"\n', [f"address is '::'; it must be {UNICAST}"]),
]

# The same for the bare text of the voicemail solution.
VOICEMAIL_MISTAKES: list[tuple[str, str, list[str]]] = [
    # how applications are controlled and watched
    (SIP_1, marked(without(SIP_1, "to_primary", "to_backup"), "application"), [f"{NEEDS_CONTROL}; it has none"]),
    (SIP_1, marked(without(SIP_1, "to_backup"), "application"), [f"{NEEDS_CONTROL}; it has to_primary"]),
    (SIP_1, marked(without(SIP_1, "status", "start", "stop"), "application") + OCF, [
        f"{NEEDS_CONTROL}; it has to_primary and to_backup and ocf",
    ]),
    (SIP_1, marked(without(SIP_1, "to_primary", "to_backup"), "status", "start", "stop") + OCF, [
        f"{name} has no place beside ocf, which does it; remove it" for name in ("status", "start", "stop")
    ]),
    (SIP_1, without(SIP_1, *CONTROL, "start", "stop") + 'ocf = { agent = »"redis" }\n', [
        f"agent is 'redis'; it must be {PATH_FORM}",
    ]),
    (RM_1, without(RM_1, "start", "stop") + 'ocf = { agent = "/a", parameters = ["a=", »"a", »"1=b", "b=c=d"] }\n', [
        "item 2 of parameters is 'a'; it must be 'name=value'",
        "item 3 of parameters is '1=b'; it must be 'name=value'",
    ]),
    (RM_1, f'{RM_1}to_primary = »["true"]\nto_backup = »["true"]\nmlcmd = »"RM_1"\n', [
        f"{name} is for redundant pairs; what is only monitored has no mode"
        for name in ("to_primary", "to_backup", "mlcmd")
    ]),
    (RM_1, marked(without(RM_1, "pidfile"), "application"), [
        "'RM_1' needs a pidfile, a status command or ocf, by which it is seen whether it runs",
    ]),
    # mlcmd
    (SIPS, marked(BY_MLCMD, "mlcmd"), [NEEDS_MLCMD, NEEDS_MLCMD]),
    (SIPS, f'{BY_MLCMD}»[mlcmd]\n{without(MLCMD, "csport")}{MLCMD_LOGIN}\n', [
        "missing key 'csport'; add it: an integer",
    ]),
    (SIPS, marked(without(BY_MLCMD, "pidfile"), "mlcmd") + MLCMD_TABLE, [
        f"mlcmd needs a pidfile: the LCA watches 'VM_SIP_Server_{side}' by it" for side in (1, 2)
    ]),
    (SIPS, f'{BY_MLCMD}status = »["true"]\n{MLCMD_TABLE}', [
        "status has no place beside mlcmd, which does it; remove it",
    ]),
    (SIPS, f"{MLCMD_1}[[pairs.members]]\n{marked(SIP_2, 'application')}{MLCMD_TABLE}", [
        "'VM_SIP_Server_2' has no mlcmd, as its peer has; both members of a pair are controlled by it, or neither",
    ]),
    # which applications there are
    (OUTSIDE, 'outside = ["A", »"RM_1", »"A", »"VM_Server_2", "Premise_SIP_Server"]', [
        "item 2 of outside is 'RM_1', a member of a pair; name only what is on neither host",
        "item 3 of outside is 'A', as for another application; each application needs a name of its own",
        "item 4 of outside is 'VM_Server_2', a member of a pair; name only what is on neither host",
    ]),
    (OUTSIDE, 'outside = [»"VIP"]', [
        "item 1 of outside is 'VIP', which is what the Virtual IP is called; choose another",
    ]),
    (FROM_PAIRS, MARK + MONITORED_PAIRS, ["every pair is monitored; a solution has at least one redundant pair"]),
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
        "host has no place in a reaction that does 'to_primary'; it names application",
    ]),
    (FAILED, marked_in(FAILED, '"VM_SIP_Server_2"', '"VM_SIP_Server_2", host = "host2"')
        .replace("to_primary", "enable_vip"), [
        "application has no place in a reaction that does 'enable_vip'; it names host",
    ]),
    (FAILED, marked_in(FAILED, '"RM_1"', '"RM_3"'), [
        "application is 'RM_3', an unknown application; did you mean 'RM_2'?",
    ]),
    # what is wrong with one section makes nothing wrong with others
    ('name = "voicemail"', 'name = "voicemail"\ndetection_ms = »1', [
        "detection_ms is 1; it must be an integer from 30 to 60000 ms",
    ]),
    (SIP_1, SIP_1.replace('"host1"', "»1"), [f"host is an integer; it must be {NAME}"]),
]
# fmt: on


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration") / "x.toml"


def loaded(file: Path, text: str | bytes) -> Configuration:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(file)


def complaints(file: Path, text: str | bytes) -> list[str]:
    """The lines that `load` writes about a file, without its directory."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(file, text)
    return str(caught.value).replace(str(file), file.name).split("\n")


def values_in(value: Any, path: TomlPath = ()) -> Iterator[tuple[TomlPath, Any]]:
    """Every value in a TOML document, with its path."""
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from values_in(item, (*path, key))


def unmarked(text: str, whats: list[str]) -> tuple[str, list[str]]:
    """The text without its marks, and the lines to expect: one for each mark, in the order of the file."""
    *parts, _ = text.split(MARK)
    starts = ["".join(parts[: index + 1]) for index in range(len(parts))]
    places = [(start.count("\n") + 1, len(start) - start.rfind("\n")) for start in starts]
    lines = [f"x.toml:{line}:{column}: {what}" for (line, column), what in zip(places, whats, strict=True)]
    return text.replace(MARK, ""), lines


def test_the_example_is_the_documented_solution(file: Path) -> None:
    """[S2] 'State Prior to Switchover': two SIP Servers, two hosts, and the documented alarm conditions."""
    configuration = loaded(file, EXAMPLE)
    applications, hosts = ("SIP_Server_1", "SIP_Server_2"), ("host1", "host2")
    pairs = (Pair("SIP Server", applications),)
    assert configuration.topology() == Topology(hosts, pairs, documented_alarms(applications, hosts))
    assert [host.address for host in configuration.hosts] == [ip_address("198.51.100.11"), ip_address("198.51.100.12")]
    assert configuration.vip.addresses == (ip_interface("198.51.100.10/24"),)
    assert configuration.vip.announce == AnnounceSchedule()
    assert [member.application for member in configuration.members_on("host2")] == ["SIP_Server_2"]


def test_what_is_commented_out_in_the_example_is_the_default(file: Path) -> None:
    """With every key written out the configuration means the same."""
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
    """No key can be added without a word about it in its own table: in a paragraph that says something."""
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
    """Not even in what is commented out, or told of in a comment."""
    for name in EXAMPLES:
        keys = set(re.findall(r"^#? *([a-z_]+) = ", example_text(name), re.MULTILINE))
        assert keys
        assert keys <= KEYS


@pytest.mark.parametrize("wiring", WIRINGS)
def test_the_voicemail_example_is_the_documented_solution(file: Path, wiring: str) -> None:
    """[S1]: as the core knows it, with each of the wirings, and nothing to be warned of."""
    file.write_text(example_text("voicemail", wiring))
    configuration, warnings = check(file)
    assert (configuration.topology(), warnings) == (voicemail_topology(wiring), [])
    assert configuration.solution.outside == (PREMISE_SIP_SERVER,)
    assert [member.application for member in configuration.members_on("host1")] == [
        *("VM_SIP_Server_1", "VM_Server_1", "RM_1", "MCP_1"),
    ]


def test_only_the_documented_wiring_is_praised() -> None:
    """What the other wirings are stands right before their alarms."""
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
    assert configuration.topology() == voicemail_topology()
    assert [member.mlcmd for member in configuration.members_on("host2")] == [
        *("VM_SIP_Server_2", "VM_Server_2", None, None),
    ]
    assert configuration.mlcmd
    assert configuration.scs_log


ALARM = Alarm("A", "00-5150", "SIP_Server_1", (to_primary("SIP_Server_2"), enable_here("host1")))


@pytest.mark.parametrize(
    "alarm", [ALARM, evolve(ALARM, cancel="00-5090", cancel_timeout_ms=1), evolve(ALARM, cancel_timeout_ms=5001)]
)
def test_an_alarm_is_written_as_it_is_read(file: Path, alarm: Alarm) -> None:
    assert loaded(file, EXAMPLE + alarm_text(alarm)).alarms == (alarm,)


LATCHED = [
    ("5000", []),
    ("5001", ["alarm 'A' stays active for 5.001 s, at least"]),
    ('172800000\ncancel = "5090"', ["alarm 'A' stays active for 172800 s, unless 00-5090 comes, which a lost host"]),
]


@pytest.mark.parametrize(("timeout", "whats"), LATCHED)
def test_an_alarm_that_latches_is_warned_of_with_its_place(file: Path, timeout: str, whats: list[str]) -> None:
    """[S1] alarm reactions: what is still active does not react, and 48 hours are the vendor's default."""
    text = EXAMPLE + alarm_text(ALARM) + f"cancel_timeout_ms = {timeout}\n"
    file.write_text(text)
    configuration, warnings = check(file)
    assert configuration.alarms
    place = f"{file}:{text[: text.rindex('cancel_timeout_ms')].count(chr(10)) + 1}:21: "
    assert [str(warning)[: len(place + what)] for warning, what in zip(warnings, whats, strict=True)] == [
        place + what for what in whats
    ]


def test_reactions_as_an_scs_has_them_are_warned_of(file: Path) -> None:
    """They are there to be compared with."""
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
        (VIP, 'addresses = ["198.51.100.10/24", "2001:db8::10/64"]'),  # the hosts' IPv4 addresses say nothing of IPv6
        (VIP, 'addresses = ["198.51.100.10/28"]'),
        ('addresses_by = "ip"', 'addresses_by = "netsh"'),
        ('interface = "eth0"', 'interface = "bond0.100"'),
        (STATUS, ""),
    ],
)
def test_what_is_allowed(file: Path, old: str, new: str) -> None:
    assert BARE.count(old) == 1
    assert loaded(file, BARE.replace(old, new)).topology() == loaded(file, BARE).topology()


@pytest.mark.parametrize("prefix", [(31, "198.51.100.10"), (127, "2001:db8::10")])
def test_a_subnet_of_two_has_no_address_to_itself(file: Path, prefix: tuple[int, str]) -> None:
    """RFC 3021 and RFC 6164: both addresses are hosts there."""
    length, address = prefix
    text = BARE.replace("198.51.100.10/24", f"{address}/{length}").replace('"198.51.100.11"', '"2001:db8::11"')
    text = text.replace('"198.51.100.12"', '"198.51.100.11"')
    assert str(loaded(file, text).vip.addresses[0]) == f"{address}/{length}"


@pytest.mark.parametrize(
    ("bare", "old", "new", "whats"),
    [*((BARE, *mistake) for mistake in MISTAKES), *((VOICEMAIL, *mistake) for mistake in VOICEMAIL_MISTAKES)],
    ids=[f"{new:.30}" for _, new, _ in [*MISTAKES, *VOICEMAIL_MISTAKES]],
)
def test_a_mistake_is_told_with_its_place(file: Path, bare: str, old: str, new: str, whats: list[str]) -> None:
    """One line for each mistake: file, line, column, what is wrong, what would be right."""
    assert bare.count(old) == 1
    text, lines = unmarked(bare.replace(old, new), whats)
    assert complaints(file, text) == lines


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    """Mistakes within some sections do not hide those between others."""
    text, lines = unmarked(
        BARE.replace("detection_ms = 300", "detection_ms = »1")
        .replace('["198.51.100.10/24"]', '[»"203.0.113.10/24"]')
        .replace(REACTIONS_1, 'reactions = [{ do = »"disable", host = "host3" }]'),
        [
            "detection_ms is 1; it must be an integer from 30 to 60000 ms",
            "item 1 of addresses is in the subnet 203.0.113.0/24; "
            "it must be in that of the hosts (198.51.100.11, 198.51.100.12)",
            "do is 'disable'; did you mean 'disable_vip'?",
        ],
    )
    assert complaints(file, text) == lines


WHOLE_FILES: list[tuple[bytes, list[str]]] = [
    (b"", [
        "x.toml:1:1: missing table [solution]; add it",
        "x.toml:1:1: missing table [vip]; add it",
        "x.toml:1:1: missing tables [[hosts]]; add them",
        "x.toml:1:1: missing tables [[pairs]]; add them",
    ]),
    (b"solution = 1\nvip = []\nhosts = 1\npairs = [1]\nalarms = []\n", [
        "x.toml:1:12: solution is an integer; it must be a table",
        "x.toml:2:7: vip is an array; it must be a table",
        "x.toml:3:9: hosts is an integer; it must be an array of tables",
        "x.toml:4:10: item 1 of pairs is an integer; it must be a table",
        "x.toml:5:10: alarms is empty; it must have at least one item",
    ]),
    (b"[vip.announce]\ncuont = 5\n", [
        "x.toml:1:1: missing table [solution]; add it",
        "x.toml:1:1: missing tables [[hosts]]; add them",
        "x.toml:1:1: missing tables [[pairs]]; add them",
        f"x.toml:1:2: missing key 'addresses'; add it: an array, each item {VIP_FORM}",
        "x.toml:2:1: unknown key 'cuont'; did you mean 'count'?",
    ]),
    (b"[solution\nname = 1", ["x.toml:1:10: not TOML: Expected ']' at the end of a table declaration"]),
    (b"[vip]\na = [1,\n", ["x.toml:3:1: not TOML: Invalid value at the end of the file"]),
    (b"[vip]\n[vip]\n", ["x.toml:2:5: not TOML: Cannot declare ('vip',) twice"]),
    (b"# \xc3\xa9\nx = '\xff'\n", ["x.toml:2:6: byte 0xff is not UTF-8; save the file as UTF-8"]),
    (b"x = " + b"[" * 5000, ["x.toml:1:1: is nested too deeply; flatten it"]),
    (b"x." * 5000 + b"x = 1", ["x.toml:1:1: is nested too deeply; flatten it"]),
    (b"x" * (MAX_BYTES + 1), [f"x.toml: is larger than {MAX_BYTES} bytes; name a TOML file"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "lines"), WHOLE_FILES, ids=[repr(data[:20]) for data, _ in WHOLE_FILES])
def test_what_is_wrong_with_a_whole_file(file: Path, data: bytes, lines: list[str]) -> None:
    """A file that is empty, of another shape, not TOML or not text."""
    assert complaints(file, data) == lines


def test_a_number_too_long_for_python_is_a_problem(file: Path) -> None:
    """tomllib raises a plain ValueError for it and tells no position."""
    (line,) = complaints(file, b"x = " + b"9" * 5000)
    assert line.startswith("x.toml:1:1: not TOML: Exceeds the limit")


@pytest.mark.parametrize(("name", "reason"), [("none.toml", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_has_no_place(tmp_path: Path, name: str, reason: str) -> None:
    """There is no line to name, so none is named."""
    file = str(tmp_path / name)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    what = f"cannot be read: {reason}; name a TOML file, such as one that 'switchover init' wrote"
    assert caught.value.problems == (Problem(file, None, what),)
    assert str(caught.value) == f"{file}: {what}"


ODD = """# é
"ü" . 'a b' = "é" # é
3.14 = 1
true = [ # [
  2, 'é', { x = 3, "y".z = 4 },
]
"é" = { "ä" = 5 }
[ t . 'u' ]
v = \"\"\"two
lines\"\"\"
[[h]]
n = 5
[[h.i]]
[h.j]
[[h]]
[[h.i]]
k = [[6], [[7]]]
[[h.i]]
k = -8
"""


@pytest.mark.parametrize(
    "text",
    [ODD, ODD.replace("\n", "\r\n"), BARE, EXAMPLE, VOICEMAIL],
    ids=["odd", "CR LF", "bare", "example", "voicemail"],
)
def test_every_key_and_value_is_found_where_it_stands(file: Path, text: str) -> None:
    """In characters, as an editor counts them; a byte order mark is none."""
    file.write_bytes(f"\N{BYTE ORDER MARK}{text}".encode())
    source = read_toml(file)
    for path, value in values_in(source.values):
        if path and isinstance(path[-1], str):
            assert re.match(rf"""['"]?{path[-1]}""", rest_at(text, source.position(path, at_key=True)))
        if isinstance(value, str | int):
            assert re.match(rf"""['"]*{str(value).partition(chr(10))[0]}""", rest_at(text, source.position(path)))
        elif path and isinstance(path[-1], int):
            assert rest_at(text, source.position(path))[0] in "[{"


def rest_at(text: str, position: Position) -> str:
    """The rest of the line at a position."""
    return text.split("\n")[position.line - 1][position.column - 1 :]


def lines_shuffled(bare: str) -> st.SearchStrategy[str]:
    """A bare text after a few lines were deleted, copied elsewhere, or had their values swapped."""
    lines = bare.splitlines()
    places = st.integers(0, len(lines) - 1)
    edits = st.lists(st.tuples(st.sampled_from(["delete", "copy", "swap values"]), places, places), max_size=6)
    return edits.map(lambda steps: "\n".join(with_edits(lines, steps)))


def with_edits(lines: list[str], steps: list[tuple[str, int, int]]) -> list[str]:
    lines = list(lines)
    for step, one, other in steps:
        one, other = one % len(lines), other % len(lines)
        if step == "delete":
            del lines[one]
        elif step == "copy":
            lines.insert(other, lines[one])
        else:
            (key_1, is_1, value_1), (key_2, is_2, value_2) = lines[one].partition(" = "), lines[other].partition(" = ")
            lines[one], lines[other] = key_1 + is_1 + value_2, key_2 + is_2 + value_1
    return lines


TOML_WORDS = st.sampled_from(
    ['"', "'", '"""', "[", "]", "[[", "]]", "{", "}", "=", ",", ".", "#", "\n", " ", "\\", "0"]
)
TOML_KEYS = st.sampled_from(sorted(KEYS))


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.lists(TOML_WORDS | TOML_KEYS).map(lambda words: "".join(words).encode())
    | lines_shuffled(BARE).map(str.encode)
    | lines_shuffled(VOICEMAIL).map(str.encode)
    | lines_shuffled(VOICEMAIL.replace(SIPS, BY_MLCMD + MLCMD_TABLE)).map(str.encode)
)
def test_whatever_a_file_holds_it_loads_or_is_refused(file: Path, data: bytes) -> None:
    """Nothing but `ConfigurationError` comes out, with places that are in the file; and what loads has a topology."""
    lines = data.decode(errors="replace").split("\n")
    for problem in problems_with(file, data):
        assert problem.position
        assert 1 <= problem.position.line <= len(lines)
        assert 1 <= problem.position.column <= len(lines[problem.position.line - 1]) + 1
        assert "\n" not in str(problem)


def problems_with(file: Path, data: bytes) -> tuple[Problem, ...]:
    try:
        loaded(file, data).topology()
    except ConfigurationError as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("agent", "name is 'agent', which is the name of the agent's own keys; choose another name"),
        ("host 1", f"name is 'host 1'; it must be {HOST_NAME}"),
        ("-host1", f"name is '-host1'; it must be {HOST_NAME}"),
    ],
)
def test_a_host_s_name_can_name_its_keys(file: Path, name: str, what: str) -> None:
    """What `check` accepts, `keys` can make files for."""
    line = BARE[: BARE.index('name = "host1"')].count("\n") + 1
    assert f"x.toml:{line}:8: {what}" in complaints(file, BARE.replace('name = "host1"', f'name = "{name}"', 1))
