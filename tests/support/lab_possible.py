"""The tests marked `namespaces` are skipped where no lab can run."""

from collections.abc import Callable

import pytest


def need_lab_if_marked(request: pytest.FixtureRequest, why_not: Callable[[], str | None]) -> None:
    """Let a test go on unless it is marked, and there is a reason against a lab."""
    if request.node.get_closest_marker("namespaces") is not None:
        need_lab(why_not())


def need_lab(why_not: str | None) -> None:
    """Go on unless there is a reason against a lab."""
    if why_not is not None:
        pytest.skip(why_not)
