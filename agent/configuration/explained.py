"""What each key of the configuration means, in words, with an example: the part of the reference that no type says.

The tables are in the order in which the reference shows them. `limits` stand here for the keys of classes outside
this room, which check them by themselves; a test tries each limit.
"""

from collections.abc import Mapping

from attrs import field, frozen


@frozen
class Explained:
    """A key: what it means, and an example as it is written in TOML. `limits`: see `Rule`. `form`: what it must be."""

    meaning: str
    example: str
    limits: tuple[int, int] | None = None
    form: str = ""


@frozen
class Table:
    """A table of the file: what it is for, and its keys."""

    meaning: str
    keys: Mapping[str, Explained] = field(repr=False)


_FIELD = "with the field `{application}`, and no other"
_CONTROL = '["/opt/sip-server/control", "SIP_Server_1", "{}"]'

TABLES: Mapping[str, Table] = {
    "solution": Table(
        "The name of the solution and its times.",
        {
            "name": Explained("The solution's name in messages, in the journal and on the page.", '"SIP solution"'),
            "outside": Explained(
                "Applications on neither host. Log messages about them may come, and alarm conditions may name them.",
                '["Premise_SIP_Server"]',
            ),
            "reactions": Explained(
                "`once`: an alarm reacts once per incident, and a script that has nothing to do is not run."
                " `literal`: as"
                " an SCS does, which does not react while the alarm is active; for comparison only.",
                '"once"',
            ),
            "detection_ms": Explained(
                "A host that was not heard for this time is lost, and the other side takes over. After half of it the"
                " host is silent, which moves nothing. A shorter time is a faster takeover, and a busy network is"
                " sooner"
                " taken for a dead host.",
                "100",
            ),
            "settle_ms": Explained(
                "After neither host was heard and one is back: how long the agent waits for the other one before it"
                " decides who is primary. Longer than `detection_ms`, and than `command_deadline_ms`, which a host may"
                " take to ask its applications for their modes.",
                "12000",
            ),
            "retry_ms": Explained("How long after a command failed it is given again.", "5000"),
            "command_deadline_ms": Explained(
                "How long a control command or a VIP script may take before it counts as failed.", "10000"
            ),
            "start_deadline_ms": Explained("How long starting or stopping an application may take.", "120000"),
        },
    ),
    "vip": Table(
        "The Virtual IP: its addresses, and how they move.",
        {
            "addresses": Explained(
                "IPv4 and IPv6 addresses, each with the prefix length of its subnet. They move together. The hosts are"
                " in that subnet, and no host has one of them as its own.",
                '["198.51.100.10/24", "2001:db8::10/64"]',
            ),
            "order": Explained(
                "`together`: both scripts at once, as [S2] describes it. `disable-first`: never two reachable holders,"
                " and none for a moment. `enable-first`: never none, and two for a moment.",
                '"enable-first"',
            ),
            "drain_ms": Explained(
                "With `enable-first`: how long the old holder may still answer what it has received.", "50"
            ),
            "addresses_by": Explained(
                "What puts the addresses on the interface: `ip`, `subinterface` (`ifconfig eth0:1`) or `netsh` (the"
                " commands of Windows, where the LCA itself does not run yet).",
                '"ip"',
            ),
        },
    ),
    "vip.announce": Table(
        "How the host that got the VIP announces it, so that neighbours send to it. The defaults are those"
        " of keepalived.",
        {
            "count": Explained("How many frames of each form are sent.", "5", (1, 100)),
            "interval_ms": Explained("How far apart they are; 0 sends them at once.", "0", (0, 10_000)),
            "again_after_ms": Explained(
                "When to announce once more: the first frames can get lost while a switch port comes up.",
                "5000",
                (1, 600_000),
            ),
            "again_count": Explained("How many frames of each form are sent then; 0 for none.", "5", (0, 100)),
            "forms": Explained(
                "The forms of a gratuitous ARP, one or both: some neighbours learn from only one of them. IPv6 has one"
                " form, and needs no choice.",
                '["request"]',
            ),
        },
    ),
    "hosts": Table(
        "The two hosts: `[[hosts]]` exactly twice. The first is side 1 and the second is side 2 wherever"
        " sides are shown.",
        {
            "name": Explained("The host's name; its key files have it too.", '"host1"'),
            "address": Explained("The IP address on which the LCA listens for the agent.", '"198.51.100.11"'),
            "port": Explained("Its TCP port.", "5999"),
            "interface": Explained("The network interface that carries the VIP.", '"bond0"'),
        },
    ),
    "pairs": Table(
        "The pairs of applications: `[[pairs]]` once or more often.",
        {
            "name": Explained("The pair's name.", '"SIP Server"'),
            "kind": Explained(
                "`redundant`: one application is primary and one is backup. `monitored`: each is up or down, and has no"
                " mode.",
                '"monitored"',
            ),
        },
    ),
    "pairs.members": Table(
        "The applications of a pair: `[[pairs.members]]` exactly twice, one on each host. A command is a"
        " program with its"
        " arguments; no shell reads it.",
        {
            "application": Explained(
                "The application's name in alarms, messages and operators' commands.", '"SIP_Server_1"'
            ),
            "host": Explained("The host that it runs on: a name from `[[hosts]]`.", '"host1"'),
            "pidfile": Explained(
                "The file with the process id of the running application, by which the LCA watches it. It can be"
                " left out"
                " where there is `status` or `ocf`; that is then asked every `look_every_ms`.",
                '"/run/sip-server/SIP_Server_1.pid"',
            ),
            "to_primary": Explained(
                "The command that makes it primary; exit status 0 once that is done.", _CONTROL.format("primary")
            ),
            "to_backup": Explained("The command that makes it backup, likewise.", _CONTROL.format("backup")),
            "status": Explained(
                "The command that prints `primary` or `backup`. Without it an application that runs counts as backup"
                " until"
                " `to_primary` was done. For a monitored one, exit status 0 means up.",
                _CONTROL.format("status"),
            ),
            "start": Explained("The command behind `switchover start`.", _CONTROL.format("start")),
            "stop": Explained("The command behind `switchover stop`.", _CONTROL.format("stop")),
            "look_every_ms": Explained("Without a pidfile: how often it is asked whether it runs.", "500"),
            "mlcmd": Explained(
                "On a Genesys site: the application's name (from Management Framework 8.1.1) or DBID, for `mlcmd`,"
                " which"
                " takes the place of `to_primary`, `to_backup` and `status`.",
                '"SIP_Server_1"',
            ),
        },
    ),
    "pairs.members.ocf": Table(
        "An OCF resource agent, in the place of all commands.",
        {
            "agent": Explained("The agent's file.", '"/usr/lib/ocf/resource.d/heartbeat/redis"'),
            "parameters": Explained("Its parameters.", '["config=/etc/redis/redis.conf"]', form="each `name=value`"),
        },
    ),
    "agent": Table(
        "Files of the agent.",
        {
            "journal": Explained(
                "The journal: every event, decision, command and result, an SQLite database.",
                '"/var/lib/switchover/journal.sqlite"',
            ),
            "journal_keep_days": Explained("Entries of the journal that are older are deleted.", "90"),
            "journal_max_mb": Explained(
                "The oldest entries are deleted when the journal is larger, in millions of bytes.", "200"
            ),
            "socket": Explained(
                "Where the agent listens for operators' commands: a Unix socket, 107 bytes at most.",
                '"/run/switchover/agent.sock"',
            ),
            "keys": Explained(
                "The directory of the keys by which agent and hosts know each other.", '"/etc/switchover/keys"'
            ),
            "spool": Explained(
                "Where `switchover event` leaves messages while no agent runs.", '"/var/lib/switchover/spool"'
            ),
            "spool_max_age_s": Explained(
                "Messages that are older than this when an agent comes are dropped: they may no longer be true.", "30"
            ),
        },
    ),
    "mlcmd": Table(
        "On a Genesys site: how the agent calls `mlcmd`. The names of operations are this project's own"
        " choice and were not"
        " tried against the vendor's program.",
        {
            "cshost": Explained("Configuration Server's host.", '"config.example"'),
            "csport": Explained("Configuration Server's port.", "2020", (1, 65_535)),
            "csuser": Explained("Who logs in there.", '"switchover"'),
            "csappname": Explained("The application object by which the login is made.", '"default"'),
            "program": Explained(
                "`mlcmd` itself, with any arguments that go before all others.", '["/opt/genesys/scs/mlcmd"]'
            ),
            "password_file": Explained(
                "A file that only its owner can read, with the password on its one line. Either this or"
                " `password_env`.",
                '"/etc/switchover/mlcmd.password"',
            ),
            "password_env": Explained("The agent's environment variable that has the password.", '"MLCMD_PASSWORD"'),
            "to_primary": Explained(
                "The operation that makes an application primary; `{application}` is its name or DBID.",
                '["-switchover", "{application}"]',
                form=_FIELD,
            ),
            "to_backup": Explained(
                "The operation that makes it backup. Without one it becomes backup when its peer is switched to"
                " primary.",
                '["-tobackup", "{application}"]',
                form=_FIELD,
            ),
            "status": Explained(
                "The operation that prints its mode.", '["-getappstatus", "{application}"]', form=_FIELD
            ),
        },
    ),
    "scs_log": Table(
        "To follow the log of a Genesys SCS, which needs `message_format = full`.",
        {
            "file": Explained("The log file: a fixed name, or a symbolic link of one.", '"/var/log/genesys/scs.log"'),
            "bookmark": Explained("The file that keeps how far it was read.", '"/var/lib/switchover/scs_log.bookmark"'),
        },
    ),
    "page": Table(
        "The live page, with `/metrics` and `/health`. It needs the extra `page`. An address that is not"
        " loopback needs all"
        " of `tls_certificate`, `tls_key` and `token_file`.",
        {
            "address": Explained("The IP address on which it is served.", '"198.51.100.20"'),
            "port": Explained("Its TCP port.", "8443"),
            "names": Explained("Host names by which browsers ask for it, besides the address.", '["scs.example"]'),
            "tls_certificate": Explained("The certificate, in PEM.", '"/etc/switchover/page.crt"'),
            "tls_key": Explained("Its key, in PEM.", '"/etc/switchover/page.key"'),
            "token_file": Explained(
                "A file that only its owner can read, with the token on its one line, 16 characters or more.",
                '"/etc/switchover/page.token"',
            ),
        },
    ),
    "alarms": Table(
        "Alarm conditions: which log message about which application runs which reactions. Without any `[[alarms]]` the"
        " first redundant pair is wired as [S2] describes it; with any, only those in the file count.",
        {
            "name": Explained("The alarm's name.", '"SIP_Server_1 primary"'),
            "detect": Explained(
                "The event id of the message: `00-5150` and `00-4563` (became primary), `00-5151` and `00-4561` (became"
                " backup), `00-5091` and `00-5064` (terminated), `00-5090` (started). `5150` and `00-05150` will do.",
                '"00-5150"',
            ),
            "application": Explained(
                "The application that the message is about.",
                '"SIP_Server_1"',
                form="an application of a pair, or of `outside`",
            ),
            "cancel": Explained("The message about the same application that ends the alarm.", '"00-5151"'),
            "cancel_timeout_ms": Explained("After how long the alarm ends by itself.", "5000"),
        },
    ),
    "alarms.reactions": Table(
        "What an alarm does, in an array of inline tables. In which order the VIP scripts run is for `[vip] order`.",
        {
            "do": Explained("What is done.", '"enable_vip"'),
            "host": Explained("For a VIP script: the host on which it runs.", '"host1"', form="a host's name"),
            "application": Explained(
                "For `to_primary`: the application that is made primary.",
                '"SIP_Server_1"',
                form="an application of a redundant pair",
            ),
        },
    ),
}
