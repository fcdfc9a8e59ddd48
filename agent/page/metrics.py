"""Metrics for Prometheus, in a registry of their own.

    name                                    labels                      meaning
    switchover_solution_info                solution, hosts, vip        1
    switchover_redundancy                                               1 if any component may fail, else 0
    switchover_link_state                   host, state                 1 for the state that it is in, 0 for each other
    switchover_pair_state                   pair, state, side           likewise; side is 1, 2 or empty
    switchover_vip_state                    state, side                 likewise
    switchover_placement_state              state, side                 likewise
    switchover_application_state            application, host, state    likewise: up, down, lost, unknown
    switchover_application_primary          application, host           1 if it is primary, 0 if not; absent: unknown
    switchover_vip_held                     host                        1 if it has the VIP, 0 if not; absent: unknown
    switchover_alarm_state                  alarm, state                as the other states
    switchover_host_heard_age_seconds       host                        how old what is known is; absent: never heard
    switchover_commands_pending                                         commands without a result yet
    switchover_incident_open                                            1 while one goes on
    switchover_events_total                 type                        events that were handled
    switchover_commands_total               command, result             results of the hosts' commands
    switchover_incidents_total              moved                       incidents that are over; yes: something moved
    switchover_phase_seconds                phase                       from an incident's first event, a histogram

A state says what the agent concluded, and its age says whether it still counts: an alert on a state should look at
`switchover_host_heard_age_seconds` too.
"""

import logging
import re
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from ...fsm import ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP, Mode
from ...fsm.events import (
    CommandFailed,
    CommandResult,
    CommandSucceeded,
    CommandTimedOut,
    CommandUnclear,
)
from ...fsm.table import Table
from ..controller.agent import Agent
from ..explain.meanings import name_of
from ..history.incidents import Incident, has_redundancy
from ..history.journal import Handled

LOG = logging.getLogger("switchover.page")

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_RESULTS = {
    CommandSucceeded: "succeeded",
    CommandFailed: "failed",
    CommandTimedOut: "timed_out",
    CommandUnclear: "unclear",
}


