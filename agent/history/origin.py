"""What wrote a journal: the version of this program, and a fingerprint of the tables that decided."""

import functools
import hashlib
from importlib import metadata

from ...fsm import ALARM, APPLICATION, LINK, PAIR, PLACEMENT, VIP


@functools.cache
def origin() -> dict[str, str]:
    """The version of this program, and the fingerprint of its tables, which any change of a row changes."""
    tables = [(table.name, table.rows) for table in (LINK, APPLICATION, PAIR, ALARM, PLACEMENT, VIP)]
    return {"version": _version(), "tables": hashlib.sha256(repr(tables).encode()).hexdigest()[:12]}


def _version() -> str:
    try:
        return metadata.version("switchover")
    except metadata.PackageNotFoundError:  # run from its source, not installed
        return "unknown"
