"""The status of a solution, as the agent reports it to its clients."""

from datetime import UTC, datetime

from ...fsm.records import describe_command
from ..history.incidents import has_redundancy
from ..history.writer import JournalHealth
from .agent import Agent
from .operator_client import Reply


def status(agent: Agent) -> Reply:
    """The solution as the agent knows it now. What no host reports at the moment is None."""
    solution, configuration = agent.solution, agent.configuration
    state, topology = solution.state, solution.topology
    return {
        "solution": configuration.solution.name,
        "observing": agent.observe,
        "hosts": [
            {"name": host, "link": link, "vip_held": held, "heard_ms_ago": agent.heard_ms_ago(host)}
            for host, link, held in zip(topology.hosts, state.links, state.vip_held, strict=True)
        ],
        "pairs": [
            {
                "name": pair.name,
                "state": found.state,
                "applications": [
                    {"name": name, "host": host, "mode": mode}
                    for name, host, mode in zip(pair.applications, topology.hosts, found.modes, strict=True)
                ],
            }
            for pair, found in zip(topology.pairs, state.pairs, strict=True)
        ],
        "monitored": [
            {
                "name": pair.name,
                "applications": [
                    {"name": name, "host": host, "state": state.applications[topology.number_of(name)]}
                    for name, host in zip(pair.applications, topology.hosts, strict=True)
                ],
            }
            for pair in topology.monitored
        ],
        "outside": list(topology.outside),
        "placement": state.placement,
        "redundancy": has_redundancy(topology, state),
        "alarms": [
            {"name": alarm.name, "state": found}
            for alarm, found in zip(topology.alarms, state.alarms, strict=True)
            if found != "clear"
        ],
        "vip": {"state": state.vip, "addresses": [str(address) for address in configuration.vip.addresses]},
        "pending": [describe_command(command) for command in state.pending],
        "journal": _journal(agent.journal.health),
    }


def _journal(health: JournalHealth) -> Reply:
    """Whether the journal is written; `not_written_since` is UTC, None while it is."""
    since = None if health.since_ns is None else datetime.fromtimestamp(health.since_ns / 1e9, UTC)
    return {
        "missing": health.missing + health.waiting,
        "not_written_since": since and since.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "reason": health.reason,
    }
