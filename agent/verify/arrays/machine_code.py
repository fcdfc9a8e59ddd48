"""Inner loops as machine code: numba compiles them at their first call, which takes some seconds.

The compiled code is cached beside the module, or in the user's cache directory.
"""

import pickle
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba  # pyright: ignore[reportMissingTypeStubs]  # it has none

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code, cached on disk if a cache directory can be written."""
    jit = cast(Callable[..., Callable[[F], F]], numba.njit)  # pyright: ignore[reportUnknownMemberType]
    try:
        found = jit(cache=True)(function)
    except RuntimeError:  # neither this folder nor the user's cache is writable
        return jit()(function)
    _empty_if_unreadable(cast(Any, found)._cache)
    return found


def _empty_if_unreadable(cache: Any) -> None:
    """Another version of this package may have left an index that names classes which are gone.

    numba reads the index before it looks whether the source has changed since, and would fail at the first call.
    """
    try:
        cache._cache_file._load_index()
    except (AttributeError, ImportError, EOFError, pickle.UnpicklingError):
        cache.flush()
