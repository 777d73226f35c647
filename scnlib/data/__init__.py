"""Reading: a volume becomes a Case, a data set three lists of Cases (train, val, test)."""

from scnlib.data.acdc import read_acdc
from scnlib.data.cases import (
    Case,
    TrainingSet,
    fingerprint,
    load_split,
    require_labels,
    require_scribbles,
    stack,
)
from scnlib.data.folders import is_there, sets_in
from scnlib.data.nifti import read_nifti

__all__ = [
    "Case",
    "TrainingSet",
    "fingerprint",
    "is_there",
    "load_split",
    "read_acdc",
    "read_nifti",
    "require_labels",
    "require_scribbles",
    "sets_in",
    "stack",
]
