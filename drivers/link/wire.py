"""Messages between the agent and a host's LCA daemon, and their encoding.

A message is one JSON object of at most 16 KiB: its session, its number in that session, the sender's clock, the newest
clock and number that the sender received from the receiver (`echo_ms`, `heard`), and a body. Bodies, commands and
events have the name of their class as `type`. Decoding is strict: anything else is refused with a reason, and no value
is guessed or converted. `session` explains sessions, numbers and clocks.

>>> from switchover.fsm.commands import EnableVip
>>> message = Message("5e55", 7, 1000, 990, 4, Order(EnableVip("host2", id=3), deadline_ms=2000))
>>> decode(encode(message)) == message
True
"""

import json
from typing import Any, NoReturn

from attrs import field, frozen, validators
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.strategies import configure_tagged_union

from ...fsm.commands import HostCommand
from ...fsm.events import (
    ApplicationReported,
    CommandResult,
    HostReport,
    Mode,
    VipReported,
)
from ..errors import DriverError

MAX_BYTES = 16 * 1024
"""The longest message. A host's report needs about 60 bytes per application, all others far less."""

HostEvent = ApplicationReported | VipReported | CommandResult
"""The events that an LCA sends; the agent's end itself creates those about the connection."""

_REASON_LENGTH = 200
_is_count = validators.and_(validators.ge(0), validators.lt(2**63))


class WireError(DriverError):
    """A message is too long or malformed; the text says what is wrong with it."""


@frozen
class Hello:
    """The agent opens a session, with its detection time in milliseconds and its own name.

    Each agent process draws a random name for `agent`, so that two agents with the same key can be told apart.
    """

    detection_ms: int
    agent: str = field(default="", validator=validators.max_len(64))


@frozen
class Welcome:
    """The LCA's report: the session is established."""

    report: HostReport


@frozen
class Heartbeat:
    """A sign of life. `hearing` is false while the sender itself has not heard the peer for the detection time."""

    hearing: bool


@frozen
class Resume:
    """The agent continues the session over another connection; `count` rises with each such message."""

    count: int = field(validator=_is_count)


@frozen
class Order:
    """A command from the agent, to be carried out within `deadline_ms` milliseconds."""

    command: HostCommand
    deadline_ms: int = field(validator=_is_count)


@frozen
class Notice:
    """An event from the LCA: the result of a command, or a change that no command caused."""

    event: HostEvent


@frozen
class Goodbye:
    """The LCA is stopping, and has released the VIP."""


Body = Hello | Welcome | Heartbeat | Resume | Order | Notice | Goodbye


@frozen
class Message:
    """A body with what proves that it is in order and up to date; clocks count milliseconds from any fixed moment."""

    session: str = field(validator=validators.max_len(64))
    number: int = field(validator=_is_count)
    clock_ms: int = field(validator=_is_count)
    echo_ms: int = field(validator=_is_count)
    heard: int = field(validator=_is_count)
    body: Body


def encode(message: Message) -> bytes:
    """The bytes of a message. Raises `WireError` if they would be too long for the other side."""
    data = json.dumps(_converter.unstructure(message, Message), separators=(",", ":")).encode()
    _check_length(len(data))
    return data


def decode(data: bytes) -> Message:
    """The message in these bytes. Raises `WireError` if they are anything but one message."""
    _check_length(len(data))
    try:
        # JSON's numbers may have more digits than Python converts, and nest deeper than Python's stack.
        value = json.loads(data.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {_shorten(str(error))}") from error
    if not isinstance(value, dict):
        raise WireError("not a JSON object")
    try:
        return _converter.structure(value, Message)
    except BaseValidationError as error:
        raise WireError(_shorten("; ".join(transform_error(error, format_exception=_explain)))) from error


def _check_length(length: int) -> None:
    if length > MAX_BYTES:
        raise WireError(f"too long: {length} bytes, at most {MAX_BYTES} are allowed")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _shorten(text: str) -> str:
    return text if len(text) <= _REASON_LENGTH else text[: _REASON_LENGTH - 3] + "..."


def _explain(error: BaseException, _: type | None) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing or unknown"
    return f"{type(error).__name__}: {error}"


def _exactly(value: object, expected: type) -> Any:
    """The value, if it has exactly this type: neither True nor "1" is accepted as an int."""
    if type(value) is not expected:
        raise TypeError(f"expected {expected.__name__}, got {type(value).__name__}")
    if isinstance(value, str):
        value.encode()  # refuses half a surrogate pair: valid in JSON, but not in a file or database
    return value


def _build_converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for primitive in (str, int, bool):
        converter.register_structure_hook(primitive, _exactly)
    # Otherwise the hook for str would also be used for an enumeration of strings.
    converter.register_structure_hook(Mode, lambda value, _: Mode(value))
    for union in (HostCommand, HostEvent, Body):
        configure_tagged_union(union, converter, tag_name="type")
    return converter


_converter = _build_converter()
