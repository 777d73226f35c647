"""NIfTI volumes: MSCMR as CycleMix distributes it, and any folder in its layout.

    FOLDER/{train,val,TestSet}/{images,labels}/*.nii.gz     (own data: "test" will do for TestSet)

Beside images/NAME.nii.gz stands labels/NAME_scribble.nii.gz or labels/NAME_manual.nii.gz (a full
mask), or both; a plain labels/NAME.nii.gz is a scribble in train and a mask elsewhere.
"""

from pathlib import Path

import numpy as np

from scnlib.data.cases import MSCMR, SPLITS, Case, Layout, first_names, split_name
from scnlib.data.checks import (
    Annotation,
    Fault,
    check_image,
    check_same_shape,
    log,
    slice_axis_of,
    stop,
    to_classes,
)
from scnlib.data.contrast import to_unit_range
from scnlib.data.identity import Names, identify, note_crowd, note_shared
from scnlib.data.manifest import published_subjects
from scnlib.data.volume import Volume, is_nifti, load_volume, stem


def read_nifti(
    image: str | Path,
    scribble: str | Path | None = None,
    label: str | Path | None = None,
    layout: Layout = MSCMR,
) -> Case:
    """Read one subject from NIfTI files, slices first.

    The image is clipped at the 99th percentile of the volume, then scaled by min-max to 0..1;
    stray voxels and padding are kept out of it (`scnlib.data.contrast`).
    layout says what the values mean and on which axis the slices lie; its default is MSCMR's.

    Raises FileNotFoundError, or ValueError naming the file: unreadable, not three-dimensional,
    not finite, values out of range, another shape or voxel size than the image, a scribble given
    as a mask or a mask as a scribble, and, unless layout.arrays_fit, another affine.
    """
    image = Path(image)
    volume = load_volume(image)
    source = str(image)
    array = check_image(volume.array, source)
    array = np.moveaxis(array, layout.slice_axis, 0)
    subject, frame = split_name(stem(image), layout.volume_name)
    _doubt_axis(volume, source, layout.slice_axis)
    z, y, x = volume.spacing[_slices_first(layout.slice_axis)]
    return Case(
        subject=subject,
        frame=frame,
        image=np.ascontiguousarray(to_unit_range(array, source)),
        scribble=_read_classes(scribble, "scribble", volume, source, layout),
        label=_read_classes(label, "mask", volume, source, layout),
        spacing=(float(z), float(y), float(x)),
        source=source,
        classes=layout.classes,
    )


def _doubt_axis(volume: Volume, source: str, axis: int) -> None:
    """Warn where shape and voxel size speak for slices along another axis."""
    order = _slices_first(axis)
    shape = tuple(volume.array.shape[a] for a in order)
    if other := slice_axis_of(shape, volume.spacing[order].tolist()):
        log.warning(
            "%s: slice_axis = %d seems wrong, as the voxels %s are %s mm: try slice_axis = %d in "
            "dataset.toml (for predict, --slice-axis %d)",
            *(source, axis, " x ".join(map(str, volume.array.shape))),
            " x ".join(f"{size:.3g}" for size in volume.spacing),
            *(order[other], order[other]),
        )


def nifti_split(folder: Path, split: str, layout: Layout) -> list[Case]:
    """All volumes of a split, sorted by name; files that are not NIfTI are left aside, noted.

    MSCMR's training split has scribbles only, the others masks only. An own data set may have no
    masks to validate or test on: without val/labels the Cases have none, without val there are
    none, and so with test.
    Raises FileNotFoundError for other missing folders, images and their counterparts.
    """
    found = split_files(folder, split, layout)
    names = identify((image for image, _, _ in found), layout.volume_name)
    note_crowd(_place(folder, split), names)
    note_shared(folder, names, _other_splits(folder, split, layout))
    missing = published_subjects(split) - {stem(path) for path in names} if layout is MSCMR else ()
    if missing:
        text = "%s: %d volumes of the published set are missing: %s"
        log.warning(text, _place(folder, split), len(missing), ", ".join(sorted(missing)))
    return [read_nifti(image, scribble, mask, layout) for image, scribble, mask in found]


