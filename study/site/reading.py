"""What makes a long page easy to read, without a script: contents, folded code, larger pictures."""

from bs4 import BeautifulSoup, Tag

ONE_LINE = 24  # characters of a cell that stays on one line
FEWEST = 4  # sections from which on a page has a list of them


def add_contents(soup: BeautifulSoup) -> None:
    """Under the first heading a list of the page's sections (h2 with an id), if there are many."""
    sections = [h for h in soup.find_all("h2") if not h.find_parent(class_="output")]
    if len(sections) < FEWEST or not soup.h1:
        return
    items = "".join(f'<li><a href="#{h["id"]}">{h.get_text()}</a></li>' for h in sections)
    text = f"<details open><summary>On this page</summary><ul>{items}</ul></details>"
    nav = f'<nav class="contents" aria-label="On this page">{text}</nav>'
    soup.h1.insert_after(BeautifulSoup(nav, "html.parser"))


def keep_numbers_whole(soup: BeautifulSoup) -> None:
    """Short cells of tables don't wrap; the table scrolls in its frame instead."""
    for cell in soup.find_all(["td", "th"]):
        if len(cell.get_text()) <= ONE_LINE:
            cell["class"] = "short"


def fold_code(soup: BeautifulSoup) -> None:
    """The code of each cell behind a line that opens it; what it displays stays."""
    for number, cell in enumerate(soup.find_all(class_="input"), 1):
        lines = len(cell.get_text().strip().splitlines())
        _fold(soup, cell, f"code {number}, {lines} line{'s' if lines > 1 else ''}", "code")


def let_pictures_grow(soup: BeautifulSoup) -> None:
    """Every displayed picture is as large as it is when it is chosen, by mouse or by key."""
    for image in soup.select(".output img"):
        if "math" not in (image.get("class") or []):
            details = soup.new_tag("details", attrs={"class": "picture"})
            image.wrap(soup.new_tag("summary")).wrap(details)


def _fold(soup: BeautifulSoup, tag: Tag, words: str, kind: str) -> None:
    details = soup.new_tag("details", attrs={"class": kind})
    summary = soup.new_tag("summary")
    summary.string = words
    tag.wrap(details)
    tag.insert_before(summary)
