"""JSON for the values of the core, one form for the journal and for clients that ask the agent for its state.

A command or an event carries its class's name as `type` beside its attributes, as on the wire (`drivers.link.wire`).
"""

from typing import Any

from cattrs import Converter
from cattrs.errors import BaseValidationError
from cattrs.strategies import configure_tagged_union

from ...fsm import Command, Event, HostCommand, SolutionState, Topology


def as_json(topology: Topology, state: SolutionState) -> dict[str, Any]:
    """What JSON can hold of a topology and a state."""
    return {"topology": CONVERTER.unstructure(topology), "state": CONVERTER.unstructure(state)}


def from_json(data: Any) -> tuple[Topology, SolutionState]:
    """The topology and the state that `as_json` was given. Raises `ValueError` if the data is not of that form."""
    try:
        return CONVERTER.structure(data["topology"], Topology), CONVERTER.structure(data["state"], SolutionState)
    except (BaseValidationError, LookupError, TypeError) as error:
        raise ValueError(f"no topology and state: {error}") from error


def _build_converter() -> Converter:
    converter = Converter()
    for union in (HostCommand, Command, Event):
        configure_tagged_union(union, converter, tag_name="type")
    return converter


CONVERTER = _build_converter()
"""Makes JSON values of the core's values, and the other way round."""
