"""The documents as a reader uses them: their blocks, the commands in the blocks, and the output of the commands.

Three kinds of block have a meaning here:

- `console`: a session. Each line that begins with `$ ` is run, and the lines after it are its output.
- `sh`: commands whose output is not shown. They are run too, unless `NOT_RUN` says why not. Only `HARMLESS`
  commands are run.
- any block right below `<!-- output of: COMMAND -->` is the output of the command.

`<!-- on: sip; lose host1 -->` above a `console` block gives it an agent at work, on the simulated hosts of an example
configuration, to which this has happened. Its time is virtual, so its output is the same every time.

The commands of a document run in order and in one directory, so a file that one of them wrote is there for the next.
Lines between `<!-- made by: NAME -->` and `<!-- end -->` are made by a function (`support.made`).
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from attrs import field, frozen

from support.operated import Operated, root_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]

NOT_RUN = {
    r"apt-get |git clone|python3 -m venv|\S*/bin/pip |ln -s |install -d|mv ": "changes the machine",
    r"systemctl |journalctl ": "needs systemd as the first process",
    r"ip |df ": "asks about, or changes, a real host",
    r"for h in |.*&& vi |switchover status && switchover switch": "needs two real hosts, and a person",
    r"switchover units /etc|switchover check$|switchover keys$": "works on the files of root in /etc",
    r"bash tests/run": "is the test itself",
    r"\.venv/bin/python tests/refresh_documents\.py": "writes the documents themselves",
    r"(\.venv/bin/)?switchover lab( |$)": "needs root and network namespaces: see test_lab_documents.py",
}
"""Commands of `sh` blocks that are shown and not run when documents are tested, as patterns, and why."""

HARMLESS = re.compile(r"(switchover|echo|printf|sed -i) ")
"""How a command begins that may be run: it writes into the directory of its document, and nowhere else."""

LAB = re.compile(r"switchover lab\b(?!.*--simulated)")
"""Commands that need the lab: their outputs are tested where it can run."""

PATIENCE_S = 300
"""How long a command may take, in seconds."""

REFUSED = ("unrecognized arguments", "invalid choice", "usage: ", "Traceback (most recent call last)")
"""What a command of a document never prints: it no longer exists, or is broken."""

_FENCE = re.compile(r"^(?P<marks>```+)(?P<language>\w*)$")
_MARKER = re.compile(r"^<!-- (?P<kind>output of|on|measured by): (?P<what>.*) -->$")
_MEASURED = (
    (re.compile(r"\d+\.\d s and \d+\.\d\d GiB"), "# s and # GiB"),
    (re.compile(r"20\d\d-\d\d-\d\d"), "DATE"),
)
_NUMBER = re.compile(r"\d+(\.\d+)?")


@frozen
class Block:
    """A fenced block: its lines between the fences, from `first` up to `last`, counted from 0, and its marker."""

    language: str
    first: int
    last: int
    text: str = field(repr=False)
    kind: str = ""
    what: str = ""

    @property
    def sessions(self) -> list[tuple[str, str]]:
        """The commands that are typed, each with the output shown below it."""
        if self.kind == "output of":
            return [(self.what, self.text)]
        if self.language != "console":
            return []
        _, *parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)
        return [(typed, shown) for typed, _, shown in (part.partition("\n") for part in parts)]

    @property
    def commands(self) -> list[str]:
        """Commands whose output is not shown: the lines of `sh`, without their comments."""
        if self.language != "sh":
            return []
        lines = (re.sub(r"\s+#.*$", "", line).strip() for line in self.text.splitlines())
        return [line for line in lines if line and not line.startswith("#")]


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    lines = text.splitlines()
    begin, language, end = 0, "", None
    for number, line in enumerate(lines):
        if end is None and (fence := _FENCE.match(line)):
            begin, language, end = number + 1, fence["language"], fence["marks"]
        elif end is not None and line == end:
            body = "".join(f"{each}\n" for each in lines[begin:number])
            marker = _MARKER.match(lines[begin - 2]) if begin > 1 else None
            yield Block(language, begin, number, body, *((marker["kind"], marker["what"]) if marker else ()))
            end = None


def why_not_run(command: str) -> str | None:
    """The reason why a command is not run; None if it is run."""
    return next((reason for pattern, reason in NOT_RUN.items() if re.match(pattern, command)), None)


class Workshop:
    """Where the commands of one document run: a directory, and an agent at work if a block wants one."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._directory = place / "work"
        self._directory.mkdir(parents=True)
        (place / "bin").mkdir()
        program = place / "bin" / "switchover"
        program.write_text(_PROGRAM.format(python=sys.executable, configuration=root_of(place) / "switchover.toml"))
        program.chmod(0o755)

    def outputs(self, block: Block) -> list[str]:
        """The output of each command of a block."""
        with ExitStack() as stack:
            if block.kind == "on":
                stack.enter_context(Operated(self._place, block.what))
            return [self.run(command) for command, _ in block.sessions]

    def run(self, command: str) -> str:
        """The output of a command, as a terminal shows it. Fails if there is no such command."""
        assert HARMLESS.match(command), f"{command}: it is not run, and needs its reason"
        environment: Mapping[str, str] = os.environ | {
            "PATH": f"{self._place / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "TZ": "UTC",
        }
        done = subprocess.run(  # noqa: S603  # the documents' own commands
            ["/bin/bash", "-c", command],
            cwd=self._directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        printed = done.stdout.replace(str(self._place), "")
        assert done.returncode not in (126, 127), f"{command}: {printed}"
        assert not any(refused in printed for refused in REFUSED), f"{command}: {printed}"
        return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())


_PROGRAM = """\
#!{python}
import sys
from switchover.agent.cli import main
main.DEFAULT_CONFIGURATION = "{configuration}"
sys.exit(main.main())
"""


def is_fresh(command: str, shown: str, printed: str) -> bool:
    """Whether a document shows the output of a command. Measured values may differ; in the lab, every number may."""
    if LAB.match(command):
        return without_numbers(shown) == without_numbers(printed)
    return _without_measured(shown) == _without_measured(printed)


def _without_measured(text: str) -> str:
    for pattern, instead in _MEASURED:
        text = pattern.sub(instead, text)
    return text


def without_numbers(text: str) -> str:
    """A report of the lab without the values that depend on the machine and the moment."""
    return re.sub(r" +", " ", re.sub(r"-{4,}", "----", _NUMBER.sub("#", text)))
