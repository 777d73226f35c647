"""Reading: a volume becomes a Case, a data set three lists of Cases (train, val, test).

A reader is loaded when it is asked for: NIfTI needs no h5py, ACDC no nibabel, neither needs torch.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scnlib.data.cases import MSCMR, SPLITS, Case
from scnlib.data.folders import ACDC, dataset_folder, own_sets
from scnlib.data.folders import is_there as is_there
from scnlib.data.folders import sets_in as sets_in

if TYPE_CHECKING:
    from scnlib.data.acdc import read_acdc as read_acdc
    from scnlib.data.batches import stack as stack
    from scnlib.data.manifest import fingerprint as fingerprint
    from scnlib.data.nifti import read_nifti as read_nifti

# Where a name is whose file loads what not everybody needs.
_LATER = {
    "fingerprint": "manifest",
    "read_acdc": "acdc",
    "read_nifti": "nifti",
    "stack": "batches",
}


def __getattr__(name: str) -> Any:
    """A name of `_LATER`, which is loaded now."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def load_split(dataset: str, root: Path | None, split: str) -> list[Case]:
    """Read a whole split into memory, sorted by file name.

    dataset  "phantom", "acdc" (6:2:2 of the patients, stratified), "acdc_fold1" to "acdc_fold5"
             (folds of WSL4MIS: 80 patients to train, 20 to test, none to validate), "mscmr", or
             the name of a folder in root in MSCMR's layout with a dataset.toml
    root     folder that holds ACDC, MSCMR and own data sets; ignored for the phantom
    split    "train", "val" or "test"

    Raises ValueError for an unknown data set or split and for bad files, FileNotFoundError for
    missing folders and volumes; both name what to do.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: use one of {', '.join(SPLITS)}")
    if dataset == "phantom":
        from scnlib.data.phantom import phantom_split

        if root is not None:
            own_sets(root)  # none may be called so
        return phantom_split(split)
    folder = dataset_folder(dataset, root)
    if dataset in ACDC:
        from scnlib.data.acdc import acdc_split

        return acdc_split(folder, split, scheme=dataset)
    from scnlib.data.layout import read_layout
    from scnlib.data.nifti import nifti_split

    layout = MSCMR if dataset == "mscmr" else read_layout(folder / "dataset.toml")
    return nifti_split(folder, split, layout)
