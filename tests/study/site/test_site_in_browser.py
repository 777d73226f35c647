"""The site of the committed notebooks in a real browser: what is alive, and who can read it."""

import pytest

from tests.browsing import api, faults, needs_chromium

pytestmark = needs_chromium


def test_axe_finds_no_serious_fault_on_any_page(page, pages):
    found = {}
    for name, file in pages.items():
        page.goto(file.as_uri())
        if wrong := faults(page):
            found[name] = wrong
    assert not found


def test_axe_sees_a_fault(page, tmp_path):
    file = tmp_path / "bad.html"
    file.write_text("<!doctype html><html lang='en'><title>x</title><main><img src='x'></main>")
    page.goto(file.as_uri())
    assert any(fault.startswith("image-alt") for fault in faults(page))


def test_no_page_asks_the_network_for_anything(page, pages):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for file in pages.values():
        page.goto(file.as_uri())
    assert len(asked) >= len(pages)
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]


@pytest.mark.parametrize("width, least", [(1280, 250), (390, 300)])
def test_the_clickable_map_lives_on_the_site(page, pages, width, least):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(pages["02b_on_a_heart"].as_uri())
    page.locator("iframe[srcdoc]").scroll_into_view_if_needed()
    frame = page.frame_locator("iframe[srcdoc]")
    text, canvas = frame.get_by_role("status"), frame.locator("#slice")
    api.expect(text).to_contain_text("Mask above 0.500")
    root = frame.locator("html")  # nothing hides behind a second scroll bar
    assert root.evaluate("node => node.scrollHeight <= node.clientHeight")
    assert canvas.bounding_box()["width"] >= least
    before = text.inner_text()
    canvas.click(position={"x": 5, "y": 5})
    api.expect(text).to_contain_text("cell row 1, column 1 of")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    api.expect(text).not_to_have_text(before)


def test_a_phone_scrolls_tables_and_not_the_page(page, pages):
    page.set_viewport_size({"width": 390, "height": 800})
    for file in pages.values():
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, file.name


def test_a_picture_grows_when_it_is_chosen_and_code_unfolds(page, pages):
    page.set_viewport_size({"width": 600, "height": 800})
    page.goto(pages["04_tables_and_figure"].as_uri())
    picture = page.locator("details.picture img").first
    before = picture.bounding_box()["width"]
    picture.click()
    assert picture.bounding_box()["width"] > before
    code = page.locator("details.code").first
    assert not code.locator("pre").is_visible()
    code.locator("summary").press("Enter")
    assert code.locator("pre").is_visible()


def test_a_dark_scheme_is_legible(page, pages):
    page.emulate_media(color_scheme="dark")
    for name in ("index", "04_tables_and_figure"):
        page.goto(pages[name].as_uri())
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 22)"
        assert not faults(page)
