"""The static site: its pages and links, readable offline, nothing fetched from elsewhere."""

import base64
import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pygments.styles import get_style_by_name

from study.lessons.widgets import clickable_map
from study.site import build as site
from study.site.links import problems
from study.site.text import formula
from tests.browsing import api, needs_chromium
from tests.study.report.test_contrast import luminance

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
)
FRAME = '<iframe title="Map" sandbox="allow-scripts" srcdoc="{}"></iframe>'
PAGE = "<h1 id='t'>\"Map\"</h1><script>const a = 1 < 2 && 'b';</script>"
README = """# A study

See [the first](notebooks/01_first.ipynb#a-part), `02_second`, [below](#the-end-of-it), the
[licence](LICENSE) and [the source](https://example.org/paper).

![A dot](figures/dot.png)

## The end of it
"""


def code(*outputs) -> nbformat.NotebookNode:
    return new_code_cell("1", outputs=list(outputs), execution_count=1)


def shown(**data) -> nbformat.NotebookNode:
    """A displayed output: `png`, `html`, `markdown` or `javascript`."""
    kinds = {"png": "image/png", "javascript": "application/javascript"}
    data = {kinds.get(kind, f"text/{kind}"): value for kind, value in data.items()}
    return new_output("display_data", data, metadata={"image/png": {"alt": "A dot"}})


def put(root: Path, name: str, *cells) -> None:
    folder = root / "results" / "cpu" / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=list(cells)), folder / f"{name}.ipynb")


