"""Reads a report's page: its tables and texts, and checks that it is sound and self-contained."""

import re
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, fromstring

from attrs import define, field


def drawn(picture: str) -> Element:
    """A picture, which must be sound XML."""
    return fromstring(picture)  # noqa: S314  # our own


@define
class Page(HTMLParser):
    """A page, parsed strictly: every element must be closed in its place. Tables are kept as rows of texts."""

    stack: list[str] = field(factory=list[str])
    tags: set[str] = field(factory=set[str])
    attributes: list[tuple[str, str]] = field(factory=list[tuple[str, str]])
    tables: list[list[list[str]]] = field(factory=list[list[list[str]]])
    texts: dict[str, str] = field(factory=dict[str, str])

    def __attrs_pre_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "meta":
            return
        self.stack.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.stack, tag
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.stack[-3:] or "th" in self.stack[-3:]:
            self.tables[-1][-1][-1] += data
        for element in self.stack[-1:]:
            self.texts[element] = self.texts.get(element, "") + data


def read_page(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.stack == []
    return page


def pictures(text: str) -> list[str]:
    """The texts in each of a page's pictures that are drawings of their own, which must be sound XML."""
    images = re.findall(r'<svg xmlns="[^"]*".*?</svg>', text, re.DOTALL)
    return [" | ".join(t.text or "" for t in drawn(each).iter() if t.tag.endswith("text")) for each in images]


def assert_sound(text: str) -> None:
    """Check that nothing is fetched or executed, every element is closed, and every picture is XML."""
    page = read_page(text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "image", "use"}
    assert not [
        name for name, _ in page.attributes if name in ("src", "href", "xlink:href", "style") or name[:2] == "on"
    ]
    assert {value for name, value in page.attributes if "://" in value} == {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#t-hatch", "#t-dots"}
    assert "@import" not in text
    assert len(pictures(text)) >= 2
