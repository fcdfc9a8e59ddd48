"""A wire between two namespaces in user space, with a delay, jitter and loss: two data centres on one segment."""

import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time
from typing import Any

TUNSETIFF = 0x400454CA
TAP_WITHOUT_HEADER = 0x0002 | 0x1000  # IFF_TAP | IFF_NO_PI


class FarWire:
    """Connects a TAP device `eth0` of each namespace to that of the other one, for as long as it is entered.

    Each frame takes `delay_ms` and up to `jitter_ms` more, in order; the share `loss` is lost, as the seed says.
    """

    def __init__(self, *sides: Any, delay_ms: float, jitter_ms: float, loss: float, seed: int) -> None:
        self._sides = sides
        self._delay_s, self._jitter_s, self._loss = delay_ms / 1000, jitter_ms / 1000, loss
        self._random = random.Random(seed)  # noqa: S311  # it is no secret
        self._is_cut = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._forward)

    def cut(self) -> None:
        """Lose every frame from now on."""
        self._is_cut = True

    def heal(self) -> None:
        """Lose only the share from now on."""
        self._is_cut = False

    def __enter__(self) -> "FarWire":
        self._taps = [side.call(_open_tap) for side in self._sides]
        for number, side in enumerate(self._sides, 1):
            side.ip(f"addr add 198.51.100.{number}/24 dev eth0")
            side.ip("link set eth0 up")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        for tap in self._taps:
            os.close(tap)

    def _forward(self) -> None:
        under_way: list[tuple[float, int, int, bytes]] = []
        last = dict.fromkeys(self._taps, 0.0)
        number = 0
        while not self._ending.is_set():
            wait_s = min(0.05, max(0.0, under_way[0][0] - time.monotonic())) if under_way else 0.05
            for tap in select.select(self._taps, [], [], wait_s)[0]:
                frame, now = os.read(tap, 2048), time.monotonic()
                is_lost = self._random.random() < self._loss or self._is_cut
                last[tap] = max(last[tap], now + self._delay_s + self._random.random() * self._jitter_s)
                if not is_lost:
                    number += 1
                    to = next(other for other in self._taps if other != tap)
                    heapq.heappush(under_way, (last[tap], number, to, frame))
            while under_way and under_way[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(under_way)
                os.write(to, frame)


def _open_tap() -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"eth0", TAP_WITHOUT_HEADER))
    return tap
