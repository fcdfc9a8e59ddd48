"""Processes that are watched by pidfile, with real processes."""

import asyncio
import errno
import os
import subprocess
import time
from pathlib import Path

import pytest
from switchover.drivers.control.processes import ProcessWatch

SEVERAL_LOOKS_S = 0.35
"""Time enough for several looks at a pidfile."""


@pytest.fixture
def pidfile(tmp_path):
    return tmp_path / "application.pid"


@pytest.fixture
def spawn():
    """Starts processes that do nothing, and ends those that still run after the test."""
    processes = []

    def start() -> subprocess.Popen:
        processes.append(subprocess.Popen(["sleep", "1000"]))  # noqa: S607 - from PATH
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


class Watched:
    """A started watch, and the changes that it reported."""

    def __init__(self, pidfile: Path) -> None:
        self.changes: list[bool] = []
        self.watch = ProcessWatch("sip_server", pidfile, self.changes.append)

    async def __aenter__(self) -> "Watched":
        self.watch.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.watch.close()


def test_death_and_return_are_reported(pidfile, spawn, eventually):
    async def scenario():
        process = spawn()
        pidfile.write_text(f"{process.pid}\n")
        async with Watched(pidfile) as watched:
            assert (watched.watch.running, watched.changes) == (True, [])
            process.kill()
            await eventually(lambda: watched.changes == [False])
            assert not watched.watch.running
            pidfile.write_text(str(spawn().pid))
            await eventually(lambda: watched.changes == [False, True])
            assert watched.watch.running

    asyncio.run(scenario())


def test_a_pidfile_may_appear_later(pidfile, spawn, eventually):
    async def scenario():
        async with Watched(pidfile) as watched:
            assert not watched.watch.running
            pidfile.write_text(f"{spawn().pid}\nstarted today\n")
            await eventually(lambda: watched.changes == [True])

    asyncio.run(scenario())


def test_a_restart_before_the_death_was_noticed_is_reported_as_both(pidfile, spawn, eventually):
    """Its mode is lost with it, so the controller must learn of both."""

    async def scenario():
        process = spawn()
        pidfile.write_text(str(process.pid))
        async with Watched(pidfile) as watched:
            process.kill()
            process.wait()
            pidfile.write_text(str(spawn().pid))
            await eventually(lambda: watched.changes == [False, True])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "content",
    ["", "\n", "pid", "-1", "0", "1.5", "0x1", "\0", "²", "4194305", "99999999999999999999", "9" * 100, "\n1\n"],
)
def test_a_malformed_pidfile_means_down_until_it_names_a_process(pidfile, spawn, eventually, content):
    async def scenario():
        pidfile.write_text(content)
        async with Watched(pidfile) as watched:
            assert (watched.watch.running, watched.changes) == (False, [])
            pidfile.write_text(str(spawn().pid))
            await eventually(lambda: watched.changes == [True])

    asyncio.run(scenario())


def test_a_pidfile_that_cannot_be_read_means_down(pidfile):
    async def scenario():
        pidfile.mkdir()
        async with Watched(pidfile) as watched:
            assert not watched.watch.running

    asyncio.run(scenario())


def test_a_zombie_counts_as_dead_even_if_a_new_pidfile_names_it(pidfile, spawn, eventually):
    async def scenario():
        process = spawn()
        pidfile.write_text(str(process.pid))
        async with Watched(pidfile) as watched:
            process.kill()  # and not reaped
            await eventually(lambda: watched.changes == [False])
            pidfile.unlink()
            pidfile.write_text(str(process.pid))
            await asyncio.sleep(SEVERAL_LOOKS_S)
            assert watched.changes == [False]

    asyncio.run(scenario())


@pytest.mark.parametrize(("older_s", "running"), [(30, True), (3600, False)])
def test_a_pidfile_older_than_its_process_is_stale(pidfile, spawn, eventually, caplog, older_s, running):
    """It was left behind, and another process has the number now. Clocks are set, so a minute is allowed."""

    async def scenario():
        pidfile.write_text(str(spawn().pid))
        os.utime(pidfile, (time.time() - older_s,) * 2)
        async with Watched(pidfile) as watched:
            assert watched.watch.running is running
            await asyncio.sleep(SEVERAL_LOOKS_S)
            assert watched.changes == []
            pidfile.write_text(str(spawn().pid))
            await eventually(lambda: running or watched.changes == [True])

    asyncio.run(scenario())
    assert [f"{pidfile} is stale, so sip_server counts as down" in line for line in caplog.messages] == [True] * (
        not running
    )


def test_a_process_that_cannot_be_watched_yet_counts_as_down_until_it_can(
    pidfile, spawn, eventually, monkeypatch, caplog
):
    def no_descriptor(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def scenario():
        pidfile.write_text(str(spawn().pid))
        monkeypatch.setattr(os, "pidfd_open", no_descriptor)
        async with Watched(pidfile) as watched:
            await asyncio.sleep(SEVERAL_LOOKS_S)
            monkeypatch.undo()
            await eventually(lambda: watched.changes == [True])

    asyncio.run(scenario())
    assert caplog.messages == ["cannot watch the process of sip_server, so it counts as down: Too many open files"]


@pytest.mark.namespaces
def test_another_process_with_the_same_number_is_not_mistaken_for_it(pidfile, spawn, eventually):
    """Not even at the moment of its death: a pidfile that once proved wrong must be written again."""

    async def scenario():
        first, dead = spawn(), spawn()
        dead.kill()
        dead.wait()
        stale = pidfile.with_name("stale.pid")
        stale.write_text(str(dead.pid))
        pidfile.write_text(str(first.pid))
        async with Watched(pidfile) as watched, Watched(stale) as watched_stale:
            first.kill()
            first.wait()
            spawn_with_pid(first.pid, spawn)
            await eventually(lambda: watched.changes == [False])
            spawn_with_pid(dead.pid, spawn)
            await asyncio.sleep(SEVERAL_LOOKS_S)
            assert (watched.changes, watched_stale.changes) == ([False], [])
            pidfile.write_text(str(first.pid))
            await eventually(lambda: watched.changes == [False, True])

    asyncio.run(scenario())


def spawn_with_pid(pid: int, spawn) -> None:
    """Start a process with this number: the kernel gives the one after the last, unless another process is faster."""
    for _ in range(100):
        try:
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        except OSError as error:
            pytest.skip(f"process numbers cannot be chosen here: {error}")
        if spawn().pid == pid:
            return
    pytest.fail(f"process number {pid} could not be obtained")


def test_a_closed_watch_reports_nothing_and_keeps_no_file_open(pidfile, spawn):
    async def scenario():
        before = len(os.listdir("/proc/self/fd"))
        alive, dead = spawn(), spawn()
        dead.kill()
        dead.wait()
        changes = []
        for pid in (alive.pid, dead.pid):
            pidfile.write_text(str(pid))
            watch = ProcessWatch("sip_server", pidfile, changes.append)
            watch.start()
            watch.close()
        alive.kill()
        pidfile.write_text(str(spawn().pid))
        await asyncio.sleep(SEVERAL_LOOKS_S)
        return changes, len(os.listdir("/proc/self/fd")) - before

    assert asyncio.run(scenario()) == ([], 0)
