"""The parts of a command or event class: its verb, its texts, and its JSON, which must never change."""

from typing import get_args

import pytest
from switchover.agent.history.json_format import CONVERTER
from switchover.drivers.link.wire import HostEvent, Message, Notice, Order, decode, encode
from switchover.fsm import (
    ActivateAlarm,
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
    HostCommand,
    HostConnected,
    HostFellSilent,
    HostHeard,
    HostLeft,
    HostLost,
    HostReport,
    LogMessageReceived,
    LookAt,
    LookAtVip,
    Mode,
    Promote,
    Start,
    StartRequested,
    StartTimer,
    Stop,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    TriggerReaction,
    VipReported,
    WriteLog,
    describe_command,
    describe_event,
)
from switchover.fsm.commands import ApplicationCommand, VipCommand
from switchover.fsm.machines.application import APPLICATION
from switchover.fsm.machines.pair import PAIR
from switchover.fsm.machines.vip import VIP
from switchover.fsm.timers import TimerKind, kind_of, subject_of

H, A = "host2", "SIP_Server_2"
ON_A = {"host": H, "application": A, "id": 7}
ON_VIP = {"host": H, "id": 7}

COMMANDS = (
    (Promote(H, A, id=7), "promote SIP_Server_2", {"type": "Promote", **ON_A}),
    (Demote(H, A, id=7), "demote SIP_Server_2", {"type": "Demote", **ON_A}),
    (Start(H, A, id=7), "start SIP_Server_2", {"type": "Start", **ON_A}),
    (Stop(H, A, id=7), "stop SIP_Server_2", {"type": "Stop", **ON_A}),
    (LookAt(H, A, id=7), "look at SIP_Server_2", {"type": "LookAt", **ON_A}),
    (EnableVip(H, id=7), "enable_vip host2", {"type": "EnableVip", **ON_VIP}),
    (DisableVip(H, id=7), "disable_vip host2", {"type": "DisableVip", **ON_VIP}),
    (AnnounceVip(H, id=7), "announce_vip host2", {"type": "AnnounceVip", **ON_VIP}),
    (LookAtVip(H, id=7), "look at vip host2", {"type": "LookAtVip", **ON_VIP}),
    (
        WriteLog("00-5150", A, "changed"),
        "log 00-5150 SIP_Server_2",
        {"type": "WriteLog", "event_id": "00-5150", "application": A, "text": "changed"},
    ),
    (
        ActivateAlarm("A primary", "00-5150", A),
        "alarm A primary",
        {"type": "ActivateAlarm", "alarm": "A primary", "event_id": "00-5150", "application": A},
    ),
    (
        TriggerReaction("A primary", "enable_vip", H),
        "reaction of A primary: enable_vip host2",
        {"type": "TriggerReaction", "alarm": "A primary", "reaction": "enable_vip", "target": H},
    ),
    (
        StartTimer("retry VIP", 1000),
        "start timer retry VIP: 1000 ms",
        {"type": "StartTimer", "timer": "retry VIP", "after_ms": 1000},
    ),
)
"""A command of every class, with its record and its JSON."""

