"""The fence around the lab: `switchover lab` runs in namespaces of its own and cannot touch the machine's own network.

The lab moves real addresses and sends real gratuitous ARP, so it never runs in the machine's own network namespace.
The command starts itself a second time through `unshare` (util-linux): in a new network namespace without any link to
the outside, with a private mount table and a PID namespace of its own.

- *Outside*: the process that the user started. It waits, passes signals and the exit status on, and watches the
  machine's own namespace: if one of the lab's addresses ever appears there, the lab is killed.
- *Inside*: process 1 of the PID namespace. However the lab ends, even by SIGKILL of either process, the kernel ends
  every process inside, and with the last of them the network namespaces and the private mounts disappear.

The addresses are those for documentation (RFC 5737 and RFC 3849), which no real network should use.
"""

import ipaddress
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

LAB_NETWORKS = (ipaddress.ip_network("198.51.100.0/24"), ipaddress.ip_network("2001:db8::/32"))

STATE = Path("/dev/shm/switchover-lab")  # noqa: S108  # on a tmpfs that only the lab sees, see `prepare`
"""The directory of the lab's sockets, pidfiles and logs; it only exists inside, and is gone when the lab ends."""

GRACE_S = 5.0
"""How long the inside may clean up after the first Ctrl-C before it is killed, in seconds."""

_OUTSIDE = "SWITCHOVER_LAB_OUTSIDE"  # the environment variable with the machine's own network namespace, for the inside
_NETNS = Path("/run/netns")  # where `ip netns` keeps its names
_COMMANDS = ("ip", "bridge", "mount", "nsenter", "setpriv", "sysctl", "unshare")
_UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
# unshare and the monitor must not outlive a process outside that is killed with SIGKILL
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
_PROBE = """\
link add probe0 type veth peer name probe1
link add probe2 type bridge
address add 2001:db8::1/64 dev probe0 nodad
"""


class LabError(Exception):
    """The lab cannot start or continue. The message says why, in one line."""


def why_not() -> str | None:
    """The reason why the lab cannot run here, in one line; None if it can. Tries it out and leaves nothing behind."""
    if sys.platform != "linux":
        return f"the lab needs Linux and its network namespaces; this is {sys.platform}"
    if os.geteuid() != 0:
        return "the lab needs root to make network namespaces: run it with sudo"
    missing = [name for name in _COMMANDS if shutil.which(name, path=_environment()["PATH"]) is None]
    if missing:
        return f"the lab needs {', '.join(missing)} (Debian packages iproute2, util-linux, mount and procps)"
    probe = _run((*_UNSHARE, "ip", "-batch", "-"), _PROBE)
    if probe.returncode != 0:
        return f"the lab cannot make namespaces, bridges or IPv6 addresses on this machine: {_reason(probe)}"
    return None


def enter(argv: Sequence[str]) -> int:
    """Run `argv` inside the fence, wait for it, and return the exit status for the caller to end with.

    SIGINT, SIGTERM and SIGHUP reach `argv` as one SIGINT (process 1 ignores signals without a handler, and Python has
    one for SIGINT); the status is then 128 plus the signal's number. A second signal, or `GRACE_S` seconds without an
    end, kills it.

    Call it from the main thread. Raises `LabError` if the lab cannot run here, if one of its addresses is in the
    machine's own network already, or if one appears there while the lab runs (the lab has been killed then).
    """
    reason = why_not()
    if reason is not None:
        raise LabError(reason)
    with _monitor() as monitor:
        strays = lab_addresses()
        if strays:
            raise LabError(f"{_named(strays)} that this machine has: the lab does not start")
        environment = _environment() | {_OUTSIDE: network_namespace()}
        inside = subprocess.Popen(  # noqa: S603  # argv is the caller's own
            [*_DIE_WITH_PARENT, *_UNSHARE, *argv], env=environment, stdin=subprocess.DEVNULL, process_group=0
        )
        try:
            return _wait(inside, monitor)
        finally:
            inside.kill()  # the kernel then ends everything inside
            inside.wait()


def is_inside() -> bool:
    """Whether this process runs inside the fence that `enter` made."""
    return os.environ.get(_OUTSIDE, network_namespace()) != network_namespace()


def prepare() -> Path:
    """Make the private mounts; call it inside, before anything else. Returns `STATE`.

    Raises `LabError` if this process is not inside. On a machine without /run/netns an empty one is left behind, as
    after any use of `ip netns`.
    """
    if not is_inside():
        raise LabError("this process is in the machine's own network: the lab's network is only made inside `enter`")
    _NETNS.mkdir(parents=True, exist_ok=True)
    for directory in (_NETNS, STATE.parent):
        _checked(("mount", "-t", "tmpfs", "-o", "mode=755,size=64m", "switchover-lab", str(directory)))
    STATE.mkdir()
    return STATE


def network_namespace() -> str:
    """The kernel's name for the network namespace of this process, e.g. `net:[4026531840]`."""
    return os.readlink("/proc/self/ns/net")


