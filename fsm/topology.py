"""What a solution consists of: two hosts, pairs of applications, alarm conditions, and how the VIP is moved."""

import enum
from collections.abc import Iterable

from attrs import field, frozen

from .alarms import Alarm, event_id
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
    """A redundant pair: the application on the first host, and the one on the second."""

    name: str
    applications: tuple[str, str]


@frozen
class Topology:
    """The solution's static part. `CoreError` if it does not fit together.

    `settle_ms`: how long the core waits for the second host when it sees the first again after it saw none.
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

    def __attrs_post_init__(self) -> None:
        applications = [name for pair in self.pairs for name in pair.applications]
        if "VIP" in (*applications, *(pair.name for pair in self.pairs)):
            raise CoreError("'VIP' is the name of the Virtual IP: no pair and no application can be called that")
        _distinct("host", self.hosts)
        _distinct("pair", [pair.name for pair in self.pairs])
        _distinct("application", applications)
        _distinct("alarm", [alarm.name for alarm in self.alarms])
        for alarm in self.alarms:
            event_id(alarm.detect)
            _known("application", alarm.application, applications, alarm.name)
            for reaction in alarm.reactions:
                _known("host", reaction.host, self.hosts, alarm.name)
        if not self.pairs:
            raise CoreError("a solution needs at least one pair")
        if min(self.settle_ms, self.retry_ms, self.drain_ms) <= 0:
            raise CoreError("settle_ms, retry_ms and drain_ms must be above 0")

    def side_of(self, host: str) -> int:
        """The side, 1 or 2, of a host; `CoreError` if there is no such host."""
        if host not in self.hosts:
            raise CoreError(f"unknown host {host!r}; known are {', '.join(self.hosts)}")
        return self.hosts.index(host) + 1

    def find(self, application: str) -> tuple[int, int]:
        """The index of the application's pair, and its side; `CoreError` if there is no such application."""
        for index, pair in enumerate(self.pairs):
            if application in pair.applications:
                return index, pair.applications.index(application) + 1
        known = ", ".join(name for pair in self.pairs for name in pair.applications)
        raise CoreError(f"unknown application {application!r}; known are {known}")


def _distinct(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise CoreError(f"two {kind}s are named {name!r}")
        seen.add(name)


def _known(kind: str, name: str, names: Iterable[str], alarm: str) -> None:
    if name not in names:
        raise CoreError(f"alarm {alarm!r} names the unknown {kind} {name!r}; known are {', '.join(names)}")
