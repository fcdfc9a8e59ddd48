"""How the machines are coupled, and how a solution is wired: nothing is missing, and nothing is invented."""

import re

import pytest
from attrs import evolve
from support.pictures import SVG, overlaps, parsed
from support.topologies import TAKEOVER, VOICEMAIL
from switchover.agent.pictures.wiring.coupling import (
    CLOCK,
    COUPLINGS,
    HOSTS,
    JOINT,
    MACHINES,
    MESSAGES,
    OPERATOR,
    coupling_layout,
    coupling_svg,
)
from switchover.agent.pictures.wiring.wiring import wiring_svg
from switchover.fsm import (
    Alarm,
    Reaction,
    ReactionKind,
    Topology,
    VipOrder,
    voicemail_topology,
)


@pytest.mark.parametrize("name", MACHINES)
def test_every_output_and_every_trigger_of_a_machine_is_coupled_and_no_other(name: str):
    table = MACHINES[name]
    triggers = {re.sub(r"^(this|other)_", "", trigger) for trigger in table.triggers.split()}
    assert {word for one in COUPLINGS if one.source == name for word in one.outputs.split()} == set(
        table.outputs.split()
    )
    assert {word for one in COUPLINGS if one.target == name for word in one.triggers.split()} == triggers


def test_couplings_join_machines_and_what_is_known_to_be_none():
    known = {*MACHINES, HOSTS, CLOCK, JOINT, OPERATOR, MESSAGES}
    assert {end for one in COUPLINGS for end in (one.source, one.target)} == known
    assert all(bool(one.outputs) == (one.source in MACHINES) for one in COUPLINGS)
    assert all(bool(one.triggers) == (one.target in MACHINES) for one in COUPLINGS)


def test_the_coupling_picture_names_every_output_and_every_trigger():
    words = set(re.findall(r"\w+", " ".join(texts(coupling_svg()))))
    expected = {word for one in COUPLINGS for word in (*one.outputs.split(), *one.triggers.split())}
    assert expected <= words


def test_nothing_lies_on_anything_else_in_the_coupling_picture():
    assert overlaps(coupling_layout()) == []


OUTSIDE = evolve(
    VOICEMAIL,
    alarms=(Alarm("premise", "00-5091", "Premise_SIP_Server", (Reaction(ReactionKind.DISABLE_VIP, host="host1"),)),),
)
BARE = evolve(TAKEOVER, alarms=())


@pytest.mark.parametrize(
    "topology",
    [
        pytest.param(TAKEOVER, id="takeover"),
        pytest.param(VOICEMAIL, id="voicemail"),
        pytest.param(voicemail_topology("vip-on-monitored"), id="vip-on-monitored"),
        pytest.param(OUTSIDE, id="outside"),
        pytest.param(BARE, id="bare"),
    ],
)
def test_the_wiring_shows_every_alarm_condition_with_its_reactions(topology: Topology):
    shown = texts(wiring_svg(topology))
    alarms = [alarm.name for alarm in topology.alarms]
    assert sorted(text for text in shown if text in alarms) == sorted(alarms)
    reactions = [reaction for alarm in topology.alarms for reaction in alarm.reactions]
    assert sum(bool(re.search(r"^(enable|disable) the VIP on | to primary$", text)) for text in shown) == len(reactions)
    curves = [part.get("class") for part in parsed(wiring_svg(topology)).iter(f"{SVG}path")]
    assert len(curves) == len(reactions)
    taken = sum(reaction.do is ReactionKind.DISABLE_VIP for reaction in reactions)
    assert curves.count("line dashed") == taken


def test_the_wiring_of_the_takeover_in_words():
    assert texts(wiring_svg(TAKEOVER))[1:10] == [
        "how it is wired: applications, alarm conditions, and what their reactions move",
        "SIP_Server_1",
        "host1",
        "SIP_Server_1 primary",
        "00-5150, changed to primary mode",
        "disable the VIP on host2",
        "enable the VIP on host1",
        "SIP_Server_1 backup",
        "00-5151, changed to backup mode",
    ]


def test_an_application_that_no_alarm_condition_is_about_is_named_below():
    assert "no alarm condition is about Premise_SIP_Server" in texts(wiring_svg(VOICEMAIL))
    assert "no alarm condition is about SIP_Server_1, SIP_Server_2" in texts(wiring_svg(BARE))
    assert not any("no alarm condition" in text for text in texts(wiring_svg(TAKEOVER)))


@pytest.mark.parametrize(("order", "is_noted"), [(VipOrder.TOGETHER, False), (VipOrder.DISABLE_FIRST, True)])
def test_the_order_of_the_scripts_is_told_where_it_is_not_that_of_the_reactions(order: VipOrder, is_noted: bool):
    note = texts(wiring_svg(evolve(TAKEOVER, vip_order=order)))[-1]
    assert (f"(of the VIP's scripts, {order})" in note) == is_noted


def texts(picture: str) -> list[str]:
    """All texts of a picture, its title first."""
    found = parsed(picture)
    return [found.findtext(f"{SVG}title") or "", *(text.text or "" for text in found.iter(f"{SVG}text"))]
