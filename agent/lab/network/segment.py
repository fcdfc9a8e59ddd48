"""The lab's network: two hosts, the SCS side and a client, each in a namespace, on one Ethernet segment.

    host1 .11    host2 .12    scs .20    client .30   (premise .40)      198.51.100.0/24 and 2001:db8::/64, VIP .10
      eth0         eth0        eth0        eth0           eth0
        |            |           |           |              |            veth pairs
     +----------------------------------------------------------+
     |  wire: a namespace that is a bridge                      |
     +----------------------------------------------------------+

The premise SIP Server's station only exists in the voicemail lab.

The bridge has a namespace of its own, so that no station can see or change it. A link is cut at the bridge's port:
frames are lost in both directions while the host still sees a carrier. To a host, this looks like a failed switch or
line card, and it is the hardest case for a controller.
"""

import asyncio
import math
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from attrs import evolve, frozen

from .namespaces import LabError, is_inside

HOSTS = ("host1", "host2")
WIRE = "wire"
VIP = ("198.51.100.10", "2001:db8::10")
"""The two addresses of the Virtual IP; their prefix lengths are in `PREFIXES`."""
PREFIXES = (24, 64)
ADDRESSES: Mapping[str, tuple[str, str]] = {
    "host1":   ("198.51.100.11", "2001:db8::11"),
    "host2":   ("198.51.100.12", "2001:db8::12"),
    "scs":     ("198.51.100.20", "2001:db8::20"),
    "client":  ("198.51.100.30", "2001:db8::30"),
    "premise": ("198.51.100.40", "2001:db8::40"),
}  # fmt: skip
STATIONS = (*HOSTS, "scs", "client")
VOICEMAIL_STATIONS = (*STATIONS, "premise")
MACS: Mapping[str, str] = {name: f"00:00:5e:00:53:{v4.rpartition('.')[2]}" for name, (v4, _) in ADDRESSES.items()}
"""MAC addresses for documentation (RFC 7042 section 2.1.2); the last two digits are those of the IPv4 address."""

_COMMAND_TIMEOUT_S = 10.0
_STOP_S = 2.0
_PORT_DISABLED, _PORT_FORWARDING = 0, 3  # BR_STATE_* in linux/if_bridge.h

# No duplicate address detection: an address is usable at once, because its delay is not what the lab measures.
_QUIET = tuple(f"net.ipv6.conf.default.{key}=0" for key in ("accept_dad", "accept_ra", "router_solicitations"))
# The servers on both hosts are always bound to the VIP, even while it is not on their host.
_NONLOCAL = ("net.ipv4.ip_nonlocal_bind=1", "net.ipv6.ip_nonlocal_bind=1")


@frozen
class Cut:
    """A period in which a host's link was cut: from `start` until `end`, in seconds of `time.monotonic`."""

    host: str
    start: float
    end: float = math.inf


