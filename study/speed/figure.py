"""The benchmarks as pictures: what a step of each method costs, and how SCN's grows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from study.report.titles import in_order, title
from study.speed.steps import PLAIN

STRIDES = {4: ("#0072B2", "o"), 8: ("#D55E00", "s"), 16: ("#009E73", "D")}
SIZES = ("#9ECAE1", "#4292C6")  # the smaller image, the larger one


def step_costs(content: Mapping[str, Any]) -> pd.DataFrame:
    """Least seconds of a step: a row a method, the plain step first, a column an image size."""
    rows = [row for row in content["benchmarks"] if row["name"].startswith("step[")]
    table = pd.DataFrame(rows, columns=["method", "size", "least_s"])
    table = table.pivot(index="method", columns="size", values="least_s")
    there = set(table.index)
    return table.reindex([*sorted(there & {PLAIN}), *in_order(there - {PLAIN})])


def draw_steps(content: Mapping[str, Any]) -> Figure:
    """A panel an image size: a bar a method, its seconds, and how many of PCE's steps that is.

    content: what `python -m study.speed` writes; without PCE there are seconds alone.
    """
    table = step_costs(content)
    figure = Figure(figsize=(9, 1.2 + 0.3 * len(table)), layout="constrained")
    panels: Any = figure.subplots(1, len(table.columns), sharey=True, squeeze=False)
    names = ["plain U-Net step (float32)" if name == PLAIN else title(name) for name in table.index]
    for axes, size, colour in zip(panels[0], table.columns, SIZES, strict=False):
        seconds = table[size].astype(float)
        axes.barh(range(len(table)), seconds, color=colour, height=0.7)
        base = seconds.get("pce", float("nan"))
        for y, cost in enumerate(seconds):
            beside = f" ({cost / base:.2f})" if cost / base > 0 else ""
            axes.text(cost, y, f" {cost:.2f} s{beside}", va="center", fontsize=8)
        axes.set(title=f"{size} x {size}", xlim=(0, 1.4 * seconds.max()))
        axes.set_xlabel("seconds a step (in steps of PCE)")
        axes.set_yticks(range(len(table)), names)
        axes.grid(axis="x", alpha=0.3)
    panels[0][0].invert_yaxis()
    _headed(figure, "A step of 12 slices on", content)
    return figure


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """p of the least-squares fit values ~ (number of pixels)^p; 1 is in proportion."""
    slope, _ = np.polyfit(2 * np.log(sizes), np.log(values), 1)
    return float(slope)


def growth_costs(content: Mapping[str, Any]) -> pd.DataFrame:
    """SCN's steps by image size and stride of its map: size, stride, step_s, peak_memory_mb."""
    rows = [row for row in content["benchmarks"] if row["name"].startswith("growth[")]
    columns = ["size", "stride", "step_s", "peak_memory_mb"]
    return pd.DataFrame(rows, columns=columns).sort_values(["stride", "size"], ignore_index=True)


def draw_growth(content: Mapping[str, Any]) -> Figure:
    """Seconds of a step of SCN, and its peak memory, against the image's side; a line a stride.

    The key has each line's fitted exponent (`exponent`). content: as in `draw_steps`.
    """
    table = growth_costs(content)
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    panels: Any = figure.subplots(1, 2)
    quantities = {"step_s": "seconds a step", "peak_memory_mb": "peak memory (MB)"}
    for axes, (column, label) in zip(panels, quantities.items(), strict=True):
        for stride, rows in table.groupby("stride"):
            sizes, values = rows["size"].tolist(), rows[column].tolist()
            colour, mark = STRIDES[int(str(stride))]
            power = f"stride {stride}: (side²)^{exponent(sizes, values):.2f}"
            axes.plot(sizes, values, color=colour, marker=mark, label=power)
        axes.set(xscale="log", yscale="log", xlabel="side of the image (pixels)", ylabel=label)
        ticks = sorted(set(table["size"]))
        axes.set_xticks(ticks, [str(size) for size in ticks])
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    _headed(figure, "SCN, 12 slices, on", content)
    return figure


def _headed(figure: Figure, what: str, content: Mapping[str, Any]) -> None:
    kind = "bfloat16" if content["bf16"] else "float32"
    figure.suptitle(f"{what} {content['machine']}, {kind}", fontsize=10)