@pytest.fixture
def root(tmp_path):
    """A repository with a README and two executed notebooks."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "dot.png").write_bytes(DOT)
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "LICENSE").write_text("MIT")
    text = "# First\n\n## A part\n\n$C_{ij} = f_i \\cdot f_j / \\sqrt D$, [back](../README.md)"
    png = shown(png=base64.b64encode(DOT).decode())
    put(tmp_path, "01_first", new_markdown_cell(text), code(png))
    frame = shown(html=FRAME.format(html.escape(PAGE)))
    table = shown(markdown="# Of its own\n\n| a | b |\n| - | - |\n| 1 | $x^2$ |")
    script = shown(javascript="fetch('https://example.org')")
    put(tmp_path, "02_second", new_markdown_cell("# Second"), code(frame, table, script))
    return tmp_path


def built(root: Path) -> dict[str, Any]:
    pages = site.build("cpu", root / "site", root)
    return {page.stem: BeautifulSoup(page.read_text(), "html.parser") for page in pages}


def test_pages_in_order_with_their_neighbours(root):
    put(root, "03_training_phantom_scn_seed0", new_markdown_cell("# One run"), code())
    put(root, "10_last", new_markdown_cell("# Last"), code())
    pages = built(root)
    around = {
        name: {a.get_text(): a["href"] for a in page.header("a")} for name, page in pages.items()
    }
    assert around["index"] == {"Next: 01 First": "01_first.html"}
    index = {"Index: A study": "index.html"}
    assert around["01_first"] == index | {"Next: 02 Second": "02_second.html"}
    sides = {"Previous: 02 Second": "02_second.html", "Next: 10 Last": "10_last.html"}
    assert around["03_training_phantom_scn_seed0"] == index | sides
    assert around["10_last"] == index | {"Previous: 02 Second": "02_second.html"}
    listed = pages["index"].find("nav", attrs={"aria-label": "Notebooks"})
    order = ["01_first", "02_second", "10_last", "03_training_phantom_scn_seed0"]
    assert [a["href"] for a in listed("a")] == [f"{name}.html" for name in order]
    assert pages["03_training_phantom_scn_seed0"].h1.get_text() == "One run: phantom scn seed0"


def test_links_lead_to_pages_copies_or_stay_text(root):
    pages = built(root)
    links = {a.get_text(): a["href"] for a in pages["index"].main("a")}
    assert links["the first"] == "01_first.html#a-part"
    assert links["02_second"] == "02_second.html"
    assert links["below"] == "#the-end-of-it"
    assert links["the source"] == "https://example.org/paper"
    assert "licence" not in links and "licence" in pages["index"].get_text()
    image = pages["index"].find("img", alt="A dot")
    assert (root / "site" / image["src"]).read_bytes() == DOT
    assert pages["01_first"].find("a", string="back")["href"] == "index.html"


def test_nothing_is_fetched_from_elsewhere(root):
    for page in built(root).values():
        for tag in page.find_all(["script", "link", "img", "iframe", "source", "video", "object"]):
            for key in ("src", "href", "data", "srcset"):
                assert urlsplit(str(tag.get(key, ""))).scheme in ("", "data")
        assert not page.find_all("script")
        policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
        assert "http" not in policy and "*" not in policy
    assert "//" not in (root / "site" / "style.css").read_text()


def test_every_page_has_its_structure(root):
    pages = built(root)
    for page in pages.values():
        assert page.html["lang"] == "en" and page.title.get_text()
        assert page.find("meta", attrs={"name": "viewport"})
        skip = page.body.find("a")
        assert skip["class"] == ["skip"] and page.find(id=skip["href"][1:]).name == "main"
    assert (
        pages["02_second"].h2.get_text() == "Of its own"
    )  # an output's heading is below the notebook's
    assert pages["02_second"].table.parent["tabindex"] == "0"


def test_formulas_are_drawn_and_their_latex_is_the_text(root):
    image = built(root)["01_first"].find("img", class_="math")
    assert image["alt"] == r"C_{ij} = f_i \cdot f_j / \sqrt D"
    drawing = base64.b64decode(image["src"].split(",")[1]).decode()
    assert drawing.count("<use") > 8 or drawing.count("<path") > 8
    assert formula(r"\operatorname{softmax}_j(x)").startswith("<img")
    same = r"\begin{cases} a &lt; b \end{cases}"
    assert formula(r"\begin{cases} a < b \end{cases}") == f'<code class="math">{same}</code>'


def test_frame_keeps_its_page(root):
    frame = built(root)["02_second"].iframe
    assert frame["srcdoc"] == PAGE and "allow-scripts" in frame["sandbox"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[x](nowhere.md)", "index.html: dead link: nowhere.md"),
        ("[x](#nowhere)", "index.html: dead link, no such anchor: #nowhere"),
        ("[x](notebooks/01_first.ipynb#no)", "dead link, no such anchor: 01_first.html#no"),
        ("![x](nowhere.png)", "index.html: dead link: nowhere.png"),
        ("![x](https://example.org/x.png)", "img leads out of the site: https://example.org/x.png"),
        ("![](figures/dot.png)", "index.html: image files/figures/dot.png has no alt text"),
        ('<script src="//example.org/x.js"></script>', "script leads out of the site"),
        ("<style>@import 'https://example.org/x.css'</style>", "a style fetches from elsewhere"),
        (
            '<iframe title="x" srcdoc="<img src=\'y.png\'>"></iframe>',
            "index.html: dead link: y.png",
        ),
        ("#### Deep", "index.html: heading 'Deep' skips a level"),
        ("# Another", "2 headings of level 1"),
    ],
)
def test_a_fault_stops_the_build_and_the_old_site_stays(root, text, fault):
    built(root)
    (root / "README.md").write_text(f"{README}\n{text}\n")
    with pytest.raises(ValueError, match=re.escape(fault)) as caught:
        built(root)
    assert "\n" not in str(caught.value)
    assert not problems(root / "site")
    assert not list(root.glob(".site-*"))


def test_missing_or_failed_notebooks_name_the_command(root):
    put(root, "02_second", code(new_output("error", ename="KeyError", evalue="'x'", traceback=[])))
    with pytest.raises(ValueError, match=r"02_second.ipynb: KeyError: 'x'; ./run_all.sh --profile"):
        built(root)
    with pytest.raises(ValueError, match=r"no executed notebooks; ./run_all.sh --profile demo"):
        site.build("demo", root / "site", root)


def test_command_line_says_one_line(tmp_path, capsys):
    where = ["--results", str(tmp_path), "--out", str(tmp_path / "site")]
    assert site.main(where) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "site").exists()


def test_a_folder_that_is_no_site_is_left_alone(root):
    with pytest.raises(ValueError, match="holds something else than a site"):
        site.build("cpu", root / "figures", root)
    assert (root / "figures" / "dot.png").exists()


def test_colours_of_text_contrast():
    light, dark = site.STYLE.read_text().split("@media (prefers-color-scheme: dark)")
    grounds = re.findall(r"background: (#\w+)", light)
    inks = re.findall(r"[ {]color: (#\w+)", light)
    inks += [f"#{part['color']}" for _, part in get_style_by_name("xcode") if part["color"]]
    assert len(inks) > 10 and "#f6f6f6" in grounds
    darkest = min(luminance(ground) for ground in grounds)
    assert (darkest + 0.05) / (max(luminance(ink) for ink in inks) + 0.05) >= 4.5
    ground = luminance(re.findall(r"body { background: (#\w+)", dark)[0])
    inks = [luminance(ink) for ink in re.findall(r"[ {]color: (#\w+)", dark)]
    assert len(inks) == 2 and (min(inks) + 0.05) / (ground + 0.05) >= 4.5


def test_long_pages_have_contents_folded_code_and_pictures_to_enlarge(root):
    text = "# Long\n\n" + "\n\n".join(f"## Part {n}\n\nwords" for n in range(5))
    png = shown(png=base64.b64encode(DOT).decode())
    put(root, "05_long", new_markdown_cell(text), code(png))
    pages = built(root)
    links = pages["05_long"].select("nav.contents a")
    assert [a["href"] for a in links] == [f"#part-{n}" for n in range(5)]
    assert not pages["01_first"].select("nav.contents")
    assert pages["05_long"].select_one("details.code > summary").get_text() == "code 1, 1 line"
    assert pages["05_long"].select_one("details.picture > summary > img")["alt"] == "A dot"
    assert not pages["01_first"].select("details.picture img.math")


def test_the_lesson_and_the_report_are_pages_that_the_readme_leads_to(root):
    (root / "notebooks").mkdir(exist_ok=True)
    (root / "notebooks" / "README.md").write_text("# The lesson\n\n[back](../README.md)")
    (root / "results" / "cpu" / "REPORT.md").write_text("# All of it")
    (root / "results" / "REPRODUCIBILITY.md").write_text("# What holds")
    more = "[plan](notebooks/README.md), [claims](results/REPRODUCIBILITY.md) "
    more += "and [report](results/cpu/REPORT.md)"
    (root / "README.md").write_text(f"{README}\n{more}\n")
    pages = built(root)
    links = {a.get_text(): a["href"] for a in pages["index"].main("a")}
    assert (links["plan"], links["report"]) == ("lesson.html", "report.html")
    assert links["claims"] == "reproducibility.html"
    assert pages["lesson"].find("a", string="back")["href"] == "index.html"


@needs_chromium
def test_map_answers_a_key_offline(root, page):
    C = torch.tensor([[0.6, 0.2, 0, 0], [0.1, 0.7, 0.1, 0.1], [0, 0, 1, 0], [0, 0, 0.5, 0.5]])
    frame = clickable_map(np.full((4, 4), 0.5), C, (2, 2), title="Test", cell=0)
    both = shown(html=frame._repr_mimebundle_()["text/html"]), shown(markdown="$x^2$")
    put(root, "02_second", new_markdown_cell("# Second"), code(*both))
    file = site.build("cpu", root / "site", root)[1]
    asked, said = [], []
    page.context.set_offline(True)
    page.on("request", lambda request: asked.append(urlsplit(request.url).scheme))
    page.on("console", lambda line: said.append(line.text))
    page.goto(file.as_uri())
    skip = "getComputedStyle(document.querySelector('.skip')).position"
    assert page.evaluate(skip) == "absolute"  # so the style sheet is there
    status = page.frame_locator("iframe").get_by_role("status")
    api.expect(status).to_contain_text("Cell row 1, column 1")
    page.frame_locator("iframe").locator("#slice").press("ArrowRight")
    api.expect(status).to_contain_text("column 2")
    unlabelled = "[...document.querySelectorAll('input, select')].filter(e => !e.labels.length)"
    for inside in page.frames:
        assert inside.evaluate(f"{unlabelled}.length") == 0
    broken = "[...document.images].filter(i => !i.alt || !i.naturalWidth).map(i => i.alt)"
    assert page.evaluate(broken) == []
    assert set(asked) <= {"file", "data", "about"} and not said


def test_the_site_stays_small_enough_to_hand_out(pages):
    folder = pages["index"].parent
    sizes = {file.name: file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    assert sum(sizes.values()) < 5_000_000, sorted(sizes.items(), key=lambda item: -item[1])[:5]
