"""A static site from the README and the executed notebooks, readable offline.

python -m study.site [--profile cpu] [--results results] [--out site]

No page fetches anything from elsewhere: formulas are drawn at build time (their LaTeX is the text
for screen readers), pictures are inside the pages or copied, and a policy in each page forbids the
rest to the browser. A site with a dead link is not built. No generator makes these pages: a page of
nbconvert's fetches MathJax and require.js, and Jupyter Book needs Node.
"""

import html
import re
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from bs4 import BeautifulSoup
from pygments.formatters import HtmlFormatter

from scnlib.paths import REPOSITORY, to_path
from study.commands import described, exit_code
from study.experiments import PROFILES
from study.run.executed import failure
from study.site.links import problems
from study.site.reading import add_contents, fold_code, keep_numbers_whole, let_pictures_grow
from study.site.text import html_of_markdown, html_of_notebook

TRAINING = "03_training"
REPORT = "REPORT.md"
STYLE = Path(__file__).with_name("site.css")
MARK = '<meta name="generator" content="study.site">'
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'self' file: data: blob: 'unsafe-inline'">
{MARK}
<title>{{title}}</title>
<link rel="stylesheet" href="style.css">
</head>
<body>
<a class="skip" href="#text-start">Skip to the text</a>
<header><nav aria-label="Pages">{{links}}</nav></header>
<main id="text-start" tabindex="-1">
{{body}}
</main>
<footer><nav aria-label="Pages, again">{{links}}</nav></footer>
</body>
</html>
"""


def slug(text: str) -> str:
    """A heading's anchor as GitHub makes it, so that the README's links hold in both places."""
    return re.sub(r"[^\w\- ]", "", unquote(text).strip().lower()).replace(" ", "-")


class _Site:
    """The folder in the making: `pages` says which file shows which source."""

    def __init__(self, root: Path, books: list[Path], folder: Path) -> None:
        self.root, self.folder = root, folder
        self.chain = [book.stem for book in books if not book.stem.startswith(f"{TRAINING}_")]
        self.trainings = [book.stem for book in books if book.stem.startswith(f"{TRAINING}_")]
        self.titles = {"index": "Index"}
        self.pages = {root / "README.md": "index.html"}
        # What the README leads to: the lesson plan, the profile's report, and the study's.
        texts = {"lesson": root / "notebooks" / "README.md", "report": books[0].parents[1] / REPORT}
        texts["reproducibility"] = root / "results" / "REPRODUCIBILITY.md"
        self.texts = {stem: path for stem, path in texts.items() if path.is_file()}
        self.pages |= {path.resolve(): f"{stem}.html" for stem, path in self.texts.items()}
        if self.trainings:
            self.pages[root / "notebooks" / f"{TRAINING}.ipynb"] = "index.html#training-runs"
        for book in books:
            self.pages |= dict.fromkeys(
                (book, root / "notebooks" / book.name), f"{quote(book.stem)}.html"
            )

    def finish(self, source: str, base: Path) -> BeautifulSoup:
        """Anchors on headings, tables that scroll by key, links that lead to the site's files."""
        soup = BeautifulSoup(source, "html.parser")
        seen: dict[str, int] = {}
        section = 1
        for heading in soup.find_all(re.compile("^h[1-6]$")):
            if heading.find_parent(class_="output"):  # it belongs to the section it stands in
                heading.name = f"h{min(section + 1, 6)}"
            else:
                section = int(heading.name[1])
            name = slug(heading.get_text())
            seen[name] = seen.get(name, -1) + 1
            heading["id"] = f"{name}-{seen[name]}" if seen[name] else name
        for number, table in enumerate(soup.find_all("table"), 1):
            frame = {"class": "table", "role": "region", "tabindex": "0"}
            table.wrap(soup.new_tag("div", attrs=frame | {"aria-label": f"Table {number}"}))
        for tag in soup.find_all(["a", "img"]):
            self._lead(tag, "href" if tag.name == "a" else "src", base)
        keep_numbers_whole(soup)
        return soup

    def _lead(self, tag, key: str, base: Path) -> None:
        parts = urlsplit(str(tag.get(key, "")))
        if not tag.get(key) or parts.scheme or parts.netloc:
            return
        anchor = f"#{slug(parts.fragment)}" if parts.fragment else ""
        target = (base / unquote(parts.path)).resolve() if parts.path else None
        if target in self.pages:
            tag[key] = self.pages[target] + anchor
        elif target is None:
            tag[key] = anchor
        elif tag.name == "img" and target.is_file() and target.is_relative_to(self.root):
            copy = self.folder / "files" / target.relative_to(self.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target, copy)
            tag[key] = quote(copy.relative_to(self.folder).as_posix())
        elif tag.name == "a" and target.exists():
            tag.unwrap()  # a file of the repository that is not in the site: its name stays

    def write(self, stem: str, body: str) -> None:
        """The page `stem` with links to the index, the page before and the page after."""
        index = stem == "index"
        chain = [] if stem in self.texts else self.chain
        before = [("Previous", name) for name in chain if name < stem and not index]
        after = [("Next", name) for name in chain if name > stem or index]
        places = [("Index", "index")] * (not index) + before[-1:] + after[:1]
        links = " ".join(self._link(name, word) for word, name in places)
        page = PAGE.format(title=html.escape(self.titles[stem]), links=links, body=body)
        (self.folder / f"{stem}.html").write_text(page, encoding="utf-8")

    def _link(self, name: str, word: str = "") -> str:
        title = html.escape(self.titles[name])
        return f'<a href="{quote(name)}.html">{f"{word}: " if word else ""}{title}</a>'

    def contents(self) -> str:
        """The index's list of pages."""
        items = "".join(f"<li>{self._link(name)}</li>" for name in self.chain)
        text = f'<nav aria-label="Notebooks"><p>The notebooks, executed:</p><ul>{items}</ul>'
        if self.trainings:
            items = "".join(f"<li>{self._link(name)}</li>" for name in self.trainings)
            text += f'<p id="training-runs">Training runs:</p><ul>{items}</ul>'
        return f"{text}</nav>"


