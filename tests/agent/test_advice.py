"""Errors that a new user meets, provoked for real: each says in one line what is wrong and what to do."""

# ruff: noqa: S603  # the commands are our own

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from switchover.agent.lab.settings import LabSettings, configuration_text

A1, A2 = "SIP_Server_1", "SIP_Server_2"
NOBODY = 65534


@pytest.fixture
def file(tmp_path) -> Path:
    """A sound configuration with hosts on the loopback interface and a VIP on an interface that does not exist."""
    file = tmp_path / "switchover.toml"
    members = [(name, tmp_path / name, ("true",), ("true",), ("true",)) for name in (A1, A2)]
    hosts = ["127.0.0.1", "127.0.0.2"]
    text = configuration_text(tmp_path / "state", LabSettings(), ["127.0.0.10/8"], hosts, members)
    file.write_text(text.replace('address = "', 'interface = "none0"\naddress = "'))
    return file


@pytest.fixture
def command(file) -> Callable[..., tuple[int, str]]:
    """Runs a command, after `prefix` if given; returns its exit status and the last line on stderr."""

    def run(*arguments: str, prefix: Sequence[str] = ()) -> tuple[int, str]:
        argv = [*prefix, sys.executable, "-m", "switchover.agent", *arguments, "-c", str(file)]
        done = subprocess.run(argv, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        *_, last = ("", *done.stderr.splitlines())
        return done.returncode, last.removeprefix("switchover: ")

    return run


@pytest.fixture
def ordinary() -> tuple[str, ...]:
    """A command prefix that takes from root the right to open the files of other users."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("this needs root, and setpriv")
    return setpriv, "--bounding-set=-dac_override,-dac_read_search"


# Keys


def test_missing_keys(command, file):
    for arguments, name in ((["agent"], "agent"), (["lca", "host1"], "host1")):
        assert command(*arguments) == (
            1,
            f"cannot read the key {file.parent}/state/keys/{name}.key_secret: it is not there; "
            "`switchover keys` makes the keys, once for all; then each machine gets its own",
        )


def test_keys_of_another_user_cannot_be_read(command, file, ordinary):
    assert command("keys") == (0, "")
    key = file.parent / "state" / "keys" / "agent.key_secret"
    os.chown(key, NOBODY, -1)
    error = f"cannot read the key {key}: Permission denied; it belongs to another user"
    assert command("agent", prefix=ordinary) == (1, error)


def test_existing_keys_are_not_overwritten(command, file):
    assert command("keys") == (0, "")
    path = file.parent / "state" / "keys" / "agent.key"
    error = f"for new keys, move the old ones away: {path} exists already and is not overwritten"
    assert command("keys") == (1, error)


# The agent's journal and socket


def test_no_agent_is_running(command, file):
    path = file.parent / "state" / "agent.sock"
    error = f"no agent answers at {path} (No such file or directory); is `switchover agent` running here?"
    assert command("status") == (3, error)


def test_an_agent_of_another_user_cannot_be_asked(command, file, ordinary):
    path = file.parent / "state" / "agent.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        os.chown(path, NOBODY, -1)
        listening.listen()
        error = f"you may not ask the agent at {path}: do it as root, or as the agent's user"
        assert command("status", prefix=ordinary) == (3, error)


def test_an_agent_goes_on_without_a_journal_that_another_program_has_locked(command, file):
    assert command("keys") == (0, "")
    path = file.parent / "state" / "journal.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    argv = [sys.executable, "-m", "switchover.agent", "agent", "-c", str(file)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as agent:
        assert agent.stderr is not None
        try:
            complaint = agent.stderr.readline()
            assert (
                f" going on without a journal: the journal {path} cannot be opened: database is locked; " in complaint
            )
            advice = (
                "database is locked; another program has locked it: end that program, or a long read of the journal"
            )
            assert complaint.endswith(f" {advice}\n")
            while not agent.stderr.readline().endswith(" the agent is ready\n"):
                pass
        finally:
            agent.terminate()
            other.close()


def test_a_directory_without_write_permission(command, file, ordinary):
    assert command("keys") == (0, "")
    state = file.parent / "state"
    state.chmod(0o755)
    os.chown(state, NOBODY, -1)
    assert command("agent", prefix=ordinary) == (
        1,
        f"the socket {state}/agent.sock cannot be made: Permission denied; is this the agent's user?",
    )


def test_a_journal_that_does_not_exist(command, file):
    path = file.parent / "state" / "journal.sqlite"
    assert command("why") == (
        1,
        f"the journal {path} cannot be read: unable to open database file;"
        " there is no such file: no agent has used it on this machine",
    )


def test_a_socket_in_a_directory_without_write_permission(command, file, ordinary):
    assert command("keys") == (0, "")
    state, elsewhere = file.parent / "state", file.parent / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    os.chown(elsewhere, NOBODY, -1)
    file.write_text(file.read_text().replace(str(state / "agent.sock"), str(elsewhere / "agent.sock")))
    error = f"the socket {elsewhere}/agent.sock cannot be made: Permission denied; is this the agent's user?"
    assert command("agent", prefix=ordinary) == (1, error)


# The LCA, before it touches anything


def test_an_unknown_host(command):
    assert command("lca", "host3") == (1, "no host is named 'host3' in the configuration; known are host1, host2")


def test_a_port_in_use(command, file):
    assert command("keys") == (0, "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(file.read_text().replace('address = "127.0.0.1"', f'address = "127.0.0.1"\nport = {port}'))
        status, error = command("lca", "host1")
    assert status == 1
    assert error.startswith(f"cannot listen at tcp://127.0.0.1:{port}: Address already in use")
    assert error.endswith("; does another LCA run here already?")


def test_an_address_of_another_machine(command, file, host):
    assert command("keys") == (0, "")
    text = file.read_text().replace('"127.0.0.2"', '"198.51.100.212"').replace('"127.0.0.1"', '"198.51.100.211"')
    file.write_text(text.replace("127.0.0.10/8", "198.51.100.10/24"))
    status, error = host.call(command, "lca", "host2")
    assert status == 1
    assert error.startswith("cannot listen at tcp://198.51.100.212:4999: ")
    assert error.endswith("; the host's `address` must be one of this machine's: is it another host's?")


# Missing packages and privileges


def without_extras(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as if no extra were installed."""
    missing = ("numba", "numpy", "rich", "starlette", "uvicorn", "prometheus_client")
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name.partition('.')[0] in {missing}: raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from switchover.agent.cli.main import main\n"
        "sys.exit(main())"
    )
    argv = [sys.executable, "-c", code, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_commands_that_need_no_extra_work_without_any(file):
    for arguments in (["manual"], ["completion", "bash"], ["check", str(file)], ["verify", "--help"]):
        done = without_extras(*arguments)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [(["verify"], "numpy", "verify"), (["status", "--watch", "-c"], "rich", "terminal")],
)
def test_a_missing_extra(file, arguments, module, extra):
    done = without_extras(*arguments, str(file))
    error = f"switchover: this needs {module}: pip install 'switchover[{extra}]'\n"
    assert (done.returncode, done.stderr) == (2, error)


def test_a_lab_without_root():
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    module = "switchover.agent.lab.network.namespaces"
    code = f"import os; from {module} import why_not; os.seteuid({NOBODY}); print(why_not())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "the lab needs root to make network namespaces: run it with sudo\n"
