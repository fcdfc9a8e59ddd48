"""The table of fixed limits in `docs/configuration.md` has the values of the code."""

from pathlib import Path

import pytest
from switchover.agent.controller import agent, clients, followers, operator_socket
from switchover.agent.daemons import log_writer
from switchover.agent.history import incidents, writer
from switchover.agent.host import lca
from switchover.agent.page import access, application, connection, guard, helpers, server
from switchover.drivers.control import processes, programs
from switchover.drivers.link import lca_end, session, wire
from switchover.drivers.link.silence import LinkTiming, detection_ms_for
from switchover.drivers.scs import log, records, spool
from switchover.drivers.vip import claims

TIMING = LinkTiming(detection_ms=1000)
KIB = 1024

VALUES = {
    "round trip to a host, advisable": f"`detection_ms` / {1000 // TIMING.round_trip_ms}",
    "round trip to a host, at most": f"`detection_ms` / {1000 // TIMING.connect_ms}",
    "silence of a host before the agent tries a second connection": f"`detection_ms` / {1000 // TIMING.silent_ms}",
    "answer of a host after a command's deadline": f"{agent.ANSWER_MARGIN_MS} ms, or `detection_ms`",
    "report of a host": f"{lca_end.REPORT_MS // 1000} s, or two `command_deadline_ms`",
    "message between agent and LCA": f"{wire.MAX_BYTES // KIB} KiB (some 250 applications per host)",
    "messages that are not acknowledged yet": f"{session.MAX_UNHEARD}",
    "events while a host's report is made": f"{lca_end.HELD_BACK}",
    "output of a control command that is kept": f"{programs.OUTPUT_LIMIT // KIB} KiB",
    "records of a daemon's log that nobody reads": f"{log_writer.WAITING}",
    "call of the kernel": "`command_deadline_ms` / 2",
    "look at the VIP, and at modes beside a pidfile, at rest": f"every {lca.REST_MS // 1000} s",
    "look at the VIP after one that failed": f"every {lca.RETRY_MS // 1000} s",
    "process younger than its pidfile": f"{processes.START_TOLERANCE_S:g} s",
    "claims of the VIP by others": f"{claims.CLAIMS_PER_SECOND} per second",
    "connections to the operators' socket": f"{clients.CLIENTS}",
    "... of one process": f"{clients.SHARE}",
    "request on the operators' socket, and reading its reply": f"{operator_socket.WITHIN_S:g} s, "
    f"{operator_socket.LONGEST_LINE // KIB} KiB",
    "clients that follow the agent": f"{followers.FOLLOWERS}, of one process {clients.FOLLOWING}",
    "follower that does not read": f"{followers.PATIENCE_S:g} s",
    "messages in the spool": f"{spool.MOST_MESSAGES}, of {spool.LARGEST // KIB} KiB each",
    "look at the SCS's log, at the spool": f"every {log.LOOK_EVERY_MS} ms, every {spool.LOOK_EVERY_S:g} s",
    "line of the SCS's log": f"{records.LONGEST_LINE // KIB} KiB",
    "incidents that the agent keeps": f"{agent.INCIDENTS_KEPT}",
    "events of an incident that the agent keeps": f"{incidents.EVENTS_KEPT}",
    "events of an incident that `switchover why` shows": f"{incidents.EVENTS_READ}",
    "events that wait for the journal": f"{writer.BOUND}",
    "what the agent waits for the journal's file": f"{writer.OPEN_WITHIN_S:g} s at the start, "
    f"{writer.CLOSE_WITHIN_S:g} s at the end",
    "connections to the page, streams": f"{server.CONNECTIONS}, {application.STREAMS}",
    "requests to the page": f"{guard.PER_S:g} per second",
    "login on the page": f"{access.SESSION_S // 3600} h",
    "what the agent sent to the page": f"{connection.STALE_S:g} s",
    "drawing of a diagram for the page": f"{helpers.WITHIN_S:g} s",
}


@pytest.fixture
def documented() -> dict[str, str]:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    table = text.partition("## Fixed limits")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {name: value for name, value, _ in rows[2:]}


def test_every_documented_limit_is_the_one_of_the_code(documented):
    assert documented == VALUES


def test_the_advised_detection_time_makes_the_round_trip_an_advisable_one():
    for round_trip_ms in (3, 40, 333):
        assert LinkTiming(detection_ms_for(round_trip_ms)).round_trip_ms == round_trip_ms
