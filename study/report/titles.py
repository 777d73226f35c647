"""Which methods stand in which table, in which order and under which title."""

from collections.abc import Collection

from study.experiments import RECIPES, without_recipe

# Method name: (our title, the paper's row). The paper has no row of full supervision and none of
# the study's own rivals. Where a method has a recipe of its own (`study.experiments.RECIPES`),
# that row is the paper's; the one under the shared recipe is a footnote.
TITLES: dict[str, tuple[str, str]] = {
    "pce": ("PCE", "PCE"),
    "s2l": ("S2L", "S2I"),
    "mloss": ("MLoss", "MLoss"),
    "rloss_sgd": ("RLoss", "RLoss"),
    "meloss_sgd": ("MELoss", "MELoss"),
    "ustm": ("USTM", "USTM"),
    "dmpls_sgd": ("DMPLS", "DMPLS"),
    "fddseg": ("Fddseg", "Fddseg"),
    "cale": ("PCE+CALE", "PCE+CALE"),
    "scn": ("SCN", "ours"),
    "full": ("Full supervision", ""),
    "box": ("PCE+box", ""),
    "scn_box": ("SCN+box", ""),
    "rloss": ("RLoss (Adam)", ""),
    "meloss": ("MELoss (Adam)", ""),
    "dmpls": ("DMPLS (Adam)", ""),
}
_RIVALS = ("pce", "s2l", "mloss", "rloss_sgd", "meloss_sgd", "ustm", "dmpls_sgd", "fddseg")
ROWS = {1: (*_RIVALS, "scn", "full"), 2: (*_RIVALS, "scn"), 3: ("pce", "cale", "scn")}
# Rows that the paper has not and that stand last in Tables 1 and 2, where they were run.
SHARED = tuple(without_recipe(method) for method in RECIPES)  # the footnotes
OWN_RIVALS = ("box", "scn_box")
BESIDE = (*OWN_RIVALS, *SHARED)
DATASETS = {1: "acdc", 2: "mscmr", 3: "acdc"}
OF_RIVALS = ((1, "acdc"), (2, "mscmr"))  # the tables that compare methods, and their data sets
NAMES = {"acdc": "ACDC", "mscmr": "MSCMR", "phantom": "the phantom"}
STRUCTURES = ("RV", "MYO", "LV", "Mean")


def check_number(number: int) -> None:
    """ValueError unless it is the number of one of the paper's tables."""
    if number not in ROWS:
        raise ValueError(f"the paper has tables 1, 2 and 3, not {number}")


def title(method: str) -> str:
    """The study's title of a method; one that a user added has its name."""
    return TITLES[method][0] if method in TITLES else method


def plain_title(method: str) -> str:
    """The title without the optimiser that a footnote's row has in brackets."""
    return title(method).removesuffix(" (Adam)")


def data_title(dataset: str) -> str:
    """The study's title of a data set; one of the user's own has its name."""
    return NAMES.get(dataset, dataset)


def in_order(methods: Collection[str]) -> list[str]:
    """Each method once, in the tables' order; those that a user added come last, by name."""
    return [m for m in TITLES if m in methods] + sorted(set(methods) - set(TITLES))


def row_title(number: int, method: str) -> str:
    """Our title of a method's row; in the ablation (Table 3) SCN has the name of its parts."""
    return "PCE+CALE+CACL" if (number, method) == (3, "scn") else title(method)


def paper_row(number: int, method: str) -> str:
    """The paper's name of a method's row in that table, "" if it has none."""
    if (number, method) == (3, "scn"):
        return "PCE+CALE+CACL"
    return TITLES[method][1] if method in TITLES else ""


def in_print(method: str, dataset: str) -> bool:
    """Whether the paper has a row of the method on a data set, or, of another than its own, on any.

    It has none of what a user added, nor PCE+CALE on MSCMR.
    """
    tables = [number for number, name in DATASETS.items() if name == dataset] or list(ROWS)
    return any(method in ROWS[number] and paper_row(number, method) for number in tables)
