"""What is checked in under diagrams/ is what the tables give."""

from pathlib import Path

import pytest
from switchover.agent.cli import main

CHECKED_IN = Path(__file__).parent.parent / "diagrams"


def test_the_pages_that_are_checked_in_are_what_the_tables_give(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["diagram", str(tmp_path)]) == 0
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text() for path in CHECKED_IN.iterdir()}
    assert "six pages" in capsys.readouterr().out


def test_every_row_stands_in_its_page_with_its_reason(tmp_path: Path):
    from switchover.fsm import ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP
    from switchover.fsm.diagram import page

    for table in (ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP):
        text = page(table)
        assert all(row.reason in text for row in table.rows)
