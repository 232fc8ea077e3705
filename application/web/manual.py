"""The documentation as the help shows it: Markdown files of docs/ made into trees of plain text."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

PACKAGE: Final = Path(__file__).resolve().parents[1]
# An installed program has the pages inside; a checkout has them beside it.
FOLDERS: Final = (PACKAGE / "docs", PACKAGE.parent / "docs")
INDEX: Final = "README"
OWN: Final = {"reference/errors": "/help/errors", "reference/rest": "/help/api", INDEX: "/help"}
SECTIONS: Final = ("finance", "tutorial", "how-to", "explanation", "reference")
SECTION_OF: Final = {"explain": "explanation", "how-to/finance": "finance"}
IN_SECTION: Final = {f"decisions/{INDEX}": "explanation"}  # the others are found through it
CONTENTS_LEAST: Final = 4
_DROPPED: Final = re.compile(r"[^\w\- ]")
_TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\(([^)#\s]+)\.md")


@dataclass(frozen=True, slots=True)
class Node:
    """One piece of a page; its template writes it, so that text stays text.

    Args:
        kind: As Markdown calls it: `paragraph`, `link`, `table`, ….
        text: Of a piece that holds nothing else.
        href: Of a link; "" where it leads to nothing of ours.
        level: Of a heading, beginning at 1.
        ident: By which a heading is found.
        right: Whether a cell stands at the right.
        children: What it holds.
    """

    kind: str
    text: str = ""
    href: str = ""
    level: int = 0
    ident: str = ""
    right: bool = False
    children: tuple["Node", ...] = ()

    @property
    def words(self) -> str:
        """The text of it and of all it holds."""
        return self.text + "".join(one.words for one in self.children)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of the documentation.

    Args:
        path: Where it lies in docs/, without its ending.
        title: Its first heading.
        address: Where the help shows it.
        section: In which part of the index it stands.
    """

    path: str
    title: str
    address: str
    section: str


@cache
def folder() -> Path | None:
    """Return where the pages lie; None where they were not installed."""
    return next((one for one in FOLDERS if (one / f"{INDEX}.md").is_file()), None)


@cache
def leaves() -> dict[str, Leaf]:
    """Return every page by its path, those the first page names in its order, the others behind."""
    home = folder()
    if home is None:
        return {}
    files = {one.relative_to(home).with_suffix("").as_posix(): one for one in home.rglob("*.md")}
    named = [one for one in _LINK.findall(files[INDEX].read_text(encoding="utf-8")) if one in files]
    paths = dict.fromkeys((*named, *sorted(files)))
    return {path: _leaf(path, files[path].read_text(encoding="utf-8")) for path in paths}


def index() -> Iterator[tuple[str, list[Leaf]]]:
    """Yield each section with its pages."""
    for section in SECTIONS:
        found = [one for one in leaves().values() if one.section == section and one.path != INDEX]
        if found:
            yield section, found


def found_at(address: str) -> Leaf | None:
    """Return the page an address shows; None where there is none."""
    return next((one for one in leaves().values() if one.address == address), None)


@cache
def tree_of(path: str) -> tuple[Node, ...]:
    """Return the pieces of a page.

    Args:
        path: Of one of `leaves()`.
    """
    home = folder()
    assert home is not None, "a page is asked for by its leaf"  # noqa: S101 - narrows the type
    text = (home / f"{path}.md").read_text(encoding="utf-8")
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    taken: set[str] = set()
    return tuple(_nodes(SyntaxTreeNode(parser.parse(text)).children, path=path, taken=taken))


def contents_of(nodes: Sequence[Node]) -> list[Node]:
    """Return the headings worth a list of their own at the top; none where there are few."""
    heads = [one for one in nodes if one.kind == "heading" and one.level == 2]  # noqa: PLR2004 - below the title
    return heads if len(heads) >= CONTENTS_LEAST else []


def _leaf(path: str, text: str) -> Leaf:
    title = _TITLE.search(text)
    parent = posixpath.dirname(path)
    return Leaf(
        path=path,
        title=title[1].replace("`", "") if title else path,
        address=OWN.get(path, f"/help/{path}"),
        section=IN_SECTION.get(path) or SECTION_OF.get(parent, parent),
    )


def _nodes(found: Sequence[SyntaxTreeNode], *, path: str, taken: set[str]) -> Iterator[Node]:
    for one in found:
        if one.type == "inline":
            yield from _nodes(one.children, path=path, taken=taken)
        else:
            yield _node(one, path=path, taken=taken)


def _node(one: SyntaxTreeNode, *, path: str, taken: set[str]) -> Node:
    children = tuple(_nodes(one.children, path=path, taken=taken))
    href = _led(str(one.attrs.get("href", "")), path=path) if one.type == "link" else ""
    level = int(one.tag[1:]) if one.type == "heading" else 0
    words = "".join(child.words for child in children)
    return Node(
        kind=one.type,
        text=one.content if not children else "",
        href=href,
        level=level,
        ident=_ident(words, taken=taken) if level else "",
        right="right" in str(one.attrs.get("style", "")),
        children=children,
    )


def _ident(words: str, *, taken: set[str]) -> str:
    """Return by which a heading is found, as other readers of Markdown make it."""
    plain = _DROPPED.sub("", words.lower()).replace(" ", "-")
    ident, number = plain, 1
    while ident in taken:
        ident, number = f"{plain}-{number}", number + 1
    taken.add(ident)
    return ident


def _led(href: str, *, path: str) -> str:
    """Return where a link of a page leads in the help; "" where nothing of ours stands there."""
    parts = urlsplit(href)
    if parts.scheme:
        return href if parts.scheme in {"http", "https", "mailto"} else ""
    place = f"#{parts.fragment}" if parts.fragment else ""
    if not parts.path:
        return place
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), parts.path))
    for wanted in (target.removesuffix(".md"), f"{target}/{INDEX}"):
        if wanted in leaves():
            return leaves()[wanted].address + place
    return ""
