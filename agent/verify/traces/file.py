"""Traces as JSON files. Every value that is read is checked."""

import enum
import json
from pathlib import Path
from typing import Any

from cattrs import BaseValidationError, Converter, transform_error

from .trace import Trace, TraceError


def save(trace: Trace, path: Path) -> None:
    """Write a trace to a JSON file. Raises `TraceError` if the file cannot be written."""
    try:
        path.write_text(json.dumps(_CONVERTER.unstructure(trace), indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise TraceError(f"{path} cannot be written: {error.strerror}") from error


def load(path: Path) -> Trace:
    """Read a trace from a JSON file. Raises `TraceError` if the file cannot be read or is not a valid trace."""
    try:
        data = json.loads(path.read_text("utf-8"))
        return _CONVERTER.structure(data, Trace)
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TraceError(f"{path} is not JSON: {' '.join(str(error).split())}") from error
    except BaseValidationError as error:
        raise TraceError(
            f"{path} is not a trace of this version: {transform_error(error, 'trace', _wrong)[0]}"
        ) from error
    except AttributeError as error:  # cattrs asks any value in an object's place for its keys
        raise TraceError(f"{path} is not a trace of this version: expected an object of names and values") from error


def _wrong(error: BaseException, _expected: type | None) -> str:
    return "it is missing" if isinstance(error, KeyError) else " ".join(str(error).split())


def _exactly(value: Any, kind: type) -> Any:
    """A JSON value, if it has exactly this type: cattrs would convert anything to a string, and any string to True."""
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


_CONVERTER = Converter(forbid_extra_keys=True)
for _kind in (str, int, bool):
    _CONVERTER.register_structure_hook(_kind, _exactly)
_CONVERTER.register_structure_hook(enum.StrEnum, lambda value, kind: kind(value))  # otherwise the hook for str applies
