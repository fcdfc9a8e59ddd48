"""A topology that is not consistent is refused, and every event and command has a text of its own."""

import pytest
from attrs import evolve
from switchover.fsm import (
    ActivateAlarm,
    Alarm,
    AnnounceVip,
    ApplicationReported,
    CommandFailed,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
    CommandUnconfirmed,
    CoreError,
    Demote,
    DisableVip,
    EnableVip,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LogMessageReceived,
    LookAt,
    Mode,
    Pair,
    Promote,
    Reaction,
    ReactionKind,
    Solution,
    Start,
    StartRequested,
    StartTimer,
    Stop,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    Topology,
    TriggerReaction,
    VipReported,
    WriteLog,
    documented_alarms,
)
from switchover.fsm.records import describe_command, describe_event

HOSTS = ("host1", "host2")
SIP, VM = Pair("SIP Server", ("SIP_1", "SIP_2")), Pair("VM Server", ("VM_1", "VM_2"))
RM = Pair("Resource Manager", ("RM_1", "RM_2"))
GOOD = Topology(HOSTS, (SIP, VM), documented_alarms(SIP.applications, HOSTS))
ALARM = Alarm("a", "00-5150", "SIP_1", (Reaction(ReactionKind.ENABLE_VIP, "host1"),))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"hosts": ("host1", "host1")}, "two hosts are named 'host1'"),
        ({"pairs": (SIP, evolve(VM, name="SIP Server"))}, "two pairs are named 'SIP Server'"),
        ({"pairs": (SIP, evolve(VM, applications=("VM_1", "SIP_1")))}, "two applications are named 'SIP_1'"),
        ({"pairs": (SIP, evolve(VM, name="VIP"))}, "'VIP' is the name of the Virtual IP"),
        ({"pairs": (SIP, evolve(VM, applications=("VIP", "VM_2")))}, "'VIP' is the name of the Virtual IP"),
        ({"pairs": (), "alarms": ()}, "a solution needs at least one pair"),
        ({"alarms": (ALARM, ALARM)}, "two alarms are named 'a'"),
        ({"monitored": (evolve(RM, name="VM Server"),)}, "two pairs are named 'VM Server'"),
        ({"monitored": (evolve(RM, applications=("RM_1", "VM_2")),)}, "two applications are named 'VM_2'"),
        ({"outside": ("RM_1",), "monitored": (RM,)}, "two applications are named 'RM_1'"),
        ({"outside": ("VIP",)}, "'VIP' is the name of the Virtual IP"),
        ({"alarms": (evolve(ALARM, cancel="00-1"),)}, "unknown event id '00-1'; known are 00-5150, 00-4563, 00-5151"),
        ({"alarms": (evolve(ALARM, cancel_timeout_ms=0),)}, "the cancel_timeout_ms of alarm 'a' must be above 0"),
        (
            {"alarms": (evolve(ALARM, reactions=(Reaction(ReactionKind.TO_PRIMARY, application="RM_1"),)),)}
            | {"monitored": (RM,)},
            "alarm 'a' names the unknown application of a redundant pair 'RM_1'; known are SIP_1, SIP_2, VM_1, VM_2",
        ),
        ({"alarms": (evolve(ALARM, detect="00-1"),)}, "unknown event id '00-1'; known are 00-5150, 00-4563, 00-5151"),
        (
            {"alarms": (evolve(ALARM, application="x"),)},
            "alarm 'a' names the unknown application 'x'; known are SIP_1, ",
        ),
        (
            {"alarms": (evolve(ALARM, reactions=(Reaction(ReactionKind.ENABLE_VIP, "host3"),)),)},
            "alarm 'a' names the unknown host 'host3'; known are host1, host2",
        ),
        ({"settle_ms": 0}, "settle_ms, retry_ms and drain_ms must be above 0"),
        ({"retry_ms": -1}, "settle_ms, retry_ms and drain_ms must be above 0"),
        ({"drain_ms": 0}, "settle_ms, retry_ms and drain_ms must be above 0"),
    ],
)
def test_a_topology_that_is_not_consistent_is_refused(change, complaint):
    with pytest.raises(CoreError, match=f"^{complaint}"):
        evolve(GOOD, **change)


