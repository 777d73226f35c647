"""The methods by name. A new one costs a file and a line here."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from scnlib.methods.base import Batch, Method, Now

# Name: the file here, and the class in it. A row of `study.experiments.RECIPES` is by SGD.
PLACES = {
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
    "box": "box.Box",
    "cale": "cale.CALE",
    "scn": "scn.SCN",
    "scn_box": "scn_box.SCNBox",
    "full": "full.Full",
}

__all__ = ["METHODS", "Batch", "Method", "Now", "get_method"]


class _Methods(Mapping[str, type[Method]]):
    """Name to method class, whose file is loaded only when the class is asked for."""

    def __getitem__(self, name: str) -> type[Method]:
        file, kind = PLACES[name].split(".")
        return getattr(import_module(f"scnlib.methods.{file}"), kind)

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


METHODS = _Methods()


def get_method(name: str) -> type[Method]:
    """The method class called `name`; `ValueError` lists the names."""
    if name not in PLACES:
        raise ValueError(f"unknown method {name!r}: choose one of {', '.join(PLACES)}")
    return METHODS[name]
