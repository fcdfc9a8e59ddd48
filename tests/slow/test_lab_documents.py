"""The documents' outputs of the lab: each is what the lab prints, whatever the times are."""

import pytest
from support.documents import LAB, NAMES, ROOT, Workshop, blocks, is_fresh
from support.lab_possible import need_lab
from switchover.agent.lab.network import namespaces
from switchover.agent.lab.programs import voicemail

SHOWN = [
    (name, block)
    for name in NAMES
    for block in blocks((ROOT / name).read_text(encoding="utf-8"))
    if any(LAB.match(command) for command, _ in block.sessions)
]


@pytest.mark.namespaces
@pytest.mark.parametrize(("name", "block"), SHOWN, ids=[f"{name}-{block.first}" for name, block in SHOWN])
def test_a_document_shows_what_the_lab_prints(name, block, tmp_path):
    """If this fails: `.venv/bin/python tests/refresh_documents.py` as root, and read the difference."""
    need_lab(namespaces.why_not() or voicemail.why_no_voicemail())
    workshop = Workshop(tmp_path / "w")
    for (command, shown), printed in zip(block.sessions, workshop.outputs(block), strict=True):
        assert is_fresh(command, shown, printed), f"$ {command}\n{printed}"


def test_the_readme_shows_the_lab():
    assert "README.md" in [name for name, _ in SHOWN]
