"""The script of a simulation: a text in which each line is something that happens outside.

    # a comment
    0     fail SIP_Server_1
    500   start SIP_Server_1               it is up again
    1000  lose host1
    3000  return host1                     in the state that it then has
    4000  switch host2                     an operator asks for it, or for one application
    5000  message 00-5150 SIP_Server_2     an SCS logs it
    6000  script-fails host1 enable_vip    from then on; so does `script-works`
    7000  command-fails SIP_Server_1 to_primary

A line begins with its time, in ms after the beginning; lines stand in the order of time.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

from ...fsm import Demote, DisableVip, EnableVip, Promote, Start, Stop, Topology
from ...fsm.commands import ApplicationCommand, VipScript
from ..explain.plan import PlanError, check

LONGEST_MS = 600_000
"""How long a script may last, in ms: the client sends a request every millisecond."""

_SCRIPTS: Mapping[str, type[VipScript]] = {each.verb: each for each in (EnableVip, DisableVip)}
_COMMANDS: Mapping[str, type[ApplicationCommand]] = {
    "to_primary": Promote,
    "to_backup": Demote,
    "start": Start,
    "stop": Stop,
}


class ScenarioError(Exception):
    """A script is wrong; the text says in which line, and how."""


@frozen
class Act:
    """Something that happens outside, and its time in ms after the beginning."""

    at_ms: int
    words: str

    @property
    def verb(self) -> str:
        """What happens, such as `fail`."""
        return self.words.partition(" ")[0]

    @property
    def what(self) -> str:
        """To what it happens, such as an application."""
        return self.words.partition(" ")[2]


@frozen
class Fault:
    """A host, and the record of a command that it cannot carry out."""

    host: str
    command: str


def read_scenario(path: Path, topology: Topology) -> tuple[Act, ...]:
    """The acts of a script, in order. Raises `ScenarioError` for the first wrong line, or if there is no act."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    acts: list[Act] = []
    for number, line in enumerate(lines, start=1):
        try:
            acts += _acts_in(line, topology, acts[-1].at_ms if acts else 0)
        except PlanError as error:
            raise ScenarioError(f"{path}:{number}: {error}") from error
    if not acts:
        raise ScenarioError(f"{path}: contains no act, such as '500 fail {topology.applications[0]}'")
    return tuple(acts)


def _acts_in(line: str, topology: Topology, earliest_ms: int) -> Iterator[Act]:
    time, _, words = " ".join(line.partition("#")[0].split()).partition(" ")
    if not time:
        return
    if not (time.isascii() and time.isdecimal() and len(time) < 10 and int(time) <= LONGEST_MS):
        raise PlanError(f"{time!r} is not a time: a line begins with 0 to {LONGEST_MS}, in ms")
    if int(time) < earliest_ms:
        raise PlanError(f"{time} ms comes after {earliest_ms} ms: put the lines in the order of time")
    if words.startswith(("script-", "command-")):
        fault_of(words, topology)
    elif words.startswith("return ") and words.count(" ") > 1:
        raise PlanError(f"{words!r}: it returns in its own state: say 'return HOST'")
    else:
        check(topology, words)
    yield Act(int(time), words)


def fault_of(words: str, topology: Topology) -> Fault:
    """The fault that `script-fails HOST SCRIPT` or `command-fails NAME COMMAND` names; also for `-works`."""
    verb, *rest = words.split(" ")
    *name, what = rest or [""]
    subject = " ".join(name)
    match verb:
        case "script-fails" | "script-works" if subject in topology.hosts and what in _SCRIPTS:
            return Fault(subject, _SCRIPTS[what](subject).record)
        case "command-fails" | "command-works" if what in _COMMANDS and subject in _on_hosts(topology):
            host = _on_hosts(topology)[subject]
            return Fault(host, _COMMANDS[what](host, subject).record)
        case _:
            hosts, names = " or ".join(topology.hosts), ", ".join(_on_hosts(topology))
            scripts, commands = " or ".join(_SCRIPTS), ", ".join(_COMMANDS)
            raise PlanError(
                f"{words!r}: say 'script-fails HOST SCRIPT' ({hosts}; {scripts}) or 'command-fails NAME COMMAND'"
                f" ({names}; {commands}), or the same with -works"
            )


def _on_hosts(topology: Topology) -> dict[str, str]:
    """The host of each application."""
    return {
        name: host for pair in topology.components for name, host in zip(pair.applications, topology.hosts, strict=True)
    }
