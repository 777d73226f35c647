"""The methods by name. A new one costs a file and a line here."""

from importlib import import_module

from scnlib.methods.base import Batch, Method, Now

# Name: the file here, and the class in it. A row of `study.experiments.RECIPES` is by SGD.
METHODS = {
    "pce": "pce.PCE",
    "s2l": "s2l.S2L",
    "mloss": "mloss.MLoss",
    "rloss": "rloss.RLoss",
    "rloss_sgd": "rloss.RLoss",
    "meloss": "meloss.MELoss",
    "meloss_sgd": "meloss.MELoss",
    "ustm": "ustm.USTM",
    "dmpls": "dmpls.DMPLS",
    "dmpls_sgd": "dmpls.DMPLS",
    "fddseg": "fddseg.Fddseg",
    "fddseg_sgd": "fddseg.Fddseg",
    "box": "box.Box",
    "cale": "cale.CALE",
    "scn": "scn.SCN",
    "scn_box": "scn_box.SCNBox",
    "full": "full.Full",
}

__all__ = ["METHODS", "Batch", "Method", "Now", "get_method"]


def get_method(name: str) -> type[Method]:
    """The method class called `name`, its file loaded only now; `ValueError` lists the names."""
    if name not in METHODS:
        raise ValueError(f"unknown method {name!r}: choose one of {', '.join(METHODS)}")
    file, kind = METHODS[name].split(".")
    return getattr(import_module(f"scnlib.methods.{file}"), kind)
