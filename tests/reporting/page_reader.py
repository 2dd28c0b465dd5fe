"""Reads a page as a browser would, strictly: every tag closed, every picture and link noted."""

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """The parts of a page that the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.mistakes: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.alternatives: list[str] = []
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()
        self.mistakes += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in values:
            self.anchors.append(values["id"])
        self.loaded += [values[name] for name in ("src", "srcset", "data") if name in values]
        if tag == "link":
            self.loaded.append(values.get("href", ""))
        if tag == "a":
            self.links.append(values.get("href", ""))
        if tag == "img":
            self.alternatives.append(values.get("alt", ""))
        if tag in ("h2", "h3"):
            self.headings.append("")
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mistakes.append(f"</{tag}> at line {self.getpos()[0]} closes another tag")

    def handle_data(self, data: str) -> None:
        if {"h2", "h3"} & set(self.open):
            self.headings[-1] += data
        if {"td", "th"} & set(self.open[-2:]):
            self.tables[-1][-1][-1] += data
