"""Control commands, with real processes."""

import asyncio
import doctest
import errno
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from switchover.drivers.control import programs as control
from switchover.drivers.control.programs import Completed, check, output_without, require_success, run
from switchover.drivers.errors import DriverError, ExitStatusError, TimedOutError

DEADLINE_MS = 10_000


def result_of(*argv: str, **options) -> Completed:
    return asyncio.run(run(argv, DEADLINE_MS, **options))


def lives(pid: int) -> bool:
    """Whether a process runs; a zombie, which only its parent can remove, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_status_and_both_outputs_come_back():
    """A failing command is not an error of the driver: the caller decides what its status means."""
    assert result_of("sh", "-c", "echo out; echo problem >&2; exit 3") == Completed(3, "out\nproblem\n")


def test_death_by_a_signal_is_a_negative_status():
    assert result_of("sh", "-c", "kill -TERM $$") == Completed(-15, "")


def test_no_shell_interprets_the_arguments():
    assert result_of("printf", "%s", "$HOME; echo *") == Completed(0, "$HOME; echo *")


def test_standard_input_is_empty():
    """A command must not read input meant for the daemon, nor wait for it."""
    reading, writing = os.pipe()
    os.write(writing, b"for the daemon")
    os.close(writing)
    own = os.dup(0)
    os.dup2(reading, 0)
    try:
        assert result_of("cat") == Completed(0, "")
    finally:
        os.dup2(own, 0)
        os.close(own)
        os.close(reading)


def test_environment_is_added_to_the_daemon_s_own(monkeypatch):
    monkeypatch.setenv("SITE", "north")
    result = result_of("sh", "-c", "echo $SITE $SIDE", environment={"SIDE": "2"})
    assert result == Completed(0, "north 2\n")


def test_output_that_is_not_text_is_returned():
    assert result_of("printf", r"\377") == Completed(0, "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("limit", [0, 10, 4096])
def test_a_command_with_too_much_output_ends_all_the_same(limit):
    """Ten times the size of a pipe: if the rest were not read, the command would wait until its deadline."""
    talkative = ("sh", "-c", "head -c 655360 /dev/zero | tr '\\0' x; exit 7")
    assert result_of(*talkative, output_limit=limit) == Completed(7, "x" * limit, cut=True)


def test_output_up_to_the_limit_is_not_cut():
    assert result_of("printf", "0123456789", output_limit=10) == Completed(0, "0123456789", cut=False)


def test_the_last_output_is_not_lost():
    """Output and end become visible at the same time; twenty runs, so that either may come first."""

    async def twenty():
        return await asyncio.gather(*(run(["echo", str(number)], DEADLINE_MS) for number in range(20)))

    assert asyncio.run(twenty()) == [Completed(0, f"{number}\n") for number in range(20)]


def test_a_missing_program_is_an_error():
    with pytest.raises(DriverError, match=r"^no-such-command cannot be run: No such file or directory$"):
        result_of("no-such-command")


def test_a_file_that_is_not_executable_is_an_error(tmp_path):
    script = tmp_path / "script"
    script.write_text("echo never\n")
    with pytest.raises(DriverError, match=r"cannot be run: Permission denied$"):
        result_of(str(script))
    script.chmod(0o755)
    with pytest.raises(DriverError, match=r"cannot be run: Exec format error$"):
        result_of(str(script))


def test_the_deadline_ends_the_command_and_its_children(tmp_path, eventually):
    pids = tmp_path / "pids"

    async def overrun():
        argv = ("sh", "-c", f"sleep 1000 & echo $$ $! > {pids}; wait", "xyzzy")
        with pytest.raises(TimedOutError, match=r"^sh -c .* \*\*\* did not end within 1000 ms$"):
            await run(argv, 1000, secret="xyzzy")  # noqa: S106 - no password
        shell, sleep = map(int, pids.read_text().split())
        await eventually(lambda: not lives(shell) and not lives(sleep))

    asyncio.run(overrun())


def test_cancelling_ends_the_command_and_its_children(tmp_path, eventually):
    pids = tmp_path / "pids"

    async def cancel():
        argv = ("sh", "-c", f"sleep 1000 & echo $$ $! > {pids}; wait")
        task = asyncio.create_task(run(argv, DEADLINE_MS))
        await eventually(lambda: pids.exists() and pids.read_text())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        shell, sleep = map(int, pids.read_text().split())
        await eventually(lambda: not lives(shell) and not lives(sleep))

    asyncio.run(cancel())


def test_an_application_that_a_command_starts_keeps_running(tmp_path, eventually):
    """It writes to the command's output long after the command's end; a closed pipe would kill it."""
    done = tmp_path / "done"

    async def start_application():
        application = f"(sleep 0.2; echo started; echo ready; touch {done})"
        argv = ("sh", "-c", f"{application} & echo starting")
        assert await run(argv, DEADLINE_MS, leave_running=True) == Completed(0, "starting\n")
        await eventually(done.exists)

    asyncio.run(start_application())


@pytest.mark.parametrize("leaves", ["sleep 1000 &", "setsid sleep 1000 &"], ids=["its session", "another session"])
def test_a_check_that_leaves_processes_behind_keeps_neither_them_nor_files(tmp_path, eventually, leaves):
    """Such as a status command with a background process that keeps its output open."""
    pids = tmp_path / "pids"

    async def often():
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            argv = ("sh", "-c", f"{leaves} echo $! >> {pids}; echo primary")
            assert await run(argv, DEADLINE_MS) == Completed(0, "primary\n")
        return len(os.listdir("/proc/self/fd")) - before

    assert asyncio.run(often()) == 0
    left = [int(pid) for pid in pids.read_text().split() if lives(int(pid))]
    if "setsid" in leaves:  # a daemon is left alone on purpose
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    else:
        asyncio.run(eventually(lambda: not any(lives(pid) for pid in left)))


def test_a_command_that_cannot_be_watched_is_ended(monkeypatch):
    def no_descriptor(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "pidfd_open", no_descriptor)
    with pytest.raises(DriverError, match=r"^sleep cannot be watched: Too many open files$"):
        result_of("sleep", "1000")
    assert len(os.listdir("/proc/self/fd")) == before
    assert Path(f"/proc/self/task/{os.getpid()}/children").read_text() == ""


def test_no_file_of_a_command_remains_open():
    async def often():
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            await run(["true"], DEADLINE_MS)
        await asyncio.sleep(0)
        return len(os.listdir("/proc/self/fd")) - before

    assert asyncio.run(often()) == 0


def test_check_returns_the_output_of_a_success():
    assert asyncio.run(check(["echo", "done"], DEADLINE_MS)) == "done\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo one; echo 'no such application' >&2; echo; exit 4", "ended with status 4: no such application$"),
        ("exit 1", "ended with status 1: it printed nothing$"),
    ],
)
def test_check_raises_with_the_last_line_of_a_failure(script, reason):
    with pytest.raises(ExitStatusError, match=reason):
        asyncio.run(check(["sh", "-c", script], DEADLINE_MS))


def test_every_failure_of_a_command_is_a_driver_error():
    """A caller that does not distinguish errors catches one type."""
    assert issubclass(ExitStatusError, DriverError)
    assert issubclass(TimedOutError, DriverError)


def test_a_secret_argument_reaches_the_command_and_no_error():
    argv = ["sh", "-c", 'echo "no $1, user $0"; exit 5', "a b", "xyzzy"]
    completed = result_of(*argv)
    with pytest.raises(ExitStatusError, match=r"^sh -c .* ended with status 5: no \*\*\*, user a b$"):
        require_success(argv, completed, secret="xyzzy")  # noqa: S106 - no password


def test_a_secret_that_is_not_text_is_recognised_in_the_output():
    """Output is shown as UTF-8 with replacement marks; a secret of other bytes must not slip through."""
    secret = os.fsdecode(b"gr\xfcn")
    assert output_without(result_of("printf", "<%s>\\n", secret), secret) == "<***>\n"


@pytest.mark.parametrize("limit", range(7, 20))
def test_no_part_of_a_secret_remains_where_output_was_cut_off(limit):
    completed = result_of("printf", "first\\nwrong: xyzzy\\n", output_limit=limit)
    assert output_without(completed, "xyzzy") == ("first\n" if completed.cut else "first\nwrong: ***\n")


def test_the_examples_hold():
    assert doctest.testmod(control).failed == 0


# Scheduling


def policies_of_a_command(policy: int) -> tuple[int, int, int, int]:
    """The policies of a command's child, of the command, of a thread that is started later, and of this process."""

    def inside() -> tuple[int, int, int, int]:
        os.sched_setscheduler(0, policy, os.sched_param(1 if policy else 0))
        try:
            script = "import os; print(os.sched_getscheduler(0), os.sched_getscheduler(os.getppid()))"
            said = result_of("sh", "-c", f"{sys.executable} -c '{script}'; true").output.split()
            with ThreadPoolExecutor(1) as later:
                thread = later.submit(os.sched_getscheduler, 0).result()
            return int(said[0]), int(said[1]), thread, os.sched_getscheduler(0)
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(inside).result()


@pytest.mark.parametrize("policy", [os.SCHED_OTHER, os.SCHED_RR, os.SCHED_FIFO], ids=["ordinary", "RR", "FIFO"])
def test_a_command_of_a_real_time_process_is_an_ordinary_one(policy):
    """Else a component that a command starts would stay ahead of everything else on its host, for as long as it runs.

    The threads of the process itself stay what it is: the event loop may have to wait for one of them.
    """
    assert policies_of_a_command(policy) == (os.SCHED_OTHER, os.SCHED_OTHER, policy, policy)
