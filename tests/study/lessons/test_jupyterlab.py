"""Notebooks 02 and 06 in JupyterLab, as a reader uses them: menu, mouse and slider.

Pictures of both are kept in the folder that SCN_SHOTS names.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scnlib.paths import REPOSITORY
from tests.browsing import api, needs_chromium, stroke

pytestmark = needs_chromium
PATIENCE = 360_000  # ms; a slow machine of two cores

NOTEBOOKS = REPOSITORY / "notebooks"


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
    environment["PYTHONPATH"] = str(REPOSITORY)
    command = "-m jupyterlab --no-browser --allow-root --ip=127.0.0.1 --port=0"
    command += f" --ServerApp.root_dir={folder / 'work'} --IdentityProvider.token=TOK"
    command += " --LabApp.extension_manager=readonly --LabApp.expose_app_in_browser=True"
    with (folder / "log").open("w") as log:
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


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """A server whose folder holds notebook 02b, and 06 up to the pad (the rest trains again)."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "work").mkdir()
    shutil.copy(NOTEBOOKS / "02b_on_a_heart.ipynb", folder / "work" / "two.ipynb")
    book = json.loads((NOTEBOOKS / "06_your_own_scribbles.ipynb").read_text())
    pad_cell = next(i for i, cell in enumerate(book["cells"]) if "Pad()" in "".join(cell["source"]))
    book["cells"] = book["cells"][: pad_cell + 1]
    (folder / "work" / "six.ipynb").write_text(json.dumps(book))
    server, url = jupyter(folder)
    yield url
    server.terminate()
    server.wait(30)


def run_all(page: api.Page, address: str, name: str) -> None:
    """Open a notebook and run it from the menu."""
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}lab/tree/{name}?token=TOK&reset")
    page.get_by_role("button", name=re.compile(r"^Python 3 .*\| Idle$")).wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def keep_picture(page: api.Page, name: str) -> None:
    if "SCN_SHOTS" in os.environ:
        page.screenshot(path=Path(os.environ["SCN_SHOTS"]) / f"{name}.png")


def test_a_place_is_asked_in_notebook_02(page, address):
    run_all(page, address, "two.ipynb")
    holder = page.locator("iframe[srcdoc]")
    holder.scroll_into_view_if_needed()
    frame = page.frame_locator("iframe[srcdoc]")
    text, canvas, slider = (
        frame.get_by_role("status"),
        frame.locator("#slice"),
        frame.get_by_label("Threshold"),
    )
    api.expect(text).to_contain_text("Mask above 0.500", timeout=PATIENCE)
    box = canvas.bounding_box()
    canvas.click(position={"x": 0.1 * box["width"], "y": 0.9 * box["height"]})
    corner = text.inner_text()
    canvas.click(position={"x": 0.5 * box["width"], "y": 0.5 * box["height"]})
    api.expect(text).not_to_have_text(corner)

    def cells() -> int:
        return int(re.findall(r"Mask above [\d.]+: (\d+) of", text.inner_text())[0])

    at_half = cells()
    slider.scroll_into_view_if_needed()
    track = slider.bounding_box()
    y = track["y"] + track["height"] / 2
    page.mouse.move(track["x"] + track["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(track["x"] + 1, y, steps=5)
    page.mouse.up()
    api.expect(text).to_contain_text("Mask above 0.0")
    assert cells() > at_half >= 1
    keep_picture(page, "notebook02")


def test_strokes_are_drawn_and_learned_from_in_notebook_06(page, address):
    run_all(page, address, "six.ipynb")
    page.get_by_test_id("pad").scroll_into_view_if_needed()
    pad, status = page.locator(".pad"), page.locator(".pad [role=status]")
    stroke(page, (32, 30), (36, 30))
    pad.get_by_role("button", name="background").click()
    stroke(page, (8, 8), (56, 8))
    pad.get_by_role("button", name="Train").click()
    done = re.compile(r"Done in \d+ s\. Mean Dice .*\(seed 0\)")
    api.expect(status).to_contain_text(done, timeout=PATIENCE)
    assert page.locator(".pad img").get_attribute("alt").startswith("Strokes, predictions")
    page.locator(".pad img").scroll_into_view_if_needed()
    keep_picture(page, "notebook06")


def test_a_kernel_restarted_while_it_trains_is_said_in_notebook_06(page, address):
    run_all(page, address, "six.ipynb")
    page.get_by_test_id("pad").scroll_into_view_if_needed()
    pad = page.locator(".pad")
    stroke(page, (32, 30), (36, 30))
    pad.get_by_role("button", name="background").click()
    stroke(page, (8, 8), (56, 8))
    pad.get_by_role("button", name="Train").click()
    api.expect(pad.get_by_role("status")).to_contain_text("step ", timeout=PATIENCE)
    api.expect(pad.get_by_role("alert")).to_be_hidden()
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Restart Kernel…")).click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    api.expect(pad.get_by_role("alert")).to_contain_text("it was training", timeout=20_000)
    pad.get_by_role("alert").scroll_into_view_if_needed()
    keep_picture(page, "notebook06-restarted")
