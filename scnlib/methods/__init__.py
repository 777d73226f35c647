"""The methods by name. A new one costs a file and a line here."""

from scnlib.methods.base import Batch, Method, Now
from scnlib.methods.cale import CALE
from scnlib.methods.full import Full
from scnlib.methods.pce import PCE
from scnlib.methods.scn import SCN

METHODS: dict[str, type[Method]] = {
    "pce": PCE,
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
