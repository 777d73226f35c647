"""The methods by name. A new one costs a file and a line here."""

from scnlib.methods.base import Batch, Method, Now
from scnlib.methods.cale import CALE
from scnlib.methods.dmpls import DMPLS
from scnlib.methods.fddseg import Fddseg
from scnlib.methods.full import Full
from scnlib.methods.meloss import MELoss
from scnlib.methods.mloss import MLoss
from scnlib.methods.pce import PCE
from scnlib.methods.rloss import RLoss
from scnlib.methods.s2l import S2L
from scnlib.methods.scn import SCN
from scnlib.methods.ustm import USTM

# Their titles are in `study.report.titles`; a row of `scnlib.config.RECIPES` is its method by SGD.
METHODS: dict[str, type[Method]] = {
    "pce": PCE,
    "s2l": S2L,
    "mloss": MLoss,
    "rloss": RLoss,
    "meloss": MELoss,
    "ustm": USTM,
    "dmpls": DMPLS,
    "dmpls_sgd": DMPLS,
    "fddseg": Fddseg,
    "fddseg_sgd": Fddseg,
    "cale": CALE,
    "scn": SCN,
    "full": Full,
}

__all__ = ["METHODS", "Batch", "Method", "Now", "get_method"]


def get_method(name: str) -> type[Method]:
    """The method class called `name`; `ValueError` lists the names that exist."""
    if name not in METHODS:
        raise ValueError(f"unknown method {name!r}: choose one of {', '.join(METHODS)}")
    return METHODS[name]