def split_files(
    folder: Path, split: str, layout: Layout, fault: Fault = stop
) -> list[tuple[Path, Path | None, Path | None]]:
    """Image, scribble and mask (None where there is none) of each volume, as nifti_split reads.

    Raises as nifti_split does, or hands every fault to `fault` and lists what there is.
    """
    place = _place(folder, split)
    own = layout is not MSCMR
    if own and split != "train" and not place.is_dir():
        use = "validate" if split == "val" else "test"
        log.warning("%s: no such folder: there is nothing to %s on", place, use)
        return []
    if own and split != "train" and not (place / "labels").is_dir():
        log.warning("%s: no such folder: these volumes have no masks", place / "labels")
        return [(path, None, None) for path in _files(place / "images", fault).values()]
    images, labels = _files(place / "images", fault), _files(place / "labels", fault)
    pairs = {name: _counterparts(name, labels, split) for name in images}
    need = "scribble" if split == "train" else "mask"
    if own and split == "train":
        _note_plain(place / "labels", labels, pairs)
    # Own training volumes may have either; of the others all or none can be scored.
    either = own and (split == "train" or not any(need in found for found in pairs.values()))
    for name, found in pairs.items() if labels else ():
        if need not in found and not (either and found):
            suffix = "scribble" if need == "scribble" else "manual"
            text = f"{place / 'labels' / name}_{suffix}.nii.gz: no {need} for {images[name]}"
            fault(FileNotFoundError(f"{text}: add it, or move the image out of {split}"))
    if images:
        _check_left_over(images, labels, pairs, fault)
    return [
        (path, pairs[name].get("scribble"), pairs[name].get("mask"))
        for name, path in images.items()
    ]


def files_taken(folder: Path) -> list[Path]:
    """The images, scribbles and masks of all splits that are read; nothing is said of others."""
    found = []
    for split in SPLITS:
        images, labels = (
            {stem(path): path for path in _niftis(_place(folder, split) / part)}
            for part in ("images", "labels")
        )
        for name, path in images.items():
            found += [path, *_counterparts(name, labels, split).values()]
    return found


def _note_plain(
    folder: Path, labels: dict[str, Path], pairs: dict[str, dict[Annotation, Path]]
) -> None:
    if plain := [labels[name].name for name in pairs if labels.get(name) in pairs[name].values()]:
        log.warning(
            "%s: read as scribbles, as their names say nothing else (NAME_scribble, NAME_manual): "
            "%s",
            *(folder, first_names(plain)),
        )


def _place(folder: Path, split: str) -> Path:
    names = {"train": ("train",), "val": ("val",), "test": ("TestSet", "test")}[split]
    return next((folder / name for name in names if (folder / name).is_dir()), folder / names[-1])


def _read_classes(
    path: str | Path | None, kind: Annotation, image: Volume, image_source: str, layout: Layout
) -> np.ndarray | None:
    if path is None:
        return None
    path = Path(path)
    volume = load_volume(path)
    classes = to_classes(volume.array, path, kind, layout, volume.step)
    check_grid(volume, path, kind, image, image_source, layout)
    return np.ascontiguousarray(np.moveaxis(classes, layout.slice_axis, 0))


def check_grid(
    volume: Volume, path: Path, kind: Annotation, image: Volume, image_source: str, layout: Layout
) -> None:
    """Raises ValueError unless a scribble or mask lies on the grid of its image."""
    check_same_shape(volume.array.shape, image.array.shape, str(path), kind)
    if not np.allclose(volume.spacing, image.spacing, rtol=1e-3, equal_nan=True):
        raise ValueError(
            f"{path}: voxel sizes {volume.spacing.round(4).tolist()} differ from "
            f"{image.spacing.round(4).tolist()} of {image_source}: export both on one grid"
        )
    if _displaced(volume, image):
        if not layout.arrays_fit:
            raise ValueError(
                f"{path}: another affine than {image_source}: bring both to one grid, or write "
                "arrays_fit = true in dataset.toml if the arrays fit as they lie"
            )
        log.warning("%s: another affine than its image; read array to array", path)


