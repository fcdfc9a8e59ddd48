"""What a solution consists of: two hosts, pairs of applications, alarm conditions, and how the VIP is moved."""

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import Factory, field, frozen

from .alarms import Alarm, Reaction, ReactionKind, ReactionPolicy, event_id
from .errors import CoreError


class VipOrder(enum.StrEnum):
    """In which order the VIP leaves one host and arrives on the other.

    `together` launches both scripts at once, as [S2] describes it; `disable-first` never has two reachable holders
    and leaves the VIP nowhere for a moment; `enable-first` never leaves it nowhere and has two holders for a moment.
    """

    TOGETHER = "together"
    DISABLE_FIRST = "disable-first"
    ENABLE_FIRST = "enable-first"


@frozen
class Pair:
    """A pair: the application on the first host, and the one on the second."""

    name: str
    applications: tuple[str, str]


def derived(make: Callable[["Topology"], Any]) -> Any:
    """An attribute that is computed from the others, once, because every event needs it."""
    return field(init=False, eq=False, repr=False, default=Factory(make, takes_self=True))


@frozen
class Topology:
    """The solution's static part. Raises `CoreError` if its parts do not fit together.

    `pairs` are redundant: of each, one application is primary and one backup. Those of `monitored` pairs (Resource
    Manager, Media Control Platform) are up or down and have no mode. `outside` are applications on neither host, such
    as a premise SIP Server: all that is known about them comes from log messages.

    `settle_ms`: how long the core waits for the second host when it hears the first again after it heard none.
    `retry_ms`: how long after a failed command it is tried again. `drain_ms`: with the order `enable-first`, how long
    the old holder may still answer what it received before the new one announced itself. In milliseconds, above 0.
    """

    hosts: tuple[str, str]
    pairs: tuple[Pair, ...]
    alarms: tuple[Alarm, ...]
    vip_order: VipOrder = VipOrder.TOGETHER
    settle_ms: int = field(default=1000)
    retry_ms: int = field(default=1000)
    drain_ms: int = field(default=20)
    monitored: tuple[Pair, ...] = ()
    outside: tuple[str, ...] = ()
    reactions: ReactionPolicy = ReactionPolicy.ONCE
    components: tuple[Pair, ...] = derived(lambda self: (*self.pairs, *self.monitored))
    """All pairs: first the redundant ones, then the monitored ones."""
    applications: tuple[str, ...] = derived(
        lambda self: (*(name for pair in self.components for name in pair.applications), *self.outside)
    )
    """All applications: of each pair the first host's and the second's, then those on neither host."""
    detecting: Mapping[tuple[str, str], tuple[int, ...]] = derived(
        lambda self: _by_message((alarm.detect, alarm.application) for alarm in self.alarms)
    )
    """The positions of the alarms that a message (event id, application) activates."""
    cancelling: Mapping[tuple[str, str], tuple[int, ...]] = derived(
        lambda self: _by_message((alarm.cancel, alarm.application) for alarm in self.alarms)
    )
    """The positions of the alarms that a message (event id, application) cancels."""
    alarms_about: Mapping[str, tuple[int, ...]] = derived(
        lambda self: {
            name: tuple(i for i, alarm in enumerate(self.alarms) if alarm.application == name)
            for name in self.applications
        }
    )
    """The positions of the alarms about each application."""
    _numbers: Mapping[str, int] = derived(lambda self: {name: n for n, name in enumerate(self.applications)})

    def __attrs_post_init__(self) -> None:
        applications = self.applications
        names = [pair.name for pair in self.components]
        if "VIP" in (*applications, *names):
            raise CoreError("'VIP' is the name of the Virtual IP: give the pair or application another name")
        _distinct("host", self.hosts)
        _distinct("pair", names)
        _distinct("application", applications)
        _distinct("alarm", [alarm.name for alarm in self.alarms])
        for alarm in self.alarms:
            self._check(alarm)
        if not self.pairs:
            raise CoreError("a solution needs at least one pair")
        if min(self.settle_ms, self.retry_ms, self.drain_ms) <= 0:
            raise CoreError("settle_ms, retry_ms and drain_ms must be above 0")

    def _check(self, alarm: Alarm) -> None:
        if alarm.cancel_timeout_ms <= 0:
            raise CoreError(f"the cancel_timeout_ms of alarm {alarm.name!r} must be above 0")
        _known("application", alarm.application, self.applications, alarm.name)
        for reaction in alarm.reactions:
            self._check_target(alarm, reaction)

    def _check_target(self, alarm: Alarm, reaction: Reaction) -> None:
        if reaction.do is ReactionKind.TO_PRIMARY:
            redundant = [name for pair in self.pairs for name in pair.applications]
            _known("application of a redundant pair", reaction.application, redundant, alarm.name)
        else:
            _known("host", reaction.host, self.hosts, alarm.name)

    def side_of(self, host: str) -> int:
        """The side of a host, 1 or 2. Raises `CoreError` if there is no such host."""
        if host not in self.hosts:
            raise CoreError(f"unknown host {host!r}; known are {', '.join(self.hosts)}")
        return self.hosts.index(host) + 1

    def number_of(self, application: str) -> int:
        """The position of an application in `applications`. Raises `CoreError` if there is no such application."""
        if application not in self._numbers:
            raise CoreError(f"unknown application {application!r}; known are {', '.join(self.applications)}")
        return self._numbers[application]

    def find(self, application: str) -> tuple[int, int]:
        """The index of the application's pair in `components`, and its side, 1 or 2.

        Raises `CoreError` if there is no such application, or if it is on neither host.
        """
        pair, side = divmod(self.number_of(application), 2)
        if pair >= len(self.components):
            raise CoreError(f"{application!r} is on neither host")
        return pair, side + 1

    def find_redundant(self, application: str) -> tuple[int, int]:
        """As `find`, for an application of a redundant pair. Raises `CoreError` if it is only monitored."""
        pair, side = self.find(application)
        if pair >= len(self.pairs):
            raise CoreError(f"{application!r} is only monitored: it is neither primary nor backup")
        return pair, side


def _by_message(messages: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, ...]]:
    """The positions of each message, by event id (in the documents' notation) and application; no id, no message."""
    positions: dict[tuple[str, str], tuple[int, ...]] = {}
    for position, (message, application) in enumerate(messages):
        if message:
            key = event_id(message), application
            positions[key] = (*positions.get(key, ()), position)
    return positions


def _distinct(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise CoreError(f"two {kind}s are named {name!r}")
        seen.add(name)


def _known(kind: str, name: str, names: Iterable[str], alarm: str) -> None:
    if name not in names:
        raise CoreError(f"alarm {alarm!r} names the unknown {kind} {name!r}; known are {', '.join(names)}")