def lab_addresses() -> list[str]:
    """The addresses from the lab's networks that exist in the network namespace of this process."""
    interfaces = json.loads(_checked(("ip", "-json", "address", "show")))
    addresses = [entry.get("local", "") for interface in interfaces for entry in interface.get("addr_info", [])]
    return [address for address in addresses if in_lab(address)]


def in_lab(address: str) -> bool:
    """Whether an address belongs to the lab's networks.

    >>> in_lab("198.51.100.10"), in_lab("2001:db8::10"), in_lab("203.0.113.1"), in_lab("nonsense")
    (True, True, False, False)
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in LAB_NETWORKS)


def stray_in(line: str) -> str | None:
    """The lab's address that was added according to a line of `ip -oneline monitor address`; None if there is none.

    >>> stray_in("2: eth0    inet 198.51.100.10/24 scope global eth0")
    '198.51.100.10'
    >>> stray_in("Deleted 2: eth0    inet 198.51.100.10/24 scope global eth0")
    """
    match = re.match(r"\d+: \S+\s+inet6? ([^/\s]+)", line)
    return match[1] if match and in_lab(match[1]) else None


@contextmanager
def _monitor() -> Generator[int]:
    """Runs `ip monitor` in the machine's own namespace; yields the file descriptor of its output."""
    argv = (*_DIE_WITH_PARENT, "ip", "-oneline", "monitor", "address")
    # In a process group of its own, or Ctrl-C would end the monitor before the lab.
    monitor = subprocess.Popen(  # noqa: S603  # constant arguments
        argv, env=_environment(), stdout=subprocess.PIPE, process_group=0
    )
    try:
        stream = monitor.stdout
        if stream is None:
            raise LabError("ip monitor has no output")
        with stream:
            yield stream.fileno()
    finally:
        monitor.kill()
        monitor.wait()


def _wait(inside: subprocess.Popen[bytes], monitor: int) -> int:
    """Wait for the inside while handling the monitor's output and signals; returns the exit status."""
    with selectors.DefaultSelector() as selector, _Signals(inside) as signals:
        pidfd = os.pidfd_open(inside.pid)
        try:
            selector.register(pidfd, selectors.EVENT_READ)
            selector.register(monitor, selectors.EVENT_READ)
            while inside.poll() is None:
                ready = [key.fd for key, _ in selector.select(timeout=0.5)]
                if monitor in ready:
                    _check(os.read(monitor, 65536))
                signals.enforce()
        finally:
            os.close(pidfd)
        return signals.status(inside.returncode)


def _check(output: bytes) -> None:
    """Raise `LabError` if the monitor saw one of the lab's addresses, or if the monitor itself has ended.

    A line that is split between two reads is not missed: each call also checks the addresses that exist now.
    """
    if not output:
        raise LabError("`ip monitor` for this machine's own addresses ended: the lab was killed")
    strays = [stray for stray in map(stray_in, output.decode(errors="replace").splitlines()) if stray]
    strays = strays or lab_addresses()
    if strays:
        raise LabError(f"{_named(strays)} that showed up on this machine: the lab was killed")


class _Signals:
    """Passes the user's signals on to the inside while it runs.

    The inside is not in the terminal's foreground process group, so Ctrl-C reaches it once, from here, and does not
    reach its children. Ctrl-Z is ignored: a lab that measures time cannot be suspended, and its fence must not be.
    """

    def __init__(self, inside: subprocess.Popen[bytes]) -> None:
        self._inside = inside
        self._received: signal.Signals | None = None
        self._deadline = 0.0
        self._previous = {number: signal.getsignal(number) for number in (*_FORWARDED, signal.SIGTSTP)}

    def __enter__(self) -> "_Signals":
        for number in _FORWARDED:
            signal.signal(number, self._handle)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._received is not None:
            self._inside.kill()
            return
        self._received = signal.Signals(number)
        self._deadline = time.monotonic() + GRACE_S
        _interrupt_child_of(self._inside)

    def enforce(self) -> None:
        """Kill the inside if it did not end in time after a signal."""
        if self._received is not None and time.monotonic() > self._deadline:
            self._inside.kill()

    def status(self, returncode: int) -> int:
        """The exit status by the shell's convention, from the return code of the inside."""
        if self._received is not None:
            return 128 + self._received
        return returncode if returncode >= 0 else 128 - returncode


_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt_child_of(unshare: subprocess.Popen[bytes]) -> None:
    """Send SIGINT to process 1 inside; if that does not exist yet, kill `unshare`: there is nothing to clean up."""
    children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
    try:
        os.kill(int(children.read_text().split()[0]), signal.SIGINT)
    except (OSError, IndexError):
        unshare.kill()


def _named(addresses: Sequence[str]) -> str:
    return f"{addresses[0]} is an address of the lab's networks"


def _environment() -> dict[str, str]:
    """The environment, with the directories of system commands on the path (`su` may omit them)."""
    return os.environ | {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}


def _run(argv: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # constant arguments
        argv, input=text, capture_output=True, text=True, timeout=30, check=False, env=_environment()
    )


def _checked(argv: Sequence[str]) -> str:
    """The output of a command. Raises `LabError` if it fails."""
    done = _run(argv)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)} failed: {_reason(done)}")
    return done.stdout


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split()) or f"exit status {done.returncode}"
