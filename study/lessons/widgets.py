r"""Point at a pixel, see its row of C: a page of its own in a notebook's output.

The page needs no kernel, no network and no widget state: it works in JupyterLab, in an executed
copy and on an exported site alike. Where no scripts run, `draw_atlas` shows the same in print.

What is stored. Each value of C becomes a byte that counts how many of the thresholds 0/250, 1/250
... 249/250 it passes after min-max scaling (Eq. 4). So the mask at each of the slider's 250 places
is the one that `scnlib.propagation.shape_masks` makes, exactly; a scaled value is known to 1/250
(from above), a value of C to 1/250 of its row's range.
"""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from scnlib.propagation import shape_masks
from study.report.display import PALETTE, scribble_colours
from study.report.glance import truth_border

LEVELS = 250  # a multiple of 10, so that 0.5 is a place of the slider
MAX_BYTES = 400_000
# The frame's height: up to 515 px of screen the panels stand below each other, all of them in it.
HEIGHT = "clamp(500px, (515px - 100vw) * 999, 350px + 150vw)"


class Page:
    """A self-contained HTML page that a notebook displays in a frame. `.page` is its text."""

    def __init__(self, page: str, title: str) -> None:
        self.page, self.title = page, title

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        # In a frame, scripts and styles of page and notebook can't touch each other.
        frame = (
            f'<iframe title="{html.escape(self.title)}" sandbox="allow-scripts" loading="lazy" '
            f'style="width: 100%; max-width: 880px; height: {HEIGHT}; border: 1px solid #767676" '
            f'srcdoc="{html.escape(self.page)}"></iframe>'
        )
        return {"text/html": frame, "text/plain": f"{self.title} (interactive; needs a browser)"}


def encode_rows(C: Tensor) -> np.ndarray:
    """The bytes of a correlation map C (N, N): (N, N) uint8, each 0..250.

    A byte q says that the value passes the thresholds k/250 for k < q and no other, by
    `shape_masks`; so 250 is the row's maximum and `q > k` the mask at k/250.
    """
    stored = torch.zeros(C.shape, dtype=torch.uint8)
    for k in range(LEVELS):
        stored += shape_masks(C[None], k / LEVELS)[0]
    return stored.numpy()


def clickable_map(
    image: np.ndarray,
    C: Tensor,
    grid: tuple[int, int],
    *,
    title: str,
    truth: np.ndarray | None = None,
    scribble: np.ndarray | None = None,
    classes: Sequence[str] = ("background", *PALETTE),
    cell: int | None = None,
) -> Page:
    """A slice whose pixels show their row of C, the row's scaled map, and its mask.

    Args:
        image: (H, W) float in 0..1.
        C: correlation map (N, N) of the slice, N = h w.
        grid: (h, w), which divides (H, W).
        title: heads the page and names it to screen readers.
        truth: label map (H, W) uint8, its borders are drawn; None for none.
        scribble: (H, W) uint8, K = unlabelled; None for none.
        classes: the K classes' names, background first.
        cell: the place to begin with, 0..N - 1; by default the middle.

    Raises:
        ValueError: if the shapes do not fit, or the page would be larger than 400 KB.
    """
    labels = {"truth": truth, "scribble": scribble}
    _check_shapes(image.shape, C, grid, labels)
    data = {
        "title": title,
        "shape": list(image.shape),
        "grid": list(grid),
        "levels": LEVELS,
        "threshold": LEVELS // 2,
        "cell": (grid[0] // 2) * grid[1] + grid[1] // 2 if cell is None else cell,
        "classes": list(classes),
        "colours": scribble_colours(len(classes)),
        **_stored(image, C.detach().float().cpu(), labels),
    }
    return _page(data, title)


def _check_shapes(
    shape: tuple[int, ...], C: Tensor, grid: tuple[int, int], labels: dict[str, np.ndarray | None]
) -> None:
    (H, W), (h, w) = shape, grid
    if tuple(C.shape) != (h * w, h * w) or H % h or W % w:
        raise ValueError(
            f"a map of shape {tuple(C.shape)} on a {h} x {w} grid does not fit a {H} x {W} slice: "
            "it must be (h w, h w), and the grid must divide the slice"
        )
    for name, array in labels.items():
        if array is not None and array.shape != (H, W):
            raise ValueError(f"{name} has shape {array.shape}, the slice has {(H, W)}")


def _page(data: dict[str, object], title: str) -> Page:
    """The template with its data. Raises ValueError if that is too much."""
    # "<" is written so that no text in the data can end the script.
    text = json.dumps(data).replace("<", "\\u003c")
    template = Path(__file__).with_name("clickable.html").read_text(encoding="utf-8")
    page = Page(template.replace("/*DATA*/null", text), title)
    if (size := len(page._repr_mimebundle_()["text/html"].encode())) > MAX_BYTES:
        raise ValueError(f"the page would have {size} bytes, more than {MAX_BYTES}: coarser grid")
    return page


def _stored(
    image: np.ndarray, C: Tensor, labels: dict[str, np.ndarray | None]
) -> dict[str, object]:
    """The bytes of the slice, the rows of C, the label maps, and the colours of a scaled row."""
    return {
        "image": _text(np.rint(np.clip(image, 0, 1) * 255)),
        **_rows(C),
        **{name: None if array is None else _text(array) for name, array in labels.items()},
        "cividis": _text(np.rint(matplotlib.colormaps["cividis"](np.arange(256))[:, :3] * 255)),
    }


def _rows(C: Tensor) -> dict[str, object]:
    """The bytes of the rows, and the lowest and highest value of each."""
    low, high = ([float(f"{v:.5g}") for v in ends.tolist()] for ends in C.aminmax(dim=1))
    return {"rows": _text(encode_rows(C)), "low": low, "high": high}


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.astype(np.uint8).tobytes()).decode()


def draw_atlas(image: np.ndarray, C: Tensor, grid: tuple[int, int], truth: np.ndarray) -> Figure:
    """Every row of C at once: in the place of each cell stands the whole map of its row.

    Args as in `clickable_map`. Left the slice with its cells, then the scaled rows, then the masks.
    """
    h, w = grid
    H, W = image.shape
    rows = C.detach().float().cpu()
    low, high = rows.aminmax(dim=1, keepdim=True)
    scaled = ((rows - low) / (high - low).clamp(min=1e-12)).numpy()
    masks = shape_masks(rows[None], 0.5)[0].numpy()
    figure = Figure(figsize=(10.2, 3.7), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.imshow(image, cmap="gray", vmin=0, vmax=1)
    truth_border(left, truth)
    for axis, count, length in ((left.axhline, h, H), (left.axvline, w, W)):
        for k in range(1, count):
            axis(k * length / count - 0.5, color="white", linewidth=0.5, alpha=0.6)
    left.set_title(f"slice, {h} × {w} cells", fontsize=10)
    two = ListedColormap(["#00224E", "#FEE838"])  # the ends of cividis
    pictures = (
        (middle, scaled, "each cell's row, scaled", "cividis"),
        (right, masks, "each row's mask above 0.50", two),
    )
    for axis, values, title, colours in pictures:
        # (cell row, cell column, row, column) to one picture of h x w small ones, a line between.
        tiles = np.full((h, w, h + 1, w + 1), np.nan)
        tiles[:, :, :h, :w] = values.reshape(h, w, h, w)
        atlas = tiles.transpose(0, 2, 1, 3).reshape(h * (h + 1), w * (w + 1))
        axis.imshow(atlas, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title, fontsize=10)
    for axis in (left, middle, right):
        axis.set(xticks=[], yticks=[])
    return figure
