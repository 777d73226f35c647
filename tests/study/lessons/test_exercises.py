"""The notebooks' exercises: what is right, what is not yet, and that their solutions pass."""

import ast
import re
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest

from scnlib.paths import REPOSITORY
from study.lessons import answers, exercises
from study.lessons.exercises import EXERCISES, NOT_ATTEMPTED, NOT_YET, RIGHT, verdict
from tests.learners import ACCEPTED, COMMON, OTHER, UNREADABLE

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def pairs(table: dict[str, list[Any]]) -> list[Any]:
    rows = [(name, row) for name, column in table.items() for row in column]
    return [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(rows)]


TRIED = {name: [wrong for wrong, _ in COMMON[name]] + OTHER[name] for name in EXERCISES}


def test_every_exercise_is_tried() -> None:
    for table in (ACCEPTED, COMMON, UNREADABLE, OTHER):
        assert set(table) == set(EXERCISES)
    for name in EXERCISES:
        assert len(COMMON[name]) + len(UNREADABLE[name]) + len(OTHER[name]) >= 5
        hints = [hint for _, hint in EXERCISES[name].wrong]
        assert len(COMMON[name]) >= len(hints)  # each hint is shown by some answer below


@pytest.mark.parametrize("name", EXERCISES)
def test_what_is_empty_is_not_attempted(name: str) -> None:
    for empty in (None, "", "  ", ...):
        assert verdict(name, empty) == NOT_ATTEMPTED


def test_a_function_that_returns_none_is_not_attempted() -> None:
    assert verdict("propagation", lambda C, P: None) == NOT_ATTEMPTED


@pytest.mark.parametrize("name, answer", pairs(ACCEPTED))
def test_right_answers_pass_in_every_form(name: str, answer: Any) -> None:
    assert verdict(name, answer) == RIGHT


@pytest.mark.parametrize("name, row", pairs(COMMON))
def test_common_wrong_answers_get_their_own_hint(name: str, row: tuple[Any, str]) -> None:
    said = verdict(name, row[0])
    assert said.startswith(NOT_YET)
    assert row[1] in said
    assert EXERCISES[name].hint not in said


@pytest.mark.parametrize("name", EXERCISES)
def test_every_prepared_hint_is_reached(name: str) -> None:
    said = {verdict(name, answer).removeprefix(NOT_YET) for answer, _ in COMMON[name]}
    assert said == {hint for _, hint in EXERCISES[name].wrong}


@pytest.mark.parametrize("name, answer", pairs({"propagation": TRIED["propagation"]}))
def test_a_hint_speaks_of_the_shape_where_the_shape_is_wrong_alone(name: str, answer: Any) -> None:
    found = answers.outputs(answer)
    assert found is not None
    right = all(x.shape == P.shape for x, (_, P) in zip(found, answers.trials(), strict=True))
    assert not (right and "shape" in verdict(name, answer))


@pytest.mark.parametrize("name, answer", pairs(OTHER))
def test_other_wrong_answers_get_the_general_hint(name: str, answer: Any) -> None:
    assert verdict(name, answer) == NOT_YET + EXERCISES[name].hint


@pytest.mark.parametrize("name, row", pairs(UNREADABLE))
def test_answers_of_a_wrong_kind_are_told_the_kind(name: str, row: tuple[Any, str]) -> None:
    said = verdict(name, row[0])
    assert said.startswith(NOT_YET)
    assert row[1] in said
    assert "\n" not in said


