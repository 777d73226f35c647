"""What the paper states of its training (section 4.3), and which of it each profile keeps."""

from collections.abc import Callable

from scnlib.config import Profile, SCNOptions
from study.experiments import PROFILES
from study.report import markdown

SIDE_BY_SIDE = ("cpu", "night", "paper")
OPTIONS = SCNOptions()
LAMBDAS = (OPTIONS.lambda1, OPTIONS.lambda2, OPTIONS.lambda3, OPTIONS.lambda4)
# What is stated, and a profile's own.
STATED: dict[str, tuple[str, Callable[[Profile], str]]] = {
    "image": ("256 x 256", lambda one: f"{one.size} x {one.size}"),
    "batch": ("24", lambda one: str(one.batch)),
    "iterations": ("30,000", lambda one: f"{one.iterations:,}"),
    "optimiser": ("Adam", lambda one: one.optimiser.capitalize()),
    "learning rate": ("0.001, StepLR", lambda one: f"{one.lr:g}, {_SCHEDULE[one.schedule]}"),
    "weights of PCE, PAP, RSR, CACL": ("1, 0.3, 0.25, 0.1", lambda _: _listed(LAMBDAS)),
    "tau's first value": ("0.85", lambda _: f"{OPTIONS.tau:g}"),
    "backbone": (
        "each method's own",
        lambda _: "one U-Net for all (DMPLS: two decoders; Fddseg: two of it)",
    ),
}
_SCHEDULE = {"step": "StepLR", "poly": "polynomial decay"}


def stated_table() -> str:
    """A row of Markdown for each statement, a column for each profile of `SIDE_BY_SIDE`."""
    profiles = [PROFILES[name] for name in SIDE_BY_SIDE]
    rows = [(what, said, *map(own, profiles)) for what, (said, own) in STATED.items()]
    return markdown.table(("", "the paper", *(f"`{name}`" for name in SIDE_BY_SIDE)), rows)


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
