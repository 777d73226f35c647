"""Tables as Markdown without padding, for the pages that the study writes of itself.

pandas' `to_markdown` pads each column to its longest cell, which would double the README's length.
"""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False) -> str:
    """Lines of a Markdown table; with `numbers` all columns but the first stand at the right.

    Raises `ValueError` for a row that has not a cell for each column.
    """
    rules = ["---"] + ["---:" if numbers else "---"] * (len(head) - 1)
    lines = [list(head), rules, *(list(row) for row in rows)]
    if wrong := [line for line in lines if len(line) != len(head)]:
        raise ValueError(f"the row {wrong[0]} has {len(wrong[0])} cells, not {len(head)}")
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def numbered(texts: Sequence[str]) -> str:
    """A numbered list in Markdown."""
    return "\n".join(f"{i}. {text}" for i, text in enumerate(texts, 1))
