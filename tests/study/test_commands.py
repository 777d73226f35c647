"""What the study's commands share."""

from unittest import mock

import pytest

from study.commands import described, exit_code


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (None, 0, ""),
        (ValueError("x: wrong"), 1, "error: x: wrong\n"),
        (OSError("x: not there"), 1, "error: x: not there\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_an_end_is_one_line_and_a_code(error, code, told, capsys) -> None:
    assert exit_code(mock.Mock(side_effect=error)) == code
    assert capsys.readouterr() == ("", told)


def test_help_has_the_docstrings_first_line_above_the_options_and_the_rest_below_once() -> None:
    told = described("python -m x", "What x does.\n\nAnd how,\n    in detail.\n").format_help()
    assert [told.count(line) for line in ("What x does.", "And how,\n    in detail.")] == [1, 1]
    assert told.index("What x does.") < told.index("--help") < told.index("And how,")
    assert "None" not in described("x", None).format_help()  # as under python -OO
