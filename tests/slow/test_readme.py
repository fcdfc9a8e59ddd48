"""The README's example of embedding the core runs, and prints what the README says it prints."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def block(language: str, heading: str) -> str:
    """The first code block of a language after a heading."""
    section = README.split(f"## {heading}\n", 1)[1]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1]


def test_the_example_of_embedding_runs_and_prints_what_it_says():
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(block("python", "Embed the core"), "README.md", "exec"), {})  # noqa: S102  # the README's own code
    assert printed.getvalue() == block("text", "Embed the core")


def test_the_example_needs_no_driver_and_no_agent():
    example = block("python", "Embed the core")
    assert set(re.findall(r"switchover\.(\w+)", example)) == {"fsm"}
    assert len(example.splitlines()) <= 15


def test_every_command_and_every_dependency_is_told_of():
    root = Path(__file__).parents[2]
    commands = re.findall(r'\badd\(\s*"(\w+)"', (root / "agent" / "cli" / "main.py").read_text(encoding="utf-8"))
    assert len(commands) >= 10
    assert [name for name in commands if f"`switchover {name}" not in README] == []
    needed = re.findall(r"^    ([\w-]+)>=", (root / "setup.cfg").read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in needed if f"`{name}`" not in README] == []
