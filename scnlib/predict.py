"""Segment new NIfTI images with SCN: `python -m scnlib.predict IMAGE.nii.gz --out DIR`.

Writes DIR/NAME_scn.nii.gz for each NAME.nii.gz: a label map on the image's own grid, array order,
affine and header as they are. It needs no data set; the weights of this study are committed. The
slices must lie along one axis. In the plane no orientation is refused, since training turns and
flips slices, but a network does best on images that lie as its training set's do.

Of a folder, what looks like an image is taken; what is left, and why, is told. One bad file or
folder does not stop the others. A label map says in its header which image and weights made it, so
that the same command after an interruption goes on where it stopped.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    from scnlib.commandline import end_in_silence

    end_in_silence()

import nibabel as nib
import numpy as np
import torch

from scnlib.commandline import Parser, hear_ctrl_c, print_any_name
from scnlib.data.cases import MSCMR, Layout
from scnlib.data.folders import ACDC
from scnlib.data.layout import read_layout
from scnlib.data.nifti import read_nifti
from scnlib.data.selection import SUFFIX, find_images
from scnlib.data.volume import check_is_file, load_image, stem
from scnlib.errors import one_line
from scnlib.inference import label_volume
from scnlib.label_files import is_written, like, origin_of, write_labels
from scnlib.paths import WEIGHTS, results_root, run_folder, to_path, weights_file
from scnlib.weights import TrainedSCN, trained_network

DEFAULT = "cpu"  # the profile of the committed weights
ROWS_FIRST = (*ACDC, "phantom")  # trained on slices (y, x); those of a NIfTI array are (x, y)


def segment(
    net: TrainedSCN, path: Path, values: Sequence[int], slice_axis: int = 2
) -> nib.Nifti1Image:
    """The label map of one NIfTI image, with the image's shape, affine and header.

    values      what is written for each of the network's K classes
    slice_axis  axis of the array along which the slices lie
    The type is uint8, or the smallest that holds `values`. Raises as `read_nifti`.
    """
    grid = Layout((), {}, {}, unlabelled=0, slice_axis=slice_axis)
    case = read_nifti(path, layout=grid)
    device = next(net.parameters()).device
    profile = net.run.profile
    turned = net.run.dataset in ROWS_FIRST
    image = np.ascontiguousarray(case.image.swapaxes(1, 2)) if turned else case.image
    labels = label_volume(
        lambda slices: net.predict(slices.to(device)), image, profile.size, profile.batch
    )
    labels = labels.swapaxes(1, 2) if turned else labels
    dtype = np.result_type(np.uint8, *(np.min_scalar_type(value) for value in values))
    written = np.asarray(values, dtype=dtype)[np.moveaxis(labels, 0, slice_axis)]
    return like(load_image(path), written)


def class_values(net: TrainedSCN, layout: Layout | None) -> dict[str, int]:
    """Class of the network -> what is written for it: the label map's first value, else its number.

    Structures go by name, whatever their order in the layout; the first class is the background in
    both. Raises ValueError if the layout does not know one of the network's.
    """
    if layout is None:
        return {name: number for number, name in enumerate(net.names)}
    structures = layout.classes[1:]
    if unknown := [name for name in net.names[1:] if name not in structures]:
        raise ValueError(
            f"the weights know {', '.join(unknown)} and the layout's classes are "
            f"{', '.join(layout.classes)}: write the weights' names there, or take the weights "
            "trained on that data set"
        )
    first = {index: value for value, index in reversed(list(layout.label_map.items()))}
    return {
        name: first[layout.classes.index(name) if number else 0]
        for number, name in enumerate(net.names)
    }


def targets_of(images: Sequence[Path], out: Path) -> dict[Path, Path | str]:
    """Where the label map of each image goes; or, where another image is in its way, why not."""
    by_stem: dict[str, list[Path]] = {}
    for path in images:
        by_stem.setdefault(stem(path), []).append(path)
    sources = {path.resolve() for path in images}
    found: dict[Path, Path | str] = {}
    for name, paths in by_stem.items():
        target = out / f"{name}{SUFFIX}.nii.gz"
        for path in paths:
            if rival := next((other for other in paths if other != path), None):
                found[path] = f"{path}: {rival} would be written to {target} too; use two --out"
            elif target.resolve() in sources:
                found[path] = f"{path}: {target} is one of the images; choose another --out"
            else:
                found[path] = target
    return found


def parse(arguments: Sequence[str] | None = None) -> Namespace:
    """The options; a wrong one ends the program with one line and code 2."""
    parser = Parser("python -m scnlib.predict", "Segment NIfTI images with trained SCN weights.")
    add = parser.add_argument
    add("images", type=to_path, nargs="+", metavar="IMAGE", help="NIfTI files, or folders of them")
    add("--out", type=to_path, required=True, metavar="DIR", help="of NAME_scn.nii.gz; made if new")
    add("--dataset", default="acdc", metavar="NAME", help="whose weights: acdc (default), mscmr ..")
    add("--profile", default=DEFAULT, help=f"that they were trained with (default: {DEFAULT})")
    add("--results", type=to_path, metavar="DIR", help="run_all.sh's --out, if you gave it")
    add("--weights", type=to_path, metavar="FILE", help="a weights.safetensors, in place of these")
    add("--layout", type=to_path, metavar="FILE", help="dataset.toml: values to write, slice axis")
    add("--slice-axis", type=int, choices=(0, 1, 2), help="axis of the slices (default: the last)")
    add("--overwrite", action="store_true", help="replace label maps that are there")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Segment what the command line asks for; 1 if an image or folder failed, after the others."""
    print_any_name()
    options = parse(arguments)
    try:
        job = prepare(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped before the first image", file=sys.stderr)
        return 130
    done, failed = 0, []
    try:
        for path, target in job.targets.items():
            if not attempt(job, path, target):
                failed.append(path)
            done += 1
    except KeyboardInterrupt:
        text = f"stopped after {done} of {len(job.targets)}: the same command goes on there"
        print(text, file=sys.stderr)
        return 130
    if failed:
        text = one_line(
            f"failed: {len(failed)} of {len(job.targets)}: {', '.join(map(str, failed))}"
        )
        print(text, file=sys.stderr)
    return int(bool(failed or job.faults))


class Task(NamedTuple):
    """What a call of the program does, checked."""

    net: TrainedSCN
    weights: Path
    values: dict[str, int]
    axis: int
    targets: dict[Path, Path | str]  # of each image, see `targets_of`
    faults: list[str]  # of folders
    overwrite: bool


def prepare(options: Namespace) -> Task:
    """Read the weights, find the images and make the folder; ValueError or OSError if one fails."""
    out = options.out
    weights = options.weights or _weights(options)
    layout = read_layout(options.layout) if options.layout else None
    net = trained_network(weights)
    values = class_values(net, layout)
    images, left, faults = find_images(options.images)
    for path, why in left:
        print(f"left aside: {path}: {why}")
    for text in faults:
        print(one_line(f"error: {text}"), file=sys.stderr)
    make_folder(out)
    axis = (layout or MSCMR).slice_axis if options.slice_axis is None else options.slice_axis
    run = net.run
    print(f"SCN, trained on {run.dataset} at {run.profile.size}x{run.profile.size}: {weights}")
    written = ", ".join(f"{name} {value}" for name, value in values.items())
    print(f"{len(images)} images; values written: {written}", flush=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    targets = targets_of(images, out)
    return Task(net.to(device), weights, values, axis, targets, faults, options.overwrite)


def make_folder(out: Path) -> None:
    """Make the folder of the label maps; ValueError where a file is in its way."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(
            f"{out}: a file is where this folder should be: choose another --out"
        ) from error


def _weights(options: Namespace) -> Path:
    """A run's weights; the committed ones only where neither results nor profile were asked for."""
    where = results_root(options.results or ""), options.profile, options.dataset
    if options.results or options.profile != DEFAULT:
        return run_folder(*where, "scn", 0) / WEIGHTS
    return weights_file(*where)


def attempt(job: Task, path: Path, target: Path | str) -> bool:
    """Segment one image and say so; False, and why, if that fails or there is no target."""
    try:
        if isinstance(target, str):
            raise ValueError(target)
        check_is_file(path)
        origin = origin_of(path, job.weights, job.values, job.axis)
        if not job.overwrite and is_written(target, origin):
            print(f"{path} -> {target}: there already", flush=True)
            return True
        values = list(job.values.values())
        labels = segment(job.net, path, values, job.axis)
        write_labels(labels, origin, target)
    except Exception as error:  # of whatever kind: it must not stop the others
        text = str(error) or type(error).__name__
        text = text if str(path) in text else f"{path}: {text}"
        print(one_line(f"error: {text}"), file=sys.stderr)
        return False
    written = np.asarray(labels.dataobj)
    counts = zip(job.values, values, strict=True)
    found = ", ".join(f"{n} {int((written == v).sum())}" for n, v in counts)
    print(f"{path} -> {target}: voxels: {found}", flush=True)
    return True


if __name__ == "__main__":
    hear_ctrl_c()
    sys.exit(main())
