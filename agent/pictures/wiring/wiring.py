"""How a solution is wired: which messages activate which alarm conditions, and what their reactions do.

The first host's applications are on the left, the second host's on the right, each beside the alarm conditions about
it; the targets of the reactions are in the middle.
"""

from collections.abc import Sequence

from attrs import frozen

from ....fsm import (
    LOG_MESSAGES,
    Alarm,
    Reaction,
    ReactionKind,
    Topology,
    event_id,
)
from ....fsm.topology import VipOrder
from ..drawing.routes import Box
from ..drawing.svg import Drawing, number, width_of
from ..states.boxes import BOLDER, FOOT_PX, HEADING_PX, MARGIN_PX, SMALL_PX

LINE_PX, PADDING_PX = 16, 10
GAP_PX, SPACE_PX, REACH_PX = 14, 40, 150
"""The space between two alarm conditions of one application, between two applications, and up to a target, in px."""

_TITLE = "how it is wired: applications, alarm conditions, and what their reactions move"

Target = tuple[ReactionKind | None, str]
"""The target of a reaction: the VIP (None) on a host, or an application that becomes primary."""


@frozen
class _Group:
    """An application with the alarm conditions about it, and the box of each."""

    application: str
    place: str
    alarms: tuple[tuple[Alarm, Box], ...]

    @property
    def box(self) -> Box:
        """The box around its alarm conditions."""
        first, last = self.alarms[0][1], self.alarms[-1][1]
        return Box(first.x, first.y, first.width, last.y + last.height - first.y)


def wiring_svg(topology: Topology) -> str:
    """The wiring of a solution as SVG: applications, the alarm conditions about them, and the reactions' targets."""
    names = [name for name in topology.applications if topology.alarms_about[name]]
    targets = tuple(dict.fromkeys(_target(reaction) for alarm in topology.alarms for reaction in alarm.reactions))
    name_px = max((width_of(name) * BOLDER for name in (*names, "host")), default=0) + 2 * PADDING_PX
    alarm_px = max((_alarm_width(alarm) for alarm in topology.alarms), default=0)
    target_px = max((width_of(_target_text(target)) * BOLDER for target in targets), default=0) + 2 * PADDING_PX
    middle = name_px + alarm_px + REACH_PX + target_px / 2 + 30
    right = middle + target_px / 2 + REACH_PX
    sides = [_side(topology, name) for name in names]
    left = _groups(topology, [n for n, side in zip(names, sides, strict=True) if side != 2], name_px + 30, alarm_px)
    others = _groups(topology, [n for n, side in zip(names, sides, strict=True) if side == 2], right, alarm_px)
    low = max((group.box.y + group.box.height for group in (*left, *others)), default=LINE_PX)
    boxes = _targets(targets, (*left, *others), middle, target_px, low)
    return _drawn(topology, left, others, boxes, (middle, low, right + alarm_px + 30 + name_px))


def _drawn(
    topology: Topology,
    left: Sequence[_Group],
    right: Sequence[_Group],
    targets: dict[Target, Box],
    size: tuple[float, float, float],
) -> str:
    middle, low, width = size
    alone = [name for name in topology.applications if not topology.alarms_about[name]]
    foot = FOOT_PX + (LINE_PX if alone else 0)
    drawing = Drawing(width + 2 * MARGIN_PX, low + HEADING_PX + foot, _TITLE)
    drawing.add(f'<g transform="translate({MARGIN_PX} {HEADING_PX})">')
    drawing.text(middle, 32 - HEADING_PX, _TITLE, "big strong middle")
    for groups, is_left in ((left, True), (right, False)):
        _draw_reactions(drawing, groups, targets, is_left=is_left)
        for group in groups:
            _draw_group(drawing, group, is_left, width)
    for target, box in targets.items():
        drawing.box(box.x, box.y, box.width, box.height, "box soft" if target[0] is None else "box")
        drawing.text(box.middle[0], box.middle[1] + 5, _target_text(target), "strong middle")
    drawing.text(middle, low + foot - 18, _note(topology), "small faint middle")
    if alone:
        text = f"no alarm condition is about {', '.join(alone)}"
        drawing.text(middle, low + foot - 18 - LINE_PX, text, "small faint middle")
    drawing.add("</g>")
    return str(drawing)


# Layout.


def _groups(topology: Topology, names: Sequence[str], x: float, width: float) -> tuple[_Group, ...]:
    groups: list[_Group] = []
    y = 0.0
    for name in names:
        alarms: list[tuple[Alarm, Box]] = []
        for position in topology.alarms_about[name]:
            alarm = topology.alarms[position]
            alarms.append((alarm, Box(x, y, width, _alarm_height(alarm))))
            y += _alarm_height(alarm) + GAP_PX
        y += SPACE_PX - GAP_PX
        side = _side(topology, name)
        groups.append(_Group(name, topology.hosts[side - 1] if side else "on neither host", tuple(alarms)))
    return tuple(groups)


