"""The `ip` command of iproute2, kept running: an address is added and looked at without a fork.

It reads commands from a pipe (`-batch -`) and goes on after an error (`-force`). A look answers with one line of JSON,
errors come as lines of text in the order of the commands, and an error's last line counts the commands given so far;
so the end of every answer is recognised. Tried with iproute2 6.1.
"""

import asyncio
import ipaddress
import json
import os
import subprocess
from collections.abc import Sequence
from typing import IO, Any, cast

from ..control.programs import Child
from ..errors import DriverError

Address = ipaddress.IPv4Interface | ipaddress.IPv6Interface
"""An address with the length of its network prefix, e.g. 198.51.100.10/24."""


class IpDiedError(DriverError):
    """The resident `ip` ended before it answered."""


class NoInterfaceError(DriverError):
    """The resident `ip` knows no interface of that name."""


class ResidentIp:
    """One `ip` command that reads its commands from a pipe and answers each look with one line of JSON."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                ["ip", "-json", "-force", "-batch", "-"],  # noqa: S607 - distributions differ in where they keep it
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise DriverError(f"ip cannot be run: {error.strerror}") from error
        self._child = Child(self._process)
        self._input = cast(IO[bytes], self._process.stdin)
        self._output = cast(IO[bytes], self._process.stdout)
        self._received = b""
        self._commands_given = 0

    async def close(self) -> None:
        """End it."""
        await self._child.kill()
        self._input.close()
        self._output.close()

    async def carry_out(self, commands: Sequence[str], interface: str) -> tuple[Sequence[Address], str]:
        """Give it the commands; return the addresses that are on the interface then, and its complaints."""
        lines = [*commands, f"addr show dev {interface}"]
        self._commands_given += len(lines)
        self._write("".join(f"{line}\n" for line in lines))
        complaints: list[str] = []
        while not (line := await self._read_line()).startswith("["):
            if line == f"Command failed -:{self._commands_given}":
                raise NoInterfaceError(" ".join(complaints))
            if not line.startswith("Command failed"):
                complaints.append(line)
        return _shown_addresses(line, interface), " ".join(complaints) or "ip reported no error"

    def _write(self, text: str) -> None:
        # It waits for commands whenever none is being answered, so the pipe is empty and this never blocks.
        try:
            self._input.write(text.encode())
        except BrokenPipeError:
            raise IpDiedError("ip ended unexpectedly") from None

    async def _read_line(self) -> str:
        while b"\n" not in self._received:
            await _readable(self._output.fileno())
            data = os.read(self._output.fileno(), 65536)
            if not data:
                raise IpDiedError("ip ended before it answered")
            self._received += data
        line, self._received = self._received.split(b"\n", 1)
        return line.decode(errors="replace")


async def _readable(file: int) -> None:
    """Wait until there is something to read."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(file, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(file)


def _shown_addresses(answer: str, interface: str) -> Sequence[Address]:
    """The addresses in an answer to `addr show`; an empty answer means that the interface is gone."""
    shown = cast(list[dict[str, Any]], json.loads(answer))
    if not shown:
        raise NoInterfaceError(f"there is no interface {interface}")
    return [
        ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}")
        for address in shown[0].get("addr_info", [])
        if "local" in address
    ]
