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
    "best_weights": [1000, 1000.0, [1000], np.int64(1000)],
    "passes": [40, 40.0, (40,), np.float32(40)],
    "dice": [0.6, 6 / 10, [0.6], np.float32(0.6)],
    "holm": ["B", "b", " B. ", "b)", ["B"], np.str_("B")],
    "flooding": ["C", "c", "C.", ("C",), np.str_("c")],
    "beyond_chance": [[3, 4], {4, 3}, (3.0, 4.0), np.array([4, 3])],
    "coarse_cells": [4 / 7, 0.57, 0.571, [0.5714]],
    "seen_flood": [2, 2.0, [2], np.int64(2)],
    "next_stroke": [6, 6.0, (6,), np.int64(6)],
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
        (lambda C, P: C, "shape of P"),
        (lambda C, P: 0, "shape of P"),
        (lambda C, P: P @ P.T, "shape of P"),
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
    "best_weights": [
        (2000, "too long"),
        (1500, "chooses by the test"),
        (78, "a score"),
        (0.12, "a loss"),
        (1, "number of its row"),
    ],
    "passes": [
        (3.33, "more than one slice"),
        (36000, "share it out"),
        (250, "factor"),
        (75, "each slice once"),
        (0.025, "other way round"),
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
    "beyond_chance": [
        ([1, 4], "by whatever amount"),
        ([4], "a loss can"),
        ([3], "a gain can"),
        ([2, 3, 4, 5], "not in the range's middle"),
        ([1, 2, 3, 4, 5], "even the smallest"),
        ([1, 2, 5], "could make"),
        ([], "are larger"),
    ],
    "coarse_cells": [
        (57.14, "percent"),
        (1, "one class for all"),
        (0.5, "that stays"),
        (0.667, "called MYO"),
        (0.833, "wider than a cell"),
        (0.778, "over all classes"),
        (0.4, "Jaccard"),
        (0, "anything else"),
    ],
    "seen_flood": [
        (23, "all that are wrong"),
        (16, "all that are scribbled"),
        (12, "all of the background's"),
        (21, "does not see"),
        (0, "right end"),
    ],
    "next_stroke": [
        (7, "from 0"),
        (8, "how many pixels"),
        (2, "over the heart"),
        (3, "over the heart"),
        (0, "nothing new"),
        (1, "another row"),
        (5, "another row"),
    ],
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
    "best_weights": [("the best", "not text"), ([500, 1000], NUMBER), (None.__class__, LIST)],
    "passes": [("40 times", "not text"), ([], NUMBER), (True, "True and False")],
    "beyond_chance": [("3, 4", "not text"), ([2.5], "whole"), ({"3": 4}, LIST)],
    "coarse_cells": [(exercises.LINE, NUMBER), ("4/7", "not text"), (float("nan"), LIST)],
    "seen_flood": [
        ([1, 5], NUMBER),
        ("two", "not text"),
        (exercises.FLOODED, NUMBER),
    ],
    "next_stroke": [("the last", "not text"), ([5, 6], NUMBER), (1j, LIST)],
}
OTHER: dict[str, list[Any]] = {
    "scribble_share": [50, -15],
    "slices_without_rv": [[0], [0, 1, 2, 3, 4, 5]],
    "lost_strokes": [[1], [3], 7],
    "propagation": [lambda C, P: C @ P / 2, lambda C, P: C.diagonal()[:, None] * P],
    "vote": [(1, 4), (1, 1), (-1, 0)],
    "partial_cross_entropy": [0, 100, 0.5],
    "dice": [0, 1, 0.65],
    "holm": [],
    "flooding": [],
    "best_weights": [500, 250, -1],
    "passes": [0, 41, 900],
    "beyond_chance": [[2, 4], [1], 9],
    "coarse_cells": [0.3, -1],
    "seen_flood": [1, 3],
    "next_stroke": [-1, 20, 5.5],
}
