"""What all figures share: the colours, and how a notebook shows a figure with alternative text."""

import base64
import io
from pathlib import Path
from typing import Any

from IPython.display import Markdown, display  # pyright: ignore[reportPrivateImportUsage]
from matplotlib.figure import Figure
from PIL.Image import open as open_image

# Told apart in the three kinds of colour blindness.
PALETTE = {"RV": "#0072B2", "MYO": "#F0E442", "LV": "#D55E00"}
COLOURS = (*PALETTE.values(), "#CC79A7", "#009E73", "#56B4E9")


def class_colours(classes: int) -> list[str]:
    """The colours of the classes 1 to classes - 1; from the seventh on they repeat."""
    return [COLOURS[k % len(COLOURS)] for k in range(classes - 1)]


def save_figure(figure: Figure, *paths: Path) -> None:
    """Write a figure to files, as the kinds that their names end in; their folders are made."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def show(figure: Figure, alt: str, caption: str = "") -> Any:
    """Display a figure as a PNG with alternative text, its caption (Markdown) under it.

    Returns the handle of the figure, for `update`.
    """
    handle = display(_bundle(figure, alt), raw=True, metadata=_alt(alt), display_id=True)
    if caption:
        display(Markdown(f"*{caption}*"))
    return handle


def update(handle: Any, figure: Figure, alt: str) -> None:
    """Put another figure in the place of one that `show` has displayed."""
    handle.update(_bundle(figure, alt), raw=True, metadata=_alt(alt))


def _bundle(figure: Figure, alt: str) -> dict[str, str]:
    png, small = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", dpi=100)
    # 256 colours: an executed notebook has to stay below a megabyte.
    open_image(png).convert("RGB").quantize(256).save(small, format="png", optimize=True)
    return {"image/png": base64.b64encode(small.getvalue()).decode(), "text/plain": alt}


def _alt(alt: str) -> dict[str, dict[str, str]]:
    return {"image/png": {"alt": alt}}
