"""The reactions of [S1], enumerated: every message about every application, in every state after failures.

The expected reactions are written here again, from the document and not from the code's data.
"""

import itertools

import pytest
from switchover.fsm import (
    ApplicationReported,
    CommandSucceeded,
    HostCommand,
    HostConnected,
    HostLost,
    HostReport,
    LogMessageReceived,
    Mode,
    Solution,
    SolutionState,
    StartTimer,
    TimerFired,
    TriggerReaction,
    voicemail_topology,
)

pytestmark = pytest.mark.no_cover  # counting lines doubles the time, and other tests cover the same lines

TOPOLOGY = voicemail_topology()
SIDES = (1, 2)
PARTS = ("VM_SIP_Server", "VM_Server", "RM", "MCP")
MESSAGES = ("00-4563", "00-4561", "00-5064", "00-5091", "00-5090", "00-5150", "00-5151")


def documented(message: str, application: str) -> list[str]:
    """What this message about this application triggers by [S1], and the one condition taken from [S2]."""
    part, _, number = application.rpartition("_")
    other = "2" if number == "1" else "1"
    match message, part:
        case "00-4563", "VM_SIP_Server":
            return [f"to_primary VM_Server_{number}", f"enable_vip host{number}", f"disable_vip host{other}"]
        case "00-4563", "VM_Server":
            return [f"to_primary VM_SIP_Server_{number}"]
        case (("00-5064" | "00-5091"), ("RM" | "MCP")):
            return [f"to_primary VM_SIP_Server_{other}"]
        case "00-5151", "VM_SIP_Server":
            return [f"disable_vip host{number}"]
        case _:
            return []


def settle(solution: Solution, *events) -> list[str]:
    """Pass events to the core; hosts carry out commands at once. Returns the reactions and the commands to hosts."""
    seen, waiting = [], list(events)
    while waiting:
        for command in solution.handle(waiting.pop(0)):
            if isinstance(command, TriggerReaction):
                seen.append(f"{command.reaction} {command.target}")
            elif isinstance(command, HostCommand):
                seen.append(f"{type(command).__name__}")
                waiting.append(CommandSucceeded(command.id))
            elif isinstance(command, StartTimer) and command.timer == "drain VIP":
                waiting.append(TimerFired("drain VIP"))
    return seen


def states(primary: int, lost: int) -> dict[frozenset[str], SolutionState]:
    """The solution's state for every set of failed components, each from its own history.

    `primary` is the side that was primary before, `lost` the side of a lost host (0: none). All alarms are clear.
    """
    reached: dict[frozenset[str], SolutionState] = {}
    names = [f"{part}_{side}" for part in PARTS for side in SIDES if side != lost]
    for down in itertools.chain.from_iterable(itertools.combinations(names, n) for n in range(len(names) + 1)):
        solution = Solution(TOPOLOGY)
        for side in SIDES:
            mode = Mode.PRIMARY if side == primary else Mode.BACKUP
            modes = {f"{part}_{side}": mode if part.startswith("VM") else Mode.UP for part in PARTS}
            settle(solution, HostConnected(f"host{side}", HostReport(modes, vip_held=side == primary)))
        if lost:
            settle(solution, HostLost(f"host{lost}"))
        settle(solution, *(ApplicationReported(name, Mode.DOWN) for name in down))
        settle(solution, *(TimerFired(f"cancel {alarm.name}") for alarm in TOPOLOGY.alarms))
        assert solution.state.pending == ()
        reached[frozenset(down)] = solution.state
    return reached


def modes_of(state: SolutionState) -> dict[str, Mode | None]:
    pairs = zip(TOPOLOGY.pairs, state.pairs, strict=True)
    return {name: mode for pair, now in pairs for name, mode in zip(pair.applications, now.modes, strict=True)}


def is_believed(message: str, application: str, state: SolutionState) -> bool:
    """Whether the message agrees with the known state, so that its alarm is activated at once."""
    runs = dict(zip(TOPOLOGY.applications, state.applications, strict=True))[application]
    if message in ("00-5064", "00-5091"):
        return runs != "up"
    return modes_of(state).get(application) is (Mode.PRIMARY if message in ("00-4563", "00-5150") else Mode.BACKUP)


@pytest.mark.parametrize("lost", [0, 1, 2])
@pytest.mark.parametrize("primary", SIDES)
def test_every_message_of_every_application_triggers_exactly_what_is_documented(primary, lost):
    cases = list(itertools.product(states(primary, lost).items(), MESSAGES, TOPOLOGY.applications))
    for (down, state), message, application in cases:
        solution = Solution(TOPOLOGY, state)
        commands = solution.handle(LogMessageReceived(message, application))
        reactions = [f"{c.reaction} {c.target}" for c in commands if isinstance(c, TriggerReaction)]
        redundant = all(pair.state.startswith("redundant") for pair in state.pairs)
        wanted = documented(message, application) if is_believed(message, application, state) else []
        if message == "00-5151" and not redundant:
            assert reactions in ([], wanted), (down, message, application)
        else:
            assert reactions == wanted, (down, message, application)


@pytest.mark.parametrize("lost", [0, 1, 2])
@pytest.mark.parametrize("primary", SIDES)
def test_a_message_brings_all_to_one_host_and_the_same_one_again_does_nothing(primary, lost):
    """Each script once, never to a worse host, the VIP with the VM SIP Server; the same message again: nothing."""
    for (down, state), message, application in itertools.product(
        states(primary, lost).items(), MESSAGES, TOPOLOGY.applications
    ):
        solution = Solution(TOPOLOGY, state)
        case = (sorted(down), message, application)
        did = settle(solution, LogMessageReceived(message, application))
        after = solution.state
        assert did.count("EnableVip") <= 1, case
        assert did.count("DisableVip") <= 1, case
        assert after.pending == (), case
        for before, now in zip(state.pairs, after.pairs, strict=True):
            if now.state[-1] != before.state[-1]:
                assert not up(state, int(before.state[-1])) > up(state, int(now.state[-1])), case
        sip = after.pairs[0].state
        if sip.startswith(("redundant", "no_redundancy", "peer_lost")):
            assert after.vip in (f"held_{sip[-1]}", f"owed_{sip[-1]}"), case
        again = settle(solution, LogMessageReceived(message, application))
        assert not {"Promote", "Demote", "EnableVip", "DisableVip"} & set(again), case


def up(state: SolutionState, side: int) -> set[str]:
    """The components that run on a side."""
    runs = dict(zip(TOPOLOGY.applications, state.applications, strict=True))
    return {part for part in PARTS if runs[f"{part}_{side}"] == "up"}
