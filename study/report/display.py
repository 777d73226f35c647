"""What all figures share: the colours, and how a notebook shows a figure with alternative text."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from IPython.display import Markdown, display  # pyright: ignore[reportPrivateImportUsage]
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, withStroke
from PIL.Image import Image, Quantize
from PIL.Image import open as open_image

from scnlib.files import replace_bytes

# Told apart in the three kinds of colour blindness. On a white ground yellow and grey are too pale
# without a dark edge.
BACKGROUND = "#A8A8A8"  # the background's scribble
PALETTE = {"RV": "#0072B2", "MYO": "#F0E442", "LV": "#D55E00"}
COLOURS = (*PALETTE.values(), "#CC79A7", "#009E73", "#56B4E9")


def class_colours(classes: int) -> list[str]:
    """The colours of the classes 1 to classes - 1; from the seventh on they repeat."""
    return [COLOURS[k % len(COLOURS)] for k in range(classes - 1)]


def scribble_colours(classes: int) -> list[str]:
    """The colours of the classes 0 to classes - 1, of which 0 is the background."""
    return [BACKGROUND, *class_colours(classes)]


def dark_edge(width: float) -> Any:
    """Path effects: a dark edge around lines of a width in points, to be seen on every ground."""
    return [withStroke(linewidth=width + 0.9, foreground="black"), Normal()]


def plain(text: str) -> str:
    """A name from outside as a text of a figure: what stands between two $ is a formula there."""
    return text.replace("$", r"\$")


def key(
    figure: Figure,
    classes: Sequence[str],
    border: bool = True,
    shown: Iterable[int] | None = None,
    more: Sequence[Patch] = (),
) -> None:
    """A legend under a figure: the classes' colours with a dark edge, `more`, the truth's border.

    `shown` are the classes' numbers; by default all but the background.
    """
    colours = scribble_colours(len(classes))
    handles = [
        Patch(facecolor=colours[k], edgecolor="black", linewidth=0.6, label=plain(classes[k]))
        for k in (range(1, len(classes)) if shown is None else sorted(shown))
    ]
    handles += more
    if border:
        look: Any = {"edgecolor": "black", "facecolor": "none", "linewidth": 1.5}
        handles.append(Patch(**look, label="border of the truth"))
    if handles:
        columns = len(handles) if len(handles) <= 5 else (len(handles) + 1) // 2
        legend_below(figure, columns, handles=handles, fontsize=10)


def legend_below(figure: Figure, columns: int, **look: Any) -> None:
    """A legend under a figure in `columns`, or in as many fewer as its width has room for."""
    for n in range(columns, 0, -1):
        legend = figure.legend(loc="outside lower center", ncols=n, **look)
        if n == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a PNG file, or to an SVG by the path's suffix; its folder is made.

    Whole or not at all. Raises `ValueError` as `scnlib.files.replace_bytes`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, _svg(figure) if path.suffix == ".svg" else _png(figure, dpi=130))


def show(figure: Figure, alt: str, caption: str = "", photo: bool = False) -> Any:
    """Display a figure with alternative text, its caption (Markdown) under it.

    As a PNG, or as a JPEG where it is a `photo`: many images in one figure, which would make the
    executed notebook too large. Returns the handle of the figure, for `update`.
    """
    bundle = _bundle(figure, alt, photo)
    handle = display(bundle, raw=True, metadata=_alt(bundle, alt), display_id=True)
    if caption:
        display(Markdown(f"*{caption}*"))
    return handle


def update(handle: Any, figure: Figure, alt: str) -> None:
    """Put another figure in the place of one that `show` has displayed."""
    bundle = _bundle(figure, alt)
    handle.update(bundle, raw=True, metadata=_alt(bundle, alt))


def show_file(path: Path, alt: str) -> None:
    """Display a picture that `save_figure` has written, as a photo."""
    with open_image(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((1100, 2000))
    bundle = {"image/jpeg": _text(_jpeg(small)), "text/plain": alt}
    display(bundle, raw=True, metadata=_alt(bundle, alt))


def show_film(path: Path, alt: str) -> None:
    """Display a moving picture (GIF), in a form that a page made of the notebook keeps."""
    image = f'<img alt="{escape(alt)}" src="data:image/gif;base64,{_text(path.read_bytes())}">'
    display({"text/html": image, "text/plain": alt}, raw=True)


def _bundle(figure: Figure, alt: str, photo: bool = False) -> dict[str, str]:
    if not photo:
        return {"image/png": _text(_png(figure, dpi=100)), "text/plain": alt}
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=100)
    return {"image/jpeg": _text(_jpeg(open_image(png).convert("RGB"))), "text/plain": alt}


def _png(figure: Figure, dpi: int) -> bytes:
    """The figure as a PNG of 256 colours: an executed notebook has to stay below a megabyte."""
    png, small = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", dpi=dpi)
    # Not the default, median cut: on a photo it gives the rare colours of the classes away.
    few = open_image(png).convert("RGB").quantize(256, method=Quantize.FASTOCTREE)
    few.save(small, format="png", optimize=True)
    return small.getvalue()


def _svg(figure: Figure) -> bytes:
    """The figure as an SVG, its text as text and its images within; the same bytes each time."""
    svg = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "figure"}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def _jpeg(picture: Image) -> bytes:
    small = io.BytesIO()
    picture.save(small, format="jpeg", quality=60, optimize=True, progressive=True)
    return small.getvalue()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _alt(bundle: dict[str, str], alt: str) -> dict[str, dict[str, str]]:
    return {kind: {"alt": alt} for kind in bundle if kind.startswith("image/")}
