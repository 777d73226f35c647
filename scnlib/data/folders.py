"""Where the files of a data set lie."""

from pathlib import Path

ACDC = ("acdc", *(f"acdc_fold{k}" for k in range(1, 6)))  # one folder, six ways to split it
BUILT_IN = ("phantom", *ACDC, "mscmr")


def is_there(dataset: str, root: Path | None) -> bool:
    """Whether a data set can be read: the phantom always, another one if root holds its folder."""
    if dataset == "phantom":
        return True
    try:
        return dataset_folder(dataset, root).is_dir()
    except (FileNotFoundError, ValueError):
        return False


def own_sets(root: Path) -> list[str]:
    """Names of the folders in root that describe themselves as a data set, by a dataset.toml.

    Raises ValueError for one that is named as a built-in set: that would be read in its place.
    """
    names = sorted(path.parent.name for path in root.glob("*/dataset.toml"))
    for name in names:
        if name in BUILT_IN:
            raise ValueError(f"{root / name}: {name} is a built-in data set: rename the folder")
    return names


def sets_in(root: Path | None) -> list[str]:
    """Names of the data sets that root holds: ACDC, MSCMR and own ones; none without a root.

    Raises FileNotFoundError if there is no such folder.
    """
    if root is None:
        return []
    if not root.is_dir():
        raise _no_folder(root)
    return [name for name in ("acdc", "mscmr", *own_sets(root)) if is_there(name, root)]


def dataset_folder(dataset: str, root: Path | None) -> Path:
    """Folder with the files of a data set that is not the phantom.

    Raises ValueError for an unknown name, FileNotFoundError if root or the folder is missing.
    """
    if root is None:
        raise ValueError(f"data set {dataset!r} needs the folder of the data: give --data DIR")
    root = Path(root)
    if not root.is_dir():
        raise _no_folder(root)
    own = own_sets(root)
    places = dict.fromkeys(ACDC, "ACDC/ACDC_training_volumes") | {"mscmr": "MSCMR/MSCMR_dataset"}
    if dataset in places:
        folder = root / places[dataset]
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{folder}: no such folder: unpack the published {places[dataset]} there, "
                "or give --data the folder that holds it"
            )
        return folder
    if dataset not in {p.name for p in root.iterdir() if p.is_dir()}:
        raise ValueError(
            f"unknown data set {dataset!r}: there are {', '.join([*BUILT_IN, *own])}; "
            f"an own one is a folder {root}/NAME with a dataset.toml"
        )
    return root / dataset


def _no_folder(root: Path) -> FileNotFoundError:
    return FileNotFoundError(f"{root}: no such folder: give --data the folder of the data sets")
