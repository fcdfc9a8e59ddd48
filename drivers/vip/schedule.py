"""How often the Virtual IP is announced. A module of its own, so that the configuration imports no scapy."""

from typing import Literal

from attrs import field, frozen
from attrs.validators import and_, deep_iterable, ge, in_, le, min_len

Form = Literal["request", "reply"]
"""How a gratuitous ARP is sent: as an ARP request or as an ARP reply (RFC 5944 section 4.6 allows both)."""


@frozen
class AnnounceSchedule:
    """How often the Virtual IP is announced. The defaults are those of keepalived.

    `count` frames of each form (1..100) are sent at once, or `interval_ms` (0..10000) apart. If the addresses are
    still here after `again_after_ms` (1..600000), `again_count` frames (0..100, 0 for none) follow, because the first
    ones can get lost while a switch port comes up. IPv6 has only one form.

    Raises `ValueError` for values outside these ranges.
    """

    count: int = field(default=5, validator=and_(ge(1), le(100)))
    interval_ms: int = field(default=0, validator=and_(ge(0), le(10_000)))
    again_after_ms: int = field(default=5000, validator=and_(ge(1), le(600_000)))
    again_count: int = field(default=5, validator=and_(ge(0), le(100)))
    forms: tuple[Form, ...] = field(
        default=("request", "reply"), validator=and_(min_len(1), deep_iterable(in_(("request", "reply"))))
    )

    def delays_ms(self) -> list[int]:
        """When each round of frames is sent, in milliseconds after the announcement began.

        >>> AnnounceSchedule(count=2, interval_ms=10, again_after_ms=500, again_count=1).delays_ms()
        [0, 10, 500]
        """
        first = [number * self.interval_ms for number in range(self.count)]
        return first + [self.again_after_ms + number * self.interval_ms for number in range(self.again_count)]
