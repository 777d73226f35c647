"""What the tests in a real browser share: the system's Chromium, axe, and a stroke by mouse."""

import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright import sync_api as api

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
api.expect.set_options(timeout=60_000)


def faults(page: api.Page) -> list[str]:
    """axe's serious and critical findings on the page, not in its frames."""
    results = Axe().run(page, options={"resultTypes": ["violations"]})
    return [
        f"{found['id']}: {found['help']}: {node['html'][:200]}"
        for found in results.response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def stroke(page: api.Page, *points: tuple[float, float]) -> None:
    """Draw by mouse through points (x, y) in pixels of the slice."""
    box = page.get_by_test_id("pad").bounding_box()
    assert box is not None  # it is seen
    places = [
        (box["x"] + (x + 0.5) / 64 * box["width"], box["y"] + (y + 0.5) / 64 * box["height"])
        for x, y in points
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()
