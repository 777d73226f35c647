"""Errors in one line."""

import pytest

from scnlib.errors import first_line, one_line


@pytest.mark.parametrize(
    ("error", "whole", "first"),
    [
        (ValueError("a: wrong"), "a: wrong", "a: wrong"),
        (ValueError("\n  one\ntwo\t three\n"), "one two three", "one"),
        (EOFError(), "", "EOFError"),
        ("  text\n", "text", "text"),
    ],
)
def test_an_error_is_one_line(error: object, whole: str, first: str) -> None:
    assert one_line(error) == whole
    assert first_line(error) == first
