"""Metrics for Prometheus, made of what the agent sent last.

    name                                    labels                      meaning
    switchover_solution_info                solution, hosts, vip        1
    switchover_redundancy                                               1 if any component may fail, else 0
    switchover_link_state                   host, state                 1 for the state that it is in, 0 for each other
    switchover_pair_state                   pair, state, side           likewise; side is 1, 2 or empty
    switchover_vip_state                    state, side                 likewise
    switchover_placement_state              state, side                 likewise
    switchover_application_state            application, host, state    likewise: up, down, lost, unknown
    switchover_application_primary          application, host           1 if it is primary, 0 if not; absent: unknown
    switchover_vip_held                     host                        1 if it holds the VIP, 0 if not; absent: unknown
    switchover_alarm_state                  alarm, state                as the other states
    switchover_host_heard_age_seconds       host                        age of what is known of it; absent: never heard
    switchover_commands_pending                                         commands without a result yet
    switchover_incident_open                                            1 while one goes on
    switchover_journal_written                                          0 while the journal is not written, else 1
    switchover_journal_events_missing                                   events that are not in it (yet, or never)
    switchover_events_total                 type                        events that were handled
    switchover_commands_total               command, result             results of the hosts' commands
    switchover_incidents_total              moved                       incidents that are over; yes: something moved
    switchover_phase_seconds                phase                       from an incident's first event, a histogram

A state says what the agent concluded, and its age says whether it still counts: an alert on a state should look at
`switchover_host_heard_age_seconds` too. Counters begin with the agent. While the agent does not answer there are no
metrics, and Prometheus' own `up` is 0.
"""

import itertools
import re
from collections.abc import Iterable, Iterator

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector, CollectorRegistry

from ...fsm import ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP, Mode
from ...fsm.tables.table import Table
from ..controller.counts import BUCKETS_S
from ..explain.meanings import name_of
from ..history.incidents import has_redundancy
from ..history.json_format import from_json
from .connection import Heard


def metrics_text(heard: Heard) -> bytes:
    """All metrics, from what the agent sent, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Metrics(heard))
    return generate_latest(registry)


class _Metrics(Collector):
    """See the list above."""

    def __init__(self, heard: Heard) -> None:
        self._status, self._counts = heard.status, heard.line["counts"]
        self._topology, self._state = from_json(heard.line["state"])
        self._age_s = heard.age_s

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is asked for when this is registered."""
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily | InfoMetricFamily | CounterMetricFamily | HistogramMetricFamily]:
        """See the list above."""
        yield self._info()
        yield from self._whole()
        yield from self._hosts()
        yield from self._machines()
        yield from self._applications()
        yield from self._counters()
        yield self._phases()

    def _info(self) -> InfoMetricFamily:
        info = InfoMetricFamily("switchover_solution", "The solution")
        hosts, addresses = ",".join(self._topology.hosts), ",".join(self._status["vip"]["addresses"])
        info.add_metric([], {"solution": self._status["solution"], "hosts": hosts, "vip": addresses})
        return info

    def _whole(self) -> Iterator[GaugeMetricFamily]:
        incidents, journal = self._status["incidents"], self._status["journal"]
        is_open = bool(incidents) and not incidents[0]["is_over"]
        for name, text, value in (
            ("redundancy", "Whether any component may fail", has_redundancy(self._topology, self._state)),
            ("commands_pending", "Commands without a result yet", len(self._state.pending)),
            ("incident_open", "Whether an incident goes on", is_open),
            ("journal_written", "Whether the journal is written", journal["not_written_since"] is None),
            ("journal_events_missing", "Events since the agent started that are not in it", journal["missing"]),
        ):
            yield GaugeMetricFamily(f"switchover_{name}", text, value=float(value))

    def _hosts(self) -> Iterator[GaugeMetricFamily]:
        age = GaugeMetricFamily("switchover_host_heard_age_seconds", "How old what is known of it is", labels=["host"])
        held = GaugeMetricFamily("switchover_vip_held", "Whether it holds the VIP", labels=["host"])
        for host in self._status["hosts"]:
            if host["heard_ms_ago"] is not None:
                age.add_metric([host["name"]], host["heard_ms_ago"] / 1000 + self._age_s)
            if host["vip_held"] is not None:
                held.add_metric([host["name"]], float(host["vip_held"]))
        yield from (age, held)

    def _machines(self) -> Iterator[GaugeMetricFamily]:
        state, topology = self._state, self._topology
        pairs = zip(topology.pairs, state.pairs, strict=True)
        alarms = zip(topology.alarms, state.alarms, strict=True)
        yield _states(LINK, "link", "host", zip(topology.hosts, state.links, strict=True))
        yield _states(PAIR, "pair", "pair", [(pair.name, found.state) for pair, found in pairs])
        yield _states(VIP, "vip", "", [("", state.vip)])
        yield _states(PLACEMENT, "placement", "", [("", state.placement)])
        yield _states(ALARM, "alarm", "alarm", [(alarm.name, found) for alarm, found in alarms])

    def _applications(self) -> Iterator[GaugeMetricFamily]:
        state, topology = self._state, self._topology
        running = _family("application", ["application", "host", "state"])
        labels = ["application", "host"]
        primary = GaugeMetricFamily("switchover_application_primary", "Whether it is primary", labels=labels)
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

    def _counters(self) -> Iterator[CounterMetricFamily]:
        events = CounterMetricFamily("switchover_events", "Events that were handled", labels=["type"])
        commands = CounterMetricFamily(
            "switchover_commands", "Results of the hosts' commands", labels=["command", "result"]
        )
        incidents = CounterMetricFamily("switchover_incidents", "Incidents that are over", labels=["moved"])
        for event, count in self._counts["events"].items():
            events.add_metric([_snake(event)], count)
        for command, result, count in self._counts["commands"]:
            commands.add_metric([_snake(command), result], count)
        for moved, count in self._counts["incidents"].items():
            incidents.add_metric([moved], count)
        yield from (events, commands, incidents)

    def _phases(self) -> HistogramMetricFamily:
        text = "From an incident's first event until a phase of it was over"
        family = HistogramMetricFamily("switchover_phase_seconds", text, labels=["phase"])
        for phase, found in self._counts["phases"].items():
            counts = itertools.accumulate(found["buckets"])
            bounds = [*(str(bound) for bound in BUCKETS_S), "+Inf"]
            family.add_metric([phase], list(zip(bounds, counts, strict=True)), found["sum_s"])
        return family


def _states(table: Table, name: str, label: str, found: Iterable[tuple[str, str]]) -> GaugeMetricFamily:
    """The states of a machine: for each of its subjects 1 for the present state, and 0 for each other one."""
    labels, is_sided = [label] if label else [], bool(table.sided)
    family = _family(name, [*labels, "state", *(["side"] if is_sided else [])])
    for subject, present in found:
        for state in table.all_states:
            bare = name_of(state) if is_sided else state
            side = [state[len(bare) + 1 :]] if is_sided else []
            family.add_metric([*([subject] if label else []), bare, *side], float(state == present))
    return family


def _family(name: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"switchover_{name}_state", "1 for the state that it is in", labels=labels)


def _snake(name: str) -> str:
    """`HostFellSilent` as `host_fell_silent`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
