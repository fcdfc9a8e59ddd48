"""The name of a test is a sentence that fits on a line."""

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
SHORTER_THAN = 80


def test_the_name_of_every_test_is_shorter_than_80_characters():
    names = [
        node.name
        for file in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert len(names) > 500
    assert [name for name in names if len(name) >= SHORTER_THAN] == []
