"""State is a value: it can be stored, compared and resumed; a refused event changes nothing; the core is pure."""

import pickle
import re
import subprocess
import sys

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from switchover.fsm import (
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CommandUnconfirmed,
    CoreError,
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    Pair,
    PairState,
    Promote,
    Solution,
    SolutionState,
    StartRequested,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    Topology,
    VipOrder,
    VipReported,
    documented_alarms,
)

HOSTS = H1, H2 = ("host1", "host2")
SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
A1, A2 = SIP.applications
MODES = (Mode.PRIMARY, Mode.BACKUP, Mode.DOWN)
FOR_HOSTS = HostCommand


def report(host: str, mode: Mode, held: bool) -> HostReport:
    return HostReport({SIP.applications[HOSTS.index(host)]: mode}, held)


def make(order: VipOrder = VipOrder.TOGETHER) -> Solution:
    return Solution(Topology(HOSTS, (SIP,), documented_alarms(SIP.applications, HOSTS), order))


REPORTED = [
    HostConnected(H1, report(H1, Mode.PRIMARY, held=True)),
    HostConnected(H2, report(H2, Mode.BACKUP, held=False)),
]
"""[S2] State prior to switchover, with the first side as primary."""


def started() -> Solution:
    solution = make()
    for event in REPORTED:
        solution.handle(event)
    (announce,) = solution.state.pending
    solution.handle(CommandSucceeded(announce.id))
    assert solution.state == WHOLE
    return solution


EVENTS = [
    *(HostConnected(host, report(host, mode, held)) for host in HOSTS for mode in MODES for held in (True, False)),
    *(event(host) for host in HOSTS for event in (HostFellSilent, HostHeard, HostLost, HostLeft)),
    *(ApplicationReported(name, mode) for name in SIP.applications for mode in MODES),
    *(VipReported(host, held) for host in HOSTS for held in (True, False)),
    *(SwitchoverRequested(name) for name in (*SIP.applications, "nobody")),
    *(LogMessageReceived(number, name) for number in ("5150", "5151") for name in SIP.applications),
    *(event(name) for name in SIP.applications for event in (StartRequested, StopRequested)),
    *(TimerFired(name) for name in ("retry SIP Server", "settle SIP Server", "retry VIP", "drain VIP", "gather")),
    *(TimerFired(f"cancel {name} {mode}") for name in SIP.applications for mode in ("primary", "backup")),
    *(CommandSucceeded(number) for number in range(1, 9)),
    *(
        event(number, "exit status 1")
        for number in range(1, 9)
        for event in (CommandFailed, CommandTimedOut, CommandUnclear, CommandUnconfirmed)
    ),
]


@given(st.sampled_from(VipOrder), st.booleans(), st.lists(st.sampled_from(EVENTS), max_size=30))
def test_a_stored_state_can_be_resumed_and_a_refused_event_changes_nothing(order, both, events):
    """The same state and event always give the same state, commands and steps, and every id is used once."""
    solution, given = make(order), []
    for event in [*(REPORTED if both else []), *events]:
        before, number = solution.state, solution.state.next_id
        other = Solution(solution.topology, pickle.loads(pickle.dumps(before)))  # noqa: S301  # written just now
        try:
            commands = solution.handle(event)
        except CoreError as error:
            assert (solution.state, solution.state.next_id) == (before, number)
            with pytest.raises(type(error), match="^" + re.escape(str(error)) + "$"):
                other.handle(event)
            assert other.state == before
            continue
        assert (other.handle(event), other.state, other.steps) == (commands, solution.state, solution.steps)
        assert (hash(other.state), other.state.next_id) == (hash(solution.state), solution.state.next_id)
        given += [command.id for command in commands if isinstance(command, FOR_HOSTS)]
        assert {command.id for command in solution.state.pending} <= set(given)
    assert given == list(range(1, len(given) + 1))


WHOLE = SolutionState(
    links=("connected", "connected"),
    pairs=(PairState("redundant_1", (Mode.PRIMARY, Mode.BACKUP)),),
    applications=("up", "up"),
    alarms=("active", "clear", "clear", "clear"),
    vip="held_1",
    placement="together_1",
    view="side1_together",
    vip_held=(True, False),
)


def test_states_that_differ_in_anything_but_the_next_id_are_different():
    changes = [
        {"links": ("connected", "silent")},
        {"applications": ("up", "down")},
        {"alarms": ("rearmed", "clear", "clear", "clear")},
        {"vip": "off"},
        {"placement": "unplaced"},
        {"view": "busy"},
        {"vip_held": (True, None)},
        {"pending": (Promote("host2", "SIP_Server_2"),)},
    ]
    pairs = [{"state": "demoting_2"}, {"modes": (Mode.PRIMARY, Mode.DOWN)}, {"primary_for_ms": (1, 0)}]
    changes += [{"pairs": (evolve(WHOLE.pairs[0], **change),)} for change in pairs]
    changed = [evolve(WHOLE, **change) for change in changes]
    assert len({WHOLE, *changed}) == 1 + len(changes)
    assert {WHOLE, evolve(WHOLE, next_id=77)} == {WHOLE}