EVENTS = (
    (
        HostConnected(H, HostReport({A: Mode.PRIMARY}, vip_held=True, primary_for_ms={A: 9})),
        "connected host2",
        {
            "type": "HostConnected",
            "host": H,
            "report": {"modes": {A: "primary"}, "vip_held": True, "primary_for_ms": {A: 9}},
        },
    ),
    (HostFellSilent(H), "silent host2", {"type": "HostFellSilent", "host": H}),
    (HostHeard(H), "heard host2", {"type": "HostHeard", "host": H}),
    (HostLost(H), "lost host2", {"type": "HostLost", "host": H}),
    (HostLeft(H), "left host2", {"type": "HostLeft", "host": H}),
    (
        ApplicationReported(A, Mode.DOWN),
        "reported SIP_Server_2 down",
        {"type": "ApplicationReported", "application": A, "mode": "down"},
    ),
    (VipReported(H, held=False), "reported vip free host2", {"type": "VipReported", "host": H, "held": False}),
    (CommandSucceeded(7), "done promote SIP_Server_2", {"type": "CommandSucceeded", "id": 7}),
    (
        CommandFailed(7, "exit status 1"),
        "failed promote SIP_Server_2: exit status 1",
        {"type": "CommandFailed", "id": 7, "reason": "exit status 1"},
    ),
    (
        CommandTimedOut(7, "no answer"),
        "timed out promote SIP_Server_2: no answer",
        {"type": "CommandTimedOut", "id": 7, "reason": "no answer"},
    ),
    (
        CommandUnclear(7, "no mode"),
        "unclear promote SIP_Server_2: no mode",
        {"type": "CommandUnclear", "id": 7, "reason": "no mode"},
    ),
    (
        CommandUnconfirmed(7, "no answer"),
        "unconfirmed promote SIP_Server_2: no answer",
        {"type": "CommandUnconfirmed", "id": 7, "reason": "no answer"},
    ),
    (TimerFired("settle {it}"), "timer settle {it}", {"type": "TimerFired", "timer": "settle {it}"}),
    (SwitchoverRequested(A), "requested SIP_Server_2", {"type": "SwitchoverRequested", "application": A}),
    (StartRequested(A), "start requested SIP_Server_2", {"type": "StartRequested", "application": A}),
    (StopRequested(A), "stop requested SIP_Server_2", {"type": "StopRequested", "application": A}),
    (
        LogMessageReceived("5150", A),
        "received 5150 SIP_Server_2",
        {"type": "LogMessageReceived", "event_id": "5150", "application": A},
    ),
)
"""An event of every class, with its record (as that of a `promote`, if it is a result) and its JSON."""


def test_every_class_is_here():
    assert {type(command) for command, _, _ in COMMANDS} == set(get_args(Command))
    assert {type(event) for event, _, _ in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize(("command", "record", "_json"), COMMANDS)
def test_a_command_s_record_begins_with_its_verb(command, record, _json):
    assert describe_command(command) == command.record == record
    assert record.startswith(f"{command.verb} ")


@pytest.mark.parametrize(("event", "record", "_json"), EVENTS)
def test_an_event_s_record(event, record, _json):
    assert describe_event(event, [Promote(H, A, id=7)]) == record


@pytest.mark.parametrize(
    ("value", "union", "json"),
    [
        *((command, Command, json) for command, _, json in COMMANDS),
        *((event, Event, json) for event, _, json in EVENTS),
    ],
)
def test_a_value_s_json_in_the_journal(value, union, json):
    assert CONVERTER.unstructure(value, unstructure_as=union) == json
    structured = CONVERTER.structure(json, union)
    assert (type(structured), structured, CONVERTER.unstructure(structured, unstructure_as=union)) == (
        type(value),
        value,
        json,
    )


@pytest.mark.parametrize(
    "body",
    [
        *(Order(command, 2000) for command, _, _ in COMMANDS if isinstance(command, HostCommand)),
        *(Notice(event) for event, _, _ in EVENTS if isinstance(event, HostEvent)),
    ],
)
def test_commands_and_host_events_cross_the_wire_unchanged(body):
    """A command keeps its id, which comparisons ignore."""
    message = Message("5e55", 7, 1000, 990, 4, body)
    decoded = decode(encode(message))
    assert (decoded, encode(decoded)) == (message, encode(message))


def test_the_outputs_of_the_tables_name_the_commands_and_timers():
    """Each output of a row for an application or for the VIP is a command, a timer, or one of a few other words."""
    timers = {kind.output for kind in TimerKind}
    own = {"log_failed", "log_started", "log_primary", "log_backup", "restate_failed", "restate_primary", "repeat"}
    pair, application, vip = (set(table.outputs.split()) for table in (PAIR, APPLICATION, VIP))
    application_commands, vip_commands = (
        {each.output for each in get_args(commands)} for commands in (ApplicationCommand, VipCommand)
    )
    assert pair | application <= application_commands | timers | own | {"release_vip"}
    assert application_commands <= pair | application
    assert vip <= vip_commands | timers
    assert vip_commands <= vip


@pytest.mark.parametrize("kind", TimerKind)
@pytest.mark.parametrize("subject", ["", "VIP", "SIP Server"])
def test_a_timer_s_name_has_its_kind_and_its_subject(kind, subject):
    assert (kind_of(kind.of(subject)), subject_of(kind.of(subject))) == (kind, subject)
