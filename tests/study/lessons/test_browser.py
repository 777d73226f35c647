"""The interactive pieces in a real browser: the system's Chromium, without any network."""

import base64
import json

import numpy as np
import pytest
import torch

from scnlib.paths import REPOSITORY
from study.lessons import strokes
from study.lessons.widgets import clickable_map
from tests.browsing import api, faults, needs_chromium, stroke

pytestmark = needs_chromium

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


@pytest.mark.parametrize("width", [320, 390, 500])
def test_clickable_map_fits_a_phone(page, tmp_path, width):
    page.set_viewport_size({"width": width, "height": 800})
    title = "Rows of the correlation map: phantom028_ED, slice 4 (val)"  # as long as notebook 02b's
    shown = clickable_map(np.full((4, 4), 0.5), C, (2, 2), title=title, truth=TRUTH, cell=3)
    file = tmp_path / "phone.html"
    head = '<!doctype html><meta name="viewport" content="width=device-width">'
    head += '<body style="margin: 16px">'
    file.write_text(head + shown._repr_mimebundle_()["text/html"], encoding="utf-8")
    page.goto(file.as_uri())
    frame = page.frame_locator("iframe")
    text, canvas, slider = (
        frame.get_by_role("status"),
        frame.locator("#slice"),
        frame.get_by_label("Threshold"),
    )
    api.expect(text).to_contain_text("Mask above 0.500")
    root = frame.locator("html")
    for side in ("Width", "Height"):  # nothing hides behind a second scroll bar
        assert root.evaluate(f"node => node.scroll{side} <= node.client{side}"), side
    assert canvas.bounding_box()["width"] >= 0.75 * width  # a finger's place, not a stamp
    assert slider.bounding_box()["width"] >= 0.4 * width
    for part in (slider, frame.locator("#borders")):
        assert part.bounding_box()["height"] >= 24
    box = canvas.bounding_box()
    canvas.click(position={"x": 0.3 * box["width"], "y": 0.1 * box["height"]})
    api.expect(text).to_contain_text("cell row 1, column 1")


def test_clickable_map_is_accessible(page, tmp_path):
    file = tmp_path / "map.html"  # without its frame, which axe doesn't look into
    shown = clickable_map(np.full((4, 4), 0.5), C, (2, 2), title="Test", truth=TRUTH, cell=3)
    file.write_text(shown.page, encoding="utf-8")
    page.goto(file.as_uri())
    api.expect(page.get_by_role("status")).to_contain_text("Mask above")
    assert not faults(page)


SHIM = """<!doctype html><html lang="en"><meta charset="utf-8">
<title>Pad</title><main id="root"></main><script type="module">
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
        "heard": 0,
        "wanted": 0,
        "busy": False,
        "beat": 0,
        "status": "",
        "result": None,
        "result_alt": "",
    }
    source = (REPOSITORY / "study" / "lessons" / "drawing.js").read_text(encoding="utf-8")
    filled = SHIM.replace("VALUES", json.dumps(values), 1).replace("SOURCE", json.dumps(source), 1)
    file = tmp_path / "pad.html"
    file.write_text(filled, encoding="utf-8")
    page.clock.install()  # the pad's patience need not be waited for
    page.goto(file.as_uri())
    page.get_by_test_id("pad").wait_for()
    return page


def drawn(page) -> dict:
    return json.loads(page.evaluate("window.model.get('drawing')"))["strokes"]


def test_pad_is_accessible(pad):
    assert not faults(pad)


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


def test_strokes_outlive_a_pad_that_is_made_again(pad):
    stroke(pad, (10, 20), (30, 20))
    pad.reload()  # as a cell that is run again: the model begins empty
    pad.get_by_test_id("pad").wait_for()
    api.expect(pad.get_by_role("status")).to_contain_text("Your 1 strokes are back")
    assert len(drawn(pad)["one"]) == 1
    pad.get_by_role("button", name="Clear slice").click()
    pad.reload()
    api.expect(pad.get_by_role("status")).to_contain_text("0 strokes on this slice")


def test_a_drawing_that_the_kernel_puts_back_is_kept_in_its_place(pad):
    stroke(pad, (10, 20), (30, 20))
    mine = pad.evaluate("model.get('drawing')")
    pad.evaluate(
        "model.set('drawing', JSON.stringify({...JSON.parse(model.get('drawing')), strokes: {}}))"
    )
    pad.evaluate("text => model.set('drawing', text)", mine)  # as Python does with a wrong file
    assert pad.evaluate("localStorage.getItem('scribble-study-strokes')") == mine


def test_a_file_of_what_is_there_already_waits_for_no_answer(pad, tmp_path):
    stroke(pad, (10, 20), (30, 20))
    pad.evaluate("model.set('heard', 1)")
    (tmp_path / "same.json").write_text(pad.evaluate("model.get('drawing')"))
    pad.get_by_label("Load").set_input_files(tmp_path / "same.json")
    pad.wait_for_function("document.querySelector('input[type=file]').value === ''")
    pad.clock.run_for(6_000)
    api.expect(pad.get_by_role("alert")).to_be_hidden()
    (tmp_path / "none.json").write_text(
        json.dumps(json.loads(strokes.empty().to_json()) | {"strokes": None})
    )
    pad.get_by_label("Load").set_input_files(tmp_path / "none.json")
    api.expect(pad.get_by_role("status")).to_contain_text("That file holds no strokes")


def test_a_kernel_that_does_not_answer_is_said(pad):
    warning = pad.get_by_role("alert")
    stroke(pad, (10, 20), (30, 20))
    pad.clock.run_for(5_000)  # longer than the pad waits for one word
    api.expect(warning).to_contain_text("The kernel has not answered")
    pad.evaluate("model.set('heard', 1)")
    api.expect(warning).to_be_hidden()
    pad.get_by_role("button", name="Train").click()
    pad.clock.run_for(5_000)
    api.expect(warning).to_be_visible()
    assert not faults(pad)
    pad.evaluate("model.set('busy', true)")
    api.expect(warning).to_be_hidden()


def test_a_kernel_that_dies_while_it_trains_is_said(pad):
    warning = pad.get_by_role("alert")
    stroke(pad, (10, 20), (30, 20))
    pad.evaluate("model.set('heard', 1)")
    pad.get_by_role("button", name="Train").click()
    pad.evaluate("model.set('busy', true)")
    pad.evaluate("window.pulse = setInterval(() => model.set('beat', model.get('beat') + 1), 500)")
    pad.clock.run_for(6_000)
    api.expect(warning).to_be_hidden()
    pad.evaluate("clearInterval(pulse)")  # the kernel dies: no beat, and no word that it is done
    pad.clock.run_for(5_000)
    api.expect(warning).to_contain_text("it was training")
    assert not faults(pad)
    pad.evaluate("model.set('beat', 99)")  # it was only slow
    api.expect(warning).to_be_hidden()
    pad.evaluate("model.set('busy', false)")
    pad.wait_for_timeout(5_000)
    api.expect(warning).to_be_hidden()
