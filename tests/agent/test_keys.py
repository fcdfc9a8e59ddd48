"""Keys: only their owner can load them, and nothing is ever overwritten or half written."""

from pathlib import Path

import pytest
from switchover.drivers.errors import DriverError
from switchover.drivers.link.keys import load_identity, load_public, make_keys


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    make_keys(path, ["host1", "host2"])
    return path


def modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.glob("*.key_secret")}


def test_every_name_gets_a_pair_of_its_own(directory: Path):
    """The public key of a name is the public half of its identity, and no two names share one."""
    names = ["agent", "host1", "host2"]
    identities = [load_identity(directory, name) for name in names]
    assert [identity.public for identity in identities] == [load_public(directory, name) for name in names]
    assert len({identity.secret for identity in identities}) == 3


def test_secrets_are_private(directory: Path):
    """Only the owner may enter the directory and read the secrets."""
    assert directory.stat().st_mode & 0o777 == 0o700
    assert modes(directory) == {"agent.key_secret": 0o600, "host1.key_secret": 0o600, "host2.key_secret": 0o600}


def test_secrets_stay_out_of_logs(directory: Path):
    """An identity's representation shows its public key only."""
    identity = load_identity(directory, "agent")
    assert identity.secret.decode() not in repr(identity)


def test_a_secret_that_others_may_read_is_refused(directory: Path):
    """The error says what to do."""
    (directory / "agent.key_secret").chmod(0o640)
    with pytest.raises(DriverError, match="chmod 600"):
        load_identity(directory, "agent")


def test_existing_keys_are_not_overwritten(directory: Path):
    """One existing name stops the whole run: not even the keys of the new name are written."""
    before = {path: path.read_bytes() for path in directory.iterdir()}
    with pytest.raises(DriverError, match="exists already"):
        make_keys(directory, ["host3", "host2"])
    assert {path: path.read_bytes() for path in directory.iterdir()} == before


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path):
    """Secrets are not put where others can look, and the directory of another user is not changed."""
    tmp_path.chmod(0o755)
    with pytest.raises(DriverError, match="chmod 700"):
        make_keys(tmp_path, ["host1"])
    assert list(tmp_path.iterdir()) == []
    assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("hosts", [["agent"], ["host1", "host1"], ["../host1"], [""], [".hidden"], ["a" * 65], ["h/1"]])
def test_unusable_names_are_refused(tmp_path: Path, hosts: list[str]):
    """A name must be a host's, not the agent's, and cannot lead out of the directory."""
    with pytest.raises(DriverError, match=r"name|called"):
        make_keys(tmp_path / "keys", hosts)
    assert not (tmp_path / "keys").exists()


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path):
    """The error names the directory."""
    (tmp_path / "file").touch()
    with pytest.raises(DriverError, match=r"cannot write keys to .*file"):
        make_keys(tmp_path / "file" / "keys", ["host1"])


def test_missing_keys_are_an_error(directory: Path):
    """No keys were made for this host."""
    with pytest.raises(DriverError, match="host9"):
        load_identity(directory, "host9")
    with pytest.raises(DriverError, match="host9"):
        load_public(directory, "host9")


def test_damaged_keys_are_an_error(directory: Path):
    """No key, a key that is cut short, and a public key in place of the secret one."""
    public = directory / "host1.key"
    secret = directory / "host1.key_secret"
    secret.write_bytes(public.read_bytes())
    with pytest.raises(DriverError, match="no secret key"):
        load_identity(directory, "host1")
    public.write_text('curve\n    public-key = "too short"\n')
    with pytest.raises(DriverError, match="damaged"):
        load_public(directory, "host1")
    public.write_text("nothing\n")
    with pytest.raises(DriverError, match="No public key"):
        load_public(directory, "host1")


@pytest.mark.parametrize("mixed_up", [True, False])
def test_keys_that_do_not_belong_together_are_an_error(directory: Path, mixed_up: bool):
    """Keys that were mixed up by hand are noticed when they are loaded, not when a handshake fails."""
    own, other = load_identity(directory, "host1"), load_identity(directory, "host2")
    path = directory / "host1.key_secret"
    replacement = other.secret.decode() if mixed_up else "damaged"
    path.write_text(path.read_text().replace(own.secret.decode(), replacement))
    with pytest.raises(DriverError, match="does not belong"):
        load_identity(directory, "host1")
