"""Slices as a whole, predictions filled and the truth's border on them: floods can be seen."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from scnlib.data.cases import HEART
from scnlib.evaluation import dice
from scnlib.records import Record
from study.experiments import without_recipe
from study.report.display import class_colours, dark_edge, key
from study.report.figures import make_grid
from study.report.left_out import best_by_seed
from study.report.titles import ROWS, title

_NOT_RIVALS = ("pce", "scn", "cale", "full")


def best_baseline(records: Sequence[Record], dataset: str) -> str | None:
    """The rival under the shared protocol with the highest mean validation Dice over its seeds.

    No test takes part. PCE, which all build on, SCN with its parts and full supervision are none;
    nor are rows with an optimiser of their own. None without one.
    """
    rivals = {
        method: float(np.mean(list(dice.values())))
        for method in ROWS[1]
        if method not in _NOT_RIVALS and without_recipe(method) == method
        if (dice := best_by_seed(records, dataset, method, ""))
    }
    return max(rivals, key=lambda method: rivals[method]) if rivals else None


def few_methods(runs: Mapping[str, Record], records: Sequence[Record], dataset: str) -> list[str]:
    """PCE, the best baseline of all records, SCN and full supervision, of which there are runs."""
    wanted = ("pce", best_baseline(records, dataset), "scn", "full")
    return [method for method in wanted if method and method in runs]


def telling_slice(record: Record, truths: Mapping[str, np.ndarray]) -> tuple[str, int] | None:
    """The slice (volume, number from 0) at the lower quartile of a run's mean Dice.

    Of the slices that hold every structure; ties by volume and number. None if no slice does.
    """
    scores = []
    structures = range(1, 1 + max((int(t.max()) for t in truths.values()), default=0))
    for volume, truth in sorted(truths.items()):
        predicted = record.prediction(volume)
        for z in range(len(truth)):
            if set(structures) <= set(np.unique(truth[z]).tolist()):
                scores.append((slice_dice(predicted[z], truth[z]), volume, z))
    if not scores:
        return None
    _, volume, z = sorted(scores)[(len(scores) - 1) // 4]
    return volume, z


def colour_in(axes: Axes, labels: np.ndarray, alpha: float = 0.6) -> None:
    """Paint a label map (H, W) over the image in the classes' colours."""
    colours = [to_rgba("black", 0.0)]
    colours += [to_rgba(c, alpha) for c in class_colours(1 + int(labels.max()))]
    axes.imshow(np.array(colours)[labels], interpolation="nearest")


def truth_border(axes: Axes, labels: np.ndarray, style: str = "solid") -> None:
    """The borders of all classes in white with a dark edge, to be seen on every ground."""
    for k in range(1, int(labels.max()) + 1):
        if (labels == k).any():
            lines = axes.contour(
                labels == k, [0.5], colors="white", linewidths=0.6, linestyles=style
            )
            lines.set_path_effects(dark_edge(0.6))


def whole_slice(axes: Axes, image: np.ndarray | None, shape: tuple[int, ...]) -> None:
    """The image (H, W) as a ground, or a dark one where there is none."""
    ground = np.zeros(shape) if image is None else image
    axes.imshow(ground, cmap="gray", vmin=0, vmax=1)


def slice_dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Dice in percent over the structures that are in the truth of one slice (H, W)."""
    present = [k for k in np.unique(truth) if k > 0]
    pairs = [((prediction == k)[None], (truth == k)[None]) for k in present]
    return 100 * float(np.mean([dice(*pair) for pair in pairs])) if pairs else float("nan")


def glance(
    image: np.ndarray,
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    classes: Sequence[str] = HEART,
) -> Figure:
    """One row: the image, each method's prediction with its Dice on the slice, and the truth."""
    panels = {"image": None, **predictions, "truth": truth}
    wide = truth.shape[1] / truth.shape[0]
    figure, grid = make_grid(1, len(panels), 2.6, wide=wide)
    figure.set_figheight(3.8)  # titles, Dice and the key take more than a grid leaves
    for axes, (name, labels) in zip(grid[0], panels.items(), strict=True):
        whole_slice(axes, image, truth.shape)
        rival = name in predictions and name not in ("pce", "scn", "full")
        axes.set_title(title(name) + "\n(best baseline)" * rival, fontsize=12)
        if labels is not None:
            colour_in(axes, labels)
        if name in predictions:
            axes.set_xlabel(f"Dice {slice_dice(predictions[name], truth):.0f}%", fontsize=11)
    key(figure, classes, border=False)
    return figure
