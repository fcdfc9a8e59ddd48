"""CURVE keys, by which the agent and the hosts' LCA daemons authenticate each other.

Each side has a key pair and knows the public keys of its peers; nothing else is trusted. The public key of NAME is in
the file `NAME.key`, its secret key in `NAME.key_secret`, in the format of pyzmq's certificates. The agent's machine
needs `agent.key_secret` and the `HOST.key` of every host; a host needs its own `HOST.key_secret` and `agent.key`. Keep
no other secret key on a machine.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import zmq
import zmq.auth
from attrs import field, frozen
from zmq.utils import z85

from ..errors import DriverError

AGENT = "agent"
"""The name of the agent's key pair; no host can have this name."""

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
_OTHERS = 0o077
_KEY_LENGTH = 40


@frozen
class Identity:
    """One side's key pair, both keys in Z85 (40 characters); the secret key is kept out of logs."""

    public: bytes
    secret: bytes = field(repr=False)


def make_keys(directory: Path, hosts: Iterable[str]) -> None:
    """Write a new key pair for the agent and for each host; only their owner can read the secret keys.

    Makes the directory if it does not exist. Raises `DriverError`, and writes nothing, if a name cannot be used, if a
    key of that name exists, or if other users can enter the directory.
    """
    names = [AGENT, *hosts]
    for name in names:
        _check_name(name)
        if names.count(name) > 1:
            raise DriverError(f"two hosts cannot share the name {name!r}, nor can a host be called {AGENT!r}")
    try:
        directory.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        _check_free(directory, names)
        for name in names:
            _, secret_file = zmq.auth.create_certificates(directory, name)  # pyright: ignore[reportUnknownMemberType]  # PathLike[Unknown]
            Path(secret_file).chmod(_PRIVATE_FILE)
    except OSError as error:
        raise DriverError(f"cannot write keys to {directory}: {error.strerror}") from error


def load_identity(directory: Path, name: str) -> Identity:
    """The key pair of `name`. Raises `DriverError` if it is missing, damaged or readable by other users."""
    path = _path(directory, name, ".key_secret")
    public, secret = _load(path)
    if path.stat().st_mode & _OTHERS:
        raise DriverError(f"{path} holds a secret and others may read it; run: chmod 600 {path}")
    if secret is None:
        raise DriverError(f"{path} holds no secret key")
    if not _is_pair(public, secret):
        raise DriverError(f"{path}: the public key does not belong to the secret one")
    return Identity(public, secret)


def load_public(directory: Path, name: str) -> bytes:
    """The public key of `name`, in Z85. Raises `DriverError` if it is missing or damaged."""
    public, _ = _load(_path(directory, name, ".key"))
    return public


def _check_name(name: str) -> None:
    if not FILE_NAME.fullmatch(name):
        raise DriverError(f"{name!r} cannot name a key file: use letters, digits, '.', '_' and '-', at most 64")


def _check_free(directory: Path, names: list[str]) -> None:
    if directory.stat().st_mode & _OTHERS:
        raise DriverError(f"others may enter {directory}, which is to hold secrets; run: chmod 700 {directory}")
    for name in names:
        for suffix in (".key", ".key_secret"):
            path = _path(directory, name, suffix)
            if path.exists():
                raise DriverError(f"for new keys, move the old ones away: {path} exists already and is not overwritten")


def _path(directory: Path, name: str, suffix: str) -> Path:
    _check_name(name)
    return directory / f"{name}{suffix}"


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        if not path.exists():
            hint = "`switchover keys` makes the keys, once for all; then each machine gets its own"
            raise DriverError(f"cannot read the key {path}: it is not there; {hint}")
        path.open("rb").close()
        public, secret = zmq.auth.load_certificate(path)  # pyright: ignore[reportUnknownMemberType]  # PathLike[Unknown]
    except PermissionError as error:
        raise DriverError(f"cannot read the key {path}: {error.strerror}; it belongs to another user") from error
    except (OSError, ValueError) as error:
        raise DriverError(f"cannot read the key {path}: {error}") from error
    if not _is_key(public):
        raise DriverError(f"{path}: the public key is damaged, it is not 40 characters of Z85")
    return public, secret


def _is_key(key: bytes) -> bool:
    return len(key) == _KEY_LENGTH and all(character in z85.Z85CHARS for character in key)


def _is_pair(public: bytes, secret: bytes) -> bool:
    try:
        return zmq.curve_public(secret) == public
    except (ValueError, zmq.ZMQError):
        return False
