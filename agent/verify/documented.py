"""The documented workflows and scenarios, played with ideal hosts: what a solution must be able to do.

The other properties forbid violations, and a core that does nothing violates few of them. So the acts of every workflow
of [S2] and every scenario of [S1] that apply to a topology are played, from both sides: each documented step must
occur, the end must be reached, every script must run exactly as often as documented, and no other command may be given.

Whether a topology is a documented one depends on its wiring, not on the names of its pairs, applications and alarm
conditions. The policy `literal` is not documented: [S1] itself warns of its effects.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve, frozen

from ...fsm import (
    CoreError,
    Pair,
    ReactionPolicy,
    Solution,
    TimerFired,
    Topology,
    VipOrder,
    documented_alarms,
)
from ...fsm.alarms import Alarm, Reaction, event_id
from ...fsm.documented.scenarios import SCENARIOS, parts
from ...fsm.documented.voicemail import (
    MEDIA_CONTROL_PLATFORM,
    RESOURCE_MANAGER,
    VM_SERVER,
    VM_SIP_SERVER,
    voicemail_alarms,
)
from ...fsm.documented.workflows import (
    RECONNECTION,
    WORKFLOWS,
    Workflow,
    recognise,
    roles,
    states_of,
)
from ...fsm.handling import MACHINES, Machines
from ...fsm.tables.table import Decision
from ...fsm.timers import TimerKind
from ..explain.ideal_hosts import IdealHosts, prior_to_switchover

_COMMANDS = ("promote", "demote", "look", "enable_vip", "disable_vip", "announce_vip")
_DRAIN = TimerKind.DRAIN.of("VIP")
_WRITTEN = ("log", "alarm", "reaction")


@frozen
class _Case:
    """A workflow or scenario with names assigned to its parts, the old primary's side, and the acts before it."""

    workflow: Workflow
    parts: Mapping[str, str]
    old: int
    before: tuple[str, ...] = ()

    def named(self, text: str) -> str:
        return text.format(**self.parts)

    @property
    def name(self) -> str:
        return f"{self.workflow.title} ({self.workflow.name}), side {self.old} primary before"


def unseen(topology: Topology, machines: Machines = MACHINES) -> list[str]:
    """The deviations from the documented workflows and scenarios that apply to a topology, one line each.

    Empty if there is none, or if the wiring is not a documented one.
    """
    return [line for case_topology, case in _cases(topology) for line in _missing(case_topology, machines, case)]


def decided(topology: Topology) -> set[tuple[str, Decision]]:
    """The rows, by machine, that fire in the documented workflows and scenarios that apply to a topology."""
    decisions: set[tuple[str, Decision]] = set()
    for played, case in _cases(topology):
        handled = _played(played, MACHINES, case).handled
        decisions |= {(step.machine, step.decision) for each in handled for step in each.steps}
    return decisions


# The workflows and scenarios that apply.


def _cases(topology: Topology) -> Iterator[tuple[Topology, _Case]]:
    if topology.reactions is not ReactionPolicy.ONCE:
        return
    plain = _as_takeover(topology)
    if plain:
        for workflow, old in itertools.product(WORKFLOWS.values(), (1, 2)):
            given = roles(plain, 0, 3 - old)
            before = (f"lose {given['old_host']}",) if workflow is RECONNECTION else ()
            yield plain, _Case(workflow, given, old, before)
    voicemail = _as_voicemail(topology)
    if voicemail:
        for scenario, old in itertools.product(SCENARIOS.values(), (1, 2)):
            if topology.outside or scenario.name != "premise":
                yield voicemail, _Case(scenario, parts(voicemail, old), old)


def _as_takeover(topology: Topology) -> Topology | None:
    """The topology with alarm conditions named as in [S2]; None if it is not a single pair wired like that."""
    if len(topology.pairs) != 1 or topology.monitored:
        return None
    return _renamed(topology, documented_alarms(topology.pairs[0].applications, topology.hosts))


def _as_voicemail(topology: Topology) -> Topology | None:
    """The topology with pairs and alarm conditions named as in [S1]; None if it is not wired like that."""
    if (len(topology.pairs), len(topology.monitored)) != (2, 2):
        return None
    sip, server = topology.pairs
    monitored = tuple(pair.applications for pair in topology.monitored)
    alarms = voicemail_alarms(sip.applications, server.applications, monitored, topology.hosts)
    renamed = _renamed(topology, alarms)
    return renamed and evolve(
        renamed,
        pairs=(_named_as(sip, VM_SIP_SERVER), _named_as(server, VM_SERVER)),
        monitored=tuple(map(_named_as, topology.monitored, (RESOURCE_MANAGER, MEDIA_CONTROL_PLATFORM))),
        outside=topology.outside or ("",),
    )


