"""What must be possible at all: the documented workflows and scenarios, with hosts that do what they are told.

Properties say what must never be otherwise, and a core that does nothing breaks few of them. So the acts of every
workflow of [S2] and of every scenario of [S1] that apply to a topology are played, from both sides: each documented
step must be seen, the end be reached, and every script run exactly as often as it is documented, and nothing else be
commanded.

A topology is documented by its wiring, whatever its pairs, its applications and its alarm conditions are called. The
policy `literal` is not: [S1] itself warns of what it does.
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
from ...fsm.table import Decision
from ...fsm.timers import TimerKind
from ..explain.ideal_hosts import IdealHosts, prior_to_switchover

_COMMANDS = ("promote", "demote", "look", "enable_vip", "disable_vip", "announce_vip")
_DRAIN = TimerKind.DRAIN.of("VIP")
_WRITTEN = ("log", "alarm", "reaction")


@frozen
class _Case:
    """A workflow or scenario with its parts given away, and what has happened before it."""

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
    """What of the documented workflows and scenarios that apply to a topology is not seen; a line for each.

    Empty if everything is seen, or if the wiring is not a documented one.
    """
    return [line for case_topology, case in _cases(topology) for line in _missing(case_topology, machines, case)]


def decided(topology: Topology) -> set[tuple[str, Decision]]:
    """Which rows of which tables fire in the documented workflows and scenarios that apply to a topology."""
    found: set[tuple[str, Decision]] = set()
    for played, case in _cases(topology):
        handled = _played(played, MACHINES, case).handled
        found |= {(step.machine, step.decision) for each in handled for step in each.steps}
    return found


# Which ones apply.


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
    """The topology with alarm conditions called as in [S2], if it is one pair wired like that."""
    if len(topology.pairs) != 1 or topology.monitored:
        return None
    return _renamed(topology, documented_alarms(topology.pairs[0].applications, topology.hosts))


def _as_voicemail(topology: Topology) -> Topology | None:
    """The topology with pairs and alarm conditions called as in [S1], if it is wired like that."""
    if (len(topology.pairs), len(topology.monitored)) != (2, 2):
        return None
    sip, server = topology.pairs
    monitored = tuple(pair.applications for pair in topology.monitored)
    alarms = voicemail_alarms(sip.applications, server.applications, monitored, topology.hosts)
    found = _renamed(topology, alarms)
    return found and evolve(
        found,
        pairs=(_called(sip, VM_SIP_SERVER), _called(server, VM_SERVER)),
        monitored=tuple(map(_called, topology.monitored, (RESOURCE_MANAGER, MEDIA_CONTROL_PLATFORM))),
        outside=topology.outside or ("",),
    )


def _called(pair: Pair, documented: Pair) -> Pair:
    return Pair(documented.name, pair.applications)


def _renamed(topology: Topology, documented: Sequence[Alarm]) -> Topology | None:
    """The topology with its alarm conditions called as documented; None if they are others."""
    names = {_meaning(alarm): alarm.name for alarm in documented}
    if Counter(map(_meaning, topology.alarms)) != Counter(names.keys()):
        return None
    return evolve(topology, alarms=tuple(evolve(alarm, name=names[_meaning(alarm)]) for alarm in topology.alarms))


def _meaning(alarm: Alarm) -> tuple[str, str, frozenset[Reaction]]:
    return event_id(alarm.detect), alarm.application, frozenset(alarm.reactions)


# What is missing in one.


def _missing(topology: Topology, machines: Machines, case: _Case) -> Iterator[str]:
    try:
        hosts = _played(topology, machines, case)
    except CoreError as error:
        yield f"{case.name}: {error}"
        return
    yield from (f"{case.name}: {text}" for text in (*_unseen_steps(hosts, case), *_other_end(hosts, case)))
    yield from (f"{case.name}: {text}" for text in (*_other_scripts(hosts, case), *_undocumented(hosts, case)))


def _played(topology: Topology, machines: Machines, case: _Case) -> IdealHosts:
    hosts = prior_to_switchover(Solution(topology, machines=machines), case.old)
    for act in case.before:
        hosts.act(act)
    hosts.left_out = len(hosts.handled)
    for act in case.workflow.acts:
        hosts.act(case.named(act))
    return hosts


def _unseen_steps(hosts: IdealHosts, case: _Case) -> Iterator[str]:
    """Steps that did not come, or not in order. The order `disable-first` is another one than that of [S1]."""
    if hosts.solution.topology.vip_order is VipOrder.DISABLE_FIRST and case.workflow.name in SCENARIOS:
        return
    for step in recognise(case.workflow, dict(case.parts), hosts.records):
        if step.position is None:
            yield f"not seen: {step.number or '-'}. {step.text}"


def _other_end(hosts: IdealHosts, case: _Case) -> Iterator[str]:
    missing = {case.named(end) for end in case.workflow.ends} - states_of(hosts.solution.topology, hosts.solution.state)
    yield from (f"it does not end with {end}" for end in sorted(missing))
    if hosts.solution.state.pending:
        yield "it does not end: a command has no result"
    for handled in hosts.handled[hosts.left_out :]:
        if isinstance(handled.event, TimerFired) and handled.event.timer != _DRAIN:
            yield f"it does not end by itself: {handled.text}"


def _other_scripts(hosts: IdealHosts, case: _Case) -> Iterator[str]:
    ran = Counter(hosts.scripts())
    documented = Counter(case.named(script) for script in case.workflow.scripts)
    if ran != documented:
        told = ", ".join(f"{text} ({count})" for text, count in sorted(ran.items())) or "none"
        yield f"the scripts that ran are others than the documented ones: {told}"


def _undocumented(hosts: IdealHosts, case: _Case) -> Iterator[str]:
    """What no step and no rule beyond the steps asks for, or what comes twice.

    [S1] does not list what else is written: the SCS's own messages, and the other half of each mutual reaction.
    """
    verbs = _COMMANDS if case.workflow.name in SCENARIOS else (*_COMMANDS, *_WRITTEN)
    given = Counter(text for text in hosts.records if text.split()[0] in (*_COMMANDS, *_WRITTEN))
    asked = {case.named(mark) for step in case.workflow.steps for mark in step.marks}
    beyond = {case.named(text) for text in case.workflow.beyond}
    others = sorted(text for text in given.keys() - asked - beyond if text.split()[0] in verbs)
    yield from (f"{text} is not documented" for text in others)
    yield from (f"{text} comes {count} times" for text, count in sorted(given.items()) if count > 1)
    if hosts.solution.topology.vip_order is not VipOrder.DISABLE_FIRST:  # which has nothing to announce again
        yield from (f"{text} does not come" for text in sorted(beyond - given.keys()))
