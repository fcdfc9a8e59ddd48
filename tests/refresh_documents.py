"""Brings the documents up to date: `.venv/bin/python tests/refresh_documents.py [DOCUMENT ...]`.

It runs the commands that the documents show and rewrites outputs that are not fresh, and what is made by functions.
Outputs of the lab need root and network namespaces: they are rewritten where it can run, else left alone.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from support.documents import DOCUMENTS, LAB, ROOT, Block, Workshop, blocks, is_fresh, why_not_run
from support.made import make
from switchover.agent.lab.network.namespaces import why_not


def refreshed(text: str, place: Path) -> str:
    """A document, brought up to date."""
    text = make(text)
    lines = text.splitlines()
    workshop = Workshop(place)
    new = {block: _refreshed(block, workshop) for block in blocks(text)}
    for block in reversed(list(new)):
        lines[block.first : block.last] = new[block].splitlines()
    return "\n".join(lines) + "\n"


def _refreshed(block: Block, workshop: Workshop) -> str:
    for command in block.commands:
        if why_not_run(command) is None:
            workshop.run(command)
    sessions = block.sessions
    if not sessions or (any(LAB.match(command) for command, _ in sessions) and why_not()):
        return block.text
    parts: list[str] = []
    for (command, shown), printed in zip(sessions, workshop.outputs(block), strict=True):
        prompt = f"$ {command}\n" if block.language == "console" else ""
        parts.append(prompt + (shown if is_fresh(command, shown, printed) else printed))
    return "".join(parts)


if __name__ == "__main__":
    for path in [Path(name).absolute() for name in sys.argv[1:]] or DOCUMENTS:
        old = path.read_text(encoding="utf-8")
        with TemporaryDirectory(prefix="d") as directory:
            new = refreshed(old, Path(directory))
        if new != old:
            path.write_text(new, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} rewritten")
