"""OCF resource agents: the scripts that Linux distributions ship to control services in a cluster.

An agent is run as `agent action`; the environment names the resource and its parameters, and the exit status is the
answer: Open Cluster Framework Resource Agent API 1.0 and 1.1 (github.com/ClusterLabs/OCF-spec, ra/1.1/
resource-agent-api.md). The roles promoted and unpromoted are primary and backup here; where an agent of API 1.0 speaks
of master and slave, the numbers are the same.

No cluster manager is needed, but many agents that know roles tell one their promotion score, by `crm_attribute` or
`crm_master` of the package pacemaker-cli-utils. ocf:pacemaker:Stateful and ocf:heartbeat:redis were tried without:
they complain that the program is missing, and do their work. An agent that keeps cluster-wide state in Pacemaker's
attributes (galera, pgsql with replication) needs Pacemaker itself, and cannot be used here.

Known weakness: `notify` is never called. An agent that tells its backup by it who the new primary is, such as that of
redis, switches roles, but does not attach the backup to the new primary; that is left to the application.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from ...fsm.events import Mode
from ..errors import ExitStatusError, UnreadableError
from . import programs as control
from .applications import Action

OCF_ROOT = "/usr/lib/ocf"
"""Where Debian and Ubuntu install the agents and what they share."""

PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[^\0]*")
"""What a parameter looks like: its name becomes a part of the name of an environment variable."""

STATUS_NAMES = {
    0: "OCF_SUCCESS",
    1: "OCF_ERR_GENERIC",
    2: "OCF_ERR_ARGS",
    3: "OCF_ERR_UNIMPLEMENTED",
    4: "OCF_ERR_PERM",
    5: "OCF_ERR_INSTALLED",
    6: "OCF_ERR_CONFIGURED",
    7: "OCF_NOT_RUNNING",
    8: "OCF_RUNNING_PROMOTED",
    9: "OCF_FAILED_PROMOTED",
    190: "OCF_DEGRADED",
    191: "OCF_DEGRADED_PROMOTED",
}
"""The exit statuses of the API; 190 and 191 mean that it runs, in such a condition that it may soon fail."""

_MODES = {0: Mode.BACKUP, 190: Mode.BACKUP, 7: Mode.DOWN, 8: Mode.PRIMARY, 191: Mode.PRIMARY}
_ACTIONS = {Action.START: "start", Action.STOP: "stop", Action.PROMOTE: "promote", Action.DEMOTE: "demote"}
_REASON = "ocf-exit-reason:"  # what agents print before the reason of a failure (`ocf_exit_reason`, ocf-shellfuncs)
_OUTPUT_LIMIT = 65536


@frozen
class OcfAgent:
    """An OCF resource agent and its parameters, each `name=value`, which it gets as `OCF_RESKEY_name`."""

    agent: Path
    parameters: tuple[str, ...] = ()


@frozen
class OcfControl:
    """Controls one application by an OCF resource agent (an `ApplicationControl`).

    An application of a redundant pair is promotable, and primary, backup or down; any other is up or down. The agent
    is told that it is looked at every `look_every_ms` milliseconds.
    """

    ocf: OcfAgent
    application: str
    promotable: bool
    look_every_ms: int

    async def act(self, action: Action, deadline_ms: int) -> None:
        """See `ApplicationControl`. A primary is demoted before it is stopped, as agents expect it of Pacemaker."""
        if action is Action.STOP and self.promotable and await self.look(deadline_ms) is Mode.PRIMARY:
            await self._succeed(_ACTIONS[Action.DEMOTE], deadline_ms)
        await self._succeed(_ACTIONS[action], deadline_ms)

    async def look(self, deadline_ms: int) -> Mode:
        """See `ApplicationControl`; what `monitor` says. A failed promoted application (9) does not work."""
        completed = await self._run("monitor", deadline_ms)
        if completed.status < 0:
            raise UnreadableError(self._complaint("monitor", completed))  # it was killed: it says nothing
        mode = _MODES.get(completed.status)
        if mode is None:
            raise ExitStatusError(self._complaint("monitor", completed))
        return mode if self.promotable or mode is Mode.DOWN else Mode.UP

    async def _succeed(self, action: str, deadline_ms: int) -> None:
        completed = await self._run(action, deadline_ms)
        if completed.status != 0:
            raise ExitStatusError(self._complaint(action, completed))

    async def _run(self, action: str, deadline_ms: int) -> control.Completed:
        environment = self._environment(action, deadline_ms)
        return await control.run(self._command(action), deadline_ms, environment, _OUTPUT_LIMIT)

    def _command(self, action: str) -> list[str]:
        return [str(self.ocf.agent), action]

    def _complaint(self, action: str, completed: control.Completed) -> str:
        name = STATUS_NAMES.get(completed.status, "not an OCF status")
        reason = _reason(completed.output)
        return f"{control.command_line(self._command(action))} ended with status {completed.status} ({name}): {reason}"

    def _environment(self, action: str, deadline_ms: int) -> Mapping[str, str]:
        """What the API defines, and what Pacemaker adds to it and agents read, e.g. whether the resource has roles."""
        interval_ms = self.look_every_ms if action == "monitor" else 0
        environment = {
            "OCF_ROOT": OCF_ROOT,
            "OCF_RA_VERSION_MAJOR": "1",
            "OCF_RA_VERSION_MINOR": "1",
            "OCF_RESOURCE_INSTANCE": self.application,
            "OCF_RESOURCE_TYPE": self.ocf.agent.name,
            "OCF_RESOURCE_PROVIDER": self.ocf.agent.parent.name,
            "OCF_RESKEY_CRM_meta_name": action,
            "OCF_RESKEY_CRM_meta_interval": str(interval_ms),
            "OCF_RESKEY_CRM_meta_timeout": str(deadline_ms),
        }
        if self.promotable:
            # Two instances, one of them promoted; API 1.0's agents ask for it by the old name.
            meta = {"promotable": "true", "clone_max": "2", "clone_node_max": "1", "globally_unique": "false"}
            for role in ("promoted", "master"):
                meta |= {f"{role}_max": "1", f"{role}_node_max": "1"}
            environment |= {f"OCF_RESKEY_CRM_meta_{name}": value for name, value in meta.items()}
        for parameter in self.ocf.parameters:
            name, _, value = parameter.partition("=")
            environment[f"OCF_RESKEY_{name}"] = value
        return environment


def _reason(output: str) -> str:
    """Why an agent failed: the last reason that it marks as such, or else the last that it says.

    >>> _reason("ocf-exit-reason:no licence" + chr(10) + "crm_attribute: not found")
    'no licence'
    """
    reasons = [line for line in output.splitlines() if line.startswith(_REASON)]
    return reasons[-1].removeprefix(_REASON).strip() if reasons else control.last_line(output)
