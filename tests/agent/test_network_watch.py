"""The watch on the kernel's network configuration, in network namespaces."""

import asyncio
import socket
import subprocess
from contextlib import contextmanager

import pytest
from switchover.drivers.errors import DriverError
from switchover.drivers.vip.network_watch import NetworkWatch


@contextmanager
def watching():
    """A watch; yields the list of its calls."""
    calls: list[None] = []
    watch = NetworkWatch(lambda: calls.append(None))
    watch.start()
    try:
        yield calls
    finally:
        watch.close()


@pytest.mark.parametrize(
    "change",
    [
        "addr add 198.51.100.10/24 dev eth0",
        "addr add 2001:db8::10/64 dev eth0 nodad",
        "link set eth0 address 02:00:00:00:00:07",
        "link set eth0 down",
        "link del eth0",
    ],
)
def test_a_change_of_addresses_or_interfaces_is_noticed(host, eventually, change):
    async def scenario():
        with watching() as calls:
            await asyncio.sleep(0.05)
            calls.clear()
            host.ip(change)
            await eventually(lambda: calls)

    host.run(scenario())


def test_a_flood_of_changes_is_survived(host, eventually, caplog):
    """The kernel drops what does not fit into the socket's buffer, and reports it once."""
    changes = "".join(f"addr add 198.51.100.{number % 200 + 50}/24 dev eth0\n" for number in range(200))
    changes += "".join(f"addr del 198.51.100.{number % 200 + 50}/24 dev eth0\n" for number in range(200))

    async def scenario():
        with watching() as calls:
            batch = ["ip", "-force", "-batch", "-"]
            subprocess.run(batch, input=changes * 10, text=True, check=True)  # noqa: S603 - the loop stands still meanwhile
            await eventually(lambda: calls)
            await asyncio.sleep(0.1)
            calls.clear()
            host.ip("addr add 198.51.100.10/24 dev eth0")
            await eventually(lambda: calls)

    host.run(scenario())
    assert caplog.text == ""


def test_a_socket_that_fails_is_replaced(host, eventually, caplog):
    async def scenario():
        calls: list[None] = []
        watch = NetworkWatch(lambda: calls.append(None))
        watch.start()
        kernel = watch._kernel

        class Failing:
            def recv(self, _: int) -> bytes:
                raise OSError(12, "Cannot allocate memory")

        watch._drain(Failing())
        await eventually(lambda: watch._kernel not in (None, kernel))
        calls.clear()
        host.ip("addr add 198.51.100.10/24 dev eth0")
        await eventually(lambda: calls)
        watch.close()

    host.run(scenario())
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "changes of the network are not seen",
        "changes of the network are watched again",
    ]


def test_a_watch_that_cannot_start_is_an_error(host, monkeypatch):
    def refuse(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    async def scenario():
        monkeypatch.setattr(socket, "socket", refuse)
        with pytest.raises(DriverError, match=r"^changes of the network cannot be watched: Too many open files$"):
            NetworkWatch(print).start()
        monkeypatch.undo()

    host.run(scenario())


def test_a_closed_watch_reports_nothing(host):
    async def scenario():
        with watching() as calls:
            pass
        host.ip("addr add 198.51.100.10/24 dev eth0")
        await asyncio.sleep(0.1)
        assert calls == []

    host.run(scenario())