def test_without_an_alarm_that_enables_the_vip_it_follows_no_pair():
    """The first pair decides ties, and no switchover moves the VIP; the other pair follows the first."""
    solution = Solution(evolve(GOOD, alarms=()))
    for number, mode in enumerate((Mode.PRIMARY, Mode.BACKUP), start=1):
        report = HostReport({f"SIP_{number}": mode, f"VM_{number}": mode}, vip_held=number == 1)
        solution.handle(HostConnected(f"host{number}", report))
    (promote,) = solution.handle(ApplicationReported("SIP_1", Mode.DOWN))
    log, demote = solution.handle(CommandSucceeded(promote.id))
    assert (log, demote) == (WriteLog("00-5150", "SIP_2", ""), Demote("host1", "VM_1"))
    (promote,) = solution.handle(CommandSucceeded(demote.id))
    logs = (WriteLog("00-5150", "VM_2", ""), WriteLog("00-5151", "VM_1", ""))
    assert (promote, solution.handle(CommandSucceeded(promote.id))) == (Promote("host2", "VM_2"), logs)
    assert [pair.state for pair in solution.state.pairs] == ["no_redundancy_2", "redundant_2"]
    assert (solution.state.vip, solution.state.pending) == ("held_1", (AnnounceVip("host1"),))


def test_every_event_has_a_text():
    events = [
        HostConnected("host1", HostReport({}, vip_held=False)),
        HostFellSilent("host1"),
        HostHeard("host1"),
        HostLost("host1"),
        HostLeft("host1"),
        ApplicationReported("SIP_1", Mode.DOWN),
        VipReported("host1", held=True),
        VipReported("host1", held=False),
        CommandSucceeded(7),
        CommandSucceeded(8),
        CommandFailed(7, "no licence"),
        CommandTimedOut(7, "no answer"),
        CommandUnclear(7, "exit status 77"),
        CommandUnconfirmed(7, "no answer"),
        TimerFired("retry VIP"),
        SwitchoverRequested("SIP_2"),
        StartRequested("SIP_1"),
        StopRequested("SIP_2"),
        LogMessageReceived("5150", "SIP_2"),
    ]
    assert [describe_event(event, [Demote("host1", "SIP_1", id=7)]) for event in events] == [
        "connected host1",
        "silent host1",
        "heard host1",
        "lost host1",
        "left host1",
        "reported SIP_1 down",
        "reported vip held host1",
        "reported vip free host1",
        "done demote SIP_1",
        "done command 8",
        "failed demote SIP_1: no licence",
        "timed out demote SIP_1: no answer",
        "unclear demote SIP_1: exit status 77",
        "unconfirmed demote SIP_1: no answer",
        "timer retry VIP",
        "requested SIP_2",
        "start requested SIP_1",
        "stop requested SIP_2",
        "received 5150 SIP_2",
    ]


def test_every_command_has_a_text():
    commands = [
        Promote("host1", "SIP_1"),
        Demote("host1", "SIP_1"),
        Start("host1", "SIP_1"),
        Stop("host1", "SIP_1"),
        LookAt("host1", "SIP_1"),
        EnableVip("host1"),
        DisableVip("host1"),
        AnnounceVip("host1"),
        WriteLog("00-5150", "SIP_1", "SIP_1 changed to primary mode"),
        ActivateAlarm("SIP_1 primary", "00-5150", "SIP_1"),
        TriggerReaction("SIP_1 primary", ReactionKind.DISABLE_VIP, "host2"),
        TriggerReaction("SIP_1 primary", ReactionKind.TO_PRIMARY, "VM_1"),
        StartTimer("drain VIP", 20),
    ]
    assert [describe_command(command) for command in commands] == [
        "promote SIP_1",
        "demote SIP_1",
        "start SIP_1",
        "stop SIP_1",
        "look at SIP_1",
        "enable_vip host1",
        "disable_vip host1",
        "announce_vip host1",
        "log 00-5150 SIP_1",
        "alarm SIP_1 primary",
        "reaction of SIP_1 primary: disable_vip host2",
        "reaction of SIP_1 primary: to_primary VM_1",
        "start timer drain VIP: 20 ms",
    ]