def _targets(
    targets: Sequence[Target], groups: Sequence[_Group], middle: float, width: float, low: float
) -> dict[Target, Box]:
    """The boxes of the targets in the middle, evenly spaced, in the order of the mean height of their reactions."""
    heights: dict[Target, list[float]] = {target: [] for target in targets}
    for alarm, box in (each for group in groups for each in group.alarms):
        for index, reaction in enumerate(alarm.reactions):
            heights[_target(reaction)].append(_reaction_y(box, index))
    ordered = sorted(targets, key=lambda target: sum(heights[target]) / len(heights[target]))
    pitch = low / max(len(ordered), 1)
    return {
        target: Box(middle - width / 2, pitch * (index + 0.5) - 17, width, 34) for index, target in enumerate(ordered)
    }


def _draw_reactions(drawing: Drawing, groups: Sequence[_Group], targets: dict[Target, Box], *, is_left: bool) -> None:
    """An arrow from each reaction's line to its target; dashed if the VIP is disabled there."""
    forward = 1 if is_left else -1
    for alarm, box in (each for group in groups for each in group.alarms):
        for index, reaction in enumerate(alarm.reactions):
            target = targets[_target(reaction)]
            x, y = box.x + (box.width if is_left else 0), _reaction_y(box, index) - 4
            end, height = target.x + (0 if is_left else target.width), target.middle[1]
            start, bend, stop = number(x), number((x + end - 9 * forward) / 2), number(end - 9 * forward)
            curve = f"M{start} {number(y)}C{bend} {number(y)} {bend} {number(height)} {stop} {number(height)}"
            style = "line dashed" if reaction.do is ReactionKind.DISABLE_VIP else "line"
            drawing.add(f'<path d="{curve}" class="{style}"/>')
            drawing.arrow([(end - 9 * forward, height), (end, height)])


def _draw_group(drawing: Drawing, group: _Group, is_left: bool, width: float) -> None:
    box = group.box
    edge = 0.0 if is_left else width
    style = "" if is_left else " end"
    drawing.text(edge, box.middle[1], group.application, f"strong{style}")
    drawing.text(edge, box.middle[1] + LINE_PX, group.place, f"small faint{style}")
    near = box.x - 8 if is_left else box.x + box.width + 8
    drawing.line([(near, box.y), (near, box.y + box.height)], "line thick")
    for alarm, its in group.alarms:
        drawing.box(its.x, its.y, its.width, its.height)
        drawing.text(its.x + PADDING_PX, its.y + LINE_PX + 2, alarm.name, "strong")
        drawing.text(its.x + PADDING_PX, its.y + 2 * LINE_PX + 2, _message(alarm), "small")
        drawing.line([(its.x, its.y + 2 * LINE_PX + 9), (its.x + its.width, its.y + 2 * LINE_PX + 9)], "rule")
        for index, reaction in enumerate(alarm.reactions):
            drawing.text(its.x + PADDING_PX, _reaction_y(its, index), _reaction_text(reaction), "small strong")


# Texts and sizes.


def _note(topology: Topology) -> str:
    order = f" (of the VIP's scripts, {topology.vip_order})" if topology.vip_order is not VipOrder.TOGETHER else ""
    return (
        "a message about an application activates an alarm condition, whose reactions are triggered from top to bottom"
        f"{order}; dashed: what is taken away"
    )


def _side(topology: Topology, application: str) -> int:
    """The side of an application; 0 if it is on neither host."""
    return topology.find(application)[1] if application not in topology.outside else 0


def _target(reaction: Reaction) -> Target:
    return (ReactionKind.TO_PRIMARY if reaction.do is ReactionKind.TO_PRIMARY else None), reaction.target


def _target_text(target: Target) -> str:
    return f"VIP on {target[1]}" if target[0] is None else f"{target[1]} as primary"


def _reaction_text(reaction: Reaction) -> str:
    if reaction.do is ReactionKind.TO_PRIMARY:
        return f"{reaction.target} to primary"
    return f"{'enable' if reaction.do is ReactionKind.ENABLE_VIP else 'disable'} the VIP on {reaction.target}"


def _message(alarm: Alarm) -> str:
    message = event_id(alarm.detect)
    until = f"; cancelled by {event_id(alarm.cancel)}" if alarm.cancel else ""
    return f"{message}, {LOG_MESSAGES[message]}{until}"


def _alarm_width(alarm: Alarm) -> float:
    small = max(width_of(text, SMALL_PX) for text in (_message(alarm), *map(_reaction_text, alarm.reactions)))
    return max(width_of(alarm.name), small) * BOLDER + 2 * PADDING_PX


def _alarm_height(alarm: Alarm) -> float:
    return (2 + len(alarm.reactions)) * LINE_PX + 18


def _reaction_y(box: Box, index: int) -> float:
    """The baseline of a reaction's line."""
    return box.y + (3 + index) * LINE_PX + 8
