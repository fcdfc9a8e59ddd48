"""The report of an incident as one HTML document. It loads nothing from elsewhere and contains no script."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from attrs import frozen

from ...fsm import VipOrder
from ..history.causal_chain import COMMAND, DECISION, RESULT, ChainLink, chain
from ..history.incidents import Incident
from ..history.journal import Entry
from ..pictures.drawing.axis import duration_text
from ..pictures.timeline.lanes import Stretch, service
from ..pictures.timeline.timeline import timeline_svg
from .analysis import (
    DecidingRow,
    deciding_rows,
    detection,
    failures,
    missing_phases,
    states,
    timed_phases,
)
from .html import Markup, joined, table, tag
from .sequence import sequence_parts
from .style import STYLE

_ORDERS = {
    VipOrder.TOGETHER: "both scripts at once",
    VipOrder.DISABLE_FIRST: "never two holders, none for a moment",
    VipOrder.ENABLE_FIRST: "never none, two holders for a moment",
}
_SOURCES = (
    ("S1", "SIP Voicemail HA Deployment Guide, Solution HA Failure Scenarios"),
    ("S2", "SIP Server HA Deployment Guide, IP Address Takeover HA Workflows"),
)


@frozen
class Site:
    """The facts that only the configuration contains; empty or None if there is no configuration."""

    solution: str = ""
    addresses: tuple[str, ...] = ()
    detection_ms: int | None = None


def document(incident: Incident, site: Site, lines: Sequence[tuple[int, Entry]]) -> str:
    """The whole document; `lines` are the numbered entries of the journal about the incident."""
    name = f"Incident {incident.id}"
    title = f"{name} of {site.solution}" if site.solution else name
    body = [
        _header(incident, site),
        _summary(incident, site),
        _section("Phases", _phases(incident), "whole"),
        _section("Timeline", _timeline(incident), "wide"),
        _section("Messages", _sequence(incident), "wide"),
        _section("Chain of reasons", _chain(incident)),
        _section("Before and after", _states(incident)),
        _section("The journal's lines", _journal(lines)),
        _footer(),
    ]
    head = joined(
        [
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", title),
            Markup(f"<style>{STYLE}</style>"),
        ],
        "\n",
    )
    parts = [Markup("<!DOCTYPE html>"), Markup('<html lang="en">'), tag("head", head), Markup("<body>"), *body]
    return joined([*parts, Markup("</body>"), Markup("</html>")], "\n") + "\n"


_TIMELINE = "Who was primary, who held the VIP, and when clients were not served, as the agent knew it at the time."
_SEQUENCE = "Read from top to bottom; times in ms after the first event, as the agent heard of it."


def _section(title: str, content: Markup, style: str = "") -> Markup:
    return tag("section", tag("h2", title), Markup("\n"), content, **({"class": style} if style else {}))


def _timeline(incident: Incident) -> Markup:
    picture = Markup(timeline_svg(incident))
    return tag("figure", picture, tag("figcaption", _TIMELINE), class_="timeline")


def _sequence(incident: Incident) -> Markup:
    figures = [tag("figure", Markup(picture), class_="sequence") for picture in sequence_parts(incident)]
    return joined([tag("p", _SEQUENCE, class_="note"), *figures], "\n")


def _header(incident: Incident, site: Site) -> Markup:
    vip = f", VIP {', '.join(site.addresses)}" if site.addresses else ""
    hosts = " and ".join(incident.topology.hosts)
    began = " ".join(_local(incident.handled[0].wall_ns))
    return tag(
        "header",
        tag("p", f"{site.solution or 'solution'} on {hosts}{vip}", class_="quiet"),
        tag("h1", f"Incident {incident.id}, {began}"),
        tag("p", incident.cause, class_="what"),
        tag("p", incident.outcome, class_="what"),
    )


def _local(wall_ns: int) -> tuple[str, str]:
    """A time in local time, to the millisecond, and the time zone."""
    seconds, ns = divmod(wall_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds).astimezone()
    zone = f"{moment:%z}"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns // 1_000_000:03d}", f"{moment:%Z} (UTC{zone[:3]}:{zone[3:]})"


def _summary(incident: Incident, site: Site) -> Markup:
    gaps, uncertain = service(incident, "unserved"), service(incident, "in doubt")
    took = duration_text(incident.at_ms(incident.handled[-1]))
    order, failed = incident.topology.vip_order, failures(incident)
    lines = [
        ("Moved", _list(incident.moves) if incident.moves else "nothing"),
        ("Decided by", _list([_decided(each) for each in deciding_rows(incident)])),
        *([("Failed", _list([f"{text}{_times(count)}" for text, count in failed]))] if failed else []),
        ("Detection", detection(incident, site.detection_ms)),
        *([("In doubt", _IN_DOUBT)] if uncertain else []),
        ("VIP order", f"{order}: {_ORDERS[order]}"),
        ("Asked for, not done", _list(incident.refusals) if incident.refusals else "nothing"),
        ("Lasted", f"{took} until everything was at rest" if incident.is_over else f"{took} so far; it is not over"),
    ]
    facts = tag("dl", *(joined([tag("dt", name), tag("dd", text)]) for name, text in lines))
    lead = tag("p", _served(gaps, uncertain_ms(incident, site.detection_ms)), tag("small", _SERVED_NOTE), class_="lead")
    return tag("section", tag("h2", "Summary"), lead, facts, class_="summary unserved" if gaps else "summary")


_SERVED_NOTE = (
    "As the agent knows it: clients are served while a host in sight holds the VIP and its application is primary."
    " Clients may have seen otherwise: a failure begins before it is reported, and a backup may still answer."
)
_IN_DOUBT = "a host fell silent: only clients know whether it still served between its last sign of life and its loss"


def uncertain_ms(incident: Incident, detection_ms: int | None) -> float:
    """How long it is uncertain whether clients were served, in ms.

    A host that falls silent was last heard half the detection time before (0 if that is not known).
    """
    stretches = service(incident, "in doubt")
    known = sum(
        each.end_ms - each.begin_ms for each in stretches if each.begin_ms is not None and each.end_ms is not None
    )
    return known + len(stretches) * (detection_ms or 0) / 2


def _served(gaps: Sequence[Stretch], uncertain_ms: float) -> str:
    perhaps = f"perhaps for {'another ' if gaps else ''}{duration_text(uncertain_ms)}"
    if not gaps:
        return f"Clients were served all the time{f', but {perhaps}' if uncertain_ms else ''}."
    closed = [(gap.begin_ms, gap.end_ms) for gap in gaps if gap.begin_ms is not None and gap.end_ms is not None]
    parts = ["since before the incident" for gap in gaps if gap.begin_ms is None and gap.end_ms is not None]
    parts += ["before it and after it" for gap in gaps if gap.begin_ms is None and gap.end_ms is None]
    if closed:
        total = duration_text(sum(end - begin for begin, end in closed))
        parts.append(f"for {total}{f', in {len(closed)} gaps' if len(closed) > 1 else ''}")
    parts += ["at its end, and from then on" for gap in gaps if gap.begin_ms is not None and gap.end_ms is None]
    return f"Clients were unserved {'; '.join([*parts, *([perhaps] if uncertain_ms else [])])}."


def _decided(each: DecidingRow) -> Markup:
    text = f"{each.at_ms:.1f} ms{_times(each.times)}, {each.subject}: {each.reason} "
    return joined([text, tag("span", each.cite, class_="cite quiet")])


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _list(items: Sequence[str]) -> Markup:
    return tag("ul", *(tag("li", item) for item in items))


def _phases(incident: Incident) -> Markup:
    phases = timed_phases(incident)
    end = max((each.at_ms for each in phases), default=0.0)
    rows = [
        (each.name, f"{each.at_ms:.1f}", f"+{each.duration_ms:.1f}", _bar(each.begin_ms, each.at_ms, end), each.meaning)
        for each in phases
    ]
    heads = ("phase", "ended at, ms", "took, ms", "when", "what had happened")
    parts = [table(heads, rows, ("", "number", "number", "bar"))]
    none = ", ".join(phase.name for phase in missing_phases(incident))
    parts.append(
        tag(
            "p",
            "Each phase begins where the one before it ended. Times are those at which the agent heard of it.",
            class_="note",
        )
    )
    return joined([*parts, tag("p", f"Not part of this incident: {none}.", class_="note")] if none else parts)


def _bar(begin_ms: float, end_ms: float, whole_ms: float) -> Markup:
    """A phase as a part of the whole time; at least a thin line."""
    scale = 100 / whole_ms if whole_ms else 0.0
    left, width = min(begin_ms * scale, 99.2), max((end_ms - begin_ms) * scale, 0.8)
    line = '<line x1="0" y1="5" x2="100" y2="5" vector-effect="non-scaling-stroke"/>'
    rect = f'<rect x="{left:.1f}" y="1" width="{width:.1f}" height="8"/>'
    return Markup(f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{line}{rect}</svg>')


def _chain(incident: Incident) -> Markup:
    heads = tag("tr", *(tag("th", name, scope="col") for name in ("ms", "", "what", "why", "source")))
    rows = joined((_chain_row(link) for link in chain(incident)), "\n")
    return tag("div", tag("table", tag("thead", heads), tag("tbody", rows), class_="chain"), class_="table")


def _chain_row(link: ChainLink) -> Markup:
    at = f"{link.at_ms:.1f}" if link.kind in ("event", RESULT) else ""
    style = link.kind if link.moved else f"{link.kind} stays"
    return tag(
        "tr",
        tag("td", at, class_="number"),
        tag("td", "not done" if link.kind == DECISION and not link.moved else link.kind, class_="kind"),
        tag("td", link.text, class_="text"),
        tag("td", joined(_why(link), "; ")),
        tag("td", link.cite, class_="cite"),
        class_=style,
    )


def _why(link: ChainLink) -> Iterator[str]:
    if link.reason:
        yield link.reason
    if link.guard:
        yield f"given that {link.guard}"
    if link.kind in (COMMAND, RESULT) and link.took_ms is not None:
        yield f"{link.result or 'came'} after {link.took_ms:.1f} ms"
    elif link.result:
        yield link.result


def _states(incident: Incident) -> Markup:
    rows = [
        tag(
            "tr",
            tag("th", line.name, scope="row"),
            tag("td", "changed" if line.before != line.after else ""),
            tag("td", line.before),
            tag("td", line.after),
            **({"class": "changed"} if line.before != line.after else {}),
        )
        for line in states(incident)
    ]
    heads = tag("tr", *(tag("th", name, scope="col") for name in ("", "", "before", "after")))
    return tag("div", tag("table", tag("thead", heads), tag("tbody", joined(rows, "\n"))), class_="table")


def _journal(lines: Sequence[tuple[int, Entry]]) -> Markup:
    texts = [f"{number:>7}  {_local(entry.wall_ns)[0]}  {entry.kind:<8}  {entry.text}" for number, entry in lines]
    return tag("details", tag("summary", f"{len(texts)} lines, as written"), tag("pre", "\n".join(texts)))


def _footer() -> Markup:
    sources = [tag("p", f"[{key}] {title}.") for key, title in _SOURCES]
    return tag("footer", *sources, tag("p", "A source that begins with 'rule' is a rule of this controller."))
