"""The rules of the core by example. Whole states are compared."""

import itertools

import pytest
from attrs import evolve
from switchover.fsm import (
    ActivateAlarm,
    Alarm,
    AnnounceVip,
    ApplicationReported,
    Command,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CommandUnconfirmed,
    Demote,
    DisableVip,
    EnableVip,
    Event,
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
    Reaction,
    ReactionKind,
    Solution,
    SolutionState,
    StartRequested,
    StartTimer,
    SwitchoverRequested,
    TimerFired,
    Topology,
    TriggerReaction,
    VipOrder,
    VipReported,
    documented_alarms,
)

HOSTS = H1, H2 = "host1", "host2"
SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
A1, A2 = SIP.applications
P, B, D = Mode.PRIMARY, Mode.BACKUP, Mode.DOWN
TAKING_OVER = Promote(H2, A2)
FOR_HOSTS = Promote | Demote | EnableVip | DisableVip | AnnounceVip


def make(order: VipOrder = VipOrder.TOGETHER) -> Solution:
    return Solution(Topology(HOSTS, (SIP,), documented_alarms(SIP.applications, HOSTS), order))


def connected(host: str, mode: Mode, held: bool, primary_for_ms: int = 0) -> HostConnected:
    name = SIP.applications[HOSTS.index(host)]
    return HostConnected(host, HostReport({name: mode}, held, {name: primary_for_ms}))


def started(order: VipOrder = VipOrder.TOGETHER) -> Solution:
    """[S2] State prior to switchover, with the first side as primary."""
    solution = make(order)
    assert host_commands(solution, connected(H1, P, True), connected(H2, B, False)) == [AnnounceVip(H1)]
    handle(solution, oldest(solution))
    assert solution.state == WHOLE
    return solution


def state(links: str, pair: str, modes: tuple, vip: str, held: tuple, *pending: Command) -> SolutionState:
    """A state after `started`, before any cancel timeout is over; its alarms are those of `started`."""
    first, second = links.split()
    runs = {P: "up", B: "up", D: "down", None: "unknown" if pair == "out_of_sight" else "lost"}
    machine, _, side = pair.rpartition("_")
    if machine in ("redundant", "no_redundancy", "peer_lost"):
        view, placement = f"side{side}_together", f"together_{side}"
    elif pair.startswith(("cut_off", "out_of_")):
        view, placement = "nothing", "unplaced"
    else:
        view, placement = "busy", "together_1"
    return SolutionState(
        links=(first, second),
        pairs=(PairState(pair, modes),),
        applications=(runs[modes[0]], runs[modes[1]]),
        alarms=("active" if modes[0] is P else "rearmed", "clear", "clear", "clear"),
        vip=vip,
        placement=placement,
        view=view,
        vip_held=held,
        pending=pending,
    )


WHOLE = state("connected connected", "redundant_1", (P, B), "held_1", (True, False))


def handle(solution: Solution, *events: Event) -> list[Command]:
    return [command for event in events for command in solution.handle(event)]


def host_commands(solution: Solution, *events: Event) -> list[Command]:
    """The commands to hosts that follow from these events."""
    return [command for command in handle(solution, *events) if isinstance(command, FOR_HOSTS)]


def oldest(solution: Solution, failed: bool = False) -> Event:
    """The result of the command that has been pending for longest."""
    number = solution.state.pending[0].id
    return CommandFailed(number, "exit status 1") if failed else CommandSucceeded(number)


# Reactions are idempotent and directional


