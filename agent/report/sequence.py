"""The sequence diagram of an incident, in parts that each fit legibly on a page."""

import itertools
import re
from collections.abc import Iterator, Sequence

from ..history.incidents import Incident
from ..pictures.sequences.messages import Message, hosts_of, lifelines_of, messages_of
from ..pictures.sequences.sequence import sequence_svg

_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_FLATNESS, _HIGH_PX = 0.6, 660.0
"""The largest height of a part: relative to its width (A4 landscape with a heading), but at least this many px."""


def sequence_parts(incident: Incident) -> list[str]:
    """The pictures in order. Messages at the same moment stay in one picture, even if it becomes too high."""
    topology = incident.topology
    messages = messages_of(topology, incident.handled)
    lifelines = lifelines_of(topology, messages)
    hosts = {host: tuple(name for name in names if name in lifelines) for host, names in hosts_of(topology).items()}

    def drawn(part: Sequence[Message], which: str = "") -> str:
        return sequence_svg(f"Incident {incident.id}{which}", lifelines, part, hosts=hosts)

    def fits(part: Sequence[Message]) -> bool:
        size = _SIZE.search(drawn(part))
        return size is None or float(size[2]) <= max(_FLATNESS * float(size[1]), _HIGH_PX)

    parts = list[list[Message]]()
    for moment in _moments(messages):
        if parts and fits([*parts[-1], *moment]):
            parts[-1] += moment
        else:
            parts.append(moment)
    if len(parts) == 1:
        return [drawn(parts[0])]
    return [drawn(part, f", part {number} of {len(parts)}") for number, part in enumerate(parts, start=1)]


def _moments(messages: Sequence[Message]) -> Iterator[list[Message]]:
    for _, group in itertools.groupby(messages, key=lambda message: message.at_ms):
        yield list(group)
