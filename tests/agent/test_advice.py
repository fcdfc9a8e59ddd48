"""Errors that a new user meets, really provoked: each says what is wrong, and what to do about it, in one line."""

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
    """A sound configuration whose hosts are on the loopback interface, and whose VIP is on none that there is."""
    file = tmp_path / "switchover.toml"
    members = [(name, tmp_path / name, ("true",), ("true",), ("true",)) for name in (A1, A2)]
    hosts = ["127.0.0.1", "127.0.0.2"]
    text = configuration_text(tmp_path / "state", LabSettings(), ["127.0.0.10/8"], hosts, members)
    file.write_text(text.replace('address = "', 'interface = "none0"\naddress = "'))
    return file


@pytest.fixture
def told(file) -> Callable[..., tuple[int, str]]:
    """Runs a command, after `prefix` if there is one: its exit status, and the last line that it says."""

    def run(*arguments: str, prefix: Sequence[str] = ()) -> tuple[int, str]:
        argv = [*prefix, sys.executable, "-m", "switchover.agent", *arguments, "-c", str(file)]
        done = subprocess.run(argv, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        *_, last = ("", *done.stderr.splitlines())
        return done.returncode, last.removeprefix("switchover: ")

    return run


@pytest.fixture
def ordinary() -> tuple[str, ...]:
    """What makes root a user like any other, to whom the files of others are closed."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("this needs root, and setpriv")
    return setpriv, "--bounding-set=-dac_override,-dac_read_search"


# Keys


def test_keys_that_are_not_there(told, file):
    for command, name in ((["agent"], "agent"), (["lca", "host1"], "host1")):
        assert told(*command) == (
            1,
            f"cannot read the key {file.parent}/state/keys/{name}.key_secret: it is not there; "
            "`switchover keys` makes the keys, once for all; then each machine gets its own",
        )


def test_keys_of_another_user(told, file, ordinary):
    assert told("keys") == (0, "")
    key = file.parent / "state" / "keys" / "agent.key_secret"
    os.chown(key, NOBODY, -1)
    said = f"cannot read the key {key}: Permission denied; it belongs to another user"
    assert told("agent", prefix=ordinary) == (1, said)


def test_keys_that_are_there_already(told, file):
    assert told("keys") == (0, "")
    path = file.parent / "state" / "keys" / "agent.key"
    said = f"for new keys, move the old ones away: {path} exists already and is not overwritten"
    assert told("keys") == (1, said)


# The agent's journal and socket


def test_an_agent_that_does_not_run(told, file):
    path = file.parent / "state" / "agent.sock"
    said = f"no agent answers at {path} (No such file or directory); is `switchover agent` running here?"
    assert told("status") == (3, said)


def test_an_agent_of_another_user(told, file, ordinary):
    path = file.parent / "state" / "agent.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        os.chown(path, NOBODY, -1)
        listening.listen()
        said = f"you may not ask the agent at {path}: do it as root, or as the agent's user"
        assert told("status", prefix=ordinary) == (3, said)


def test_a_journal_that_is_held_by_another_program(told, file):
    assert told("keys") == (0, "")
    path = file.parent / "state" / "journal.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert told("agent") == (
            1,
            f"the journal {path} cannot be opened: database is locked;"
            " another program has locked it: end that program, or a long read of the journal",
        )
    finally:
        other.close()


def test_a_journal_where_this_user_may_not_write(told, file, ordinary):
    assert told("keys") == (0, "")
    state = file.parent / "state"
    state.chmod(0o755)
    os.chown(state, NOBODY, -1)
    assert told("agent", prefix=ordinary) == (
        1,
        f"the journal {state}/journal.sqlite cannot be opened: unable to open database file;"
        f" run this as the agent's user, who may write to {state}",
    )


def test_a_journal_that_nobody_has_written(told, file):
    path = file.parent / "state" / "journal.sqlite"
    assert told("why") == (
        1,
        f"the journal {path} cannot be read: unable to open database file;"
        " there is no such file: no agent has used it on this machine",
    )


def test_a_socket_where_this_user_may_not_write(told, file, ordinary):
    assert told("keys") == (0, "")
    state, elsewhere = file.parent / "state", file.parent / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    os.chown(elsewhere, NOBODY, -1)
    file.write_text(file.read_text().replace(str(state / "agent.sock"), str(elsewhere / "agent.sock")))
    said = f"the socket {elsewhere}/agent.sock cannot be made: Permission denied; is this the agent's user?"
    assert told("agent", prefix=ordinary) == (1, said)


# The LCA, before it touches anything


def test_a_host_of_another_name(told):
    assert told("lca", "host3") == (1, "no host is named 'host3' in the configuration; known are host1, host2")


def test_a_port_that_is_taken(told, file):
    assert told("keys") == (0, "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(file.read_text().replace('address = "127.0.0.1"', f'address = "127.0.0.1"\nport = {port}'))
        status, said = told("lca", "host1")
    assert status == 1
    assert said.startswith(f"cannot listen at tcp://127.0.0.1:{port}: Address already in use")
    assert said.endswith("; does another LCA run here already?")


def test_an_address_of_another_machine(told, file, host):
    assert told("keys") == (0, "")
    text = file.read_text().replace('"127.0.0.2"', '"198.51.100.212"').replace('"127.0.0.1"', '"198.51.100.211"')
    file.write_text(text.replace("127.0.0.10/8", "198.51.100.10/24"))
    status, said = host.call(told, "lca", "host2")
    assert status == 1
    assert said.startswith("cannot listen at tcp://198.51.100.212:4999: ")
    assert said.endswith("; the host's `address` must be one of this machine's: is it another host's?")


# What is not installed, or not allowed


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


def test_without_any_extra_everything_that_needs_none_can_be_done(file):
    for arguments in (["manual"], ["completion", "bash"], ["check", str(file)], ["verify", "--help"]):
        done = without_extras(*arguments)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [(["verify"], "numpy", "verify"), (["status", "--watch", "-c"], "rich", "terminal")],
)
def test_an_extra_that_is_missing(file, arguments, module, extra):
    done = without_extras(*arguments, str(file))
    said = f"switchover: this needs {module}: pip install 'switchover[{extra}]'\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_a_lab_without_root():
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    module = "switchover.agent.lab.network.namespaces"
    code = f"import os; from {module} import why_not; os.seteuid({NOBODY}); print(why_not())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "the lab needs root to make network namespaces: run it with sudo\n"
