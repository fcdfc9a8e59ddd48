"""Configurations as drawn in [S2]: two hosts with one NIC each, the primary, the VIP, and where clients send.

They are drawn from a state of the core. A host that is not in sight is marked, and shown as it was last known.
"""

from collections.abc import Iterator

from attrs import define, frozen

from ...fsm import Mode, SolutionState, Topology
from ...fsm.machines.link import IN_SIGHT
from .drawing.svg import Drawing, width_of

_WIDTH, _HOST_PX, _EDGE = 900, 400, 24
_SCS_Y, _HOST_Y = 56, 148
_LINE_PX, _BOX_PX, _STEP_PX = 16, 46, 56


@frozen
class Configuration:
    """A configuration to draw: the state of the core, the state before, and the host that announced the VIP last."""

    title: str
    state: SolutionState
    before: SolutionState
    announced_by: str


def figure_svg(topology: Topology, shown: Configuration) -> str:
    """The picture of one configuration."""
    return str(_Figure(topology, shown).drawn())


@define
class _Figure:
    topology: Topology
    shown: Configuration

    @property
    def _nic_y(self) -> float:
        """The top of the NICs, which are below the LCA and the components."""
        return _HOST_Y + 42 + _STEP_PX * (1 + len(self.topology.components))

    @property
    def _network_y(self) -> float:
        return self._nic_y + _BOX_PX + 56

    def drawn(self) -> Drawing:
        drawing = Drawing(_WIDTH, self._network_y + 116, self.shown.title)
        drawing.text(_EDGE, 26, self.shown.title, "title strong")
        self._draw_scs(drawing)
        for side in (1, 2):
            self._draw_host(drawing, side)
        self._draw_network(drawing)
        return drawing

    def _x(self, side: int) -> float:
        return _EDGE if side == 1 else _WIDTH - _EDGE - _HOST_PX

    def _is_in_sight(self, side: int) -> bool:
        return self.shown.state.links[side - 1] in IN_SIGHT

    def _draw_scs(self, drawing: Drawing) -> None:
        """The SCS side with the core's states, and its connections to the LCAs, broken to a host that is not heard."""
        state = self.shown.state
        pairs = (f"{pair.name} {each.state}" for pair, each in zip(self.topology.pairs, state.pairs, strict=True))
        known = ", ".join((*pairs, f"VIP {state.vip}", f"solution {state.placement}"))
        width, middle = max(width_of(known, 11) + 24, 160), _WIDTH / 2
        drawing.box(middle - width / 2, _SCS_Y - 16, width, _BOX_PX)
        drawing.text(middle, _SCS_Y + 3, "SCS side", "middle strong")
        drawing.text(middle, _SCS_Y + 20, known, "middle small")
        for side, out in ((1, -40), (2, 40)):
            x, top, end = self._x(side) + _HOST_PX / 2, _SCS_Y + 30, _HOST_Y + 42
            bend = top + 22
            link = [(middle + out, top), (middle + out, bend), (x, bend), (x, end)]
            drawing.line(link, "line" if self._is_in_sight(side) else "line dashed")
            if not self._is_in_sight(side):
                drawing.cross((middle + out + x) / 2, bend, 8)
                drawing.text((middle + out + x) / 2, bend + 22, "connection lost", "middle small")

    def _draw_host(self, drawing: Drawing, side: int) -> None:
        x, host = self._x(side), self.topology.hosts[side - 1]
        drawing.box(x, _HOST_Y, _HOST_PX, self._nic_y + _BOX_PX + 14 - _HOST_Y, "box soft", 10)
        drawing.text(x + 16, _HOST_Y + 24, host, "strong")
        for number, row in enumerate(self._rows(side)):
            row.draw(drawing, x + 20, _HOST_Y + 42 + _STEP_PX * number, _HOST_PX - 40)

    def _rows(self, side: int) -> Iterator["_Row"]:
        yield _Row(
            f"LCA {side}", "" if self._is_in_sight(side) else "not heard", "" if self._is_in_sight(side) else "unseen"
        )
        for index, pair in enumerate(self.topology.components):
            yield self._component(index, side, pair.applications[side - 1])
        yield self._nic(side)

    def _component(self, index: int, side: int, name: str) -> "_Row":
        now, before = self._mode(self.shown.state, index, side), self._mode(self.shown.before, index, side)
        if self._is_in_sight(side):
            return _Row(name, _MODES[now], now)
        return _Row(name, f"not in sight; was {_MODES[before]}", "unseen")

    def _mode(self, state: SolutionState, index: int, side: int) -> str:
        if index < len(self.topology.pairs) and (mode := state.pairs[index].modes[side - 1]):
            return mode
        return state.applications[2 * index + side - 1]

    def _nic(self, side: int) -> "_Row":
        held, before = self.shown.state.vip_held[side - 1], self.shown.before.vip_held[side - 1]
        if self._is_in_sight(side):
            return _Row("NIC", f"VIP {'enabled' if held else 'disabled'}", "primary" if held else "backup")
        return _Row("NIC", f"not in sight; VIP was {'enabled' if before else 'disabled'}", "unseen")

    def _draw_network(self, drawing: Drawing) -> None:
        """The network, and the clients, which send to the host that announced the VIP last."""
        y, middle = self._network_y, _WIDTH / 2
        drawing.line([(_EDGE, y), (_WIDTH - _EDGE, y)], "line thick")
        drawing.text(_EDGE, y + 18, "network", "small")
        for side in (1, 2):
            x, bottom = self._x(side) + _HOST_PX / 2, self._nic_y + _BOX_PX
            drawing.line([(x, bottom), (x, y)], "line" if self._is_in_sight(side) else "line dashed")
            if self.topology.hosts[side - 1] == self.shown.announced_by:
                drawing.arrow(
                    [(middle, y + 52), (middle, y + 26), (x + 18, y + 26), (x + 18, bottom + 2)], "line thick"
                )
        drawing.box(middle - 170, y + 52, 340, _BOX_PX)
        drawing.text(middle, y + 71, "Clients", "middle strong")
        drawing.text(middle, y + 88, f"ARP cache: the VIP is at {self.shown.announced_by}", "middle small")


_MODES = {
    Mode.PRIMARY: "in primary mode",
    Mode.BACKUP: "in backup mode",
    "up": "up",
    "down": "failed",
    "lost": "not known",
    "unknown": "not known",
}


@frozen
class _Row:
    """A part of a host: its name, its condition in words, and the kind that decides its style."""

    name: str
    condition: str
    kind: str

    def draw(self, drawing: Drawing, x: float, y: float, width: float) -> None:
        style = {"primary": "box black", "down": "box trouble", "unseen": "box dashed"}.get(self.kind, "box")
        drawing.box(x, y, width, _BOX_PX, style)
        middle = x + width / 2
        white = " white" if self.kind == "primary" else ""
        drawing.text(middle, y + (20 if self.condition else 28), self.name, f"middle strong{white}")
        if self.condition:
            drawing.text(middle, y + 37, self.condition, f"middle small{white}")
