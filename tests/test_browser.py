"""The interactive pieces in a real browser: the system's Chromium, without any network."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from scnlib import strokes
from scnlib.widgets import clickable_map

CHROMIUM = shutil.which("chromium")
api = pytest.importorskip("playwright.sync_api", reason="skipped: playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
api.expect.set_options(timeout=60_000)
ROOT = Path(__file__).resolve().parent.parent
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"


@pytest.fixture(scope="module")
def browser():
    with api.sync_playwright() as play:
        flags = [*FLAGS.split(), "--disable-component-update", "--disable-sync"]
        found = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield found
        found.close()


@pytest.fixture
def page(browser):
    view = browser.new_page(viewport={"width": 900, "height": 760})
    view.set_default_timeout(60_000)
    problems: list[str] = []
    view.on("pageerror", lambda error: problems.append(str(error)))
    yield view
    view.close()
    assert not problems


# A 2 x 2 map on a 4 x 4 slice. Scaled, row 0 is (1, 1/3, 0, 0) and row 3 is (0, 0, 1, 1).
C = torch.tensor([[0.6, 0.2, 0, 0], [0.1, 0.7, 0.1, 0.1], [0, 0, 1, 0], [0, 0, 0.5, 0.5]])
TRUTH = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 3, 3], [0, 0, 3, 3]], np.uint8)


def test_clickable_map_by_mouse_keys_and_slider(page, tmp_path):
    shown = clickable_map(np.full((4, 4), 0.5), C, (2, 2), title="Test", truth=TRUTH, cell=3)
    file = tmp_path / "frame.html"  # as a notebook shows it: a page in a sandboxed frame
    file.write_text(f"<!doctype html>{shown._repr_mimebundle_()['text/html']}", encoding="utf-8")
    page.goto(file.as_uri())
    frame = page.frame_locator("iframe")
    text, canvas = frame.get_by_role("status"), frame.locator("#slice")
    api.expect(text).to_contain_text("Cell row 2, column 2 of 2 × 2. The cell holds 100% LV.")
    api.expect(text).to_contain_text("Mask above 0.500: 2 of 4 cells")

    box = canvas.bounding_box()
    at = {"x": 0.3 * box["width"], "y": 0.1 * box["height"]}  # pixel row 0, column 1
    canvas.click(position=at)
    api.expect(text).to_contain_text("Pixel row 0, column 1: cell row 1, column 1")
    api.expect(text).to_contain_text("class RV in the truth. The cell holds 75% RV, 25% background")
    api.expect(text).to_contain_text("goes from 0.0 to 0.60. Mask above 0.500: 1 of 4 cells")

    canvas.hover(position={"x": 0.9 * box["width"], "y": 0.9 * box["height"]})
    api.expect(text).to_contain_text("Pixel row 3, column 3: cell row 2, column 2")
    frame.locator("#title").hover()  # away: back to the place that was clicked
    api.expect(text).to_contain_text("Pixel row 0, column 1")

    canvas.focus()
    page.keyboard.press("ArrowRight")
    api.expect(text).to_contain_text("cell row 1, column 2")
    page.keyboard.press("ArrowUp")  # at the edge: it stays
    api.expect(text).to_contain_text("cell row 1, column 2")
    page.keyboard.press("ArrowLeft")
    assert canvas.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"

    slider = frame.get_by_label("Threshold")
    slider.focus()
    for _ in range(42):  # from 125/250 down to 83/250 = 0.332, below 1/3
        page.keyboard.press("ArrowLeft")
    api.expect(text).to_contain_text("cell row 1, column 1")
    api.expect(text).to_contain_text("Mask above 0.332: 2 of 4 cells")
    assert slider.get_attribute("aria-valuetext") == "0.332"
    track = slider.bounding_box()
    page.mouse.move(track["x"] + track["width"] / 3, track["y"] + track["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] - 1, track["y"] + track["height"] / 2)
    page.mouse.up()
    api.expect(text).to_contain_text("Mask above 0.996: 1 of 4 cells")


SHIM = """<!doctype html><meta charset="utf-8"><div id="root"></div><script type="module">
const values = VALUES, heard = {};
values.images = new DataView(Uint8Array.from(atob(values.images), c => c.charCodeAt(0)).buffer);
const model = {
  get: name => values[name], save_changes() {}, off() {},
  set(name, value) { values[name] = value; (heard["change:" + name] || []).forEach(f => f()); },
  on(name, act) { (heard[name] ||= []).push(act); },
};
window.model = model;
const source = new Blob([SOURCE], {type: "text/javascript"});
const module = await import(URL.createObjectURL(source));
module.default.render({model, el: document.getElementById("root")});
</script>"""


@pytest.fixture
def pad(page, tmp_path):
    """The pad's own script on a page with a model of six lines in the place of the kernel."""
    values = {
        "images": base64.b64encode(bytes(range(0, 128)) * 64).decode(),
        "shape": [64, 64],
        "names": ["one", "two"],
        "classes": list(strokes.HEART),
        "colours": ["#A8A8A8", "#0072B2", "#F0E442", "#D55E00"],
        "drawing": strokes.empty().to_json(),
        "wanted": 0,
        "busy": False,
        "status": "",
        "result": None,
        "result_alt": "",
    }
    source = (ROOT / "scnlib" / "drawing.js").read_text(encoding="utf-8")
    filled = SHIM.replace("VALUES", json.dumps(values), 1).replace("SOURCE", json.dumps(source), 1)
    file = tmp_path / "pad.html"
    file.write_text(filled, encoding="utf-8")
    page.goto(file.as_uri())
    page.get_by_test_id("pad").wait_for()
    return page


