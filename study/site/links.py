"""What is wrong with a built site: dead links, fetches from elsewhere, pages without structure."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

LINKS = ("href", "src", "srcset", "poster", "data", "action")
FETCHED = re.compile(r"""(?:@import|url\()\s*["']?\s*(?:\w+:)?//""", re.I)  # in a style


def problems(site: Path) -> list[str]:
    """One line for each fault of the pages in the folder `site`, the page's name first.

    A link must lead to a file or an anchor of the site; only an `a` may lead out, by https or
    mailto. Frames that hold a page (`srcdoc`) are looked through too. A page needs a title, a
    language, one h1, headings without jumps, and a text for each image.
    """
    site = site.resolve()
    files = sorted(site.rglob("*.html"))
    pages = {file: BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser") for file in files}
    found = []
    for file, page in pages.items():
        frames = [
            BeautifulSoup(str(tag["srcdoc"]), "html.parser") for tag in page("iframe", srcdoc=True)
        ]
        faults = list(_structure(page))
        for soup in (page, *frames):
            faults += _links(soup, file, site, pages)
        found += [f"{file.relative_to(site)}: {fault}" for fault in faults]
    for file in sorted(site.rglob("*.css")):
        if FETCHED.search(file.read_text(encoding="utf-8")):
            found.append(f"{file.relative_to(site)}: fetches from elsewhere")
    return found


def _structure(page: BeautifulSoup) -> Iterator[str]:
    if not (page.html and page.html.get("lang")):
        yield "no language"
    if not (page.title and page.title.get_text(strip=True)):
        yield "no title"
    headings = page.find_all(re.compile("^h[1-6]$"))
    levels = [int(heading.name[1]) for heading in headings]
    if levels.count(1) != 1 or levels[0] != 1:
        yield f"{levels.count(1)} headings of level 1, or not first: it needs one at its head"
    for heading, level, last in zip(headings[1:], levels[1:], levels, strict=False):
        if level > last + 1:
            yield f"heading {heading.get_text()!r} skips a level"
    for image in page("img"):
        if not str(image.get("alt", "")).strip() or str(image["alt"]).startswith("No description"):
            yield f"image {str(image.get('src'))[:60]} has no alt text"
    for frame in page("iframe"):
        if not frame.get("title"):
            yield "a frame has no title"


def _links(
    soup: BeautifulSoup, file: Path, site: Path, pages: dict[Path, BeautifulSoup]
) -> Iterator[str]:
    for tag in soup.find_all(True):
        for key in LINKS:
            if tag.get(key) and (fault := _fault(tag, str(tag[key]), soup, file, site, pages)):
                yield fault
    for text in [tag.get_text() for tag in soup("style")] + [
        str(t["style"]) for t in soup(style=True)
    ]:
        if FETCHED.search(text):
            yield "a style fetches from elsewhere"


def _fault(
    tag: Tag,
    url: str,
    soup: BeautifulSoup,
    file: Path,
    site: Path,
    pages: dict[Path, BeautifulSoup],
) -> str | None:
    """What is wrong with one link of `soup`, which is the page `file` or a frame in it."""
    if url.startswith(("data:", "blob:")):
        return None
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        allowed = tag.name == "a" and parts.scheme in ("https", "mailto")
        return None if allowed else f"{tag.name} leads out of the site: {url[:200]}"
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if not target.is_file() or not target.is_relative_to(site):
        return f"dead link: {url[:200]}"
    inside = soup if not parts.path else pages.get(target)
    anchor = unquote(parts.fragment)
    if anchor and inside and not inside.find(id=anchor):
        return f"dead link, no such anchor: {url[:200]}"
    return None
