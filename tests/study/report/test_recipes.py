"""Runs by the SGD of public code, each beside the same run by Adam."""

from study.report.recipes import by_panel, sgd_pairs, sgd_table, sgd_told
from tests.study.report.test_claims import validated

ADAM = [validated("pce", 0.6, ""), validated("rloss", 0.5, ""), validated("dmpls", 0.2, "")]
SGD = [
    validated("dmpls_sgd", 0.8, ""),
    validated("pce", 0.7, "sgd"),
    validated("rloss_sgd", 0.75, ""),
]


def test_a_run_by_sgd_stands_beside_the_one_by_adam_of_the_same_seed() -> None:
    found = sgd_pairs([*ADAM, SGD[0], SGD[2]], [SGD[1]])
    assert [(own.run.method, shared.run.method) for own, shared in found] == [
        ("pce", "pce"),
        ("rloss_sgd", "rloss"),
        ("dmpls_sgd", "dmpls"),
    ]
    assert sgd_told(found).startswith(
        "PCE on ACDC 70.00% (SGD at 0.03) instead of 60.00% (seed 0); "
    )
    assert "| RLoss | ACDC | 0 | 0.03 | 50.00 | 75.00 | +25.00 |" in sgd_table(found)
    ((by_sgd, by_adam),) = by_panel(found).values()
    assert list(by_sgd) == list(by_adam) == ["PCE, seed 0", "RLoss, seed 0", "DMPLS, seed 0"]
    assert by_adam["RLoss, seed 0"] is ADAM[1] and by_sgd["RLoss, seed 0"] is SGD[2]


def test_another_seed_and_another_set_are_no_pair() -> None:
    other = validated("rloss_sgd", 0.75, "")
    other.run.seed = 1
    assert sgd_pairs([*ADAM, other], []) == []
    assert sgd_told([]) == sgd_table([]) == "" and by_panel([]) == {}


def test_a_row_of_the_tables_comes_before_the_variant_that_is_the_same_run() -> None:
    variant = validated("rloss", 0.7, "sgd001")
    ((own, _),) = sgd_pairs([ADAM[1], SGD[2]], [variant])
    assert own is SGD[2]
    assert (
        sgd_pairs([ADAM[1]], [validated("rloss", 0.9, "sgd001+background"), variant])[0][0]
        is variant
    )
    assert sgd_told(sgd_pairs([ADAM[1]], [variant])).startswith(
        "RLoss on ACDC 70.00% (SGD at 0.01)"
    )