def build(
    profile: str, out: Path, root: Path = REPOSITORY, results: Path | None = None
) -> list[Path]:
    """Build the site of ROOT's README and RESULTS/PROFILE/notebooks in `out`; its pages.

    Raises `ValueError` with one line if no notebook was executed, one failed, the site has a
    problem (`problems`; an earlier site stays as it was), or `out` holds something else.
    """
    root, out = root.resolve(), out.resolve()
    source = (results or root / "results").resolve() / profile / "notebooks"
    books = sorted(source.glob("[0-9]*.ipynb"))
    command = f"./run_all.sh --profile {profile}{f' --out {results}' if results else ''}"
    if not books:
        raise ValueError(f"{source}: no executed notebooks; {command} makes them")
    for book in books:
        if why := failure(book):
            raise ValueError(f"{book}: {why}; {command} runs it again")
    old = out / "index.html"
    if (
        out.exists()
        and any(out.iterdir())
        and not (old.exists() and MARK in old.read_text("utf-8"))
    ):
        raise ValueError(f"{out}: holds something else than a site; choose another --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as work:
        folder = Path(work) / "site"
        folder.mkdir()
        _write_all(_Site(root, books, folder), books)
        if found := problems(folder):
            rest = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise ValueError(f"the site is not built: {found[0]}{rest}")
        shutil.rmtree(out, ignore_errors=True)
        folder.rename(out)
    return sorted(out.glob("*.html"))


def _write_all(site: _Site, books: list[Path]) -> None:
    bodies = {}
    readme = site.root / "README.md"
    for book in books:
        body = site.finish(html_of_notebook(book), site.root / "notebooks")
        add_contents(body)
        fold_code(body)
        let_pictures_grow(body)
        if body.h1 and book.stem in site.trainings:  # one notebook, run many times
            body.h1.append(f": {book.stem.removeprefix(TRAINING).replace('_', ' ').strip()}")
        title = body.h1.get_text() if body.h1 else book.stem
        number = "" if book.stem in site.trainings else f"{book.stem.split('_')[0]} "
        site.titles[book.stem] = number + title
        bodies[book.stem] = str(body)
    for stem, path in site.texts.items():
        page = site.finish(html_of_markdown(path.read_text(encoding="utf-8")), path.parent)
        add_contents(page)
        site.titles[stem] = page.h1.get_text() if page.h1 else stem
        bodies[stem] = str(page)
    index = site.finish(html_of_markdown(readme.read_text(encoding="utf-8")), site.root)
    if index.h1:
        site.titles["index"] = index.h1.get_text()
        index.h1.insert_after(BeautifulSoup(site.contents(), "html.parser"))
    for code in index.find_all("code"):
        if not code.find_parent(["pre", "a"]) and code.get_text() in bodies:
            code.wrap(index.new_tag("a", href=f"{quote(code.get_text())}.html"))
    bodies["index"] = str(index)
    for stem, body in bodies.items():
        site.write(stem, body)
    colours = HtmlFormatter(style="xcode").get_style_defs(".highlight")  # 4.5:1 or more on #f6f6f6
    style = f"{colours}\n{STYLE.read_text(encoding='utf-8')}"
    (site.folder / "style.css").write_text(style, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Build the site from the command line; 1 after one line if it can't be."""
    parser = described("python -m study.site", __doc__)
    parser.add_argument("--profile", choices=list(PROFILES), default="cpu")
    parser.add_argument("--results", type=to_path, metavar="DIR", help="(default: results)")
    parser.add_argument("--out", type=to_path, default=REPOSITORY / "site", metavar="DIR")
    options = parser.parse_args(arguments)

    def action() -> None:
        pages = build(options.profile, options.out, results=options.results)
        print(f"{len(pages)} pages: open {options.out / 'index.html'}")

    return exit_code(action)
