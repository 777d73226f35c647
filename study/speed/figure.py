"""The benchmarks as a picture: what a step of each method costs beside the field's plain one."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from study.report.titles import in_order, title
from study.speed.steps import PLAIN

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
    names = ["plain U-Net step" if name == PLAIN else title(name) for name in table.index]
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
    kind = "bfloat16" if content["bf16"] else "float32"
    figure.suptitle(f"A step of 12 slices on {content['machine']}, {kind}", fontsize=10)
    return figure