def _displaced(one: Volume, other: Volume) -> bool:
    """Whether some corner of the grid lies more than a tenth of a voxel elsewhere."""
    ends = [(0, n - 1) for n in one.array.shape]
    corners = np.stack(np.meshgrid(*ends, [1], indexing="ij")).reshape(4, -1)
    shift = np.linalg.norm(((one.affine - other.affine) @ corners)[:3], axis=0)
    return not shift.max() <= 0.1 * np.linalg.norm(other.affine[:3, :3], axis=0).min()


def _slices_first(axis: int) -> list[int]:
    return [axis, *(a for a in range(3) if a != axis)]


def _niftis(folder: Path) -> list[Path]:
    """The NIfTI files of a folder, sorted; none where there is no such folder."""
    return [path for path in sorted(folder.glob("*")) if is_nifti(path)]


def _files(folder: Path, fault: Fault) -> dict[str, Path]:
    """Stem -> NIfTI file of a folder, sorted."""
    if not folder.is_dir():
        what = "NAME_scribble.nii.gz of each image" if folder.name == "labels" else ".nii.gz files"
        fault(FileNotFoundError(f"{folder}: no such folder: it should hold {what}"))
        return {}
    files: dict[str, Path] = {}
    strays = []
    for path in sorted(folder.iterdir()):
        if not is_nifti(path):
            strays.append(path.name)
            continue
        # Neither a sum nor a table could hold it.
        if path.name.encode(errors="replace").decode() != path.name:
            fault(ValueError(f"{folder}/{path.name!a}: its name is not UTF-8: rename it"))
        if stem(path) in files:
            other = files[stem(path)].name
            fault(ValueError(f"{path}: there is also {other}: remove one of them"))
        else:
            files[stem(path)] = path
    if strays:
        log.warning("%s: left aside, not NIfTI: %s", folder, first_names(strays))
    if not files:
        fault(FileNotFoundError(f"{folder}: holds no NIfTI file: unpack the data set again"))
    return files


def _counterparts(name: str, labels: dict[str, Path], split: str) -> dict[Annotation, Path]:
    """The scribble and the mask of an image, as far as there are any."""
    plain: Annotation = "scribble" if split == "train" else "mask"
    names: dict[Annotation, str] = {"scribble": f"{name}_scribble", "mask": f"{name}_manual"}
    if names[plain] not in labels:
        names[plain] = name
    return {kind: labels[key] for kind, key in names.items() if key in labels}


def _check_left_over(
    images: dict[str, Path],
    labels: dict[str, Path],
    pairs: dict[str, dict[Annotation, Path]],
    fault: Fault,
) -> None:
    """A spare version of a known subject is left aside; a label without its image is an error."""
    used = {path for found in pairs.values() for path in found.values()}
    for name, path in labels.items():
        if path in used:
            continue
        if any(name == image or name.startswith(f"{image}_") for image in images):
            log.warning("%s: left aside, not a scribble or mask of this layout", path)
            continue
        do = "add it, name the file after its image (IMAGE_scribble, IMAGE_manual), or remove it"
        fault(FileNotFoundError(f"{path}: its image is missing: {do}"))


def _other_splits(folder: Path, split: str, layout: Layout) -> dict[str, Names]:
    """Names of the images of the other splits, as far as there are any and they can be read."""
    places = {other: _place(folder, other) / "images" for other in SPLITS if other != split}
    return {
        # Another split's faults are told when that one is read.
        other: identify(_niftis(place), layout.volume_name, lambda _: None)
        for other, place in places.items()
    }