AS_IT_IS = [
    SwitchoverRequested(A1),
    ApplicationReported(A1, P),
    ApplicationReported(A2, B),
    VipReported(H1, held=True),
    VipReported(H2, held=False),
    HostHeard(H1),
    connected(H1, P, True),
    connected(H2, B, False),
    CommandSucceeded(99),
    CommandFailed(99, "nobody knows it"),
    CommandTimedOut(99, "nobody knows it"),
    CommandUnclear(99, "nobody knows it"),
    CommandUnconfirmed(99, "nobody knows it"),
    StartRequested(A1),
    *(TimerFired(name) for name in ("retry SIP Server", "settle SIP Server", "retry VIP", "drain VIP", "gather")),
    *(TimerFired(f"cancel {name}") for name in (f"{A1} backup", f"{A2} primary", f"{A2} backup")),
]


@pytest.mark.parametrize("event", AS_IT_IS, ids=str)
def test_an_event_that_asks_for_the_present_state_gives_no_command(event):
    solution = started()
    assert (solution.handle(event), solution.state) == ((), WHOLE)


def test_a_repeated_message_only_restarts_the_cancel_timeout_of_its_active_alarm():
    solution = started()
    for notation in ("00-5150", "5150", "00-05150"):
        assert solution.handle(LogMessageReceived(notation, A1)) == (StartTimer(f"cancel {A1} primary", 5000),)
        assert solution.state == WHOLE


def test_a_repeated_message_activates_its_cleared_alarm_and_runs_no_script():
    """One incident, one run of each VIP script, however many alarms it raises."""
    solution = started()
    alarm = f"{A1} primary"
    shown = (
        ActivateAlarm(alarm, "00-5150", A1),
        StartTimer(f"cancel {alarm}", 5000),
        TriggerReaction(alarm, ReactionKind.DISABLE_VIP, H2),
        TriggerReaction(alarm, ReactionKind.ENABLE_VIP, H1),
    )
    for notation in ("00-5150", "5150", "00-05150"):
        assert handle(solution, TimerFired(f"cancel {alarm}")) == []
        assert (solution.handle(LogMessageReceived(notation, A1)), solution.state) == (shown, WHOLE)
    backup = solution.handle(LogMessageReceived("00-5151", A2))
    assert [type(command) for command in backup] == [ActivateAlarm, StartTimer, TriggerReaction]
    assert solution.state == evolve(WHOLE, alarms=("active", "clear", "clear", "active"))


def test_a_message_that_the_backup_became_primary_starts_a_switchover():
    """An SCS that switches the modes itself reports it with 00-5150: the VIP follows as in a manual switchover."""
    by_request, by_message = started(), started()
    assert by_message.handle(LogMessageReceived("00-5150", A2)) == by_request.handle(SwitchoverRequested(A2))
    assert by_message.state == by_request.state


def test_a_message_that_the_primary_became_backup_is_ignored():
    """In [S2] the other application's 00-5150 follows, and that one counts."""
    solution = started()
    assert solution.handle(LogMessageReceived("00-5151", A1)) == ()
    assert solution.state == WHOLE
    assert [step.decision.reason for step in solution.steps] == [
        "the message contradicts the host's report, which counts"
    ]


@pytest.mark.parametrize(("event_id", "application"), [*itertools.product(("00-5150", "00-5151"), SIP.applications)])
def test_no_message_from_outside_counts_during_a_switchover(event_id, application):
    solution = started()
    handle(solution, SwitchoverRequested(A2))
    before = solution.state
    assert (solution.handle(LogMessageReceived(event_id, application)), solution.state) == ((), before)


def test_reactions_follow_the_user_s_own_wiring():
    """With an alarm condition of the user: the backup message of side 1 enables the VIP on its host."""
    alarms = (Alarm("odd", "5151", A1, (Reaction(ReactionKind.ENABLE_VIP, H1),)),)
    solution = Solution(Topology(HOSTS, (SIP,), alarms))
    handle(solution, connected(H1, B, False), connected(H2, P, False))
    assert solution.state.vip == "off"
    assert host_commands(solution, LogMessageReceived("00-5151", A1)) == [EnableVip(H1)]
    assert solution.state.vip == "enabling_1"


# A manual switchover, and what may happen during it


