"""The one writer of small Markdown tables."""

import pytest

from study.report.markdown import table


def test_a_table_is_its_head_a_rule_and_its_rows():
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_numbers_stand_at_the_right():
    assert table(("a", "b", "c"), [], numbers=True) == "| a | b | c |\n| --- | ---: | ---: |"


def test_a_row_with_a_cell_too_few_is_refused():
    with pytest.raises(ValueError, match=r"the row \['1'\] has 1 cells, not 2"):
        table(("a", "b"), [("1",)])
