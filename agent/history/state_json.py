"""A solution's topology and state as JSON, for whoever asks the agent for them and goes on from there."""

from typing import Any

from cattrs import Converter
from cattrs.errors import BaseValidationError
from cattrs.strategies import configure_tagged_union

from ...fsm import HostCommand, SolutionState, Topology


def as_json(topology: Topology, state: SolutionState) -> dict[str, Any]:
    """What JSON can hold of a topology and a state."""
    return {"topology": _converter.unstructure(topology), "state": _converter.unstructure(state)}


def from_json(data: Any) -> tuple[Topology, SolutionState]:
    """The topology and the state again. `ValueError` if that is something else."""
    try:
        return _converter.structure(data["topology"], Topology), _converter.structure(data["state"], SolutionState)
    except (BaseValidationError, LookupError, TypeError) as error:
        raise ValueError(f"no topology and state: {error}") from error


def _build_converter() -> Converter:
    converter = Converter()
    configure_tagged_union(HostCommand, converter, tag_name="type")
    return converter


_converter = _build_converter()
