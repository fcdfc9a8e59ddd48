"""`switchover units`: the systemd units of the agent, the LCA and the page, with the path of the installed program."""

import argparse
import shutil
import sys
from importlib import resources
from pathlib import Path

UNITS = ("switchover-agent.service", "switchover-lca@.service", "switchover-page.service")

HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108  # named, not used
"""The directories that the units hide from the daemons (ProtectHome and PrivateTmp)."""

_DONE, _NOT_OK = 0, 1


def run_units(options: argparse.Namespace) -> int:
    """Write the units into a directory; an existing unit that differs is reported and not overwritten."""
    directory, command = Path(options.directory), program()
    if hidden := hidden_by(Path(command[0])):
        print(
            f"switchover: {command[0]} is in {hidden}, which the units hide from the daemons: install it elsewhere,"
            " for example in /opt/switchover, and run `switchover units` from there",
            file=sys.stderr,
        )
        return _NOT_OK
    texts = {name: unit(name, command, options.user) for name in UNITS}
    for name, text in texts.items():
        path = directory / name
        try:
            if path.exists() and path.read_text(encoding="utf-8") != text:
                print(f"switchover: {path} exists and differs; move it away to have it written again", file=sys.stderr)
                return _NOT_OK
        except OSError as error:
            print(f"switchover: {path} cannot be read: {error.strerror}", file=sys.stderr)
            return _NOT_OK
    try:
        for name, text in texts.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        hint = f"make it first: mkdir -p {directory}" if not directory.exists() else "run this as root"
        print(f"switchover: {directory} cannot be written: {error.strerror}; {hint}", file=sys.stderr)
        return _NOT_OK
    print(f"{', '.join(UNITS)} written to {directory}; next, as root:")
    print("  systemctl daemon-reload")
    print("  systemctl enable --now switchover-agent        # on the SCS side")
    print("  systemctl enable --now switchover-lca@HOST     # on each host, by its name in the configuration")
    print("  systemctl enable --now switchover-page         # beside the agent, where the configuration has a [page]")
    return _DONE


def unit(name: str, command: tuple[str, ...], user: str = "root") -> str:
    """The text of a unit that runs this command; the agent and the page run as `user`."""
    text = resources.files("switchover.agent.daemons").joinpath("systemd", name).read_text(encoding="utf-8")
    return text.replace("@switchover@", " ".join(map(quoted, command))).replace("@user@", user)


def program() -> tuple[str, ...]:
    """The command line of this installation of `switchover`, with absolute paths."""
    beside = Path(sys.executable).with_name("switchover")
    if installed := shutil.which(str(beside)):
        return (installed,)
    return (sys.executable, "-m", "switchover.agent")


def quoted(word: str) -> str:
    """A word, quoted for a unit's command line; see systemd.service(5).

    >>> quoted("/opt/my 100%/switchover")
    '"/opt/my 100%%/switchover"'
    """
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(character in " \t'\"" for character in word) else escaped


def hidden_by(path: Path) -> str | None:
    """The hidden directory that contains this path, or None."""
    return next((directory for directory in HIDDEN if path.is_relative_to(directory)), None)
