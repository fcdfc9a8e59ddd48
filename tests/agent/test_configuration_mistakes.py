"""Each mistake in a configuration is reported in one line that names its exact place."""

from pathlib import Path

import pytest
from support.configuration_texts import (
    BARE,
    MEMBER_2,
    MLCMD,
    MLCMD_LOGIN,
    NAME,
    PATH_FORM,
    REACTIONS_1,
    STATUS,
    VIP,
    VIP_FORM,
    complaints,
    unmarked,
)
from switchover.fsm.alarms import LOG_MESSAGES

HOST_2 = '[[hosts]]\nname = "host2"\naddress = "198.51.100.12"\n'
HOST_1 = '[[hosts]]\nname = "host1"\naddress = "198.51.100.11"\n'
ALARM_1 = '[[alarms]]\nname = "SIP_Server_1 primary"\ndetect = "00-5150"\napplication = "SIP_Server_1"\n'
PAIR_AGAIN = '[[pairs]]\nname = »"SIP Server"\n'
PIDFILE_1 = '"/run/sip-server/SIP_Server_1'
TO_PRIMARY = 'to_primary = ["/opt/sip-server/control", "SIP_Server_1", "primary"]\n'
MLCMD_STATUS = 'status = ["-getappstatus", "{application}"]'
PAGE = BARE[BARE.index('address = "127.0.0.1"') : BARE.index("[mlcmd]")]
PAGE_TLS = PAGE[PAGE.index("tls_certificate") : PAGE.index("token_file")]
PAGE_TOKEN = PAGE[PAGE.index("token_file") :]
HOST_NAME = "1 to 64 letters, digits, '_', '.' and '-', beginning with one of the first two"
HOST_FORM = "an IP address such as '198.51.100.11'"
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

# A part of the bare text; its replacement, with marks; the problem at each mark.
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
    ("settle_ms = 2500", "settle_ms = »60001", ["settle_ms is 60001; it must be an integer from 10 to 60000 ms"]),
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
        "interface is 'Local Area'; a Linux interface has 1 to 15 characters, no space, no slash",
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
        "it must be in the hosts' subnet (198.51.100.11, 198.51.100.12)",
    ]),
    (VIP, 'addresses = [»"198.51.100.12/24"]', [
        "item 1 of addresses is 198.51.100.12, the address of 'host2'; the VIP needs an address of its own",
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
    # values that must agree
    (f"{HOST_1}port = 4999\ninterface = \"eth0\"\n{HOST_2}", f"»{HOST_2}", [
        "the number of [[hosts]] is 1; a solution has exactly two",
    ]),
    (HOST_2, f"{HOST_2}»{HOST_2.replace('2', '3')}", ["the number of [[hosts]] is 3; a solution has exactly two"]),
    (HOST_2, HOST_2.replace('"host2"', '»"host1"'), [
        "name is 'host1', the name of another host; each host needs a name of its own",
    ]),
    (MEMBER_2, f"{MEMBER_2}»" + MEMBER_2.replace("SIP_Server_2", "SIP_Server_3").replace('"host2"', '»"host2"'), [
        "the number of [[pairs.members]] is 3; a pair has exactly two",
        "host is 'host2', as for another member of the pair; members must run on different hosts",
    ]),
    (MEMBER_2, MEMBER_2.replace('"host2"', '»"hots2"'), ["host is 'hots2', an unknown host; did you mean 'host2'?"]),
    (MEMBER_2, MEMBER_2.replace('"host2"', '»"host1"'), [
        "host is 'host1', as for another member of the pair; members must run on different hosts",
    ]),
    (MEMBER_2, MEMBER_2.replace('"host2"', '»"host1"').replace('"/run/sip-server/SIP_Server_2', f"»{PIDFILE_1}"), [
        "host is 'host1', as for another member of the pair; members must run on different hosts",
        "pidfile is that of 'SIP_Server_1'; each application of a host needs its own",
    ]),
    (MEMBER_2, f'{MEMBER_2}{PAIR_AGAIN}»' + MEMBER_2.replace("application = ", "application = »"), [
        "name is 'SIP Server', the name of another pair; each pair needs a name of its own",
        "the number of [[pairs.members]] is 1; a pair has exactly two",
        "application is 'SIP_Server_2', the name of another application; each application needs a name of its own",
    ]),
    ('name = "SIP_Server_1 backup"', 'name = »"SIP_Server_1 primary"', [
        "name is 'SIP_Server_1 primary', the name of another alarm; each alarm needs a name of its own",
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
        "tls_certificate needs tls_key as well; add it",
    ]),
    (PAGE, "tls_key" + PAGE_TLS.partition("tls_key")[2].replace('= "', '= »"'), [
        "tls_key needs tls_certificate as well; add it",
    ]),
    (PAGE, 'address = »"::"\n', [f"address is '::'; it must be {UNICAST}"]),
]
# fmt: on


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration") / "x.toml"


@pytest.mark.parametrize(("old", "new", "whats"), MISTAKES, ids=[f"{new:.30}" for _, new, _ in MISTAKES])
def test_a_mistake_is_reported_with_its_place(file: Path, old: str, new: str, whats: list[str]) -> None:
    """One line for each mistake: file, line, column, what is wrong, what would be right."""
    assert BARE.count(old) == 1
    text, lines = unmarked(BARE.replace(old, new), whats)
    assert complaints(file, text) == lines


def test_all_mistakes_are_reported_at_once(file: Path) -> None:
    """Mistakes within one section do not hide mistakes between others."""
    text, lines = unmarked(
        BARE.replace("detection_ms = 300", "detection_ms = »1")
        .replace('["198.51.100.10/24"]', '[»"203.0.113.10/24"]')
        .replace(REACTIONS_1, 'reactions = [{ do = »"disable", host = "host3" }]'),
        [
            "detection_ms is 1; it must be an integer from 30 to 60000 ms",
            "item 1 of addresses is in the subnet 203.0.113.0/24; "
            "it must be in the hosts' subnet (198.51.100.11, 198.51.100.12)",
            "do is 'disable'; did you mean 'disable_vip'?",
        ],
    )
    assert complaints(file, text) == lines


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("agent", "name is 'agent', which is the name of the agent's own keys; choose another name"),
        ("host 1", f"name is 'host 1'; it must be {HOST_NAME}"),
        ("-host1", f"name is '-host1'; it must be {HOST_NAME}"),
    ],
)
def test_every_valid_host_name_can_be_used_for_key_files(file: Path, name: str, what: str) -> None:
    """`keys` can make files for every name that `check` accepts."""
    line = BARE[: BARE.index('name = "host1"')].count("\n") + 1
    assert f"x.toml:{line}:8: {what}" in complaints(file, BARE.replace('name = "host1"', f'name = "{name}"', 1))
