"""For the tests of the pictures: the picture as XML, and the overlaps in a layout."""

import itertools
from xml.etree import ElementTree

from switchover.agent.pictures.drawing.routes import Box, Curve, Placed
from switchover.agent.pictures.states.boxes import Layout

SVG = "{http://www.w3.org/2000/svg}"


def parsed(picture: str) -> ElementTree.Element:
    """A picture as XML."""
    return ElementTree.fromstring(picture)  # noqa: S314  # it is our own


def runs_through(curve: Curve, box: Box) -> bool:
    """Whether a curve has a point in a box, at every hundredth of its length."""
    return any(box.holds(curve.at(step / 100)) for step in range(101))


def overlaps(layout: Layout) -> list[str]:
    """Every overlap in a layout, in words."""
    problems = [
        f"{one} lies on {other}"
        for (one, box), (other, that) in itertools.combinations(layout.boxes.items(), 2)
        if box.meets(that)
    ]
    edges: list[tuple[str, set[str], Placed]] = [
        (f"{edge.source} to {edge.target}", {edge.source, edge.target}, one)
        for edge, one in zip(layout.edges, layout.placed, strict=True)
    ]
    for name, ends, one in edges:
        for word, box in layout.boxes.items():
            if one.label.meets(box):
                problems.append(f"the label of {name} lies on {word}")
            if word not in ends and runs_through(one.curve, box):
                problems.append(f"{name} runs through {word}")
    for (name, _, one), (other, _, that) in itertools.permutations(edges, 2):
        if one.label.meets(that.label):
            problems.append(f"the label of {name} lies on the label of {other}")
        if runs_through(one.curve, that.label):
            problems.append(f"{name} runs through the label of {other}")
    return problems
