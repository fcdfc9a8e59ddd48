"""The script of a simulation: a text, in which each line is an act of the outside world.

    # what is behind a number sign is a comment
    0     fail SIP_Server_1
    500   start SIP_Server_1               it is up again
    1000  lose host1
    3000  return host1                     as it is then
    4000  switch host2                     an operator asks for it; or for one application
    5000  message 00-5150 SIP_Server_2     an SCS logs it
    6000  script-fails host1 enable_vip    from then on; so does `script-works`
    7000  command-fails SIP_Server_1 to_primary

A line begins with its time, in ms after the beginning; the times do not fall.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

from ...fsm import Demote, DisableVip, EnableVip, Promote, Start, Stop, Topology
from ...fsm.commands import ApplicationCommand, VipScript
from ..explain.plan import PlanError, check

LONGEST_MS = 600_000
"""How long a script may last, in ms: the client asks every millisecond of it."""

_SCRIPTS: Mapping[str, type[VipScript]] = {each.verb: each for each in (EnableVip, DisableVip)}
_COMMANDS: Mapping[str, type[ApplicationCommand]] = {
    "to_primary": Promote,
    "to_backup": Demote,
    "start": Start,
    "stop": Stop,
}


class ScenarioError(Exception):
    """What is wrong with a script, with its line."""


@frozen
class Act:
    """What the outside world does, and when: in ms after the beginning."""

    at_ms: int
    words: str

    @property
    def verb(self) -> str:
        """What is done."""
        return self.words.partition(" ")[0]

    @property
    def what(self) -> str:
        """To what it is done."""
        return self.words.partition(" ")[2]


@frozen
class Fault:
    """A command that a host cannot carry out, by its text."""

    host: str
    command: str


def read_scenario(path: Path, topology: Topology) -> tuple[Act, ...]:
    """The acts of a script, in order. Raises `ScenarioError` for the first line that is wrong, or if there is none."""
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
        raise ScenarioError(f"{path}: nothing happens in it")
    return tuple(acts)


def _acts_in(line: str, topology: Topology, earliest_ms: int) -> Iterator[Act]:
    time, _, words = " ".join(line.partition("#")[0].split()).partition(" ")
    if not time:
        return
    if not (time.isascii() and time.isdecimal() and len(time) < 10 and int(time) <= LONGEST_MS):
        raise PlanError(f"{time!r} is no time: a line begins with 0 to {LONGEST_MS} ms")
    if int(time) < earliest_ms:
        raise PlanError(f"{time} ms is before {earliest_ms} ms: the times do not fall")
    if words.startswith(("script-", "command-")):
        fault_of(words, topology)
    elif words.startswith("return ") and words.count(" ") > 1:
        raise PlanError(f"{words!r}: a host returns as it is then: say 'return HOST'")
    else:
        check(topology, words)
    yield Act(int(time), words)


def fault_of(words: str, topology: Topology) -> Fault:
    """What `script-fails HOST SCRIPT` and `command-fails NAME COMMAND` name, and likewise `-works`."""
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
    """The applications on the hosts, and on which."""
    return {
        name: host for pair in topology.components for name, host in zip(pair.applications, topology.hosts, strict=True)
    }