def drawn(page) -> dict:
    return json.loads(page.evaluate("window.model.get('drawing')"))["strokes"]


def stroke(page, *points: tuple[float, float]) -> None:
    """Draw by mouse through points (x, y) in pixels of the slice."""
    box = page.get_by_test_id("pad").bounding_box()
    places = [
        (box["x"] + (x + 0.5) / 64 * box["width"], box["y"] + (y + 0.5) / 64 * box["height"])
        for x, y in points
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def test_pad_draws_undoes_clears_and_saves(pad, tmp_path):
    stroke(pad, (10, 20), (30, 20))
    (line,) = drawn(pad)["one"]
    assert line["label"] == 3 and line["width"] == 1.5
    assert np.abs(np.array(line["points"]) - [[10, 20], [30, 20]]).max() < 0.2
    pad.get_by_role("button", name="RV").click()
    assert pad.get_by_role("button", name="RV").get_attribute("aria-pressed") == "true"
    stroke(pad, (40, 50))
    assert [line["label"] for line in drawn(pad)["one"]] == [3, 1]
    api.expect(pad.get_by_role("status")).to_contain_text("2 strokes on this slice, 2 in all")
    with pad.expect_download() as saved:
        pad.get_by_role("button", name="Save").click()
    kept = tmp_path / "strokes.json"
    saved.value.save_as(kept)

    pad.get_by_role("button", name="Undo").click()
    assert [line["label"] for line in drawn(pad)["one"]] == [3]
    pad.get_by_label("Slice").first.select_option(label="two")
    stroke(pad, (5, 5))
    pad.get_by_role("button", name="Clear slice").click()
    assert list(drawn(pad)) == ["one"]
    pad.get_by_role("button", name="Train").click()
    assert pad.evaluate("window.model.get('wanted')") == 1

    pad.get_by_label("Load").set_input_files(kept)
    pad.wait_for_function("JSON.parse(model.get('drawing')).strokes.one.length === 2")
    wrong = tmp_path / "wrong.json"
    wrong.write_text("[1")
    pad.get_by_label("Load").set_input_files(wrong)
    api.expect(pad.get_by_role("status")).to_contain_text("That file holds no strokes")
    assert len(drawn(pad)["one"]) == 2


def jupyter(folder: Path) -> tuple[subprocess.Popen, str]:
    """A JupyterLab on a free port that serves the notebooks; the process and its address."""
    settings = {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},
    }
    for name, content in settings.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    names = {f"JUPYTER_{kind}_DIR": kind.lower() for kind in ("RUNTIME", "CONFIG", "DATA")}
    names |= {f"JUPYTERLAB_{kind}_DIR": kind.lower() for kind in ("SETTINGS", "WORKSPACES")}
    environment = os.environ | {name: str(folder / where) for name, where in names.items()}
    environment["PYTHONPATH"] = str(ROOT)
    command = "-m jupyterlab --no-browser --allow-root --ip=127.0.0.1 --port=0"
    command += f" --ServerApp.root_dir={folder / 'work'} --IdentityProvider.token=TOK"
    command += " --LabApp.extension_manager=readonly --LabApp.expose_app_in_browser=True"
    log = (folder / "log").open("w")
    server = subprocess.Popen(
        [sys.executable, *command.split()], env=environment, stdout=log, stderr=log
    )
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        for file in (folder / "runtime").glob("jpserver-*.json"):
            return server, json.loads(file.read_text())["url"]
        time.sleep(0.3)
    server.terminate()
    raise RuntimeError((folder / "log").read_text()[-2000:])


@pytest.mark.skipif("SCN_SLOW" not in os.environ, reason="slow: set SCN_SLOW=1 to run JupyterLab")
def test_jupyterlab_draws_and_trains(page, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    book = json.loads((ROOT / "notebooks" / "06_your_own_scribbles.ipynb").read_text())
    pad_cell = next(i for i, cell in enumerate(book["cells"]) if "Pad()" in "".join(cell["source"]))
    book["cells"] = book["cells"][: pad_cell + 1]  # the rest trains once more
    (work / "six.ipynb").write_text(json.dumps(book))
    server, address = jupyter(tmp_path)
    try:
        page.set_default_timeout(240_000)
        page.goto(f"{address}lab/tree/six.ipynb?token=TOK&reset")
        page.get_by_role("button", name=re.compile(r"^Python 3 .*\| Idle$")).wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        canvas = page.get_by_test_id("pad")
        canvas.scroll_into_view_if_needed()
        stroke(page, (32, 30), (36, 30))
        page.locator(".pad").get_by_role("button", name="background").click()
        stroke(page, (8, 8), (56, 8))
        page.locator(".pad").get_by_role("button", name="Train").click()
        api.expect(page.locator(".pad [role=status]")).to_contain_text(
            re.compile(r"Done in \d+ s. Mean Dice"), timeout=400_000
        )
        assert page.locator(".pad img").get_attribute("alt").startswith("Strokes, predictions")
        if "SCN_SHOTS" in os.environ:
            page.screenshot(path=f"{os.environ['SCN_SHOTS']}/lab.png")
    finally:
        server.terminate()
        server.wait(30)
