"""Sequence diagrams and configurations: what was handled, as messages and as readable pictures."""

import itertools
import re
from collections import Counter
from xml.etree import ElementTree

import pytest
from attrs import evolve, frozen
from switchover.agent.pictures.documents import TAKEOVER, configurations, play, workflows_of
from switchover.agent.pictures.drawing.svg import width_of
from switchover.agent.pictures.figures import figure_svg
from switchover.agent.pictures.sequences.messages import Message, hosts_of, interleaved, lifelines_of, messages_of
from switchover.agent.pictures.sequences.sequence import DocumentedStep, sequence_mermaid, sequence_svg
from switchover.fsm import (
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
    Promote,
    SolutionState,
    Start,
    StartRequested,
    Step,
    Stop,
    StopRequested,
    SwitchoverRequested,
    TimerFired,
    Topology,
    VipReported,
    voicemail_topology,
)
from switchover.fsm.documented.scenarios import SCENARIOS
from switchover.fsm.documented.workflows import FAILURE, MANUAL, WORKFLOWS
from switchover.fsm.state import initial_state

VOICEMAIL = voicemail_topology()
ALL = [(topology, workflow) for topology in (TAKEOVER, VOICEMAIL) for workflow in workflows_of(topology)]

NOTHING_KNOWN = initial_state(TAKEOVER)


@frozen
class Handled:
    """An event as the core handled it, as far as messages need it."""

    event: Event
    mono_ns: int = 0
    steps: tuple[Step, ...] = ()
    commands: tuple[Command, ...] = ()
    before: SolutionState = NOTHING_KNOWN


def message_texts(event: Event, *pending) -> list[tuple[str, str, str, str]]:
    """The messages of one event without consequences, as source, target, kind and text."""
    handled = Handled(event, before=evolve(NOTHING_KNOWN, pending=pending))
    messages = messages_of(TAKEOVER, [handled])
    return [(message.source, message.target, message.kind, message.text) for message in messages]


# From events to messages