def test_a_second_request_during_a_switchover_changes_nothing():
    solution = started()
    assert host_commands(solution, SwitchoverRequested(A2)) == [Demote(H1, A1)]
    for phase in ("demoting_2", "promoting_2"):
        before = solution.state
        assert before.pairs[0].state == phase
        reasons = []
        for name in (A2, A1):
            assert (solution.handle(SwitchoverRequested(name)), solution.state) == ((), before)
            reasons.append(solution.steps[0].decision.reason)
        assert reasons == [
            "it is being made primary already",
            "a switchover is under way: ask again afterwards",
        ]
        handle(solution, oldest(solution))
    assert solution.state.pairs[0].state == "redundant_2"


@pytest.mark.parametrize(
    ("failed", "commands", "pair"),
    [
        ("Demote", [Demote(H1, A1)], "redundant_1"),
        ("Promote", [Demote(H1, A1), Promote(H2, A2), Promote(H1, A1)], "redundant_1"),
    ],
)
def test_a_failed_switchover_leaves_the_old_primary_in_charge_with_the_vip(failed, commands, pair):
    solution = started()
    given = host_commands(solution, SwitchoverRequested(A2))
    while solution.state.pending:
        refuses = type(solution.state.pending[0]).__name__ == failed and solution.state.pending[0].application != A1
        refuses = refuses or (failed == "Demote" and isinstance(solution.state.pending[0], Demote))
        given += host_commands(solution, oldest(solution, failed=refuses))
    assert (given, solution.state) == (commands, WHOLE)


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([ApplicationReported(A2, D)], "that application is down: no switch to it"),
        ([HostLost(H2)], "that application's host is lost: no switch to it"),
        ([HostLeft(H2)], "that application's host is lost: no switch to it"),
    ],
)
def test_nothing_is_switched_to_a_worse_side(events, reason):
    solution = started()
    assert handle(solution, *events) == []
    before = solution.state
    assert (solution.handle(SwitchoverRequested(A2)), solution.state) == ((), before)
    assert [step.decision.reason for step in solution.steps] == [reason]


# Results and connections


def test_the_late_result_of_an_older_command_changes_nothing():
    """A command on a lost connection has no result any more, and its id is never used again."""
    solution = started()
    (demote,) = host_commands(solution, SwitchoverRequested(A2))
    assert host_commands(solution, HostLost(H1)) == [TAKING_OVER]
    assert host_commands(solution, oldest(solution)) == [EnableVip(H2)]
    (again,) = host_commands(solution, connected(H1, P, True))
    assert (again, again.id > demote.id) == (demote, True)  # the same request, but a new command
    before = solution.state
    for event in (CommandSucceeded(demote.id), CommandFailed(demote.id, "late")):
        assert (solution.handle(event), solution.state, solution.steps) == ((), before, ())


def test_a_command_pending_when_its_host_reconnects_counts_as_failed():
    solution = started()
    handle(solution, SwitchoverRequested(A2))
    assert host_commands(solution, connected(H1, P, True)) == []
    assert solution.state == WHOLE  # the demotion failed, so the switchover was given up


def test_a_result_that_arrives_twice_counts_once():
    solution = started()
    handle(solution, SwitchoverRequested(A2))
    result = oldest(solution)
    handle(solution, result)
    before = solution.state
    assert (solution.handle(result), solution.state) == ((), before)