class Network:
    """The namespaces and links, and all processes started in them. Use it with `async with`.

    `stations` are names from `ADDRESSES` and must include the hosts.
    """

    def __init__(self, stations: Sequence[str] = STATIONS) -> None:
        self.stations = tuple(stations)
        self.cuts: list[Cut] = []
        """All cuts so far; the end of one that is not healed is infinite."""
        self._children: list[Process] = []

    async def __aenter__(self) -> "Network":
        await self.build()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.teardown()

    async def build(self) -> None:
        """Make the namespaces and connect them. Raises `LabError` outside the fence, or if a command fails."""
        if not is_inside():
            raise LabError("the lab's network is only built inside its own namespaces, never in the machine's")
        for name in (*self.stations, WIRE):
            await run(["ip", "netns", "add", name])
        await run(["ip", "link", "set", "lo", "up"])
        await _batch(WIRE, _wire_commands())
        for name in self.stations:
            await self._connect(name)

    async def _connect(self, name: str) -> None:
        settings = (*_QUIET, *(_NONLOCAL if name in HOSTS else ()))
        await run(run_in(name, ["sysctl", "-q", "-w", *settings]))
        veth = f"eth0 netns {name} address {MACS[name]} type veth peer name {name} netns {WIRE}"
        await run(["ip", "link", "add", *veth.split()])
        await _batch(name, _station_commands(name))
        await _batch(WIRE, [f"link set {name} master bridge", f"link set {name} up"])

    async def teardown(self) -> None:
        """End all processes started here, then remove the namespaces."""
        await asyncio.gather(*(end(child) for child in self._children))
        self._children.clear()
        for name in (*self.stations, WIRE):
            await run(["ip", "netns", "delete", name])

    async def cut(self, host: str) -> float:
        """Cut the host's link silently: no frame passes, but the carrier stays. Returns the moment after the cut."""
        await self._set_port(host, _PORT_DISABLED)
        now = time.monotonic()
        self.cuts.append(Cut(host, now))
        return now

    async def heal(self, host: str) -> float:
        """Restore the host's link in both directions at once. Returns the moment before it was restored."""
        now = time.monotonic()
        await self._set_port(host, _PORT_FORWARDING)
        self.cuts = [evolve(cut, end=min(cut.end, now)) if cut.host == host else cut for cut in self.cuts]
        return now

    async def _set_port(self, host: str, state: int) -> None:
        if host not in self.stations:
            raise LabError(f"no station {host!r}; there are {', '.join(self.stations)}")
        await run(["bridge", "-n", WIRE, "link", "set", "dev", host, "state", str(state)])

    async def spawn(
        self,
        namespace: str,
        argv: Sequence[str],
        *,
        stdout: int | IO[bytes] | None = DEVNULL,
        stderr: int | IO[bytes] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a process in a namespace, in a session of its own. `teardown` ends it if it still runs.

        `env` is added to the environment. The process is `argv` itself, so its pid can be watched and signalled.
        """
        environment = os.environ | (env or {})
        command = run_in(namespace, argv)
        child = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=stdout, stderr=stderr, env=environment, start_new_session=True
        )
        self._children.append(child)
        return child


def run_in(namespace: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` in one of the lab's namespaces.

    >>> run_in("client", ["ip", "neigh"])
    ['nsenter', '--net=/run/netns/client', '--', 'ip', 'neigh']

    `ip netns exec` would make a mount namespace and a sysfs each time, and take more than twice as long.
    """
    return ["nsenter", f"--net=/run/netns/{namespace}", "--", *argv]


async def run(argv: Sequence[str], text: str = "") -> str:
    """Run a command and return its output. Raises `LabError` if it fails, or takes longer than ten seconds."""
    try:
        child = await asyncio.create_subprocess_exec(
            *argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    except OSError as error:
        raise LabError(f"{' '.join(argv)} cannot be run: {error}") from None
    try:
        async with asyncio.timeout(_COMMAND_TIMEOUT_S):
            output, errors = await child.communicate(text.encode())
    except TimeoutError:
        raise LabError(f"{' '.join(argv)} did not end within {_COMMAND_TIMEOUT_S:g} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        reason = " ".join(errors.decode(errors="replace").split()) or f"exit status {child.returncode}"
        raise LabError(f"{' '.join(argv)} failed: {reason}")
    return output.decode(errors="replace")


async def end(child: Process, *, grace_s: float = _STOP_S) -> None:
    """End a process started by `Network.spawn`: SIGTERM, then SIGKILL to its whole group after at most `grace_s`."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await child.wait()
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # also its children: it leads a process group of its own
    await child.wait()


async def _batch(namespace: str, commands: Sequence[str]) -> None:
    await run(["ip", "-n", namespace, "-batch", "-"], "\n".join((*commands, "")))


def _wire_commands() -> list[str]:
    """The commands for a bridge that forwards from the first frame on and floods multicast, like a simple switch."""
    return [
        "link set lo up",
        "link add bridge type bridge stp_state 0 mcast_snooping 0 forward_delay 0",
        "link set bridge up",
    ]


def _station_commands(name: str) -> list[str]:
    addresses = zip(ADDRESSES[name], PREFIXES, strict=True)
    return ["link set lo up", *(f"address add {ip}/{size} dev eth0" for ip, size in addresses), "link set eth0 up"]