def test_a_failure_is_shown_from_the_fault_to_the_last_announcement():
    messages = [
        (each.source, each.target, each.kind, each.text.split("\n")[0]) for each in play(TAKEOVER, FAILURE).messages
    ]
    assert messages == [
        ("SIP_Server_1", "SIP_Server_1", "lost", "fails"),
        ("LCA 1", "SCS side", "message", "SIP_Server_1 is down"),
        ("SCS side", "SCS side", "decision", "SIP Server: redundant_1 → taking_over_2"),
        ("SCS side", "LCA 2", "message", "promote SIP_Server_2"),
        ("LCA 2", "SIP_Server_2", "message", "primary mode"),
        ("LCA 2", "SCS side", "result", "done promote SIP_Server_2"),
        ("SCS side", "SCS side", "decision", "SIP Server: taking_over_2 → no_redundancy_2"),
        ("SCS side", "SCS side", "note", "log 00-5150 SIP_Server_2"),
        ("SCS side", "SCS side", "note", "alarm SIP_Server_2 primary"),
        ("SCS side", "SCS side", "note", "reaction of SIP_Server_2 primary: disable_vip host1"),
        ("SCS side", "SCS side", "note", "reaction of SIP_Server_2 primary: enable_vip host2"),
        ("SCS side", "SCS side", "decision", "VIP: held_1 → leaving_1"),
        ("SCS side", "LCA 1", "message", "disable_vip host1"),
        ("SCS side", "SCS side", "decision", "VIP: leaving_1 → moving_2"),
        ("SCS side", "LCA 2", "message", "enable_vip host2"),
        ("SCS side", "SCS side", "decision", "solution: together_1 → together_2"),
        ("LCA 1", "LCA 1", "self", "the VIP is off"),
        ("LCA 1", "SCS side", "result", "done disable_vip host1"),
        ("SCS side", "SCS side", "decision", "VIP: moving_2 → enabling_2"),
        ("SCS side", "LCA 2", "message", "announce_vip host2"),
        ("LCA 2", "LCA 2", "self", "the VIP is on"),
        ("LCA 2", "Clients", "message", "gratuitous ARP: the VIP is at host2"),
        ("LCA 2", "SCS side", "result", "done enable_vip host2"),
        ("SCS side", "SCS side", "decision", "VIP: enabling_2 → held_2"),
        ("LCA 2", "Clients", "message", "gratuitous ARP: the VIP is at host2"),
        ("LCA 2", "SCS side", "result", "done announce_vip host2"),
    ]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            HostConnected("host1", HostReport({"SIP_Server_1": Mode.PRIMARY}, vip_held=True)),
            [("LCA 1", "SCS side", "message", "connected\nSIP_Server_1 primary, VIP on")],
        ),
        (HostFellSilent("host2"), [("LCA 2", "SCS side", "lost", "nothing heard for half the detection time")]),
        (HostHeard("host2"), [("LCA 2", "SCS side", "message", "heard again")]),
        (HostLost("host1"), [("LCA 1", "SCS side", "lost", "nothing heard: given up")]),
        (HostLeft("host1"), [("LCA 1", "SCS side", "message", "says goodbye")]),
        (VipReported("host2", held=True), [("LCA 2", "SCS side", "message", "the VIP is on, without a command")]),
        (VipReported("host1", held=False), [("LCA 1", "SCS side", "message", "the VIP is off, without a command")]),
        (
            ApplicationReported("SIP_Server_2", Mode.BACKUP),
            [
                ("SIP_Server_2", "LCA 2", "message", "runs: backup"),
                ("LCA 2", "SCS side", "message", "SIP_Server_2 is backup"),
            ],
        ),
        (SwitchoverRequested("SIP_Server_2"), [("Operator", "SCS side", "message", "switch to SIP_Server_2")]),
        (StartRequested("SIP_Server_2"), [("Operator", "SCS side", "message", "start SIP_Server_2")]),
        (StopRequested("SIP_Server_2"), [("Operator", "SCS side", "message", "stop SIP_Server_2")]),
        (TimerFired("settle SIP Server"), [("SCS side", "SCS side", "self", "the timer runs out: settle SIP Server")]),
        (
            LogMessageReceived("00-5150", "SIP_Server_2"),
            [
                ("SCS log", "SCS side", "message", "00-5150 SIP_Server_2"),
                ("SCS side", "SCS side", "note", "nothing follows"),
            ],
        ),
        (CommandSucceeded(9), [("SCS side", "SCS side", "self", "a late result: done command 9")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_event_is_a_message_to_the_scs_side(event, expected):
    assert message_texts(event) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Promote("host2", "SIP_Server_2", id=1), [("LCA 2", "SIP_Server_2", "message", "primary mode")]),
        (Demote("host1", "SIP_Server_1", id=1), [("LCA 1", "SIP_Server_1", "message", "backup mode")]),
        (Start("host1", "SIP_Server_1", id=1), [("LCA 1", "SIP_Server_1", "message", "start")]),
        (Stop("host1", "SIP_Server_1", id=1), [("LCA 1", "SIP_Server_1", "message", "stop")]),
        (DisableVip("host1", id=1), [("LCA 1", "LCA 1", "self", "the VIP is off")]),
        (
            EnableVip("host1", id=1),
            [
                ("LCA 1", "LCA 1", "self", "the VIP is on"),
                ("LCA 1", "Clients", "message", "gratuitous ARP: the VIP is at host1"),
            ],
        ),
        (AnnounceVip("host2", id=1), [("LCA 2", "Clients", "message", "gratuitous ARP: the VIP is at host2")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_effect_of_a_command_is_shown_only_when_it_has_succeeded(command, expected):
    lca = f"LCA {command.host[-1]}"
    *effects, result = message_texts(CommandSucceeded(1), command)
    assert effects == expected
    assert result[:3] == (lca, "SCS side", "result")
    name = result[3].removeprefix("done ")
    assert message_texts(CommandFailed(1, "exit 1"), command) == [(lca, "SCS side", "result", f"failed {name}: exit 1")]
    assert message_texts(CommandUnclear(1, "garbage"), command) == [
        (lca, "SCS side", "result", f"unclear {name}: garbage")
    ]
    assert message_texts(CommandUnconfirmed(1, "1 s"), command) == [
        (lca, "SCS side", "result", f"unconfirmed {name}: 1 s")
    ]
    assert message_texts(CommandTimedOut(1, "1 s"), command) == [(lca, "SCS side", "lost", f"timed out {name}: 1 s")]


def test_times_count_from_the_first_event():
    handled = [Handled(HostHeard("host1"), 5_000_000), Handled(HostHeard("host2"), 7_250_000)]
    assert [message.at_ms for message in messages_of(TAKEOVER, handled)] == [0.0, 2.25]
    assert [message.at_ms for message in messages_of(TAKEOVER, handled, is_timed=False)] == [None, None]


def test_decisions_carry_their_reason_and_their_source():
    decision = next(message for message in play(TAKEOVER, FAILURE).messages if message.kind == "decision")
    assert decision.text.split("\n")[1] == "the primary failed: its backup takes over"
    assert decision.cite == "[S2] failure, steps 2-3"


@pytest.mark.parametrize(("topology", "workflow"), ALL, ids=lambda value: getattr(value, "name", ""))
def test_decisions_and_commands_are_complete_and_each_in_order(topology, workflow):
    for handled in play(topology, workflow).handled:
        items = list(interleaved(topology, handled.steps, handled.commands))
        assert [item for item in items if isinstance(item, Step)] == list(handled.steps)
        assert [item for item in items if not isinstance(item, Step)] == list(handled.commands)


# Documented steps


@pytest.mark.parametrize(("topology", "workflow"), ALL, ids=lambda value: getattr(value, "name", ""))
def test_every_documented_step_is_beside_its_messages_in_order(topology, workflow):
    played = play(topology, workflow)
    letters = iter("abcdef")
    assert [(step.label, step.text) for step in played.steps] == [
        (str(step.number or next(letters)), step.text) for step in workflow.steps
    ]
    begins = [min(step.rows) for step in played.steps]
    assert begins == sorted(begins)
    assert max(max(step.rows) for step in played.steps) < len(played.messages)


def test_a_solution_with_other_wiring_is_played_without_documented_steps():
    renamed = evolve(TAKEOVER, alarms=tuple(evolve(alarm, name=f"my {alarm.name}") for alarm in TAKEOVER.alarms))
    played = play(renamed, FAILURE)
    assert played.steps == ()
    assert "alarm my SIP_Server_2 primary" in [message.text for message in played.messages]
    assert (played.before.vip, played.after.vip) == ("held_1", "held_2")


def test_other_components_have_a_workflow_for_the_failure_of_each():
    extended = evolve(TAKEOVER, monitored=(Pair("Media", ("Media_1", "Media_2")),))
    names = [workflow.name for workflow in workflows_of(extended)]
    assert names == [*WORKFLOWS, "component-2-fails"]
    played = play(extended, workflows_of(extended)[-1])
    assert [message.text.split("\n")[0] for message in played.messages[:4]] == [
        *("fails", "Media_1 is down", "Media_1: up → down", "solution: together_1 → gathering_2"),
    ]
    assert (played.steps, played.after.vip, played.announced) == ((), "held_2", ("host1", "host2"))


def test_without_a_premise_sip_server_its_failure_is_not_played():
    names = [workflow.name for workflow in workflows_of(evolve(VOICEMAIL, outside=()))]
    assert names == [name for name in SCENARIOS if name != "premise"]
    assert [len(play(evolve(VOICEMAIL, outside=()), SCENARIOS["rm"]).steps)] == [5]


# As Mermaid


def test_a_sequence_can_be_written_as_mermaid():
    messages = [
        Message("Operator", "SCS side", "switch; now"),
        Message("SCS side", "SCS side", "A: x → y\nbecause #1", kind="decision"),
        Message("SCS side", "SCS side", "log 1", kind="note"),
        Message("SCS side", "LCA 1", "demote A"),
        Message("LCA 1", "SCS side", "done", kind="result"),
        Message("LCA 1", "SCS side", "nothing", kind="lost"),
    ]
    steps = [
        DocumentedStep("1", "asks", (0,)),
        DocumentedStep("2", "logs", (2,)),
        DocumentedStep("3", "answers", (3, 4)),
    ]
    assert sequence_mermaid(("Operator", "SCS side", "LCA 1"), messages, steps).splitlines() == [
        "sequenceDiagram",
        "    participant P0 as Operator",
        "    participant P1 as SCS side",
        "    participant P2 as LCA 1",
        "    P0->>P1: (1) switch, now",
        "    Note over P1: A: x → y<br/>because #35;1<br/>(2) log 1",
        "    P1->>P2: demote A",
        "    P2-->>P1: (3) done",
        "    P2--xP1: nothing",
    ]


# As a picture


@frozen
class Text:
    """A text of a picture with its box, measured rather too narrow than too wide."""

    text: str
    left: float
    right: float
    top: float
    bottom: float

    def overlaps(self, other: "Text") -> bool:
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)


def texts_of(svg: str) -> list[Text]:
    """The texts of a picture, as far as they can be measured without a font."""
    root = ElementTree.fromstring(svg)  # noqa: S314  # our own
    texts: list[Text] = []
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        words, style = element.text or "", (element.get("class") or "").split()
        size = 11 if "small" in style else 16 if "title" in style else 13
        width, x, y = width_of(words, size) * 0.9, float(element.get("x", "")), float(element.get("y", ""))
        left = x - (width / 2 if "middle" in style else width if "end" in style else 0)
        texts.append(Text(words, left, left + width, y - size * 0.75, y + size * 0.2))
    return texts


def drawn(topology: Topology, workflow) -> str:
    """A workflow's picture."""
    played = play(topology, workflow)
    lifelines = lifelines_of(topology, played.messages)
    return sequence_svg(workflow.title, lifelines, played.messages, played.steps, hosts_of(topology))


@pytest.mark.parametrize(("topology", "workflow"), ALL, ids=lambda value: getattr(value, "name", ""))
def test_no_text_of_a_picture_covers_another_one_or_is_outside(topology, workflow):
    svg = drawn(topology, workflow)
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
    texts = texts_of(svg)
    assert [f"{a.text} / {b.text}" for a, b in itertools.combinations(texts, 2) if a.overlaps(b)] == []
    assert [each.text for each in texts if each.left < 0 or each.right > width or each.bottom > height] == []


@pytest.mark.parametrize(("topology", "workflow"), ALL, ids=lambda value: getattr(value, "name", ""))
def test_every_word_of_every_message_and_every_step_is_in_the_picture(topology, workflow):
    words = Counter(" ".join(each.text for each in texts_of(drawn(topology, workflow))).split())
    played = play(topology, workflow)
    expected = Counter(" ".join([*(m.text for m in played.messages), *(step.text for step in played.steps)]).split())
    assert expected - words == Counter()


def test_times_are_beside_the_first_message_of_each_moment():
    messages = [Message("LCA 1", "SCS side", text, at_ms) for text, at_ms in (("a", 0.0), ("b", 2.25), ("c", 2.25))]
    texts = [each.text for each in texts_of(sequence_svg("", ("LCA 1", "SCS side"), messages))]
    assert [text for text in texts if text.endswith(" ms")] == ["0.0 ms", "2.2 ms"]


def test_the_lifelines_of_the_hosts_are_on_either_side_of_the_scs_side():
    assert lifelines_of(TAKEOVER, play(TAKEOVER, MANUAL).messages) == (
        *("Operator", "SIP_Server_1", "LCA 1", "SCS side", "LCA 2", "SIP_Server_2", "Clients"),
    )
    assert lifelines_of(VOICEMAIL, play(VOICEMAIL, SCENARIOS["rm"]).messages) == (
        *("RM_1", "VM_Server_1", "VM_SIP_Server_1", "LCA 1", "SCS side"),
        *("LCA 2", "VM_SIP_Server_2", "VM_Server_2", "Clients"),
    )


# The configurations


def test_the_four_configurations_show_what_the_core_knows():
    contents = {
        name: [each.text for each in texts_of(figure_svg(TAKEOVER, shown))] for name, shown in configurations(TAKEOVER)
    }
    assert contents == {
        "prior": [
            *("Configuration prior to a switchover", "SCS side"),
            "SIP Server redundant_1, VIP held_1, solution together_1",
            *("host1", "LCA 1", "SIP_Server_1", "in primary mode", "NIC", "VIP enabled"),
            *("host2", "LCA 2", "SIP_Server_2", "in backup mode", "NIC", "VIP disabled"),
            *("network", "Clients", "ARP cache: the VIP is at host1"),
        ],
        "manual": [
            *("Configuration after a switchover", "SCS side"),
            "SIP Server redundant_2, VIP held_2, solution together_2",
            *("host1", "LCA 1", "SIP_Server_1", "in backup mode", "NIC", "VIP disabled"),
            *("host2", "LCA 2", "SIP_Server_2", "in primary mode", "NIC", "VIP enabled"),
            *("network", "Clients", "ARP cache: the VIP is at host2"),
        ],
        "failure": [
            *("Configuration after the primary's failure", "SCS side"),
            "SIP Server no_redundancy_2, VIP held_2, solution together_2",
            *("host1", "LCA 1", "SIP_Server_1", "failed", "NIC", "VIP disabled"),
            *("host2", "LCA 2", "SIP_Server_2", "in primary mode", "NIC", "VIP enabled"),
            *("network", "Clients", "ARP cache: the VIP is at host2"),
        ],
        "disconnected": [
            *("Configuration after the primary's host was disconnected", "SCS side"),
            "SIP Server peer_lost_2, VIP owed_2, solution together_2",
            "connection lost",
            *("host1", "LCA 1", "not heard", "SIP_Server_1", "not in sight; was in primary mode"),
            *("NIC", "not in sight; VIP was enabled"),
            *("host2", "LCA 2", "SIP_Server_2", "in primary mode", "NIC", "VIP enabled"),
            *("network", "Clients", "ARP cache: the VIP is at host2"),
        ],
    }


@pytest.mark.parametrize("topology", [TAKEOVER, VOICEMAIL], ids=["takeover", "voicemail"])
def test_no_text_of_a_configuration_covers_another_one_or_is_outside(topology):
    for _, shown in configurations(topology):
        svg = figure_svg(topology, shown)
        width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
        texts = texts_of(svg)
        assert [f"{a.text} / {b.text}" for a, b in itertools.combinations(texts, 2) if a.overlaps(b)] == []
        assert [each.text for each in texts if each.left < 0 or each.right > width or each.bottom > height] == []