CHAINS = {
    "the backup fails, then its host is lost": (
        [ApplicationReported(A2, D), HostLost(H2)],
        [],
        state("connected lost", "peer_lost_1", (P, None), "owed_1", (True, None)),
    ),
    "the backup's host is lost, then the primary fails": (
        [HostLost(H2), ApplicationReported(A1, D)],
        [],
        state("connected lost", "cut_off_1", (D, None), "owed_1", (True, None)),
    ),
    "the primary fails, then its host is lost": (
        [ApplicationReported(A1, D), HostLost(H1)],
        [TAKING_OVER],
        state("lost connected", "taking_over_lost_2", (None, B), "absent_2", (None, False), TAKING_OVER),
    ),
    "the primary fails, then the host that takes over is lost": (
        [ApplicationReported(A1, D), HostLost(H2)],
        [TAKING_OVER],
        state("connected lost", "cut_off_1", (D, None), "owed_1", (True, None)),
    ),
    "both fail": (
        [ApplicationReported(A1, D), ApplicationReported(A2, D)],
        [TAKING_OVER],
        state("connected connected", "out_of_service", (D, D), "held_1", (True, False), TAKING_OVER),
    ),
    "the host of the one to be demoted leaves": (
        [SwitchoverRequested(A2), HostLeft(H1)],
        [Demote(H1, A1), TAKING_OVER],
        state("lost connected", "taking_over_lost_2", (None, B), "absent_2", (None, False), TAKING_OVER),
    ),
    "the VIP vanishes without a command": (
        [VipReported(H1, held=False)],
        [EnableVip(H1)],
        state("connected connected", "redundant_1", (P, B), "enabling_1", (False, False), EnableVip(H1)),
    ),
    "the VIP appears on the other host without a command": (
        [VipReported(H2, held=True)],
        [DisableVip(H2)],
        state("connected connected", "redundant_1", (P, B), "releasing_1", (True, True), DisableVip(H2)),
    ),
    "the backup is promoted from outside": (
        [ApplicationReported(A2, P)],
        [Demote(H2, A2)],
        state("connected connected", "split_brain_1", (P, P), "held_1", (True, False), Demote(H2, A2)),
    ),
    "the primary is demoted from outside": (
        [ApplicationReported(A1, B)],
        [Promote(H1, A1)],
        state("connected connected", "both_backup_1", (B, B), "held_1", (True, False), Promote(H1, A1)),
    ),
}


@pytest.mark.parametrize(("events", "commands", "after"), CHAINS.values(), ids=CHAINS)
def test_a_chain_of_faults_leads_to_this_state_by_these_commands(events, commands, after):
    solution = started()
    assert (host_commands(solution, *events), solution.state) == (commands, after)


# Silence


SILENCE = [HostFellSilent(H1), HostFellSilent(H2)]


def test_one_silent_link_moves_nothing_and_may_recover():
    solution = started()
    assert handle(solution, HostFellSilent(H1)) == []
    assert solution.state == evolve(WHOLE, links=("silent", "connected"))
    assert handle(solution, HostHeard(H1)) == []
    assert solution.state == WHOLE


def test_when_both_links_are_silent_nothing_is_promoted_and_the_agent_is_blind():
    solution = started()
    assert handle(solution, *SILENCE, HostLost(H1)) == []
    assert solution.state == evolve(WHOLE, links=("doubtful", "silent"))
    assert handle(solution, HostLost(H2)) == []
    assert solution.state == state("lost lost", "out_of_sight", (None, None), "out_of_sight", (None, None))


def test_a_doubtful_host_is_lost_as_soon_as_the_other_host_is_heard_again():
    solution = started()
    handle(solution, *SILENCE, HostLost(H1))
    assert host_commands(solution, HostHeard(H2)) == [TAKING_OVER]
    assert solution.state == state(
        "lost connected", "taking_over_lost_2", (None, B), "absent_2", (None, False), TAKING_OVER
    )


@pytest.mark.parametrize("back", [(H1, H2), (H2, H1)])
def test_a_blind_agent_adopts_both_hosts_and_only_announces_the_vip(back):
    solution = started()
    handle(solution, *SILENCE, HostLost(H1), HostLost(H2))
    reports = {H1: connected(H1, P, True), H2: connected(H2, B, False)}
    assert host_commands(solution, *(reports[host] for host in back)) == [AnnounceVip(H1)]
    assert solution.state == evolve(WHOLE, pending=(AnnounceVip(H1),))
