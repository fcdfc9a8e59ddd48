"""Skips the tests marked `namespaces` where no lab can run."""

from collections.abc import Callable

import pytest


def need_lab_if_marked(request: pytest.FixtureRequest, why_not: Callable[[], str | None]) -> None:
    """Skip a marked test if no lab can run here."""
    if request.node.get_closest_marker("namespaces") is not None:
        need_lab(why_not())


def need_lab(why_not: str | None) -> None:
    """Skip the test if no lab can run here."""
    if why_not is not None:
        pytest.skip(why_not)
