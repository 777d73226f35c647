"""What the study's commands share."""

from unittest import mock

import pytest

from study.commands import exit_code


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
