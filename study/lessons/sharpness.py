"""Does training make the rows of C sharper? Notebook 02b's answers in words, from the numbers.

A row's peak is its largest value: 1 / N in a uniform row, 1 in one that is a single cell.
"""

from collections.abc import Sequence

from torch import Tensor

from scnlib.propagation import shape_masks
from study.lessons.walkthrough import Maps


def peaks(maps: Maps) -> Tensor:
    """The largest value of each row of C, (N,)."""
    return maps.C.max(dim=1).values


def told_rows(both: Sequence[Maps], cells: dict[str, int]) -> str:
    """Markdown: how sharp the rows are, and after training which are sharper and which are not.

    `both` are one or two networks' maps, in their order; `cells` the rows of the figure by name.
    """
    first, last = peaks(both[0]), peaks(both[-1])
    uniform = f"a uniform row has {1 / len(first):.4f}"
    if len(both) == 1:
        return f"A row's largest value is **{first.mean():.2f}** on average; {uniform}."
    up, down = int((last > first).sum()), int((last < first).sum())
    text = (
        f"A row's largest value goes from {first.mean():.2f} to **{last.mean():.2f}** on average "
        f"({uniform}): it rises in {up} of {len(first)} rows and falls in {down}. "
    )
    # As the figure writes them, so that 0.94 is not said to rise to 0.94.
    shown = {n: (round(float(first[c]), 2), round(float(last[c]), 2)) for n, c in cells.items()}
    sharper = [_moved(name, *pair) for name, pair in shown.items() if pair[1] > pair[0]]
    others = [_moved(name, *pair) for name, pair in shown.items() if pair[1] <= pair[0]]
    text += f"Of the rows above training sharpens {_listed(sharper)}"
    return text + (f", and does not sharpen {_listed(others)}." if others else ".")


def told_masks(both: Sequence[Maps], threshold: float) -> str:
    """Markdown: how many cells the networks' masks hold on average, and how many only one."""
    told = []
    for maps in both:
        sizes = shape_masks(maps.C[None], threshold)[0].sum(dim=1)
        told.append(
            f"{maps.title} **{sizes.float().mean():.1f}** of {len(sizes)} cells, "
            f"{int((sizes == 1).sum())} masks of one cell alone"
        )
    return "Masks hold on average: " + "; ".join(told) + "."


def _moved(name: str, before: float, after: float) -> str:
    return f"{name}'s ({before:.2f} to {after:.2f})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"
