"""The documents: what they show runs and is fresh, what is made is made anew, and their links lead somewhere."""

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from support.documents import DOCUMENTS, LAB, NAMES, NOT_RUN, ROOT, Block, Workshop, blocks, is_fresh, why_not_run
from support.made import MAKERS, folders, make, sentence
from switchover.agent.cli import main as cli
from switchover.agent.cli.usage import usage_of
from switchover.agent.configuration.explained import TABLES
from switchover.fsm import ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP
from switchover.fsm.tables.table import Table

LONGEST = {"README.md": 180}
LONGEST_OTHERWISE = 300
MACHINES = {
    "Host link": LINK,
    "Application": APPLICATION,
    "Component pair": PAIR,
    "Alarm condition": ALARM,
    "Placement": PLACEMENT,
    "Virtual IP": VIP,
}
LINK_IN_TEXT = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def all_blocks() -> Iterator[Block]:
    for name in NAMES:
        yield from blocks(text_of(name))


# What they show


@pytest.mark.parametrize("name", NAMES)
def test_a_document_shows_what_its_commands_print(name: str, tmp_path: Path) -> None:
    """If this fails: `.venv/bin/python tests/refresh_documents.py`, and read the difference."""
    workshop = Workshop(tmp_path / "w")
    for block in blocks(text_of(name)):
        for command in block.commands:
            if why_not_run(command) is None:
                workshop.run(command)
        sessions = block.sessions
        if any(LAB.match(command) for command, _ in sessions):
            continue  # see test_lab_documents.py
        for (command, shown), printed in zip(sessions, workshop.outputs(block), strict=True):
            assert is_fresh(command, shown, printed), f"$ {command}\n{printed}"


@pytest.mark.parametrize("pattern", NOT_RUN)
def test_a_reason_not_to_run_a_command_is_needed_by_one(pattern: str) -> None:
    shown = [command for block in all_blocks() for command in block.commands]
    assert any(re.match(pattern, command) for command in shown)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_every_command_that_is_named_exists_with_its_options(name: str) -> None:
    """In the running text and in what is not run, too."""
    commands = {
        command.name: {flag for argument in command.arguments for flag in argument.flags}
        for command in usage_of(cli._parser()).commands
    }
    text = re.sub(r"<!-- made by.*?<!-- end -->", "", text_of(name), flags=re.DOTALL)
    spans = re.findall(r"`switchover ([^`]*)`", text.replace("\n", " ")) + [
        typed.strip()
        for block in all_blocks()
        for command in block.commands
        for typed in re.findall(r"\bswitchover ([a-z][^&;>|]*)", command)
        if command in text
    ]
    for span in spans:
        command, *words = span.split()
        if re.fullmatch(r"[a-z]+", command):
            assert command in commands, span
            assert {word for word in words if re.fullmatch(r"--[a-z-]+", word)} <= commands[command], span


def test_every_command_that_begins_with_a_prompt_is_in_a_block_that_is_run() -> None:
    for block in all_blocks():
        assert block.language in ("console", "sh", "text", "python", "toml", "mermaid")
        assert block.language == "console" or not re.search(r"^\$ ", block.text, re.MULTILINE)


def test_what_is_measured_names_what_measures_it() -> None:
    measured = [block.what for block in all_blocks() if block.kind == "measured by"]
    assert len(measured) >= 3
    for what in measured:
        assert what.startswith("switchover lab") or (ROOT / what).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_made_by_functions_is_fresh(name: str) -> None:
    assert make(text_of(name)) == text_of(name)


def test_everything_that_can_be_made_is_in_a_document() -> None:
    shown = {found for name in NAMES for found in re.findall(r"(?m)^<!-- made by: (\w+) -->$", text_of(name))}
    assert shown == set(MAKERS)


# The example of embedding


def embedded(language: str) -> str:
    """The first block of a language in the document on embedding."""
    return next(block.text for block in blocks(text_of("docs/embedding.md")) if block.language == language)


