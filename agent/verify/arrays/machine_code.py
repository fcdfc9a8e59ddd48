"""Inner loops as machine code: numba compiles them at their first call, which takes some seconds.

The compiled code is cached beside the module, or in the user's cache directory.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba  # pyright: ignore[reportMissingTypeStubs]  # it has none

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code, cached on disk if a cache directory can be written."""
    jit = cast(Callable[..., Callable[[F], F]], numba.njit)  # pyright: ignore[reportUnknownMemberType]
    try:
        return jit(cache=True)(function)
    except RuntimeError:  # neither this folder nor the user's cache is writable
        return jit()(function)
