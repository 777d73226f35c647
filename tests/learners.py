"""Answers that learners may give to the notebooks' exercises, right ones and wrong ones."""

from typing import Any

import numpy as np

from study.lessons import exercises


def loops(C, P):  # as by hand, giving nested lists
    N, K = P.shape
    return [[sum(C[i, j] * P[j, k] for j in range(N)) for k in range(K)] for i in range(N)]


def raises(C, P):
    raise RuntimeError("first line\nsecond line")


def overwrites(C, P):  # its inputs are copies: the next trial is not spoilt
    result = C @ P
    C[:], P[:] = 0, 0
    return result


ACCEPTED: dict[str, list[Any]] = {
    "scribble_share": [15, 15.0, [15], (15.0,), np.float32(15), np.array([15])],
    "slices_without_rv": [[0, 1, 5], (5, 1, 0), {0, 1, 5}, np.array([0, 1, 5]), [0.0, 1.0, 5.0]],
    "lost_strokes": [[1, 3], (3, 1), {1, 3}, np.array([1, 3], np.uint8), [1, 1, 3]],
    "propagation": [np.matmul, loops, overwrites, lambda C, P: np.einsum("ij,jk", C, P)],
    "vote": [(2, 4), [2, 4], np.array([2, 4]), (np.int64(2), np.int64(4)), (2.0, 4.0)],
    "partial_cross_entropy": [0.484, 0.48, 0.4845, [0.484], np.float64(0.48449)],
    "dice": [0.6, 6 / 10, [0.6], np.float32(0.6)],
    "holm": ["B", "b", " B. ", "b)", ["B"], np.str_("B")],
    "flooding": ["C", "c", "C.", ("C",), np.str_("c")],
}
# A common wrong answer and what its own hint speaks of.
COMMON: dict[str, list[tuple[Any, str]]] = {
    "scribble_share": [
        (0.15, "percent"),
        (6, "count"),
        (10, "background"),
        (85, "not see"),
        (95, "highest number"),
    ],
    "slices_without_rv": [
        ([1, 2, 6], "from 0"),
        ([2, 3, 4], "do show"),
        ([0, 5], "another structure"),
        ([1], "nothing at all"),
        ([0, 1, 4, 5], "only the RV"),
        ([0, 4, 5], "class 1"),
        (3, "how many"),
        ([], "there are some"),
    ],
    "lost_strokes": [
        ([0, 2], "survive"),
        ([1, 3, 4], "unlabelled is no class"),
        ([0, 1, 2, 3], "not all"),
        ([], "middle pixel"),
        ([0, 2, 4], "unlabelled among them"),
    ],
    "propagation": [
        (lambda C, P: C.T @ P, "axis"),
        (lambda C, P: np.einsum("ij,ik->jk", C, P), "axis"),
        (lambda C, P: (C @ P).T, "shape of P"),
        (lambda C, P: P.T @ C, "axis"),
        (lambda C, P: P, "unchanged"),
        (lambda C, P: C.T @ P / (C.T @ P).sum(1, keepdims=True), "scaling"),
        (lambda C, P: (C @ P).argmax(1), "probabilities"),
    ],
    "vote": [
        ((3, 4), "no vote"),
        ((0, 4), "not all of M"),
        ((4, 2), "order"),
        ((2, 9), "keep their label"),
        ((2, 3), "number of votes"),
        ((2, 6), "all of them"),
        ((2, 5), "outside the mask"),
        ((2, 1), "class is right"),
    ],
    "partial_cross_entropy": [
        (1.938, "sum"),
        (0.121, "over all"),
        (-0.484, "sign"),
        (0.699, "base 2"),
        (0.21, "base 10"),
        (0.73, "1 - p"),
        (0.424, "leaves unlabelled"),
        (0.399, "scribbled too"),
        (0.431, "logarithm first"),
    ],
    "dice": [
        (60, "percent"),
        (3 / 7, "Jaccard"),
        (0.3, "missing"),
        (0.5, "precision"),
        (0.75, "sensitivity"),
        (0.8, "accuracy"),
        (6 / 7, "overlap"),
    ],
    "holm": [("A", "column"), ("C", "how many"), ("D", "already"), ("E", "odd")],
    "flooding": [("A", "converge"), ("B", "grey"), ("D", "which class"), ("E", "spread")],
}
NUMBER, LIST = "a single number", "a number or a list of numbers"
# Of the wrong kind, and what is said about it.
UNREADABLE: dict[str, list[tuple[Any, str]]] = {
    "scribble_share": [([1, 2], NUMBER), ("15%", "not text"), (True, "True and False")],
    "slices_without_rv": [([0.5], "whole"), ([True] * 6, "True and False"), ({"a": 1}, LIST)],
    "lost_strokes": [(["RV", "LV"], "not text"), ([[1], [1, 3]], LIST), (object(), LIST)],
    "propagation": [
        (np.eye(3), "function itself"),
        ("C @ P", "function itself"),
        (raises, "raises RuntimeError: first line"),
        (lambda C: C, "raises TypeError"),
        (lambda C, P: C @ P @ P, "raises ValueError"),
        (lambda C, P: "C @ P", "not text"),
    ],
    "vote": [(2, "two numbers"), ((2, 4, 1), "two numbers"), (("MYO", 4), "not text")],
    "partial_cross_entropy": [(float("nan"), LIST), (float("inf"), LIST), (1j, LIST)],
    "dice": [([], NUMBER), (exercises.TRUTH, NUMBER), (len, LIST)],
    "holm": [("F", "one letter"), (2, "one letter"), (["A", "B"], "one letter")],
    "flooding": [("the loss", "one letter"), (3.0, "one letter"), ({"C"}, "one letter")],
}
OTHER: dict[str, list[Any]] = {
    "scribble_share": [50, -15],
    "slices_without_rv": [[0], [0, 1, 2, 3, 4, 5]],
    "lost_strokes": [[1], [3], 7],
    "propagation": [lambda C, P: C, lambda C, P: 0, lambda C, P: P @ P.T],
    "vote": [(1, 4), (1, 1), (-1, 0)],
    "partial_cross_entropy": [0, 100, 0.5],
    "dice": [0, 1, 0.65],
    "holm": [],
    "flooding": [],
}
