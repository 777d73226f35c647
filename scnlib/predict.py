"""Segment new NIfTI images with SCN: `python -m scnlib.predict IMAGE.nii.gz --out DIR`.

Writes DIR/NAME_scn.nii.gz for each NAME.nii.gz: a label map on the image's own grid, array order,
affine and header as they are. It needs no data set; the weights of this study are committed. The
slices must lie along one axis. In the plane no orientation is refused, since training turns and
flips slices, but a network does best on images that lie as its training set's do.
"""

import gzip
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from scnlib.commandline import Parser
from scnlib.data.folders import ACDC
from scnlib.data.layout import MSCMR, Layout, read_layout
from scnlib.data.nifti import read_nifti
from scnlib.data.volume import load_image, stem
from scnlib.evaluation import label_volume
from scnlib.methods.scn import SCN
from scnlib.paths import results_root, weights_file
from scnlib.weights import trained_network

SUFFIX = "_scn"
ROWS_FIRST = (*ACDC, "phantom")  # trained on slices (y, x); those of a NIfTI array are (x, y)


def segment(net: SCN, path: Path, values: Sequence[int], slice_axis: int = 2) -> nib.Nifti1Image:
    """The label map of one NIfTI image, with the image's shape, affine and header.

    values      what is written for each of the network's K classes
    slice_axis  axis of the array along which the slices lie
    The type is uint8, or the smallest that holds `values`. Raises as `read_nifti`.
    """
    grid = Layout((), {}, {}, unlabelled=0, slice_axis=slice_axis)
    case = read_nifti(path, layout=grid)
    device = next(net.parameters()).device
    profile = net.run.profile

    def predict(slices: torch.Tensor) -> torch.Tensor:
        return net.predict(slices.to(device))

    turned = net.run.dataset in ROWS_FIRST
    image = np.ascontiguousarray(case.image.swapaxes(1, 2)) if turned else case.image
    labels = label_volume(predict, image, profile.size, profile.batch)
    labels = labels.swapaxes(1, 2) if turned else labels
    dtype = np.result_type(np.uint8, *(np.min_scalar_type(value) for value in values))
    written = np.asarray(values, dtype=dtype)[np.moveaxis(labels, 0, slice_axis)]
    return like(load_image(path), written)


def like(image: nib.Nifti1Image, array: np.ndarray) -> nib.Nifti1Image:
    """`array` as a NIfTI image of the same kind, with the shape, affine and header of `image`."""
    header = image.header.copy()
    header.set_data_dtype(array.dtype)
    header["cal_min"] = header["cal_max"] = 0  # the image's window would hide the labels
    return type(image)(array.reshape(image.shape), image.affine, header)


def class_values(net: SCN, layout: Layout | None) -> list[int]:
    """What to write for each class: the label map's first value for it, else its number.

    Raises ValueError if the network has another number of classes than the layout.
    """
    if layout is None:
        return list(range(net.classes))
    if len(layout.classes) != net.classes:
        raise ValueError(
            f"the weights know {net.classes} classes and the layout has {len(layout.classes)} "
            f"({', '.join(layout.classes)}): take the weights trained on that data set"
        )
    pairs = layout.label_map.items()
    return [next(v for v, index in pairs if index == k) for k in range(net.classes)]


def find_images(places: Sequence[Path]) -> list[Path]:
    """Files as given and the NIfTI files of folders (not this program's own results), sorted.

    Raises ValueError for a folder without any.
    """
    images: list[Path] = []
    for place in places:
        if not place.is_dir():
            images.append(place)
            continue
        inside = [
            path
            for path in sorted(place.iterdir())
            if path.name.endswith((".nii", ".nii.gz"))
            and not path.name.startswith(".")
            and not stem(path).endswith(SUFFIX)
        ]
        if not inside:
            raise ValueError(f"{place}: no NIfTI file in this folder; give one with images")
        images += inside
    return list(dict.fromkeys(images))


def claim(path: Path, out: Path, images: Sequence[Path], overwrite: bool) -> Path:
    """Where the label map of `path` goes. Raises ValueError if another file is in its way."""
    target = out / f"{stem(path)}{SUFFIX}.nii.gz"
    if rivals := [other for other in images if other != path and stem(other) == stem(path)]:
        raise ValueError(f"{path}: {rivals[0]} would be written to {target} too; use two --out")
    if target.resolve() in {image.resolve() for image in images}:
        raise ValueError(f"{path}: {target} is one of the images; choose another --out")
    if target.exists() and not overwrite:
        raise ValueError(f"{path}: {target} exists; move it away or give --overwrite")
    return target


def save(image: nib.Nifti1Image, path: Path) -> None:
    """Write a gzipped NIfTI whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(gzip.compress(image.to_bytes(), mtime=0))
    part.replace(path)


def parse(arguments: Sequence[str] | None = None) -> Namespace:
    """The options; a wrong one ends the program with one line and code 2."""
    parser = Parser("python -m scnlib.predict", "Segment NIfTI images with trained SCN weights.")
    add = parser.add_argument
    add("images", type=Path, nargs="+", metavar="IMAGE", help="NIfTI files, or folders of them")
    add("--out", type=Path, required=True, metavar="DIR", help="for NAME_scn.nii.gz; made if new")
    add("--dataset", default="acdc", metavar="NAME", help="whose weights: acdc (default), mscmr ..")
    add("--profile", default="cpu", help="profile that they were trained with (default: cpu)")
    add("--results", type=Path, metavar="DIR", help="run_all.sh's --out, if you gave it")
    add("--weights", type=Path, metavar="FILE", help="a weights.safetensors, in place of these")
    add("--layout", type=Path, metavar="FILE", help="dataset.toml: values to write, slice axis")
    add("--slice-axis", type=int, choices=(0, 1, 2), help="axis of the slices (default: the last)")
    add("--overwrite", action="store_true", help="replace label maps that are there")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Segment what the command line asks for; 1 if any image failed, which does not stop others."""
    options = parse(arguments)
    results = results_root(options.results or "")
    weights = options.weights or weights_file(results, options.profile, options.dataset)
    try:
        layout = read_layout(options.layout) if options.layout else None
        net = trained_network(weights)
        values = class_values(net, layout)
        images = find_images([place.expanduser() for place in options.images])
        options.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    axis = (layout or MSCMR).slice_axis if options.slice_axis is None else options.slice_axis
    run = net.run
    print(f"SCN, trained on {run.dataset} at {run.profile.size}x{run.profile.size}: {weights}")
    net = net.to("cuda" if torch.cuda.is_available() else "cpu")
    failed = []
    for path in images:
        try:
            target = claim(path, options.out, images, options.overwrite)
            labels = segment(net, path, values, axis)
            save(labels, target)
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            failed.append(str(path))
            continue
        counts = [int((np.asarray(labels.dataobj) == value).sum()) for value in values]
        print(f"{path} -> {target}: {counts} voxels of values {values}", flush=True)
    if failed:
        print(f"failed: {len(failed)} of {len(images)}: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
