"""Notifications to systemd: from the notifier alone, and from a real agent, over a socket in the place of systemd's."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define, field
from switchover.agent.controller.operator_client import ask
from switchover.agent.daemons.service_manager import STATUS_AT_MOST_EVERY_S, ServiceManager
from switchover.agent.lab.settings import LabSettings, configuration_text
from switchover.drivers.link.keys import make_keys

A1, A2 = "SIP_Server_1", "SIP_Server_2"
PATIENCE_S = 60
BEAT = "WATCHDOG=1"


@define(eq=False)
class Systemd:
    """The end of the socket that systemd reads."""

    address: str
    listening: socket.socket = field(factory=lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))

    def __attrs_post_init__(self) -> None:
        self.listening.bind(self.address.replace("@", "\0", 1))
        self.listening.settimeout(PATIENCE_S)

    def receive(self) -> str:
        """The next datagram."""
        return self.listening.recv(65536).decode()

    def receive_other_than_beats(self) -> str:
        while (message := self.receive()) == BEAT:
            pass
        return message

    def is_quiet(self) -> bool:
        self.listening.setblocking(False)
        try:
            self.listening.recv(65536)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            self.listening.settimeout(PATIENCE_S)


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path) -> Iterator[Systemd]:
    address = f"@switchover-test-{os.getpid()}-{tmp_path.name}" if request.param == "abstract" else f"{tmp_path}/notify"
    systemd = Systemd(address)
    yield systemd
    systemd.listening.close()


def test_without_a_service_manager_nothing_is_sent():
    manager = ServiceManager({})
    manager.ready("serves")
    manager.follow(lambda: "serves")("anything")  # starts no timer either: that would need a loop
    manager.stopping()


def test_the_variables_are_removed_from_the_environment(systemd):
    environment = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    ServiceManager(environment)
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "watchdog", [{}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}]
)
def test_without_a_watchdog_for_this_process_no_beat_is_sent(systemd, watchdog):
    async def main() -> None:
        manager = ServiceManager({"NOTIFY_SOCKET": systemd.address, **watchdog})
        manager.ready("serves")
        await asyncio.sleep(0.05)
        manager.stopping()

    asyncio.run(main())
    assert [systemd.receive(), systemd.receive()] == ["READY=1\nSTATUS=serves", "STOPPING=1"]
    assert systemd.is_quiet()


def test_a_changed_status_is_sent_once_and_an_unchanged_one_never(systemd):
    statuses = iter(["serves", "host2 lost", "host2 lost", "unheard of"])

    async def main() -> None:
        manager = ServiceManager({"NOTIFY_SOCKET": systemd.address})
        manager.ready("serves")
        look = manager.follow(lambda: next(statuses))
        for _ in range(3):
            for _ in range(5):  # a takeover is many events
                look("an event", None)
            await asyncio.sleep(2 * STATUS_AT_MOST_EVERY_S)
        look()  # too late: the agent stops
        manager.stopping()
        await asyncio.sleep(2 * STATUS_AT_MOST_EVERY_S)

    asyncio.run(main())
    messages = [systemd.receive() for _ in range(3)]
    assert messages == ["READY=1\nSTATUS=serves", "STATUS=host2 lost", "STOPPING=1"]
    assert systemd.is_quiet()
    assert next(statuses) == "unheard of"


def test_a_loop_that_hangs_sends_no_beat_until_it_runs_again(systemd):
    hang, hangs, go_on = threading.Event(), threading.Event(), threading.Event()

    async def main() -> None:
        manager = ServiceManager({"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "20000"})
        manager.ready("serves")
        while not hang.is_set():
            await asyncio.sleep(0.001)
        hangs.set()
        go_on.wait(PATIENCE_S)
        await asyncio.to_thread(go_on.wait)
        while hang.is_set():
            await asyncio.sleep(0.001)
        manager.stopping()

    daemon = threading.Thread(target=asyncio.run, args=[main()])
    daemon.start()
    assert systemd.receive() == "READY=1\nSTATUS=serves"
    assert [systemd.receive() for _ in range(3)] == [BEAT] * 3
    hang.set()
    assert hangs.wait(PATIENCE_S)
    while not systemd.is_quiet():
        pass
    systemd.listening.settimeout(0.2)  # ten periods of the watchdog
    with pytest.raises(TimeoutError):
        systemd.receive()
    systemd.listening.settimeout(PATIENCE_S)
    go_on.set()
    assert systemd.receive() == BEAT
    hang.clear()
    assert systemd.receive_other_than_beats() == "STOPPING=1"
    daemon.join(PATIENCE_S)


def test_a_missing_service_manager_causes_a_warning_and_no_harm(tmp_path, caplog):
    manager = ServiceManager({"NOTIFY_SOCKET": f"{tmp_path}/nobody"})
    manager.ready("serves")
    manager.stopping()
    assert [record.getMessage() for record in caplog.records] == [
        "systemd did not get READY=1: [Errno 2] No such file or directory",
        "systemd did not get STOPPING=1: [Errno 2] No such file or directory",
    ]


# A real agent


@pytest.fixture
def file(tmp_path) -> Path:
    """A configuration whose hosts are on the loopback interface, where nothing listens."""
    file = tmp_path / "switchover.toml"
    members = [(name, tmp_path / name, ("true",), ("true",), ("true",)) for name in (A1, A2)]
    hosts = ["127.0.0.1", "127.0.0.2"]
    file.write_text(configuration_text(tmp_path / "state", LabSettings(), ["127.0.0.10/8"], hosts, members))
    make_keys(tmp_path / "state" / "keys", ("host1", "host2"))
    return file


def test_an_agent_sends_readiness_status_beats_and_its_stop(systemd, file):
    """Each notification is true when it is sent: a ready agent answers, and a stopped process sends no beat."""
    environment = {**os.environ, "NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "200000"}
    argv = [sys.executable, "-W", "error", "-m", "switchover.agent", "agent", "-c", str(file)]
    daemon = subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True)  # noqa: S603
    try:
        begins = "solution lab: NOT as it should be; no redundancy; VIP out_of_sight; host1"
        assert systemd.receive() == f"READY=1\nSTATUS={begins} unknown, host2 unknown"
        assert ask(file.parent / "state" / "agent.sock", {"do": "status"})["ok"]
        messages = {systemd.receive() for _ in range(20)}
        assert messages == {BEAT, f"STATUS={begins} lost, host2 lost"}
        daemon.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, daemon.pid, os.WSTOPPED | os.WNOWAIT)
        while not systemd.is_quiet():
            pass
        systemd.listening.settimeout(1)  # five periods of the watchdog
        with pytest.raises(TimeoutError):
            systemd.receive()
        systemd.listening.settimeout(PATIENCE_S)
        daemon.send_signal(signal.SIGCONT)
        assert systemd.receive() == BEAT
        daemon.send_signal(signal.SIGTERM)
        assert systemd.receive_other_than_beats() == "STOPPING=1"
        errors = daemon.communicate(timeout=PATIENCE_S)[1]
    finally:
        daemon.kill()
        daemon.wait()
    assert daemon.returncode == 0
    assert "not told" not in errors
    assert systemd.is_quiet()


def test_an_agent_that_cannot_start_does_not_report_readiness(systemd, file):
    (file.parent / "state" / "keys" / "agent.key_secret").unlink()
    argv = [sys.executable, "-m", "switchover.agent", "agent", "-c", str(file)]
    environment = {**os.environ, "NOTIFY_SOCKET": systemd.address}
    done = subprocess.run(argv, env=environment, stderr=subprocess.PIPE, timeout=60, check=False)  # noqa: S603
    assert done.returncode == 1
    assert systemd.is_quiet()
