"""How the answers to the notebooks' exercises are read and compared.

A reader takes any answer of a learner and raises ValueError, with a line for the learner, if it is
not of the kind that the exercise asks for.
"""

import re
from typing import Any

import numpy as np

from scnlib.errors import first_line


def array(answer: Any) -> np.ndarray:
    """A number, list, tuple, set, array or tensor of numbers as an array; else ValueError."""
    try:
        answer = answer.detach().cpu() if hasattr(answer, "detach") else answer
        answer = list(answer) if isinstance(answer, set | frozenset | range) else answer
        values = np.asarray(answer)
    except Exception:
        raise ValueError("a number or a list of numbers is expected.") from None
    if values.dtype.kind == "U":
        raise ValueError("numbers are expected, not text (no quotation marks).")
    if values.dtype.kind == "b":
        raise ValueError("numbers are expected, not True and False.")
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise ValueError("a number or a list of numbers is expected.")
    return values


def number(answer: Any) -> float:
    """A single number, in any of the forms that `array` takes."""
    values = array(answer)
    if values.size != 1:
        raise ValueError("a single number is expected.")
    return float(values.item())


def integers(answer: Any) -> tuple[int, ...]:
    """Whole numbers, also where they are stored as floats."""
    values = array(answer).ravel()
    if (values != np.rint(values)).any():
        raise ValueError("whole numbers are expected.")
    return tuple(int(value) for value in values)


def integer_set(answer: Any) -> frozenset[int]:
    """Whole numbers in any order."""
    return frozenset(integers(answer))


def pair(answer: Any) -> tuple[int, ...]:
    """Two whole numbers."""
    values = integers(answer)
    if len(values) != 2:
        raise ValueError("two numbers are expected: (class, cells).")
    return values


def letter(answer: Any) -> str:
    """A letter from A to E, as text in upper or lower case."""
    if isinstance(answer, list | tuple) and len(answer) == 1:
        answer = answer[0]
    found = re.fullmatch(r"\s*([A-Ea-e])[.)]?\s*", answer) if isinstance(answer, str) else None
    if not found:
        raise ValueError('one letter from "A" to "E" is expected, in quotation marks.')
    return found[1].upper()


def trials() -> list[tuple[np.ndarray, np.ndarray]]:
    """Maps C (N, N) and predictions P (N, K) of two sizes, the rows of both summing to 1."""
    rng = np.random.default_rng(0)
    sizes = ((3, 2), (4, 3))
    return [(rng.dirichlet(np.ones(N), N), rng.dirichlet(np.ones(K), N)) for N, K in sizes]


def outputs(function: Any) -> list[np.ndarray] | None:
    """What the learner's function makes of the trials; None if it returns None."""
    if not callable(function):
        raise ValueError("give the function itself: its name, without brackets behind it.")
    found = []
    for C, P in trials():
        try:
            result = function(C.copy(), P.copy())
        except Exception as error:
            words = f"{type(error).__name__}: {first_line(error)}"
            raise ValueError(f"your function raises {words}") from None
        if result is None:
            return None
        found.append(array(result))
    return found


def misshapen(found: list[np.ndarray]) -> bool:
    """Whether any of the outputs of `outputs` has not the shape of its P."""
    return any(x.shape != P.shape for x, (_, P) in zip(found, trials(), strict=True))


def close(a: float, b: float) -> bool:
    """Equal but for rounding to two digits."""
    return abs(a - b) <= 0.005


def alike(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    """The same outputs of `outputs`, in shape and values."""
    return all(x.shape == y.shape and np.allclose(x, y) for x, y in zip(a, b, strict=True))


def matches(values: tuple[int, ...], pattern: tuple[int | None, ...]) -> bool:
    """Equal where the pattern has a number; None stands for any."""
    return all(p is None or value == p for value, p in zip(values, pattern, strict=True))
