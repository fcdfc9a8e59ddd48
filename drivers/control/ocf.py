"""OCF resource agents: scripts in Linux distributions that control services of a cluster.

An agent is run as `agent action`; environment variables name the resource and its parameters, and the exit status is
the answer: Open Cluster Framework Resource Agent API 1.0 and 1.1 (github.com/ClusterLabs/OCF-spec, ra/1.1/
resource-agent-api.md). The roles promoted and unpromoted are primary and backup here; agents of API 1.0 call them
master and slave, with the same numbers.

No cluster manager is needed, although many agents with roles report their promotion score to one, with `crm_attribute`
or `crm_master` of the package pacemaker-cli-utils. ocf:pacemaker:Stateful and ocf:heartbeat:redis were tried without
it: they complain that the program is missing, and work. An agent that keeps cluster-wide state in Pacemaker's
attributes (galera, pgsql with replication) needs Pacemaker itself and cannot be used here.

Known weakness: `notify` is never called. An agent that uses it to attach the backup to the new primary, such as redis,
switches roles but does not attach the backup; the application has to do that.
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
"""Where Debian and Ubuntu install the agents and their shared files."""

PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[^\0]*")
"""The form of a parameter; its name becomes part of the name of an environment variable."""

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
"""The exit statuses of the API; 190 and 191 mean that it runs but may soon fail."""

_MODES = {0: Mode.BACKUP, 190: Mode.BACKUP, 7: Mode.DOWN, 8: Mode.PRIMARY, 191: Mode.PRIMARY}
_ACTIONS = {Action.START: "start", Action.STOP: "stop", Action.PROMOTE: "promote", Action.DEMOTE: "demote"}
_REASON = "ocf-exit-reason:"  # printed before the reason of a failure (`ocf_exit_reason`, ocf-shellfuncs)
_OUTPUT_LIMIT = 65536


@frozen
class OcfAgent:
    """An OCF resource agent and its parameters, each `name=value`, passed to it as `OCF_RESKEY_name`."""

    agent: Path
    parameters: tuple[str, ...] = ()


@frozen
class OcfControl:
    """Controls one application by an OCF resource agent (an `ApplicationControl`).

    An application of a redundant pair is promotable: primary, backup or down; any other is up or down. The agent gets
    `look_every_ms` as the interval of its monitor, in milliseconds.
    """

    ocf: OcfAgent
    application: str
    promotable: bool
    look_every_ms: int
    run: control.Run = control.run

    async def act(self, action: Action, deadline_ms: int) -> None:
        """See `ApplicationControl`. A primary is demoted before it is stopped, as Pacemaker does and agents expect."""
        if action is Action.STOP and self.promotable and await self.look(deadline_ms) is Mode.PRIMARY:
            await self._succeed(_ACTIONS[Action.DEMOTE], deadline_ms)
        await self._succeed(_ACTIONS[action], deadline_ms)

    async def look(self, deadline_ms: int) -> Mode:
        """See `ApplicationControl`. Runs `monitor`; a failed promoted application (9) does not work."""
        completed = await self._run("monitor", deadline_ms)
        if completed.status < 0:
            raise UnreadableError(self._complaint("monitor", completed))  # it was killed: there is no answer
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
        leave_running = action != "monitor"
        return await self.run(
            self._command(action), deadline_ms, environment, _OUTPUT_LIMIT, leave_running=leave_running
        )

    def _command(self, action: str) -> list[str]:
        return [str(self.ocf.agent), action]

    def _complaint(self, action: str, completed: control.Completed) -> str:
        name = STATUS_NAMES.get(completed.status, "not an OCF status")
        reason = _reason(completed.output)
        return f"{control.command_line(self._command(action))} ended with status {completed.status} ({name}): {reason}"

    def _environment(self, action: str, deadline_ms: int) -> Mapping[str, str]:
        """The API's variables, and those of Pacemaker that agents read, e.g. whether the resource has roles."""
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
            # Two instances, one of them promoted; agents of API 1.0 read the old names.
            meta = {"promotable": "true", "clone_max": "2", "clone_node_max": "1", "globally_unique": "false"}
            for role in ("promoted", "master"):
                meta |= {f"{role}_max": "1", f"{role}_node_max": "1"}
            environment |= {f"OCF_RESKEY_CRM_meta_{name}": value for name, value in meta.items()}
        for parameter in self.ocf.parameters:
            name, _, value = parameter.partition("=")
            environment[f"OCF_RESKEY_{name}"] = value
        return environment


def _reason(output: str) -> str:
    """Why an agent failed: the last reason that it marks as such, or else the last line that it prints.

    >>> _reason("ocf-exit-reason:no licence" + chr(10) + "crm_attribute: not found")
    'no licence'
    """
    reasons = [line for line in output.splitlines() if line.startswith(_REASON)]
    return reasons[-1].removeprefix(_REASON).strip() if reasons else control.last_line(output)