REFUSED = [
    (
        ApplicationReported("SIP_Server_3", Mode.PRIMARY),
        "unknown application 'SIP_Server_3'; known are SIP_Server_1, SIP_Serv",
    ),
    (SwitchoverRequested(""), "unknown application ''"),
    (LogMessageReceived("00-5150", "x"), "unknown application 'x'"),
    (LogMessageReceived("00-4564", A1), "unknown event id '00-4564'; known are 00-5150, 00-4563, 00-5151"),
    (HostConnected(H1, HostReport({A1: Mode.UP}, vip_held=True)), "SIP_Server_1 cannot be up: it is primary, backup"),
    (StartRequested("x"), "unknown application 'x'"),
    (StopRequested("x"), "unknown application 'x'"),
    (HostConnected("host3", HostReport({}, vip_held=False)), "unknown host 'host3'; known are host1, host2"),
    (HostConnected(H1, HostReport({A2: Mode.PRIMARY}, vip_held=False)), "a report of host1 must name SIP_Server_1"),
    (HostConnected(H1, HostReport({}, vip_held=True)), "a report of host1 must name SIP_Server_1"),
    (VipReported("host3", held=True), "unknown host"),
    (HostLost("host3"), "unknown host"),
    (TimerFired("tea"), "unknown timer 'tea'"),
    (TimerFired("settle VIP"), "unknown timer"),
    (TimerFired("drain SIP Server"), "unknown timer"),
    (TimerFired("cancel tea"), "unknown timer"),
    (TimerFired("gather SIP Server"), "unknown timer"),
]


@pytest.mark.parametrize(("event", "reason"), REFUSED, ids=[str(event) for event, _ in REFUSED])
@pytest.mark.parametrize("make_solution", [make, started])
def test_an_event_with_an_unknown_name_is_refused_and_changes_nothing(make_solution, event, reason):
    solution = make_solution()
    before, steps = solution.state, solution.steps
    with pytest.raises(CoreError, match=f"^{reason}"):
        solution.handle(event)
    assert (solution.state, solution.steps) == (before, steps)
    assert solution.state.next_id == before.next_id


def test_an_application_of_a_redundant_pair_is_never_just_up():
    solution = started()
    with pytest.raises(CoreError, match=r"^SIP_Server_1 cannot be up: it is primary, backup or down$"):
        solution.handle(ApplicationReported(A1, Mode.UP))
    assert solution.state == WHOLE


@pytest.mark.parametrize("event", [ApplicationReported(A1, Mode.DOWN), VipReported(H1, held=False)], ids=str)
@pytest.mark.parametrize(
    "after",
    [[], [HostLost(H1)], [HostFellSilent(H1), HostFellSilent(H2), HostLost(H1)]],
    ids=["never", "lost", "doubtful"],
)
def test_a_report_of_a_host_that_is_not_connected_is_refused(event, after):
    solution = started() if after else make()
    for happening in after:
        solution.handle(happening)
    before = solution.state
    with pytest.raises(CoreError, match="host1 is not connected: what it says now does not count"):
        solution.handle(event)
    assert solution.state == before


@pytest.mark.parametrize("event", [HostFellSilent(H1), HostHeard(H1), HostLost(H1), HostLeft(H1)], ids=str)
def test_a_lost_connection_can_change_nothing_more(event):
    solution = started()
    solution.handle(HostLost(H1))
    before = solution.state
    with pytest.raises(CoreError, match="host link"):
        solution.handle(event)
    assert solution.state == before


def run(program: str) -> str:
    """The output of a program, run without the environment, in which coverage would import itself."""
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={})  # noqa: S603
    return done.stdout


def test_importing_the_core_imports_nothing_that_reaches_outside():
    program = "import sys; import switchover.fsm; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    imported = set(run(program).split())
    assert imported & {"scapy", "zmq", "sqlite3", "asyncio", "socket", "subprocess", "numpy"} == set()
    assert {"switchover", "attrs"} <= imported


def test_importing_the_core_builds_no_table_and_no_machine():
    run(
        "import sys; from attrs import asdict\n"
        "from switchover.fsm import *; from switchover.fsm.handling import MACHINES\n"
        "tables = asdict(MACHINES, recurse=False).values()\n"
        "assert 'transitions' not in sys.modules and not any('decisions' in vars(table) for table in tables)\n"
        "Solution(voicemail_topology())\n"
        "assert 'transitions' in sys.modules and all('machine' in vars(table) for table in tables)"
    )
