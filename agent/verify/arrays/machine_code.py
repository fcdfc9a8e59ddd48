"""Inner loops as machine code: numba compiles them when they are called for the first time, which takes some seconds.

What it made is kept beside the module, or in the user's cache.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba  # pyright: ignore[reportMissingTypeStubs]  # it has none

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code; kept for the next time, if there is a place for it."""
    jit = cast(Callable[..., Callable[[F], F]], numba.njit)  # pyright: ignore[reportUnknownMemberType]
    try:
        return jit(cache=True)(function)
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return jit()(function)