def test_the_example_of_embedding_runs_and_prints_what_it_says() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(embedded("python"), "embedding.md", "exec"), {})  # noqa: S102  # the document's own code
    assert printed.getvalue() == embedded("text")


def test_the_example_needs_no_driver_and_no_agent() -> None:
    example = embedded("python")
    assert set(re.findall(r"switchover\.(\w+)", example)) == {"fsm"}
    assert len(example.splitlines()) <= 15


# What they must have


def test_documents_are_short() -> None:
    lengths = {name: len(text_of(name).splitlines()) for name in NAMES}
    assert {name: n for name, n in lengths.items() if n > LONGEST.get(name, LONGEST_OTHERWISE)} == {}


def test_every_document_can_be_found_from_the_readme() -> None:
    found = {target for target, _ in LINK_IN_TEXT.findall(text_of("README.md"))}
    assert [name for name in NAMES if name not in found and name != "README.md"] == []


@pytest.mark.parametrize("heading", MACHINES)
def test_the_glossary_has_every_state_of_every_table_and_no_others(heading: str) -> None:
    section = text_of("docs/concepts.md").split(f"### {heading}: ", 1)[1].split("\n\n")[1]
    explained = re.findall(r"^\| ([a-z_]+) \|", section, re.MULTILINE)
    assert sorted(explained) == sorted(["state", *states(MACHINES[heading])])


def states(table: Table) -> set[str]:
    """The names of a table's states, without their sides."""
    return {re.sub(r"_[12]$", "", state) for state in table.all_states}


def test_every_dependency_has_its_reason() -> None:
    needed = re.findall(r"^    ([\w-]+)>=", text_of("setup.cfg"), re.MULTILINE)
    assert [name for name in needed if f"`{name}`" not in text_of("docs/architecture.md")] == []


def test_every_room_says_in_one_sentence_what_lives_there() -> None:
    assert [folder for folder in folders() if not sentence(folder).endswith(".")] == []


def test_every_table_of_the_configuration_has_a_section() -> None:
    headings = re.findall(r"^## \[*([a-z_.]+)\]*$", text_of("docs/configuration.md"), re.MULTILINE)
    assert headings == list(TABLES)


def test_lines_of_the_logs_that_are_explained_are_written_somewhere() -> None:
    """Each part of them: `...` stands for what differs."""
    section = text_of("docs/troubleshooting.md").split("## What the logs say", 1)[1]
    lines = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    source = "".join(path.read_text(encoding="utf-8") for floor in ("agent", "drivers") for path in sources(floor))
    assert len(lines) >= 5
    parts = [part.strip(" ,") for line in lines for part in line.split("...")]
    assert [part for part in parts if part not in source] == []


def test_metrics_that_are_named_exist() -> None:
    named = set(re.findall(r"`(switchover_\w+)`", text_of("docs/operations.md")))
    metrics = text_of("agent/page/metrics.py")
    assert len(named) >= 4
    assert [name for name in named if name not in metrics] == []


def sources(floor: str) -> list[Path]:
    return sorted((ROOT / floor).rglob("*.py"))


# Links


@pytest.mark.parametrize("path", [*DOCUMENTS, *sorted((ROOT / "diagrams").glob("*.md"))], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target, anchor in LINK_IN_TEXT.findall(without_code(path.read_text(encoding="utf-8"))):
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), f"{target} does not exist"
        if anchor:
            page = found / "README.md" if found.is_dir() else found
            assert anchor in anchors(page.read_text(encoding="utf-8")), f"{target}#{anchor} does not exist"


@pytest.mark.parametrize("name", NAMES)
def test_files_that_are_named_exist(name: str) -> None:
    named = re.findall(r"`((?:fsm|drivers|agent|tests|diagrams|docs)/[\w./-]*)`", text_of(name))
    assert [path for path in named if not (ROOT / path).exists()] == []


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