class Metrics:
    """The metrics of an agent. Make it before the agent starts: it counts all that is handled."""

    def __init__(self, agent: Agent) -> None:
        self._registry = registry = CollectorRegistry()
        self._events = Counter("switchover_events", "Events that were handled", ["type"], registry=registry)
        self._commands = Counter(
            "switchover_commands", "Results of the hosts' commands", ["command", "result"], registry=registry
        )
        self._incidents = Counter("switchover_incidents", "Incidents that are over", ["moved"], registry=registry)
        self._phases = Histogram(
            "switchover_phase_seconds",
            "From an incident's first event until a phase of it was over",
            ["phase"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._counted = 0
        registry.register(_Present(agent))
        agent.listeners.append(self._notice)

    def text(self) -> bytes:
        """All metrics as they are now, in Prometheus' text format."""
        return generate_latest(self._registry)

    def _notice(self, handled: Handled, incident: Incident | None) -> None:
        try:
            self._count(handled, incident)
        except Exception:  # whatever it is, the agent goes on
            LOG.exception("something could not be counted")

    def _count(self, handled: Handled, incident: Incident | None) -> None:
        self._events.labels(_snake(type(handled.event).__name__)).inc()
        if isinstance(handled.event, CommandResult):
            command = handled.before.pending_by_id(handled.event.id)
            if command is not None:
                self._commands.labels(_snake(type(command).__name__), _RESULTS[type(handled.event)]).inc()
        if incident is not None and incident.is_over and incident.id != self._counted:
            self._counted = incident.id
            self._incidents.labels("yes" if incident.moves else "no").inc()
            for phase in incident.phases:
                if phase.at_ms is not None:
                    self._phases.labels(phase.name).observe(phase.at_ms / 1000)


class _Present(Collector):
    """What is so now: read off the agent when it is asked for."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is asked for when this is registered."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily | InfoMetricFamily]:
        """See the list above."""
        yield self._info()
        yield from self._whole()
        yield from self._hosts()
        yield from self._machines()
        yield from self._applications()

    def _info(self) -> InfoMetricFamily:
        configuration, topology = self._agent.configuration, self._agent.solution.topology
        info = InfoMetricFamily("switchover_solution", "The solution")
        addresses = ",".join(str(address) for address in configuration.vip.addresses)
        info.add_metric(
            [], {"solution": configuration.solution.name, "hosts": ",".join(topology.hosts), "vip": addresses}
        )
        return info

    def _whole(self) -> Iterator[GaugeMetricFamily]:
        solution, incidents = self._agent.solution, self._agent.incidents
        is_open = bool(incidents) and not incidents[-1].is_over
        for name, text, value in (
            ("redundancy", "Whether any component may fail", has_redundancy(solution.topology, solution.state)),
            ("commands_pending", "Commands without a result yet", len(solution.state.pending)),
            ("incident_open", "Whether an incident goes on", is_open),
        ):
            yield GaugeMetricFamily(f"switchover_{name}", text, value=float(value))

    def _hosts(self) -> Iterator[GaugeMetricFamily]:
        state, hosts = self._agent.solution.state, self._agent.solution.topology.hosts
        age = GaugeMetricFamily("switchover_host_heard_age_seconds", "How old what is known of it is", labels=["host"])
        held = GaugeMetricFamily("switchover_vip_held", "Whether it has the VIP", labels=["host"])
        for host, is_held in zip(hosts, state.vip_held, strict=True):
            heard_ms_ago = self._agent.heard_ms_ago(host)
            if heard_ms_ago is not None:
                age.add_metric([host], heard_ms_ago / 1000)
            if is_held is not None:
                held.add_metric([host], float(is_held))
        yield from (age, held)

    def _machines(self) -> Iterator[GaugeMetricFamily]:
        state, topology = self._agent.solution.state, self._agent.solution.topology
        links = zip(topology.hosts, state.links, strict=True)
        pairs = [(pair.name, found.state) for pair, found in zip(topology.pairs, state.pairs, strict=True)]
        alarms = ((alarm.name, found) for alarm, found in zip(topology.alarms, state.alarms, strict=True))
        yield _states(LINK, "link", "host", links)
        yield _states(PAIR, "pair", "pair", pairs)
        yield _states(VIP, "vip", "", [("", state.vip)])
        yield _states(PLACEMENT, "placement", "", [("", state.placement)])
        yield _states(ALARM, "alarm", "alarm", alarms)

    def _applications(self) -> Iterator[GaugeMetricFamily]:
        state, topology = self._agent.solution.state, self._agent.solution.topology
        running = _family("application", ["application", "host", "state"])
        primary = GaugeMetricFamily(
            "switchover_application_primary", "Whether it is primary", labels=["application", "host"]
        )
        for pair in topology.components:
            for name, host in zip(pair.applications, topology.hosts, strict=True):
                found = state.applications[topology.number_of(name)]
                for each in APPLICATION.all_states:
                    running.add_metric([name, host, each], float(each == found))
        for pair, found in zip(topology.pairs, state.pairs, strict=True):
            for name, host, mode in zip(pair.applications, topology.hosts, found.modes, strict=True):
                if mode is not None:
                    primary.add_metric([name, host], float(mode is Mode.PRIMARY))
        yield from (running, primary)


def _states(
    table: Table, name: str, label: str, found: "Iterator[tuple[str, str]] | list[tuple[str, str]]"
) -> GaugeMetricFamily:
    """A machine's states: for each thing, 1 for the state that it is in, and 0 for each other one."""
    labels, is_sided = [label] if label else [], bool(table.sided)
    family = _family(name, [*labels, "state", *(["side"] if is_sided else [])])
    for thing, present in found:
        for state in table.all_states:
            bare = name_of(state) if is_sided else state
            side = [state[len(bare) + 1 :]] if is_sided else []
            family.add_metric([*([thing] if label else []), bare, *side], float(state == present))
    return family


def _family(name: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"switchover_{name}_state", "1 for the state that it is in", labels=labels)


def _snake(name: str) -> str:
    """`HostFellSilent` as `host_fell_silent`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
