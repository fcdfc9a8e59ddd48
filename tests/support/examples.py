"""The examples in the docstrings of a package."""

from pathlib import Path
from types import ModuleType


def modules_with_examples(package: ModuleType) -> list[str]:
    """The names of the package's modules whose docstrings have examples (`>>>`)."""
    folder = Path(package.__path__[0])
    files = sorted(file for file in folder.rglob("*.py") if ">>> " in file.read_text(encoding="utf-8"))
    return [".".join((package.__name__, *file.relative_to(folder).with_suffix("").parts)) for file in files]
