"""HTML for the report: elements and tables, with all text escaped.

`Markup` is used unchanged. Any other text is escaped, so that names and error messages are shown as they are.
"""

import html
from collections.abc import Iterable, Sequence

from ..pictures.drawing.svg import showable


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """The text as HTML; characters that HTML does not allow are replaced.

    >>> escaped("<b> & \\x1b")
    '&lt;b&gt; &amp; \ufffd'
    """
    return text if isinstance(text, Markup) else Markup(html.escape(showable(text)))


def tag(name: str, *content: str, **attributes: str) -> Markup:
    """An element; an attribute whose name is a word of Python ends with `_`.

    >>> tag("td", "1 < 2", class_="number")
    '<td class="number">1 &lt; 2</td>'
    """
    written = "".join(f' {key.rstrip("_")}="{escaped(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}>{joined(content)}</{name}>")


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """Several texts one after the other."""
    return Markup(escaped(between).join(map(escaped, parts)))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], classes: Sequence[str] = ()) -> Markup:
    """A table with a head line; `classes` are the classes of its columns. The first cell is the head of its row."""
    styles = [*classes, *[""] * (len(heads) - len(classes))]

    def line(cells: Sequence[str], kinds: Sequence[str], scopes: Sequence[str]) -> Markup:
        return tag(
            "tr",
            *(
                tag(kind, cell, **({"scope": scope} if scope else {}), **({"class": style} if style else {}))
                for cell, kind, scope, style in zip(cells, kinds, scopes, styles, strict=True)
            ),
        )

    rest = len(heads) - 1
    head = line(heads, ["th"] * len(heads), ["col"] * len(heads))
    body = joined((line(row, ["th", *["td"] * rest], ["row", *[""] * rest]) for row in rows), "\n")
    return tag("div", tag("table", tag("thead", head), Markup("\n"), tag("tbody", body)), class_="table")