@pytest.mark.parametrize("name", EXERCISES)
def test_nothing_makes_a_check_raise(name: str) -> None:
    class Hostile:
        def __array__(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("no array")

        def detach(self) -> Any:
            raise RuntimeError("no tensor")

    for odd in (Hostile(), {}, b"C", [None], 10**400, SimpleNamespace(), int, {1: 2}, [[]]):
        assert verdict(name, odd).startswith(NOT_YET), odd


@pytest.mark.parametrize("name", EXERCISES)
def test_hints_do_not_give_the_answer_away(name: str) -> None:
    right = EXERCISES[name].right
    hints = [hint for _, hint in EXERCISES[name].wrong] + [EXERCISES[name].hint]
    for hint in hints:
        if isinstance(right, str):
            assert not re.search(rf"\b{right}\b", hint)
        elif isinstance(right, int | float):
            assert not any(abs(float(n) - right) < 0.01 for n in re.findall(r"\d+\.?\d*", hint))
        elif isinstance(right, frozenset | tuple):
            named = {int(n) for n in re.findall(r"\d+", hint)}
            assert not set(right) <= named
        else:
            assert "C @ P" not in hint


def test_tensors_are_taken_and_the_package_agrees() -> None:
    import torch

    from scnlib.correlation import propagate
    from scnlib.data.resize import resize_scribble
    from scnlib.losses import partial_cross_entropy
    from scnlib.propagation import refine

    assert verdict("scribble_share", torch.tensor(15)) == RIGHT
    assert verdict("dice", torch.tensor(0.6, requires_grad=True)) == RIGHT
    assert verdict("slices_without_rv", torch.tensor([0, 1, 5])) == RIGHT

    p = torch.tensor(exercises.LV_PROBABILITY)
    logits, y = torch.stack([1 - p, p]).log()[None], torch.tensor(exercises.LV_SCRIBBLE)[None]
    assert verdict("partial_cross_entropy", partial_cross_entropy(logits, y)) == RIGHT

    def by_package(C: np.ndarray, P: np.ndarray) -> torch.Tensor:
        grid = torch.tensor(P.T[None, :, None])  # (1, K, 1, N)
        return propagate(torch.tensor(C[None]), grid)[0, :, 0].T

    assert verdict("propagation", by_package) == RIGHT

    strokes = exercises.STROKES[None].astype(np.uint8)
    nearest = resize_scribble(strokes, 2, unlabelled=4, rule="nearest")
    assert verdict("lost_strokes", set(np.unique(strokes)) - set(np.unique(nearest))) == RIGHT
    keep = resize_scribble(strokes, 2, unlabelled=4, rule="keep")
    assert set(np.unique(keep)) == {0, 1, 2, 3}

    grids = (exercises.VOTE_LABELS, exercises.VOTE_TRUSTED, exercises.VOTE_MASK)
    labels, trusted, mask = (torch.tensor(x).reshape(1, 16) for x in grids)
    new, after = refine(labels, trusted, mask[:, None])
    added = after & ~trusted
    assert len(new[added].unique()) == 1
    assert verdict("vote", (new[added][0], added.sum())) == RIGHT


def test_the_trials_of_a_function_have_rows_of_sum_one_and_two_sizes() -> None:
    trials = answers.trials()
    assert len({C.shape for C, _ in trials}) == 2
    for C, P in trials:
        assert np.allclose(C.sum(1), 1) and np.allclose(P.sum(1), 1)
        assert not np.allclose(C.sum(0), 1)  # the wrong axis shows


def test_an_unknown_exercise_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'dise'.* dice"):
        verdict("dise", 1)


def calls(book: Any) -> list[tuple[int, str, str]]:
    """Each call of check in a notebook: the cell's number, the exercise, the answer's variable."""
    found = []
    for i, cell in enumerate(book.cells):
        if cell.cell_type == "code" and "exercises.check(" in cell.source:
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "exercises.check":
                    name, variable = node.args
                    assert isinstance(name, ast.Constant) and isinstance(variable, ast.Name)
                    found.append((i, str(name.value), variable.id))
    return found


FOLD = re.compile(r"<details><summary>Solution</summary>\n\n(.+?)\n\n</details>", re.DOTALL)
CODE = re.compile(r"```python\n(.+?)```", re.DOTALL)
BOOKS = {path.name: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
WITH = [name for name, book in BOOKS.items() if calls(book)]


def test_every_exercise_is_in_exactly_one_notebook() -> None:
    used = [name for book in BOOKS.values() for _, name, _ in calls(book)]
    assert sorted(used) == sorted(EXERCISES)
    # By the notebooks' numbers: 04 and 04b are one lesson.
    lessons = {book[:2]: 0 for book in WITH}
    for book in WITH:
        lessons[book[:2]] += len(calls(BOOKS[book]))
    assert all(2 <= count <= 4 for count in lessons.values())


@pytest.mark.parametrize("book", WITH)
def test_the_folded_solutions_pass_their_checks(book: str) -> None:
    folds = [fold for cell in BOOKS[book].cells for fold in FOLD.findall(cell.source)]
    found = calls(BOOKS[book])
    assert len(folds) == len(found) == sum(c.source.count("<details>") for c in BOOKS[book].cells)
    for fold, (_, name, variable) in zip(folds, found, strict=True):
        (code,) = CODE.findall(fold)
        space: dict[str, Any] = {"exercises": exercises}
        exec(code, space)
        assert verdict(name, space[variable]) == RIGHT


@pytest.mark.parametrize("book", WITH)
def test_as_committed_every_exercise_runs_and_is_not_attempted(
    book: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.report.statistics import holm

    shown: list[str] = []
    monkeypatch.setattr(exercises, "display", lambda text: shown.append(text.data))
    space: dict[str, Any] = {"exercises": exercises, "holm": holm}
    cells = [c for c in BOOKS[book].cells if c.cell_type == "code" and c.id.startswith("ex-")]
    for cell in cells:
        exec(cell.source, space)
    assert shown == [f"`{name}`: {NOT_ATTEMPTED}" for _, name, _ in calls(BOOKS[book])]
    imports = "\n".join(
        c.source for c in BOOKS[book].cells if "from study.lessons import" in c.source
    )
    assert "exercises" in imports