def _named_as(pair: Pair, documented: Pair) -> Pair:
    return Pair(documented.name, pair.applications)


def _renamed(topology: Topology, documented: Sequence[Alarm]) -> Topology | None:
    """The topology with its alarm conditions named as documented; None if it has other conditions."""
    names = {_meaning(alarm): alarm.name for alarm in documented}
    if Counter(map(_meaning, topology.alarms)) != Counter(names.keys()):
        return None
    return evolve(topology, alarms=tuple(evolve(alarm, name=names[_meaning(alarm)]) for alarm in topology.alarms))


def _meaning(alarm: Alarm) -> tuple[str, str, frozenset[Reaction]]:
    return event_id(alarm.detect), alarm.application, frozenset(alarm.reactions)


# The deviations in one workflow or scenario.


def _missing(topology: Topology, machines: Machines, case: _Case) -> Iterator[str]:
    try:
        hosts = _played(topology, machines, case)
    except CoreError as error:
        yield f"{case.name}: {error}"
        return
    yield from (f"{case.name}: {text}" for text in (*_unseen_steps(hosts, case), *_wrong_end(hosts, case)))
    yield from (f"{case.name}: {text}" for text in (*_wrong_scripts(hosts, case), *_undocumented(hosts, case)))


def _played(topology: Topology, machines: Machines, case: _Case) -> IdealHosts:
    hosts = prior_to_switchover(Solution(topology, machines=machines), case.old)
    for act in case.before:
        hosts.act(act)
    hosts.left_out = len(hosts.handled)
    for act in case.workflow.acts:
        hosts.act(case.named(act))
    return hosts


def _unseen_steps(hosts: IdealHosts, case: _Case) -> Iterator[str]:
    """The steps that are missing or out of order. The VIP order `disable-first` differs from that of [S1]."""
    if hosts.solution.topology.vip_order is VipOrder.DISABLE_FIRST and case.workflow.name in SCENARIOS:
        return
    for step in recognise(case.workflow, dict(case.parts), hosts.records):
        if step.position is None:
            yield f"not seen: {step.number or '-'}. {step.text}"


def _wrong_end(hosts: IdealHosts, case: _Case) -> Iterator[str]:
    missing = {case.named(end) for end in case.workflow.ends} - states_of(hosts.solution.topology, hosts.solution.state)
    yield from (f"it does not end with {end}" for end in sorted(missing))
    if hosts.solution.state.pending:
        yield "it does not end: a command is still pending"
    for handled in hosts.handled[hosts.left_out :]:
        if isinstance(handled.event, TimerFired) and handled.event.timer != _DRAIN:
            yield f"it only ends with the help of a timer: {handled.text}"


def _wrong_scripts(hosts: IdealHosts, case: _Case) -> Iterator[str]:
    ran = Counter(hosts.scripts())
    documented = Counter(case.named(script) for script in case.workflow.scripts)
    if ran != documented:
        listed = ", ".join(f"{text} ({count})" for text, count in sorted(ran.items())) or "none"
        yield f"the scripts that ran differ from the documented ones: {listed}"


def _undocumented(hosts: IdealHosts, case: _Case) -> Iterator[str]:
    """The commands and records that no documented step or additional rule asks for, or that occur twice.

    In scenarios only commands are judged: [S1] does not list all records (the SCS's own messages, and the other half of
    each mutual reaction).
    """
    verbs = _COMMANDS if case.workflow.name in SCENARIOS else (*_COMMANDS, *_WRITTEN)
    given = Counter(text for text in hosts.records if text.split()[0] in (*_COMMANDS, *_WRITTEN))
    asked = {case.named(mark) for step in case.workflow.steps for mark in step.marks}
    beyond = {case.named(text) for text in case.workflow.beyond}
    others = sorted(text for text in given.keys() - asked - beyond if text.split()[0] in verbs)
    yield from (f"{text} is not documented" for text in others)
    yield from (f"{text} occurs {count} times" for text, count in sorted(given.items()) if count > 1)
    if hosts.solution.topology.vip_order is not VipOrder.DISABLE_FIRST:  # with it, nothing is announced again
        yield from (f"{text} does not occur" for text in sorted(beyond - given.keys()))
