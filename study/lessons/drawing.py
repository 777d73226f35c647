"""The pad of notebook 06: draw strokes on phantom slices, press Train, see what was learnt.

Its page is `drawing.js`; `strokes` checks and keeps what was drawn as a `Drawing`, and `learning`
does the training. Where no kernel runs, a picture stands for the pad.
"""

import base64
import io
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from matplotlib.figure import Figure

from study.beside import repeated
from study.lessons.learning import SEEDS, draw_learnt, learn
from study.lessons.strokes import Drawing, empty, phantom_slices, read_drawing, recorded
from study.report.display import scribble_colours
from study.report.figures import make_grid

BEAT = 1.0  # seconds; the page waits four of them before it says that the kernel is silent
ALT = "The six phantom slices to draw on: short-axis views of a heart in a chest."


class Pad(anywidget.AnyWidget):
    """The widget. `.strokes` is what was drawn, or the recorded strokes if nothing was."""

    _esm = Path(__file__).with_name("drawing.js")
    images = traitlets.Bytes().tag(sync=True)  # (slices, H, W) uint8
    shape = traitlets.List().tag(sync=True)  # H, W
    names = traitlets.List().tag(sync=True)
    classes = traitlets.List().tag(sync=True)
    colours = traitlets.List().tag(sync=True)
    heard = traitlets.Int(0).tag(sync=True)  # drawings that have arrived here, right or wrong
    drawing = traitlets.Unicode().tag(sync=True)  # JSON of a Drawing
    wanted = traitlets.Int(0).tag(sync=True)  # how often Train was pressed
    busy = traitlets.Bool(False).tag(sync=True)
    beat = traitlets.Int(0).tag(sync=True)  # one more every BEAT seconds of a training
    status = traitlets.Unicode().tag(sync=True)
    result = traitlets.Bytes().tag(sync=True)  # PNG
    result_alt = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        cases = phantom_slices()
        images = np.concatenate([case.image for case in cases])
        super().__init__(
            images=np.rint(images * 255).astype(np.uint8).tobytes(),
            shape=list(images.shape[1:]),
            names=[case.volume for case in cases],
            classes=list(cases[0].classes),
            colours=scribble_colours(len(cases[0].classes)),
            drawing=empty().to_json(),
        )
        self.observe(self._check, "drawing")
        self.observe(self._train, "wanted")

    @property
    def strokes(self) -> Drawing:
        """What was drawn; the recorded strokes if nothing was."""
        drawn = read_drawing(self.drawing)
        return drawn if drawn.count else recorded()

    def _check(self, change: Any) -> None:
        self.heard += 1
        try:
            read_drawing(change["new"], "this file")
        except ValueError as error:
            self.drawing = change["old"]
            self.status = ""  # or the same words again would not be sent
            self.status = str(error)

    def _train(self, change: Any) -> None:
        def report(text: str) -> None:
            self.status = text

        self.busy, self.status = True, ""
        seed = SEEDS[(change["new"] - 1) % len(SEEDS)]  # another at each press: chance is seen
        try:
            with repeated(self._beat, BEAT):
                learnt = learn(self.strokes, report=report, seed=seed)
        except ValueError as error:
            self.status = str(error)
        else:
            means = ", ".join(
                f"{method} {100 * mean:.0f}%"
                for (method, where), mean in learnt.scores["mean"].items()  # pyright: ignore
                if where == "drawn on"
            )
            self.result_alt = f"Strokes, predictions and truth for each slice; mean Dice: {means}"
            self.result = _png(draw_learnt(learnt))
            self.status = (
                f"Done in {learnt.seconds:.0f} s. Mean Dice on these slices: {means} (seed {seed})."
            )
        finally:
            self.busy = False

    def _beat(self) -> None:
        """A sign of life while the kernel trains, which may be silent for longer than BEAT."""
        self.beat += 1

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        png = base64.b64encode(_png(draw_slices())).decode()
        data = {**data, "image/png": png, "text/plain": ALT}
        return data, {**metadata, "image/png": {"alt": ALT}}


def draw_slices() -> Figure:
    """The slices that the pad offers, side by side."""
    cases = phantom_slices()
    figure, grid = make_grid(1, len(cases), 1.6)
    for axes, case in zip(grid[0], cases, strict=True):
        axes.imshow(case.image[0], cmap="gray", vmin=0, vmax=1)
        axes.set_title(case.volume, fontsize=7)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
